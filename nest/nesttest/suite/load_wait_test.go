package suite_test

import (
	"context"
	"errors"
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
)

var errSecondLoad = errors.New("loaded a second time")

// A process that waits for another one's load is told of its end, and does not ask for it.
func TestWaitingForALoadAsksNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := nesttest.Start(t)
	server.Need(t, nesttest.Tracking)
	prefix := nest.WithPrefix(server.Prefix(t))
	loads, waits := server.Open(t, loadTree, prefix), server.Open(t, loadTree, prefix)
	began, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		got, err := plainNote.At(loads, 1).GetOrLoad(ctx, func(context.Context) (string, error) {
			close(began)
			<-release
			return "x", nil
		})
		assert.NoError(t, err)
		assert.Equal(t, "x", got)
	})
	<-began
	wg.Go(func() {
		got, err := plainNote.At(waits, 1).GetOrLoad(ctx, func(context.Context) (string, error) { return "", errSecondLoad })
		assert.NoError(t, err)
		assert.Equal(t, "x", got)
	})
	wg.Go(func() {
		got, err := nest.LoadMany(ctx, []int{1},
			func(id int) nest.KeyRef[string] { return plainNote.At(waits, id) },
			func(context.Context, []int) (map[int]string, error) { return nil, errSecondLoad })
		assert.NoError(t, err)
		assert.Equal(t, []nest.Optional[string]{{Value: "x", Found: true}}, got)
	})
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
			assert.NoError(t, err)
			assert.LessOrEqual(t, n, 4, "each tries once a second")
		}
	}
	close(release)
	wg.Wait()
}

// Where the client caches nothing, or is not told of what it has read, it asks.
func TestWaitingForALoadWithoutACache(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := nesttest.Shared(t)
	prefix := nest.WithPrefix(server.Prefix(t))
	loads := server.Open(t, loadTree, prefix)
	option := server.ClientOption()
	option.DisableCache = true
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	waits, err := nest.Open(client, loadTree, prefix)
	require.NoError(t, err)
	for i := range 3 {
		began, release := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := plainNote.At(loads, i).GetOrLoad(ctx, func(context.Context) (string, error) {
				close(began)
				<-release
				return "x", nil
			})
			assert.NoError(t, err)
		})
		<-began
		wg.Go(func() {
			got, err := plainNote.At(waits, i).GetOrLoad(ctx, func(context.Context) (string, error) { return "", errSecondLoad })
			assert.NoError(t, err)
			assert.Equal(t, "x", got)
		})
		time.Sleep(20 * time.Millisecond)
		close(release)
		wg.Wait()
	}
}

// behind reads for the client's cache from a server that does not know of what was written.
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

// Who reads from a replica that lags behind does not ask without a pause.
func TestWaitingForALoadBehindTheTimes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server, replica := nesttest.Start(t), nesttest.Start(t)
	prefix := nest.WithPrefix(server.Prefix(t))
	var scripts atomic.Int64
	loads := server.Open(t, loadTree, prefix)
	waits, err := nest.Open(behind{server.Client(t), replica.Client(t), &scripts}, loadTree, prefix)
	require.NoError(t, err)
	began, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := plainNote.At(loads, 1).GetOrLoad(ctx, func(context.Context) (string, error) {
			close(began)
			<-release
			return "x", nil
		})
		assert.NoError(t, err)
	})
	<-began
	wg.Go(func() {
		got, err := plainNote.At(waits, 1).GetOrLoad(ctx, func(context.Context) (string, error) { return "", errSecondLoad })
		assert.NoError(t, err)
		assert.Equal(t, "x", got)
	})
	time.Sleep(300 * time.Millisecond)
	require.Less(t, scripts.Load(), int64(100))
	close(release)
	wg.Wait()
}

// A server that goes away while somebody waits keeps nobody waiting, without a deadline either.
func TestWaitingForALoadWithoutAServer(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	server.Need(t, nesttest.Tracking)
	prefix := nest.WithPrefix(server.Prefix(t))
	loads, waits := server.Open(t, loadTree, prefix), server.Open(t, loadTree, prefix)
	ctx := context.WithoutCancel(t.Context())
	began, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := plainNote.At(loads, 1).GetOrLoad(ctx, func(context.Context) (string, error) {
			close(began)
			<-release
			return "x", nil
		})
		assert.Error(t, err)
	})
	<-began
	failed := make(chan error, 1)
	wg.Go(func() {
		_, err := plainNote.At(waits, 1).GetOrLoad(ctx, func(context.Context) (string, error) { return "", errSecondLoad })
		failed <- err
	})
	time.Sleep(200 * time.Millisecond)
	server.Kill(t)
	select {
	case err := <-failed:
		require.Error(t, err)
		require.NotErrorIs(t, err, errSecondLoad)
	case <-time.After(30 * time.Second):
		t.Error("still waiting")
	}
	close(release)
	wg.Wait()
}
