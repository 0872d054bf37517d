package bench

import (
	"context"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
)

var (
	seen    = nest.Key[string]("seen", nest.Cached(noteTTL))
	members = nest.Cluster("root", nest.TTL(noteTTL), nest.Sub(nest.Cluster("user:<user_id>", nest.Sub(seen))))
)

// cachedReads returns a read that is served from the client's cache, of another key each time; the
// same by rueidis, whose name is concatenated; and by go-redis with its client-side cache, which is
// experimental.
func cachedReads(tb testing.TB) []contender[func(ctx context.Context, i int) error] {
	tb.Helper()
	server := realServer(tb)
	option := server.ClientOption()
	option.DisableCache = false
	option.RingScaleEachConn = 10
	client, err := rueidis.NewClient(option)
	require.NoError(tb, err)
	tb.Cleanup(client.Close)
	other := newGoRedis(tb, server, func(o *redis.Options) { o.ClientSideCacheConfig = &redis.ClientSideCacheConfig{} })
	prefix := server.Prefix(tb)
	root, err := nest.Open(client, members, nest.WithPrefix(prefix), nest.WithOneConnection())
	require.NoError(tb, err)
	lead := prefix + ":root:user:"
	for _, id := range ids {
		require.NoError(tb, seen.At(root, id).Set(tb.Context(), noteText))
	}
	all := []contender[func(ctx context.Context, i int) error]{
		{"nest", func(ctx context.Context, i int) error {
			return same(seen.At(root, ids[i]).Get(ctx))
		}},
		{"rueidis+concat", func(ctx context.Context, i int) error {
			key := lead + strconv.FormatInt(ids[i], 10) + ":seen"
			return same(client.DoCache(ctx, client.B().Get().Key(key).Cache(), noteTTL).ToString())
		}},
		{"go-redis+concat", func(ctx context.Context, i int) error {
			return same(other.Get(ctx, lead+strconv.FormatInt(ids[i], 10)+":seen").Result())
		}},
		{"nest's GetOrLoad", func(ctx context.Context, i int) error {
			return same(seen.At(root, ids[i]).GetOrLoad(ctx, neverLoad))
		}},
	}
	for _, c := range all { // the first reads fill the caches
		for i := range ids {
			require.NoError(tb, c.do(tb.Context(), i))
		}
	}
	return all
}

// BenchmarkCached reads values from the client's cache.
func BenchmarkCached(b *testing.B) {
	for _, c := range cachedReads(b) {
		b.Run("hit/"+c.name, func(b *testing.B) {
			ctx := b.Context()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := c.do(ctx, i%several); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRatioCached compares the same, alternately.
func BenchmarkRatioCached(b *testing.B) {
	ctx := b.Context()
	reads := cachedReads(b)
	run := func(do func(ctx context.Context, i int) error) func(n int) {
		return func(n int) {
			for i := range n {
				if err := do(ctx, i%several); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	for _, c := range reads[1:] {
		b.Run("hit/"+c.name, func(b *testing.B) { ratio(b, run(reads[0].do), run(c.do), 20_000) })
	}
}
