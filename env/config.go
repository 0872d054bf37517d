package env

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	caarlos "github.com/caarlos0/env/v11"

	"github.com/redisimnest/redisimnest/nest"
)

// maxCount bounds the keys that one command looks at or deletes. More would block the server for
// about a second.
const maxCount = 1_000_000

// Config holds the settings from the environment. The zero value of a field stands for its default,
// so a Config can also be written by hand; [Load] fills in the defaults. A Config prints without
// secrets.
type Config struct {
	// URL is REDIS_URL, the whole connection in the form that [rueidis.ParseURL] reads:
	// redis://user:password@host:6379/0, rediss:// for TLS, unix:///run/redis.sock. Of the fields
	// below, Username and Password or PasswordFile may be set beside it if it has neither, and so
	// may those for the sentinels' user and password and for the files of TLS.
	URL Hidden `env:"REDIS_URL"`
	// Host is REDIS_HOST, a name or an IP address. The default is localhost.
	Host string `env:"REDIS_HOST"`
	// Port is REDIS_PORT, 1 to 65535. The default is 6379, and 26379 with a SentinelMaster.
	Port int `env:"REDIS_PORT"`
	// Addrs is REDIS_ADDRS, host:port pairs separated by commas, used in place of Host and Port.
	// Several addresses are the nodes of one Redis Cluster or, with a SentinelMaster, the
	// sentinels. A missing port defaults as Port does.
	Addrs []string `env:"REDIS_ADDRS"`
	// SentinelMaster is REDIS_SENTINEL_MASTER, the name under which the sentinels know the server.
	// By default it is unset, and the addresses are those of the servers.
	SentinelMaster string `env:"REDIS_SENTINEL_MASTER"`
	// SentinelUsername is REDIS_SENTINEL_USERNAME, the ACL user of the sentinels. The default is
	// the sentinels' default user.
	SentinelUsername string `env:"REDIS_SENTINEL_USERNAME"`
	// SentinelPassword is REDIS_SENTINEL_PASS, the password of the sentinels. They never receive
	// the server's password. The default is none.
	SentinelPassword Hidden `env:"REDIS_SENTINEL_PASS"`
	// Username is REDIS_USERNAME. The default is the server's default user.
	Username string `env:"REDIS_USERNAME"`
	// Password is REDIS_PASS. The default is none. It is not sent to sentinels.
	Password Hidden `env:"REDIS_PASS"`
	// PasswordFile is REDIS_PASS_FILE, a file that holds the password, as secrets are mounted in a
	// container. A line break at its end does not count. It is read again for each connection, so
	// it can be replaced while the service runs; with sentinels it is read once. The default is
	// none. It cannot be set beside Password.
	PasswordFile string `env:"REDIS_PASS_FILE"`
	// DB is REDIS_DB, the database number. A Redis Cluster has only 0. The default is 0.
	DB int `env:"REDIS_DB"`
	// TLS is REDIS_TLS: connect with TLS 1.2 or later and the system's root certificates. The
	// default is false.
	TLS bool `env:"REDIS_TLS"`
	// TLSCAFile is REDIS_TLS_CA_FILE, a file of PEM certificates that replace the system's root
	// certificates. The default is none.
	TLSCAFile string `env:"REDIS_TLS_CA_FILE"`
	// TLSCertFile and TLSKeyFile are REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE, the client's
	// certificate and its key in PEM. A Redis server with TLS asks for them unless it sets
	// tls-auth-clients no. They are read again for each connection, so they can be replaced. The
	// default is none.
	TLSCertFile string `env:"REDIS_TLS_CERT_FILE"`
	TLSKeyFile  string `env:"REDIS_TLS_KEY_FILE"`

	// DeleteChunk is REDIS_DELETE_CHUNK_SIZE, the number of keys deleted by one command when a
	// scope is cleared, 1 to 1000000. The default is [nest.DefaultDeleteChunk].
	DeleteChunk int `env:"REDIS_DELETE_CHUNK_SIZE"`
	// ScanCount is REDIS_SCAN_COUNT, the number of keys that one step of a scan looks at, 1 to
	// 1000000. The default is [nest.DefaultScanCount].
	ScanCount int `env:"REDIS_SCAN_COUNT"`
	// AutoRenew is TTL_AUTO_RENEW: whether a read restarts a key's TTL where no declaration says
	// otherwise. The default is false.
	AutoRenew bool `env:"TTL_AUTO_RENEW"`
	// CacheBroadcast is REDIS_CACHE_BROADCAST: whether the server reports changes of Cached keys in
	// broadcasting mode, by the prefixes of the tree (see [nest.TrackingOptions]). The default is
	// false: the server remembers which keys each client has read.
	CacheBroadcast bool `env:"REDIS_CACHE_BROADCAST"`
	// ClientCache is REDIS_CLIENT_CACHE: "on", the default, or "off" for a client that caches
	// nothing and asks for no tracking, as some managed servers and proxies, and all that know only
	// RESP2, need it. Reads of Cached keys then ask the server, unless they have a [nest.LocalFor].
	ClientCache string `env:"REDIS_CLIENT_CACHE"`
	// Timeout is REDIS_TIMEOUT, a duration such as 500ms, or "off": how long one exchange with a
	// server may take, see [nest.WithTimeout]. The default is [DefaultTimeout]; a negative Timeout
	// is none.
	Timeout time.Duration `env:"REDIS_TIMEOUT"`
	// FlushDelay is REDIS_FLUSH_DELAY, a duration from 1us to 50us, or "off": how long a connection
	// that is in use waits after each flush for more commands to send together. For services that
	// have dozens of calls under way at all times: with 20us and a hundred calls at a time each
	// takes about half of its time, and less processor time. Below twenty calls at a time it is of
	// no use, and with four each takes a quarter longer; with 50us each of a few calls takes almost
	// twice as long. The default is off; a negative FlushDelay is off.
	FlushDelay time.Duration `env:"REDIS_FLUSH_DELAY"`
	// LogOperations is SHOW_METHOD_DISPATCH_LOGS: whether to log every operation, without values,
	// to [log/slog.Default]. The default is false.
	LogOperations bool `env:"SHOW_METHOD_DISPATCH_LOGS"`

	// EncryptionKey is MY_ENCRYPTION_KEY, the Fernet key of the Python library: 44 characters of
	// URL-safe base64 for 32 bytes. Secrets stored under it can be read. Without a Keyring it also
	// seals new ones. Once [nest.Rotate] has converted them all, move it to the end of the Keyring
	// or remove it; see [secure.AcceptFernet] for the reason. The default is none.
	EncryptionKey Hidden `env:"MY_ENCRYPTION_KEY"`
	// Keyring is NEST_KEYRING, keys of 32 bytes in base64 or hexadecimal, separated by single
	// commas. The first is the primary, which seals; the others are only accepted. The default is
	// none. With neither Keyring nor EncryptionKey, a tree that declares secrets cannot be opened.
	Keyring Hidden `env:"NEST_KEYRING"`
	// KeyringFile is NEST_KEYRING_FILE, a file that holds what NEST_KEYRING would. It is read when
	// the tree is opened. The default is none. It cannot be set beside Keyring.
	KeyringFile string `env:"NEST_KEYRING_FILE"`
}

