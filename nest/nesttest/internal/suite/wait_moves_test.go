package suite_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/nest/nesttest/internal/primaries"
)

// A pop that waits for a list whose slot is moving was sent by the client, which follows the slot.
// When the context ended, an element that had just been popped was lost.
func TestAWaitThatEndsWhileItsSlotMovesLosesNothing(t *testing.T) {
	t.Parallel()
	server := nesttest.Cluster(t)
	root := server.Open(t, given)
	nodes := primaries.Patient(t, server)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	list := givenList.At(root)
	require.NoError(t, givenPrice.At(root, 1).Set(ctx, 1))

	const n = 1500
	var mu sync.Mutex
	seen := make(map[int]int)
	nodes.MoveKey(list.Key(), func() {
		var over atomic.Bool
		var wg sync.WaitGroup
		defer func() { // also when the test has failed
			over.Store(true)
			wg.Wait()
		}()
		for range 4 {
			wg.Go(func() {
				for !over.Load() {
					short, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(8000))*time.Microsecond)
					v, ok, err := list.WaitPopLeft(short, time.Second)
					cancel()
					if err == nil && ok {
						mu.Lock()
						seen[v]++
						mu.Unlock()
					}
				}
			})
		}
		for i := range n {
			_, err := list.PushRight(ctx, i)
			require.NoError(t, err)
			time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
		}
	})
	require.Eventually(t, func() bool { // what was popped too late is put back in the background
		rest, err := list.PopLeftN(ctx, n)
		require.NoError(t, err)
		for _, v := range rest {
			seen[v]++
		}
		return len(seen) == n
	}, 10*time.Second, 100*time.Millisecond)
	for v, times := range seen {
		require.Equal(t, 1, times, "element %d", v)
	}
}
