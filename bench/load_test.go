package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

// loads returns LoadMany of keys that are all stored, and the same reads in one pipeline, whose
// results go into a slice in the order of the ids.
func loads(b *testing.B, size int) []task {
	b.Helper()
	server := realServer(b)
	client := newClient(b, server)
	prefix := server.Prefix(b)
	root, err := nest.Open(client, notes, nest.WithPrefix(prefix), nest.WithOneConnection())
	if err != nil {
		b.Fatal(err)
	}
	lead := prefix + ":root:user:"
	all := make([]int64, size)
	for i := range all {
		all[i] = 1_000_000 + int64(i)
		if err := note.At(root, all[i]).Set(b.Context(), noteText); err != nil {
			b.Fatal(err)
		}
	}
	return []task{
		{"nest", func(ctx context.Context) error {
			values, err := nest.LoadMany(ctx, all,
				func(id int64) nest.KeyRef[string] { return note.At(root, id) },
				func(context.Context, []int64) (map[int64]string, error) { return nil, errors.New("a hit that loads") })
			if err != nil {
				return err
			}
			for _, v := range values {
				if err := same(v.Value, nil); err != nil {
					return err
				}
			}
			return nil
		}},
		{"rueidis+concat", func(ctx context.Context) error {
			cmds := make([]rueidis.Completed, size)
			for i, id := range all {
				cmds[i] = client.B().Get().Key(lead + strconv.FormatInt(id, 10) + ":note").Build()
			}
			values := make([]string, size)
			for i, result := range client.DoMulti(ctx, cmds...) {
				text, err := result.ToString()
				if err := same(text, err); err != nil {
					return err
				}
				values[i] = text
			}
			return nil
		}},
	}
}

// BenchmarkRatioLoadMany reads values that are stored through a loader.
func BenchmarkRatioLoadMany(b *testing.B) {
	for _, size := range batchSizes {
		compareTasks(b, fmt.Sprintf("hits of %d", size), loads(b, size), batchTurn(size))
	}
}

// BenchmarkLoadMany measures each contender by itself.
func BenchmarkLoadMany(b *testing.B) {
	for _, size := range batchSizes {
		b.Run(strconv.Itoa(size), func(b *testing.B) { measureTasks(b, loads(b, size)) })
	}
}
