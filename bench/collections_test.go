package bench

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

// The keys of one user, one of each kind. Those of the second cluster have a TTL.
var (
	title    = nest.Key[string]("title")
	visits   = nest.Counter[int64]("visits")
	prices   = nest.Hash[string]("prices")
	profile  = nest.Record[visitor]("profile")
	cart     = nest.List[string]("cart")
	follows  = nest.Set[string]("follows")
	scores   = nest.SortedSet[string]("scores")
	events   = nest.Stream[string]("events")
	calendar = nest.Bitmap("days")
	visitors = nest.HyperLogLog[string]("visitors")
	shops    = nest.Geo[string]("shops")
	news     = nest.Channel[string]("news")

	collected   = nest.Sub(title, visits, prices, profile, cart, follows, scores, events, calendar, visitors, shops, news)
	lasting     = nest.Cluster("lasting:<user_id>", collected)
	fleeting    = nest.Cluster("fleeting:<user_id>", nest.TTL(noteTTL), collected)
	collections = nest.Cluster("root", nest.Sub(lasting, fleeting))
)

type visitor struct {
	Name  string `nest:"name"`
	Plan  string `nest:"plan"`
	Count int64  `nest:"count"`
}

const member = "0123456789abcdef"

var (
	somewhere = nest.Point{Longitude: 13.361389, Latitude: 38.115556}
	customer  = visitor{member, "gold", 7}
)

// kindOperation is an operation by nest, and the command that does the same without the library.
type kindOperation struct {
	name, key string
	writes    bool // so that it has to start a TTL
	nest      func(ctx context.Context, s nest.Scope) error
	raw       func(b rueidis.Builder, key string) rueidis.Completed
}

