package suite_test

import (
	"context"
	"errors"
	"math/rand/v2"
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

// All clients read the first registers from the server. The last register is cached in the clients'
// memory, and its updates begin with the cached value.
var (
	linearPlain  = nest.Key[int]("plain:<n>", nest.Default(0))
	linearCached = nest.Key[int]("cached:<n>", nest.Cached(time.Minute), nest.Default(0))
	linearTree   = nest.Cluster("linear", nest.HashTag(), nest.TTL(600), nest.Sub(linearPlain, linearCached))
)

const linearKeys = 3

func linearRef(root nest.Scope, n int) nest.KeyRef[int] {
	if n == linearKeys-1 {
		return linearCached.At(root, n)
	}
	return linearPlain.At(root, n)
}

// actor is a client that reads and writes registers. It writes only values that were never written
// before.
type actor struct {
	id   int
	root nest.Scope
	last int
}

func (a *actor) fresh() int { a.last++; return (a.id+1)*1_000_000 + a.last }

// update replaces a register.
func (a *actor) update(ctx context.Context) (step, outcome) {
	n := rand.IntN(linearKeys)
	s := step{}
	_, err := linearRef(a.root, n).Update(ctx, func(was int, _ bool) (int, error) {
		v := a.fresh()
		s.reads, s.writes = map[int]int{n: was}, map[int]int{n: v}
		return v, nil
	})
	switch {
	case err == nil:
		return s, applied
	case errors.Is(err, nest.ErrConflict) || s.writes == nil:
		return s, unapplied
	}
	s.maybe = true
	return s, unknown
}

// transact reads two registers, one after the other, and writes both or none.
func (a *actor) transact(ctx context.Context, writes bool) (step, outcome) {
	first := rand.IntN(linearKeys)
	keys := []int{first, (first + 1) % linearKeys}
	var s step
	err := nest.Transact(ctx, a.root, func(tx *nest.Tx) error {
		s = step{reads: map[int]int{}, writes: map[int]int{}}
		for _, n := range keys {
			f := linearRef(a.root, n).In(tx.Reads()).Get()
			if err := tx.Reads().Exec(ctx); err != nil {
				return err
			}
			v, err := f.Value()
			if err != nil {
				return err
			}
			s.reads[n] = v
		}
		for _, n := range keys {
			if writes {
				s.writes[n] = a.fresh()
				linearRef(a.root, n).In(tx.Writes()).Set(s.writes[n])
			}
		}
		return nil
	})
	switch {
	case err == nil:
		return s, applied
	case errors.Is(err, nest.ErrOutcomeUnknown):
		s.maybe = true
		return s, unknown
	}
	return s, unapplied
}

// TestUpdateAndTransactAreLinearizable runs the clients of several processes on the same keys.
// Meanwhile their connections are cut, with and without the loss of an answer, and the server is
// stopped.
func TestUpdateAndTransactAreLinearizable(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	p := nesttest.NewRelay(t, server.Addr())
	h := newHistory()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	prefix := server.Prefix(t)
	var known atomic.Int64
	stop := faults(t, server, p)
	together(5, func(id int) {
		option := server.ClientOption()
		option.InitAddress, option.ForceSingleClient = []string{p.Addr()}, true
		client, err := rueidis.NewClient(option)
		if client != nil {
			defer client.Close()
		}
		if client == nil {
			assert.NoError(t, err)
			return
		}
		root, err := nest.Open(client, linearTree, nest.WithPrefix(prefix))
		if !assert.NoError(t, err) {
			return
		}
		a := &actor{id: id, root: root}
		for i := range 80 {
			h.record(id, func() (in, out any, o outcome) {
				ctx, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				switch (i + id) % 3 {
				case 0:
					in, o = a.update(ctx)
				case 1:
					in, o = a.transact(ctx, true)
				default:
					in, o = a.transact(ctx, false)
				}
				if o == applied {
					known.Add(1)
				}
				return in, out, o
			})
		}
	})
	cut := stop()
	t.Logf("%d operations done, %d unknown, %d faults", known.Load(), h.maybe, cut)
	require.Positive(t, cut)
	require.Greater(t, known.Load(), int64(50), "enough has gone well to say something")
	require.True(t, h.linearizable(t, registerModel))
}

// The checker does not accept everything: an update that reads and writes without comparing loses
// what was written in between.
func TestTheCheckerFindsAnUpdateThatDoesNotCompare(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := nesttest.Open(t, linearTree)
	h := newHistory()
	var all sync.WaitGroup
	all.Add(2)
	together(2, func(id int) {
		h.record(id, func() (any, any, outcome) {
			was, err := linearPlain.At(root, 0).Get(ctx)
			assert.NoError(t, err)
			all.Done()
			all.Wait()
			assert.NoError(t, linearPlain.At(root, 0).Set(ctx, id+1))
			return step{reads: map[int]int{0: was}, writes: map[int]int{0: id + 1}}, nil, applied
		})
	})
	require.False(t, h.linearizable(t, registerModel))
}

// The checker also finds a reported success of a write that never happened, and a reported failure
// of one that did. A write that may have happened need not have happened.
func TestTheCheckerKnowsUnknownOutcomes(t *testing.T) {
	t.Parallel()
	write := func(maybe bool) step { return step{writes: map[int]int{0: 1}, maybe: maybe} }
	read := func(v int) step { return step{reads: map[int]int{0: v}} }
	for _, c := range []struct {
		write step
		o     outcome
		saw   []int
		ok    bool
	}{
		{write(false), applied, []int{1, 1}, true},
		{write(false), applied, []int{0}, false},
		{write(false), unapplied, []int{1}, false},
		{write(true), unknown, []int{0, 0}, true},
		{write(true), unknown, []int{0, 1}, true},
		{write(true), unknown, []int{1, 0}, false},
	} {
		h := newHistory()
		h.record(0, func() (any, any, outcome) { return c.write, nil, c.o })
		for _, v := range c.saw {
			time.Sleep(time.Microsecond)
			h.record(1, func() (any, any, outcome) { return read(v), nil, applied })
		}
		require.Equal(t, c.ok, h.linearizable(t, registerModel), "%+v", c)
	}
}

// faults disturbs the clients of a server until stop is called, which returns the number of faults.
func faults(t *testing.T, server *nesttest.Server, p *nesttest.Relay) (stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	direct := server.Client(t)
	n := 0
	var wg sync.WaitGroup
	wg.Go(func() {
		// Too many unknown outcomes would make the checker slow.
		for ; ctx.Err() == nil && n < 60; n++ {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Duration(4+rand.IntN(12)) * time.Millisecond):
			}
			switch n % 4 {
			case 0:
				p.Cut()
			case 1:
				p.LoseAnswers()
			case 2:
				// Not every server knows the command.
				_ = direct.Do(ctx, direct.B().Arbitrary("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Build()).Error()
			case 3:
				if server.Kind() != nesttest.KindEmbedded {
					thaw := server.Freeze(t)
					time.Sleep(30 * time.Millisecond)
					thaw()
				}
			}
		}
	})
	return func() int {
		cancel()
		wg.Wait()
		return n
	}
}
