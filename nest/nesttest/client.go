package nesttest

import (
	"net"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// ClientOption returns the options with which [Server.Client] connects, for tests that need a
// client with different ones.
//
// There is one connection per node: that is faster than several, and keeps a write and the
// invalidation that follows it in order. Buffers are small, because each test has its own client.
// Timeouts are longer than those of a service, and do not matter while the server replies: on a
// machine that runs many tests with the race detector, a second without a reply is not an error.
func (s *Server) ClientOption() rueidis.ClientOption {
	o := s.option
	o.InitAddress = s.Addrs()
	o.PipelineMultiplex = -1
	o.Dialer = net.Dialer{Timeout: 10 * time.Second, KeepAlive: time.Second}
	o.ConnWriteTimeout = 10 * time.Second
	o.RingScaleEachConn = 8
	o.ReadBufferEachConn = 32 << 10
	o.WriteBufferEachConn = 32 << 10
	o.CacheSizeEachConn = 8 << 20
	return o
}

// Client connects to the server. The client is closed when the test ends.
func (s *Server) Client(t testing.TB) rueidis.Client {
	t.Helper()
	client, err := rueidis.NewClient(s.ClientOption())
	if client != nil {
		// If the server is down, rueidis may return both a client and an error.
		t.Cleanup(client.Close)
	}
	if err != nil {
		t.Fatalf("nesttest: connect to %s: %v", s, err)
	}
	return client
}
