package nesttest

import (
	"net"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// ClientOption is what [Server.Client] connects with, for tests that need a client which
// differs in something.
//
// One connection a node: it is faster than several, and a write and the invalidation that
// follows it stay in order. A server that does not answer is noticed after 3.3 seconds, where
// rueidis' defaults take 11; a service may well go below that, a test that shares two cores
// with the race detector may not. Buffers are small, because each test has a client of its own.
func (s *Server) ClientOption() rueidis.ClientOption {
	o := s.option
	o.InitAddress = s.Addrs()
	o.PipelineMultiplex = -1
	o.Dialer = net.Dialer{Timeout: 2 * time.Second, KeepAlive: 300 * time.Millisecond}
	o.ConnWriteTimeout = 3 * time.Second
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
		// With the server down rueidis may give both a client and an error.
		t.Cleanup(client.Close)
	}
	if err != nil {
		t.Fatalf("nesttest: connect to %s: %v", s, err)
	}
	return client
}
