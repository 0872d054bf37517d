package local_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/internal/local"
)

func TestLimitsLeak(t *testing.T) {
	t.Parallel()
	var ls local.Limits
	rate := local.Rate{Burst: 3, Unit: 1000, Drain: 1} // one event comes back in a millisecond
	now := time.Unix(1_000_000, 0)
	for left := range int64(3) {
		d := ls.Decide(rate, "a", 1, true, now)
		require.Equal(t, local.Decision{Allowed: true, Remaining: 2 - left, Reset: 1000 * (left + 1)}, d)
	}
	require.Equal(t, local.Decision{Retry: 1000, Reset: 3000}, ls.Decide(rate, "a", 1, true, now))
	require.True(t, ls.Decide(rate, "b", 3, true, now).Allowed, "another limiter")
	require.True(t, ls.Decide(rate, "a", 0, true, now).Allowed)
	now = now.Add(time.Millisecond)
	require.True(t, ls.Decide(rate, "a", 1, false, now).Allowed, "counts nothing")
	require.True(t, ls.Decide(rate, "a", 1, true, now).Allowed)
	require.False(t, ls.Decide(rate, "a", 1, true, now).Allowed)
	now = now.Add(-time.Hour) // the clock is set back
	require.Equal(t, int64(1000), ls.Decide(rate, "a", 1, true, now).Retry)
	now = now.Add(time.Millisecond)
	require.True(t, ls.Decide(rate, "a", 1, true, now).Allowed, "and time passes from there")
	require.True(t, ls.Decide(rate, "a", 3, true, now.Add(10*time.Hour)).Allowed)
}

func TestLimitsHaveWindows(t *testing.T) {
	t.Parallel()
	var ls local.Limits
	rate := local.Rate{Burst: 2, Unit: 1, Drain: 1_000_000, Window: true}
	now := time.Unix(1_000_000, 0)
	require.Equal(t, local.Decision{Allowed: true, Remaining: 1, Reset: 1_000_000}, ls.Decide(rate, "a", 1, true, now))
	now = now.Add(400 * time.Millisecond)
	require.True(t, ls.Decide(rate, "a", 1, true, now).Allowed)
	require.Equal(t, local.Decision{Retry: 600_000, Reset: 600_000}, ls.Decide(rate, "a", 1, true, now))
	require.True(t, ls.Decide(rate, "a", 2, true, now.Add(600*time.Millisecond)).Allowed)
}

func TestLimitsAreBounded(t *testing.T) {
	t.Parallel()
	var ls local.Limits
	rate := local.Rate{Burst: 1, Unit: 1_000_000, Drain: 1}
	now := time.Unix(1_000_000, 0)
	for i := range 200_000 {
		require.True(t, ls.Decide(rate, fmt.Sprint(i), 1, true, now).Allowed)
	}
	require.LessOrEqual(t, ls.Len(), 1<<16)
}
