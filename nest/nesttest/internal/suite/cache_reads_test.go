package suite_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

type pair struct {
	A  string `nest:"a"`
	AB string `nest:"ab"`
	BC string `nest:"bc"`
	C  string `nest:"c"`
}

// A tree without cache settings: tests open it with and without a cache.
var (
	nearValue   = nest.Key[string]("value")
	nearCounter = nest.Counter[int]("counter")
	nearSecret  = nest.Secret[string]("secret")
	nearHash    = nest.Hash[string]("hash")
	nearRecord  = nest.Record[pair]("record")
	nearList    = nest.List[int]("list")
	nearSet     = nest.Set[string]("set")
	nearSorted  = nest.SortedSet[string]("sorted")
	nearBits    = nest.Bitmap("bits")
	nearGeo     = nest.Geo[string]("geo")
	nearStream  = nest.Stream[string]("stream")
	nearTree    = nest.Cluster("near", nest.HashTag(), nest.TTL(600), nest.Sub(nearValue, nearCounter, nearSecret, nearHash,
		nearRecord, nearList, nearSet, nearSorted, nearBits, nearGeo, nearStream))
)

// eventLog keeps the events that an observer receives.
type eventLog struct {
	mu  sync.Mutex
	all []nest.Event
}

func (e *eventLog) Observe(_ context.Context, ev nest.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
}

func (e *eventLog) last() nest.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.all[len(e.all)-1]
}

