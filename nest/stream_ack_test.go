package nest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/internal/behind"
)

// What is handled while one acknowledgement is on its way goes with the next one.
func TestAcknowledgementsGather(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sent [][]string
		a := acks{tally: &behind.Tally{}, send: func(_ context.Context, ids []string) error {
			time.Sleep(time.Second)
			sent = append(sent, slices.Clone(ids))
			return nil
		}}
		require.NoError(t, a.add(t.Context(), "1"))
		synctest.Wait()
		require.NoError(t, a.add(t.Context(), "2"))
		require.NoError(t, a.add(t.Context(), "3"))
		require.NoError(t, a.wait(t.Context()))
		require.Equal(t, [][]string{{"1"}, {"2", "3"}}, sent)
	})
}

// An acknowledgement that fails is told once, and what it was for is kept for the next attempt.
func TestAcknowledgementsThatFailAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lost := errors.New("lost")
		var sent [][]string
		fails := lost
		a := acks{tally: &behind.Tally{}, send: func(_ context.Context, ids []string) error {
			sent = append(sent, slices.Clone(ids))
			return fails
		}}
		require.NoError(t, a.add(t.Context(), "1"))
		synctest.Wait()
		require.ErrorIs(t, a.add(t.Context(), "2"), lost)
		require.NoError(t, a.wait(t.Context()), "an error is returned once")
		require.Len(t, sent, 1, "nobody has asked to try again")
		fails = nil
		require.NoError(t, a.flush(t.Context()))
		require.Equal(t, [][]string{{"1"}, {"1", "2"}}, sent)
		require.NoError(t, a.flush(t.Context()))
		require.Len(t, sent, 2)

		fails = lost
		require.NoError(t, a.add(t.Context(), "3"))
		require.ErrorIs(t, a.wait(t.Context()), lost)
		a.forget()
		require.NoError(t, a.flush(t.Context()))
		require.Len(t, sent, 3)

		require.NoError(t, a.add(t.Context(), "4"))
		synctest.Wait()
		fails = nil
		a.finish(t.Context())
		require.Equal(t, []string{"4"}, sent[len(sent)-1])
		require.Len(t, sent, 5, "the last attempt follows one that failed")
	})
}

// A server that stands still holds the caller up for a moment only, and handlers that are much
// faster than it have to wait.
func TestAcknowledgementsThatTakeLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := acks{tally: &behind.Tally{}, send: func(context.Context, []string) error { time.Sleep(ackTimeout); return nil }}
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		for i := range mostUnacked + 2 {
			require.NoError(t, a.add(ctx, strconv.Itoa(i)))
			synctest.Wait() // the first one is on its way
		}
		require.Equal(t, 2*ackTimeout, time.Since(start), "more than %d may not be unacknowledged", mostUnacked)

		require.NoError(t, a.add(ctx, "last"))
		start = time.Now()
		cancel()
		require.ErrorIs(t, a.wait(ctx), context.Canceled)
		require.Equal(t, giveUpWait, time.Since(start))
		left, err := a.tally.Close(context.Background())
		require.NoError(t, err, left)
		require.Equal(t, ackTimeout, time.Since(start))
	})
}

func TestAcknowledgementsOfManyWorkers(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var acked []string
	a := acks{tally: &behind.Tally{}, send: func(_ context.Context, ids []string) error {
		mu.Lock()
		defer mu.Unlock()
		if len(acked)%3 == 1 {
			acked = append(acked, "")
			return errors.New("now and then")
		}
		acked = append(acked, ids...)
		return nil
	}}
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := range 200 {
				_ = a.add(t.Context(), strconv.Itoa(w*200+i))
			}
		})
	}
	all.Wait()
	for a.flush(t.Context()) != nil {
	}
	seen := map[string]int{}
	for _, id := range acked {
		seen[id]++
	}
	delete(seen, "")
	require.Len(t, seen, 8*200)
	for id, n := range seen {
		require.Equal(t, 1, n, id)
	}
}
