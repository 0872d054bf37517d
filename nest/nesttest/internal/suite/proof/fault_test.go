package proof_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	source "github.com/redisimnest/redisimnest/nest/internal/operations"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// chaos runs every operation of every kind that writes, from several goroutines at once, on a few
// keys each: new keys, keys that others write too, and keys that others have just deleted.
type chaos struct {
	caller
	scope  nest.Scope
	writes []write
	done   atomic.Int64 // operations that were acknowledged
	failed atomic.Int64
}

type write struct {
	subject
	op source.Operation
}

func newChaos(t *testing.T, s nest.Scope) *chaos {
	t.Helper()
	c := &chaos{caller: caller{hashOf(t, s)}, scope: s}
	for _, sub := range subjects {
		if sub.fill == nil {
			continue
		}
		for _, op := range operationsOf(t, sub.typ) {
			switch {
			case op.Effect == source.Ends || op.Effect == source.Free || endless[op.Name] || strings.HasPrefix(op.Name, "Wait"):
			case op.Effect == source.Renews || op.Effect == source.Keeps:
			default:
				c.writes = append(c.writes, write{sub, op})
			}
		}
	}
	return c
}

// run writes until the context ends.
func (c *chaos) run(ctx context.Context, writers int) (wait func()) {
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for ctx.Err() == nil {
				w := c.writes[rand.IntN(len(c.writes))]
				cluster := plain
				if rand.IntN(3) == 0 {
					cluster = renewed
				}
				c.one(ctx, cluster.At(c.scope), w)
			}
		})
	}
	return wg.Wait
}

func (c *chaos) one(ctx context.Context, s nest.Scope, w write) {
	// A server that is down must not delay the test.
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	ref, other := w.at(s, w.op.Name, rand.IntN(3)), w.at(s, w.op.Name, 3+rand.IntN(2))
	var err error
	switch rand.IntN(6) {
	case 0:
		_, err = ref.Delete(ctx)
	case 1:
		err = w.fill(ctx, ref)
	case 2, 3:
		b := s.Batch()
		if rand.IntN(2) == 0 {
			b = s.Atomic()
		}
		if !w.op.InBatch {
			return
		}
		if _, err = c.queue(ctx, b, w.typ, w.op.Name, ref, other); err == nil {
			err = b.Exec(ctx)
		}
	default:
		err = c.call(ctx, w.typ, w.op.Name, ref, other)
	}
	if err == nil {
		c.done.Add(1)
	} else {
		c.failed.Add(1)
	}
}

// scan checks the expiries over its own connection for as long as writers are at work.
func (c *chaos) scan(ctx context.Context, t *testing.T, client rueidis.Client, pattern string) {
	for cursor := uint64(0); ctx.Err() == nil; {
		page, err := client.Do(ctx, client.B().Scan().Cursor(cursor).Match(pattern).Count(500).Build()).AsScanEntry()
		if err != nil {
			continue
		}
		cursor = page.Cursor
		cmds := make([]rueidis.Completed, len(page.Elements))
		for i, key := range page.Elements {
			cmds[i] = client.B().Pttl().Key(key).Build()
		}
		for i, answer := range client.DoMulti(ctx, cmds...) {
			if left, err := answer.AsInt64(); err == nil && left == -1 {
				t.Errorf("%s has no expiry", page.Elements[i])
			}
		}
	}
}

// Every write carries its expiry with it. Wherever a connection is cut in the write, no key is ever
// seen without an expiry.
func TestNoConnectionThatIsCutLeavesAKeyWithoutTTL(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	relay := nesttest.NewRelay(t, server.Addr())
	option := server.ClientOption()
	option.InitAddress, option.ForceSingleClient = []string{relay.Addr()}, true
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	s, err := nest.Open(client, root, append(openOptions(t), nest.WithPrefix(server.Prefix(t)))...)
	require.NoError(t, err)
	c := newChaos(t, s)
	relay.Sever(1.0 / 30)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	wait := c.run(ctx, 24)
	var watch sync.WaitGroup
	watch.Go(func() { c.scan(ctx, t, server.Client(t), s.Prefix()+"*") })
	require.Eventually(t, func() bool { return relay.Severed() > 60 && c.done.Load() > 600 && c.failed.Load() > 30 },
		30*time.Second, 5*time.Millisecond)
	cancel()
	relay.Sever(0)
	wait()
	watch.Wait()
	require.Positive(t, requireExpiries(t, server.Client(t), s, nil))
}

// The same is true when the server is killed during many writes and comes back with everything that
// it had acknowledged.
func TestNoKilledServerLeavesAKeyWithoutTTL(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t, nesttest.Persistent())
	s := server.Open(t, root, openOptions(t)...)
	for range 3 {
		c := newChaos(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		wait := c.run(ctx, 24)
		require.Eventually(t, func() bool { return c.done.Load() > 500 }, 20*time.Second, time.Millisecond)
		server.Kill(t)
		cancel()
		wait()
		server.Restart(t)
		require.Positive(t, requireExpiries(t, server.Client(t), s, nil))
	}
}
