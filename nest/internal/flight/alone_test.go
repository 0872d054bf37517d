package flight_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/internal/flight"
)

func TestAloneSharesALoad(t *testing.T) {
	t.Parallel()
	var a flight.Alone
	a.Written()
	mine, first := a.Join("a", time.Now())
	require.True(t, first)
	theirs, first := a.Join("a", time.Now())
	require.False(t, first)
	require.Same(t, mine, theirs)
	_, first = a.Join("b", time.Now())
	require.True(t, first, "another key's load is not joined")
	mine.Value = 7
	a.Land("a", mine)
	<-theirs.Done()
	soon, first := a.Join("a", time.Now())
	require.False(t, first, "a value serves those who come soon after")
	require.Equal(t, 7, soon.Value)

	_, first = a.Join("a", time.Now().Add(2*flight.AloneKeeps))
	require.True(t, first, "and not those who ask later")

	a.Written()
	_, first = a.Join("a", time.Now())
	require.True(t, first, "nor after a write of this process")
}

func TestAloneForgetsFailures(t *testing.T) {
	t.Parallel()
	var a flight.Alone
	mine, _ := a.Join("a", time.Now())
	mine.Err = errors.New("failed")
	a.Land("a", mine)
	_, first := a.Join("a", time.Now())
	require.True(t, first)
}

func TestAWriteDuringALoadEndsIt(t *testing.T) {
	t.Parallel()
	var a flight.Alone
	early, _ := a.Join("a", time.Now())
	a.Written()
	late, first := a.Join("a", time.Now())
	require.True(t, first)
	early.Value = "older"
	a.Land("a", early)
	again, first := a.Join("a", time.Now())
	require.False(t, first)
	require.Same(t, late, again, "the end of an earlier load does not end a later one")
}

func TestAloneHasPlaces(t *testing.T) {
	t.Parallel()
	var a flight.Alone
	leave, err := a.Enter(t.Context(), "group", 1)
	require.NoError(t, err)
	other, err := a.Enter(t.Context(), "other", 1)
	require.NoError(t, err)
	other()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = a.Enter(ctx, "group", 1)
	require.ErrorIs(t, err, context.Canceled)
	leave()
	leave, err = a.Enter(t.Context(), "group", 1)
	require.NoError(t, err)
	leave()
}
