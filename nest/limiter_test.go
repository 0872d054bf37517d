package nest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The units of a limiter stand for its rate exactly.
func TestLimiterUnits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n, unit, drain int64
		period         time.Duration
		longest        time.Duration
	}{
		{100, 600_000, 1, time.Minute, time.Minute + time.Millisecond},
		{7, 1_000_000, 7, time.Second, time.Second + time.Millisecond},
		{1_000_000, 86_400, 1, 24 * time.Hour, 24*time.Hour + time.Millisecond},
		{3_000_000, 1, 3, time.Second, time.Second + time.Millisecond},
		{1, 1, 1, time.Microsecond, 2 * time.Millisecond},
	} {
		l, err := newLimiter(rate{n: c.n, period: c.period})
		require.NoError(t, err)
		require.Equal(t, c.unit, l.unit)
		require.Equal(t, c.drain, l.drain)
		require.Equal(t, c.n, l.burst)
		require.Equal(t, c.longest, l.longest())
	}
	l, err := newLimiter(rate{n: 1, period: 24 * time.Hour, burst: 50_000})
	require.NoError(t, err)
	require.Equal(t, 50_000*24*time.Hour+time.Millisecond, l.longest())
	require.EqualValues(t, 1<<63-1, micros(1<<62))
}
