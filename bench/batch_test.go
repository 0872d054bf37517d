package bench

import (
	"context"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

// batchSizes are the numbers of operations in a batch.
var batchSizes = []int{10, 100, 1000}

// batchTurn is how often a batch of that size is sent in a turn: about 20,000 operations.
func batchTurn(size int) int { return 20_000 / size }

// task is a whole piece of work, done by one goroutine.
type task = contender[func(ctx context.Context) error]

// batches returns a pipeline of typed reads, which builds the names each time; the same commands in
// one pipeline of rueidis, with names built each time and beforehand; and go-redis' pipeline.
func batches(b *testing.B, size int) []task {
	server := realServer(b)
	client, other := newClient(b, server), newGoRedis(b, server, nil)
	prefix := server.Prefix(b)
	root, err := nest.Open(client, notes, nest.WithPrefix(prefix), nest.WithOneConnection())
	if err != nil {
		b.Fatal(err)
	}
	const first = 1_000_000
	lead := prefix + ":root:user:"
	keys := make([]string, size)
	for i := range keys {
		keys[i] = lead + strconv.Itoa(first+i) + ":note"
		if err := note.At(root, first+i).Set(b.Context(), noteText); err != nil {
			b.Fatal(err)
		}
	}
	return []task{
		{"nest", func(ctx context.Context) error {
			return readTogether(ctx, root, size, func(i int) int64 { return int64(first + i) })
		}},
		{"rueidis+concat", func(ctx context.Context) error {
			cmds := make([]rueidis.Completed, size)
			for i := range cmds {
				cmds[i] = client.B().Get().Key(lead + strconv.FormatInt(int64(first+i), 10) + ":note").Build()
			}
			return sameAll(client.DoMulti(ctx, cmds...))
		}},
		{"rueidis", func(ctx context.Context) error {
			cmds := make([]rueidis.Completed, size)
			for i, key := range keys {
				cmds[i] = client.B().Get().Key(key).Build()
			}
			return sameAll(client.DoMulti(ctx, cmds...))
		}},
		{"go-redis", func(ctx context.Context) error {
			pipe := other.Pipeline()
			for _, key := range keys {
				pipe.Get(ctx, key)
			}
			return sameCmds(pipe.Exec(ctx))
		}},
	}
}

// readTogether reads the notes of that many users in one batch.
func readTogether(ctx context.Context, root nest.Scope, size int, id func(i int) int64) error {
	batch := root.Batch()
	futures := make([]*nest.Future[string], size)
	for i := range futures {
		futures[i] = note.At(root, id(i)).In(batch).Get()
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
}

func sameAll(results []rueidis.RedisResult) error {
	for _, result := range results {
		if err := same(result.ToString()); err != nil {
			return err
		}
	}
	return nil
}

// sameCmds is sameAll for what a pipeline of go-redis returns.
func sameCmds(cmds []redis.Cmder, err error) error {
	if err != nil {
		return err
	}
	for _, cmd := range cmds {
		get, ok := cmd.(*redis.StringCmd)
		if !ok {
			return errShown
		}
		if err := same(get.Result()); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkBatch reads ten, a hundred and a thousand values in one round trip.
func BenchmarkBatch(b *testing.B) {
	for _, size := range batchSizes {
		b.Run(strconv.Itoa(size), func(b *testing.B) { measureTasks(b, batches(b, size)) })
	}
}

// BenchmarkRatioBatch compares the same, alternately.
func BenchmarkRatioBatch(b *testing.B) {
	for _, size := range batchSizes {
		compareTasks(b, strconv.Itoa(size), batches(b, size), batchTurn(size))
	}
}

// measureTask measures one contender by itself.
func measureTask(b *testing.B, do func(ctx context.Context) error) {
	b.Helper()
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if err := do(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// compareTasks compares the first contender with each of the others. n is how often a turn does the
// work.
func compareTasks(b *testing.B, work string, by []task, n int) {
	b.Helper()
	for _, c := range by[1:] {
		b.Run(work+"/"+c.name, func(b *testing.B) {
			ratio(b, inLine(b.Context(), b, by[0].do), inLine(b.Context(), b, c.do), n)
		})
	}
}

// measureTasks measures each contender by itself.
func measureTasks(b *testing.B, by []task) {
	b.Helper()
	for _, c := range by {
		b.Run(c.name, func(b *testing.B) { measureTask(b, c.do) })
	}
}
