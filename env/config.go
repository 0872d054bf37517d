package env

import (
	"errors"
	"maps"
	"os"
	"reflect"
	"strconv"
	"strings"

	caarlos "github.com/caarlos0/env/v11"

	"github.com/redisimnest/redisimnest/nest"
)

// maxCount bounds the keys that one command looks at or deletes: more would keep the server from
// all other work for about a second.
const maxCount = 1_000_000

// Config is what the environment says. The zero value of a field stands for its default, so that
// a Config can also be written by hand; [Load] fills the defaults in. It prints without secrets.
type Config struct {
	// URL is REDIS_URL: all of the connection in one text, as [rueidis.ParseURL] reads it:
	// redis://user:password@host:6379/0, rediss:// for TLS, unix:///run/redis.sock. Only Username
	// and Password may stand beside it, where it holds none.
	URL Hidden `env:"REDIS_URL"`
	// Host is REDIS_HOST, a name or an IP address. The default is localhost.
	Host string `env:"REDIS_HOST"`
	// Port is REDIS_PORT, 1 to 65535. The default is 6379, and 26379 with a SentinelMaster.
	Port int `env:"REDIS_PORT"`
	// Addrs is REDIS_ADDRS, host:port separated by commas: instead of Host and Port. Several are
	// nodes of one Redis Cluster or, with a SentinelMaster, the sentinels. The default of a
	// missing port is that of Port.
	Addrs []string `env:"REDIS_ADDRS"`
	// SentinelMaster is REDIS_SENTINEL_MASTER, the name under which the sentinels know the server.
	// The default is none: the addresses are the servers' own.
	SentinelMaster string `env:"REDIS_SENTINEL_MASTER"`
	// Username is REDIS_USERNAME. The default is the server's default user.
	Username string `env:"REDIS_USERNAME"`
	// Password is REDIS_PASS. The default is none. Sentinels are not given it.
	Password Hidden `env:"REDIS_PASS"`
	// DB is REDIS_DB, the number of the database, which a Redis Cluster has not. The default is 0.
	DB int `env:"REDIS_DB"`
	// TLS is REDIS_TLS: connect with TLS 1.2 or later and the system's root certificates. The
	// default is false.
	TLS bool `env:"REDIS_TLS"`

	// DeleteChunk is REDIS_DELETE_CHUNK_SIZE, the number of keys that clearing a scope deletes
	// with one command, 1 to 1000000. The default is [nest.DefaultDeleteChunk].
	DeleteChunk int `env:"REDIS_DELETE_CHUNK_SIZE"`
	// ScanCount is REDIS_SCAN_COUNT, the number of keys that the server looks at in one step of a
	// scan, 1 to 1000000. The default is [nest.DefaultScanCount].
	ScanCount int `env:"REDIS_SCAN_COUNT"`
	// AutoRenew is TTL_AUTO_RENEW: a read restarts a key's TTL, wherever no declaration says
	// otherwise. The default is false.
	AutoRenew bool `env:"TTL_AUTO_RENEW"`
	// CacheBroadcast is REDIS_CACHE_BROADCAST: the server tells of changes of keys that are declared
	// Cached in broadcasting mode, by the prefixes of the tree ([nest.TrackingOptions]). The default
	// is false: it remembers which keys each client has read.
	CacheBroadcast bool `env:"REDIS_CACHE_BROADCAST"`
	// LogOperations is SHOW_METHOD_DISPATCH_LOGS: log every operation, without values, to
	// [log/slog.Default]. The default is false.
	LogOperations bool `env:"SHOW_METHOD_DISPATCH_LOGS"`

	// EncryptionKey is MY_ENCRYPTION_KEY, the Fernet key of the Python library: 44 characters of
	// URL-safe base64 for 32 bytes. The secrets that are stored under it can be read; without a
	// Keyring it is also what new ones are sealed with. Once [nest.Rotate] has converted them all,
	// it belongs at the end of the Keyring, or is to be removed: secure.AcceptFernet tells why.
	// The default is none.
	EncryptionKey Hidden `env:"MY_ENCRYPTION_KEY"`
	// Keyring is NEST_KEYRING, keys of 32 bytes in base64 or hexadecimal, separated by single
	// commas: the primary, which seals, then those that are only accepted. The default is none, and
	// without EncryptionKey too a tree that declares secrets cannot be opened.
	Keyring Hidden `env:"NEST_KEYRING"`
}

