package suite_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
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

// Keys that are loaded, without options and with each of them.
var (
	plainNote   = nest.Key[string]("plain:<id>", nest.TTL(100))
	note        = nest.Key[string]("note:<id>", nest.TTL(100), nest.ReadThrough())
	hastyNote   = nest.Key[string]("hasty:<id>", nest.TTL(100), nest.ReadThrough(nest.LoadLease(150*time.Millisecond)))
	rareNote    = nest.Key[string]("rare:<id>", nest.TTL(100), nest.ReadThrough(nest.NegativeTTL(time.Minute)))
	freshNote   = nest.Key[string]("fresh:<id>", nest.TTL(100), nest.ReadThrough(nest.RefreshBefore(99*time.Second)))
	staleNote   = nest.Key[string]("stale:<id>", nest.TTL(1), nest.ReadThrough(nest.StaleFor(100*time.Second)))
	nearNote    = nest.Key[string]("near:<id>", nest.TTL(100), nest.Cached(time.Minute), nest.ReadThrough(nest.RefreshBefore(99*time.Second)))
	cachedNote  = nest.Key[string]("cached:<id>", nest.TTL(100), nest.Cached(time.Minute), nest.ReadThrough())
	labels      = nest.Set[string]("tags:<id>", nest.TTL(100), nest.ReadThrough(nest.NegativeTTL(time.Minute)))
	freshLabels = nest.Set[string]("fresh_tags:<id>", nest.TTL(100), nest.ReadThrough(nest.RefreshBefore(99*time.Second)))

	loadTree = nest.Cluster("load", nest.Sub(plainNote, note, hastyNote, rareNote, freshNote, staleNote, nearNote, cachedNote, labels, freshLabels))
)

// loader counts its calls and returns what it is told to.
type loader[V any] struct {
	calls atomic.Int64
	take  time.Duration
	value V
	err   error
}

func (l *loader[V]) load(context.Context) (V, error) {
	l.calls.Add(1)
	if l.take > 0 {
		time.Sleep(l.take)
	}
	return l.value, l.err
}

// processes opens the tree n times over separate clients, as n processes would.
func processes(t *testing.T, n int) []nest.Scope {
	t.Helper()
	server := nesttest.Shared(t)
	prefix := nest.WithPrefix(server.Prefix(t))
	scopes := make([]nest.Scope, n)
	for i := range scopes {
		scopes[i] = server.Open(t, loadTree, prefix)
	}
	return scopes
}

func TestTenThousandMissesAreOneLoad(t *testing.T) {
	t.Parallel()
	s := processes(t, 1)[0]
	l := &loader[string]{value: "x", take: 50 * time.Millisecond}
	together(10_000, func(int) {
		got, err := plainNote.At(s, 1).GetOrLoad(t.Context(), l.load)
		assert.NoError(t, err)
		assert.Equal(t, "x", got)
	})
	require.EqualValues(t, 1, l.calls.Load())
}

func TestProcessesShareALoad(t *testing.T) {
	t.Parallel()
	for _, many := range []bool{false, true} {
		scopes := processes(t, 6)
		l := &loader[string]{value: "x", take: 50 * time.Millisecond}
		var late atomic.Int64
		together(60, func(i int) {
			r := plainNote.At(scopes[i%6], 1)
			start := time.Now()
			var got string
			var err error
			if many && i%2 == 0 {
				var all []nest.Optional[string]
				all, err = nest.LoadMany(t.Context(), []int{1}, func(int) nest.KeyRef[string] { return r },
					func(ctx context.Context, _ []int) (map[int]string, error) {
						v, err := l.load(ctx)
						return map[int]string{1: v}, err
					})
				if assert.NoError(t, err) {
					got = all[0].Value
				}
			} else {
				got, err = r.GetOrLoad(t.Context(), l.load)
			}
			assert.NoError(t, err)
			assert.Equal(t, "x", got)
			late.Store(max(late.Load(), int64(time.Since(start)-l.take)))
		})
		require.EqualValues(t, 1, l.calls.Load())
		t.Logf("the last of 60 callers in 6 clients had it %v after the load", time.Duration(late.Load()))
	}
}

// TestLoadChild is one of the processes of TestRealProcessesShareALoad.
func TestLoadChild(t *testing.T) {
	prefix := os.Getenv("SUITE_LOAD_PREFIX")
	if prefix == "" {
		t.Skip("runs as a child only")
	}
	client := nesttest.Client(t)
	s, err := nest.Open(client, loadTree, nest.WithPrefix(prefix))
	require.NoError(t, err)
	for id := range 5 {
		together(4, func(int) {
			got, err := plainNote.At(s, id).GetOrLoad(t.Context(), func(ctx context.Context) (string, error) {
				time.Sleep(100 * time.Millisecond)
				return "x", client.Do(ctx, client.B().Incr().Key(prefix+":loads").Build()).Error()
			})
			assert.NoError(t, err)
			assert.Equal(t, "x", got)
		})
	}
}

