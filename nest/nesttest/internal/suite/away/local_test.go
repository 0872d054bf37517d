package away_test

import (
	"bytes"
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

var (
	near      = nest.Key[int]("near:<id>", nest.TTL(600), nest.Default(-1), nest.Cached(time.Minute, nest.LocalFor(time.Minute)))
	brief     = nest.Key[int]("brief:<id>", nest.TTL(600), nest.Default(-1), nest.Cached(time.Minute, nest.LocalFor(50*time.Millisecond)))
	asked     = nest.Key[int]("asked:<id>", nest.TTL(600), nest.Default(-1), nest.Cached(time.Minute))
	nearHash  = nest.Hash[int]("hash:<id>", nest.TTL(600), nest.Cached(time.Minute, nest.LocalFor(time.Minute)))
	nearList  = nest.List[int]("list:<id>", nest.TTL(600), nest.Cached(time.Minute, nest.LocalFor(time.Minute)))
	nearStale = nest.Key[int]("stale:<id>", nest.TTL(600), nest.Cached(time.Minute, nest.LocalFor(50*time.Millisecond)),
		nest.ReadThrough(nest.StaleFor(time.Hour)))
	localRoot = nest.Cluster("root", nest.HashTag(), nest.Sub(near, brief, asked, nearHash, nearList, nearStale))
)

// untracked opens the tree on a client that cannot track.
func untracked(t *testing.T, server *nesttest.Server, opts ...nest.OpenOption) nest.Scope {
	t.Helper()
	option := server.ClientOption()
	option.DisableCache = true
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	s, err := nest.Open(client, localRoot, append(opts, nest.WithPrefix(server.Prefix(t)))...)
	require.NoError(t, err)
	return s
}

// hits counts the reads that came from memory, and all.
type hits struct{ memory, all atomic.Int64 }

func (h *hits) Observe(_ context.Context, e nest.Event) {
	h.all.Add(1)
	if e.CacheHit {
		h.memory.Add(1)
	}
}

func TestLocalReadsComeFromMemory(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]*nesttest.Server{"shared": nesttest.Shared(t), "refusing": nesttest.Start(t, nesttest.NoTracking())} {
		for kind, opts := range map[string][]nest.OpenOption{"found out": nil, "told": {nest.WithoutTracking()}} {
			t.Run(name+" "+kind, func(t *testing.T) {
				h := &hits{}
				s := untracked(t, server, append(opts, nest.WithObserver(h))...)
				ctx := t.Context()
				require.NoError(t, near.At(s, 1).Set(ctx, 5))
				require.NoError(t, asked.At(s, 1).Set(ctx, 6))
				_, err := near.At(s, 1).Get(ctx) // finds out, and remembers the next one
				require.NoError(t, err)
				_, err = near.At(s, 1).Get(ctx)
				require.NoError(t, err)
				h.memory.Store(0)
				for range 10 {
					v, err := near.At(s, 1).Get(ctx)
					require.NoError(t, err)
					require.Equal(t, 5, v)
					v, err = near.At(s, 2).Get(ctx)
					require.NoError(t, err)
					require.Equal(t, -1, v, "what is missing is remembered, too")
					v, err = asked.At(s, 1).Get(ctx)
					require.NoError(t, err)
					require.Equal(t, 6, v)
				}
				require.Equal(t, int64(10+9), h.memory.Load())
				got, err := nest.LoadMany(ctx, []int{1, 2}, func(id int) nest.KeyRef[int] { return near.At(s, id) },
					func(context.Context, []int) (map[int]int, error) { return map[int]int{2: 7}, nil })
				require.NoError(t, err)
				require.Equal(t, []nest.Optional[int]{{Value: 5, Found: true}, {Value: 7, Found: true}}, got)
				v, err := near.At(s, 2).Get(ctx)
				require.NoError(t, err)
				require.Equal(t, 7, v)
			})
		}
	}
}

// The words of different reads of a key can be the same when they are written one after the other.
func TestLocalReadsAreToldApart(t *testing.T) {
	t.Parallel()
	s := untracked(t, nesttest.Shared(t), nest.WithoutTracking())
	ctx := t.Context()
	var all []int
	for i := range 30 {
		all = append(all, i)
	}
	_, err := nearList.At(s, 1).PushRight(ctx, all...)
	require.NoError(t, err)
	require.NoError(t, nearHash.At(s, 1).Set(ctx, "ALL", 1))
	for range 2 {
		got, err := nearList.At(s, 1).Range(ctx, 1, 23)
		require.NoError(t, err)
		require.Equal(t, all[1:24], got)
		got, err = nearList.At(s, 1).Range(ctx, 12, 3)
		require.NoError(t, err)
		require.Empty(t, got)
		n, err := nearList.At(s, 1).Len(ctx)
		require.NoError(t, err)
		require.Equal(t, int64(30), n)
		v, err := nearHash.At(s, 1).Get(ctx, "ALL")
		require.NoError(t, err)
		require.Equal(t, 1, v)
		fields, err := nearHash.At(s, 1).All(ctx)
		require.NoError(t, err)
		require.Equal(t, map[string]int{"ALL": 1}, fields)
	}
}

