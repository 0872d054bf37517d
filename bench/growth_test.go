package bench

import (
	"context"
	"fmt"
	"testing"
)

// BenchmarkGrowth counts the keys of a scope among ten thousand to ten million, with -short to a
// million, beside a bare loop of SCAN with the same COUNT. The time of both is to grow with the
// number of keys, and no faster.
func BenchmarkGrowth(b *testing.B) {
	sizes := []int{10_000, 100_000, 1_000_000, 10_000_000}
	if testing.Short() {
		sizes = sizes[:3]
	}
	server := realServer(b)
	client := newClient(b, server)
	root, lead := crowd(b, client, server.Prefix(b))
	for _, size := range sizes {
		if err := fill(b.Context(), client, lead, size); err != nil {
			b.Fatal(err)
		}
		for _, c := range []contender[walker]{
			{"nest", func(ctx context.Context) (int64, error) { return root.Count(ctx) }},
			{"a loop of SCAN", func(ctx context.Context) (int64, error) {
				return scanLoop(ctx, client, lead, func(names []string) (int64, error) { return int64(len(names)), nil })
			}},
		} {
			b.Run(fmt.Sprintf("count of %d/%s", size, c.name), func(b *testing.B) {
				for b.Loop() {
					if n, err := c.do(b.Context()); err != nil || n != int64(size) {
						b.Fatalf("%d of %d keys: %v", n, size, err)
					}
				}
			})
		}
	}
}
