package suite_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

var (
	news     = nest.Channel[point]("news:<topic>")
	channels = nest.Cluster("channels", nest.TTL(declaredTTL), nest.Sub(news))
)

// heard is one item that a subscription yields.
type heard struct {
	message point
	err     error
}

// listen subscribes and sends what the subscription yields to told, until stop is called. It
// returns once the subscription is established, and signals stood each time it is established
// again.
func listen(t *testing.T, ref nest.ChannelRef[point]) (told <-chan heard, stood <-chan struct{}, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, standing, ended := make(chan heard, 1000), make(chan struct{}, 100), make(chan struct{})
	go func() {
		defer close(ended)
		for m, err := range ref.Subscribe(ctx, nest.OnSubscribed(func() { standing <- struct{}{} })) {
			out <- heard{m, err}
		}
	}()
	within(t, standing)
	return out, standing, func() {
		cancel()
		within(t, ended)
	}
}

func within[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("nothing comes")
		panic("unreachable")
	}
}

func TestChannel(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := nesttest.Open(t, channels), redis{t, nesttest.Client(t)}
	ref := news.At(s, "a")
	n, err := ref.Publish(ctx, point{0, 0})
	require.NoError(t, err)
	require.Zero(t, n, "nobody listens")

	told, _, stop := listen(t, ref)
	second, _, stopSecond := listen(t, ref)
	other, _, stopOther := listen(t, news.At(s, "b"))
	n, err = ref.Subscribers(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, n, "they share a connection")
	for i := range 100 {
		_, err = ref.Publish(ctx, point{i, -i})
		require.NoError(t, err)
	}
	for i := range 100 {
		require.Equal(t, heard{message: point{i, -i}}, within(t, told))
		require.Equal(t, heard{message: point{i, -i}}, within(t, second))
	}
	require.Empty(t, other)
	require.False(t, db.exists(ref.Key()), "a channel is no key")

	// One that leaves does not disturb the others.
	stop()
	n, err = ref.Publish(ctx, point{7, 7})
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	require.Equal(t, heard{message: point{7, 7}}, within(t, second))
	stopSecond()
	eventually(t, func() bool { n, err := ref.Subscribers(ctx); return err == nil && n == 0 })
	_, err = news.At(s, "b").Publish(ctx, point{8, 8})
	require.NoError(t, err)
	require.Equal(t, heard{message: point{8, 8}}, within(t, other))
	stopOther()
}

// The connection that all operations share keeps working during a subscription and after it.
func TestSubscriptionKeepsToItsOwnConnection(t *testing.T) {
	t.Parallel()
	s := nesttest.Open(t, nest.Cluster("root", nest.Sub(channels, name)))
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		for m, err := range news.At(s, "x").Subscribe(ctx, nest.OnSubscribed(cancel)) {
			t.Error("nothing was published", m, err)
		}
		cancel()
		require.NoError(t, name.At(s).Set(t.Context(), "Ali"))
		got, err := name.At(s).Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, "Ali", got)
	}
}

func TestSlowSubscriber(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := nesttest.Open(t, channels)
	ref, marker := news.At(s, "slow"), news.At(s, "marker")
	standing := make(chan struct{}, 1)
	next, ended := make(chan struct{}), make(chan struct{})
	var got []heard
	go func() {
		defer close(ended)
		for m, err := range ref.Subscribe(ctx, nest.Buffer(3), nest.OnSubscribed(func() { standing <- struct{}{} })) {
			if got = append(got, heard{m, err}); m.X == 100 {
				return
			}
			<-next
		}
	}()
	within(t, standing)
	publish := func(x int) {
		t.Helper()
		n, err := ref.Publish(ctx, point{X: x})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	}
	publish(0)
	time.Sleep(100 * time.Millisecond) // the loop has taken it and waits
	for x := 1; x <= 10; x++ {
		publish(x)
	}
	_, err := marker.Publish(ctx, point{})
	require.NoError(t, err)
	time.Sleep(200 * time.Millisecond)
	for range 4 { // 1, 2, 3 and the gap
		next <- struct{}{}
	}
	time.Sleep(50 * time.Millisecond)
	publish(100)
	close(next)
	within(t, ended)
	require.Len(t, got, 6)
	for x := range 4 {
		require.Equal(t, heard{message: point{X: x}}, got[x])
	}
	require.ErrorIs(t, got[4].err, nest.ErrGap)
	gap, ok := errors.AsType[*nest.GapError](got[4].err)
	require.True(t, ok)
	require.Equal(t, nest.GapError{Dropped: 7}, *gap)
	require.ErrorContains(t, got[4].err, "7 were dropped")
	require.Equal(t, heard{message: point{X: 100}}, got[5])
}