// nearReads are the reads of every kind that the client's cache can serve.
var nearReads = map[string]func(ctx context.Context, s nest.Scope) (any, error){
	"value get":    func(ctx context.Context, s nest.Scope) (any, error) { return nearValue.At(s).Get(ctx) },
	"value lookup": func(ctx context.Context, s nest.Scope) (any, error) { return maybe(nearValue.At(s).Lookup(ctx)) },
	"value raw":    func(ctx context.Context, s nest.Scope) (any, error) { return nearValue.At(s).Raw(ctx) },
	"counter":      func(ctx context.Context, s nest.Scope) (any, error) { return nearCounter.At(s).Get(ctx) },
	"secret":       func(ctx context.Context, s nest.Scope) (any, error) { return nearSecret.At(s).Get(ctx) },
	"hash get":     func(ctx context.Context, s nest.Scope) (any, error) { return nearHash.At(s).Get(ctx, "f") },
	"hash get ALL": func(ctx context.Context, s nest.Scope) (any, error) { return nearHash.At(s).Get(ctx, "ALL") },
	"hash all":     func(ctx context.Context, s nest.Scope) (any, error) { return nearHash.At(s).All(ctx) },
	"hash many":    func(ctx context.Context, s nest.Scope) (any, error) { return nearHash.At(s).GetMany(ctx, "a", "bc") },
	"hash many 2":  func(ctx context.Context, s nest.Scope) (any, error) { return nearHash.At(s).GetMany(ctx, "ab", "c") },
	"hash len":     func(ctx context.Context, s nest.Scope) (any, error) { return nearHash.At(s).Len(ctx) },
	"hash has":     func(ctx context.Context, s nest.Scope) (any, error) { return nearHash.At(s).Has(ctx, "once") },
	"hash str len": func(ctx context.Context, s nest.Scope) (any, error) { return nearHash.At(s).StrLen(ctx, "f") },
	"hash load": func(ctx context.Context, s nest.Scope) (any, error) {
		return nearHash.At(s).GetOrLoad(ctx, unloadable[map[string]string])
	},
	"record get": func(ctx context.Context, s nest.Scope) (any, error) { return nearRecord.At(s).Get(ctx) },
	"record fields": func(ctx context.Context, s nest.Scope) (any, error) {
		return nearRecord.At(s).GetFields(ctx, "a", "bc")
	},
	"record field2": func(ctx context.Context, s nest.Scope) (any, error) {
		return nearRecord.At(s).GetFields(ctx, "ab", "c")
	},
	"list all":      func(ctx context.Context, s nest.Scope) (any, error) { return nearList.At(s).All(ctx) },
	"list range":    func(ctx context.Context, s nest.Scope) (any, error) { return nearList.At(s).Range(ctx, 1, 23) },
	"list range 2":  func(ctx context.Context, s nest.Scope) (any, error) { return nearList.At(s).Range(ctx, 12, 3) },
	"list range 3":  func(ctx context.Context, s nest.Scope) (any, error) { return nearList.At(s).Range(ctx, 0, -1) },
	"list index":    func(ctx context.Context, s nest.Scope) (any, error) { return maybe(nearList.At(s).Index(ctx, 0)) },
	"list index of": func(ctx context.Context, s nest.Scope) (any, error) { return maybe(nearList.At(s).IndexOf(ctx, 1)) },
	"list len":      func(ctx context.Context, s nest.Scope) (any, error) { return nearList.At(s).Len(ctx) },
	"set has":       func(ctx context.Context, s nest.Scope) (any, error) { return nearSet.At(s).Has(ctx, "once") },
	"set has many":  func(ctx context.Context, s nest.Scope) (any, error) { return nearSet.At(s).HasMany(ctx, "o", "nce") },
	"set has many2": func(ctx context.Context, s nest.Scope) (any, error) { return nearSet.At(s).HasMany(ctx, "once", "") },
	"set members":   func(ctx context.Context, s nest.Scope) (any, error) { return nearSet.At(s).Members(ctx) },
	"set len":       func(ctx context.Context, s nest.Scope) (any, error) { return nearSet.At(s).Len(ctx) },
	"sorted all":    func(ctx context.Context, s nest.Scope) (any, error) { return nearSorted.At(s).All(ctx) },
	"sorted score":  func(ctx context.Context, s nest.Scope) (any, error) { return maybe(nearSorted.At(s).Score(ctx, "m")) },
	"sorted scores": func(ctx context.Context, s nest.Scope) (any, error) { return nearSorted.At(s).Scores(ctx, "m", "once") },
	"sorted rank":   func(ctx context.Context, s nest.Scope) (any, error) { return maybe(nearSorted.At(s).Rank(ctx, "z")) },
	"sorted ranked": func(ctx context.Context, s nest.Scope) (any, error) {
		return maybe(nearSorted.At(s).RankWithScore(ctx, "m"))
	},
	"sorted range": func(ctx context.Context, s nest.Scope) (any, error) {
		return nearSorted.At(s).Range(ctx, nest.ByScore(1, 23))
	},
	"sorted range 2": func(ctx context.Context, s nest.Scope) (any, error) {
		return nearSorted.At(s).Range(ctx, nest.ByScore(12, 3).Reverse())
	},
	"sorted count": func(ctx context.Context, s nest.Scope) (any, error) {
		return nearSorted.At(s).Count(ctx, nest.ByScore(0, 100))
	},
	"sorted len": func(ctx context.Context, s nest.Scope) (any, error) { return nearSorted.At(s).Len(ctx) },
	"bit":        func(ctx context.Context, s nest.Scope) (any, error) { return nearBits.At(s).Bit(ctx, 12) },
	"bit count":  func(ctx context.Context, s nest.Scope) (any, error) { return nearBits.At(s).Count(ctx) },
	"bit range": func(ctx context.Context, s nest.Scope) (any, error) {
		return nearBits.At(s).CountRange(ctx, 0, 3, nest.InBytes)
	},
	"bit first": func(ctx context.Context, s nest.Scope) (any, error) { return maybe(nearBits.At(s).First(ctx, true)) },
	"bit bytes": func(ctx context.Context, s nest.Scope) (any, error) { return nearBits.At(s).Bytes(ctx) },
	"bit len":   func(ctx context.Context, s nest.Scope) (any, error) { return nearBits.At(s).Len(ctx) },
	"bit field": func(ctx context.Context, s nest.Scope) (any, error) {
		return nearBits.At(s).Field(ctx, nest.Unsigned(8, 8))
	},
	"geo all":      func(ctx context.Context, s nest.Scope) (any, error) { return nearGeo.At(s).All(ctx) },
	"geo position": func(ctx context.Context, s nest.Scope) (any, error) { return maybe(nearGeo.At(s).Position(ctx, "m")) },
	"geo hash":     func(ctx context.Context, s nest.Scope) (any, error) { return maybe(nearGeo.At(s).Hash(ctx, "m")) },
	"geo distance": func(ctx context.Context, s nest.Scope) (any, error) {
		return maybe(nearGeo.At(s).Distance(ctx, "m", "z", nest.Kilometers))
	},
	"geo search": func(ctx context.Context, s nest.Scope) (any, error) {
		return nearGeo.At(s).SearchFrom(ctx, "z", nest.Circle(20_000, nest.Kilometers))
	},
	"stream len": func(ctx context.Context, s nest.Scope) (any, error) { return nearStream.At(s).Len(ctx) },
	"stream entries": func(ctx context.Context, s nest.Scope) (any, error) {
		return nearStream.At(s).Entries(ctx, "", "", 100)
	},
}

