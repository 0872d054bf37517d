package faults

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOverRate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		at   []time.Duration
		over int64
	}{
		{"nothing", nil, 0},
		{"a burst", []time.Duration{0, 0}, 0},
		{"one more", []time.Duration{0, 0, 0}, 1},
		{"one more, as early as it may come", []time.Duration{0, 0, 100 * time.Millisecond}, 0},
		{"one more, a little early", []time.Duration{0, 0, 99 * time.Millisecond}, 1},
		{"in another order", []time.Duration{99 * time.Millisecond, 0, 0}, 1},
		{"a burst later", []time.Duration{0, time.Second, time.Second, time.Second, time.Second}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var events []time.Time
			for _, d := range c.at {
				events = append(events, time.UnixMicro(1_800_000_000_000_000).Add(d))
			}
			require.Equal(t, c.over, overRate(events, 10, 2))
		})
	}
}

func TestOverWindow(t *testing.T) {
	t.Parallel()
	end := time.UnixMicro(1_800_000_000_000_000)
	require.Zero(t, overWindow(map[time.Time]int64{end: 2, end.Add(time.Second): 2}, 2, time.Second))
	require.EqualValues(t, 1, overWindow(map[time.Time]int64{end: 3, end.Add(time.Second): 2}, 2, time.Second))
	require.EqualValues(t, 2, overWindow(map[time.Time]int64{end: 1, end.Add(time.Second - time.Microsecond): 2}, 2, time.Second))
}
