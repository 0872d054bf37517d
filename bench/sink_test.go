package bench

import (
	"os"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// sink keeps results alive, so that the compiler cannot eliminate the code that computes them.
// Goroutines that run at the same time keep their results with keep, once, so that they do not
// share its memory while they are measured.
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

// realServer returns the single server to measure on. If there is none, it skips the test or
// benchmark. In CI it fails it instead, unless REDIS_TEST_SERVER chose a server that cannot be
// measured.
func realServer(b testing.TB) *nesttest.Server {
	b.Helper()
	server := nesttest.Shared(b)
	switch server.Kind() {
	case nesttest.KindEmbedded:
		const why = "the embedded server cannot be measured: set REDIS_TEST_ADDR, or install redis-server"
		if os.Getenv("CI") == "true" && os.Getenv("REDIS_TEST_SERVER") == "" {
			b.Fatal(why)
		}
		b.Skip("SKIPPED, not passed: " + why)
	case nesttest.KindCluster:
		b.Skip("SKIPPED, not passed: what is compared here needs a single server, not a Redis Cluster")
	}
	return server
}

// newClient connects with the settings of every rueidis client in these benchmarks: one connection,
// and no tracking, which no benchmark here needs.
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

// newGoRedis connects with go-redis' own defaults, but for what change sets; nil sets nothing.
func newGoRedis(b testing.TB, server *nesttest.Server, change func(*redis.Options)) *redis.Client {
	b.Helper()
	option := server.ClientOption()
	o := &redis.Options{
		Addr: server.Addr(), Username: option.Username, Password: option.Password,
		DB: option.SelectDB, TLSConfig: option.TLSConfig,
	}
	if change != nil {
		change(o)
	}
	client := redis.NewClient(o)
	b.Cleanup(func() { _ = client.Close() })
	return client
}