// A minute's memory, and yet no read returns an older value than the last write of this process.
func TestLocalReadsAreNeverOlderThanOwnWrites(t *testing.T) {
	t.Parallel()
	const goroutines, rounds = 4, 20
	h := &hits{}
	s := untracked(t, nesttest.Shared(t), nest.WithObserver(h))
	ctx := t.Context()
	var stale, failed atomic.Int64
	var wg, readers sync.WaitGroup
	stop := make(chan struct{})
	for g := range goroutines {
		r := near.At(s, g)
		readers.Go(func() { // others read the key while it is written
			for {
				select {
				case <-stop:
					return
				case <-time.After(100 * time.Microsecond):
					_, _ = r.Get(ctx)
				}
			}
		})
		wg.Go(func() {
			check := func(err error) {
				if err != nil {
					failed.Add(1)
					t.Error(err)
				}
			}
			see := func(want int) {
				for range 2 {
					got, err := r.Get(ctx)
					check(err)
					if got != want {
						stale.Add(1)
					}
				}
			}
			for i := range rounds {
				check(r.Set(ctx, i))
				see(i)
				b := s.Batch()
				r.In(b).Set(i + 1)
				near.At(s, -1).In(b).Set(i)
				check(b.Exec(ctx))
				see(i + 1)
				b = s.Atomic()
				near.At(s, -2).In(b).Set(i)
				r.In(b).Set(i + 2)
				check(b.Exec(ctx))
				see(i + 2)
				_, err := r.Update(ctx, func(n int, _ bool) (int, error) { return n + 1, nil })
				check(err)
				see(i + 3)
				check(nest.Transact(ctx, s, func(tx *nest.Tx) error {
					r.In(tx.Writes()).Set(i + 4)
					return nil
				}))
				see(i + 4)
				_, err = r.Rename(ctx, near.At(s, 1000+g), nest.Replace())
				check(err)
				see(-1)
				v, err := near.At(s, 1000+g).Get(ctx)
				check(err)
				if v != i+4 {
					stale.Add(1)
				}
				_, err = r.Delete(ctx)
				check(err)
				see(-1)
				v, err = r.GetOrLoad(ctx, func(context.Context) (int, error) { return i + 5, nil })
				check(err)
				if v != i+5 {
					stale.Add(1)
				}
				see(i + 5)
			}
		})
	}
	wg.Wait()
	close(stop)
	readers.Wait()
	require.Zero(t, failed.Load())
	require.Zero(t, stale.Load())
	require.Positive(t, h.memory.Load())

	require.NoError(t, near.At(s, 0).Set(ctx, 1))
	_, err := near.At(s, 0).Get(ctx)
	require.NoError(t, err)
	_, err = s.Clear(ctx)
	require.NoError(t, err)
	v, err := near.At(s, 0).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, -1, v)

	// A pop that waits uses a connection of its own.
	_, err = nearList.At(s, 1).PushRight(ctx, 1, 2)
	require.NoError(t, err)
	n, err := nearList.At(s, 1).Len(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(2), n)
	_, _, err = nearList.At(s, 1).WaitPopLeft(ctx, time.Second)
	require.NoError(t, err)
	n, err = nearList.At(s, 1).Len(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
}

func TestLocalReadsSeeOthersWritesInTime(t *testing.T) {
	t.Parallel()
	server := nesttest.Shared(t)
	s := untracked(t, server, nest.WithoutTracking())
	ctx := t.Context()
	require.NoError(t, brief.At(s, 1).Set(ctx, 1))
	_, err := brief.At(s, 1).Get(ctx)
	require.NoError(t, err)
	other := server.Client(t)
	require.NoError(t, other.Do(ctx, other.B().Set().Key(brief.At(s, 1).Key()).Value("2").Build()).Error())
	time.Sleep(50 * time.Millisecond)
	v, err := brief.At(s, 1).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, 2, v)
}

// A client that tracks does not need LocalFor, and is told of changes at once.
func TestLocalForLeavesTrackingAlone(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Tracking)
	server := nesttest.Start(t)
	s, err := nest.Open(server.Client(t), localRoot)
	require.NoError(t, err)
	ctx := t.Context()
	for i := range 100 {
		require.NoError(t, near.At(s, 1).Set(ctx, i))
		for range 2 {
			v, err := near.At(s, 1).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, i, v)
		}
	}
	require.False(t, s.Describe().Nodes[0].Untracked)
	client := server.Client(t)
	info, err := client.Do(ctx, client.B().Info().Section("commandstats").Build()).ToString()
	require.NoError(t, err)
	require.NotContains(t, info, "trackinginfo")
	require.NoError(t, client.Do(ctx, client.B().Set().Key(near.At(s, 1).Key()).Value("7").Build()).Error())
	require.Eventually(t, func() bool {
		v, err := near.At(s, 1).Get(ctx)
		return err == nil && v == 7
	}, 10*time.Second, time.Millisecond)
}

