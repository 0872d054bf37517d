package env

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	keyA   = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=" // URL-safe
	keyB   = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	keyC   = "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA=" // not URL-safe
	hexKey = "202122232425262728292a2b2c2d2e2f303132333435363738393A3B3C3D3E3F"
)

// load reads vars, each of the form "NAME=value", with no file around.
func load(t testing.TB, vars ...string) (Config, error) {
	t.Helper()
	return Load(WithEnviron(vars), WithDir(t.TempDir()))
}

func defaults(change func(*Config)) Config {
	c := Config{Host: "localhost", Port: 6379, DeleteChunk: 500, ScanCount: 1000, ClientCache: "on", Timeout: 2 * time.Second}
	change(&c)
	return c
}

func TestLoadVariables(t *testing.T) {
	for _, tt := range []struct {
		vars []string
		want func(*Config)
	}{
		{nil, func(*Config) {}},
		{[]string{"REDIS_HOST=redis.example"}, func(c *Config) { c.Host = "redis.example" }},
		{[]string{"REDIS_HOST= redis_1\n"}, func(c *Config) { c.Host = "redis_1" }},
		{[]string{"REDIS_HOST=::1"}, func(c *Config) { c.Host = "::1" }},
		{[]string{"REDIS_HOST=[::1]"}, func(c *Config) { c.Host = "[::1]" }},
		{[]string{"REDIS_PORT=1"}, func(c *Config) { c.Port = 1 }},
		{[]string{"REDIS_PORT= 65535 "}, func(c *Config) { c.Port = 65535 }},
		{[]string{"REDIS_USERNAME=app"}, func(c *Config) { c.Username = "app" }},
		{[]string{"REDIS_PASS= with space "}, func(c *Config) { c.Password = Hide(" with space ") }},
		{[]string{"REDIS_DB=15"}, func(c *Config) { c.DB = 15 }},
		{[]string{"REDIS_DB=0"}, func(*Config) {}},
		{[]string{"REDIS_TLS=true"}, func(c *Config) { c.TLS = true }},
		{[]string{"REDIS_TLS=On"}, func(c *Config) { c.TLS = true }},
		{[]string{"REDIS_TLS=no"}, func(*Config) {}},
		{[]string{"REDIS_ADDRS=a:1, b ,[::1]:3"}, func(c *Config) {
			c.Host, c.Port, c.Addrs = "", 0, []string{"a:1", "b", "[::1]:3"}
		}},
		{[]string{"REDIS_ADDRS=a", "REDIS_DB=2"}, func(c *Config) { c.Host, c.Port, c.Addrs, c.DB = "", 0, []string{"a"}, 2 }},
		{[]string{"REDIS_SENTINEL_MASTER=main"}, func(c *Config) { c.Port, c.SentinelMaster = 26379, "main" }},
		{[]string{"REDIS_ADDRS=a,b", "REDIS_SENTINEL_MASTER=main", "REDIS_DB=2"}, func(c *Config) {
			c.Host, c.Port, c.Addrs, c.SentinelMaster, c.DB = "", 0, []string{"a", "b"}, "main", 2
		}},
		{[]string{"REDIS_URL=redis://u:p@h/1"}, func(c *Config) { c.Host, c.Port, c.URL = "", 0, Hide("redis://u:p@h/1") }},
		{[]string{"REDIS_URL=redis://h", "REDIS_USERNAME=u", "REDIS_PASS=p"}, func(c *Config) {
			c.Host, c.Port, c.URL, c.Username, c.Password = "", 0, Hide("redis://h"), "u", Hide("p")
		}},
		{[]string{"REDIS_SENTINEL_MASTER=m", "REDIS_SENTINEL_USERNAME=u", "REDIS_SENTINEL_PASS=p"}, func(c *Config) {
			c.Port, c.SentinelMaster, c.SentinelUsername, c.SentinelPassword = 26379, "m", "u", Hide("p")
		}},
		{[]string{"REDIS_PASS=p", "REDIS_PASSWORD=q", "REDIS_HOST=h", "REDIS_HOSTS=a,b"}, func(c *Config) { c.Password, c.Host = Hide("p"), "h" }},
		{[]string{"REDIS_URL=redis://:p@h", "REDIS_PASSWORD=p", "REDIS_HOSTNAME=h", "REDIS_USER=u"}, func(c *Config) {
			c.Host, c.Port, c.URL = "", 0, Hide("redis://:p@h")
		}},
		{[]string{"REDIS_DELETE_CHUNK_SIZE=50"}, func(c *Config) { c.DeleteChunk = 50 }},
		{[]string{"REDIS_SCAN_COUNT=1000000"}, func(c *Config) { c.ScanCount = 1000000 }},
		{[]string{"TTL_AUTO_RENEW=1"}, func(c *Config) { c.AutoRenew = true }},
		{[]string{"REDIS_CACHE_BROADCAST=1"}, func(c *Config) { c.CacheBroadcast = true }},
		{[]string{"REDIS_CLIENT_CACHE=Off"}, func(c *Config) { c.ClientCache = "Off" }},
		{[]string{"REDIS_TIMEOUT= 500ms "}, func(c *Config) { c.Timeout = 500 * time.Millisecond }},
		{[]string{"REDIS_TIMEOUT=off"}, func(c *Config) { c.Timeout = -1 }},
		{[]string{"REDIS_FLUSH_DELAY=20us"}, func(c *Config) { c.FlushDelay = 20 * time.Microsecond }},
		{[]string{"REDIS_FLUSH_DELAY=Off"}, func(c *Config) { c.FlushDelay = -1 }},
		{[]string{"SHOW_METHOD_DISPATCH_LOGS=True"}, func(c *Config) { c.LogOperations = true }},
		{[]string{"MY_ENCRYPTION_KEY=" + keyA}, func(c *Config) { c.EncryptionKey = Hide(keyA) }},
		{[]string{"NEST_KEYRING=" + keyA + "," + keyB + "," + keyC}, func(c *Config) {
			c.Keyring = Hide(keyA + "," + keyB + "," + keyC)
		}},
		{[]string{"NEST_KEYRING=" + keyC}, func(c *Config) { c.Keyring = Hide(keyC) }},
		{[]string{"NEST_KEYRING=" + keyB[:43] + "," + hexKey}, func(c *Config) { c.Keyring = Hide(keyB[:43] + "," + hexKey) }},
		{[]string{"REDIS_HOST=", "REDIS_PORT=", "REDIS_URL=", "REDIS_ADDRS= ", "REDIS_DB=", "REDIS_TLS=", "NEST_KEYRING="}, func(*Config) {}},
		{[]string{"PATH=/bin", "0_X=1", "=C:=x", "REDIS_SERVICE_PORT=1", "REDIS_PORT_6379_TCP=tcp://x", "redis_host=x"}, func(*Config) {}},
	} {
		t.Run(strings.Join(tt.vars, " "), func(t *testing.T) {
			got, err := load(t, tt.vars...)
			require.NoError(t, err)
			requireConfig(t, defaults(tt.want), got)
			_, err = got.ClientOption()
			require.NoError(t, err)
		})
	}
}

