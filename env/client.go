package env

import (
	"crypto/tls"
	"net"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// Timeouts of a client. A URL's dial_timeout and write_timeout override the first two.
const (
	// dialTimeout bounds making a connection, TLS handshake included. It allows for two lost
	// packets, which TCP sends again after 1 s and after 3 s.
	dialTimeout = 5 * time.Second
	// connTimeout bounds the wait for an answer. The client's own default is 10 s, and only a
	// deadline or the loss of the connection ends a wait. In a silent partition every caller would
	// hang for 11 to 12 s, and the client-side cache would serve old values for as long. With these
	// two timeouts it is 1.7 s.
	connTimeout = 1 * time.Second
	// keepAlive is how long a connection may be silent before a PING checks that it is alive.
	keepAlive = 300 * time.Millisecond
	// sentinelRefresh is how often the sentinels are asked for the master. Without it, a lost
	// announcement of a new master would bind the client to the old one for good.
	sentinelRefresh = 5 * time.Second
)

// Bounds on the memory of a client.
const (
	// cacheBytes bounds the client-side cache of a connection. There is one connection for each
	// node. The heap grows by up to one and a half times as much. The client's own default is 128
	// MiB.
	cacheBytes = 32 << 20
	// bufferBytes is the size of a connection's read buffer and of its write buffer. The client's
	// own default is 512 KiB, and blocking commands get up to 1,024 connections of their own: 1 GiB
	// in all, here 128 MiB.
	bufferBytes = 64 << 10
	// blockingIdle is how long idle connections for blocking commands are kept. The client's own
	// default is forever.
	blockingIdle = 1 * time.Minute
)

// ClientOption returns the settings of a client for [rueidis.NewClient]:
//
//   - One connection for each node. Concurrent commands are pipelined on it, which is faster than
//     several connections, takes half the memory, and lets a process read its own writes through
//     the client-side cache.
//   - 5 s to connect, 1 s for a whole answer to arrive, and a PING after 300 ms of silence.
//     Anything that keeps the server or the network busy for longer, such as a slow script or a
//     value of 100 MiB, breaks the connection, even under a context with more time. Blocking
//     commands are exempt. A URL with write_timeout=10s allows more.
//   - A client-side cache, unless REDIS_CLIENT_CACHE is off.
//   - No delay after a flush, unless REDIS_FLUSH_DELAY sets one.
//   - 64 KiB for each read buffer and each write buffer, and a client-side cache of 32 MiB for each
//     node.
//
// Whether a single address is a Redis Cluster is detected when connecting. The error is an [*Error]
// that lists everything that is wrong in a Config that did not come from [Load].
func (c Config) ClientOption() (rueidis.ClientOption, error) {
	if err := c.check(c.isSet()).err(); err != nil {
		return rueidis.ClientOption{}, err
	}
	option := c.target()
	if option.Username == "" && option.Password == "" {
		password, err := c.passwordSource().read()
		if err != nil {
			return rueidis.ClientOption{}, err
		}
		option.Username, option.Password = c.Username, password
		// The client would send to the sentinels what the function returns.
		if c.PasswordFile != "" && option.Sentinel.MasterSet == "" {
			option.AuthCredentialsFn = c.credentials(c.Username)
		}
	}
	if option.Dialer.Timeout == 0 {
		option.Dialer.Timeout = dialTimeout
	}
	if option.ConnWriteTimeout == 0 {
		option.ConnWriteTimeout = connTimeout
	}
	option.Dialer.KeepAlive = keepAlive
	option.DisableCache = option.DisableCache || !c.caches()
	option.PipelineMultiplex = -1
	option.MaxFlushDelay = max(c.FlushDelay, 0)
	option.CacheSizeEachConn = cacheBytes
	option.ReadBufferEachConn = bufferBytes
	option.WriteBufferEachConn = bufferBytes
	option.BlockingPoolCleanup = blockingIdle
	if option.TLSConfig != nil {
		c.secureTLS(option.TLSConfig)
	}
	if option.Sentinel.MasterSet != "" {
		option.Sentinel.Dialer = option.Dialer
		option.Sentinel.TLSConfig = option.TLSConfig
		option.Sentinel.Username, option.Sentinel.Password = c.SentinelUsername, c.SentinelPassword.Reveal()
		option.Sentinel.TopologyRefreshInterval = sentinelRefresh
	}
	if option.TLSConfig != nil && (len(option.InitAddress) > 1 || option.Sentinel.MasterSet != "") {
		option.TLSConfig.ServerName = "" // each server's certificate is for its own name
	}
	return option, nil
}

// target returns the part of the option that says where to connect. check has already refused what
// does not parse.
func (c Config) target() rueidis.ClientOption {
	if !c.URL.IsZero() {
		option, _ := parseURL(c.URL.Reveal())
		return option
	}
	c.fillDefaults()
	addrs := c.Addrs
	if len(addrs) == 0 {
		addrs = []string{net.JoinHostPort(unbracket(c.Host), strconv.Itoa(c.Port))}
	}
	option := rueidis.ClientOption{SelectDB: c.DB}
	option.Sentinel.MasterSet = c.SentinelMaster
	for _, addr := range addrs {
		address, _ := parseAddress(addr, c.defaultPort())
		option.InitAddress = append(option.InitAddress, address)
	}
	if c.TLS {
		host, _, _ := net.SplitHostPort(option.InitAddress[0])
		option.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	}
	return option
}
