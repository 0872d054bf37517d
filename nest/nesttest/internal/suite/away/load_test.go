package away_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

type person struct{ Name string }

var (
	note     = nest.Key[string]("note:<id>", nest.TTL(60))
	notes    = nest.Key[[]string]("notes:<id>", nest.TTL(60))
	quick    = nest.Key[string]("quick:<id>", nest.TTL(60), nest.Cached(time.Minute))
	stale    = nest.Key[string]("stale:<id>", nest.TTL(60), nest.ReadThrough(nest.StaleFor(time.Hour)))
	two      = nest.Key[string]("two:<id>", nest.TTL(60), nest.ReadThrough(nest.LoadWhenDown(2)))
	strict   = nest.Key[string]("strict:<id>", nest.TTL(60), nest.ReadThrough(nest.LoadWhenDown(0)))
	count    = nest.Counter[int]("count:<id>", nest.TTL(60))
	hash     = nest.Hash[string]("hash:<id>", nest.TTL(60))
	record   = nest.Record[person]("record:<id>", nest.TTL(60))
	list     = nest.List[string]("list:<id>", nest.TTL(60))
	set      = nest.Set[string]("set:<id>", nest.TTL(60))
	ranks    = nest.SortedSet[string]("ranks:<id>", nest.TTL(60))
	places   = nest.Geo[string]("places:<id>", nest.TTL(60))
	bits     = nest.Bitmap("bits:<id>", nest.TTL(60))
	loadRoot = nest.Cluster("root", nest.Sub(note, notes, quick, stale, two, strict, count, hash, record, list, set, ranks, places, bits))
)

// loaded is what every loader of loads returns, in the form of its kind.
const loaded = "loaded"

// loads are the GetOrLoad of every kind; each reports whether it got what its loader returned.
var loads = map[string]func(ctx context.Context, s nest.Scope, id any, called *atomic.Int64) error{
	"note":   keyLoad(note),
	"cached": keyLoad(quick),
	"stale":  keyLoad(stale),
	"notes": loadOf(func(ctx context.Context, s nest.Scope, id any, load func(context.Context) ([]string, error)) ([]string, error) {
		return notes.At(s, id).GetOrLoad(ctx, load)
	}, []string{loaded}),
	"count": loadOf(func(ctx context.Context, s nest.Scope, id any, load func(context.Context) (int, error)) (int, error) {
		return count.At(s, id).GetOrLoad(ctx, load)
	}, 7),
	"hash": loadOf(func(ctx context.Context, s nest.Scope, id any, load func(context.Context) (map[string]string, error)) (map[string]string, error) {
		return hash.At(s, id).GetOrLoad(ctx, load)
	}, map[string]string{"a": loaded}),
	"record": loadOf(func(ctx context.Context, s nest.Scope, id any, load func(context.Context) (person, error)) (person, error) {
		return record.At(s, id).GetOrLoad(ctx, load)
	}, person{loaded}),
	"list": loadOf(func(ctx context.Context, s nest.Scope, id any, load func(context.Context) ([]string, error)) ([]string, error) {
		return list.At(s, id).GetOrLoad(ctx, load)
	}, []string{loaded}),
	"set": loadOf(func(ctx context.Context, s nest.Scope, id any, load func(context.Context) ([]string, error)) ([]string, error) {
		return set.At(s, id).GetOrLoad(ctx, load)
	}, []string{loaded}),
	"ranks": loadOf(func(ctx context.Context, s nest.Scope, id any, load func(context.Context) ([]nest.Scored[string], error)) ([]nest.Scored[string], error) {
		return ranks.At(s, id).GetOrLoad(ctx, load)
	}, []nest.Scored[string]{{Member: loaded, Score: 1}}),
	"places": loadOf(func(ctx context.Context, s nest.Scope, id any, load func(context.Context) ([]nest.Place[string], error)) ([]nest.Place[string], error) {
		return places.At(s, id).GetOrLoad(ctx, load)
	}, []nest.Place[string]{{Member: loaded}}),
	"bits": loadOf(func(ctx context.Context, s nest.Scope, id any, load func(context.Context) ([]byte, error)) ([]byte, error) {
		return bits.At(s, id).GetOrLoad(ctx, load)
	}, []byte(loaded)),
	"many": func(ctx context.Context, s nest.Scope, id any, called *atomic.Int64) error {
		vs, err := nest.LoadMany(ctx, []any{id}, func(id any) nest.KeyRef[string] { return note.At(s, id) },
			func(_ context.Context, ids []any) (map[any]string, error) {
				called.Add(1)
				return map[any]string{ids[0]: loaded}, nil
			})
		if err == nil && vs[0].Value != loaded {
			err = errors.New("another value")
		}
		return err
	},
}

func keyLoad(d *nest.KeyDef[string]) func(context.Context, nest.Scope, any, *atomic.Int64) error {
	return loadOf(func(ctx context.Context, s nest.Scope, id any, load func(context.Context) (string, error)) (string, error) {
		return d.At(s, id).GetOrLoad(ctx, load)
	}, loaded)
}