// requireConfig compares what require.Equal cannot: Hidden is a function.
func requireConfig(t *testing.T, want, got Config) {
	t.Helper()
	for _, pair := range [][2]*Hidden{
		{&want.URL, &got.URL}, {&want.Password, &got.Password}, {&want.EncryptionKey, &got.EncryptionKey}, {&want.Keyring, &got.Keyring},
		{&want.SentinelPassword, &got.SentinelPassword},
	} {
		require.Equal(t, pair[0].Reveal(), pair[1].Reveal())
		*pair[0], *pair[1] = Hidden{}, Hidden{}
	}
	require.Equal(t, want, got)
}

func TestLoadRefuses(t *testing.T) {
	const zeroKey = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	for _, tt := range []struct {
		vars []string
		want []string // one for each problem: how it begins
	}{
		{[]string{"REDIS_HOST=a b"}, []string{"REDIS_HOST: must be a host"}},
		{[]string{"REDIS_HOST=a:6379"}, []string{"REDIS_HOST: must be a host"}},
		{[]string{"REDIS_HOST=a,b"}, []string{"REDIS_HOST: must be a host"}},
		{[]string{"REDIS_HOST=[a]"}, []string{"REDIS_HOST: must be a host"}},
		{[]string{"REDIS_HOST=/run/redis.sock"}, []string{"REDIS_HOST: must be a host"}},
		{[]string{"REDIS_HOST=redis://:" + sentinel + "@h"}, []string{"REDIS_HOST: must be a host"}},
		{[]string{"REDIS_PORT=0"}, []string{"REDIS_PORT: must be a number from 1 to 65535"}},
		{[]string{"REDIS_PORT=65536"}, []string{"REDIS_PORT: must be a number from 1 to 65535"}},
		{[]string{"REDIS_PORT=-1"}, []string{"REDIS_PORT: must be a number from 1 to 65535"}},
		{[]string{"REDIS_PORT=" + sentinel}, []string{"REDIS_PORT: must be a whole number"}},
		{[]string{"REDIS_PORT=99999999999999999999"}, []string{"REDIS_PORT: must be a whole number"}},
		{[]string{"REDIS_PORT=tcp://10.0.0.1:6379"}, []string{"REDIS_PORT: must be a whole number"}},
		{[]string{"REDIS_DB=-1"}, []string{"REDIS_DB: must be a database number"}},
		{[]string{"REDIS_DB=" + sentinel}, []string{"REDIS_DB: must be a whole number"}},
		{[]string{"REDIS_TLS=" + sentinel}, []string{"REDIS_TLS: must be true or false"}},
		{[]string{"TTL_AUTO_RENEW=2"}, []string{"TTL_AUTO_RENEW: must be true or false"}},
		{[]string{"SHOW_METHOD_DISPATCH_LOGS=debug"}, []string{"SHOW_METHOD_DISPATCH_LOGS: must be true or false"}},
		{[]string{"REDIS_DELETE_CHUNK_SIZE=0"}, []string{"REDIS_DELETE_CHUNK_SIZE: must be a number from 1"}},
		{[]string{"REDIS_DELETE_CHUNK_SIZE=-5"}, []string{"REDIS_DELETE_CHUNK_SIZE: must be a number from 1"}},
		{[]string{"REDIS_SCAN_COUNT=1000001"}, []string{"REDIS_SCAN_COUNT: must be a number from 1"}},
		{[]string{"REDIS_CLIENT_CACHE=maybe"}, []string{"REDIS_CLIENT_CACHE: must be on or off"}},
		{[]string{"REDIS_CLIENT_CACHE=off", "REDIS_CACHE_BROADCAST=1"}, []string{"REDIS_CACHE_BROADCAST: contradicts"}},
		{[]string{"REDIS_TIMEOUT=2"}, []string{"REDIS_TIMEOUT: must be a duration"}},
		{[]string{"REDIS_TIMEOUT=-1s"}, []string{"REDIS_TIMEOUT: must be a duration"}},
		{[]string{"REDIS_TIMEOUT=1us"}, []string{"REDIS_TIMEOUT: must be a duration"}},
		{[]string{"REDIS_TIMEOUT=0"}, []string{"REDIS_TIMEOUT: must be a duration"}},
		{[]string{"REDIS_FLUSH_DELAY=0"}, []string{"REDIS_FLUSH_DELAY: must be a duration from 1us"}},
		{[]string{"REDIS_FLUSH_DELAY=51us"}, []string{"REDIS_FLUSH_DELAY: must be a duration from 1us to 50us"}},
		{[]string{"REDIS_FLUSH_DELAY=-1us"}, []string{"REDIS_FLUSH_DELAY: must be a duration"}},
		{[]string{"REDIS_FLUSH_DELAY=20"}, []string{"REDIS_FLUSH_DELAY: must be a duration"}},
		{[]string{"REDIS_SCAN_COUNT=1e3"}, []string{"REDIS_SCAN_COUNT: must be a whole number"}},
		{[]string{"REDIS_ADDRS=a,,b"}, []string{"REDIS_ADDRS: entry 2 is empty"}},
		{[]string{"REDIS_ADDRS=,"}, []string{"REDIS_ADDRS: entry 1 is empty", "REDIS_ADDRS: entry 2 is empty"}},
		{[]string{"REDIS_ADDRS=a:0,b:x,c:1:2,:3"}, []string{
			"REDIS_ADDRS: entry 1: the port", "REDIS_ADDRS: entry 2: the port", "REDIS_ADDRS: entry 3: not a host", "REDIS_ADDRS: entry 4: not a host",
		}},
		{[]string{"REDIS_ADDRS=a,a:6379"}, []string{"REDIS_ADDRS: entry 2 repeats entry 1"}},
		{[]string{"REDIS_ADDRS=redis://:" + sentinel + "@h"}, []string{"REDIS_ADDRS: entry 1: not a host"}},
		{[]string{"REDIS_ADDRS=a", "REDIS_HOST=b", "REDIS_PORT=1"}, []string{"REDIS_HOST: contradicts REDIS_ADDRS", "REDIS_PORT: contradicts REDIS_ADDRS"}},
		{[]string{"REDIS_ADDRS=a,b", "REDIS_DB=1"}, []string{"REDIS_DB: a Redis Cluster"}},
		{[]string{
			"REDIS_URL=redis://h", "REDIS_HOST=h", "REDIS_PORT=1", "REDIS_ADDRS=a", "REDIS_SENTINEL_MASTER=m", "REDIS_DB=0", "REDIS_TLS=false",
		}, []string{
			"REDIS_HOST: contradicts REDIS_URL", "REDIS_PORT: contradicts", "REDIS_ADDRS: contradicts",
			"REDIS_SENTINEL_MASTER: contradicts", "REDIS_DB: contradicts", "REDIS_TLS: contradicts",
		}},
		{[]string{"REDIS_URL=redis://u:" + sentinel + "@h", "REDIS_USERNAME=v", "REDIS_PASS=" + sentinel}, []string{
			"REDIS_USERNAME: REDIS_URL holds", "REDIS_PASS: REDIS_URL holds",
		}},
		{[]string{"REDIS_URL=redis://a/1?addr=b"}, []string{"REDIS_URL: a Redis Cluster"}},
		{[]string{"MY_ENCRYPTION_KEY=" + sentinel}, []string{"MY_ENCRYPTION_KEY: must be a Fernet key"}},
		{[]string{"MY_ENCRYPTION_KEY=" + keyC}, []string{"MY_ENCRYPTION_KEY: must be a Fernet key"}},
		{[]string{"MY_ENCRYPTION_KEY=" + zeroKey}, []string{"MY_ENCRYPTION_KEY: must be a Fernet key"}},
		{[]string{"MY_ENCRYPTION_KEY=" + keyA + "\n"}, []string{"MY_ENCRYPTION_KEY: must be a Fernet key"}},
		{[]string{"MY_ENCRYPTION_KEY=" + keyA[:42] + "5="}, []string{"MY_ENCRYPTION_KEY: must be a Fernet key"}}, // trailing bits
		{[]string{"MY_ENCRYPTION_KEY=" + keyA[:20] + "\n" + keyA[21:]}, []string{"MY_ENCRYPTION_KEY: must be a Fernet key"}},
		{[]string{"NEST_KEYRING=" + keyA + ", " + keyB}, []string{"NEST_KEYRING: entry 2 must be 32 bytes"}},
		{[]string{"NEST_KEYRING=," + zeroKey + "," + keyB + "," + sentinel + "," + keyB}, []string{
			"NEST_KEYRING: entry 1 is empty", "NEST_KEYRING: entry 2 must be", "NEST_KEYRING: entry 4 must be", "NEST_KEYRING: entry 5 repeats entry 3",
		}},
		{[]string{"NEST_KEYRING=" + keyB + "," + keyB[:43]}, []string{"NEST_KEYRING: entry 2 repeats entry 1"}},
		{[]string{"NEST_KEYRING=" + hexKey[2:]}, []string{"NEST_KEYRING: entry 1 must be"}},
		// Names that other programs use, and typing errors.
		{[]string{"REDIS_PASSWORD=" + sentinel}, []string{"REDIS_PASSWORD: is not read: did you mean REDIS_PASS?"}},
		{[]string{"REDIS_URL=redis://h", "REDIS_PASSWORD=" + sentinel}, []string{"REDIS_PASSWORD: is not read"}},
		{[]string{"REDIS_USER=u", "REDIS_HOSTNAME=h", "REDIS_DATABASE=1", "REDIS_SSL=true", "REDIS_NODES=a"}, []string{
			"REDIS_DATABASE: is not read: did you mean REDIS_DB?", "REDIS_HOSTNAME: is not read: did you mean REDIS_HOST?",
			"REDIS_NODES: is not read: did you mean REDIS_ADDRS?", "REDIS_SSL: is not read: did you mean REDIS_TLS?",
			"REDIS_USER: is not read: did you mean REDIS_USERNAME?",
		}},
		{[]string{"REDIS_URI=redis://:" + sentinel + "@h"}, []string{"REDIS_URI: is not read: did you mean REDIS_URL?"}},
		{[]string{"REDIS_SENTINEL_MASTER=m", "REDIS_SENTINEL_PASSWORD=" + sentinel}, []string{"REDIS_SENTINEL_PASSWORD: is not read: did you mean REDIS_SENTINEL_PASS?"}},
		{[]string{"REDIS_HOTS=h"}, []string{"REDIS_HOTS: is not read: did you mean REDIS_HOST?"}},
		{[]string{"REDIS_PORTS=1"}, []string{"REDIS_PORTS: is not read: did you mean REDIS_PORT?"}},
		{[]string{"REDIS_HOSt=h", "REDIS_TL=true", "NEST_KEYRINGS=" + sentinel}, []string{"NEST_KEYRINGS: is not", "REDIS_HOSt: is not", "REDIS_TL: is not"}},
		// Sentinels and TLS.
		{[]string{"REDIS_SENTINEL_PASS=" + sentinel, "REDIS_SENTINEL_USERNAME=u"}, []string{
			"REDIS_SENTINEL_USERNAME: is for sentinels, and there are none", "REDIS_SENTINEL_PASS: is for sentinels",
		}},
		{[]string{"REDIS_URL=redis://h", "REDIS_SENTINEL_PASS=" + sentinel}, []string{"REDIS_SENTINEL_PASS: is for sentinels"}},
		{[]string{"REDIS_TLS_CA_FILE=" + sentinel}, []string{"REDIS_TLS_CA_FILE: the connection is without TLS"}},
		{[]string{"REDIS_URL=redis://h", "REDIS_TLS_CERT_FILE=a", "REDIS_TLS_KEY_FILE=b"}, []string{"REDIS_TLS_CERT_FILE: the connection is without TLS"}},
		{[]string{"REDIS_TLS=1", "REDIS_TLS_CERT_FILE=" + sentinel}, []string{"REDIS_TLS_CERT_FILE: a client's certificate takes both"}},
		{[]string{"REDIS_TLS=1", "REDIS_TLS_KEY_FILE=" + sentinel}, []string{"REDIS_TLS_CERT_FILE: a client's certificate takes both"}},
		{[]string{"REDIS_TLS=1", "REDIS_TLS_CA_FILE=" + sentinel}, []string{"REDIS_TLS_CA_FILE: the file it names: no such file"}},
		{[]string{"REDIS_URL=rediss://h", "REDIS_TLS_CA_FILE=."}, []string{"REDIS_TLS_CA_FILE: the file it names: a directory, not a regular file"}},
		{[]string{"REDIS_TLS=1", "REDIS_TLS_CA_FILE=config_test.go"}, []string{"REDIS_TLS_CA_FILE: the file it names: it holds no certificate"}},
		{[]string{"REDIS_TLS=1", "REDIS_TLS_CERT_FILE=" + sentinel, "REDIS_TLS_KEY_FILE=x"}, []string{"REDIS_TLS_CERT_FILE: the file it names: no such file"}},
		{[]string{"REDIS_TLS=1", "REDIS_TLS_CERT_FILE=config_test.go", "REDIS_TLS_KEY_FILE=config.go"}, []string{"REDIS_TLS_CERT_FILE: the file it names: it and that of"}},
		// All at once.
		{[]string{
			"REDIS_PORT=x", "REDIS_HOST=?", "REDIS_DB=-3", "REDIS_TLS=x", "REDIS_DELETE_CHUNK_SIZE=-1", "REDIS_SCAN_COUNT=0",
			"TTL_AUTO_RENEW=x", "SHOW_METHOD_DISPATCH_LOGS=x", "MY_ENCRYPTION_KEY=x", "NEST_KEYRING=x", "USER_SETTINGS_FILE=missing",
		}, []string{
			"USER_SETTINGS_FILE: ", "REDIS_PORT: ", "REDIS_TLS: ", "TTL_AUTO_RENEW: ", "SHOW_METHOD_DISPATCH_LOGS: ", "REDIS_HOST: ",
			"REDIS_DB: ", "REDIS_DELETE_CHUNK_SIZE: ", "REDIS_SCAN_COUNT: ", "MY_ENCRYPTION_KEY: ", "NEST_KEYRING: ",
		}},
	} {
		t.Run(strings.Join(tt.vars, " "), func(t *testing.T) {
			c, err := load(t, tt.vars...)
			requireProblems(t, err, tt.want...)
			require.Zero(t, c)
			require.NotContains(t, err.Error(), sentinel)
		})
	}
}