// Option is an option of [Load].
type Option func(*source)

// source is where the variables come from.
type source struct {
	environ []string
	dir     string
}

// WithEnviron reads environ, "NAME=value" each, in place of the process' environment.
func WithEnviron(environ []string) Option { return func(s *source) { s.environ = environ } }

// WithDir looks for .env, and for what USER_SETTINGS_FILE names, in dir in place of the working
// directory.
func WithDir(dir string) Option { return func(s *source) { s.dir = dir } }

// Load reads the process' environment and the .env file, or the file that USER_SETTINGS_FILE
// names, and gives the Config that they make. It changes neither the environment nor any file.
// The error is an [*Error] with everything that is wrong.
func Load(opts ...Option) (Config, error) {
	src := source{environ: os.Environ()}
	for _, opt := range opts {
		if opt != nil {
			opt(&src)
		}
	}
	process := dropEmpty(caarlos.ToMap(src.environ))
	vars, found := readFiles(src.dir, process)
	vars = dropEmpty(vars)
	maps.Copy(vars, process)

	c, malformed := parse(vars)
	found = append(found, malformed...)
	found = append(found, c.check(func(name string) bool { return vars[name] != "" && !malformed.mention(name) })...)
	if err := found.err(); err != nil {
		return Config{}, err
	}
	c.fillDefaults()
	return c, nil
}

// dropEmpty gives the variables that count as set.
func dropEmpty(vars map[string]string) map[string]string {
	set := make(map[string]string, len(vars))
	for name, value := range vars {
		if strings.TrimSpace(value) != "" {
			set[name] = value
		}
	}
	return set
}

// variables gives each variable's name by the name of its field in Config.
func variables() map[string]string {
	names := make(map[string]string)
	for field := range reflect.TypeFor[Config]().Fields() {
		names[field.Name] = field.Tag.Get("env")
	}
	return names
}

// parsers say in words of their own what is wrong: strconv's errors quote what they parse.
var parsers = map[reflect.Type]caarlos.ParserFunc{
	reflect.TypeFor[string](): func(s string) (any, error) { return strings.TrimSpace(s), nil },
	reflect.TypeFor[int](): func(s string) (any, error) {
		n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 32)
		if err != nil {
			return nil, errors.New("must be a whole number")
		}
		return int(n), nil
	},
	reflect.TypeFor[bool](): func(s string) (any, error) {
		switch strings.ToLower(strings.TrimSpace(s)) {
		case "1", "t", "true", "y", "yes", "on":
			return true, nil
		case "0", "f", "false", "n", "no", "off":
			return false, nil
		}
		return nil, errors.New("must be true or false")
	},
}

// parse gives the values of the variables, and what is no value of its type.
func parse(vars map[string]string) (Config, problems) {
	names := variables()
	known := make(map[string]string, len(names))
	for _, name := range names {
		if value, ok := vars[name]; ok {
			known[name] = value
		}
	}
	var c Config
	err := caarlos.ParseWithOptions(&c, caarlos.Options{Environment: known, FuncMap: parsers})
	if err == nil {
		return c, nil
	}
	var found problems
	all, _ := errors.AsType[caarlos.AggregateError](err)
	for _, e := range all.Errors {
		if wrong, ok := errors.AsType[caarlos.ParseError](e); ok {
			found.addf(names[wrong.Name], "%v", wrong.Err)
		}
	}
	return c, found
}

// mention tells whether there is a problem with a variable.
func (p problems) mention(variable string) bool {
	for _, problem := range p {
		if problem.Variable == variable {
			return true
		}
	}
	return false
}

// isSet gives for a Config that was not read from variables which of them would be set.
func (c Config) isSet() func(variable string) bool {
	set := make(map[string]bool)
	v := reflect.ValueOf(c)
	for field := range v.Type().Fields() {
		set[field.Tag.Get("env")] = !v.FieldByIndex(field.Index).IsZero()
	}
	return func(variable string) bool { return set[variable] }
}

func (c *Config) fillDefaults() {
	if c.URL.IsZero() && len(c.Addrs) == 0 {
		if c.Host == "" {
			c.Host = defaultHost
		}
		if c.Port == 0 {
			c.Port = c.defaultPort()
		}
	}
	if c.DeleteChunk == 0 {
		c.DeleteChunk = nest.DefaultDeleteChunk
	}
	if c.ScanCount == 0 {
		c.ScanCount = nest.DefaultScanCount
	}
}

