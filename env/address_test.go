package env

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]string{
		"h":                     "h:6379",
		"h:1":                   "h:1",
		"Redis-1.example_x.org": "Redis-1.example_x.org:6379",
		"10.0.0.1":              "10.0.0.1:6379",
		"10.0.0.1:65535":        "10.0.0.1:65535",
		"::1":                   "[::1]:6379",
		"[::1]":                 "[::1]:6379",
		"[::1]:7":               "[::1]:7",
		"fe80::1%eth0":          "[fe80::1%eth0]:6379",
	} {
		got, err := parseAddress(in, 6379)
		require.NoError(t, err, in)
		require.Equal(t, want, got)
	}
	for in, want := range map[string]error{
		"": errHost, ":1": errHost, "[": errHost, "[]": errHost, "[h]": errHost, "[h]:1": nil, "a b": errHost, "a/b": errHost,
		"u@h:1": errHost, "h#": errHost, "a:1:2": errHost, "redis://h": errPort, "é": errHost, "h\n": errHost, "[::1]x": errHost,
		strings.Repeat("a", 254): errHost,
		"h:":                     errPort, "h:0": errPort, "h:65536": errPort, "h:+1": errPort, "h:-1": errPort, "h:x": errPort, "h:1 ": errPort,
	} {
		_, err := parseAddress(in, 6379)
		require.Equal(t, want, err, in)
	}
}

func TestParseURL(t *testing.T) {
	type target struct {
		addrs                    []string
		user, pass, master, name string
		db                       int
		tls, skip                bool
		dial, write              time.Duration
	}
	for in, want := range map[string]target{
		"redis://h":                     {addrs: []string{"h:6379"}},
		"redis://h:1/":                  {addrs: []string{"h:1"}},
		"redis://":                      {addrs: []string{"localhost:6379"}},
		"redis://:2/3":                  {addrs: []string{"localhost:2"}, db: 3},
		"valkey://[::1]":                {addrs: []string{"[::1]:6379"}},
		"redis://u:p@h:1/2":             {addrs: []string{"h:1"}, user: "u", pass: "p", db: 2},
		"redis://:p%2F%3F%23%40%3A@h":   {addrs: []string{"h:6379"}, pass: "p/?#@:"},
		"redis://:p@ss@h":               {addrs: []string{"h:6379"}, pass: "p@ss"},
		"redis://u@h?db=4":              {addrs: []string{"h:6379"}, user: "u", db: 4},
		"redis://h?addr=a&addr=b:2":     {addrs: []string{"h:6379", "a:6379", "b:2"}},
		"rediss://h":                    {addrs: []string{"h:6379"}, tls: true},
		"valkeys://h?skip_verify=true":  {addrs: []string{"h:6379"}, tls: true, skip: true},
		"redis://h?master_set=m&addr=a": {addrs: []string{"h:26379", "a:26379"}, master: "m"},
		"redis://h?dial_timeout=2s&write_timeout=10s&client_name=n": {
			addrs: []string{"h:6379"}, dial: 2 * time.Second, write: 10 * time.Second, name: "n",
		},
		"unix:///run/redis.sock?db=2": {addrs: []string{"/run/redis.sock"}, db: 2},
	} {
		o, err := parseURL(in)
		require.NoError(t, err, in)
		got := target{
			o.InitAddress, o.Username, o.Password, o.Sentinel.MasterSet, o.ClientName, o.SelectDB,
			o.TLSConfig != nil, o.TLSConfig != nil && o.TLSConfig.InsecureSkipVerify, o.Dialer.Timeout, o.ConnWriteTimeout,
		}
		require.Equal(t, want, got, in)
	}
	_, err := parseURL(" redis://h\n") // as from a file
	require.NoError(t, err)
	o, err := parseURL("redis://h?protocol=2&client_cache=0&max_retries=0")
	require.NoError(t, err)
	require.True(t, o.AlwaysRESP2 && o.DisableCache && o.DisableRetry)
}

func TestParseURLRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"":                                     "the scheme",
		"h":                                    "the scheme",
		"h:6379":                               "the scheme",
		sentinel + "@h":                        "the scheme",
		"http://:" + sentinel + "@h":           "the scheme",
		"redis:h":                              "write //",
		"redis://:" + sentinel + "#@h":         "not a URL",
		"redis://:12#" + sentinel + "@h":       "a #",
		"redis://:" + sentinel + "/@h":         "not a URL",
		"redis://:12/" + sentinel + "@h":       "after the host",
		"redis://:" + sentinel + "?@h":         "not a URL",
		"redis://:12?" + sentinel + "@h":       "an unknown parameter",
		"redis://:12?%zz" + sentinel + "@h":    "malformed parameters",
		"redis://:" + sentinel + "%@h":         "not a URL",
		"redis://:" + sentinel + "\n@h":        "not a URL",
		"redis://h:0":                          "the port",
		"redis://h:70000":                      "the port",
		"redis://a b":                          "not a URL",
		"redis://a,b:1":                        "not a host",
		"redis://h/x":                          "after the host",
		"redis://h/-1":                         "after the host",
		"redis://h/+1":                         "after the host",
		"redis://h/1/2":                        "after the host",
		"redis://h//":                          "after the host",
		"redis://h/99999999999":                "after the host",
		"redis://h/1?db=1":                     "the database number is given twice",
		"redis://h?db=-1":                      "db must",
		"redis://h?db=":                        "db must",
		"redis://h?db=1&db=2":                  "a parameter",
		"redis://h?addr=":                      "not a host",
		"redis://h?addr=a@b":                   "not a host",
		"redis://h?dial_timeout=5":             "dial_timeout must",
		"redis://h?write_timeout=-1s":          "write_timeout must",
		"rediss://h?skip_verify=" + sentinel:   "skip_verify must",
		"redis://h?protocol=4":                 "protocol must",
		"redis://h?" + sentinel + "=1":         "an unknown parameter",
		"unix://run/redis.sock":                "write the socket's",
		"unix://":                              "write the socket's",
		"unix:run/redis.sock":                  "write //",
		"unix:///run/redis.sock?addr=h":        "a unix socket",
		"redis+sentinel://:" + sentinel + "@h": "the scheme",
	} {
		_, err := parseURL(in)
		require.Error(t, err, in)
		require.True(t, strings.HasPrefix(err.Error(), want), "%q: %v", in, err)
		require.NotContains(t, err.Error(), sentinel)
	}
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range [][2]string{
		{"redis://u:", "@h:1/0"}, {"redis://:12/", "@h"}, {"rediss://:", "?@h"}, {"unix:///", "?db=1"}, {"redis://h?addr=", ":1"},
		{"redis://:", "%zz@h"}, {"redis://[::1]:1/?", "=1"}, {"redis://h?dial_timeout=", ""}, {"", "://h"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		raw := before + sentinel + after
		option, err := parseURL(raw)
		if err != nil {
			require.NotContains(t, err.Error(), sentinel)
		} else if option.DialCtxFn == nil {
			requireAddresses(t, option.InitAddress)
			require.GreaterOrEqual(t, option.SelectDB, 0)
		}
		c := Config{URL: Hide(raw)}
		option, err = c.ClientOption()
		if err != nil {
			require.NotContains(t, err.Error(), sentinel)
			return
		}
		require.NotEmpty(t, option.InitAddress)
	})
}

func FuzzAddrs(f *testing.F) {
	for _, seed := range []string{"a:1,b", "[::1]:1,::1", ",", "a,,b", "a:0", "u:p@h", "[", "]:1", "fe80::1%a,b"} {
		f.Add(seed, "6379")
	}
	f.Add("", "\x00")
	f.Fuzz(func(t *testing.T, addrs, port string) {
		for _, vars := range [][]string{{"REDIS_ADDRS=" + addrs}, {"REDIS_HOST=" + addrs, "REDIS_PORT=" + port}} {
			vars := append(vars, "REDIS_PASS="+sentinel)
			c, err := Load(WithEnviron(vars), WithDir("testdata"))
			if err != nil {
				require.NotContains(t, err.Error(), sentinel)
				continue
			}
			option, err := c.ClientOption()
			require.NoError(t, err)
			requireAddresses(t, option.InitAddress)
		}
	})
}

// requireAddresses requires addresses that net.Dial takes, and nothing that could be a password.
func requireAddresses(t *testing.T, addrs []string) {
	t.Helper()
	require.NotEmpty(t, addrs)
	for _, addr := range addrs {
		host, port, err := net.SplitHostPort(addr)
		require.NoError(t, err)
		require.True(t, isHost(host), host)
		n, err := strconv.Atoi(port)
		require.NoError(t, err)
		require.True(t, n > 0 && n <= maxPort, port)
	}
}
