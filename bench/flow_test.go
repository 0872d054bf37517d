package bench

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

// batched is the number of operations in a batch.
const batched = 100

// batches returns a batch of typed reads, which builds the names each time, and the same commands
// in one pipeline of rueidis, with names built beforehand.
func batches(b *testing.B) []contender[func(ctx context.Context) error] {
	server := realServer(b)
	client := newClient(b, server)
	prefix := server.Prefix(b)
	root, err := nest.Open(client, notes, nest.WithPrefix(prefix))
	if err != nil {
		b.Fatal(err)
	}
	keys := make([]string, batched)
	for i := range keys {
		keys[i] = fmt.Sprintf("%s:root:user:%d:note", prefix, ids[i])
		if err := note.At(root, ids[i]).Set(b.Context(), noteText); err != nil {
			b.Fatal(err)
		}
	}
	return []contender[func(ctx context.Context) error]{
		{"nest", func(ctx context.Context) error {
			batch := root.Batch()
			var futures [batched]*nest.Future[string]
			for i := range futures {
				futures[i] = note.At(root, ids[i]).In(batch).Get()
			}
			if err := batch.Exec(ctx); err != nil {
				return err
			}
			for _, f := range futures {
				if err := same(f.Value()); err != nil {
					return err
				}
			}
			return nil
		}},
		{"rueidis+concat", func(ctx context.Context) error {
			cmds := make([]rueidis.Completed, len(keys))
			for i := range keys {
				cmds[i] = client.B().Get().Key(prefix + ":root:user:" + strconv.FormatInt(ids[i], 10) + ":note").Build()
			}
			for _, result := range client.DoMulti(ctx, cmds...) {
				if err := same(result.ToString()); err != nil {
					return err
				}
			}
			return nil
		}},
		{"rueidis", func(ctx context.Context) error {
			cmds := make([]rueidis.Completed, len(keys))
			for i, key := range keys {
				cmds[i] = client.B().Get().Key(key).Build()
			}
			for _, result := range client.DoMulti(ctx, cmds...) {
				if err := same(result.ToString()); err != nil {
					return err
				}
			}
			return nil
		}},
	}
}

// BenchmarkFlowBatch reads a hundred values in one round trip.
func BenchmarkFlowBatch(b *testing.B) {
	for _, c := range batches(b) {
		b.Run(fmt.Sprintf("%d/%s", batched, c.name), func(b *testing.B) {
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if err := c.do(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

var (
	seen    = nest.Key[string]("seen", nest.Cached(noteTTL))
	members = nest.Cluster("root", nest.Sub(nest.Cluster("user:<user_id>", nest.Sub(seen))))
)

// cachedReads returns a read that is served from the client's cache, and the same read by rueidis,
// whose name is concatenated.
func cachedReads(b *testing.B) []contender[func(ctx context.Context, i int) error] {
	server := realServer(b)
	option := server.ClientOption()
	option.DisableCache = false
	client, err := rueidis.NewClient(option)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	prefix := server.Prefix(b)
	root, err := nest.Open(client, members, nest.WithPrefix(prefix))
	if err != nil {
		b.Fatal(err)
	}
	lead := prefix + ":root:user:"
	for _, id := range ids {
		if err := seen.At(root, id).Set(b.Context(), noteText); err != nil {
			b.Fatal(err)
		}
	}
	both := []contender[func(ctx context.Context, i int) error]{
		{"nest", func(ctx context.Context, i int) error {
			return same(seen.At(root, ids[i]).Get(ctx))
		}},
		{"rueidis", func(ctx context.Context, i int) error {
			key := lead + strconv.FormatInt(ids[i], 10) + ":seen"
			return same(client.DoCache(ctx, client.B().Get().Key(key).Cache(), noteTTL).ToString())
		}},
	}
	for _, c := range both { // the first reads fill the cache
		for i := range ids {
			if err := c.do(b.Context(), i); err != nil {
				b.Fatal(err)
			}
		}
	}
	return both
}

// BenchmarkFlowCached reads values from the client's cache.
func BenchmarkFlowCached(b *testing.B) {
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