func loadOf[V any](do func(context.Context, nest.Scope, any, func(context.Context) (V, error)) (V, error), v V) func(context.Context, nest.Scope, any, *atomic.Int64) error {
	return func(ctx context.Context, s nest.Scope, id any, called *atomic.Int64) error {
		got, err := do(ctx, s, id, func(context.Context) (V, error) {
			called.Add(1)
			time.Sleep(time.Millisecond)
			return v, nil
		})
		if err == nil && !assert.ObjectsAreEqual(v, got) {
			err = errors.New("another value")
		}
		return err
	}
}

// events collects what the observers are told.
type events struct {
	mu  sync.Mutex
	all []nest.Event
}

func (e *events) Observe(_ context.Context, event nest.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

func openLoads(t *testing.T, server *nesttest.Server, opts ...nest.OpenOption) nest.Scope {
	t.Helper()
	option := server.ClientOption()
	option.ForceSingleClient = true
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	s, err := nest.Open(client, loadRoot, append(opts, nest.WithPrefix(server.Prefix(t)))...)
	require.NoError(t, err)
	return s
}

var guards = map[string][]nest.OpenOption{
	"guarded": {nest.WithTimeout(time.Second), nest.WithBreaker(5, 200*time.Millisecond)},
	"bare":    nil,
}

func TestLoadsAreServedWhileRedisIsRefused(t *testing.T) {
	t.Parallel()
	for name, opts := range guards {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := nesttest.Start(t)
			told := &events{}
			s := openLoads(t, server, append(opts, nest.WithObserver(told))...)
			require.NoError(t, note.At(s, 0).Set(t.Context(), "x"))
			server.Kill(t)
			for kind, load := range loads {
				var called atomic.Int64
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				start := time.Now()
				err := load(ctx, s, 1, &called)
				cancel()
				t.Log(kind, time.Since(start))
				require.NoError(t, err, kind)
				require.Equal(t, int64(1), called.Load(), kind)
			}
			degraded := 0
			for _, e := range told.all {
				if e.Degraded {
					degraded++
					require.NoError(t, e.Err)
				}
			}
			require.Equal(t, len(loads), degraded)
			// A context that never ends, and one without a deadline.
			for kind, begin := range contexts {
				ctx, cancel := begin()
				var called atomic.Int64
				require.NoError(t, loads["note"](ctx, s, kind, &called), kind)
				cancel()
			}
		})
	}
}

func TestLoadsAreServedWhileRedisStandsStill(t *testing.T) {
	t.Parallel()
	for name, opts := range guards {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := nesttest.Start(t)
			s := openLoads(t, server, opts...)
			require.NoError(t, note.At(s, 0).Set(t.Context(), "x"))
			thaw := server.Freeze(t)
			for kind, load := range loads {
				var called atomic.Int64
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				start := time.Now()
				err := load(ctx, s, 1, &called)
				cancel()
				t.Log(kind, time.Since(start))
				require.NoError(t, err, kind)
				require.Equal(t, int64(1), called.Load(), kind)
			}
			thaw()
		})
	}
}

// Redis stops between the steps of a load.
func TestLoadsGoOnWithoutRedis(t *testing.T) {
	t.Parallel()
	for name, opts := range guards {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := nesttest.Start(t)
			s := openLoads(t, server, opts...)
			got, err := note.At(s, 1).GetOrLoad(t.Context(), func(context.Context) (string, error) {
				server.Kill(t)
				return loaded, nil
			})
			require.NoError(t, err, "it could not be stored")
			require.Equal(t, loaded, got)
		})
	}
}

func TestConcurrentLoadsWithoutRedisAreShared(t *testing.T) {
	t.Parallel()
	for name, opts := range guards {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := nesttest.Start(t)
			s := openLoads(t, server, opts...)
			require.NoError(t, note.At(s, 0).Set(t.Context(), "x"))
			server.Kill(t)
			const callers, keys = 10_000, 100
			var called atomic.Int64
			var wg sync.WaitGroup
			failed := make(chan error, callers)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			start := time.Now()
			for n := range callers {
				wg.Go(func() { failed <- loads["note"](ctx, s, n%keys, &called) })
			}
			wg.Wait()
			for range callers {
				require.NoError(t, <-failed)
			}
			// A value serves all who ask within a second after it was loaded; a machine that is
			// busy takes longer to make all of them ask.
			t.Log(called.Load(), "loads in", time.Since(start))
			require.LessOrEqual(t, called.Load(), keys*(1+int64(time.Since(start)/time.Second)))
		})
	}
}

