package suite_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/nest/nesttest/internal/primaries"
)

var (
	givenPrice = nest.Key[int]("price:<n>", nest.TTL(time.Minute), nest.ReadThrough(nest.LoadLease(20*time.Second), nest.NegativeTTL(time.Minute)))
	givenLock  = nest.Lock("lock", nest.TTL(20*time.Second))
	givenList  = nest.List[int]("list")
	given      = nest.Cluster("given", nest.HashTag(), nest.Sub(givenPrice, givenLock, givenList))
)

// stoppingClient stops the server just before it sends its first script.
type stoppingClient struct {
	rueidis.Client

	once sync.Once
	stop func()
}

func (c *stoppingClient) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	if cmd.Commands()[0] == "EVAL" {
		c.once.Do(c.stop)
	}
	return c.Client.Do(ctx, cmd)
}

// A server stood still just as the script that takes a load's lock arrived. It executed the script
// later, for a caller that had already given up both the load and the release. The key stayed
// locked for all processes until the lease ended.
func TestALockThatWasTakenTooLateIsGivenUp(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	ctx := t.Context()
	other, err := nest.Open(server.Client(t), given)
	require.NoError(t, err)
	server.Freeze(t)() // or the test is skipped here

	option := server.ClientOption()
	option.DisableCache = true // a connection with a cache is closed at a deadline
	plain, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(plain.Close)
	thawed := make(chan struct{})
	client := &stoppingClient{Client: plain, stop: func() {
		thaw := server.Freeze(t)
		time.AfterFunc(5*time.Second, func() {
			thaw()
			close(thawed)
		})
	}}
	root, err := nest.Open(client, given)
	require.NoError(t, err)
	// Half of it is for Redis, and a busy machine needs some of that to stop the server.
	short, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	_, err = givenPrice.At(root, 1).GetOrLoad(short, func(context.Context) (int, error) { return 1, nil })
	require.NoError(t, err, "its loader is called without Redis")

	<-thawed
	start := time.Now()
	v, err := givenPrice.At(other, 1).GetOrLoad(ctx, func(context.Context) (int, error) { return 2, nil })
	require.NoError(t, err)
	require.Equal(t, 2, v)
	require.Less(t, time.Since(start), 6*time.Second)
}

// A server whose memory is full cannot note that there is nothing to load. The script that was to
// write the note stopped there, and the lock of the load stayed until its lease ended.
func TestANegativeLoadFreesItsLockWhenMemoryIsFull(t *testing.T) {
	t.Parallel()
	if nesttest.Shared(t).Kind() == nesttest.KindEmbedded {
		t.Skip("nesttest: SKIPPED, not passed: the embedded server has no maxmemory")
	}
	server := nesttest.Start(t)
	root := server.Open(t, given)
	client, ctx := server.Client(t), t.Context()
	limit := func(bytes string) {
		require.NoError(t, client.Do(ctx, client.B().Arbitrary("CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", bytes).Build()).Error())
	}
	_, err := givenPrice.At(root, 1).GetOrLoad(ctx, func(context.Context) (int, error) {
		limit("1")
		return 0, nest.ErrNotFound
	})
	limit("0")
	require.ErrorIs(t, err, nest.ErrNotFound)
	start := time.Now()
	v, err := givenPrice.At(root, 1).GetOrLoad(ctx, func(context.Context) (int, error) { return 3, nil })
	require.NoError(t, err)
	require.Equal(t, 3, v)
	require.Less(t, time.Since(start), 10*time.Second)
}

// The server ends a blocking command whose slot moves away. The wait continues on the new node.
func TestAWaitGoesOnWhenItsSlotMoves(t *testing.T) {
	t.Parallel()
	server := nesttest.Cluster(t)
	root := server.Open(t, given)
	nodes := primaries.Patient(t, server)
	ctx := t.Context()
	list := givenList.At(root)
	popped := make(chan error, 1)
	var got int
	go func() {
		v, ok, err := list.WaitPopLeft(ctx, 20*time.Second)
		if err == nil && !ok {
			err = errors.New("nothing came")
		}
		got = v
		popped <- err
	}()
	time.Sleep(300 * time.Millisecond)
	// Run's slot moves inside the function. Its release arrives all the same.
	require.NoError(t, givenLock.At(root).Run(ctx, func(context.Context, *nest.Lease) error {
		_, _, err := givenPrice.At(root, 1).Lookup(ctx)
		require.NoError(t, givenPrice.At(root, 1).Set(ctx, 1))
		nodes.MoveKey(list.Key(), func() { time.Sleep(200 * time.Millisecond) })
		return err
	}))
	held, err := givenLock.At(root).Held(ctx)
	require.NoError(t, err)
	require.False(t, held)
	_, err = list.PushRight(ctx, 7)
	require.NoError(t, err)
	require.NoError(t, <-popped)
	require.Equal(t, 7, got)
	require.Contains(t, list.Key(), "{")
}