func TestRealProcessesShareALoad(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Tracking) // another process cannot reach the embedded server
	server := nesttest.Shared(t)
	prefix := server.Prefix(t)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLoadChild$", "-test.timeout=60s")
			cmd.Env = append(os.Environ(), "SUITE_LOAD_PREFIX="+prefix, "REDIS_TEST_SERVER=", "REDIS_TEST_ADDR="+strings.Join(server.Addrs(), ","))
			out, err := cmd.CombinedOutput()
			assert.NoError(t, err, string(out))
			assert.NotContains(t, string(out), "no tests to run")
		})
	}
	all.Wait()
	client := nesttest.Client(t)
	n, err := client.Do(t.Context(), client.B().Get().Key(prefix+":loads").Build()).AsInt64()
	require.NoError(t, err)
	require.EqualValues(t, 5, n, "loads of five keys by three processes")
}

// A loader that does not finish frees the others at once, including those of other processes.
func TestLoadersThatComeToNothing(t *testing.T) {
	t.Parallel()
	failed := errors.New("no luck")
	for name, do := range map[string]func(ctx context.Context, r nest.KeyRef[string], began func()){
		"fails": func(ctx context.Context, r nest.KeyRef[string], began func()) {
			_, err := r.GetOrLoad(ctx, func(context.Context) (string, error) {
				began()
				time.Sleep(20 * time.Millisecond)
				return "bad", failed
			})
			assert.Same(t, failed, err)
		},
		"panics": func(ctx context.Context, r nest.KeyRef[string], began func()) {
			assert.PanicsWithValue(t, "loader", func() {
				_, _ = r.GetOrLoad(ctx, func(context.Context) (string, error) {
					began()
					time.Sleep(20 * time.Millisecond)
					panic("loader")
				})
			})
		},
		"ends its goroutine": func(ctx context.Context, r nest.KeyRef[string], began func()) {
			var wg sync.WaitGroup
			wg.Go(func() {
				_, _ = r.GetOrLoad(ctx, func(context.Context) (string, error) {
					began()
					runtime.Goexit()
					return "", nil
				})
				assert.Fail(t, "goes on")
			})
			wg.Wait()
		},
		"is cancelled": func(ctx context.Context, r nest.KeyRef[string], began func()) {
			ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
			defer cancel()
			_, err := r.GetOrLoad(ctx, func(ctx context.Context) (string, error) {
				began()
				<-ctx.Done()
				return "", ctx.Err()
			})
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		},
		"does not heed its context": func(ctx context.Context, r nest.KeyRef[string], began func()) {
			ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
			defer cancel()
			forever := make(chan struct{})
			t.Cleanup(func() { close(forever) })
			_, err := r.GetOrLoad(ctx, func(context.Context) (string, error) {
				began()
				<-forever
				return "late", nil
			})
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		},
	} {
		t.Run(name, func(t *testing.T) {
			scopes := processes(t, 2)
			loading := make(chan struct{})
			began := sync.OnceFunc(func() { close(loading) })
			var all sync.WaitGroup
			all.Go(func() {
				defer began() // even if it was not called
				do(t.Context(), note.At(scopes[0], 1), began)
			})
			<-loading
			start := time.Now()
			l := &loader[string]{value: "good"}
			for _, s := range []nest.Scope{scopes[1], scopes[0]} {
				got, err := note.At(s, 1).GetOrLoad(t.Context(), l.load)
				require.NoError(t, err)
				require.Equal(t, "good", got)
			}
			require.Less(t, time.Since(start), nest.DefaultLoadLease/2, "waited for the lease")
			all.Wait()
			got, _, err := note.At(scopes[0], 1).Lookup(t.Context())
			require.NoError(t, err)
			require.Equal(t, "good", got)
		})
	}
}

// Callers in the same process that wait for a load that fails get its error. They get a panic as an
// error, too.
func TestWaitersGetTheError(t *testing.T) {
	t.Parallel()
	s := processes(t, 1)[0]
	failed := errors.New("no luck")
	l := &loader[string]{err: failed, take: 50 * time.Millisecond}
	together(8, func(int) {
		_, err := note.At(s, 1).GetOrLoad(t.Context(), l.load)
		assert.Same(t, failed, err)
	})
	require.Less(t, l.calls.Load(), int64(8))
}

