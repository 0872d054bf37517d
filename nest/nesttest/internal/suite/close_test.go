package suite_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

var (
	closedPrice = nest.Key[int]("price:<n>", nest.TTL(time.Hour), nest.ReadThrough(nest.RefreshBefore(30*time.Minute), nest.LoadLease(30*time.Second)))
	closedLock  = nest.Lock("lock:<n>", nest.TTL(30*time.Second))
	closedChat  = nest.Channel[int]("chat")
	closedJobs  = nest.Stream[int]("jobs")
	closing     = nest.Cluster("closing", nest.HashTag(), nest.Sub(closedPrice, closedLock, closedChat, closedJobs))
)

// closeBriefly calls Close with a context that soon ends.
func closeBriefly(t *testing.T, s nest.Scope) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	return s.Close(ctx)
}

// requireLeft checks that Close waits, and what it says that it waits for.
func requireLeft(t *testing.T, s nest.Scope, what string) {
	t.Helper()
	var err error
	eventually(t, func() bool { // what the calls before have left behind ends soon
		err = closeBriefly(t, s)
		return err != nil && strings.Contains(err.Error(), "\": "+what+": ")
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestCloseOfWhatIsIdle(t *testing.T) {
	t.Parallel()
	root := nesttest.Open(t, closing)
	require.NoError(t, root.Close(t.Context()))
	require.NoError(t, closedPrice.At(root, 1).Set(t.Context(), 1), "calls still work")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, root.Close(ended), "there is nothing to wait for")
	names, err := nest.Open(nil, closing, nest.NamesOnly())
	require.NoError(t, err)
	require.NoError(t, names.Close(t.Context()))

	require.ErrorIs(t, nest.Scope{}.Close(t.Context()), nest.ErrNoClient)
	require.ErrorIs(t, root.Close(nil), nest.ErrArgument) //nolint:staticcheck //nest:ignore it is what is tested
}

func TestCloseWaitsForLoadsInTheBackground(t *testing.T) {
	t.Parallel()
	root := nesttest.Open(t, closing)
	ctx := t.Context()
	var loads atomic.Int64
	begun, goOn := make(chan struct{}, 2), make(chan struct{})
	load := func(context.Context) (int, error) {
		loads.Add(1)
		begun <- struct{}{}
		<-goOn
		return 2, nil
	}
	for n := range 2 {
		require.NoError(t, closedPrice.At(root, n).Set(ctx, 1, nest.ExpireIn(time.Minute)))
	}
	for n := range 2 {
		v, err := closedPrice.At(root, n).GetOrLoad(ctx, load)
		require.NoError(t, err)
		require.Equal(t, 1, v)
		<-begun
	}
	requireLeft(t, root, "2 loads still run")
	closed := make(chan error, 1)
	go func() { closed <- root.Close(ctx) }()
	select {
	case err := <-closed:
		t.Fatal("Close has returned", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(goOn)
	require.NoError(t, <-closed)
	v, err := closedPrice.At(root, 1).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, 2, v, "it was stored before Close returned")

	// Readers start no further loads, which Close would have to wait for.
	require.NoError(t, closedPrice.At(root, 1).Set(ctx, 3, nest.ExpireIn(time.Minute)))
	v, err = closedPrice.At(root, 1).GetOrLoad(ctx, load)
	require.NoError(t, err)
	require.Equal(t, 3, v)
	require.NoError(t, root.Close(ctx))
	require.EqualValues(t, 2, loads.Load())
	v, err = closedPrice.At(root, 3).GetOrLoad(ctx, load)
	require.NoError(t, err, "what is missing is loaded")
	require.Equal(t, 2, v)
}

// A loader that ignores its context runs on behind a call that has returned.
func TestCloseWaitsForALoaderThatIgnoresItsContext(t *testing.T) {
	t.Parallel()
	root := nesttest.Open(t, closing)
	goOn := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := closedPrice.At(root, 1).GetOrLoad(ctx, func(context.Context) (int, error) {
		cancel()
		<-goOn
		return 1, nil
	})
	require.ErrorIs(t, err, context.Canceled)
	requireLeft(t, root, "1 load still runs")
	close(goOn)
	require.NoError(t, root.Close(t.Context()))
}

func TestCloseWaitsForReleases(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	root := server.Open(t, closing)
	lock := closedLock.At(root, 1)
	l, err := lock.Acquire(t.Context(), nest.NoExtend())
	require.NoError(t, err)
	thaw := server.Freeze(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.Error(t, l.Release(ctx))
	requireLeft(t, root, "1 release still runs")
	thaw()
	require.NoError(t, root.Close(t.Context()))
	there, err := lock.Exists(t.Context())
	require.NoError(t, err)
	require.False(t, there, "it is released when Close returns")
}

func TestCloseWaitsForAcknowledgements(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	root := server.Open(t, closing)
	jobs := closedJobs.At(root)
	_, err := jobs.Add(t.Context(), 1)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	thaw := func() {}
	require.NoError(t, jobs.Consume(ctx, "g", "a", func(context.Context, nest.Delivery[int]) error {
		thaw = server.Freeze(t)
		cancel()
		return nil
	}))
	requireLeft(t, root, "1 acknowledgement still runs")
	thaw()
	require.NoError(t, root.Close(t.Context()))
	require.EqualValues(t, 0, pendingIn(t, jobs))
}

func TestCloseWaitsForLeasesAndSubscriptions(t *testing.T) {
	t.Parallel()
	root := nesttest.Open(t, closing)
	ctx := t.Context()
	l, err := closedLock.At(root, 1).Acquire(ctx)
	require.NoError(t, err)
	requireLeft(t, root, "1 lease still runs")
	require.NoError(t, l.Release(ctx))
	require.NoError(t, root.Close(ctx))

	listens, leave := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		for _, err := range closedChat.At(root).Subscribe(listens) {
			if err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	requireLeft(t, root, "1 subscribed connection still runs")
	leave()
	if err := <-ended; err != nil {
		require.ErrorIs(t, err, context.Canceled)
	}
	require.NoError(t, root.Close(ctx))
}

// Every scope of one Open waits for the same, and another Open for something else.
func TestCloseConcernsTheWholeTree(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	client := server.Client(t)
	tenant := nest.Cluster("tenant:<id>", nest.Sub(closedLock))
	tree := nest.Cluster("tree", nest.Sub(tenant))
	root, err := nest.Open(client, tree)
	require.NoError(t, err)
	again, err := nest.Open(client, tree)
	require.NoError(t, err)
	l, err := closedLock.At(tenant.At(root, 1), 1).Acquire(t.Context())
	require.NoError(t, err)
	err = closeBriefly(t, tenant.At(root, 2))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "1 lease")
	require.NoError(t, again.Close(t.Context()))
	require.NoError(t, l.Release(t.Context()))
	require.NoError(t, root.Close(t.Context()))
	var own *nest.Error
	require.ErrorAs(t, err, &own)
	require.Equal(t, "close", own.Op)
}
