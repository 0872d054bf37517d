package suite_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

var (
	fewList    = nest.List[int]("list")
	fewLock    = nest.Lock("lock", nest.TTL(time.Minute))
	fewCount   = nest.Counter[int64]("count")
	fewChannel = nest.Channel[int]("channel:<n>")
	fewer      = nest.Cluster("few", nest.HashTag(), nest.Sub(fewList, fewLock, fewCount, fewChannel))
)

// fewConnections opens a tree whose client has a pool of size connections for blocking commands.
func fewConnections(t *testing.T, size int) (rueidis.Client, nest.Scope) {
	t.Helper()
	server := nesttest.Shared(t)
	option := server.ClientOption()
	option.BlockingPoolSize = size
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	root, err := nest.Open(client, fewer, nest.WithPrefix(server.Prefix(t)))
	require.NoError(t, err)
	return client, root
}

// A call that gets no connection of its own reports that when its wait or its context ends, and
// leaves nothing behind. It used to return an error without a cause or to wait without an end, and
// each call left two goroutines.
func TestNoConnectionLeft(t *testing.T) {
	// This test does not run in parallel, because it would count the other tests' goroutines.
	client, root := fewConnections(t, 1)
	ctx := t.Context()
	lease, err := fewLock.At(root).Acquire(ctx)
	require.NoError(t, err)
	busy, free := client.Dedicate() // the only one
	require.NoError(t, busy.Do(ctx, busy.B().Exists().Key(fewList.At(root).Key()).Build()).Error())

	start := time.Now()
	_, _, err = fewList.At(root).WaitPopLeft(ctx, 100*time.Millisecond)
	require.ErrorIs(t, err, nest.ErrUnsent)
	require.ErrorContains(t, err, "BlockingPoolSize")
	require.Less(t, time.Since(start), 2*time.Second)

	waits := map[string]func(context.Context) error{
		"pop": func(ctx context.Context) error { _, _, err := fewList.At(root).WaitPopRight(ctx, 0); return err },
		"transact": func(ctx context.Context) error {
			return nest.Transact(ctx, root, func(tx *nest.Tx) error {
				fewCount.At(root).In(tx.Reads()).Get()
				return tx.Reads().Exec(ctx)
			})
		},
		"guard": func(ctx context.Context) error {
			b := lease.Guard(root.Atomic())
			fewCount.At(root).In(b).Incr()
			return b.Exec(ctx)
		},
	}
	if client.Mode() == rueidis.ClientModeCluster {
		waits = nil // here rueidis loses count of one connection for each call that gives up
	}
	for name, do := range waits {
		within, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		err := do(within)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded, name)
		require.ErrorIs(t, err, nest.ErrUnsent, name)
	}

	// Waiting for a lock needs no such connection.
	time.AfterFunc(100*time.Millisecond, func() { _ = lease.Release(t.Context()) })
	within, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	lease, err = fewLock.At(root).Acquire(within)
	require.NoError(t, err)
	require.NoError(t, lease.Release(ctx))

	goroutines := runtime.NumGoroutine()
	var calls sync.WaitGroup
	for range 500 {
		calls.Go(func() {
			within, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			defer cancel()
			_, _, _ = fewList.At(root).WaitPopLeft(within, 0)
		})
	}
	calls.Wait()
	require.Eventually(t, func() bool { return runtime.NumGoroutine() < goroutines+100 }, 5*time.Second, 10*time.Millisecond,
		"%d goroutines are left after %d calls", runtime.NumGoroutine()-goroutines, 500)

	free()
	_, err = fewList.At(root).PushRight(ctx, 7)
	require.NoError(t, err)
	v, ok, err := fewList.At(root).WaitPopLeft(ctx, 10*time.Second)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, 7, v)
}