// A load is limited to its lease, even if the loader ignores its context. A result that comes later
// is not stored.
func TestLeaseBoundsALoad(t *testing.T) {
	t.Parallel()
	scopes := processes(t, 2)
	forever := make(chan struct{})
	t.Cleanup(func() { close(forever) })
	start := time.Now()
	_, err := hastyNote.At(scopes[0], 1).GetOrLoad(t.Context(), func(context.Context) (string, error) {
		<-forever
		return "late", nil
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "the load took longer than its lease of 150ms")
	shaped(t, err)
	require.Less(t, time.Since(start), 5*time.Second)

	if nesttest.Shared(t).Kind() == nesttest.KindEmbedded {
		return // its time stands still
	}
	// A process that died keeps its lock until the lease ends, and no longer.
	client := nesttest.Client(t)
	r := hastyNote.At(scopes[1], 2)
	require.NoError(t, client.Do(t.Context(), client.B().Set().Key(r.Key()+"%load{"+r.Key()+"}").Value("gone").PxMilliseconds(300).Build()).Error())
	start = time.Now()
	l := &loader[string]{value: "x"}
	got, err := r.GetOrLoad(t.Context(), l.load)
	require.NoError(t, err)
	require.Equal(t, "x", got)
	require.GreaterOrEqual(t, time.Since(start), 250*time.Millisecond)
}

// A write or a delete during a load is newer than the value that was loaded.
func TestLoadsNeverOverwrite(t *testing.T) {
	t.Parallel()
	client := nesttest.Client(t)
	foreign := func(args ...string) func(ctx context.Context, r nest.KeyRef[string]) error {
		return func(ctx context.Context, r nest.KeyRef[string]) error {
			return client.Do(ctx, client.B().Arbitrary(args[0]).Keys(r.Key()).Args(args[1:]...).Build()).Error()
		}
	}
	remove := func(ctx context.Context, r nest.KeyRef[string]) error { _, err := r.Delete(ctx); return err }
	writes := map[string]struct {
		do    func(ctx context.Context, r nest.KeyRef[string]) error
		want  string // "" means no key
		alien bool
	}{
		"Set":    {func(ctx context.Context, r nest.KeyRef[string]) error { return r.Set(ctx, "new") }, "new", false},
		"Delete": {remove, "", false},
		"Set and Delete": {func(ctx context.Context, r nest.KeyRef[string]) error {
			return errors.Join(r.Set(ctx, "new"), remove(ctx, r))
		}, "", false},
		"Take":            {func(ctx context.Context, r nest.KeyRef[string]) error { _, _, err := r.Take(ctx); return err }, "", false},
		"a foreign SET":   {foreign("SET", "foreign"), "foreign", true},
		"a foreign SETEX": {foreign("SETEX", "100", "old"), "old", true},
	}
	for name, w := range writes {
		for _, reload := range []bool{false, true} { // the key is missing, or is reloaded
			for _, where := range []int{0, 1} { // the process that loads writes, or another one
				t.Run(fmt.Sprintf("%s, reload %t, by %d", name, reload, where), func(t *testing.T) {
					t.Parallel()
					scopes := processes(t, 2)
					def := note
					if reload {
						def = freshNote
					}
					reader, writer := def.At(scopes[0], 1), def.At(scopes[where], 1)
					if reload {
						require.NoError(t, client.Do(t.Context(), client.B().Set().Key(reader.Key()).Value("old").ExSeconds(50).Build()).Error())
					}
					wrote := make(chan struct{})
					got, err := reader.GetOrLoad(t.Context(), func(ctx context.Context) (string, error) {
						defer close(wrote)
						return "loaded", w.do(ctx, writer)
					})
					<-wrote
					require.NoError(t, err)
					switch {
					case reload:
						require.Equal(t, "old", got)
						time.Sleep(20 * time.Millisecond) // for the background load to store it
					case w.want == "":
						require.Equal(t, "loaded", got)
					default:
						require.Equal(t, w.want, got)
					}
					now, ok, err := reader.Lookup(t.Context())
					require.NoError(t, err)
					require.Equal(t, w.want, now)
					require.Equal(t, w.want != "", ok)
				})
			}
		}
	}
}

// Deletes in batches, atomic or not, end loads as well.
func TestBatchesEndLoads(t *testing.T) {
	t.Parallel()
	scopes := processes(t, 2)
	for i, batch := range []func(nest.Scope) *nest.Batch{nest.Scope.Batch, nest.Scope.Atomic} {
		r, w := note.At(scopes[0], i), note.At(scopes[1], i)
		_, err := r.GetOrLoad(t.Context(), func(ctx context.Context) (string, error) {
			b := batch(scopes[1])
			before, gone := w.In(b).Exists(), w.In(b).Delete()
			err := b.Exec(ctx)
			was, err2 := before.Value()
			removed, err3 := gone.Value()
			assert.False(t, was || removed)
			return "loaded", errors.Join(err, err2, err3)
		})
		require.NoError(t, err)
		_, ok, err := r.Lookup(t.Context())
		require.NoError(t, err)
		require.False(t, ok, "stored although it was deleted meanwhile")
	}
}

func TestRefreshBefore(t *testing.T) {
	t.Parallel()
	scopes := processes(t, 3)
	l := &loader[string]{value: "new", take: 20 * time.Millisecond}
	// A value is fresh while it has more than 99 s of its 100 s left.
	require.NoError(t, freshNote.At(scopes[0], 1).Set(t.Context(), "old"))
	got, err := freshNote.At(scopes[0], 1).GetOrLoad(t.Context(), l.load)
	require.NoError(t, err)
	require.Equal(t, "old", got)

	require.NoError(t, freshNote.At(scopes[0], 2).Set(t.Context(), "old", nest.ExpireIn(50*time.Second)))
	var old atomic.Int64
	together(30, func(i int) {
		got, err := freshNote.At(scopes[i%3], 2).GetOrLoad(t.Context(), l.load)
		assert.NoError(t, err)
		assert.Contains(t, []string{"old", "new"}, got)
		if got == "old" {
			old.Add(1)
		}
	})
	require.Positive(t, old.Load(), "no caller got the current value")
	require.Eventually(t, func() bool {
		got, err := freshNote.At(scopes[0], 2).Get(t.Context())
		return err == nil && got == "new"
	}, 20*time.Second, time.Millisecond)
	require.EqualValues(t, 1, l.calls.Load())
	left, err := freshNote.At(scopes[0], 2).TTL(t.Context())
	require.NoError(t, err)
	about(t, 100*time.Second, left)

	// A collection is replaced, not added to.
	set := freshLabels.At(scopes[0], 1)
	_, err = set.Add(t.Context(), "a", "b")
	require.NoError(t, err)
	_, err = set.Expire(t.Context(), 50*time.Second)
	require.NoError(t, err)
	m := &loader[[]string]{value: []string{"c"}}
	_, err = set.GetOrLoad(t.Context(), m.load)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		got, err := set.Members(t.Context())
		return err == nil && len(got) == 1 && got[0] == "c"
	}, 5*time.Second, time.Millisecond)
}

