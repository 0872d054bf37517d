package flight_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/internal/flight"
)

func TestTurns(t *testing.T) {
	t.Parallel()
	var ts flight.Turns
	first, err := ts.Take(t.Context(), "a")
	require.NoError(t, err)
	other, err := ts.Take(t.Context(), "b")
	require.NoError(t, err, "another key's turn is not waited for")
	other()
	order := make(chan int, 10)
	for i := range 10 {
		go func() {
			leave, err := ts.Take(context.WithoutCancel(t.Context()), "a")
			if err == nil {
				order <- i
				leave()
			}
		}()
		time.Sleep(2 * time.Millisecond)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = ts.Take(ctx, "a")
	require.ErrorIs(t, err, context.Canceled)
	first()
	for i := range 10 {
		require.Equal(t, i, <-order)
	}
	require.Eventually(t, func() bool { return ts.Waiting() == 0 }, 10*time.Second, time.Millisecond, "nothing stays behind")
}
