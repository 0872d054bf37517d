package bench

import (
	"sync/atomic"
	"testing"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// sink keeps results alive, so that the compiler cannot leave out what makes them. Goroutines
// that run beside each other keep theirs with keep, once, so that they do not share its memory
// while they are measured.
var (
	sink       string
	sharedSink atomic.Value
)

func keep(s string) { sharedSink.Store(s) }

// contender is one way of doing the work that a benchmark measures.
type contender[F any] struct {
	name string
	do   F
}

// realServer gives the server to measure on, a single one.
func realServer(b testing.TB) *nesttest.Server {
	b.Helper()
	server := nesttest.Shared(b)
	switch server.Kind() {
	case nesttest.KindEmbedded:
		b.Fatal("the embedded server cannot be measured: set REDIS_TEST_ADDR, or install redis-server")
	case nesttest.KindCluster:
		b.Fatal("what is compared here needs a single server")
	}
	return server
}

// newClient connects with the settings that every client of rueidis in these benchmarks has:
// one connection, and no tracking, which nobody here asks for.
func newClient(b *testing.B, server *nesttest.Server) rueidis.Client {
	b.Helper()
	option := server.ClientOption()
	option.DisableCache = true
	option.RingScaleEachConn = 10
	client, err := rueidis.NewClient(option)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	return client
}