// A refresh that fails in the background is tried again after a while, and delays no caller.
func TestRefreshThatFails(t *testing.T) {
	t.Parallel()
	s := processes(t, 1)[0]
	r := freshNote.At(s, 1)
	require.NoError(t, r.Set(t.Context(), "old", nest.ExpireIn(50*time.Second)))
	var calls atomic.Int64
	for range 50 {
		got, err := r.GetOrLoad(t.Context(), func(context.Context) (string, error) {
			if calls.Add(1)%2 == 0 {
				return "", errors.New("no luck")
			}
			panic("no luck")
		})
		require.NoError(t, err)
		require.Equal(t, "old", got)
		time.Sleep(time.Millisecond)
	}
	require.EqualValues(t, 1, calls.Load(), "at most once a second")
}

func TestStaleFor(t *testing.T) {
	t.Parallel()
	s := processes(t, 1)[0]
	r := staleNote.At(s, 1)
	require.Equal(t, time.Second, r.DeclaredTTL())
	l := &loader[string]{value: "one"}
	_, err := r.GetOrLoad(t.Context(), l.load)
	require.NoError(t, err)
	left, err := r.TTL(t.Context())
	require.NoError(t, err)
	about(t, 101*time.Second, left)
	_, err = r.Expire(t.Context(), 99*time.Second) // as if two seconds had passed
	require.NoError(t, err)
	l.value = "two"
	got, err := r.GetOrLoad(t.Context(), l.load)
	require.NoError(t, err)
	require.Equal(t, "one", got, "stale, and at once")
	require.Eventually(t, func() bool {
		got, err := r.Get(t.Context())
		return err == nil && got == "two"
	}, 5*time.Second, time.Millisecond)
}

// With a cache in the client, a refresh that is due is noticed all the same.
func TestRefreshBeforeWithACache(t *testing.T) {
	t.Parallel()
	s := processes(t, 1)[0]
	r := nearNote.At(s, 1)
	require.NoError(t, r.Set(t.Context(), "old", nest.ExpireIn(50*time.Second)))
	l := &loader[string]{value: "new"}
	require.Eventually(t, func() bool {
		got, err := r.GetOrLoad(t.Context(), l.load)
		return err == nil && got == "new"
	}, 5*time.Second, time.Millisecond)
	require.EqualValues(t, 1, l.calls.Load())
}

// noUserError is an error of a domain's own.
type noUserError struct{ id int }

