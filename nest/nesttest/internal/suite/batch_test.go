package suite_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
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

	_, err := age.Value() //nest:ignore the batch is refused
	require.ErrorIs(t, err, nest.ErrBatch)
	_, _, err = other.Value() //nest:ignore the batch is refused
	require.ErrorIs(t, err, nest.ErrBatch)

	require.NoError(t, b.Exec(ctx), "a missing key is no failure of the batch")

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
	needsAnyCommand(t)
	ctx := t.Context()
	root := nesttest.Open(t, batchUsers)
	u := batchUser.At(root, 1)
	_, err := batchName.At(u).Do(ctx, "LPUSH", "x")
	require.NoError(t, err)

	b := root.Batch()
	wrong := batchName.At(u).In(b).Get()
	bad := batchItem.At(u, "").In(b).Get() //nest:ignore the error is what is tested
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
	late := batchAge.At(u).In(b).Set(2) //nest:ignore the batch is refused
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
	require.Equal(t, []string{"batch", "set", "get"}, seen.ops())
}

// events collects the events that an observer receives.
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

// moody is a value whose encoder panics when told to.
type moody struct{ Panics bool }

func (m moody) MarshalJSON() ([]byte, error) {
	if m.Panics {
		panic("no mood")
	}
	return []byte("{}"), nil
}

// An operation whose encoder panics is not in the batch. The rest is sent without it.
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

// One list of items serves many batches, even when they run at the same time.
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
			together(2, func(int) { _ = b.Exec(t.Context()) }) // only one of them runs it
			assert.ErrorIs(t, b.Exec(t.Context()), nest.ErrBatch)
			assert.NoError(t, set.Err())
			got, err := get.Value()
			assert.NoError(t, err)
			assert.Equal(t, strconv.FormatInt(id, 10), got)
		}
	})
	require.Len(t, seen.ops(), (1+2)*goroutines*rounds, "the batch, and each operation")
}

// The error of a batch that failed as a whole had one line for each operation.
func TestErrorsOfLargeBatchesAreShort(t *testing.T) {
	t.Parallel()
	const n = 10_000
	root := nesttest.Open(t, batchUsers)
	b := root.Batch()
	futures := make([]*nest.Done, n)
	for i := range futures {
		if i == n-1 {
			futures[i] = batchName.At(root).In(b).Set("no id") //nest:ignore it is what is tested
			continue
		}
		futures[i] = batchName.At(root, 1).In(b).Set("Ali", nest.ExpireIn(-1))
	}
	err := b.Exec(t.Context())
	require.ErrorIs(t, err, nest.ErrArgument)
	require.ErrorIs(t, err, nest.ErrMissingParam, "the last one")
	require.Less(t, len(err.Error()), 4000)
	require.Equal(t, 8, strings.Count(err.Error(), "\n"))
	require.Contains(t, err.Error(), "and 9992 more errors")
	all, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok)
	require.Len(t, all.Unwrap(), n)
	for _, f := range futures {
		require.Error(t, f.Err())
	}
}

// using is a value whose encoder uses the batch that it is added to.
type using struct{ b *nest.Batch }

func (u using) MarshalJSON() ([]byte, error) { return []byte(strconv.Itoa(u.b.Len())), nil }
func (u *using) UnmarshalJSON([]byte) error  { return nil }

// While a value was encoded, everyone else who used the batch had to wait, including the encoder.
func TestEncodersMayUseTheBatch(t *testing.T) {
	t.Parallel()
	key := nest.Key[using]("using", nest.Codec(codec.JSON))
	s := nesttest.Open(t, nest.Cluster("encoders", nest.Sub(key)))
	b := s.Batch()
	filled := make(chan *nest.Done)
	go func() { filled <- key.At(s).In(b).Set(using{b}) }()
	select {
	case set := <-filled:
		require.NoError(t, b.Exec(t.Context()))
		require.NoError(t, set.Err())
	case <-time.After(10 * time.Second):
		t.Fatal("filling the batch waits for itself")
	}
}