var kindOperations = []kindOperation{
	{"key get", "title", false,
		func(ctx context.Context, s nest.Scope) error { _, err := title.At(s).Get(ctx); return err },
		func(b rueidis.Builder, key string) rueidis.Completed { return b.Get().Key(key).Build() }},
	{"counter add", "visits", true,
		func(ctx context.Context, s nest.Scope) error { _, err := visits.At(s).Add(ctx, 3); return err },
		func(b rueidis.Builder, key string) rueidis.Completed { return b.Incrby().Key(key).Increment(3).Build() }},
	{"hash set", "prices", true,
		func(ctx context.Context, s nest.Scope) error { return prices.At(s).Set(ctx, "a", member) },
		func(b rueidis.Builder, key string) rueidis.Completed {
			return b.Hset().Key(key).FieldValue().FieldValue("a", member).Build()
		}},
	{"hash get", "prices", false,
		func(ctx context.Context, s nest.Scope) error { _, err := prices.At(s).Get(ctx, "a"); return err },
		func(b rueidis.Builder, key string) rueidis.Completed { return b.Hget().Key(key).Field("a").Build() }},
	{"record set fields", "profile", true,
		func(ctx context.Context, s nest.Scope) error {
			return profile.At(s).SetFields(ctx, customer, "name", "plan", "count")
		},
		func(b rueidis.Builder, key string) rueidis.Completed {
			return b.Hset().Key(key).FieldValue().FieldValue("name", member).FieldValue("plan", "gold").FieldValue("count", "7").Build()
		}},
	{"record get", "profile", false,
		func(ctx context.Context, s nest.Scope) error { _, err := profile.At(s).Get(ctx); return err },
		func(b rueidis.Builder, key string) rueidis.Completed {
			return b.Hmget().Key(key).Field("name", "plan", "count").Build()
		}},
	{"list push", "cart", true,
		func(ctx context.Context, s nest.Scope) error { _, err := cart.At(s).PushRight(ctx, member); return err },
		func(b rueidis.Builder, key string) rueidis.Completed {
			return b.Rpush().Key(key).Element(member).Build()
		}},
	{"list index", "cart", false,
		func(ctx context.Context, s nest.Scope) error { _, _, err := cart.At(s).Index(ctx, 0); return err },
		func(b rueidis.Builder, key string) rueidis.Completed { return b.Lindex().Key(key).Index(0).Build() }},
	{"set add", "follows", true,
		func(ctx context.Context, s nest.Scope) error { _, err := follows.At(s).Add(ctx, member); return err },
		func(b rueidis.Builder, key string) rueidis.Completed { return b.Sadd().Key(key).Member(member).Build() }},
	{"set has", "follows", false,
		func(ctx context.Context, s nest.Scope) error { _, err := follows.At(s).Has(ctx, member); return err },
		func(b rueidis.Builder, key string) rueidis.Completed {
			return b.Sismember().Key(key).Member(member).Build()
		}},
	{"sorted set add", "scores", true,
		func(ctx context.Context, s nest.Scope) error {
			_, err := scores.At(s).Add(ctx, member, 2.5)
			return err
		},
		func(b rueidis.Builder, key string) rueidis.Completed {
			return b.Zadd().Key(key).ScoreMember().ScoreMember(2.5, member).Build()
		}},
	{"sorted set score", "scores", false,
		func(ctx context.Context, s nest.Scope) error {
			_, _, err := scores.At(s).Score(ctx, member)
			return err
		},
		func(b rueidis.Builder, key string) rueidis.Completed {
			return b.Zscore().Key(key).Member(member).Build()
		}},
	{"stream add", "events", true,
		func(ctx context.Context, s nest.Scope) error { _, err := events.At(s).Add(ctx, member); return err },
		func(b rueidis.Builder, key string) rueidis.Completed {
			return b.Xadd().Key(key).Id("*").FieldValue().FieldValue("value", member).Build()
		}},
	{"stream len", "events", false,
		func(ctx context.Context, s nest.Scope) error { _, err := events.At(s).Len(ctx); return err },
		func(b rueidis.Builder, key string) rueidis.Completed { return b.Xlen().Key(key).Build() }},
	{"bitmap set", "days", true,
		func(ctx context.Context, s nest.Scope) error {
			_, err := calendar.At(s).SetBit(ctx, 77, true)
			return err
		},
		func(b rueidis.Builder, key string) rueidis.Completed {
			return b.Setbit().Key(key).Offset(77).Value(1).Build()
		}},
	{"bitmap get", "days", false,
		func(ctx context.Context, s nest.Scope) error { _, err := calendar.At(s).Bit(ctx, 77); return err },
		func(b rueidis.Builder, key string) rueidis.Completed { return b.Getbit().Key(key).Offset(77).Build() }},
	{"hyperloglog add", "visitors", true,
		func(ctx context.Context, s nest.Scope) error { _, err := visitors.At(s).Add(ctx, member); return err },
		func(b rueidis.Builder, key string) rueidis.Completed {
			return b.Pfadd().Key(key).Element(member).Build()
		}},
	{"hyperloglog count", "visitors", false,
		func(ctx context.Context, s nest.Scope) error { _, err := visitors.At(s).Count(ctx); return err },
		func(b rueidis.Builder, key string) rueidis.Completed { return b.Pfcount().Key(key).Build() }},
	{"geo add", "shops", true,
		func(ctx context.Context, s nest.Scope) error {
			_, err := shops.At(s).Add(ctx, member, somewhere)
			return err
		},
		func(b rueidis.Builder, key string) rueidis.Completed {
			return b.Geoadd().Key(key).LongitudeLatitudeMember().LongitudeLatitudeMember(somewhere.Longitude, somewhere.Latitude, member).Build()
		}},
	{"geo position", "shops", false,
		func(ctx context.Context, s nest.Scope) error {
			_, _, err := shops.At(s).Position(ctx, member)
			return err
		},
		func(b rueidis.Builder, key string) rueidis.Completed {
			return b.Geopos().Key(key).Member(member).Build()
		}},
	{"channel publish", "news", false,
		func(ctx context.Context, s nest.Scope) error { _, err := news.At(s).Publish(ctx, member); return err },
		func(b rueidis.Builder, key string) rueidis.Completed {
			return b.Publish().Channel(key).Message(member).Build()
		}},
}

// BenchmarkRatioKinds compares an operation of each kind with what one would write without the
// library: the bare command or, if a TTL has to be started, the command and PEXPIRE NX in one
// pipeline.
func BenchmarkRatioKinds(b *testing.B) {
	server := realServer(b)
	client := newClient(b, server)
	prefix := server.Prefix(b)
	root, err := nest.Open(client, collections, nest.WithPrefix(prefix))
	if err != nil {
		b.Fatal(err)
	}
	for _, crowd := range []int{1, 16} {
		for _, ttl := range []bool{false, true} {
			cluster, name := lasting, "lasting"
			if ttl {
				cluster, name = fleeting, "fleeting"
			}
			scope := cluster.At(root, 1)
			title.At(scope).Set(b.Context(), noteText) //nolint:errcheck // the reads would fail
			for _, o := range kindOperations {
				if ttl && !o.writes {
					continue
				}
				b.Run(fmt.Sprintf("%s %s, %d/rueidis", name, o.name, crowd), func(b *testing.B) {
					key := scope.Prefix() + ":" + o.key
					ratio(b,
						inCrowd(b, crowd, func(ctx context.Context, _ int) error { return o.nest(ctx, scope) }),
						inCrowd(b, crowd, func(ctx context.Context, _ int) error { return pipelined(ctx, client, key, ttl, o.raw) }), 512)
				})
			}
		}
	}
}

