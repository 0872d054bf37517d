package suite_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/nest/nesttest/internal/primaries"
)

var (
	wayPrice  = nest.Key[int]("price:<n>", nest.TTL(time.Minute), nest.ReadThrough(nest.NegativeTTL(time.Minute)))
	wayLock   = nest.Lock("lock:<n>", nest.TTL(30*time.Second))
	waySet    = nest.Set[int]("set:<n>", nest.TTL(time.Minute))
	wayCount  = nest.Counter[int64]("count:<n>", nest.TTL(time.Minute))
	wayList   = nest.List[int]("list:<n>", nest.TTL(time.Minute))
	onTheWays = nest.Cluster("way:<case>", nest.HashTag(), nest.Sub(wayPrice, wayLock, waySet, wayCount, wayList))
)

// While a slot moves, its old node answers TRYAGAIN to a command on several keys of which one has
// moved, and ASK to a command on one missing key. Nothing has been executed at that point. Every
// call used to fail at once, with seconds of its context left, and a failed release left its lock
// until the lease ended.
func TestWhileASlotMovesEverythingArrives(t *testing.T) {
	t.Parallel()
	server := nesttest.Cluster(t)
	top := server.Open(t, onTheWays)
	nodes := primaries.Patient(t, server)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	load := func(context.Context) (int, error) { return 7, nil }
	var held *nest.Lease // in each case

	for name, do := range map[string]func(t *testing.T, root nest.Scope) error{
		"get or load": func(t *testing.T, root nest.Scope) error {
			v, err := wayPrice.At(root, 1).GetOrLoad(ctx, load)
			require.Equal(t, 7, v)
			return err
		},
		"not found": func(t *testing.T, root nest.Scope) error {
			_, err := wayPrice.At(root, 2).GetOrLoad(ctx, func(context.Context) (int, error) { return 0, nest.ErrNotFound })
			require.ErrorIs(t, err, nest.ErrNotFound)
			return nil
		},
		"load many": func(t *testing.T, root nest.Scope) error {
			at := func(n int) nest.KeyRef[int] { return wayPrice.At(root, n) }
			vs, err := nest.LoadMany(ctx, []int{3, 4}, at, func(_ context.Context, _ []int) (map[int]int, error) {
				return map[int]int{3: 3, 4: 4}, nil
			})
			require.Len(t, vs, 2)
			return err
		},
		"acquire": func(_ *testing.T, root nest.Scope) error {
			l, err := wayLock.At(root, "acquired").Acquire(ctx)
			if err != nil {
				return err
			}
			return l.Release(ctx)
		},
		"release": func(_ *testing.T, _ nest.Scope) error { return held.Release(ctx) },
		"run": func(_ *testing.T, root nest.Scope) error {
			return wayLock.At(root, "run").Run(ctx, func(context.Context, *nest.Lease) error { return nil })
		},
		"atomic": func(_ *testing.T, root nest.Scope) error {
			b := root.Atomic()
			wayCount.At(root, 1).In(b).Incr()
			wayCount.At(root, 2).In(b).Incr()
			waySet.At(root, 9).In(b).StoreUnion(waySet.At(root, 1), waySet.At(root, 2))
			return b.Exec(ctx)
		},
		"batch": func(_ *testing.T, root nest.Scope) error {
			b := root.Batch()
			wayCount.At(root, 3).In(b).Incr()
			waySet.At(root, 8).In(b).StoreUnion(waySet.At(root, 1), waySet.At(root, 2))
			return b.Exec(ctx)
		},
		"transact": func(_ *testing.T, root nest.Scope) error {
			return nest.Transact(ctx, root, func(tx *nest.Tx) error {
				got := wayCount.At(root, 1).In(tx.Reads()).Get()
				if err := tx.Reads().Exec(ctx); err != nil {
					return err
				}
				_, err := got.Value()
				wayCount.At(root, 4).In(tx.Writes()).Add(5)
				waySet.At(root, 7).In(tx.Writes()).StoreUnion(waySet.At(root, 1), waySet.At(root, 2))
				return err
			})
		},
		"union": func(_ *testing.T, root nest.Scope) error {
			_, err := waySet.At(root, 6).StoreUnion(ctx, waySet.At(root, 0), waySet.At(root, 1))
			return err
		},
		"update": func(_ *testing.T, root nest.Scope) error {
			_, err := wayPrice.At(root, 5).Update(ctx, func(int, bool) (int, error) { return 5, nil })
			return err
		},
		"push": func(_ *testing.T, root nest.Scope) error {
			_, err := wayList.At(root, 1).PushRight(ctx, 1)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := onTheWays.At(top, name)
			for n := range 3 {
				_, err := waySet.At(root, n).Add(ctx, n, n+1)
				require.NoError(t, err)
			}
			require.NoError(t, wayCount.At(root, 1).Set(ctx, 1))
			var err error
			held, err = wayLock.At(root, "held").Acquire(ctx)
			require.NoError(t, err)
			var done sync.WaitGroup
			var failed error
			nodes.MoveKey(wayCount.At(root, 1).Key(), func() {
				done.Go(func() { failed = do(t, root) })
				time.Sleep(300 * time.Millisecond) // it meets the slot while it moves
			})
			done.Wait()
			require.NoError(t, failed)
			require.NoError(t, held.Release(ctx))
			for _, lock := range []string{"held", "acquired", "run"} {
				locked, err := wayLock.At(root, lock).Held(ctx)
				require.NoError(t, err)
				require.False(t, locked, lock)
			}
		})
	}
}
