package suite_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// While a call has an idle connection to itself, others wait behind it. When its context ended, the
// connection was closed, and the others failed with "context deadline exceeded" in place of being
// sent: writes whose own context never ended.
func TestNoCallEndsWithTheContextOfAnother(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	relay := nesttest.NewRelay(t, server.Addr())
	option := server.ClientOption()
	option.InitAddress, option.ForceSingleClient, option.DisableCache = []string{relay.Addr()}, true, true
	counts := nest.Counter[int64]("counts:<n>")
	beside := nest.Cluster("beside", nest.Sub(counts))
	endless := context.WithoutCancel(t.Context()) // with others, the client does not use it alone
	for range 5 {
		// A connection that has carried several calls at a time is never one call's again.
		client, err := rueidis.NewClient(option)
		require.NoError(t, err)
		root, err := nest.Open(client, beside)
		require.NoError(t, err)
		count, other := counts.At(root, 1), counts.At(root, 2)
		require.NoError(t, count.Set(endless, 0))
		relay.Hold(200 * time.Millisecond)
		var calls sync.WaitGroup
		calls.Go(func() {
			short, cancel := context.WithTimeout(endless, 50*time.Millisecond)
			defer cancel()
			assert.ErrorIs(t, other.Set(short, 1), context.DeadlineExceeded)
		})
		for range 3 {
			calls.Go(func() {
				time.Sleep(20 * time.Millisecond)
				_, err := count.Incr(endless)
				assert.NoError(t, err)
			})
		}
		calls.Wait()
		got, err := count.Get(endless)
		require.NoError(t, err)
		require.EqualValues(t, 3, got, "each was executed once")
		client.Close()
	}
}

// A new client connects to each node of a Redis Cluster for whoever asks first. If that was the
// look-up of the slots for observers, which ends early, the others' writes failed with it and were
// sent again, after the reads that the client had repeated by itself.
func TestBatchesKeepTheirOrderWhileTheClientConnects(t *testing.T) {
	t.Parallel()
	server := nesttest.Shared(t)
	prefix := nest.WithPrefix(server.Prefix(t))
	for n := range 40 {
		client, err := rueidis.NewClient(server.ClientOption())
		require.NoError(t, err)
		root, err := nest.Open(client, batchUsers, prefix, nest.WithObserver(&events{}))
		require.NoError(t, err)
		together(8, func(g int) {
			for i := range 4 {
				id := int64(100*n + 10*g + i)
				b := root.Batch()
				batchName.At(root, id).In(b).Set(strconv.FormatInt(id, 10))
				get := batchName.At(root, id).In(b).Get()
				assert.NoError(t, b.Exec(t.Context()))
				got, err := get.Value()
				assert.NoError(t, err)
				assert.Equal(t, strconv.FormatInt(id, 10), got)
			}
		})
		client.Close()
	}
}
