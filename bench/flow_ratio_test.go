package bench

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
)

// Everyday work: reads from the client's cache, through a loader, and from many goroutines at once.
var (
	ratioNote   = nest.Key[string]("note")
	ratioCached = nest.Key[string]("cached", nest.Cached(noteTTL))
	ratioTree   = nest.Cluster("root", nest.TTL(noteTTL), nest.Sub(nest.Cluster("user:<user_id>", nest.Sub(ratioNote, ratioCached))))
)

const ratioUser = 1_000_000

// ratios are the values that the rows share.
type ratios struct {
	root   nest.Scope
	client rueidis.Client
	prefix string // of the keys, down to the user
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
	require.NoError(tb, ratioNote.At(f.root, ratioUser).Set(tb.Context(), noteText))
	require.NoError(tb, ratioCached.At(f.root, ratioUser).Set(tb.Context(), noteText))
	return f
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

// BenchmarkRatioFlow compares batches, cached reads, reads through a loader, and reads by many
// goroutines at once.
func BenchmarkRatioFlow(b *testing.B) {
	ctx := b.Context()
	reads := batches(b)
	for _, c := range reads[1:] {
		b.Run("batch/"+c.name, func(b *testing.B) {
			ratio(b, inLine(ctx, b, reads[0].do), inLine(ctx, b, c.do), 200)
		})
	}
	f := newRatios(b, true)
	b.Run("cached/rueidis", func(b *testing.B) {
		ratio(b, inLine(ctx, b, f.nestHit), inLine(ctx, b, f.rawHit), 20_000)
	})
	b.Run("cached GetOrLoad/nest's Get", func(b *testing.B) {
		ratio(b, inLine(ctx, b, f.cachedGetOrLoad), inLine(ctx, b, f.nestHit), 20_000)
	})
	f = newRatios(b, false)
	b.Run("GetOrLoad, 16/nest's Get", func(b *testing.B) {
		ratio(b, inCrowd(b, 16, alike(f.getOrLoad)), inCrowd(b, 16, alike(f.get)), 4096)
	})
	server := realServer(b)
	option := server.ClientOption()
	other := redis.NewClient(&redis.Options{
		Addr: server.Addr(), Username: option.Username, Password: option.Password,
		DB: option.SelectDB, TLSConfig: option.TLSConfig,
	})
	b.Cleanup(func() { _ = other.Close() })
	auto, err := other.AutoPipeline()
	require.NoError(b, err)
	b.Cleanup(func() { _ = auto.Close() })
	key := f.prefix + strconv.FormatInt(f.user, 10) + ":note"
	b.Run("Get, 256/go-redis", func(b *testing.B) {
		ratio(b, inCrowd(b, 256, alike(f.get)), inCrowd(b, 256, func(ctx context.Context, _ int) error {
			return same(other.Get(ctx, key).Result())
		}), 40_960)
	})
	b.Run("Get, 256/go-redis' AutoPipeline", func(b *testing.B) {
		ratio(b, inCrowd(b, 256, alike(f.get)), inCrowd(b, 256, func(ctx context.Context, _ int) error {
			return same(auto.Get(ctx, key).Result())
		}), 40_960)
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
