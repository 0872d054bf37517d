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
// follows it stay in order. Buffers are small, because each test has a client of its own. The
// time-outs are long, and do not matter while the server answers: on a machine that runs many
// tests with the race detector a second without an answer is no fault. A service's are shorter.
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
		// With the server down rueidis may give both a client and an error.
		t.Cleanup(client.Close)
	}
	if err != nil {
		t.Fatalf("nesttest: connect to %s: %v", s, err)
	}
	return client
}
