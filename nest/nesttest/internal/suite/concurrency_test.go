package suite_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// together runs n goroutines that start at the same moment, and waits for them.
func together(n int, do func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	wg.Wait()
}

func TestConcurrentUpdatesLoseNothing(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	const writers, rounds = 8, 25
	ref := age.At(s, 1)
	require.NoError(t, ref.Set(t.Context(), 0))
	together(writers, func(int) {
		for range rounds {
			_, err := ref.Update(t.Context(), func(n int, _ bool) (int, error) { return n + 1, nil })
			if !assert.NoError(t, err) {
				return
			}
		}
	})
	got, err := ref.Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, writers*rounds, got)
	about(t, declaredTTL, db.ttl(ref.Key()))
}

func TestOneOfManySetIfAbsentWins(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	for id := range 20 {
		var winner atomic.Int64
		ref := age.At(s, id)
		together(8, func(i int) {
			done, err := ref.SetIfAbsent(t.Context(), i+1)
			assert.NoError(t, err)
			if done {
				assert.True(t, winner.CompareAndSwap(0, int64(i+1)), "two winners")
			}
		})
		got, err := ref.Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, winner.Load(), int64(got))
		about(t, declaredTTL, db.ttl(ref.Key()))
	}
}

func TestOneLoadForManyMisses(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	for id := range 20 {
		var loads atomic.Int64
		together(16, func(int) {
			got, err := age.At(s, id).GetOrLoad(t.Context(), func(context.Context) (int, error) {
				loads.Add(1)
				time.Sleep(5 * time.Millisecond)
				return 77, nil
			})
			assert.NoError(t, err)
			assert.Equal(t, 77, got)
		})
		require.Equal(t, int64(1), loads.Load())
	}
}

// A key that is declared with a TTL has one at every moment, whoever writes it and by whatever
// operation.
func TestNeverWithoutTheDeclaredTTL(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	ctx := t.Context()
	ref := age.At(s, 1)
	writers := []func() error{
		func() error { return ref.Set(ctx, 1) },
		func() error { return ref.Set(ctx, 2, nest.KeepTTL()) },
		func() error { return ref.Set(ctx, 3, nest.ExpireIn(time.Minute)) },
		func() error { _, err := ref.SetIfAbsent(ctx, 4); return err },
		func() error { _, err := ref.SetIfPresent(ctx, 5, nest.KeepTTL()); return err },
		func() error { _, _, err := ref.Swap(ctx, 6); return err },
		func() error { _, err := ref.Delete(ctx); return err },
		func() error { _, _, err := ref.Take(ctx); return err },
		func() error {
			_, err := ref.GetOrLoad(ctx, func(context.Context) (int, error) { return 7, nil })
			return err
		},
	}
	client := nesttest.Client(t)
	stop := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			ms, err := client.Do(ctx, client.B().Pttl().Key(ref.Key()).Build()).AsInt64()
			if !assert.NoError(t, err) || !assert.NotEqual(t, int64(-1), ms, "a key without an expiry") {
				return
			}
		}
	})
	together(len(writers), func(i int) {
		for range 200 {
			if !assert.NoError(t, writers[i]()) {
				return
			}
		}
	})
	close(stop)
	watcher.Wait()
}

// Scopes and references are values that many goroutines can use at once.
func TestSharedScopesAndReferences(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	u := user.At(s, 42)
	ref := name.At(u)
	together(16, func(i int) {
		for range 20 {
			assert.NoError(t, ref.Set(t.Context(), "x"))
			assert.NoError(t, session.At(u, i).Set(t.Context(), login{}))
			_, err := ref.Get(t.Context())
			assert.NoError(t, err)
			_, err = u.Subkeys(t.Context())
			assert.NoError(t, err)
		}
	})
	n, err := u.Clear(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(17), n)
}
