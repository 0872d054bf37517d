package kit_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/nesttest"
)

func TestRelay(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	relay := nesttest.NewRelay(t, server.Addr())
	option := server.ClientOption()
	option.InitAddress, option.ForceSingleClient, option.DisableRetry = []string{relay.Addr()}, true, true
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	direct := server.Client(t)
	incr := func(d time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		return client.Do(ctx, client.B().Incr().Key("n").Build()).Error()
	}
	count := func() string {
		n, err := direct.Do(t.Context(), direct.B().Get().Key("n").Build()).ToString()
		require.NoError(t, err)
		return n
	}
	again := func() {
		t.Helper()
		require.Eventually(t, func() bool { return client.Do(t.Context(), client.B().Ping().Build()).Error() == nil },
			10*time.Second, time.Millisecond)
	}
	require.NoError(t, incr(time.Minute))
	require.Equal(t, "1", count())

	relay.LoseAnswers()
	require.Error(t, incr(time.Minute))
	require.Equal(t, "2", count(), "the server has got it")
	again()

	start := time.Now()
	relay.Hold(50 * time.Millisecond)
	require.NoError(t, incr(time.Minute))
	require.GreaterOrEqual(t, time.Since(start), 50*time.Millisecond)
	require.Equal(t, "3", count())

	relay.Sever(1)
	require.Error(t, incr(time.Second))
	require.Positive(t, relay.Severed())
	relay.Sever(0)
	again()
	severed := relay.Severed()

	relay.Cut()
	again()
	before := count()
	relay.Mute()
	require.ErrorIs(t, incr(100*time.Millisecond), context.DeadlineExceeded)
	require.Eventually(t, func() bool { return count() > before }, 10*time.Second, time.Millisecond, "it is the answer that is lost")
	require.Equal(t, severed, relay.Severed())
}
