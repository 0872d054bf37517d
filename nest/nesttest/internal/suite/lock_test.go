package suite_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// A long lease is for tests that must not depend on the load of the machine, a short one for tests
// that wait for its end.
const (
	longLease  = 30 * time.Second
	shortLease = 200 * time.Millisecond
	// steadyLease is for a lease that must not be lost while the machine is busy for a while.
	steadyLease = 3 * time.Second
)

var (
	job     = nest.Lock("job:<name>", nest.TTL(longLease))
	brief   = nest.Lock("brief", nest.TTL(shortLease))
	steady  = nest.Lock("steady", nest.TTL(steadyLease))
	tally   = nest.Key[int64]("tally")
	writers = nest.List[int64]("writers")
	work    = nest.Cluster("work", nest.HashTag(), nest.TTL(600), nest.AutoRenew(), nest.Sub(job, brief, steady, tally, writers))
)

func acquired(t *testing.T, r nest.LockRef, opts ...nest.LockOption) *nest.Lease {
	t.Helper()
	l, err := r.Acquire(t.Context(), opts...)
	require.NoError(t, err)
	return l
}

func tries(t *testing.T, r nest.LockRef, opts ...nest.LockOption) (*nest.Lease, bool) {
	t.Helper()
	l, ok, err := r.TryAcquire(t.Context(), opts...)
	require.NoError(t, err)
	require.Equal(t, ok, l != nil)
	return l, ok
}

// lapse lets a time pass for the server and for this process.
func lapse(t *testing.T, server *nesttest.Server, d time.Duration) {
	t.Helper()
	start := time.Now()
	server.Advance(t, d)
	time.Sleep(d - time.Since(start))
}

