package nest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestElapsed(t *testing.T) {
	t.Parallel()
	now := time.Now()
	require.Equal(t, time.Minute, elapsed(now.Add(-time.Minute), now))
	// The wall clock goes on while a machine is suspended, and the monotonic one does not.
	require.Equal(t, time.Hour, elapsed(now.Round(0).Add(-time.Hour), now))
	require.Equal(t, time.Minute, elapsed(now.Add(-time.Minute), now.Round(0)))
}

func TestDriftIsLessThanTheLease(t *testing.T) {
	t.Parallel()
	for lease := minLease; lease < 100*time.Hour; lease *= 2 {
		require.Less(t, drift(lease), lease/4)
		require.GreaterOrEqual(t, drift(lease), lease/100+2*time.Millisecond)
	}
}

func TestTurns(t *testing.T) {
	t.Parallel()
	var ts turns
	first, err := ts.take(t.Context(), "a")
	require.NoError(t, err)
	other, err := ts.take(t.Context(), "b")
	require.NoError(t, err, "another key's turn is not waited for")
	other()
	order := make(chan int, 10)
	for i := range 10 {
		go func() {
			leave, err := ts.take(context.WithoutCancel(t.Context()), "a")
			if err == nil {
				order <- i
				leave()
			}
		}()
		time.Sleep(2 * time.Millisecond)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = ts.take(ctx, "a")
	require.ErrorIs(t, err, context.Canceled)
	first()
	for i := range 10 {
		require.Equal(t, i, <-order)
	}
	require.Eventually(t, func() bool {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		return len(ts.now) == 0
	}, 10*time.Second, time.Millisecond, "nothing stays behind")
}

// Who did not look whether TryAcquire got the lock is told so by whatever they do with the lease.
func TestALeaseThatWasNotGot(t *testing.T) {
	t.Parallel()
	for what, l := range map[string]*Lease{"nil": nil, "zero": {}} {
		require.ErrorIs(t, l.Err(), ErrNoClient, what)
		require.ErrorIs(t, context.Cause(l.Context()), ErrNoClient, what)
		require.ErrorIs(t, l.Extend(t.Context()), ErrNoClient, what)
		require.ErrorIs(t, l.Release(t.Context()), ErrNoClient, what)
		require.Zero(t, l.Token(), what)
		require.Zero(t, l.Left(), what)
		s, err := Open(nil, Cluster("root"), NamesOnly())
		require.NoError(t, err)
		require.Error(t, l.Guard(s.Atomic()).Exec(t.Context()), what)
	}
}
