package suite_test

import (
	"context"
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

// With the server down every operation returns an error of the library's shape soon after its
// context ends. None mistakes a missing server for a missing key.
func TestServerDown(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t, nesttest.Persistent())
	s := server.Open(t, root)
	ref := age.At(s, 1)
	require.NoError(t, ref.Set(t.Context(), 7))
	server.Kill(t)

	var wg sync.WaitGroup
	for op, do := range operations {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			err := do(ctx, ref)
			assert.Less(t, time.Since(start), 5*time.Second, op)
			if op == "GetOrLoad" {
				assert.NoError(t, err, "its loader is called without Redis")
				return
			}
			assert.Error(t, err, op)
			assert.NotErrorIs(t, err, nest.ErrNotFound, op)
			var e *nest.Error
			assert.ErrorAs(t, err, &e, op)
			assert.NotContains(t, err.Error(), "8675309", op)
		})
	}
	wg.Go(func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.Subkeys(ctx)
		assert.Error(t, err)
		n, err := user.At(s, 1).Clear(ctx)
		assert.Error(t, err)
		assert.Zero(t, n)
	})
	wg.Wait()

	server.Restart(t)
	require.Eventually(t, func() bool {
		got, err := ref.Get(t.Context())
		return err == nil && got == 7
	}, 10*time.Second, 10*time.Millisecond, "the client finds the server again")
}

// When a server accepts commands and does not answer, a call returns as soon as its context ends.
func TestServerSilent(t *testing.T) {
	t.Parallel()
	server := nesttest.Shared(t)
	relay := nesttest.NewRelay(t, server.Addr())
	option := server.ClientOption()
	option.InitAddress, option.ForceSingleClient = []string{relay.Addr()}, true
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	s, err := nest.Open(client, root, nest.WithPrefix(server.Prefix(t)))
	require.NoError(t, err)
	_, err = age.At(s, 1).Exists(t.Context())
	require.NotErrorIs(t, err, context.DeadlineExceeded)
	relay.Mute()

	for op, do := range operations {
		if op == "Rename" || op == "Copy" { // refused earlier: both keys are the same
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		start := time.Now()
		err := do(ctx, age.At(s, 1))
		cancel()
		require.Less(t, time.Since(start), 3*time.Second, op)
		if op == "GetOrLoad" {
			require.NoError(t, err, "its loader is called without Redis")
			continue
		}
		require.ErrorIs(t, err, context.DeadlineExceeded, op)
		shaped(t, err)
	}
}

// The TTL is part of the write. A server that dies during many writes and comes back with
// everything that it had acknowledged has no key without its declared TTL.
func TestDeclaredTTLSurvivesAKill(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t, nesttest.Persistent())
	s := server.Open(t, root)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var written atomic.Int64
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for n := w; ctx.Err() == nil; n += 8 {
				ref := age.At(s, n)
				var err error
				switch n % 5 {
				case 0:
					err = ref.Set(ctx, n)
				case 1:
					err = ref.Set(ctx, n, nest.KeepTTL())
				case 2:
					_, err = ref.SetIfAbsent(ctx, n)
				case 3:
					_, err = ref.Update(ctx, func(int, bool) (int, error) { return n, nil })
				case 4:
					_, _, err = ref.Swap(ctx, n)
				}
				if err != nil {
					return
				}
				written.Add(1)
			}
		})
	}
	require.Eventually(t, func() bool { return written.Load() > 300 }, 20*time.Second, time.Millisecond)
	server.Kill(t)
	cancel()
	wg.Wait()
	server.Restart(t)

	db := redis{t, server.Client(t)}
	kept := int64(0)
	for m, err := range s.Keys(t.Context()) {
		require.NoError(t, err)
		require.NotEqual(t, nest.Forever, db.ttl(m.Key()), m.Key())
		kept++
	}
	require.GreaterOrEqual(t, kept, written.Load(), "every acknowledged write is there")
}

// Calls that wait on the server or run on their own connection also end with their context, when
// the server is silent and when the client has no free connection.
func TestWaitsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	server := nesttest.Shared(t)
	prefix := nest.WithPrefix(server.Prefix(t))
	var relay *nesttest.Relay
	var client rueidis.Client
	var s nest.Scope
	for _, addr := range server.Addrs() { // on a Redis Cluster, only one node has the keys
		relay = nesttest.NewRelay(t, addr)
		option := server.ClientOption()
		option.InitAddress, option.ForceSingleClient = []string{relay.Addr()}, true
		option.BlockingPoolSize = 1
		var err error
		client, err = rueidis.NewClient(option)
		require.NoError(t, err)
		t.Cleanup(client.Close)
		s, err = nest.Open(client, work, prefix)
		require.NoError(t, err)
		if _, err = writers.At(s).Len(t.Context()); err == nil {
			break
		}
	}
	_, err := writers.At(s).Len(t.Context())
	require.NoError(t, err)
	lease := acquired(t, job.At(s, "mine"))

	waits := map[string]func(context.Context) error{
		"pop": func(ctx context.Context) error {
			_, _, err := writers.At(s).WaitPopLeft(ctx, 0)
			return err
		},
		"lock": func(ctx context.Context) error {
			_, err := job.At(s, "mine").Acquire(ctx)
			return err
		},
		"guard": func(ctx context.Context) error {
			b := lease.Guard(s.Atomic())
			tally.At(s).In(b).Set(1)
			return b.Exec(ctx)
		},
	}
	ends := func(t *testing.T, op string, within time.Duration, do func(context.Context) error) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		start := time.Now()
		require.ErrorIs(t, do(ctx), context.Canceled, op)
		require.Less(t, time.Since(start), within, op)
	}

	_, busy := client.Dedicate() // the only one
	for op, do := range waits {
		ends(t, op, 2*time.Second, do)
	}
	busy()
	conn, free := client.Dedicate() // returns once nobody else waits for the connection
	require.NoError(t, conn.Do(t.Context(), conn.B().Ping().Build()).Error())
	free()

	// The server falls silent while the pop waits for it.
	time.AfterFunc(50*time.Millisecond, relay.Mute)
	ends(t, "pop", 5*time.Second, waits["pop"])
	ends(t, "guard", 5*time.Second, waits["guard"])
}
