package suite_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

var errSecondLoad = errors.New("loaded a second time")

// loading begins a load. It returns a function that lets the load end and returns its error.
func loading(ctx context.Context, s nest.Scope, id int) (end func() error) {
	began, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := plainNote.At(s, id).GetOrLoad(ctx, func(context.Context) (string, error) {
			close(began)
			<-release
			return "x", nil
		})
		done <- err
	}()
	<-began
	return func() error {
		close(release)
		return <-done
	}
}

// waiting waits for a value that another client loads.
func waiting(ctx context.Context, s nest.Scope, id int) <-chan error {
	done := make(chan error, 1)
	go func() {
		got, err := plainNote.At(s, id).GetOrLoad(ctx, func(context.Context) (string, error) { return "", errSecondLoad })
		if err == nil && got != "x" {
			err = errors.New("not what was loaded")
		}
		done <- err
	}()
	return done
}

// A process that waits for another one's load is notified of its end, and does not poll.
func TestWaitingForALoadAsksNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := nesttest.Start(t)
	server.Need(t, nesttest.Tracking)
	prefix := nest.WithPrefix(server.Prefix(t))
	loads, waits := server.Open(t, loadTree, prefix), server.Open(t, loadTree, prefix)
	end := loading(ctx, loads, 1)
	one, many := waiting(ctx, waits, 1), make(chan error, 1)
	go func() {
		got, err := nest.LoadMany(ctx, []int{1},
			func(id int) nest.KeyRef[string] { return plainNote.At(waits, id) },
			func(context.Context, []int) (map[int]string, error) { return nil, errSecondLoad })
		assert.Equal(t, []nest.Optional[string]{{Value: "x", Found: true}}, got)
		many <- err
	}()
	time.Sleep(200 * time.Millisecond) // until both wait

	db := redis{t, server.Client(t)}
	require.NoError(t, db.do("CONFIG", "RESETSTAT").Error())
	time.Sleep(500 * time.Millisecond)
	stats, err := db.do("INFO", "commandstats").ToString()
	require.NoError(t, err)
	for line := range strings.Lines(stats) {
		if rest, ok := strings.CutPrefix(line, "cmdstat_eval:calls="); ok {
			tries, _, _ := strings.Cut(rest, ",")
			n, err := strconv.Atoi(tries)
			require.NoError(t, err)
			require.LessOrEqual(t, n, 4, "each tries once a second")
		}
	}
	require.NoError(t, end())
	require.NoError(t, <-one)
	require.NoError(t, <-many)
}

// When the client caches nothing, or gets no invalidation for what it has read, it polls.
func TestWaitingForALoadWithoutACache(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := nesttest.Shared(t)
	prefix := nest.WithPrefix(server.Prefix(t))
	option := server.ClientOption()
	option.DisableCache = true
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	loads := server.Open(t, loadTree, prefix)
	waits, err := nest.Open(client, loadTree, prefix)
	require.NoError(t, err)
	for i := range 3 {
		end := loading(ctx, loads, i)
		done := waiting(ctx, waits, i)
		time.Sleep(20 * time.Millisecond)
		require.NoError(t, end())
		require.NoError(t, <-done)
	}
}

// behind is a client whose cached reads go to a server that does not yet have the latest writes.
type behind struct {
	rueidis.Client

	replica rueidis.Client
	scripts *atomic.Int64
}

func (b behind) DoCache(ctx context.Context, cmd rueidis.Cacheable, ttl time.Duration) rueidis.RedisResult {
	return b.replica.DoCache(ctx, cmd, ttl)
}

func (b behind) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	if strings.HasPrefix(cmd.Commands()[0], "EVAL") {
		b.scripts.Add(1)
	}
	return b.Client.Do(ctx, cmd)
}

// A client that reads from a replica that lags behind does not poll without a pause.
func TestWaitingForALoadBehindTheTimes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server, replica := nesttest.Start(t), nesttest.Start(t)
	prefix := nest.WithPrefix(server.Prefix(t))
	var scripts atomic.Int64
	loads := server.Open(t, loadTree, prefix)
	waits, err := nest.Open(behind{server.Client(t), replica.Client(t), &scripts}, loadTree, prefix)
	require.NoError(t, err)
	end := loading(ctx, loads, 1)
	done := waiting(ctx, waits, 1)
	time.Sleep(300 * time.Millisecond)
	require.Less(t, scripts.Load(), int64(100))
	require.NoError(t, end())
	require.NoError(t, <-done)
}

// When the server goes away during a wait, the wait ends, even without a deadline.
func TestWaitingForALoadWithoutAServer(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	server.Need(t, nesttest.Tracking)
	prefix := nest.WithPrefix(server.Prefix(t))
	loads, waits := server.Open(t, loadTree, prefix), server.Open(t, loadTree, prefix)
	ctx := context.WithoutCancel(t.Context())
	end := loading(ctx, loads, 1)
	done := waiting(ctx, waits, 1)
	time.Sleep(200 * time.Millisecond)
	server.Kill(t)
	select {
	case err := <-done:
		require.ErrorIs(t, err, errSecondLoad, "its loader is called without Redis")
	case <-time.After(30 * time.Second):
		t.Error("still waiting")
	}
	require.NoError(t, end(), "what was loaded is good, though it cannot be stored")
}