func TestSubscriptionOutlivesTheServer(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := nesttest.Start(t)
	ref := news.At(server.Open(t, channels), "a")
	told, stood, stop := listen(t, ref)
	_, err := ref.Publish(ctx, point{1, 1})
	require.NoError(t, err)
	require.Equal(t, heard{message: point{1, 1}}, within(t, told))
	server.Kill(t)
	time.Sleep(50 * time.Millisecond)
	server.Restart(t)
	within(t, stood)
	eventually(t, func() bool { n, err := ref.Publish(ctx, point{2, 2}); return err == nil && n == 1 })
	gap := within(t, told)
	require.ErrorIs(t, gap.err, nest.ErrGap)
	e, ok := errors.AsType[*nest.GapError](gap.err)
	require.True(t, ok)
	require.True(t, e.Reconnected)
	require.Equal(t, heard{message: point{2, 2}}, within(t, told))
	stop()
}

func TestSubscribeErrors(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := nesttest.Open(t, channels), redis{t, nesttest.Client(t)}
	ref := news.At(s, "a")

	t.Run("an undecodable message is told and passed over", func(t *testing.T) {
		told, _, stop := listen(t, ref)
		defer stop()
		publish := "PUBLISH"
		if nesttest.Shared(t).Kind() == nesttest.KindCluster {
			publish = "SPUBLISH"
		}
		require.NoError(t, db.do(publish, ref.Key(), "secret-content").Error())
		_, err := ref.Publish(ctx, point{1, 2})
		require.NoError(t, err)
		bad := within(t, told)
		require.ErrorIs(t, bad.err, nest.ErrDecode)
		require.NotContains(t, bad.err.Error(), "secret-content")
		require.Equal(t, heard{message: point{1, 2}}, within(t, told))
	})
	t.Run("bad arguments end it", func(t *testing.T) {
		for _, opts := range [][]nest.SubscribeOption{{nest.Buffer(0)}} {
			n := 0
			for _, err := range ref.Subscribe(ctx, opts...) {
				require.ErrorIs(t, err, nest.ErrArgument)
				n++
			}
			require.Equal(t, 1, n)
		}
		for _, err := range news.At(s).Subscribe(ctx) { //nest:ignore the error is what is tested
			require.ErrorIs(t, err, nest.ErrMissingParam)
		}
	})
	t.Run("a context that has ended", func(t *testing.T) {
		over, cancel := context.WithCancel(ctx)
		cancel()
		for m, err := range ref.Subscribe(over) {
			t.Error("nothing must be yielded", m, err)
		}
		timed, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		for _, err := range ref.Subscribe(timed) {
			t.Error(err)
		}
	})
	t.Run("no server at the start", func(t *testing.T) {
		server := nesttest.Start(t)
		lost := news.At(server.Open(t, channels), "a")
		server.Kill(t)
		n := 0
		for _, err := range lost.Subscribe(ctx) {
			require.Error(t, err)
			n++
		}
		require.Equal(t, 1, n)
	})
}

// TestSubscriptionsLeaveNothingBehind is not parallel because it counts goroutines.
func TestSubscriptionsLeaveNothingBehind(t *testing.T) {
	s := nesttest.Open(t, channels)
	ref := news.At(s, "a")
	_, err := ref.Publish(t.Context(), point{})
	require.NoError(t, err)
	before := runtime.NumGoroutine()
	for range 20 {
		_, _, stop := listen(t, ref)
		stop()
		for _, err := range ref.Subscribe(t.Context(), nest.OnSubscribed(func() {
			go func() { _, _ = ref.Publish(t.Context(), point{}) }()
		})) {
			require.NoError(t, err)
			break
		}
	}
	for deadline := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
	eventually(t, func() bool { n, err := ref.Subscribers(t.Context()); return err == nil && n == 0 })
}
