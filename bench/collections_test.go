package bench

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

// The keys of one user, each of a kind. Those of the second cluster have a TTL.
var (
	visits   = nest.Counter[int64]("visits")
	cart     = nest.List[string]("cart")
	follows  = nest.Set[string]("follows")
	scores   = nest.SortedSet[string]("scores")
	calendar = nest.Bitmap("days")
	visitors = nest.HyperLogLog[string]("visitors")
	shops    = nest.Geo[string]("shops")

	collected   = []nest.Node{visits, cart, follows, scores, calendar, visitors, shops}
	lasting     = nest.Cluster("lasting:<user_id>", nest.Sub(collected...))
	fleeting    = nest.Cluster("fleeting:<user_id>", nest.TTL(noteTTL), nest.Sub(collected...))
	collections = nest.Cluster("root", nest.Sub(lasting, fleeting))
)

const member = "0123456789abcdef"

// raw sends commands as one writes them without the library: one, or two in one pipeline.
type raw struct {
	client rueidis.Client
	prefix string
	ttl    bool
}

// do sends a command and, where there is a TTL, the one that starts it.
func (r raw) do(ctx context.Context, key string, build func(b rueidis.Builder) rueidis.Completed) error {
	if !r.ttl {
		return r.client.Do(ctx, build(r.client.B())).Error()
	}
	expire := r.client.B().Pexpire().Key(key).Milliseconds(noteTTL.Milliseconds()).Nx().Build()
	for _, result := range r.client.DoMulti(ctx, build(r.client.B()), expire) {
		if err := result.Error(); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkKindsWrite changes a key of each kind: without a TTL beside the bare command, with
// one beside the command and PEXPIRE NX in one pipeline.
func BenchmarkKindsWrite(b *testing.B) {
	server := realServer(b)
	client := newClient(b, server)
	prefix := server.Prefix(b)
	root, err := nest.Open(client, collections, nest.WithPrefix(prefix))
	if err != nil {
		b.Fatal(err)
	}
	place := nest.Point{Longitude: 13.361389, Latitude: 38.115556}
	for _, cluster := range []*nest.ClusterDef{lasting, fleeting} {
		ttl := cluster == fleeting
		name := map[bool]string{false: "lasting", true: "fleeting"}[ttl]
		r := raw{client, fmt.Sprintf("%s:root:%s:", prefix, name), ttl}
		scope := cluster.At(root, 1)
		for _, c := range []struct {
			name string
			nest func(ctx context.Context) error
			raw  func(key string) func(b rueidis.Builder) rueidis.Completed
			last string
		}{
			{"counter add", func(ctx context.Context) error { _, err := visits.At(scope).Add(ctx, 3); return err }, func(key string) func(rueidis.Builder) rueidis.Completed {
				return func(b rueidis.Builder) rueidis.Completed { return b.Incrby().Key(key).Increment(3).Build() }
			}, "visits"},
			{"set add", func(ctx context.Context) error { _, err := follows.At(scope).Add(ctx, member); return err }, func(key string) func(rueidis.Builder) rueidis.Completed {
				return func(b rueidis.Builder) rueidis.Completed { return b.Sadd().Key(key).Member(member).Build() }
			}, "follows"},
			{"sorted set add", func(ctx context.Context) error { _, err := scores.At(scope).Add(ctx, member, 2.5); return err }, func(key string) func(rueidis.Builder) rueidis.Completed {
				return func(b rueidis.Builder) rueidis.Completed {
					return b.Zadd().Key(key).ScoreMember().ScoreMember(2.5, member).Build()
				}
			}, "scores"},
			{"bitmap set", func(ctx context.Context) error { _, err := calendar.At(scope).SetBit(ctx, 77, true); return err }, func(key string) func(rueidis.Builder) rueidis.Completed {
				return func(b rueidis.Builder) rueidis.Completed { return b.Setbit().Key(key).Offset(77).Value(1).Build() }
			}, "days"},
			{"hyperloglog add", func(ctx context.Context) error { _, err := visitors.At(scope).Add(ctx, member); return err }, func(key string) func(rueidis.Builder) rueidis.Completed {
				return func(b rueidis.Builder) rueidis.Completed { return b.Pfadd().Key(key).Element(member).Build() }
			}, "visitors"},
			{"geo add", func(ctx context.Context) error { _, err := shops.At(scope).Add(ctx, member, place); return err }, func(key string) func(rueidis.Builder) rueidis.Completed {
				return func(b rueidis.Builder) rueidis.Completed {
					return b.Geoadd().Key(key).LongitudeLatitudeMember().LongitudeLatitudeMember(place.Longitude, place.Latitude, member).Build()
				}
			}, "shops"},
		} {
			b.Run(name+"/"+c.name, func(b *testing.B) {
				k := r.prefix + "1:" + c.last
				build := c.raw(k)
				compareOperations(b, []operating{
					{"nest", func(ctx context.Context, _ int) error { return c.nest(ctx) }},
					{"rueidis", func(ctx context.Context, _ int) error { return r.do(ctx, k, build) }},
				})
			})
		}
	}
}

// BenchmarkKindsIterate streams a million members of a set in pages of 1,000, beside a bare loop
// of SSCAN with that COUNT. It is the memory that has to stay flat.
func BenchmarkKindsIterate(b *testing.B) {
	const members, page = 1_000_000, 1000
	server := realServer(b)
	client := newClient(b, server)
	root, err := nest.Open(client, collections, nest.WithPrefix(server.Prefix(b)))
	if err != nil {
		b.Fatal(err)
	}
	all := follows.At(lasting.At(root, 2))
	texts := make([]string, members)
	for i := range texts {
		texts[i] = "member:" + strconv.Itoa(i)
	}
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	if _, err := all.Add(ctx, texts...); err != nil {
		b.Fatal(err)
	}
	bare := func(yield func(string, error) bool) {
		for cursor := uint64(0); ; {
			entry, err := client.Do(ctx, client.B().Sscan().Key(all.Key()).Cursor(cursor).Count(page).Build()).AsScanEntry()
			if err != nil {
				yield("", err)
				return
			}
			for _, text := range entry.Elements {
				if !yield(text, nil) {
					return
				}
			}
			if cursor = entry.Cursor; cursor == 0 {
				return
			}
		}
	}
	for _, c := range []contender[iter.Seq2[string, error]]{
		{"nest", all.Iterate(ctx, nest.ScanCount(page))},
		{"rueidis", bare},
	} {
		b.Run("1000000/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for text, err := range c.do {
					if err != nil {
						b.Fatal(err)
					}
					n += min(1, len(text))
				}
				if n < members {
					b.Fatalf("%d members", n)
				}
			}
		})
	}
}
