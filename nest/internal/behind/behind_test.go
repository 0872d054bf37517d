package behind

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCloseSaysWhatIsLeft(t *testing.T) {
	t.Parallel()
	var tally Tally
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	left, err := tally.Close(ended)
	require.NoError(t, err)
	require.Empty(t, left)
	require.True(t, tally.Closing())
	for _, step := range []struct {
		begin Work
		left  string
	}{
		{Release, "1 release still runs"},
		{Load, "1 load and 1 release still run"},
		{Load, "2 loads and 1 release still run"},
		{Handover, "2 loads, 1 release and 1 connection hand-over still run"},
	} {
		tally.Begin(step.begin)
		left, err := tally.Close(ended)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, step.left, left)
	}
}

func TestCloseWaitsUntilNothingIsUnderWay(t *testing.T) {
	t.Parallel()
	var tally Tally
	require.False(t, tally.Closing())
	goOn := make(chan struct{})
	for w := range kinds {
		tally.Go(w, func() {
			<-goOn
			tally.Go(w, func() {}) // which Close waits for too
		})
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			left, err := tally.Close(t.Context())
			if err != nil || left != "" {
				t.Error(left, err)
			}
		})
	}
	close(goOn)
	wg.Wait()
	require.Zero(t, tally.sum)
}
