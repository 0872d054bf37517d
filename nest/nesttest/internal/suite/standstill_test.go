//go:build unix

package suite_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

var (
	stillList    = nest.List[int]("list:<n>", nest.TTL(time.Minute))
	stillTarget  = nest.List[int]("target", nest.NoTTL())
	stillZset    = nest.SortedSet[int]("zset:<n>", nest.TTL(time.Minute))
	stillStream  = nest.Stream[int]("stream")
	stillLock    = nest.Lock("lock", nest.TTL(time.Minute))
	stillCount   = nest.Counter[int64]("count")
	stillChannel = nest.Channel[int]("channel")
	still        = nest.Cluster("still", nest.HashTag(), nest.Sub(stillList, stillTarget, stillZset, stillStream, stillLock, stillCount, stillChannel))
)

// A server that stands still delays no caller beyond the end of its context, neither at a deadline
// nor at a cancellation. When the server continues and pops an element for a caller that no longer
// waits, the element goes back.
func TestNobodyWaitsForAServerThatStandsStill(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	prefix := nest.WithPrefix(server.Prefix(t))
	root := server.Open(t, still, prefix)
	other, err := nest.Open(server.Client(t), still, prefix)
	require.NoError(t, err)
	ctx := t.Context()
	server.Freeze(t)() // or the test is skipped here
	lease, err := stillLock.At(root).Acquire(ctx)
	require.NoError(t, err)
	for range 3 {
		_, err := stillStream.At(root).Add(ctx, 1)
		require.NoError(t, err)
	}

	members := []nest.Scored[int]{{Member: 1, Score: 1}, {Member: 2, Score: 2.5}, {Member: 3, Score: 3}}
	stopped := make(chan struct{})
	waits := map[string]func(context.Context) error{
		"pop left": func(ctx context.Context) error { _, _, err := stillList.At(root, 1).WaitPopLeft(ctx, 0); return err },
		"pop right": func(ctx context.Context) error {
			_, _, err := stillList.At(root, 2).WaitPopRight(ctx, time.Minute)
			return err
		},
		"pop left n": func(ctx context.Context) error { _, err := stillList.At(root, 3).WaitPopLeftN(ctx, 3, 0); return err },
		"pop right n": func(ctx context.Context) error {
			_, err := stillList.At(root, 4).WaitPopRightN(ctx, 3, 0)
			return err
		},
		"pop min":   func(ctx context.Context) error { _, _, err := stillZset.At(root, 1).WaitPopMin(ctx, 0); return err },
		"pop max n": func(ctx context.Context) error { _, err := stillZset.At(root, 2).WaitPopMaxN(ctx, 2, 0); return err },
		"move": func(ctx context.Context) error {
			_, _, err := stillList.At(root, 5).WaitMove(ctx, nest.Left, stillTarget.At(root), nest.Right, 0)
			return err
		},
		"acquire": func(ctx context.Context) error { _, err := stillLock.At(root).Acquire(ctx); return err },
		"run": func(ctx context.Context) error {
			return stillLock.At(root).Run(ctx, func(context.Context, *nest.Lease) error { return nil })
		},
		"read": func(ctx context.Context) error {
			_, err := stillStream.At(root).Read(ctx, nest.NewEntries, nest.Block(time.Minute))
			return err
		},
		"follow": func(ctx context.Context) error {
			for _, err := range stillStream.At(root).Follow(ctx, nest.NewEntries) {
				return err
			}
			return ctx.Err()
		},
		"consume": func(ctx context.Context) error {
			return errors.Join(stillStream.At(root).Consume(ctx, "waiting", "me", func(context.Context, nest.Delivery[int]) error { return nil }), ctx.Err())
		},
		"handled": func(ctx context.Context) error {
			return errors.Join(stillStream.At(root).Consume(ctx, "handling", "me", func(context.Context, nest.Delivery[int]) error {
				<-stopped
				return nil
			}), ctx.Err())
		},
		"transact": func(ctx context.Context) error {
			return nest.Transact(ctx, root, func(tx *nest.Tx) error {
				got := stillCount.At(root).In(tx.Reads()).Get()
				if err := tx.Reads().Exec(ctx); err != nil {
					return err
				}
				<-stopped
				n, err := got.Value()
				stillCount.At(root).In(tx.Writes()).Set(n + 1)
				return err
			})
		},
		"guard": func(ctx context.Context) error {
			<-stopped
			b := lease.Guard(root.Atomic())
			stillCount.At(root).In(b).Add(1)
			return b.Exec(ctx)
		},
		"subscribe": func(ctx context.Context) error {
			for _, err := range stillChannel.At(root).Subscribe(ctx) {
				return err
			}
			return ctx.Err()
		},
	}
	const running, lateness = 1500 * time.Millisecond, 500 * time.Millisecond
	started := time.Now()
	var done sync.WaitGroup
	for name, wait := range waits {
		for kind, wants := range map[string]error{"deadline": context.DeadlineExceeded, "cancel": context.Canceled} {
			done.Go(func() {
				ctx, cancel := context.WithDeadline(ctx, started.Add(running))
				if kind == "cancel" {
					ctx, cancel = context.WithCancel(t.Context())
					time.AfterFunc(time.Until(started.Add(running)), cancel)
				}
				defer cancel()
				err := wait(ctx)
				assert.ErrorIs(t, err, wants, "%s, %s", name, kind)
				assert.Less(t, time.Since(started), running+lateness, "%s, %s", name, kind)
			})
		}
	}
	time.Sleep(600 * time.Millisecond)
	thaw := server.Freeze(t)
	close(stopped)
	// The server executes this first when it continues.
	var pushed sync.WaitGroup
	for n := 1; n <= 4; n++ {
		pushed.Go(func() {
			_, err := stillList.At(other, n).PushRight(t.Context(), 1, 2, 3, 4, 5)
			assert.NoError(t, err)
		})
	}
	for n := 1; n <= 2; n++ {
		pushed.Go(func() {
			_, err := stillZset.At(other, n).AddMany(t.Context(), members)
			assert.NoError(t, err)
		})
	}
	done.Wait()
	thaw()
	pushed.Wait()
	for n := 1; n <= 4; n++ {
		require.Eventually(t, func() bool {
			vs, err := stillList.At(root, n).All(ctx)
			slices.Sort(vs)
			return err == nil && slices.Equal(vs, []int{1, 2, 3, 4, 5})
		}, 5*time.Second, 10*time.Millisecond, "list %d", n)
		ttl, err := stillList.At(root, n).TTL(ctx)
		require.NoError(t, err)
		require.NotEqual(t, nest.Forever, ttl)
	}
	for n := 1; n <= 2; n++ {
		require.Eventually(t, func() bool {
			vs, err := stillZset.At(root, n).RangeScored(ctx, nest.ByRank(0, -1))
			return err == nil && slices.Equal(vs, members)
		}, 5*time.Second, 10*time.Millisecond, "sorted set %d", n)
	}
}