func maybe[T any](v T, ok bool, err error) (any, error) { return fmt.Sprint(v, ok), err }

func unloadable[V any](context.Context) (v V, err error) { return v, nest.ErrNotFound }

// nearWrite writes every key of nearTree. For each of the numbers 1, 2 and 3, each of nearReads
// returns a different result.
func nearWrite(t *testing.T, s nest.Scope, n int) {
	t.Helper()
	ctx := t.Context()
	text := strings.Repeat("x", n)
	must := func(err error) {
		t.Helper()
		require.NoError(t, err)
	}
	also := func(_ any, err error) {
		t.Helper()
		require.NoError(t, err)
	}
	must(nearValue.At(s).Set(ctx, text))
	must(nearCounter.At(s).Set(ctx, n))
	must(nearSecret.At(s).Set(ctx, text))
	must(nearHash.At(s).SetMany(ctx, map[string]string{"f": text, "ALL": text, "a": "a" + text, "bc": "bc", "ab": "ab", "c": "c" + text, text: ""}))
	must(nearRecord.At(s).Set(ctx, pair{"a" + text, "ab", "bc", "c" + text}))
	also(nearList.At(s).PushLeft(ctx, n, n+10))
	also(nearSet.At(s).Add(ctx, text))
	also(nearSorted.At(s).AddMany(ctx, []nest.Scored[string]{{Member: "m", Score: float64(n)}, {Member: text, Score: float64(n + 3)}, {Member: "z", Score: 50}}))
	must(nearBits.At(s).Set(ctx, []byte(strings.Repeat("\x00", n)+text)))
	also(nearGeo.At(s).Add(ctx, "m", nest.Point{Longitude: float64(10 * n), Latitude: 10}))
	also(nearGeo.At(s).Add(ctx, "z", nest.Point{}))
	also(nearStream.At(s).Add(ctx, text))
	switch n {
	case 2:
		also(nearHash.At(s).SetIfAbsent(ctx, "once", ""))
		also(nearSet.At(s).Add(ctx, "once", "o"))
		also(nearSorted.At(s).Add(ctx, "once", 60))
	case 3:
		also(nearHash.At(s).DeleteFields(ctx, "once"))
		also(nearSet.At(s).Remove(ctx, "once"))
	}
}

func nearScopes(t *testing.T) (cached, plain nest.Scope, seen *eventLog) {
	t.Helper()
	key, err := secure.ParseKeyring(strings.Repeat("01", 32))
	require.NoError(t, err)
	server := nesttest.Shared(t)
	prefix, ring := nest.WithPrefix(server.Prefix(t)), nest.WithKeyring(key)
	seen = &eventLog{}
	cached = server.Open(t, nearTree, prefix, ring, nest.WithDefaults(nest.Cached(time.Minute)), nest.WithObserver(seen))
	return cached, server.Open(t, nearTree, prefix, ring), seen
}

// The bytes that a read returns belong to the caller, who may modify them. The cache keeps its own.
func TestCachedBytesAreTheCallersOwn(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Tracking)
	cached, plain, seen := nearScopes(t)
	ctx := t.Context()
	nearWrite(t, plain, 1)
	for name, read := range map[string]func(s nest.Scope) ([]byte, error){
		"Raw":           func(s nest.Scope) ([]byte, error) { return nearValue.At(s).Raw(ctx) },
		"Raw, a secret": func(s nest.Scope) ([]byte, error) { return nearSecret.At(s).Raw(ctx) },
		"Bytes":         func(s nest.Scope) ([]byte, error) { return nearBits.At(s).Bytes(ctx) },
		"GetOrLoad": func(s nest.Scope) ([]byte, error) {
			return nearBits.At(s).GetOrLoad(ctx, func(context.Context) ([]byte, error) { return nil, nil })
		},
	} {
		want, err := read(plain)
		require.NoError(t, err, name)
		for range 3 { // from the server, then from memory
			got, err := read(cached)
			require.NoError(t, err, name)
			require.Equal(t, want, got, name)
			for i := range got {
				got[i] ^= 0xFF
			}
		}
		require.True(t, seen.last().CacheHit, name)
	}
}