func TestLock(t *testing.T) {
	t.Parallel()
	s, db := nesttest.Open(t, work), redis{t, nesttest.Client(t)}
	ref := job.At(s, "import")
	held := func(want bool) {
		t.Helper()
		got, err := ref.Held(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	held(false)
	_, found, err := ref.Holder(t.Context())
	require.NoError(t, err)
	require.False(t, found)

	first := acquired(t, ref, nest.HolderName("worker 7"))
	held(true)
	require.NoError(t, first.Err())
	require.NoError(t, first.Context().Err())
	about(t, longLease, db.ttl(ref.Key()))
	about(t, longLease, first.Left())
	require.Less(t, first.Left(), longLease-longLease/100, "less the drift")
	holder, found, err := ref.Holder(t.Context())
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, nest.Holder{Name: "worker 7", Token: first.Token()}, holder)

	_, ok := tries(t, ref)
	require.False(t, ok)
	other, ok := tries(t, job.At(s, "export"))
	require.True(t, ok, "another lock")
	require.NoError(t, other.Release(t.Context()))

	require.NoError(t, first.Release(t.Context()))
	held(false)
	require.ErrorIs(t, first.Err(), nest.ErrLockReleased)
	require.ErrorIs(t, first.Context().Err(), context.Canceled)
	require.ErrorIs(t, context.Cause(first.Context()), nest.ErrLockReleased)
	require.ErrorIs(t, first.Extend(t.Context()), nest.ErrLockReleased)
	require.Zero(t, first.Left())

	second, ok := tries(t, ref)
	require.True(t, ok)
	require.Greater(t, second.Token(), first.Token())
	require.NoError(t, first.Release(t.Context()), "a second release does not release another holder's lease")
	held(true)
	require.NoError(t, second.Extend(t.Context()))
	require.NoError(t, second.Err())
	require.NoError(t, second.Release(t.Context()))
}

func TestLockLeavesNothingBehindThatStays(t *testing.T) {
	t.Parallel()
	s, db := nesttest.Open(t, work), redis{t, nesttest.Client(t)}
	ref := job.At(s, "import")
	l := acquired(t, ref)
	go func() {
		time.Sleep(20 * time.Millisecond)
		_ = l.Release(context.Background())
	}()
	require.NoError(t, acquired(t, ref).Release(t.Context()))
	n := 0
	for _, role := range []string{"", "%token", "%wake"} {
		there, err := db.do("EXISTS", ref.Key()+role).AsInt64()
		require.NoError(t, err)
		if there > 0 {
			require.NotEqual(t, nest.Forever, db.ttl(ref.Key()+role), role)
			n++
		}
	}
	require.NotZero(t, n)
	names, err := s.Subkeys(t.Context())
	require.NoError(t, err)
	require.Empty(t, names)
}

func TestLockWithoutALease(t *testing.T) {
	t.Parallel()
	bare := nest.Lock("lock")
	for _, tree := range []*nest.ClusterDef{
		nest.Cluster("root", nest.Sub(bare)),
		nest.Cluster("root", nest.TTL(60), nest.Sub(nest.Cluster("a", nest.NoTTL(), nest.Sub(bare)))),
	} {
		err := nest.Check(tree)
		require.ErrorIs(t, err, nest.ErrDeclaration)
		require.ErrorContains(t, err, "a lock needs a TTL, which is its lease")
		require.ErrorContains(t, err, "lock_test.go:")
	}
	require.ErrorContains(t, nest.Check(nest.Cluster("root", nest.TTL(time.Millisecond), nest.Sub(bare))), "at least 20ms")
	require.NoError(t, nest.Check(nest.Cluster("root", nest.TTL(60), nest.Sub(bare))))
	for option, o := range map[string]nest.KeyOption{
		"a TTL": nest.NoTTL(), "at least 20ms": nest.TTL(time.Millisecond), "AutoRenew": nest.AutoRenew(), "Jitter": nest.Jitter(0.1),
		"Cached": nest.Cached(time.Second), "Default": nest.Default(1),
	} {
		func() {
			defer func() { require.Contains(t, recover(), option) }()
			nest.Lock("lock", o)
		}()
	}
}

func TestLockExtendsItself(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	s := server.Open(t, work)
	kept, left := acquired(t, steady.At(s)), acquired(t, job.At(s, "x"), nest.NoExtend())
	for range 3 {
		// The embedded server's clock is separate from ours. The other servers share our clock.
		lapse(t, server, steadyLease/2)
		require.NoError(t, kept.Err())
	}
	require.NoError(t, kept.Release(t.Context()))
	require.NoError(t, left.Release(t.Context()))
}

func TestLockEndsWithoutExtension(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	s := server.Open(t, work)
	ref := brief.At(s)
	first := acquired(t, ref, nest.NoExtend())
	gone := make(chan struct{})
	context.AfterFunc(first.Context(), func() { close(gone) })
	_, err := db(t, server).do("SET", tally.At(s).Key(), "5").ToMessage()
	require.NoError(t, err)

	lapse(t, server, shortLease)
	require.ErrorIs(t, first.Err(), nest.ErrLockLost)
	require.ErrorIs(t, first.Context().Err(), context.Canceled)
	require.ErrorIs(t, context.Cause(first.Context()), nest.ErrLockLost)
	<-gone
	second, ok := tries(t, ref, nest.NoExtend())
	require.True(t, ok)
	require.Greater(t, second.Token(), first.Token())
	require.ErrorIs(t, first.Extend(t.Context()), nest.ErrLockLost)
	require.ErrorIs(t, first.Release(t.Context()), nest.ErrLockLost)
	require.ErrorIs(t, first.Release(t.Context()), nest.ErrLockLost, "the same again")
	held, err := ref.Held(t.Context())
	require.NoError(t, err)
	require.True(t, held, "the second holder's lease is left alone")
}

func db(t *testing.T, server *nesttest.Server) redis {
	t.Helper()
	return redis{t, server.Client(t)}
}

func TestLockTakenAway(t *testing.T) {
	t.Parallel()
	s := nesttest.Open(t, work)
	ref := job.At(s, "x")
	was, err := ref.ForceRelease(t.Context())
	require.NoError(t, err)
	require.False(t, was)

	first := acquired(t, ref)
	was, err = ref.ForceRelease(t.Context())
	require.NoError(t, err)
	require.True(t, was)
	second := acquired(t, ref)
	require.Greater(t, second.Token(), first.Token())
	require.ErrorIs(t, first.Extend(t.Context()), nest.ErrLockLost)
	require.ErrorIs(t, context.Cause(first.Context()), nest.ErrLockLost)
	require.ErrorIs(t, first.Release(t.Context()), nest.ErrLockLost)
	require.NoError(t, second.Extend(t.Context()))

	// If nothing else noticed, a release does.
	_, err = ref.ForceRelease(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, second.Release(t.Context()), nest.ErrLockLost)
	require.ErrorIs(t, second.Release(t.Context()), nest.ErrLockLost)

	// The background extension notices by itself.
	third := acquired(t, brief.At(s))
	_, err = brief.At(s).ForceRelease(t.Context())
	require.NoError(t, err)
	select {
	case <-third.Context().Done():
	case <-time.After(20 * time.Second):
		t.Fatal("the holder must notice")
	}
	require.ErrorIs(t, context.Cause(third.Context()), nest.ErrLockLost)
}

func TestLockTokensNeverGoBack(t *testing.T) {
	t.Parallel()
	s, db := nesttest.Open(t, work), redis{t, nesttest.Client(t)}
	ref := job.At(s, "x")
	tokenKey := ref.Key() + "%token"
	cycle := func() int64 {
		l := acquired(t, ref)
		require.NoError(t, l.Release(t.Context()))
		return l.Token()
	}
	last := cycle()
	next := func(why string) {
		t.Helper()
		n := cycle()
		require.Greater(t, n, last, why)
		last = n
	}
	for range 100 {
		next("in one microsecond")
	}
	_, err := s.Clear(t.Context())
	require.NoError(t, err)
	require.False(t, db.exists(tokenKey))
	next("the counter is gone")

	// The lock looks as if the server's clock had been set back by an hour.
	ahead := last + time.Hour.Microseconds()
	db.set(tokenKey, strconv.FormatInt(ahead, 10))
	last = ahead
	next("the clock was set back")
	require.Equal(t, ahead+1, last)
	next("the clock was set back")

	db.set(tokenKey, "no number")
	last = 0
	next("a counter that is not a number")
	db.set(tokenKey, strconv.FormatInt(1<<53-1, 10))
	_, _, err = ref.TryAcquire(t.Context())
	require.ErrorIs(t, err, nest.ErrOverflow)
	held, err := ref.Held(t.Context())
	require.NoError(t, err)
	require.False(t, held)
}

func TestLockOnStrangers(t *testing.T) {
	t.Parallel()
	s, db := nesttest.Open(t, work), redis{t, nesttest.Client(t)}
	ref := job.At(s, "x")
	for _, text := range []string{"", "x", strings.Repeat("x", 26), strings.Repeat("x", 27), strings.Repeat("x", 26) + " 1", strings.Repeat("x", 26) + " y z", strings.Repeat("\xff", 300)} {
		db.set(ref.Key(), text)
		_, ok := tries(t, ref)
		require.False(t, ok, "a foreign value holds the lock")
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := ref.Acquire(ctx)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, _, err = ref.Holder(t.Context())
		require.ErrorIs(t, err, nest.ErrDecode, "%q", text)
	}
	require.NoError(t, db.do("DEL", ref.Key()).Error())
	require.NoError(t, db.do("RPUSH", ref.Key(), "x").Error())
	_, _, err := ref.TryAcquire(t.Context())
	require.ErrorIs(t, err, nest.ErrWrongType)
	_, err = ref.Acquire(t.Context())
	require.ErrorIs(t, err, nest.ErrWrongType)

	_, err = job.At(s).Acquire(t.Context()) //nest:ignore the error is what is tested
	require.ErrorIs(t, err, nest.ErrMissingParam)
	err = job.At(s).Run(t.Context(), func(context.Context, *nest.Lease) error { panic("not run") }) //nest:ignore the error is what is tested
	require.ErrorIs(t, err, nest.ErrMissingParam)
	_, _, err = nest.LockRef{}.TryAcquire(t.Context())
	require.ErrorIs(t, err, nest.ErrNoClient)
	require.ErrorIs(t, nest.LockRef{}.Run(t.Context(), nil), nest.ErrNoClient)
	require.ErrorIs(t, ref.Run(t.Context(), nil), nest.ErrArgument)
	for r, wants := range map[nest.LockRef]error{{}: nest.ErrNoClient, ref: nest.ErrArgument, job.At(s): nest.ErrMissingParam} { //nest:ignore the errors are what is tested
		_, err := r.TryRun(t.Context(), nil)
		require.ErrorIs(t, err, wants)
	}
	_, err = ref.Acquire(t.Context(), nil)
	require.ErrorIs(t, err, nest.ErrArgument)
	_, err = ref.Acquire(t.Context(), nest.HolderName(strings.Repeat("x", 257)))
	require.ErrorIs(t, err, nest.ErrArgument)
	var zero nest.Lease
	require.Error(t, zero.Err())
	require.Error(t, zero.Context().Err())
	require.Error(t, zero.Extend(t.Context()))
	require.Error(t, zero.Release(t.Context()))
	require.Zero(t, zero.Left())
	require.Error(t, zero.Guard(s.Atomic()).Exec(t.Context()))
}

func TestLockWaits(t *testing.T) {
	t.Parallel()
	s, other := nesttest.Open(t, work), nesttest.Client(t)
	ref := job.At(s, "x")
	// Waiters in another process use another tree.
	elsewhere, err := nest.Open(other, work, nest.WithPrefix(strings.TrimSuffix(s.Prefix(), ":{work}")))
	require.NoError(t, err)
	far := job.At(elsewhere, "x")
	require.Equal(t, ref.Key(), far.Key())

	first := acquired(t, ref)
	var order []int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 5 {
		wg.Go(func() {
			l, err := ref.Acquire(t.Context())
			if !assert.NoError(t, err) {
				return
			}
			mu.Lock()
			order = append(order, i)
			mu.Unlock()
			assert.NoError(t, l.Release(t.Context()))
		})
		time.Sleep(10 * time.Millisecond) // so that they queue in this order
	}
	var farHad atomic.Bool
	wg.Go(func() {
		l, err := far.Acquire(t.Context())
		if assert.NoError(t, err) {
			farHad.Store(true)
			assert.NoError(t, l.Release(t.Context()))
		}
	})
	time.Sleep(20 * time.Millisecond)
	require.Empty(t, order)
	start := time.Now()
	require.NoError(t, first.Release(t.Context()))
	wg.Wait()
	require.Equal(t, []int{0, 1, 2, 3, 4}, order)
	require.True(t, farHad.Load())
	require.Less(t, time.Since(start), longLease/2, "nobody waits for the lease's end")
}

// Waiters are woken; they do not poll.
func TestLockWaitersAreQuiet(t *testing.T) {
	t.Parallel()
	s := nesttest.Open(t, work)
	ref := job.At(s, "x")
	first := acquired(t, ref)
	var wg sync.WaitGroup
	var latest atomic.Int64
	released := make(chan time.Time, 1)
	for range 100 {
		wg.Go(func() {
			assert.NoError(t, ref.Run(t.Context(), func(context.Context, *nest.Lease) error {
				select {
				case at := <-released:
					latest.Store(int64(time.Since(at)))
				default:
				}
				return nil
			}))
		})
	}
	time.Sleep(100 * time.Millisecond)
	released <- time.Now()
	require.NoError(t, first.Release(t.Context()))
	wg.Wait()
	t.Logf("the first of a hundred waiters had the lock %v after its release", time.Duration(latest.Load()))
}

func TestLockWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := nesttest.Open(t, work)
	ref := job.At(s, "x")
	first := acquired(t, ref)
	together(4, func(int) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		start := time.Now()
		l, err := ref.Acquire(ctx)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Nil(t, l)
		assert.Less(t, time.Since(start), 10*time.Second)
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := ref.Acquire(ctx)
	require.ErrorIs(t, err, context.Canceled)
	_, _, err = ref.TryAcquire(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, first.Err(), "others give up and the holder does not notice")

	// A release whose context has ended is made all the same.
	require.ErrorIs(t, first.Release(ctx), context.Canceled)
	require.ErrorIs(t, first.Err(), nest.ErrLockReleased)
	second := acquired(t, ref)
	require.NoError(t, second.Release(t.Context()))
	require.NoError(t, first.Release(t.Context()), "it was released, by an attempt whose answer nobody read")
}

func TestLockOfADeadHolder(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	s := server.Open(t, work)
	ref := brief.At(s)
	acquired(t, ref, nest.NoExtend()) // and nobody releases it
	start := time.Now()
	done := make(chan error, 1)
	go func() {
		l, err := ref.Acquire(t.Context())
		if err == nil {
			err = l.Release(t.Context())
		}
		done <- err
	}()
	lapse(t, server, shortLease)
	require.NoError(t, <-done)
	require.Less(t, time.Since(start), 20*time.Second)

	// A lease whose key an operator deletes does not stay valid until its end either.
	long := job.At(s, "x")
	acquired(t, long, nest.NoExtend())
	go func() {
		time.Sleep(10 * time.Millisecond)
		_, _ = long.Delete(context.WithoutCancel(t.Context()))
	}()
	start = time.Now()
	require.NoError(t, acquired(t, long).Release(t.Context()))
	require.Less(t, time.Since(start), longLease/2)
}

// runs are the ways to run something while a lock is held, of a lock that is free.
var runs = map[string]func(context.Context, nest.LockRef, func(context.Context, *nest.Lease) error) error{
	"run": func(ctx context.Context, r nest.LockRef, do func(context.Context, *nest.Lease) error) error {
		return r.Run(ctx, do)
	},
	"try run": func(ctx context.Context, r nest.LockRef, do func(context.Context, *nest.Lease) error) error {
		ran, err := r.TryRun(ctx, do)
		if !ran {
			return errors.Join(err, errors.New("it did not run"))
		}
		return err
	},
}

func TestLockRun(t *testing.T) {
	t.Parallel()
	s := nesttest.Open(t, work)
	for name, run := range runs {
		t.Run(name, func(t *testing.T) { testRun(t, s, run) })
	}
	lease := acquired(t, job.At(s, "y"))
	ran, err := job.At(s, "y").TryRun(t.Context(), func(context.Context, *nest.Lease) error { panic("another has it") })
	require.NoError(t, err)
	require.False(t, ran)
	require.NoError(t, lease.Release(t.Context()))
}

func testRun(t *testing.T, s nest.Scope, run func(context.Context, nest.LockRef, func(context.Context, *nest.Lease) error) error) {
	t.Helper()
	ref := job.At(s, "x")
	held := func() bool {
		h, err := ref.Held(context.Background())
		require.NoError(t, err)
		return h
	}
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, 7)
	require.NoError(t, run(ctx, ref, func(ctx context.Context, l *nest.Lease) error {
		require.True(t, held())
		require.Positive(t, l.Token())
		require.Equal(t, 7, ctx.Value(key{}))
		return nil
	}))
	require.False(t, held())

	failed := errors.New("failed")
	require.Equal(t, failed, run(ctx, ref, func(context.Context, *nest.Lease) error { return failed }))
	require.False(t, held())
	require.PanicsWithValue(t, "at the disco", func() {
		_ = run(ctx, ref, func(context.Context, *nest.Lease) error { panic("at the disco") })
	})
	require.False(t, held())

	// When the context ends, the function ends, and the lock is released all the same.
	ctx, cancel := context.WithCancel(ctx)
	err := run(ctx, ref, func(ctx context.Context, _ *nest.Lease) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	require.Equal(t, context.Canceled, err)
	require.False(t, held())

	err = run(t.Context(), brief.At(s), func(ctx context.Context, _ *nest.Lease) error {
		_, err := brief.At(s).ForceRelease(t.Context())
		require.NoError(t, err)
		<-ctx.Done()
		require.ErrorIs(t, context.Cause(ctx), nest.ErrLockLost)
		return failed
	})
	require.ErrorIs(t, err, failed)
	require.ErrorIs(t, err, nest.ErrLockLost)
}

func TestLockGuard(t *testing.T) {
	t.Parallel()
	s := nesttest.Open(t, work)
	ref := job.At(s, "x")
	write := func(l *nest.Lease, n int64) error {
		b := l.Guard(s.Atomic())
		tally.At(s).In(b).Set(n)
		writers.At(s).In(b).PushRight(l.Token())
		return b.Exec(t.Context())
	}
	read := func() int64 {
		n, _, err := tally.At(s).Lookup(t.Context())
		require.NoError(t, err)
		return n
	}
	first := acquired(t, ref)
	require.NoError(t, write(first, 1))
	require.EqualValues(t, 1, read())

	_, err := ref.ForceRelease(t.Context())
	require.NoError(t, err)
	second := acquired(t, ref)
	require.NoError(t, write(second, 2))
	require.NoError(t, first.Err(), "the lease does not know yet")
	b := first.Guard(s.Atomic())
	done := tally.At(s).In(b).Set(1)
	n := tally.At(s).In(b).Get()
	err = b.Exec(t.Context())
	require.ErrorIs(t, err, nest.ErrLockLost)
	require.ErrorIs(t, err, nest.ErrAborted)
	require.ErrorIs(t, done.Err(), nest.ErrLockLost)
	_, err = n.Value()
	require.ErrorIs(t, err, nest.ErrLockLost)
	require.EqualValues(t, 2, read(), "an expired holder that still writes is refused")
	require.ErrorIs(t, first.Err(), nest.ErrLockLost, "and the lease knows from then on")
	b = first.Guard(s.Atomic())
	done = tally.At(s).In(b).Set(1)
	for _, err := range []error{b.Exec(t.Context()), done.Err()} {
		require.ErrorIs(t, err, nest.ErrLockLost)
		require.ErrorIs(t, err, nest.ErrUnsent, "it is known to be lost")
		require.NotErrorIs(t, err, nest.ErrAborted)
		require.Equal(t, 1, strings.Count(err.Error(), "not sent: the lock is lost: "), err)
		shaped(t, err)
	}
	require.ErrorIs(t, first.Err(), nest.ErrLockLost)
	require.NotErrorIs(t, first.Err(), nest.ErrUnsent, "that error belongs to the batch")

	// Of two leases, one is lost.
	third := acquired(t, job.At(s, "y"))
	b = third.Guard(second.Guard(s.Atomic()))
	tally.At(s).In(b).Set(3)
	require.NoError(t, b.Exec(t.Context()))
	_, err = job.At(s, "y").ForceRelease(t.Context())
	require.NoError(t, err)
	b = third.Guard(second.Guard(s.Atomic()))
	tally.At(s).In(b).Set(4)
	require.ErrorIs(t, b.Exec(t.Context()), nest.ErrLockLost)
	require.EqualValues(t, 3, read())
	require.NoError(t, second.Err())
	require.NoError(t, second.Release(t.Context()))
	err = write(second, 5)
	require.ErrorIs(t, err, nest.ErrLockReleased)
	require.ErrorIs(t, err, nest.ErrUnsent)

	tokens, err := writers.At(s).All(t.Context())
	require.NoError(t, err)
	require.Equal(t, []int64{first.Token(), second.Token()}, tokens)
}

func TestLockGuardMisused(t *testing.T) {
	t.Parallel()
	far := nest.Key[int]("far")
	tree := nest.Cluster("root", nest.Sub(work, far))
	s, stranger := nesttest.Open(t, tree), nesttest.Open(t, tree)
	l := acquired(t, job.At(s, "x"))
	misuse := func(b *nest.Batch, want error) {
		t.Helper()
		done := far.At(s).In(b).Set(1)
		require.ErrorIs(t, b.Exec(t.Context()), want)
		require.Error(t, done.Err())
		_, found, err := far.At(s).Lookup(t.Context())
		require.NoError(t, err)
		require.False(t, found)
	}
	misuse(l.Guard(s.Batch()), nest.ErrBatch)
	misuse(l.Guard(stranger.Atomic()), nest.ErrBatch)
	misuse(l.Guard(s.Atomic()), nest.ErrCrossSlot)
	ran := s.Atomic()
	require.NoError(t, ran.Exec(t.Context()))
	misuse(l.Guard(ran), nest.ErrBatch)
	require.Nil(t, l.Guard(nil))
	require.Error(t, l.Guard(new(nest.Batch)).Exec(t.Context()))
	require.NoError(t, l.Guard(s.Atomic()).Exec(t.Context()), "an empty one")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, l.Guard(s.Atomic()).Exec(ctx), context.Canceled)
}