func (e *noUserError) Error() string        { return "there is no user " + strconv.Itoa(e.id) }
func (e *noUserError) Is(target error) bool { return target == nest.ErrNotFound }

// Callers whose load it was get the loader's error as it is. Those who find the note know only that
// there is nothing.
func TestANegativeLoadKeepsTheErrorOfItsLoader(t *testing.T) {
	t.Parallel()
	scopes := processes(t, 2)
	ref, elsewhere := rareNote.At(scopes[0], 9), rareNote.At(scopes[1], 9)
	for _, own := range []error{&noUserError{9}, fmt.Errorf("user 9: %w", nest.ErrNotFound)} {
		begun, goOn := make(chan struct{}), make(chan struct{})
		first, second := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := ref.GetOrLoad(t.Context(), func(context.Context) (string, error) {
				close(begun)
				<-goOn
				return "", own
			})
			first <- err
		}()
		<-begun
		none := &loader[string]{value: "this is never loaded"}
		go func() {
			_, err := ref.GetOrLoad(t.Context(), none.load)
			second <- err
		}()
		time.Sleep(50 * time.Millisecond) // enough, nearly always, for it to wait for the first
		close(goOn)
		require.Same(t, own, <-first)
		err := <-second
		require.ErrorIs(t, err, nest.ErrNotFound)
		if _, late := errors.AsType[*nest.Error](err); !late { // which would have found the note
			require.Same(t, own, err)
		}
		for _, r := range []nest.KeyRef[string]{ref, elsewhere} {
			_, err := r.GetOrLoad(t.Context(), none.load)
			require.ErrorIs(t, err, nest.ErrNotFound)
			require.NotSame(t, own, err)
			shaped(t, err)
			_, isNoUser := errors.AsType[*noUserError](err)
			require.False(t, isNoUser)
		}
		require.Zero(t, none.calls.Load())

		all, err := nest.LoadMany(t.Context(), []int{10, 9}, func(id int) nest.KeyRef[string] { return rareNote.At(scopes[0], id) },
			func(context.Context, []int) (map[int]string, error) { return nil, own })
		require.NoError(t, err)
		require.Equal(t, make([]nest.Optional[string], 2), all)
		for _, id := range []int{9, 10} {
			_, err = rareNote.At(scopes[0], id).Delete(t.Context()) // which ends the note
			require.NoError(t, err)
		}
	}
}

func TestNegativeTTL(t *testing.T) {
	t.Parallel()
	scopes := processes(t, 2)
	r, elsewhere := rareNote.At(scopes[0], 1), rareNote.At(scopes[1], 1)
	missing := &loader[string]{err: fmt.Errorf("no such user: %w", nest.ErrNotFound)}
	_, err := r.GetOrLoad(t.Context(), missing.load)
	require.ErrorIs(t, err, nest.ErrNotFound)
	for range 5 {
		_, err = r.GetOrLoad(t.Context(), missing.load)
		require.ErrorIs(t, err, nest.ErrNotFound)
		shaped(t, err)
		_, err = elsewhere.GetOrLoad(t.Context(), missing.load)
		require.ErrorIs(t, err, nest.ErrNotFound)
	}
	require.EqualValues(t, 1, missing.calls.Load())
	_, ok, err := r.Lookup(t.Context())
	require.NoError(t, err)
	require.False(t, ok, "a missing key is read as a value")
	there, err := r.Exists(t.Context())
	require.NoError(t, err)
	require.False(t, there)

	// A write ends the note for good, even a write of another process.
	require.NoError(t, elsewhere.Set(t.Context(), "here"))
	got, err := r.GetOrLoad(t.Context(), missing.load)
	require.NoError(t, err)
	require.Equal(t, "here", got)
	_, err = elsewhere.Delete(t.Context())
	require.NoError(t, err)
	found := &loader[string]{value: "found"}
	got, err = r.GetOrLoad(t.Context(), found.load)
	require.NoError(t, err)
	require.Equal(t, "found", got)

	// An empty collection is remembered as empty.
	empty := &loader[[]string]{value: []string{}}
	for range 3 {
		got, err := labels.At(scopes[0], 1).GetOrLoad(t.Context(), empty.load)
		require.NoError(t, err)
		require.Empty(t, got)
	}
	require.EqualValues(t, 1, empty.calls.Load())

	// Without the option nothing is remembered.
	missing.calls.Store(0)
	for range 3 {
		_, err = note.At(scopes[0], 9).GetOrLoad(t.Context(), missing.load)
		require.Same(t, missing.err, err)
	}
	require.EqualValues(t, 3, missing.calls.Load())
}

