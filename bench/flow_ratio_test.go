package bench

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
)

// Everyday work: reads in batches, from the client's cache, through a loader, and from many
// goroutines at once. Each row is a ratio. Both sides are measured alternately in one process, so
// that other load on the machine affects both.
var (
	ratioNote   = nest.Key[string]("note")
	ratioCached = nest.Key[string]("cached", nest.Cached(noteTTL))
	ratioTree   = nest.Cluster("root", nest.TTL(noteTTL), nest.Sub(nest.Cluster("user:<user_id>", nest.Sub(ratioNote, ratioCached))))
)

const (
	ratioKeys = 100
	ratioUser = 1_000_000
)

// ratios are the values that the rows share.
type ratios struct {
	root   nest.Scope
	client rueidis.Client
	prefix string // of the keys, down to the user
	batch  []nest.KeyRef[string]
	names  []string
	user   int64
}

func newRatios(tb testing.TB, cached bool) *ratios {
	tb.Helper()
	server := realServer(tb)
	option := server.ClientOption()
	option.DisableCache = !cached
	option.RingScaleEachConn = 10
	client, err := rueidis.NewClient(option)
	require.NoError(tb, err)
	tb.Cleanup(client.Close)
	f := &ratios{client: client, prefix: server.Prefix(tb), user: ratioUser}
	f.root, err = nest.Open(client, ratioTree, nest.WithPrefix(f.prefix), nest.WithOneConnection())
	require.NoError(tb, err)
	f.prefix += ":root:user:"
	for i := range int64(ratioKeys) {
		r := ratioNote.At(f.root, ratioUser+i)
		require.NoError(tb, r.Set(tb.Context(), noteText))
		f.batch, f.names = append(f.batch, r), append(f.names, r.Key())
	}
	require.NoError(tb, ratioCached.At(f.root, ratioUser).Set(tb.Context(), noteText))
	return f
}

// nestBatch and rawBatch read a hundred values in one round trip, each into its own result. Both
// build the keys' names beforehand.
func (f *ratios) nestBatch(ctx context.Context) error {
	b := f.root.Batch()
	var futures [ratioKeys]*nest.Future[string]
	for i, r := range f.batch {
		futures[i] = r.In(b).Get()
	}
	err := b.Exec(ctx)
	for _, future := range futures {
		err = errors.Join(err, same(future.Value()))
	}
	return err
}

func (f *ratios) rawBatch(ctx context.Context) error {
	cmds := make(rueidis.Commands, ratioKeys)
	for i, name := range f.names {
		cmds[i] = f.client.B().Get().Key(name).Build()
	}
	var err error
	for _, answer := range f.client.DoMulti(ctx, cmds...) {
		err = errors.Join(err, same(answer.ToString()))
	}
	return err
}

// nestHit and rawHit read a value from the client's cache; both build the key's name.
func (f *ratios) nestHit(ctx context.Context) error {
	return same(ratioCached.At(f.root, f.user).Get(ctx))
}

func (f *ratios) rawHit(ctx context.Context) error {
	key := f.prefix + strconv.FormatInt(f.user, 10) + ":cached"
	return same(f.client.DoCache(ctx, f.client.B().Get().Key(key).Cache(), noteTTL).ToString())
}

func (f *ratios) get(ctx context.Context) error { return same(ratioNote.At(f.root, f.user).Get(ctx)) }

func (f *ratios) getOrLoad(ctx context.Context) error {
	return same(ratioNote.At(f.root, f.user).GetOrLoad(ctx, neverLoad))
}

func (f *ratios) cachedGetOrLoad(ctx context.Context) error {
	return same(ratioCached.At(f.root, f.user).GetOrLoad(ctx, neverLoad))
}

func neverLoad(context.Context) (string, error) { return "", errors.New("a hit that loads") }

