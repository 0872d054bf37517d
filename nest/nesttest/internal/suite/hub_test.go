package suite_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/nest/nesttest/internal/primaries"
)

var (
	crowdChannel = nest.Channel[int]("channel:<n>", nest.Params(nest.Param[int]("n")))
	crowdList    = nest.List[int]("list")
	crowd        = nest.Cluster("crowd", nest.TTL(declaredTTL), nest.Sub(crowdChannel, crowdList))
)

// crowded is a tree whose client has a name, and one connection of its own to each node.
type crowded struct {
	root   nest.Scope
	client rueidis.Client
	name   string
}

func openCrowd(t *testing.T, server *nesttest.Server) crowded {
	t.Helper()
	option := server.ClientOption()
	option.BlockingPoolSize = 1
	name := "crowd-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	if server.Kind() != nesttest.KindEmbedded {
		option.ClientName = name
	}
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	root, err := nest.Open(client, crowd, nest.WithPrefix(server.Prefix(t)))
	require.NoError(t, err)
	return crowded{root, client, name}
}

// connections returns the IDs of the subscribed connections, by node.
func (c crowded) connections(t *testing.T) map[rueidis.Client][]string {
	t.Helper()
	found := make(map[rueidis.Client][]string)
	for _, node := range c.client.Nodes() {
		list, err := node.Do(t.Context(), node.B().Arbitrary("CLIENT", "LIST", "TYPE", "pubsub").Build()).ToString()
		require.NoError(t, err)
		for line := range strings.Lines(list) {
			if strings.Contains(line, " name="+c.name+" ") {
				_, id, _ := strings.Cut(line, "id=")
				id, _, _ = strings.Cut(id, " ")
				found[node] = append(found[node], id)
			}
		}
	}
	return found
}

// needClientList skips a test where the server does not list its connections.
func needClientList(t *testing.T) {
	t.Helper()
	if nesttest.Shared(t).Kind() == nesttest.KindEmbedded {
		t.Skip("nesttest: SKIPPED, not passed: the embedded server does not list its connections")
	}
}

// Subscriptions were limited to BlockingPoolSize, with one connection each.
func TestManySubscriptionsShareAConnection(t *testing.T) {
	t.Parallel()
	server := nesttest.Shared(t)
	c := openCrowd(t, server)
	const channels, each = 1000, 3
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stand, got, ended sync.WaitGroup
	for i := range channels * each {
		stand.Add(1)
		got.Add(1)
		ended.Go(func() {
			want := 0
			for v, err := range crowdChannel.At(c.root, i%channels).Subscribe(ctx, nest.OnSubscribed(stand.Done)) {
				if !assert.NoError(t, err) || !assert.Equal(t, i%channels+want, v) {
					return
				}
				if want++; want == 2 {
					got.Done()
				}
			}
		})
	}
	wait := func(what *sync.WaitGroup) {
		t.Helper()
		done := make(chan struct{})
		go func() { defer close(done); what.Wait() }()
		within(t, done)
	}
	wait(&stand)
	if server.Kind() != nesttest.KindEmbedded {
		connections := c.connections(t)
		if server.Kind() == nesttest.KindCluster {
			require.Len(t, connections, 3, "each primary has some of the channels")
		} else {
			require.Len(t, connections, 1)
		}
		for _, ids := range connections {
			require.Len(t, ids, 1)
		}
	}
	for more := range 2 {
		b := c.root.Batch()
		for n := range channels {
			crowdChannel.At(c.root, n).In(b).Publish(n + more)
		}
		require.NoError(t, b.Exec(ctx))
	}
	wait(&got)
	cancel()
	wait(&ended)

	// The connection is free for others.
	_, err := crowdList.At(c.root).PushRight(t.Context(), 7)
	require.NoError(t, err)
	v, ok, err := crowdList.At(c.root).WaitPopLeft(t.Context(), 10*time.Second)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, 7, v)
}

// While a subscription is established nothing is lost, however many other subscribers come to the
// channel and leave it.
func TestSubscriptionsComeAndGo(t *testing.T) {
	t.Parallel()
	c := openCrowd(t, nesttest.Shared(t))
	ctx := t.Context()
	ref := crowdChannel.At(c.root, 1)
	keeper, stopKeeper := context.WithCancel(ctx) // keeps the connection open
	defer stopKeeper()
	standing := make(chan struct{})
	var kept sync.WaitGroup
	for n := range 50 { // on a Redis Cluster, on each node
		kept.Go(func() {
			for _, err := range crowdChannel.At(c.root, 100+n).Subscribe(keeper, nest.OnSubscribed(func() { standing <- struct{}{} })) {
				assert.NoError(t, err)
			}
		})
		within(t, standing)
	}
	var published atomic.Int64
	publishing, stopPublishing := context.WithCancel(ctx)
	var publisher sync.WaitGroup
	publisher.Go(func() {
		for publishing.Err() == nil {
			_, err := ref.Publish(ctx, int(published.Add(1)))
			assert.NoError(t, err)
		}
	})
	follow := func(round int) bool {
		from, next, count := int64(-1), 0, 0
		onSubscribed := nest.OnSubscribed(func() { from = published.Load() + 1 })
		for v, err := range ref.Subscribe(ctx, onSubscribed, nest.Buffer(10_000)) {
			if !assert.NoError(t, err) {
				return false
			}
			if next == 0 && !assert.LessOrEqual(t, int64(v), from, "the first one") || next != 0 && !assert.Equal(t, next, v) {
				return false
			}
			next = v + 1
			if count++; count > round%5 && int64(v) >= from {
				return true
			}
		}
		return assert.Fail(t, "it has ended")
	}
	for _, together := range []int{1, 3} { // with 1, the channel is left empty each time
		var all sync.WaitGroup
		for range together {
			all.Go(func() {
				for round := 0; round < 600/together && follow(round); round++ {
				}
			})
		}
		all.Wait()
	}
	stopPublishing()
	publisher.Wait()
	stopKeeper()
	kept.Wait()
}

