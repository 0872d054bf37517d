package suite_test

import (
	"context"
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

// tardyClient passes on the first grant of a lock only when its lease is over, and a release only
// when the lock was granted again.
type tardyClient struct {
	rueidis.Client

	grants          atomic.Int32
	again, released chan struct{}
}

func (c *tardyClient) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	words := cmd.Commands()
	about := func(role string) bool {
		return strings.HasPrefix(words[0], "EVAL") &&
			slices.ContainsFunc(words, func(w string) bool { return strings.Contains(w, "%"+role) })
	}
	switch {
	case about("token"):
		answer := c.Client.Do(ctx, cmd)
		switch granted, err := answer.AsIntSlice(); {
		case err != nil || granted[0] != 1:
		case c.grants.Add(1) == 1:
			time.Sleep(steadyLease)
		default:
			close(c.again)
		}
		return answer
	case about("wake") && c.grants.Load() > 0:
		defer close(c.released)
		select {
		case <-c.again:
		case <-ctx.Done():
		}
	}
	return c.Client.Do(ctx, cmd)
}

// A grant that arrives when its lease is over is released in the background, while its caller asks
// again. The release arrived after the second grant, and ended that one, because both had the same
// owner. So another client got the lock during a lease that its holder took for valid.
func TestALateGrantIsNotReleasedTwice(t *testing.T) {
	t.Parallel()
	server := nesttest.Shared(t)
	if server.Kind() == nesttest.KindEmbedded {
		t.Skip("nesttest: SKIPPED, not passed: on the embedded server time stands still")
	}
	prefix := nest.WithPrefix(server.Prefix(t))
	client := &tardyClient{Client: server.Client(t), again: make(chan struct{}), released: make(chan struct{})}
	slow, err := nest.Open(client, work, prefix)
	require.NoError(t, err)
	other, err := nest.Open(server.Client(t), work, prefix)
	require.NoError(t, err)
	// Both scripts are known before: a NOSCRIPT is no grant.
	require.NoError(t, acquired(t, steady.At(other)).Release(t.Context()))

	lease := acquired(t, steady.At(slow))
	<-client.released
	if stolen, ok := tries(t, steady.At(other)); ok {
		require.Error(t, lease.Err(), "two leases are valid")
		require.NoError(t, stolen.Release(t.Context()))
	}
	require.NoError(t, lease.Err())
	require.EqualValues(t, 2, client.grants.Load())
}