func TestLoadsWithoutRedisHavePlaces(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	s := openLoads(t, server, guards["guarded"]...)
	require.NoError(t, two.At(s, 0).Set(t.Context(), "x"))
	server.Kill(t)
	var now, most atomic.Int64
	var wg sync.WaitGroup
	for id := range 20 {
		wg.Go(func() {
			_, err := two.At(s, id).GetOrLoad(t.Context(), func(context.Context) (string, error) {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(5 * time.Millisecond)
				now.Add(-1)
				return loaded, nil
			})
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	require.LessOrEqual(t, most.Load(), int64(2))

	// Who waits for a place waits within its context.
	hold, held := make(chan struct{}), make(chan struct{}, 2)
	for id := range 2 {
		go func() {
			_, _ = two.At(s, 100+id).GetOrLoad(context.WithoutCancel(t.Context()), func(context.Context) (string, error) {
				held <- struct{}{}
				<-hold
				return loaded, nil
			})
		}()
	}
	<-held
	<-held
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := two.At(s, 200).GetOrLoad(ctx, func(context.Context) (string, error) { return loaded, nil })
	require.ErrorIs(t, err, context.DeadlineExceeded)
	close(hold)
}

func TestLoadsWithoutRedisCanBeRefused(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	s := openLoads(t, server, guards["guarded"]...)
	require.NoError(t, strict.At(s, 0).Set(t.Context(), "x"))
	server.Kill(t)
	_, err := strict.At(s, 1).GetOrLoad(t.Context(), func(context.Context) (string, error) { return loaded, nil })
	require.ErrorIs(t, err, nest.ErrAway)
	_, err = nest.LoadMany(t.Context(), []int{1}, func(id int) nest.KeyRef[string] { return strict.At(s, id) },
		func(context.Context, []int) (map[int]string, error) { return map[int]string{1: loaded}, nil })
	require.ErrorIs(t, err, nest.ErrAway)

	require.Panics(t, func() { nest.Secret[string]("secret", nest.ReadThrough(nest.LoadWhenDown(1))) })
	require.NotPanics(t, func() { nest.Secret[string]("secret", nest.ReadThrough(nest.LoadWhenDown(0))) })
	require.Panics(t, func() { nest.Key[string]("key", nest.ReadThrough(nest.LoadWhenDown(-1))) })
}

// An error of the loader goes to the caller as it is, also when it says that some Redis is away.
func TestALoaderThatFailsIsNotCalledAgain(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	s := openLoads(t, server, guards["guarded"]...)
	for _, kill := range []bool{false, true} {
		if kill {
			server.Kill(t)
		}
		called := 0
		_, err := note.At(s, strconv.FormatBool(kill)).GetOrLoad(t.Context(), func(context.Context) (string, error) {
			called++
			return "", nest.ErrAway
		})
		require.Equal(t, nest.ErrAway, err)
		require.Equal(t, 1, called)
	}
	require.Panics(t, func() {
		_, _ = note.At(s, "panic").GetOrLoad(t.Context(), func(context.Context) (string, error) { panic("of the loader") })
	})
}

func TestLoadsWithoutRedisShareNothingThatCanBeChanged(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	s := openLoads(t, server, guards["guarded"]...)
	require.NoError(t, note.At(s, 0).Set(t.Context(), "x"))
	server.Kill(t)
	load := func(context.Context) ([]string, error) { return []string{loaded}, nil }
	for range 2 {
		got, err := list.At(s, 1).GetOrLoad(t.Context(), load)
		require.NoError(t, err)
		require.Equal(t, []string{loaded}, got)
		got[0] = "changed"
	}
}

func TestNothingIsStoredWithoutRedis(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t, nesttest.Persistent())
	s := openLoads(t, server, guards["guarded"]...)
	ref := note.At(s, 1)
	require.NoError(t, ref.Set(t.Context(), "before"))
	_, err := ref.Delete(t.Context())
	require.NoError(t, err)
	server.Kill(t)
	got, err := ref.GetOrLoad(t.Context(), func(context.Context) (string, error) {
		server.Restart(t)
		reached(t, ref)
		require.NoError(t, ref.Set(t.Context(), "newer"))
		return "older", nil
	})
	require.NoError(t, err)
	require.Equal(t, "older", got, "who asked before the write may see what was before it")
	got, err = ref.GetOrLoad(t.Context(), func(context.Context) (string, error) { return "loaded again", nil })
	require.NoError(t, err)
	require.Equal(t, "newer", got)

	// What was loaded before a write of this process does not serve a caller after it.
	server.Kill(t)
	other := note.At(s, 2)
	_, err = other.GetOrLoad(t.Context(), func(context.Context) (string, error) { return "older", nil })
	require.NoError(t, err)
	server.Restart(t)
	reached(t, other)
	require.NoError(t, other.Set(t.Context(), "newer"))
	server.Kill(t)
	got, err = other.GetOrLoad(t.Context(), func(context.Context) (string, error) { return "newer", nil })
	require.NoError(t, err)
	require.Equal(t, "newer", got)
}

func TestLoadsWithFullMemory(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t, nesttest.Args("--maxmemory", "1", "--maxmemory-policy", "noeviction"))
	s := openLoads(t, server)
	for kind, load := range loads {
		if kind == "cached" {
			continue // such a server refuses even MULTI
		}
		var called atomic.Int64
		for range 10 {
			require.NoError(t, load(t.Context(), s, 1, &called), kind)
		}
		if kind != "many" {
			require.Equal(t, int64(1), called.Load(), kind)
		}
	}
	for m, err := range s.Keys(t.Context()) {
		require.NoError(t, err)
		t.Error("stored:", m.Key())
	}
}