// Defaults of [Config.Open].
const (
	// DefaultTimeout is the default of REDIS_TIMEOUT.
	DefaultTimeout = 2 * time.Second
	// defaultFailures and defaultPause are what [nest.WithBreaker] is given.
	defaultFailures = 5
	defaultPause    = time.Second
)

// Option is an option for [Load].
type Option interface{ applyLoad(s *source) }

type loadOption func(s *source)

func (o loadOption) applyLoad(s *source) { o(s) }

// source says where the variables come from.
type source struct {
	environ []string
	dir     string
}

// WithEnviron reads environ, whose entries have the form "NAME=value", in place of the process's
// environment.
func WithEnviron(environ []string) Option { return loadOption(func(s *source) { s.environ = environ }) }

// WithDir makes [Load] look for .env, and for the file that USER_SETTINGS_FILE names, in dir rather
// than in the working directory.
func WithDir(dir string) Option { return loadOption(func(s *source) { s.dir = dir }) }

// Load reads the process's environment and the .env file, or the file that USER_SETTINGS_FILE
// names, and returns the Config that results. It changes neither the environment nor any file. The
// error is an [*Error] that lists everything that is wrong.
func Load(opts ...Option) (Config, error) {
	src := source{environ: os.Environ()}
	for i, o := range opts {
		if o == nil {
			return Config{}, &Error{Problems: []Problem{{Variable: "Load", Message: fmt.Sprintf("option %d is nil", i+1)}}}
		}
		o.applyLoad(&src)
	}
	process := dropEmpty(caarlos.ToMap(src.environ))
	file, found := readFiles(src.dir, process)
	for _, name := range slices.Sorted(maps.Values(variables())) {
		if process[name] == "" {
			file.check(name, &found)
		}
	}
	vars := dropEmpty(file.vars)
	maps.Copy(vars, process)

	c, malformed := parse(vars)
	found = append(found, malformed...)
	isSet := func(name string) bool { return vars[name] != "" && !found.mention(name) }
	found = append(found, c.check(isSet)...)
	found = append(found, c.checkUnread(vars)...)
	if err := found.err(); err != nil {
		return Config{}, err
	}
	c.fillDefaults()
	return c, nil
}

