package away_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

var (
	cancelKey  = nest.Key[string]("key", nest.TTL(60))
	cancelList = nest.List[string]("list", nest.TTL(60))
	cancelLock = nest.Lock("lock", nest.TTL(time.Minute))
	cancelRoot = nest.Cluster("root", nest.HashTag(), nest.Sub(cancelKey, cancelList, cancelLock))
)

// What needs a connection of its own makes it when it begins. A node that stands still accepts the
// connection and says nothing; nevertheless a call ends with its context.
func TestCancelledCallsEndAtOnceWhileANodeStandsStill(t *testing.T) {
	t.Parallel()
	server := nesttest.Cluster(t)
	client, err := rueidis.NewClient(server.ClientOption()) // which waits for an answer for 10 seconds
	require.NoError(t, err)
	t.Cleanup(client.Close)
	s, err := nest.Open(client, cancelRoot, nest.WithPrefix(server.Prefix(t)))
	require.NoError(t, err)
	require.NoError(t, cancelKey.At(s).Set(t.Context(), "x"))
	lease, ok, err := cancelLock.At(s).TryAcquire(t.Context())
	require.NoError(t, err)
	require.True(t, ok)
	get := client.B().Get().Key(cancelKey.At(s).Key()).Build()
	slot := int(get.Slot() & 0x3fff)
	for _, node := range server.Nodes()[:3] {
		c := node.Client(t)
		n, err := c.Do(t.Context(), c.B().Arbitrary("CLUSTER", "COUNTKEYSINSLOT").Args(strconv.Itoa(slot)).Build()).AsInt64()
		require.NoError(t, err)
		if n > 0 {
			node.Freeze(t)
		}
	}
	for name, call := range map[string]func(ctx context.Context) error{
		"transact": func(ctx context.Context) error {
			return nest.Transact(ctx, s, func(tx *nest.Tx) error {
				b := tx.Reads()
				cancelKey.At(s).In(b).Get()
				return b.Exec(ctx)
			})
		},
		"wait": func(ctx context.Context) error {
			_, _, err := cancelList.At(s).WaitPopLeft(ctx, 0)
			return err
		},
		"guarded": func(ctx context.Context) error {
			b := s.Atomic()
			lease.Guard(b)
			cancelKey.At(s).In(b).Set("y")
			return b.Exec(ctx)
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		start := time.Now()
		err := call(ctx)
		require.ErrorIs(t, err, context.Canceled, name)
		require.Less(t, time.Since(start), slack, name)
	}
}

// Calls that use one context share what bounds them: its end still ends all of them at once, and
// WithTimeout each by its own time.
func TestCallsShareTheContextThatBoundsThem(t *testing.T) {
	t.Parallel()
	const callers, limit = 50, 3 * time.Second
	server := nesttest.Start(t)
	s := open(t, server, server.Addr(), nest.WithTimeout(limit))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	together := func() <-chan error {
		errs := make(chan error, callers)
		for id := range callers {
			go func() {
				_, _, err := value.At(s, id).Lookup(ctx)
				errs <- err
			}()
		}
		return errs
	}
	for range 3 { // until the context has been seen
		errs := together()
		for range callers {
			require.NoError(t, <-errs)
		}
	}
	thaw := server.Freeze(t)
	start, errs := time.Now(), together()
	for range callers {
		err := <-errs
		require.ErrorIs(t, err, nest.ErrAway)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.GreaterOrEqual(t, time.Since(start), limit-limit/8)
		require.Less(t, time.Since(start), limit+limit/8+slack)
	}
	errs = together()
	time.AfterFunc(50*time.Millisecond, cancel)
	start = time.Now()
	for range callers {
		require.ErrorIs(t, <-errs, context.Canceled)
		require.Less(t, time.Since(start), slack)
	}
	thaw()
}
