package suite_test

import (
	"flag"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

var (
	cachedCount = nest.Key[int]("count:<n>", nest.Default(-1))
	partitioned = nest.Key[int]("partitioned")
	cachedTree  = nest.Cluster("cached", nest.HashTag(), nest.TTL(600),
		nest.Sub(nest.Cluster("", nest.Cached(time.Minute), nest.Sub(cachedCount)), partitioned))
)

// ownWrites is the number of writes that the test of reading them back makes. The promise is for
// 100,000: -own-writes 100000.
var ownWrites = flag.Int("own-writes", 10_000, "how many writes are read back through the cache")

func TestCachedReadsAreNeverOlderThanOwnWrites(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Tracking)
	neverStale(t, nesttest.Open(t, cachedTree), *ownWrites)
}

// neverStale writes and reads the same keys from several goroutines. Each goroutine has its own
// keys and uses every kind of write.
func neverStale(t *testing.T, root nest.Scope, writes int) {
	t.Helper()
	const goroutines, kinds = 4, 5
	ctx := t.Context()
	var stale, failed atomic.Int64
	together(goroutines, func(g int) {
		r := cachedCount.At(root, g)
		check := func(err error) {
			if err != nil {
				failed.Add(1)
			}
		}
		see := func(want int) {
			got, err := r.Get(ctx)
			check(err)
			if got != want {
				stale.Add(1)
			}
		}
		for i := range writes / goroutines / kinds {
			check(r.Set(ctx, i))
			see(i)
			see(i)
			b := root.Batch()
			r.In(b).Set(i + 1)
			check(b.Exec(ctx))
			see(i + 1)
			b = root.Atomic()
			r.In(b).Set(i + 2)
			check(b.Exec(ctx))
			see(i + 2)
			_, err := r.Update(ctx, func(n int, _ bool) (int, error) { return n + 1, nil })
			check(err)
			see(i + 3)
			_, err = r.Delete(ctx)
			check(err)
			see(-1)
		}
	})
	require.Zero(t, failed.Load(), "operations failed")
	require.Zero(t, stale.Load(), "stale reads after %d writes", writes)
	t.Logf("0 stale reads after %d writes", writes)
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

// TestCachedReadsStayLocal counts the commands that reach the server while another client writes.
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
