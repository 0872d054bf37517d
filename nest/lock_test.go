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
	// The wall clock runs while a machine is suspended; the monotonic clock does not.
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

// A caller that ignores whether TryAcquire got the lock gets an error from every use of the lease.
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