// pipelined sends a command and, if there is a TTL, the command that starts it.
func pipelined(ctx context.Context, client rueidis.Client, key string, ttl bool, build func(b rueidis.Builder, key string) rueidis.Completed) error {
	if !ttl {
		err := client.Do(ctx, build(client.B(), key)).Error()
		if rueidis.IsRedisNil(err) {
			return nil
		}
		return err
	}
	expire := client.B().Pexpire().Key(key).Milliseconds(noteTTL.Milliseconds()).Nx().Build()
	for _, result := range client.DoMulti(ctx, build(client.B(), key), expire) {
		if err := result.Error(); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkRatioIterate streams a million members of a set, and as many fields of a hash, in pages
// of 1,000. It alternates with a bare loop of SSCAN or HSCAN with that COUNT. It reports how long
// it takes for each second of the loop's (x-time), and the maximum growth of the heap (peak-B),
// which has to stay flat.
func BenchmarkRatioIterate(b *testing.B) {
	const members, page = 1_000_000, 1000
	server := realServer(b)
	client := newClient(b, server)
	root, err := nest.Open(client, collections, nest.WithPrefix(server.Prefix(b)))
	if err != nil {
		b.Fatal(err)
	}
	set, hash := follows.At(lasting.At(root, 2)), prices.At(lasting.At(root, 2))
	ctx := b.Context()
	if err := fillBoth(ctx, set, hash, members); err != nil {
		b.Fatal(err)
	}
	scan := func(command, key string, each int) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for cursor := uint64(0); ; {
				cmd := client.B().Arbitrary(command).Keys(key).Args(strconv.FormatUint(cursor, 10), "COUNT", strconv.Itoa(page)).ReadOnly()
				entry, err := client.Do(ctx, cmd).AsScanEntry()
				if err != nil {
					yield("", err)
					return
				}
				for i := 0; i < len(entry.Elements); i += each {
					if !yield(entry.Elements[i], nil) {
						return
					}
				}
				if cursor = entry.Cursor; cursor == 0 {
					return
				}
			}
		}
	}
	names := func(yield func(string, error) bool) {
		for f, err := range hash.Iterate(ctx, nest.ScanCount(page)) {
			if !yield(f.Name, err) {
				return
			}
		}
	}
	for _, c := range []struct {
		name         string
		ours, theirs iter.Seq2[string, error]
	}{
		{"set", set.Iterate(ctx, nest.ScanCount(page)), scan("SSCAN", set.Key(), 1)},
		{"hash", names, scan("HSCAN", hash.Key(), 2)},
	} {
		b.Run(c.name+"/rueidis", func(b *testing.B) {
			var ratios []float64
			var most uint64
			for i := 0; b.Loop(); i++ {
				var took [2]time.Duration
				for turn := range 2 {
					who := (i + turn) % 2
					var heap uint64
					took[who], heap = drain(b, [2]iter.Seq2[string, error]{c.ours, c.theirs}[who], members)
					if who == 0 {
						most = max(most, heap)
					}
				}
				ratios = append(ratios, float64(took[0])/float64(took[1]))
			}
			b.ReportMetric(median(ratios), "x-time")
			b.ReportMetric(float64(most), "peak-B")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func fillBoth(ctx context.Context, set nest.SetRef[string], hash nest.HashRef[string], n int) error {
	const part = 10_000
	for from := 0; from < n; from += part {
		texts, fields := make([]string, part), make(map[string]string, part)
		for i := range texts {
			texts[i] = "member:" + strconv.Itoa(from+i)
			fields[texts[i]] = member
		}
		if _, err := set.Add(ctx, texts...); err != nil {
			return err
		}
		if err := hash.SetMany(ctx, fields); err != nil {
			return err
		}
	}
	return nil
}

// drain reads a stream to its end. It returns the time taken and the maximum growth of the heap,
// which it checks every hundred thousand elements.
func drain(b *testing.B, all iter.Seq2[string, error], least int) (took time.Duration, heap uint64) {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	before := stats.HeapAlloc
	start := time.Now()
	n := 0
	for text, err := range all {
		if err != nil {
			b.Fatal(err)
		}
		if n += min(1, len(text)); n%100_000 == 0 {
			runtime.ReadMemStats(&stats)
			heap = max(heap, stats.HeapAlloc-min(before, stats.HeapAlloc))
		}
	}
	if took = time.Since(start); n < least {
		b.Fatalf("%d of %d", n, least)
	}
	return took, heap
}