// TestEveryReadIsCached reads everything twice; then this process writes, and then another one.
func TestEveryReadIsCached(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Tracking)
	cached, plain, seen := nearScopes(t)
	ctx := t.Context()
	before := make(map[string]any)
	for n := 1; n <= 2; n++ {
		nearWrite(t, cached, n)
		for name, read := range nearReads {
			want, err := read(ctx, plain)
			require.NoError(t, err, name)
			got, err := read(ctx, cached)
			require.NoError(t, err, name)
			require.Equal(t, want, got, "%s after write %d", name, n)
			again, err := read(ctx, cached)
			require.NoError(t, err, name)
			require.Equal(t, want, again, name)
			require.True(t, seen.last().CacheHit, "%s: the server is asked each time", name)
			if n > 1 && !strings.HasSuffix(name, "2") {
				require.NotEqual(t, before[name], got, "%s: the write did not change it", name)
			}
			before[name] = got
		}
	}
	nearWrite(t, plain, 3)
	for name, read := range nearReads {
		want, err := read(ctx, plain)
		require.NoError(t, err, name)
		require.Eventually(t, func() bool {
			got, err := read(ctx, cached)
			return err == nil && fmt.Sprint(got) == fmt.Sprint(want)
		}, 5*time.Second, time.Millisecond, name)
	}
	// Batches always ask the server.
	b := cached.Batch()
	f := nearValue.At(cached).In(b).Get()
	require.NoError(t, b.Exec(ctx))
	got, err := f.Value()
	require.NoError(t, err)
	require.Equal(t, "xxx", got)
	require.False(t, seen.last().CacheHit)
}

// Blocking operations use another connection than the one that caches.
func TestCachedReadsSeeWhatWaitsTook(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Tracking)
	cached, _, _ := nearScopes(t)
	r := nearList.At(cached)
	for i := range 100 {
		_, err := r.PushRight(t.Context(), i)
		require.NoError(t, err)
		n, err := r.Len(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		_, ok, err := r.WaitPopLeft(t.Context(), time.Second)
		require.NoError(t, err)
		require.True(t, ok)
		n, err = r.Len(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)
	}
}

// A connection that is dead but open serves the old value until the client notices or until the
// time given to Cached is over, whichever comes first.
func TestSilentPartition(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Tracking)
	server := nesttest.Start(t)
	for name, c := range map[string]struct {
		keepAlive, timeout, cached time.Duration
		between                    [2]time.Duration
	}{
		"the client notices": {300 * time.Millisecond, time.Second, time.Hour, [2]time.Duration{300 * time.Millisecond, 8 * time.Second}},
		"Cached ends it":     {time.Minute, time.Minute, 200 * time.Millisecond, [2]time.Duration{0, 8 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			relay := nesttest.NewRelay(t, server.Addr())
			option := server.ClientOption()
			option.InitAddress, option.ForceSingleClient = []string{relay.Addr()}, true
			option.Dialer.KeepAlive, option.ConnWriteTimeout = c.keepAlive, c.timeout
			client, err := rueidis.NewClient(option)
			require.NoError(t, err)
			t.Cleanup(client.Close)
			root, err := nest.Open(client, cachedTree, nest.WithPrefix(server.Prefix(t)), nest.WithDefaults(nest.Cached(c.cached)))
			require.NoError(t, err)
			r := partitioned.At(root)
			require.NoError(t, r.Set(t.Context(), 1))
			got, err := r.Get(t.Context())
			require.NoError(t, err)
			require.Equal(t, 1, got)
			relay.Mute()
			start := time.Now()
			for {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				_, err := r.Get(ctx)
				cancel()
				if err != nil {
					break
				}
				require.Less(t, time.Since(start), c.between[1], "the old value is served forever")
				time.Sleep(5 * time.Millisecond)
			}
			t.Logf("the old value was served for %v", time.Since(start))
			require.GreaterOrEqual(t, time.Since(start), c.between[0])
		})
	}
}

var (
	farSource = nest.List[int]("source")
	nearSink  = nest.List[int]("sink", nest.Cached(time.Minute))
	moveTree  = nest.Cluster("moves", nest.HashTag(), nest.Sub(farSource, nearSink))
)

// A blocking move changes its target as well.
func TestCachedReadsSeeWhatWaitsMoved(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Tracking)
	s := nesttest.Open(t, moveTree)
	from, to := farSource.At(s), nearSink.At(s)
	for i := range 300 {
		_, err := from.PushRight(t.Context(), i)
		require.NoError(t, err)
		n, err := to.Len(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, i, n)
		_, ok, err := from.WaitMove(t.Context(), nest.Left, to, nest.Right, time.Second)
		require.NoError(t, err)
		require.True(t, ok)
		n, err = to.Len(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, i+1, n, "older than its own write")
	}
}