// requireProblems requires an *Error with these problems, given by their beginnings.
func requireProblems(t *testing.T, err error, want ...string) {
	t.Helper()
	require.ErrorIs(t, err, ErrConfig)
	var all *Error
	require.ErrorAs(t, err, &all)
	var got []string
	for _, p := range all.Problems {
		got = append(got, p.String())
		require.Contains(t, err.Error(), p.String())
	}
	require.Len(t, got, len(want), "%q", got)
	for i := range want {
		require.True(t, strings.HasPrefix(got[i], want[i]), "problem %d: %q, want %q", i, got[i], want[i])
	}
	require.True(t, strings.HasPrefix(err.Error(), "env: "))
}

// Nor is a value quoted that is a secret on the wrong variable, whatever is wrong with it.
func TestLoadNeverQuotesAValue(t *testing.T) {
	values := []string{
		sentinel, "redis://:" + sentinel + "@h:6379", "redis://u:" + sentinel + "/@h", "redis://u:%zz" + sentinel + "@h",
		sentinel + ",,", "\x00" + sentinel, sentinel + "\n", "http://" + sentinel, "=" + sentinel,
	}
	for _, name := range variables() {
		for _, other := range []string{"", "REDIS_URL=redis://h", "REDIS_ADDRS=a,b", "REDIS_HOST=h"} {
			for _, value := range values {
				vars := []string{name + "=" + value}
				if !strings.HasPrefix(other, name) {
					vars = append(vars, other)
				}
				_, err := load(t, vars...)
				for how, out := range printed(t, err) {
					require.NotContains(t, out, sentinel, "%s with %s", name, how)
				}
				for how, out := range printed(t, errors.Unwrap(fmt.Errorf("wrapped: %w", err))) {
					require.NotContains(t, out, sentinel, "%s with %s", name, how)
				}
			}
		}
	}
}

