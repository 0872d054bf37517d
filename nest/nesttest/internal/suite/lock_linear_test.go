package suite_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// holding is an operation in a lock's history: either a token was acquired, or its holder no longer
// believes that it has the lock.
type holding struct {
	token int64
	ends  bool
}

// mutex is the state of a lock: who holds it, and the greatest token so far.
type mutex struct{ holder, last int64 }

// lockModel is a lock with one holder at a time and with increasing tokens. An acquisition takes
// place between its call and its return. The end of a belief takes place between the last moment at
// which the lease said that it was valid and the moment after. So the history can be put into one
// order only if no client acquired the lock while another client believed that it had it.
var lockModel = porcupine.Model{
	Init: func() any { return mutex{} },
	Step: func(state, input, _ any) (bool, any) {
		s, h := state.(mutex), input.(holding)
		if h.ends {
			return s.holder == h.token, mutex{last: s.last}
		}
		return s.holder == 0 && h.token > s.last, mutex{h.token, h.token}
	},
}

func (h *history) now() int64 { return time.Since(h.start).Nanoseconds() }

func (h *history) add(client int, what holding, call, end int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: what, Call: call, Return: end})
}

func (h *history) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.ops)
}

// On one server, time passes for the leases as it does for the clients. Processes that are paused,
// and connections that stall or are lost, never lead to two holders. Writes under the guard of a
// lease come in the order of their tokens.
func TestLockIsNeverHeldTwice(t *testing.T) {
	t.Parallel()
	// A lease that nobody extends ends on real servers only.
	server := nesttest.Start(t, nesttest.Args())
	const lease, clients, enough = 60 * time.Millisecond, 5, 50 // operations
	lock := nest.Lock("lock", nest.TTL(lease))
	written := nest.List[int64]("written")
	tree := nest.Cluster("history", nest.HashTag(), nest.Sub(lock, written))
	prefix := nest.WithPrefix(server.Prefix(t))

	h := newHistory()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	var networks []*nesttest.Relay
	for c := range clients {
		n := nesttest.NewRelay(t, server.Addr())
		networks = append(networks, n)
		o := server.ClientOption()
		o.InitAddress, o.ForceSingleClient = []string{n.Addr()}, true
		client, err := rueidis.NewClient(o)
		require.NoError(t, err)
		t.Cleanup(client.Close)
		s, err := nest.Open(client, tree, prefix)
		require.NoError(t, err)
		wg.Go(func() {
			for ctx.Err() == nil && h.len() < enough {
				competes(ctx, t, h, c, s, lock.At(s), written)
			}
		})
	}
	wg.Go(func() { // the faults
		for ctx.Err() == nil && h.len() < enough {
			n := networks[rand.IntN(clients)]
			if rand.IntN(3) == 0 {
				n.Cut()
			} else {
				n.Hold(rand.N(2 * lease))
			}
			time.Sleep(rand.N(lease))
			if server.Kind() == nesttest.KindEmbedded {
				server.Advance(t, lease) // after this, no lease can be valid
			}
		}
	})
	wg.Wait()

	require.Greater(t, h.len(), clients, "too little happened")
	if server.Kind() != nesttest.KindEmbedded { // its clock jumps, which a lock cannot tolerate
		require.True(t, h.linearizable(t, lockModel))
	}
	s := server.Open(t, tree, prefix)
	tokens, err := written.At(s).All(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, tokens)
	require.True(t, slices.IsSorted(tokens), "a holder wrote after a later one had: %v", tokens)
	t.Logf("%d acquired and ended, %d writes", len(h.ops)/2, len(tokens))
}

// competes acquires the lock once, holds it for a while and records the history.
func competes(ctx context.Context, t *testing.T, h *history, client int, s nest.Scope, ref nest.LockRef, written *nest.ListDef[int64]) {
	t.Helper()
	patience, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	var opts []nest.LockOption
	if rand.IntN(2) == 0 {
		opts = append(opts, nest.NoExtend())
	}
	call := h.now()
	l, err := ref.Acquire(patience, opts...)
	if err != nil {
		time.Sleep(time.Millisecond)
		return
	}
	h.add(client, holding{token: l.Token()}, call, h.now())
	believed := call
	for until := time.Now().Add(rand.N(2 * ref.DeclaredTTL())); time.Now().Before(until); {
		at := h.now()
		if l.Err() != nil {
			break
		}
		believed = at
		if rand.IntN(3) == 0 {
			time.Sleep(rand.N(2 * ref.DeclaredTTL())) // like a process that is collecting garbage
		}
		b := l.Guard(s.Atomic())
		written.At(s).In(b).PushRight(l.Token())
		if err := b.Exec(patience); err != nil && !errors.Is(err, nest.ErrLockLost) {
			time.Sleep(time.Millisecond)
		}
	}
	at := h.now()
	if l.Err() == nil {
		believed = at
	}
	// Whatever Release does comes after the end.
	h.add(client, holding{token: l.Token(), ends: true}, believed, h.now())
	release, stop := context.WithTimeout(context.WithoutCancel(ctx), 200*time.Millisecond)
	defer stop()
	if err := l.Release(release); err == nil {
		assert.ErrorIs(t, l.Err(), nest.ErrLockReleased)
	}
}
