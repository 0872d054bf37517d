package suite_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

var (
	batchAge   = nest.Key[int]("age", nest.Default(7))
	batchName  = nest.Key[string]("name")
	batchItem  = nest.Key[int]("item:<n>")
	batchUser  = nest.Cluster("user:<id>", nest.TTL(120), nest.HashTag(), nest.Sub(batchAge, batchName, batchItem))
	batchUsers = nest.Cluster("batches", nest.Sub(batchUser))
)

func TestBatchGivesWhatCallsGive(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := nesttest.Open(t, batchUsers)
	u, v := batchUser.At(root, 1), batchUser.At(root, 2)
	require.NoError(t, batchName.At(v).Set(ctx, "Bea"))

	b := root.Batch()
	age := batchAge.At(u).In(b).Get()
	set := batchName.At(u).In(b).Set("Ali")
	name := batchName.At(u).In(b).Get()
	missing := batchAge.At(v).In(b).Lookup()
	other := batchName.At(v).In(b).Lookup()
	ttl := batchName.At(u).In(b).TTL()
	absent := batchItem.At(u, 1).In(b).Get()
	gone := batchName.At(v).In(b).Delete()
	require.Equal(t, 8, b.Len())

	_, err := age.Value()
	require.ErrorIs(t, err, nest.ErrBatch)
	_, _, err = other.Value()
	require.ErrorIs(t, err, nest.ErrBatch)

	require.NoError(t, b.Exec(ctx), "that a key is missing is no failure of the batch")

	got, err := age.Value()
	require.NoError(t, err)
	require.Equal(t, 7, got, "the default")
	require.NoError(t, set.Err())
	text, err := name.Value()
	require.NoError(t, err)
	require.Equal(t, "Ali", text)
	_, found, err := missing.Value()
	require.NoError(t, err)
	require.False(t, found)
	text, found, err = other.Value()
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "Bea", text)
	left, err := ttl.Value()
	require.NoError(t, err)
	require.InDelta(t, 120, left.Seconds(), 5)
	require.ErrorIs(t, absent.Err(), nest.ErrNotFound)
	deleted, err := gone.Value()
	require.NoError(t, err)
	require.True(t, deleted)
}

func TestBatchErrorsAreEachOperationsOwn(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := nesttest.Open(t, batchUsers)
	u := batchUser.At(root, 1)
	_, err := batchName.At(u).Do(ctx, "LPUSH", "x")
	require.NoError(t, err)

	b := root.Batch()
	wrong := batchName.At(u).In(b).Get()
	bad := batchItem.At(u, "").In(b).Get()
	good := batchAge.At(u).In(b).Set(5)
	err = b.Exec(ctx)
	require.ErrorIs(t, err, nest.ErrWrongType)
	require.ErrorIs(t, err, nest.ErrParamValue)
	require.ErrorIs(t, wrong.Err(), nest.ErrWrongType)
	require.ErrorIs(t, bad.Err(), nest.ErrParamValue)
	require.NoError(t, good.Err())
	age, err := batchAge.At(u).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, 5, age)
}

func TestBatchIsRunOnce(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := nesttest.Open(t, batchUsers)
	u := batchUser.At(root, 1)
	b := root.Batch()
	batchAge.At(u).In(b).Set(1)
	require.NoError(t, b.Exec(ctx))
	late := batchAge.At(u).In(b).Set(2)
	require.ErrorIs(t, late.Err(), nest.ErrBatch)
	require.ErrorIs(t, b.Exec(ctx), nest.ErrBatch)
	age, err := batchAge.At(u).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, 1, age)

	require.NoError(t, root.Batch().Exec(ctx), "an empty batch sends nothing")
	require.NoError(t, root.Atomic().Exec(ctx))
	require.ErrorIs(t, (&nest.Future[int]{}).Err(), nest.ErrBatch)
	require.ErrorIs(t, batchAge.At(u).In(nil).Get().Err(), nest.ErrBatch)
	require.Error(t, nest.Scope{}.Batch().Exec(ctx))
}

func TestBatchOfManyKeepsItsOrder(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := nesttest.Open(t, batchUsers)
	u := batchUser.At(root, 1)
	const n = 5500
	b := root.Batch()
	reads := make([]*nest.Future[int], n)
	for i := range n {
		batchItem.At(u, i).In(b).Set(i)
		reads[i] = batchItem.At(u, i).In(b).Get()
	}
	require.NoError(t, b.Exec(ctx))
	for i, f := range reads {
		v, err := f.Value()
		require.NoError(t, err)
		require.Equal(t, i, v)
	}
}

func TestBatchIsFilledByManyGoroutines(t *testing.T) {
	t.Parallel()
	root := nesttest.Open(t, batchUsers)
	u := batchUser.At(root, 1)
	b := root.Batch()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				batchItem.At(u, g*50+i).In(b).Set(i)
			}
		})
	}
	wg.Wait()
	require.NoError(t, b.Exec(t.Context()))
	keys, err := u.Subkeys(t.Context())
	require.NoError(t, err)
	require.Len(t, keys, 400)
}

func TestAtomicIsAppliedWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := nesttest.Open(t, batchUsers)
	u := batchUser.At(root, 1)

	b := root.Atomic()
	batchName.At(u).In(b).Set("Ali")
	name := batchName.At(u).In(b).Get()
	missing := batchItem.At(u, 1).In(b).Get()
	require.NoError(t, b.Exec(ctx))
	text, err := name.Value()
	require.NoError(t, err)
	require.Equal(t, "Ali", text)
	require.ErrorIs(t, missing.Err(), nest.ErrNotFound)

	b = root.Atomic()
	first := batchName.At(u).In(b).Set("Bea")
	batchName.At(u).In(b).Set("Bea", nest.ExpireIn(-time.Second))
	err = b.Exec(ctx)
	require.ErrorIs(t, err, nest.ErrArgument)
	require.ErrorIs(t, first.Err(), nest.ErrUnsent)
	text, err = batchName.At(u).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, "Ali", text, "nothing was sent")
}

func TestAtomicRefusesSeveralSlots(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := nesttest.Open(t, batchUsers)
	b := root.Atomic()
	f := batchName.At(root, 1).In(b).Set("Ali")
	batchName.At(root, 2).In(b).Set("Bea")
	require.ErrorIs(t, b.Exec(ctx), nest.ErrCrossSlot)
	require.ErrorIs(t, f.Err(), nest.ErrCrossSlot)
	keys, err := root.Subkeys(ctx)
	require.NoError(t, err)
	require.Empty(t, keys)
}

func TestABatchWhoseContextIsOverChangesNothing(t *testing.T) {
	t.Parallel()
	root := nesttest.Open(t, batchUsers)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, b := range []*nest.Batch{root.Batch(), root.Atomic()} {
		f := batchName.At(root, 1).In(b).Set("Ali")
		require.ErrorIs(t, b.Exec(ctx), context.Canceled)
		require.ErrorIs(t, f.Err(), context.Canceled)
	}
	ok, err := batchName.At(root, 1).Exists(t.Context())
	require.NoError(t, err)
	require.False(t, ok)
}

func TestABatchOfAnotherClientIsRefused(t *testing.T) {
	t.Parallel()
	root := nesttest.Open(t, batchUsers)
	offline, err := nest.Open(nil, batchUsers, nest.NamesOnly())
	require.NoError(t, err)
	b := root.Batch()
	f := batchName.At(offline, 1).In(b).Get()
	require.ErrorIs(t, b.Exec(t.Context()), nest.ErrBatch)
	require.ErrorIs(t, f.Err(), nest.ErrBatch)
}

func TestObserversSeeEachOperationOfABatch(t *testing.T) {
	t.Parallel()
	seen := &events{}
	root := nesttest.Open(t, batchUsers, nest.WithObserver(seen))
	b := root.Batch()
	batchName.At(root, 1).In(b).Set("Ali")
	batchAge.At(root, 1).In(b).Get()
	require.NoError(t, b.Exec(t.Context()))
	require.Equal(t, []string{"set", "get"}, seen.ops())
}

// events collects what an observer is told.
type events struct {
	mu  sync.Mutex
	all []nest.Event
}

func (e *events) Observe(_ context.Context, event nest.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

func (e *events) ops() (names []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.all {
		names = append(names, event.Op)
	}
	return names
}

// moody is a value whose encoder panics when it is told to.
type moody struct{ Panics bool }

func (m moody) MarshalJSON() ([]byte, error) {
	if m.Panics {
		panic("no mood")
	}
	return []byte("{}"), nil
}

// What an encoder that panics was to write is not in the batch: the rest is sent without it.
func TestBatchAfterAnEncoderPanicked(t *testing.T) {
	t.Parallel()
	moods := nest.Key[moody]("moods")
	s := nesttest.Open(t, nest.Cluster("batched:<n>", nest.HashTag(), nest.Sub(moods, nest.Key[int]("age"))))
	for i, start := range []func() *nest.Batch{s.Batch, s.Atomic} {
		b := start()
		require.Panics(t, func() { moods.At(s, i).In(b).Set(moody{Panics: true}) })
		require.Zero(t, b.Len())
		set := moods.At(s, i).In(b).Set(moody{})
		require.NoError(t, b.Exec(t.Context()))
		require.NoError(t, set.Err())
	}
}

// One list of items serves many batches, also of those that run at the same time.
func TestBatchesBesideEachOther(t *testing.T) {
	t.Parallel()
	var seen events
	s := nesttest.Open(t, batchUsers, nest.WithObserver(&seen))
	const goroutines, rounds = 8, 50
	together(goroutines, func(g int) {
		for i := range rounds {
			id := int64(g*rounds + i)
			b := s.Batch()
			set := batchName.At(s, id).In(b).Set(strconv.FormatInt(id, 10))
			get := batchName.At(s, id).In(b).Get()
			together(2, func(int) { _ = b.Exec(t.Context()) }) // of which one runs it
			assert.ErrorIs(t, b.Exec(t.Context()), nest.ErrBatch)
			assert.NoError(t, set.Err())
			got, err := get.Value()
			assert.NoError(t, err)
			assert.Equal(t, strconv.FormatInt(id, 10), got)
		}
	})
	require.Len(t, seen.ops(), 2*goroutines*rounds)
}
