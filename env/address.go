package env

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

const (
	defaultHost         = "localhost"
	defaultPort         = 6379
	defaultSentinelPort = 26379
	maxPort             = 1<<16 - 1
)

// The errors of this file use wording of their own. Those of the standard library and of rueidis
// quote the text that they parse, and a password with it.
var (
	errHost = errors.New("not a host: write a name or an IP address")
	errPort = errors.New("the port must be a number from 1 to 65535")
)

// parseAddress turns "host", "host:port", or an IPv6 address, with or without brackets and a port,
// into the form that net.Dial takes.
func parseAddress(s string, port int) (string, error) {
	host := unbracket(s)
	if host == s && strings.Contains(s, ":") && !isIP(s) {
		var digits string
		var err error
		if host, digits, err = net.SplitHostPort(s); err != nil {
			return "", errHost
		}
		n, err := strconv.ParseUint(digits, 10, 16)
		if err != nil || n == 0 {
			return "", errPort
		}
		port = int(n)
	}
	if !isHost(host) {
		return "", errHost
	}
	return net.JoinHostPort(host, strconv.Itoa(port)), nil
}

// unbracket returns the IPv6 address inside the brackets that URLs put around it, or s itself.
func unbracket(s string) string {
	inner, ok := strings.CutPrefix(s, "[")
	if inner, closed := strings.CutSuffix(inner, "]"); ok && closed && isIP(inner) {
		return inner
	}
	return s
}

func isIP(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// isHost reports whether s is an IP address or could be a host name. It is strict: a URL or a
// password on the wrong variable is refused before a resolver looks it up and quotes it.
func isHost(s string) bool {
	const maxName = 253
	if s == "" || len(s) > maxName {
		return false
	}
	if strings.Contains(s, ":") {
		return isIP(s)
	}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '.', r == '_':
		default:
			return false
		}
	}
	return true
}

// parseURL returns the client option of a URL, as rueidis.ParseURL does. It refuses what
// rueidis.ParseURL accepts without understanding it: most such URLs have a password with a
// character that should have been percent-encoded.
func parseURL(raw string) (rueidis.ClientOption, error) {
	var none rueidis.ClientOption
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return none, errors.New("not a URL: write redis://user:password@host:6379/0, with / ? # @ : and % in the password percent-encoded")
	}
	isUnix := u.Scheme == "unix"
	switch u.Scheme {
	case "redis", "rediss", "valkey", "valkeys", "unix":
	default:
		return none, errors.New("the scheme must be redis, rediss (TLS), valkey, valkeys (TLS) or unix, followed by ://")
	}
	if u.Opaque != "" {
		return none, errors.New("write // after the scheme: redis://host:6379")
	}
	if u.Fragment != "" || u.RawFragment != "" {
		return none, errors.New("a # must be written %23 in a password")
	}
	query, err := parseQuery(u.RawQuery)
	if err != nil {
		return none, err
	}

	port := defaultPort
	if query.Get("master_set") != "" {
		port = defaultSentinelPort
	}
	var addresses []string
	if isUnix {
		if u.Path == "" || u.Path == "/" || u.Host != "" {
			return none, errors.New("write the socket's absolute path after the scheme: unix:///run/redis.sock")
		}
		if query.Has("addr") {
			return none, errors.New("a unix socket cannot stand beside other addresses: remove addr")
		}
		addresses = append(addresses, u.Path)
	} else {
		// "redis://host/" has no database number; rueidis would report a malformed one.
		if u.Path == "/" {
			u.Path = ""
		}
		if db := strings.TrimPrefix(u.Path, "/"); u.Path != "" && !isDatabase(db) {
			return none, errors.New("after the host there can be only a database number: redis://host:6379/0; a / must be written %2F in a password")
		}
		if u.Path != "" && query.Has("db") {
			return none, errors.New("the database number is given twice, in the path and as db: remove one")
		}
		host := u.Host
		if u.Hostname() == "" {
			host = defaultHost + host
		}
		for _, addr := range append([]string{host}, query["addr"]...) {
			address, err := parseAddress(addr, port)
			if err != nil {
				return none, err
			}
			addresses = append(addresses, address)
		}
	}

	option, err := rueidis.ParseURL(u.String())
	if err != nil {
		return none, errors.New("not a URL that the client understands: write redis://user:password@host:6379/0")
	}
	// rueidis uses the first host's address for an addr without a port.
	option.InitAddress = addresses
	return option, nil
}

func isDatabase(s string) bool {
	_, err := strconv.ParseUint(s, 10, 31)
	return err == nil
}

// parseQuery checks the parameters of a URL.
func parseQuery(raw string) (url.Values, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, errors.New("malformed parameters after the ?; a ? must be written %3F in a password")
	}
	for name, values := range query {
		if name != "addr" && len(values) > 1 {
			return nil, errors.New("a parameter after the ? is given twice")
		}
		value := values[0]
		switch name {
		case "db":
			if !isDatabase(value) {
				return nil, errors.New("db must be a database number, 0 or more")
			}
		case "dial_timeout", "write_timeout":
			if d, err := time.ParseDuration(value); err != nil || d <= 0 {
				return nil, errors.New(name + " must be a positive duration such as 5s")
			}
		case "skip_verify":
			if _, err := strconv.ParseBool(value); err != nil && value != "" {
				return nil, errors.New("skip_verify must be true or false")
			}
		case "protocol":
			if value != "2" && value != "3" {
				return nil, errors.New("protocol must be 2 or 3")
			}
		case "addr", "client_cache", "max_retries", "client_name", "master_set":
		default:
			return nil, errors.New("an unknown parameter after the ?: there are db, addr, master_set, dial_timeout, write_timeout, skip_verify, protocol, client_cache, max_retries and client_name; a ? must be written %3F in a password")
		}
	}
	return query, nil
}
