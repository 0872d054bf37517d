package suite_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

func consumersOf(t *testing.T, ref nest.StreamRef[int]) []string {
	t.Helper()
	list, err := ref.Consumers(t.Context(), "g")
	require.NoError(t, err)
	names := make([]string, 0, len(list))
	for _, c := range list {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return names
}

// Each process has a name of its own, and the group does not remember all of them for ever.
func TestConsumeRemovesConsumersThatAreGone(t *testing.T) {
	t.Parallel()
	if nesttest.Shared(t).Kind() == nesttest.KindEmbedded {
		t.Skip("nesttest: SKIPPED, not passed: the embedded server does not know how long a consumer has been idle")
	}
	ref, _ := openStream[int](t)
	fillStream(t, ref, 3)
	ctx := t.Context()
	_, err := ref.CreateGroup(ctx, "g", "")
	require.NoError(t, err)
	for _, name := range []string{"gone", "holding", "gone too"} {
		entries, err := ref.ReadGroup(ctx, "g", name, nest.Count(1))
		require.NoError(t, err)
		if name != "holding" {
			_, err = ref.Ack(ctx, "g", entries[0].ID)
			require.NoError(t, err)
		}
	}
	var handled atomic.Int64
	handler := func(context.Context, nest.Delivery[int]) error {
		handled.Add(1)
		return nil
	}
	idle := func(n int64) bool { return handled.Load() == n && pendingIn(t, ref) == 1 }

	stop := consuming(t, ref, "a", handler, nest.RemoveIdle(0))
	addOne(t, ref, 4)
	eventually(t, func() bool { return idle(1) })
	require.NoError(t, stop())
	require.Len(t, consumersOf(t, ref), 4, "0 removes none")
	stop = consuming(t, ref, "b", handler, nest.RemoveIdle(time.Hour))
	addOne(t, ref, 5)
	eventually(t, func() bool { return idle(2) })
	require.NoError(t, stop())
	require.Len(t, consumersOf(t, ref), 5)

	stop = consuming(t, ref, "a", handler, nest.RemoveIdle(soon))
	eventually(t, func() bool { return slices.Equal(consumersOf(t, ref), []string{"a", "holding"}) })
	time.Sleep(3 * soon)
	require.Equal(t, []string{"a", "holding"}, consumersOf(t, ref), "one that holds entries is never removed")
	require.EqualValues(t, 1, pendingIn(t, ref))
	require.NoError(t, stop())
	stop = consuming(t, ref, "a", handler, nest.RemoveIdle(soon), nest.ClaimAfter(soon))
	eventually(t, func() bool { return slices.Equal(consumersOf(t, ref), []string{"a"}) })
	require.EqualValues(t, 0, pendingIn(t, ref), "its entry was taken over before")
	require.NoError(t, stop())

	err = ref.Consume(ctx, "g", "a", handler, nest.RemoveIdle(-time.Hour))
	require.ErrorIs(t, err, nest.ErrArgument)
}

func addOne(t *testing.T, ref nest.StreamRef[int], n int) {
	t.Helper()
	_, err := ref.Add(t.Context(), n)
	require.NoError(t, err)
}

// A user who may not remove consumers still consumes. The error is reported once.
func TestConsumeWithoutTheRightToRemoveConsumers(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.ACL)
	server := nesttest.Start(t)
	admin := server.Client(t)
	words := strings.Fields("ACL SETUSER limited reset on >secret ~* &* +@all -xgroup|delconsumer")
	require.NoError(t, admin.Do(t.Context(), admin.B().Arbitrary(words...).Build()).Error())
	option := server.ClientOption()
	option.Username, option.Password = "limited", "secret"
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	def := nest.Stream[int]("stream")
	root, err := nest.Open(client, nest.Cluster("streams", nest.Sub(def)))
	require.NoError(t, err)
	ref := def.At(root)
	var h handled
	var refused []error
	stop := consuming(t, ref, "a", func(_ context.Context, d nest.Delivery[int]) error {
		h.take(d)
		return nil
	}, nest.RemoveIdle(soon), nest.OnError(func(err error) { refused = append(refused, err) }))
	for n := range 3 {
		addOne(t, ref, n)
		eventually(t, func() bool { return h.ids() == n+1 && pendingIn(t, ref) == 0 })
		time.Sleep(soon) // it would look again meanwhile
	}
	require.NoError(t, stop())
	require.Len(t, refused, 1)
	require.ErrorContains(t, refused[0], "NOPERM no right to run XGROUP")
}

// Consumers that come and go while others are removed lose nothing.
func TestRemovingConsumersLosesNoEntry(t *testing.T) {
	t.Parallel()
	ref, _ := openStream[int](t)
	fillStream(t, ref, 1)
	ctx := t.Context()
	var h handled
	stop := consuming(t, ref, "a", func(_ context.Context, d nest.Delivery[int]) error {
		h.take(d)
		return nil
	}, nest.RemoveIdle(time.Millisecond), nest.ClaimAfter(soon))
	eventually(t, func() bool { return h.ids() == 1 })
	var read atomic.Int64
	for i := range 300 {
		_, err := ref.Add(ctx, i)
		require.NoError(t, err)
		entries, err := ref.ReadGroup(ctx, "g", "b", nest.Count(1)) // and does nothing with it
		require.NoError(t, err)
		read.Add(int64(len(entries)))
	}
	eventually(t, func() bool { return h.ids() == 301 && pendingIn(t, ref) == 0 })
	require.NoError(t, stop())
	require.Positive(t, read.Load())
}

// A consumer that waits for long looks idle and is removed. It still gets the next entry.
func TestAWaitingConsumerThatWasRemovedGetsItsEntry(t *testing.T) {
	t.Parallel()
	if nesttest.Shared(t).Kind() == nesttest.KindEmbedded {
		t.Skip("nesttest: SKIPPED, not passed: the embedded server does not know how long a consumer has been idle")
	}
	ref, _ := openStream[int](t)
	ctx := t.Context()
	_, err := ref.CreateGroup(ctx, "g", "")
	require.NoError(t, err)
	_, err = ref.CreateConsumer(ctx, "g", "waiting") // Redis 7.0 does so only once there is an entry
	require.NoError(t, err)
	got := make(chan error, 1)
	go func() {
		entries, err := ref.ReadGroup(ctx, "g", "waiting", nest.Block(20*time.Second))
		if err == nil && len(entries) != 1 {
			err = errors.New("no entry")
		}
		got <- err
	}()
	time.Sleep(100 * time.Millisecond) // it waits now, nearly always
	var others atomic.Int64
	stop := consuming(t, ref, "a", func(context.Context, nest.Delivery[int]) error {
		others.Add(1)
		return nil
	}, nest.RemoveIdle(time.Millisecond))
	eventually(t, func() bool { return !slices.Contains(consumersOf(t, ref), "waiting") })
	require.NoError(t, stop())
	addOne(t, ref, 1)
	require.NoError(t, <-got)
	pending, err := ref.Pending(ctx, "g", nest.PendingQuery{Consumer: "waiting"})
	require.NoError(t, err)
	require.Len(t, pending, 1)
	require.Zero(t, others.Load())
}
