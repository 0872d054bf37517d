package suite_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
)

func TestConsumeWithWorkers(t *testing.T) {
	t.Parallel()
	ref, _ := openStream[int](t)
	fillStream(t, ref, 40)
	var h handled
	var together sync.WaitGroup
	together.Add(4) // the first four wait for each other
	var running, most atomic.Int64
	stop := consuming(t, ref, "a", func(_ context.Context, d nest.Delivery[int]) error {
		now := running.Add(1)
		defer running.Add(-1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		if d.Value <= 4 {
			together.Done()
			together.Wait()
		}
		h.take(d)
		return nil
	}, nest.Workers(4), nest.Count(3))
	eventually(t, func() bool { return h.ids() == 40 && pendingIn(t, ref) == 0 })
	require.NoError(t, stop())
	require.EqualValues(t, 4, most.Load())
	for id, attempts := range h.attempts {
		require.Equal(t, []int64{1}, attempts, id)
	}
}

// Entries whose handlers fail are tried again, the others are acknowledged, and those that another
// consumer has left are taken over, all by several workers.
func TestWorkersTryAgain(t *testing.T) {
	t.Parallel()
	ref, _ := openStream[int](t)
	fillStream(t, ref, 20)
	_, err := ref.CreateGroup(t.Context(), "g", "")
	require.NoError(t, err)
	_, err = ref.ReadGroup(t.Context(), "g", "dead", nest.Count(10))
	require.NoError(t, err)
	var h handled
	var told []error // the function is called once at a time
	stop := consuming(t, ref, "a", func(_ context.Context, d nest.Delivery[int]) error {
		h.take(d)
		if d.Value%2 == 0 && d.Attempt < 3 {
			return errors.New("not yet")
		}
		return nil
	}, nest.Workers(8), nest.ClaimAfter(soon), nest.OnError(func(err error) { told = append(told, err) }))
	eventually(t, func() bool { return h.ids() == 20 && pendingIn(t, ref) == 0 })
	require.NoError(t, stop())
	require.Equal(t, []int64{2, 3}, h.attempts["2-0"], "the first was the dead consumer's")
	require.Equal(t, []int64{2}, h.attempts["1-0"])
	require.Equal(t, []int64{1, 2, 3}, h.attempts["20-0"])
	require.GreaterOrEqual(t, len(told), 5+2*5)
}

func TestWorkersAndDeadLetters(t *testing.T) {
	t.Parallel()
	ref, _ := openStream[int](t)
	fillStream(t, ref, 12)
	var h handled
	var dead handled
	stop := consuming(t, ref, "a", func(_ context.Context, d nest.Delivery[int]) error {
		h.take(d)
		if d.Value%3 == 0 {
			return errors.New("never")
		}
		return nil
	}, nest.Workers(4), nest.ClaimAfter(soon), nest.DeadLetter(2, func(_ context.Context, d nest.Delivery[int]) error {
		dead.take(d)
		return nil
	}))
	eventually(t, func() bool { return dead.ids() == 4 && h.ids() == 12 && pendingIn(t, ref) == 0 })
	require.NoError(t, stop())
	require.Equal(t, []int64{1, 2}, h.attempts["3-0"])
	require.Equal(t, []int64{3}, dead.attempts["3-0"])
	require.Len(t, h.attempts["4-0"], 1)
}

// When the context ends, Consume returns once all handlers have, and what was not handled is
// pending.
func TestWorkersStop(t *testing.T) {
	t.Parallel()
	ref, _ := openStream[int](t)
	fillStream(t, ref, 8)
	var begun, ended atomic.Int64
	stop := consuming(t, ref, "a", func(ctx context.Context, d nest.Delivery[int]) error {
		begun.Add(1)
		defer ended.Add(1)
		<-ctx.Done()
		if d.Value == 1 {
			return nil // it is acknowledged all the same
		}
		return ctx.Err()
	}, nest.Workers(4), nest.OnError(func(err error) { t.Error(err) }))
	eventually(t, func() bool { return begun.Load() == 4 })
	require.NoError(t, stop())
	require.EqualValues(t, 4, begun.Load())
	require.EqualValues(t, 4, ended.Load(), "no handler is left")
	require.EqualValues(t, 7, pendingIn(t, ref))
}

// What is read counts as an attempt, so that no more is read than there are workers.
func TestWorkersReadNoMoreDeadLettersThanTheyHandle(t *testing.T) {
	t.Parallel()
	ref, _ := openStream[int](t)
	fillStream(t, ref, 6)
	var begun atomic.Int64
	stop := consuming(t, ref, "a", func(ctx context.Context, _ nest.Delivery[int]) error {
		begun.Add(1)
		<-ctx.Done()
		return ctx.Err()
	}, nest.Workers(3), nest.DeadLetter(2, func(context.Context, nest.Delivery[int]) error { return nil }))
	eventually(t, func() bool { return begun.Load() == 3 })
	require.NoError(t, stop())
	pending, err := ref.Pending(t.Context(), "g", nest.PendingQuery{})
	require.NoError(t, err)
	require.Len(t, pending, 3)
}

func TestAPanicOfAWorkerReachesTheCaller(t *testing.T) {
	t.Parallel()
	ref, _ := openStream[int](t)
	fillStream(t, ref, 4)
	var begun sync.WaitGroup
	begun.Add(4)
	var others atomic.Int64
	require.PanicsWithValue(t, "handler", func() {
		_ = ref.Consume(t.Context(), "g", "a", func(ctx context.Context, d nest.Delivery[int]) error {
			begun.Done()
			begun.Wait()
			if d.Value == 3 {
				panic("handler")
			}
			<-ctx.Done()
			others.Add(1)
			return ctx.Err()
		}, nest.Workers(4))
	})
	require.EqualValues(t, 3, others.Load(), "the other handlers have ended")
	require.EqualValues(t, 4, pendingIn(t, ref))

	left := make(chan bool, 1)
	go func() {
		returned := false
		defer func() { left <- returned }()
		_ = ref.Consume(t.Context(), "g", "a", func(context.Context, nest.Delivery[int]) error {
			runtime.Goexit()
			return nil
		}, nest.Workers(2))
		returned = true
	}()
	require.False(t, <-left, "a handler that ends its goroutine ends that of Consume")
}

func TestWorkersAreAtLeastOne(t *testing.T) {
	t.Parallel()
	ref, _ := openStream[int](t)
	for _, n := range []int{0, -1} {
		err := ref.Consume(t.Context(), "g", "a", func(context.Context, nest.Delivery[int]) error { return nil }, nest.Workers(n))
		require.ErrorIs(t, err, nest.ErrArgument)
	}
}
