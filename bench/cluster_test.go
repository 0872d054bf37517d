package bench

import (
	"context"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// BenchmarkRatioCluster compares reads and batches on a Redis Cluster of three primaries,
// which run on this machine too.
func BenchmarkRatioCluster(b *testing.B) {
	server := nesttest.Cluster(b)
	option := server.ClientOption()
	option.DisableCache, option.RingScaleEachConn = true, 10
	client, err := rueidis.NewClient(option)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	other := redis.NewClusterClient(&redis.ClusterOptions{Addrs: server.Addrs()})
	b.Cleanup(func() { _ = other.Close() })
	root, err := nest.Open(client, notes)
	if err != nil {
		b.Fatal(err)
	}
	keys := make([]string, several)
	for g := range keys {
		keys[g] = fmt.Sprintf("root:user:%d:note", ids[g])
		if err := note.At(root, ids[g]).Set(b.Context(), noteText); err != nil {
			b.Fatal(err)
		}
	}
	gets := []operating{
		{"nest", func(ctx context.Context, g int) error { return same(note.At(root, ids[g]).Get(ctx)) }},
		{"rueidis", func(ctx context.Context, g int) error {
			return same(client.Do(ctx, client.B().Get().Key(keys[g]).Build()).ToString())
		}},
		{"go-redis", func(ctx context.Context, g int) error { return same(other.Get(ctx, keys[g]).Result()) }},
	}
	for _, crowd := range []int{1, 16, 256} {
		for _, c := range gets[1:] {
			b.Run(fmt.Sprintf("Get, %d/%s", crowd, c.name), func(b *testing.B) {
				ratio(b, inCrowd(b, crowd, gets[0].do), inCrowd(b, crowd, c.do), max(2000, 80*crowd))
			})
		}
	}
	const size = 100
	compareTasks(b, "batch of 100", []task{
		{"nest", func(ctx context.Context) error {
			return readTogether(ctx, root, size, func(i int) int64 { return ids[i] })
		}},
		{"rueidis", func(ctx context.Context) error {
			cmds := make([]rueidis.Completed, size)
			for i := range cmds {
				cmds[i] = client.B().Get().Key(keys[i]).Build()
			}
			return sameAll(client.DoMulti(ctx, cmds...))
		}},
		{"go-redis", func(ctx context.Context) error {
			pipe := other.Pipeline()
			for _, key := range keys[:size] {
				pipe.Get(ctx, key)
			}
			return sameCmds(pipe.Exec(ctx))
		}},
	}, batchTurn(size))
}