func TestLoadMany(t *testing.T) {
	t.Parallel()
	s := processes(t, 1)[0]
	at := func(id int) nest.KeyRef[string] { return rareNote.At(s, id) }
	require.NoError(t, at(3).Set(t.Context(), "three"))
	some := func(v string) nest.Optional[string] { return nest.Optional[string]{Value: v, Found: true} }
	var asked [][]int
	load := func(_ context.Context, missing []int) (map[int]string, error) {
		asked = append(asked, missing)
		all := make(map[int]string)
		for _, id := range missing {
			if id != 4 {
				all[id] = fmt.Sprint("loaded ", id)
			}
		}
		return all, nil
	}
	for range 2 {
		got, err := nest.LoadMany(t.Context(), []int{5, 3, 4, 1, 5}, at, load)
		require.NoError(t, err)
		require.Equal(t, []nest.Optional[string]{some("loaded 5"), some("three"), {}, some("loaded 1"), some("loaded 5")}, got)
	}
	require.Equal(t, [][]int{{5, 4, 1}}, asked, "one call, with what is missing, once")
	for id, want := range map[int]string{5: "loaded 5", 3: "three", 1: "loaded 1"} {
		got, err := at(id).Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, got)
		left, err := at(id).TTL(t.Context())
		require.NoError(t, err)
		about(t, 100*time.Second, left)
	}
	none, err := nest.LoadMany(t.Context(), nil, at, load)
	require.NoError(t, err)
	require.Empty(t, none)

	// More IDs than fit into one round trip, one of which is written meanwhile.
	ids := make([]int, 1500)
	for i := range ids {
		ids[i] = 100 + i
	}
	calls := 0
	all, err := nest.LoadMany(t.Context(), ids, at, func(ctx context.Context, missing []int) (map[int]string, error) {
		calls++
		loaded := make(map[int]string)
		for _, id := range missing {
			loaded[id] = fmt.Sprint(id)
		}
		_, err := at(101).Delete(ctx)
		return loaded, errors.Join(err, at(100).Set(ctx, "newer"))
	})
	require.NoError(t, err)
	require.Equal(t, 1, calls)
	require.Equal(t, nest.Optional[string]{Value: "newer", Found: true}, all[0])
	for i, o := range all[1:] {
		require.Equal(t, fmt.Sprint(101+i), o.Value)
	}
	_, ok, err := at(101).Lookup(t.Context())
	require.NoError(t, err)
	require.False(t, ok, "stored although it was deleted meanwhile")

	// IDs that occur several times are read and loaded once, and have their values at each place.
	many := make([]int, 0, 120)
	for i := range 120 {
		many = append(many, 2000+i*i%37)
	}
	asked = nil
	for range 2 {
		all, err = nest.LoadMany(t.Context(), many, at, load)
		require.NoError(t, err)
		for i, o := range all {
			require.Equal(t, some(fmt.Sprint("loaded ", many[i])), o)
		}
	}
	require.Len(t, asked, 1)
	require.Len(t, asked[0], 19, "a square has one of 19 remainders modulo 37")

	// Failures release the locks.
	failed := errors.New("no luck")
	_, err = nest.LoadMany(t.Context(), []int{7, 8}, at, func(context.Context, []int) (map[int]string, error) { return nil, failed })
	require.Same(t, failed, err)
	require.PanicsWithValue(t, "loader", func() {
		_, _ = nest.LoadMany(t.Context(), []int{7, 8}, at, func(context.Context, []int) (map[int]string, error) { panic("loader") })
	})
	l := &loader[string]{value: "x"}
	start := time.Now()
	for _, id := range []int{7, 8} {
		_, err = at(id).GetOrLoad(t.Context(), l.load)
		require.NoError(t, err)
	}
	require.Less(t, time.Since(start), nest.DefaultLoadLease/2)

	_, err = nest.LoadMany(t.Context(), []int{1}, func(int) nest.KeyRef[string] { return rareNote.At(s) }, load) //nest:ignore the error is what is tested
	require.ErrorIs(t, err, nest.ErrMissingParam)
	_, err = nest.LoadMany(t.Context(), []int{1}, at, nil)
	require.ErrorIs(t, err, nest.ErrArgument)
}