// Extensions and waiters touch the lock without causing the holder's guarded writes to fail.
func TestLockGuardBesideExtensions(t *testing.T) {
	t.Parallel()
	s := nesttest.Open(t, work)
	ref := job.At(s, "x")
	l := acquired(t, ref)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				_ = l.Extend(ctx)
			}
		})
	}
	const n = 50
	for range n {
		b := l.Guard(s.Atomic())
		writers.At(s).In(b).PushRight(1)
		require.NoError(t, b.Exec(t.Context()))
	}
	cancel()
	wg.Wait()
	got, err := writers.At(s).Len(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, n, got)
	require.NoError(t, l.Release(t.Context()))
}

func TestLockObserved(t *testing.T) {
	t.Parallel()
	var seen events
	s := nesttest.Open(t, work, nest.WithObserver(&seen))
	ref := job.At(s, "x")
	require.NoError(t, ref.Run(t.Context(), func(_ context.Context, l *nest.Lease) error { return l.Extend(t.Context()) }))
	_, ok := tries(t, ref)
	require.True(t, ok)
	b := s.Batch()
	held := ref.In(b).Held()
	holder := ref.In(b).Holder()
	forced := ref.In(b).ForceRelease()
	require.NoError(t, b.Exec(t.Context()))
	yes, err := held.Value()
	require.NoError(t, err)
	require.True(t, yes)
	_, found, err := holder.Value()
	require.NoError(t, err)
	require.True(t, found)
	yes, err = forced.Value()
	require.NoError(t, err)
	require.True(t, yes)
	require.Equal(t, []string{"acquire", "extend", "release", "try acquire", "batch", "held", "holder", "force release"}, slices.Clone(seen.ops()))
}
