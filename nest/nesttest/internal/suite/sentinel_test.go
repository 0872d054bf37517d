package suite_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

var (
	overList    = nest.List[int]("list:<n>")
	overZset    = nest.SortedSet[int]("zset")
	overStream  = nest.Stream[int]("stream")
	overLock    = nest.Lock("lock", nest.TTL(time.Minute))
	overChannel = nest.Channel[int]("channel")
	over        = nest.Cluster("over", nest.HashTag(), nest.Sub(overList, overZset, overStream, overLock, overChannel))
)

// After a requested failover the old primary serves its connections for seconds. Waits and
// subscriptions move to the new primary soon.
func TestWaitsFollowAFailover(t *testing.T) {
	t.Parallel()
	server := nesttest.Sentinel(t)
	client := server.Client(t)
	root, err := nest.Open(client, over)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	lease, err := overLock.At(root).Acquire(ctx)
	require.NoError(t, err)
	_, err = overStream.At(root).Add(ctx, 1)
	require.NoError(t, err)
	_, err = overStream.At(root).CreateGroup(ctx, "group", nest.NewEntries)
	require.NoError(t, err)

	waits := map[string]func() error{
		"pop": func() error {
			v, ok, err := overList.At(root, 1).WaitPopLeft(ctx, 20*time.Second)
			if err == nil && (!ok || v != 1) {
				err = errors.New("nothing came")
			}
			return err
		},
		"pop n": func() error {
			vs, err := overList.At(root, 2).WaitPopRightN(ctx, 5, 0)
			if err == nil && len(vs) != 1 {
				err = errors.New("nothing came")
			}
			return err
		},
		"pop min": func() error {
			m, _, err := overZset.At(root).WaitPopMin(ctx, 0)
			if err == nil && m.Member != 3 {
				err = errors.New("nothing came")
			}
			return err
		},
		"read": func() error {
			es, err := overStream.At(root).Read(ctx, nest.NewEntries, nest.Block(20*time.Second))
			if err == nil && len(es) == 0 {
				err = errors.New("nothing came")
			}
			return err
		},
		"read group": func() error {
			es, err := overStream.At(root).ReadGroup(ctx, "group", "me", nest.Block(20*time.Second))
			if err == nil && len(es) == 0 {
				err = errors.New("nothing came")
			}
			return err
		},
		"acquire": func() error { _, err := overLock.At(root).Acquire(ctx); return err },
		"subscribe": func() error {
			gap := false
			for v, err := range overChannel.At(root).Subscribe(ctx) {
				switch {
				case errors.Is(err, nest.ErrGap):
					gap = true
				case err != nil:
					return err
				case v == 2 && gap:
					return nil
				case v == 2:
					return errors.New("the gap was not reported")
				}
			}
			return ctx.Err()
		},
	}
	type end struct {
		name string
		err  error
	}
	ends := make(chan end, len(waits))
	for name, wait := range waits {
		go func() { ends <- end{name, wait()} }()
	}
	time.Sleep(500 * time.Millisecond)
	before := fmt.Sprint(keysOf(client.Nodes()))
	server.Failover(t)
	require.Eventually(t, func() bool { return fmt.Sprint(keysOf(client.Nodes())) != before }, 20*time.Second, 5*time.Millisecond)
	switched := time.Now()
	require.Eventually(t, func() bool {
		_, err := overList.At(root, 1).PushRight(ctx, 1)
		return err == nil
	}, 10*time.Second, 5*time.Millisecond)
	_, err = overList.At(root, 2).PushRight(ctx, 2)
	require.NoError(t, err)
	_, err = overZset.At(root).Add(ctx, 3, 1)
	require.NoError(t, err)
	_, err = overStream.At(root).Add(ctx, 4)
	require.NoError(t, err)
	require.NoError(t, lease.Release(ctx))
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	for left := len(waits); left > 0; {
		select {
		case e := <-ends:
			left--
			require.NoError(t, e.err, e.name)
			require.Less(t, time.Since(switched), 5*time.Second, e.name)
		case <-ticks.C:
			_, err = overChannel.At(root).Publish(ctx, 2)
			require.NoError(t, err)
		}
	}
}

func keysOf(nodes map[string]rueidis.Client) string {
	var addrs []string
	for addr := range nodes {
		addrs = append(addrs, addr)
	}
	return strings.Join(addrs, ",")
}