// What is still in memory is better than what a loader makes of a source that is busy with
// everybody else's loads.
func TestLoadsPreferWhatIsRemembered(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	told := &events{}
	s := untracked(t, server, nest.WithTimeout(time.Second), nest.WithBreaker(5, time.Second), nest.WithObserver(told), nest.WithoutTracking())
	ctx := t.Context()
	load := func(context.Context) (int, error) { return 2, nil }
	loadAll := func(_ context.Context, ids []int) (map[int]int, error) {
		all := map[int]int{}
		for _, id := range ids {
			all[id] = 2
		}
		return all, nil
	}
	for _, id := range []int{1, 2} {
		require.NoError(t, nearStale.At(s, id).Set(ctx, 1))
		v, err := nearStale.At(s, id).GetOrLoad(ctx, load)
		require.NoError(t, err)
		require.Equal(t, 1, v)
	}
	server.Kill(t)
	time.Sleep(60 * time.Millisecond) // longer than LocalFor
	v, err := nearStale.At(s, 1).GetOrLoad(ctx, load)
	require.NoError(t, err)
	require.Equal(t, 1, v)
	require.True(t, told.all[len(told.all)-1].Degraded)
	v, err = nearStale.At(s, 3).GetOrLoad(ctx, load)
	require.NoError(t, err)
	require.Equal(t, 2, v, "which nobody has read")
	got, err := nest.LoadMany(ctx, []int{1, 2, 4}, func(id int) nest.KeyRef[int] { return nearStale.At(s, id) }, loadAll)
	require.NoError(t, err)
	require.Equal(t, []nest.Optional[int]{{Value: 1, Found: true}, {Value: 1, Found: true}, {Value: 2, Found: true}}, got)

	// A write that may not have been executed makes the process forget.
	require.Error(t, nearStale.At(s, 1).Set(ctx, 3))
	v, err = nearStale.At(s, 1).GetOrLoad(ctx, load)
	require.NoError(t, err)
	require.Equal(t, 2, v)
}

func TestLocalForIsToldOf(t *testing.T) {
	t.Parallel()
	notes := func(s nest.Scope) string { return s.Describe().String() }
	tracked, err := nest.Open(nil, localRoot, nest.NamesOnly())
	require.NoError(t, err)
	require.Contains(t, notes(tracked), "near:<id>  value int  [ttl 10m, cached, without tracking locally for 1m, has a default]")
	require.Contains(t, notes(tracked), "asked:<id>  value int  [ttl 10m, cached, has a default]")

	var log bytes.Buffer
	s := untracked(t, nesttest.Shared(t), nest.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	for range 3 {
		_, err := asked.At(s, 1).Get(t.Context())
		require.NoError(t, err)
	}
	require.Contains(t, notes(s), "near:<id>  value int  [ttl 10m, cached locally for 1m, has a default]")
	require.Contains(t, notes(s), "asked:<id>  value int  [ttl 10m, not cached, the client cannot track, has a default]")
	require.Equal(t, 1, strings.Count(log.String(), "cannot track"), log.String())
	require.Contains(t, log.String(), "level=WARN")
	require.Contains(t, log.String(), "from_server=1 from_memory="+strconv.Itoa(5))
}

func TestLocalForIsChecked(t *testing.T) {
	t.Parallel()
	for name, declare := range map[string]func() nest.Option{
		"no cache":  func() nest.Option { return nest.Cached(0, nest.LocalFor(time.Second)) },
		"too short": func() nest.Option { return nest.Cached(time.Minute, nest.LocalFor(time.Microsecond)) },
		"too long":  func() nest.Option { return nest.Cached(time.Minute, nest.LocalFor(time.Hour)) },
		"too small": func() nest.Option { return nest.Cached(time.Minute, nest.LocalFor(time.Second, 1000)) },
		"two sizes": func() nest.Option { return nest.Cached(time.Minute, nest.LocalFor(time.Second, 1<<20, 1<<20)) },
		"twice": func() nest.Option {
			return nest.Cached(time.Minute, nest.LocalFor(time.Second), nest.LocalFor(time.Second))
		},
		"nil": func() nest.Option { return nest.Cached(time.Minute, nil) },
	} {
		require.Panics(t, func() { nest.Key[int]("key", declare()) }, name)
	}
	require.NotPanics(t, func() { nest.Key[int]("key", nest.Cached(time.Minute, nest.LocalFor(time.Second, 1<<20))) })
}
