package suite_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

var (
	cachedCount = nest.Key[int]("count:<n>", nest.Default(-1))
	cachedTree  = nest.Cluster("cached", nest.HashTag(), nest.TTL(600), nest.Cached(time.Minute), nest.Sub(cachedCount))
)

// TestCachedReadsAreNeverOlderThanOwnWrites writes and reads the same keys from several
// goroutines, each its own, by every kind of write.
func TestCachedReadsAreNeverOlderThanOwnWrites(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Tracking)
	ctx := t.Context()
	root := nesttest.Open(t, cachedTree)
	var stale atomic.Int64
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			r := cachedCount.At(root, g)
			see := func(want int) {
				got, err := r.Get(ctx)
				if err != nil || got != want {
					stale.Add(1)
				}
			}
			for i := range 500 {
				if r.Set(ctx, i) != nil {
					stale.Add(1)
				}
				see(i)
				see(i)
				b := root.Batch()
				r.In(b).Set(i + 1)
				if b.Exec(ctx) != nil {
					stale.Add(1)
				}
				see(i + 1)
				b = root.Atomic()
				r.In(b).Set(i + 2)
				if b.Exec(ctx) != nil {
					stale.Add(1)
				}
				see(i + 2)
				if _, err := r.Update(ctx, func(n int, _ bool) (int, error) { return n + 1, nil }); err != nil {
					stale.Add(1)
				}
				see(i + 3)
				if _, err := r.Delete(ctx); err != nil {
					stale.Add(1)
				}
				see(-1)
			}
		})
	}
	wg.Wait()
	require.Zero(t, stale.Load(), "stale reads or errors")
}

func TestCachedReadsSeeClearAndRename(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Tracking)
	ctx := t.Context()
	root := nesttest.Open(t, cachedTree)
	a, b := cachedCount.At(root, "a"), cachedCount.At(root, "b")
	for i := range 200 {
		require.NoError(t, a.Set(ctx, i))
		_, err := a.Get(ctx)
		require.NoError(t, err)
		_, err = b.Get(ctx)
		require.NoError(t, err)
		_, err = a.Rename(ctx, b)
		require.NoError(t, err)
		got, err := b.Get(ctx)
		require.NoError(t, err)
		require.Equal(t, i, got)
		got, err = a.Get(ctx)
		require.NoError(t, err)
		require.Equal(t, -1, got)
		_, err = root.Clear(ctx)
		require.NoError(t, err)
		got, err = b.Get(ctx)
		require.NoError(t, err)
		require.Equal(t, -1, got)
	}
}

// TestCachedReadsStayLocal counts what the server is asked, and lets somebody else write.
func TestCachedReadsStayLocal(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Tracking)
	ctx := t.Context()
	server := nesttest.Start(t)
	client := server.Client(t)
	root, err := nest.Open(client, cachedTree)
	require.NoError(t, err)
	r := cachedCount.At(root, 1)
	require.NoError(t, r.Set(ctx, 5))
	for range 100 {
		got, err := r.Get(ctx)
		require.NoError(t, err)
		require.Equal(t, 5, got)
	}
	info, err := client.Do(ctx, client.B().Info().Section("commandstats").Build()).ToString()
	require.NoError(t, err)
	require.Contains(t, info, "cmdstat_get:calls=1,")

	other := server.Client(t)
	require.NoError(t, other.Do(ctx, other.B().Set().Key(r.Key()).Value(strconv.Itoa(6)).Build()).Error())
	require.Eventually(t, func() bool {
		got, err := r.Get(ctx)
		return err == nil && got == 6
	}, 2*time.Second, time.Millisecond)
}

func TestCachedAndAutoRenewExcludeEachOther(t *testing.T) {
	t.Parallel()
	key := nest.Key[int]("k", nest.AutoRenew())
	err := nest.Check(nest.Cluster("c", nest.TTL(5), nest.Cached(time.Second), nest.Sub(key)))
	require.ErrorIs(t, err, nest.ErrDeclaration)
	require.ErrorContains(t, err, "exclude each other")
}