func TestLoadPrecedence(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, ".env", "REDIS_HOST=file\nREDIS_PORT=1\nREDIS_DB=5\n")
	write(t, dir, "other.env", "REDIS_HOST=other\n")
	write(t, dir, "sub/.env", "USER_SETTINGS_FILE=named.env\nREDIS_HOST=file\nREDIS_PORT=1\nREDIS_DB=2\n")
	write(t, dir, "sub/named.env", "REDIS_PORT=2\nREDIS_DB=\nUSER_SETTINGS_FILE=missing\n")
	for _, tt := range []struct {
		name, dir string
		vars      []string
		want      func(*Config)
	}{
		{"file over default", ".", nil, func(c *Config) { c.Host, c.Port, c.DB = "file", 1, 5 }},
		{"variable over file", ".", []string{"REDIS_HOST=real"}, func(c *Config) { c.Host, c.Port, c.DB = "real", 1, 5 }},
		{"empty variable is unset", ".", []string{"REDIS_HOST="}, func(c *Config) { c.Host, c.Port, c.DB = "file", 1, 5 }},
		{"named in place of .env", ".", []string{"USER_SETTINGS_FILE=other.env"}, func(c *Config) { c.Host = "other" }},
		{"absolute", "sub", []string{"USER_SETTINGS_FILE=" + filepath.Join(dir, "other.env")}, func(c *Config) { c.Host = "other" }},
		{"relative to the directory", "sub", []string{"USER_SETTINGS_FILE=../other.env"}, func(c *Config) { c.Host = "other" }},
		{"named in .env wins over it", "sub", nil, func(c *Config) { c.Host, c.Port, c.DB = "file", 2, 2 }},
		{"variable over both", "sub", []string{"REDIS_PORT=3"}, func(c *Config) { c.Host, c.Port, c.DB = "file", 3, 2 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Load(WithEnviron(tt.vars), WithDir(filepath.Join(dir, tt.dir)))
			require.NoError(t, err)
			requireConfig(t, defaults(tt.want), c)
		})
	}
}