// TestLoadManyShares loads overlapping keys from several clients: each key once.
func TestLoadManyShares(t *testing.T) {
	t.Parallel()
	scopes := processes(t, 4)
	var mu sync.Mutex
	loads := make(map[int]int)
	together(16, func(i int) {
		ids := []int{i % 5, (i + 1) % 5, (i + 2) % 5}
		got, err := nest.LoadMany(t.Context(), ids,
			func(id int) nest.KeyRef[string] { return cachedNote.At(scopes[i%4], id) },
			func(_ context.Context, missing []int) (map[int]string, error) {
				time.Sleep(10 * time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				all := make(map[int]string)
				for _, id := range missing {
					loads[id]++
					all[id] = fmt.Sprint(id)
				}
				return all, nil
			})
		assert.NoError(t, err)
		for j, id := range ids {
			assert.Equal(t, nest.Optional[string]{Value: fmt.Sprint(id), Found: true}, got[j])
		}
	})
	require.Equal(t, map[int]int{0: 1, 1: 1, 2: 1, 3: 1, 4: 1}, loads)
}

// Goroutines that load, in the background too, end.
func TestLoadersLeaveNoGoroutines(t *testing.T) { //nolint:paralleltest // other tests load as well
	loading := func() int {
		stacks := make([]byte, 16<<20) // the tests that have yet to go on stand first
		stacks = stacks[:runtime.Stack(stacks, true)]
		return strings.Count(string(stacks), "nest.runLoader") + strings.Count(string(stacks), "nest.loadAnew")
	}
	s := processes(t, 1)[0]
	release := make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := note.At(s, 1).GetOrLoad(ctx, func(context.Context) (string, error) { <-release; return "", nil })
	require.ErrorIs(t, err, context.DeadlineExceeded)
	r := freshNote.At(s, 1)
	require.NoError(t, r.Set(t.Context(), "old", nest.ExpireIn(50*time.Second)))
	_, err = r.GetOrLoad(t.Context(), func(context.Context) (string, error) { <-release; return "new", nil })
	require.NoError(t, err)
	require.Positive(t, loading())
	close(release)
	require.Eventually(t, func() bool { return loading() == 0 }, 5*time.Second, time.Millisecond)
}

func TestReadThroughIsChecked(t *testing.T) {
	t.Parallel()
	refused := func(want string, opts ...nest.KeyOption) {
		t.Helper()
		err := nest.Check(nest.Cluster("c", nest.Sub(nest.Key[int]("k", opts...))))
		require.ErrorIs(t, err, nest.ErrDeclaration)
		require.ErrorContains(t, err, want)
	}
	refused("need a TTL", nest.ReadThrough(nest.StaleFor(time.Second)))
	refused("need a TTL", nest.ReadThrough(nest.RefreshBefore(time.Second)))
	refused("must be less than the TTL, which is 1m0s", nest.TTL(60), nest.ReadThrough(nest.RefreshBefore(time.Minute)))
	refused("do not go with AutoRenew", nest.TTL(60), nest.AutoRenew(), nest.ReadThrough(nest.StaleFor(time.Second)))
	for _, o := range []nest.ReadThroughOption{nest.RefreshBefore(0), nest.StaleFor(-1), nest.NegativeTTL(0), nest.LoadLease(time.Microsecond), nil} {
		require.Panics(t, func() { nest.Key[int]("k", nest.ReadThrough(o)) })
	}
	require.Panics(t, func() { nest.Key[int]("k", nest.ReadThrough(), nest.ReadThrough()) })
	require.Panics(t, func() { nest.HyperLogLog[int]("k", nest.ReadThrough()) })
}

// sketch is a record whose hash can contain fields of an older program.
type sketch struct{ Title, Text string }

var (
	sketches   = nest.Record[sketch]("sketch:<id>", nest.TTL(100))
	sketchTree = nest.Cluster("sketches", nest.Sub(sketches))
)

// A hash can exist without any field of the record. The loaded record takes its place.
func TestLoadOfARecordWithoutAnyOfItsFields(t *testing.T) {
	t.Parallel()
	s := nesttest.Open(t, sketchTree)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	want := sketch{"a", "b"}
	for id := range 2 {
		_, err := sketches.At(s, id).Do(ctx, "HSET", "older", "1")
		require.NoError(t, err)
	}
	l := loader[sketch]{value: want}
	got, err := sketches.At(s, 0).GetOrLoad(ctx, l.load)
	require.NoError(t, err)
	require.Equal(t, want, got)
	all, err := nest.LoadMany(ctx, []int{0, 1, 2}, func(id int) nest.RecordRef[sketch] { return sketches.At(s, id) },
		func(_ context.Context, ids []int) (map[int]sketch, error) {
			loaded := make(map[int]sketch)
			for _, id := range ids {
				l.calls.Add(1)
				loaded[id] = want
			}
			return loaded, nil
		})
	require.NoError(t, err)
	require.EqualValues(t, 3, l.calls.Load())
	for id := range 3 {
		require.Equal(t, want, all[id].Value)
		got, err := sketches.At(s, id).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, want, got)
		left, err := sketches.At(s, id).TTL(ctx)
		require.NoError(t, err)
		require.Positive(t, left)
	}
}

