package nest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A compare-and-set goes on until the deadline or, without one, for as long as the documentation
// says. A limit on the number of tries alone was used up beside a busy writer.
func TestContest(t *testing.T) {
	t.Parallel()
	exhaust := func(ctx context.Context, try time.Duration) (tries int, took time.Duration, err error) {
		began := time.Now()
		for c := (contest{}); err == nil; tries++ {
			time.Sleep(try)
			err = c.pause(ctx, ErrConflict)
		}
		return tries, time.Since(began), err
	}
	t.Run("without a deadline", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			tries, took, err := exhaust(t.Context(), time.Millisecond)
			require.Equal(t, ErrConflict, err)
			require.GreaterOrEqual(t, took, contestTime)
			require.GreaterOrEqual(t, tries, contestTries)
		})
	})
	t.Run("with slow tries", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			tries, _, err := exhaust(t.Context(), time.Minute)
			require.Equal(t, ErrConflict, err)
			require.Equal(t, contestTries, tries)
		})
	})
	t.Run("with a deadline", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			tries, took, err := exhaust(ctx, time.Millisecond)
			require.ErrorIs(t, err, ErrConflict)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Greater(t, tries, contestTries)
			require.InDelta(t, time.Minute, took, float64(longestPause))
		})
	})
}