// byTurns runs one and other alternately, n calls each, from the given number of goroutines. It
// reports the median of the time that one takes for each second of other.
func byTurns(b *testing.B, goroutines, n int, one, other func(context.Context) error) {
	b.Helper()
	ctx := b.Context()
	turn := func(do func(context.Context) error) float64 {
		var all sync.WaitGroup
		failed := make(chan error, goroutines)
		start := time.Now()
		for range goroutines {
			all.Go(func() {
				for range n {
					if err := do(ctx); err != nil {
						failed <- err
						return
					}
				}
			})
		}
		all.Wait()
		took := time.Since(start)
		select {
		case err := <-failed:
			b.Fatal(err)
		default:
		}
		return float64(took)
	}
	turn(one)
	turn(other)
	var ratios []float64
	for b.Loop() {
		mine := turn(one)
		ratios = append(ratios, mine/turn(other))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "x")
	b.ReportMetric(0, "ns/op") // of both together: not meaningful
}

// BenchmarkFlowRatio reports the ratios that the project has to meet. The unit x is the time of the
// first for each second of the second:
//
//	batch of 100 / DoMulti of the same      at most 1.1
//	cached hit / DoCache and the name       at most 1.5
//	GetOrLoad that hits / Get               at most 1.2
//	Get, 256 goroutines / go-redis          at most 1/3
//	Get, 256 goroutines / its AutoPipeline  at most 1
func BenchmarkFlowRatio(b *testing.B) {
	b.Run("batch-DoMulti", func(b *testing.B) {
		f := newRatios(b, false)
		byTurns(b, 1, 50, f.nestBatch, f.rawBatch)
	})
	b.Run("hit-DoCache", func(b *testing.B) {
		f := newRatios(b, true)
		byTurns(b, 1, 20_000, f.nestHit, f.rawHit)
	})
	b.Run("GetOrLoad-Get", func(b *testing.B) {
		f := newRatios(b, false)
		byTurns(b, 16, 200, f.getOrLoad, f.get)
	})
	b.Run("GetOrLoad-Get-cached", func(b *testing.B) {
		f := newRatios(b, true)
		byTurns(b, 1, 20_000, f.cachedGetOrLoad, f.nestHit)
	})
	server := realServer(b)
	option := server.ClientOption()
	other := redis.NewClient(&redis.Options{
		Addr: server.Addr(), Username: option.Username, Password: option.Password,
		DB: option.SelectDB, TLSConfig: option.TLSConfig,
	})
	b.Cleanup(func() { _ = other.Close() })
	b.Run("Get-go-redis", func(b *testing.B) {
		f := newRatios(b, false)
		byTurns(b, 256, 50, f.get, func(ctx context.Context) error {
			return same(other.Get(ctx, f.prefix+strconv.FormatInt(f.user, 10)+":note").Result())
		})
	})
	b.Run("Get-AutoPipeline", func(b *testing.B) {
		f := newRatios(b, false)
		auto, err := other.AutoPipeline()
		require.NoError(b, err)
		b.Cleanup(func() { _ = auto.Close() })
		byTurns(b, 256, 50, f.get, func(ctx context.Context) error {
			return same(auto.Get(ctx, f.prefix+strconv.FormatInt(f.user, 10)+":note").Result())
		})
	})
}

// TestFlowAllocations checks the number of allocations of these operations.
func TestFlowAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates on its own")
	}
	f := newRatios(t, true)
	ctx := t.Context()
	for _, c := range []struct {
		name string
		most float64
		do   func(context.Context) error
	}{
		{"a cached hit: the name", 2, f.nestHit},
		{"GetOrLoad of a cached hit: the same", 2, f.cachedGetOrLoad},
		{"Get: the name and the answer", 2, f.get},
		{"GetOrLoad that hits: the same", 2, f.getOrLoad},
	} {
		require.NoError(t, c.do(ctx))
		var err error
		got := testing.AllocsPerRun(500, func() { err = errors.Join(err, c.do(ctx)) })
		require.NoError(t, err)
		require.LessOrEqual(t, got, c.most, c.name)
	}
}