func (c Config) defaultPort() int {
	if c.SentinelMaster != "" {
		return defaultSentinelPort
	}
	return defaultPort
}

// check gives everything that is wrong with the values and between them.
func (c Config) check(isSet func(variable string) bool) problems {
	var found problems
	c.checkAddresses(isSet, &found)
	if isSet("REDIS_DELETE_CHUNK_SIZE") {
		checkRange("REDIS_DELETE_CHUNK_SIZE", c.DeleteChunk, maxCount, &found)
	}
	if isSet("REDIS_SCAN_COUNT") {
		checkRange("REDIS_SCAN_COUNT", c.ScanCount, maxCount, &found)
	}
	c.checkKeys(&found)
	return found
}

func checkRange(variable string, n, most int, found *problems) {
	if n < 1 || n > most {
		found.addf(variable, "must be a number from 1 to %d", most)
	}
}

func (c Config) checkAddresses(isSet func(variable string) bool, found *problems) {
	if isSet("REDIS_URL") {
		c.checkURL(isSet, found)
		return
	}
	if isSet("REDIS_ADDRS") {
		for _, name := range []string{"REDIS_HOST", "REDIS_PORT"} {
			if isSet(name) {
				found.addf(name, "contradicts REDIS_ADDRS: set one of them")
			}
		}
	}
	if isSet("REDIS_HOST") && !isHost(unbracket(c.Host)) {
		found.addf("REDIS_HOST", "must be a host name or an IP address: a port belongs into REDIS_PORT, several hosts into REDIS_ADDRS, a URL or a socket into REDIS_URL")
	}
	if isSet("REDIS_PORT") {
		checkRange("REDIS_PORT", c.Port, maxPort, found)
	}
	first := make(map[string]int)
	for i, addr := range c.Addrs {
		address, err := parseAddress(addr, c.defaultPort())
		switch {
		case addr == "":
			found.addf("REDIS_ADDRS", "entry %d is empty: separate host:port by single commas", i+1)
		case err != nil:
			found.addf("REDIS_ADDRS", "entry %d: %v", i+1, err)
		case first[address] > 0:
			found.addf("REDIS_ADDRS", "entry %d repeats entry %d: remove one", i+1, first[address])
		default:
			first[address] = i + 1
		}
	}
	if isSet("REDIS_DB") && c.DB < 0 {
		found.addf("REDIS_DB", "must be a database number, 0 or more")
	}
	if c.DB > 0 && len(c.Addrs) > 1 && c.SentinelMaster == "" {
		found.addf("REDIS_DB", "a Redis Cluster, which several REDIS_ADDRS stand for, has database 0 only: remove it, or set REDIS_SENTINEL_MASTER if the addresses are sentinels")
	}
}

func (c Config) checkURL(isSet func(variable string) bool, found *problems) {
	option, err := parseURL(c.URL.Reveal())
	switch {
	case err != nil:
		found.addf("REDIS_URL", "%v", err)
	case option.SelectDB > 0 && len(option.InitAddress) > 1 && option.Sentinel.MasterSet == "":
		found.addf("REDIS_URL", "a Redis Cluster, which several addresses stand for, has database 0 only: remove the number, or add master_set if the addresses are sentinels")
	}
	for _, other := range []struct{ name, instead string }{
		{"REDIS_HOST", "host"},
		{"REDIS_PORT", "host:port"},
		{"REDIS_ADDRS", "host:port?addr=host2:port2"},
		{"REDIS_SENTINEL_MASTER", "host:port?master_set=name"},
		{"REDIS_DB", "host:port/number"},
		{"REDIS_TLS", "rediss:// for TLS, redis:// for none"},
	} {
		if isSet(other.name) {
			found.addf(other.name, "contradicts REDIS_URL: remove it, and write it into the URL (%s)", other.instead)
		}
	}
	if err == nil && (option.Username != "" || option.Password != "") {
		for _, name := range []string{"REDIS_USERNAME", "REDIS_PASS"} {
			if isSet(name) {
				found.addf(name, "REDIS_URL holds a user or a password already: remove one of them")
			}
		}
	}
}