// A subscriber that does not read delays no other.
func TestSlowSubscriberHoldsUpNobody(t *testing.T) {
	t.Parallel()
	c := openCrowd(t, nesttest.Shared(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ref := crowdChannel.At(c.root, 1)
	stuck := make(chan struct{})
	var slow sync.WaitGroup
	defer slow.Wait()
	defer cancel()
	for _, on := range []nest.SubscribeOption{nest.OnSubscribed(func() { stuck <- struct{}{}; <-ctx.Done() }), nest.OnSubscribed(func() { stuck <- struct{}{} })} {
		slow.Go(func() {
			for _, err := range ref.Subscribe(ctx, nest.Buffer(1), on) {
				assert.NoError(t, err)
				<-ctx.Done()
			}
		})
		within(t, stuck)
	}
	standing, got := make(chan struct{}, 1), make(chan int, 1000)
	slow.Go(func() {
		for v, err := range ref.Subscribe(ctx, nest.Buffer(1000), nest.OnSubscribed(func() { standing <- struct{}{} })) {
			assert.NoError(t, err)
			got <- v
		}
	})
	within(t, standing)
	for i := range 500 {
		_, err := ref.Publish(ctx, i)
		require.NoError(t, err)
	}
	for i := range 500 {
		require.Equal(t, i, within(t, got))
	}
}

// When a connection is lost, each subscription is told once that it may have missed messages.
func TestKilledConnectionTellsEachItsGap(t *testing.T) {
	t.Parallel()
	needClientList(t)
	c := openCrowd(t, nesttest.Shared(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const channels, subscriptions = 20, 60
	var told [subscriptions]chan error
	standing := make(chan struct{}, subscriptions)
	var ended sync.WaitGroup
	for i := range told {
		told[i] = make(chan error, 100)
		ended.Go(func() {
			on := nest.OnSubscribed(func() { standing <- struct{}{} })
			for _, err := range crowdChannel.At(c.root, i%channels).Subscribe(ctx, on) {
				told[i] <- err
			}
		})
	}
	for range told {
		within(t, standing)
	}
	for round := range 3 {
		for node, ids := range c.connections(t) {
			for _, id := range ids {
				require.NoError(t, node.Do(ctx, node.B().Arbitrary("CLIENT", "KILL", "ID", id).Build()).Error(), round)
			}
		}
		for range told {
			within(t, standing)
		}
		for n := range channels {
			_, err := crowdChannel.At(c.root, n).Publish(ctx, n)
			require.NoError(t, err)
		}
		for i := range told {
			gap, ok := errors.AsType[*nest.GapError](within(t, told[i]))
			require.True(t, ok)
			require.Equal(t, nest.GapError{Reconnected: true}, *gap)
			require.NoError(t, within(t, told[i]))
		}
	}
	cancel()
	ended.Wait()
	for i := range told {
		require.Empty(t, told[i])
	}
}

// A subscription follows its channel to the node that gets the slot, and reports the gap.
func TestSubscriptionFollowsItsSlot(t *testing.T) {
	t.Parallel()
	server := nesttest.Cluster(t)
	nodes := primaries.Of(t, server)
	c := openCrowd(t, server)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	told, standing := make(chan error, 100), make(chan struct{}, 100)
	var ended sync.WaitGroup
	listenTo := func(n int) {
		ended.Go(func() {
			for _, err := range crowdChannel.At(c.root, n).Subscribe(ctx, nest.OnSubscribed(func() { standing <- struct{}{} })) {
				told <- err
			}
		})
		within(t, standing)
	}
	ref := crowdChannel.At(c.root, 1)
	listenTo(1)
	keySlot := nodes.Ask(0, "CLUSTER", "KEYSLOT", ref.Key())
	slot, err := keySlot.AsUint64()
	require.NoError(t, err)
	from := slices.IndexFunc(nodes.Clients, func(node rueidis.Client) bool {
		return node.Do(ctx, node.B().Exists().Key(ref.Key()).Build()).Error() == nil
	})
	nodes.Move(uint16(slot), from, (from+1)%3)
	within(t, standing)
	gap, ok := errors.AsType[*nest.GapError](within(t, told))
	require.True(t, ok)
	require.Equal(t, nest.GapError{Reconnected: true}, *gap)
	eventually(t, func() bool { n, err := ref.Publish(ctx, 5); return err == nil && n == 1 })
	require.NoError(t, within(t, told))
	for n := range 30 { // on all nodes, each with one connection
		listenTo(n + 2)
	}
	connections := c.connections(t)
	require.Len(t, connections, 3)
	for _, ids := range connections {
		require.Len(t, ids, 1)
	}
	cancel()
	ended.Wait()
}