func TestLoadManyOfNoNumber(t *testing.T) {
	t.Parallel()
	s := nesttest.Open(t, loadTree)
	_, err := nest.LoadMany(t.Context(), []float64{math.NaN()}, func(float64) nest.KeyRef[string] { return note.At(s, 1) },
		func(context.Context, []float64) (map[float64]string, error) { return nil, nil })
	require.ErrorIs(t, err, nest.ErrArgument)
}

// forgetful is a client that, while told to, loses the answers to scripts that the server has run.
type forgetful struct {
	rueidis.Client
	loses atomic.Bool
}

func (c *forgetful) lost(cmd rueidis.Completed) bool {
	return c.loses.Load() && cmd.Commands()[0] == "EVAL" && strings.Contains(cmd.Commands()[1], "'taken'")
}

func (c *forgetful) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	lost := c.lost(cmd)
	answer := c.Client.Do(ctx, cmd)
	if lost && answer.NonRedisError() == nil {
		return rueidis.NewErrorResult(context.DeadlineExceeded)
	}
	return answer
}

func (c *forgetful) DoMulti(ctx context.Context, cmds ...rueidis.Completed) []rueidis.RedisResult {
	lost := make([]bool, len(cmds))
	for i, cmd := range cmds {
		lost[i] = c.lost(cmd)
	}
	answers := c.Client.DoMulti(ctx, cmds...)
	for i := range answers {
		if lost[i] && answers[i].NonRedisError() == nil {
			answers[i] = rueidis.NewErrorResult(context.DeadlineExceeded)
		}
	}
	return answers
}

// A caller may never learn that it was allowed to load. The others do not wait for its lease, which
// is 10 s.
func TestALostPermissionToLoadHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	server := nesttest.Shared(t)
	prefix := nest.WithPrefix(server.Prefix(t))
	client := &forgetful{Client: server.Client(t)}
	first, err := nest.Open(client, loadTree, prefix)
	require.NoError(t, err)
	second := server.Open(t, loadTree, prefix)
	l := loader[string]{value: "loaded"}
	at := func(id int) nest.KeyRef[string] { return note.At(first, id) }

	client.loses.Store(true)
	_, err = at(1).GetOrLoad(t.Context(), l.load)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = nest.LoadMany(t.Context(), []int{2, 3}, at, func(context.Context, []int) (map[int]string, error) { panic("not to be called") })
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Zero(t, l.calls.Load())

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for id := 1; id <= 3; id++ {
		got, err := note.At(second, id).GetOrLoad(ctx, l.load)
		require.NoError(t, err)
		require.Equal(t, "loaded", got)
	}
}

// Companions of keys are deleted with them, whether or not they are below the scope's prefix
// themselves, and are never listed as keys.
func TestClearAndKeysKnowWhatStandsBesideKeys(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	missing := nest.Key[int]("missing:<id>", nest.ReadThrough(nest.NegativeTTL(time.Minute)))
	held := nest.Lock("held:<id>", nest.TTL(60))
	for what, opts := range map[string][]nest.ClusterOption{"plain": nil, "tagged": {nest.HashTag()}} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			beside := nest.Cluster("beside:<of>", append(opts, nest.Sub(missing, held))...)
			top := nesttest.Open(t, beside)
			s, other := beside.At(top, "a"), beside.At(top, "ab")
			none := func(context.Context) (int, error) { return 0, nest.ErrNotFound }
			seven := func(context.Context) (int, error) { return 7, nil }
			for _, at := range []nest.Scope{s, other} {
				_, err := missing.At(at, 1).GetOrLoad(ctx, none)
				require.ErrorIs(t, err, nest.ErrNotFound)
			}
			l, err := held.At(s, 1).Acquire(ctx, nest.NoExtend())
			require.NoError(t, err)
			names, err := s.Subkeys(ctx)
			require.NoError(t, err)
			require.Equal(t, []string{held.At(s, 1).Key()}, names)

			got, err := missing.At(s, 2).GetOrLoad(ctx, func(context.Context) (int, error) {
				_, err := s.Clear(ctx)
				return 2, err
			})
			require.NoError(t, err)
			require.Equal(t, 2, got)
			_, found, err := missing.At(s, 2).Lookup(ctx)
			require.NoError(t, err)
			require.False(t, found, "it was loaded before the scope was cleared")
			got, err = missing.At(s, 1).GetOrLoad(ctx, seven)
			require.NoError(t, err)
			require.Equal(t, 7, got, "the note is gone")
			_, err = missing.At(other, 1).GetOrLoad(ctx, seven)
			require.ErrorIs(t, err, nest.ErrNotFound, "the other scope is left alone")
			require.Error(t, l.Extend(ctx))
			next, err := held.At(s, 1).Acquire(ctx, nest.NoExtend())
			require.NoError(t, err)
			require.Greater(t, next.Token(), l.Token())
		})
	}
}
