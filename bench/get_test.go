package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redisimnest/redisimnest/nest"
)

// The value that is read and written, 64 bytes, and how long it lives.
var (
	note     = nest.Key[string]("note", nest.TTL(noteTTL))
	notes    = nest.Cluster("root", nest.Sub(nest.Cluster("user:<user_id>", nest.Sub(note))))
	noteText = strings.Repeat("0123456789abcdef", 4)
)

// noteTTL is a TTL that does not end during a measurement, however slow the machine is: values are
// written before the first pass and read until the last.
const noteTTL = 24 * time.Hour

// crowds are the numbers of goroutines that call at once.
var crowds = []int{1, 16, 256}

// operating is an operation of goroutine g on its own key.
type operating = contender[func(ctx context.Context, g int) error]

// operations returns reads and writes of the same keys: by nest, which builds the key's name each
// time; by rueidis alone, with a name built beforehand and the same settings; and by go-redis with
// its default settings.
func operations(b *testing.B) (gets, sets []operating) {
	server := realServer(b)
	client := newClient(b, server)
	prefix := server.Prefix(b)
	root, err := nest.Open(client, notes, nest.WithPrefix(prefix))
	if err != nil {
		b.Fatal(err)
	}
	other := newGoRedis(b, server, nil)
	id := func(g int) int64 { return 1_000_000 + int64(g) }
	keys := make([]string, crowds[len(crowds)-1])
	for g := range keys {
		keys[g] = fmt.Sprintf("%s:root:user:%d:note", prefix, id(g))
		if err := note.At(root, id(g)).Set(b.Context(), noteText); err != nil {
			b.Fatal(err)
		}
	}
	gets = []operating{
		{"nest", func(ctx context.Context, g int) error {
			return same(note.At(root, id(g)).Get(ctx))
		}},
		{"rueidis", func(ctx context.Context, g int) error {
			return same(client.Do(ctx, client.B().Get().Key(keys[g]).Build()).ToString())
		}},
		{"rueidis+concat", func(ctx context.Context, g int) error {
			key := prefix + ":root:user:" + strconv.FormatInt(id(g), 10) + ":note"
			return same(client.Do(ctx, client.B().Get().Key(key).Build()).ToString())
		}},
		{"go-redis", func(ctx context.Context, g int) error {
			return same(other.Get(ctx, keys[g]).Result())
		}},
	}
	sets = []operating{
		{"nest", func(ctx context.Context, g int) error {
			return note.At(root, id(g)).Set(ctx, noteText)
		}},
		{"rueidis", func(ctx context.Context, g int) error {
			return client.Do(ctx, client.B().Set().Key(keys[g]).Value(noteText).ExSeconds(int64(noteTTL.Seconds())).Build()).Error()
		}},
		{"rueidis+concat", func(ctx context.Context, g int) error {
			key := prefix + ":root:user:" + strconv.FormatInt(id(g), 10) + ":note"
			return client.Do(ctx, client.B().Set().Key(key).Value(noteText).ExSeconds(int64(noteTTL.Seconds())).Build()).Error()
		}},
		{"go-redis", func(ctx context.Context, g int) error {
			return other.Set(ctx, keys[g], noteText, noteTTL).Err()
		}},
	}
	return gets, sets
}

func same(got string, err error) error {
	if err == nil && len(got) != len(noteText) {
		return errors.New("this is not what was written")
	}
	return err
}

// BenchmarkGet reads a value of 64 bytes.
func BenchmarkGet(b *testing.B) {
	gets, _ := operations(b)
	compareOperations(b, gets)
}

// BenchmarkSet writes a value of 64 bytes with a TTL.
func BenchmarkSet(b *testing.B) {
	_, sets := operations(b)
	compareOperations(b, sets)
}

func compareOperations(b *testing.B, by []operating) {
	for _, crowd := range crowds {
		for _, c := range by {
			b.Run(fmt.Sprintf("%d/%s", crowd, c.name), func(b *testing.B) {
				ctx := b.Context()
				b.ReportAllocs()
				failed := make(chan error, crowd)
				var all sync.WaitGroup
				for g := range crowd {
					share := b.N / crowd
					if g < b.N%crowd {
						share++
					}
					all.Go(func() {
						for range share {
							if err := c.do(ctx, g); err != nil {
								failed <- err
								return
							}
						}
					})
				}
				all.Wait()
				select {
				case err := <-failed:
					b.Fatal(err)
				default:
				}
			})
		}
	}
}