// Without options Load reads the process's environment and the working directory, and changes
// neither.
func TestLoadReadsTheProcess(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, ".env", "REDIS_HOST=file\nREDIS_PORT=1\nREDIS_USERNAME=u\n")
	t.Chdir(dir)
	for _, name := range variables() {
		t.Setenv(name, "")
	}
	t.Setenv(fileVariable, "")
	t.Setenv("REDIS_PORT", "2")
	before := os.Environ()
	c, err := Load()
	require.NoError(t, err)
	requireConfig(t, defaults(func(c *Config) { c.Host, c.Port, c.Username = "file", 2, "u" }), c)
	require.Equal(t, before, os.Environ())
}

func TestLoadFileErrors(t *testing.T) {
	for _, tt := range []struct {
		name, file, text string
		vars             []string
		want             string
		is               error
	}{
		{"missing", "", "", []string{"USER_SETTINGS_FILE=" + sentinel}, "USER_SETTINGS_FILE: the file it names, relative to the working directory: no such file", fs.ErrNotExist},
		{"named in .env and missing", ".env", "USER_SETTINGS_FILE=" + sentinel, nil, "USER_SETTINGS_FILE: the file it names", fs.ErrNotExist},
		{"a directory", "", "", []string{"USER_SETTINGS_FILE=."}, "USER_SETTINGS_FILE: the file it names", nil},
		{"NUL in the name", "", "", []string{"USER_SETTINGS_FILE=a\x00" + sentinel}, "USER_SETTINGS_FILE: the file it names", nil},
		{"malformed", ".env", "A=1\nB " + sentinel + "\n", nil, ".env: malformed near line 2", nil},
		{"named and malformed", "x", "-=" + sentinel, []string{"USER_SETTINGS_FILE=x"}, "USER_SETTINGS_FILE: the file it names, relative to the working directory: malformed near line 1", nil},
		{"too large", ".env", strings.Repeat("#", maxFileBytes+1), nil, ".env: larger than", nil},
		{"named and too large", "x", strings.Repeat("#", maxFileBytes+1), []string{"USER_SETTINGS_FILE=x"}, "USER_SETTINGS_FILE: the file it names, relative to the working directory: larger than 1048576 bytes", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if tt.file != "" {
				write(t, dir, tt.file, tt.text)
			}
			_, err := Load(WithEnviron(tt.vars), WithDir(dir))
			requireProblems(t, err, tt.want)
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
			for how, out := range printed(t, err) {
				require.NotContains(t, out, sentinel, how)
			}
		})
	}
}

// A Python environment is often a directory of that name.
func TestLoadPassesOverADirectory(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".env"), 0o700))
	_, err := Load(WithEnviron(nil), WithDir(dir))
	require.NoError(t, err)
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}
