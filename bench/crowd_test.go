package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
)

// Everyday work: reads from the client's cache, through a loader, and from many goroutines at once.
var (
	ratioNote   = nest.Key[string]("note")
	ratioCached = nest.Key[string]("cached", nest.Cached(noteTTL))
	ratioBytes  = nest.Key[[]byte]("bytes")
	ratioTree   = nest.Cluster("root", nest.TTL(noteTTL), nest.Sub(nest.Cluster("user:<user_id>", nest.Sub(ratioNote, ratioCached, ratioBytes))))
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
	require.NoError(tb, ratioBytes.At(f.root, ratioUser).Set(tb.Context(), []byte(noteText)))
	return f
}

// nestHit reads a value from the client's cache.
func (f *ratios) nestHit(ctx context.Context) error {
	return same(ratioCached.At(f.root, f.user).Get(ctx))
}

func (f *ratios) get(ctx context.Context) error { return same(ratioNote.At(f.root, f.user).Get(ctx)) }

func (f *ratios) getBytes(ctx context.Context) error {
	got, err := ratioBytes.At(f.root, f.user).Get(ctx)
	if err == nil && len(got) != len(noteText) {
		err = errShown
	}
	return err
}

func (f *ratios) getOrLoad(ctx context.Context) error {
	return same(ratioNote.At(f.root, f.user).GetOrLoad(ctx, neverLoad))
}

func (f *ratios) cachedGetOrLoad(ctx context.Context) error {
	return same(ratioCached.At(f.root, f.user).GetOrLoad(ctx, neverLoad))
}

func neverLoad(context.Context) (string, error) { return "", errors.New("a hit that loads") }

// BenchmarkRatioCrowd compares reads by many goroutines at once with rueidis' defaults and with
// go-redis' AutoPipeline, and reads through a loader with reads.
func BenchmarkRatioCrowd(b *testing.B) {
	f := newRatios(b, false)
	b.Run("GetOrLoad, 16/nest's Get", func(b *testing.B) {
		ratio(b, inCrowd(b, 16, alike(f.getOrLoad)), inCrowd(b, 16, alike(f.get)), 4096)
	})
	other := newGoRedis(b, realServer(b), nil)
	auto, err := other.AutoPipeline()
	require.NoError(b, err)
	b.Cleanup(func() { _ = auto.Close() })
	key := f.prefix + strconv.FormatInt(f.user, 10) + ":note"
	defaults, err := rueidis.NewClient(realServer(b).ClientOption())
	require.NoError(b, err)
	b.Cleanup(defaults.Close)
	for _, crowd := range []int{1, 16, 256, 2048} {
		n := 20_480
		if crowd == 1 {
			n = 2_000
		}
		for _, c := range []task{
			{"rueidis' defaults", func(ctx context.Context) error {
				return same(defaults.Do(ctx, defaults.B().Get().Key(key).Build()).ToString())
			}},
			{"go-redis' AutoPipeline", func(ctx context.Context) error { return same(auto.Get(ctx, key).Result()) }},
		} {
			b.Run(fmt.Sprintf("Get, %d/%s", crowd, c.name), func(b *testing.B) {
				ratio(b, inCrowd(b, crowd, alike(f.get)), inCrowd(b, crowd, alike(c.do)), n)
			})
		}
	}
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
		{"a cached hit: the name", 1, f.nestHit},
		{"GetOrLoad of a cached hit: the same", 1, f.cachedGetOrLoad},
		{"Get: the name and the answer", 2, f.get},
		{"GetOrLoad that hits: the same", 2, f.getOrLoad},
		{"Get of bytes: the same, without a copy", 2, f.getBytes},
	} {
		require.NoError(t, c.do(ctx))
		var err error
		got := testing.AllocsPerRun(500, func() { err = errors.Join(err, c.do(ctx)) })
		require.NoError(t, err)
		require.LessOrEqual(t, got, c.most, c.name)
	}
}