// dropEmpty returns the variables that count as set.
func dropEmpty(vars map[string]string) map[string]string {
	set := make(map[string]string, len(vars))
	for name, value := range vars {
		if strings.TrimSpace(value) != "" {
			set[name] = value
		}
	}
	return set
}

// variables returns the name of the variable of each field of Config, by the field's name.
func variables() map[string]string {
	names := make(map[string]string)
	for field := range reflect.TypeFor[Config]().Fields() {
		names[field.Name] = field.Tag.Get("env")
	}
	return names
}

// parsers use wording of their own in errors: strconv's errors quote what they parse.
var parsers = map[reflect.Type]caarlos.ParserFunc{
	reflect.TypeFor[string](): func(s string) (any, error) { return strings.TrimSpace(s), nil },
	reflect.TypeFor[int](): func(s string) (any, error) {
		n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 32)
		if err != nil {
			return nil, errors.New("must be a whole number")
		}
		return int(n), nil
	},
	reflect.TypeFor[time.Duration](): parseDuration,
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

const (
	// noDuration is what off stands for.
	noDuration time.Duration = -1
	// longestFlush bounds REDIS_FLUSH_DELAY: already here each call takes almost twice as long if
	// there are few at a time.
	longestFlush = 50 * time.Microsecond
)

func parseDuration(s string) (any, error) {
	s = strings.TrimSpace(s)
	if strings.EqualFold(s, cacheOff) {
		return noDuration, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return nil, errors.New("must be a duration such as 2s, 500ms or 20us, or off")
	}
	return d, nil
}

// parse returns a Config with the values of the variables, and a problem for each value that does
// not have the right type.
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

// mention reports whether p holds a problem with a variable.
func (p problems) mention(variable string) bool {
	for _, problem := range p {
		if problem.Variable == variable {
			return true
		}
	}
	return false
}

// isSet returns a function that reports, for a Config that was not read from variables, whether a
// variable would be set.
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
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.ClientCache == "" {
		c.ClientCache = cacheOn
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

// check returns everything that is wrong with the values, each by itself and in combination.
func (c Config) check(isSet func(variable string) bool) problems {
	var found problems
	c.checkAddresses(isSet, &found)
	c.checkSentinels(isSet, &found)
	c.passwordSource().check(&found)
	c.checkTLS(isSet, &found)
	if isSet("REDIS_DELETE_CHUNK_SIZE") {
		checkRange("REDIS_DELETE_CHUNK_SIZE", c.DeleteChunk, maxCount, &found)
	}
	if isSet("REDIS_SCAN_COUNT") {
		checkRange("REDIS_SCAN_COUNT", c.ScanCount, maxCount, &found)
	}
	if isSet("REDIS_CLIENT_CACHE") && !strings.EqualFold(c.ClientCache, cacheOn) && !strings.EqualFold(c.ClientCache, cacheOff) {
		found.addf("REDIS_CLIENT_CACHE", "must be on or off")
	}
	if c.CacheBroadcast && !c.caches() {
		found.addf("REDIS_CACHE_BROADCAST", "contradicts REDIS_CLIENT_CACHE=off: remove one of them")
	}
	if isSet("REDIS_TIMEOUT") && c.Timeout >= 0 && c.Timeout < time.Millisecond {
		found.addf("REDIS_TIMEOUT", "must be a duration of at least 1ms, or off")
	}
	if isSet("REDIS_FLUSH_DELAY") && c.FlushDelay >= 0 && (c.FlushDelay < time.Microsecond || c.FlushDelay > longestFlush) {
		found.addf("REDIS_FLUSH_DELAY", "must be a duration from 1us to 50us, or off")
	}
	c.checkKeys(&found)
	return found
}

// The values of REDIS_CLIENT_CACHE.
const (
	cacheOn  = "on"
	cacheOff = "off"
)

// caches reports whether the client caches.
func (c Config) caches() bool { return !strings.EqualFold(c.ClientCache, cacheOff) }

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
		for _, name := range []string{"REDIS_USERNAME", "REDIS_PASS", "REDIS_PASS_FILE"} {
			if isSet(name) {
				found.addf(name, "REDIS_URL holds a user or a password already: remove one of them")
			}
		}
	}
}
