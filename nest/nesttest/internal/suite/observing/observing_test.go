package observing_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

var (
	seenName  = nest.Key[string]("name:<n>", nest.TTL(60), nest.Params(nest.Param[int]("n")))
	seenToken = nest.Key[string]("token:<t>", nest.Params(nest.Param[string]("t", nest.Sensitive())))
	seenHeld  = nest.Key[string]("held", nest.Cached(time.Minute))
	seenJobs  = nest.Stream[int]("jobs")
	seenGate  = nest.Lock("gate", nest.TTL(30))
	seenPace  = nest.Limiter("pace", nest.Rate(1, time.Hour))
	seenRoot  = nest.Cluster("seen", nest.HashTag(), nest.Sub(seenName, seenToken, seenHeld, seenJobs, seenGate, seenPace))
)

// starter notes what begins and what ends. Each operation has a number, which is in its context.
type starter struct {
	mu      sync.Mutex
	started []nest.Event
	parents []int // of each that started, or -1
	ended   map[int]nest.Event
	rest    []nest.Event // events that had no start
}

type starterKey struct{ of *starter }

func (s *starter) number(ctx context.Context) int {
	if n, ok := ctx.Value(starterKey{s}).(int); ok {
		return n
	}
	return -1
}

func (s *starter) Start(ctx context.Context, e nest.Event) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started, s.parents = append(s.started, e), append(s.parents, s.number(ctx))
	return context.WithValue(ctx, starterKey{s}, len(s.started)-1)
}

func (s *starter) Observe(ctx context.Context, e nest.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.number(ctx)
	if n >= 0 {
		if begun := s.started[n]; begun.Op == e.Op && begun.Start.Equal(e.Start) {
			if _, twice := s.ended[n]; !twice {
				if s.ended == nil {
					s.ended = map[int]nest.Event{}
				}
				s.ended[n] = e
				return
			}
		}
	}
	s.rest = append(s.rest, e)
}

// of returns the number of the only operation of that name, and its event.
func (s *starter) of(t *testing.T, op string) (int, nest.Event) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	found := -1
	for i, e := range s.started {
		if e.Op == op {
			require.Equal(t, -1, found, "two %q", op)
			found = i
		}
	}
	require.GreaterOrEqual(t, found, 0, "no %q", op)
	e, ok := s.ended[found]
	require.True(t, ok, "%q has not ended", op)
	return found, e
}

// balanced checks that everything that began has ended, and that both say the same.
func (s *starter) balanced(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Len(t, s.ended, len(s.started))
	for i, e := range s.ended {
		begun := s.started[i]
		require.Equal(t, begun.Template, e.Template)
		require.Equal(t, begun.Key, e.Key)
		require.Equal(t, begun.Kind, e.Kind)
		require.Equal(t, begun.Command, e.Command)
		require.Equal(t, begun.Batch, e.Batch)
		require.NoError(t, begun.Err)
		require.Zero(t, begun.BytesIn+begun.BytesOut+int64(begun.Duration))
	}
}

func TestStarter(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := &starter{}
	root := nesttest.Open(t, seenRoot, nest.WithObserver(s))
	ref := seenName.At(root, 7)
	require.NoError(t, ref.Set(ctx, "seven"))
	n, e := s.of(t, "set")
	require.Equal(t, -1, s.parents[n])
	require.Equal(t, nest.KindValue, e.Kind)
	require.Equal(t, "SET", e.Command)
	require.True(t, strings.HasSuffix(e.Template, "seen}:name:<n>"), e.Template)
	require.Equal(t, ref.Key(), e.Key)
	require.Equal(t, int64(len("SET"+ref.Key()+"seven"+"EX"+"60")), e.BytesOut)
	require.Equal(t, int64(len("OK")), e.BytesIn)
	require.NoError(t, e.Err)

	_, err := ref.Get(ctx)
	require.NoError(t, err)
	_, e = s.of(t, "get")
	require.Equal(t, int64(len("seven")), e.BytesIn)
	require.Equal(t, int64(len("GET"+ref.Key())), e.BytesOut)

	require.NoError(t, seenToken.At(root, "sesame").Set(ctx, "open"))
	for _, e := range s.started {
		require.NotContains(t, e.Key+e.Template, "sesame")
	}
	_, err = root.Count(ctx)
	require.NoError(t, err)
	_, e = s.of(t, "count")
	require.Equal(t, nest.KindCluster, e.Kind)
	require.Equal(t, root.Prefix(), e.Key)
	require.Positive(t, e.BytesIn)
	require.NoError(t, root.Ping(ctx))
	_, _, err = seenName.At(root).Lookup(ctx) //nest:ignore the error is what is tested
	require.ErrorIs(t, err, nest.ErrMissingParam)
	_, e = s.of(t, "lookup")
	require.ErrorIs(t, err, e.Err)
	require.Empty(t, e.Key)
	require.Zero(t, e.BytesOut)
	require.Empty(t, s.rest)
	s.balanced(t)
}

// Several Starters pass their contexts on, and all observers get that of the last.
func TestStartersFollowOneAnother(t *testing.T) {
	t.Parallel()
	first, second := &starter{}, &starter{}
	var got context.Context
	root := nesttest.Open(t, seenRoot, nest.WithObserver(observerFunc(func(ctx context.Context, _ nest.Event) { got = ctx })), //nolint:fatcontext // it is what is tested
		nest.WithObserver(first), nest.WithObserver(second))
	require.NoError(t, seenName.At(root, 1).Set(t.Context(), "x"))
	require.Equal(t, 0, first.number(got))
	require.Equal(t, 0, second.number(got))
	first.balanced(t)
	second.balanced(t)
}

type observerFunc func(context.Context, nest.Event)

func (f observerFunc) Observe(ctx context.Context, e nest.Event) { f(ctx, e) }

// The loader, the handler and the client get the context of the Starter.
func TestStarterReachesLoaderAndHandler(t *testing.T) {
	t.Parallel()
	s := &starter{}
	root := nesttest.Open(t, seenRoot, nest.WithObserver(s))
	ctx := t.Context()
	_, err := seenName.At(root, 1).GetOrLoad(ctx, func(ctx context.Context) (string, error) {
		return "loaded", seenToken.At(root, "t").Set(ctx, "x")
	})
	require.NoError(t, err)
	outer, e := s.of(t, "get or load")
	load, _ := s.of(t, "load")
	set, _ := s.of(t, "set")
	require.Equal(t, []int{-1, outer, load}, []int{s.parents[outer], s.parents[load], s.parents[set]})
	require.Greater(t, e.BytesOut, int64(len("loaded")), "reading, the lock of the load, and writing")

	assert.Panics(t, func() {
		_, _ = seenName.At(root, 2).GetOrLoad(ctx, func(context.Context) (string, error) { panic("the loader") })
	})
	assert.Panics(t, func() {
		_, _ = seenName.At(root, 1).Update(ctx, func(string, bool) (string, error) { panic("the change") })
	})
	_, e = s.of(t, "update")
	require.ErrorContains(t, e.Err, "panicked")
	s.balanced(t)

	_, err = seenJobs.At(root).Add(ctx, 1)
	require.NoError(t, err)
	n := -1
	consumed, cancel := context.WithCancel(ctx)
	require.NoError(t, seenJobs.At(root).Consume(consumed, "g", "a", func(ctx context.Context, _ nest.Delivery[int]) error {
		defer cancel()
		n = s.number(ctx)
		return nil
	}))
	require.Equal(t, "consume", s.started[n].Op)
	require.Equal(t, nest.KindStream, s.started[n].Kind)
	ack, _ := s.of(t, "ack")
	require.Equal(t, n, s.parents[ack])
	require.NoError(t, s.ended[n].Err)
	require.False(t, s.ended[n].Unreturned)
	require.Positive(t, s.ended[n].Lag)
}

// The context of an acquisition is not that of what runs under the lock.
func TestStarterOfLocks(t *testing.T) {
	t.Parallel()
	s := &starter{}
	root := nesttest.Open(t, seenRoot, nest.WithObserver(s))
	within := -2
	require.NoError(t, seenGate.At(root).Run(t.Context(), func(ctx context.Context, _ *nest.Lease) error {
		within = s.number(ctx)
		return nil
	}))
	require.Equal(t, -1, within)
	s.of(t, "acquire")
	s.balanced(t)
}

func TestStarterOfBatches(t *testing.T) {
	t.Parallel()
	s := &starter{}
	root := nesttest.Open(t, seenRoot, nest.WithObserver(s))
	ctx := t.Context()
	b := root.Batch()
	seenName.At(root, 1).In(b).Set("one")
	seenName.At(root, 1).In(b).Get()
	seenPace.At(root).In(b).AllowN(0)
	require.NoError(t, b.Exec(ctx))
	_, e := s.of(t, "batch")
	require.Equal(t, 3, e.Batch)
	require.Empty(t, e.Command, "they differ")
	require.True(t, strings.HasSuffix(e.Template, "seen}"), e.Template)
	require.Equal(t, nest.KindCluster, e.Kind)
	require.Len(t, s.rest, 3)
	require.Equal(t, "set", s.rest[0].Op)
	require.Equal(t, "SET", s.rest[0].Command)
	require.Equal(t, int64(len("one")), s.rest[1].BytesIn)
	require.GreaterOrEqual(t, e.BytesOut, s.rest[0].BytesOut+s.rest[1].BytesOut)
	for _, op := range s.rest {
		require.Zero(t, op.Batch)
		require.Equal(t, e.Start, op.Start)
		require.LessOrEqual(t, op.Duration, e.Duration)
	}

	b, s.rest = root.Atomic(), nil
	seenName.At(root, 1).In(b).Set("two")
	seenName.At(root, 2).In(b).Set("two")
	require.NoError(t, b.Exec(ctx))
	_, e = s.of(t, "atomic")
	require.Equal(t, "SET", e.Command)
	require.Len(t, s.rest, 2)

	s.rest = nil
	_, err := nest.LoadMany(ctx, []int{1, 5}, func(id int) nest.KeyRef[string] { return seenName.At(root, id) },
		func(context.Context, []int) (map[int]string, error) { return map[int]string{5: "five"}, nil })
	require.NoError(t, err)
	many, e := s.of(t, "load many")
	require.Equal(t, 2, e.Batch)
	load, _ := s.of(t, "load")
	require.Equal(t, many, s.parents[load])
	require.Len(t, s.rest, 2)
	s.rest = nil

	// Observers see a transaction, and nothing of its batches.
	require.NoError(t, nest.Transact(ctx, root, func(tx *nest.Tx) error {
		seenName.At(root, 1).In(tx.Reads()).Get()
		if err := tx.Reads().Exec(ctx); err != nil {
			return err
		}
		seenName.At(root, 1).In(tx.Writes()).Set("three")
		return nil
	}))
	_, e = s.of(t, "transact")
	require.Greater(t, e.BytesIn, int64(len("two")), "what was read counts")
	require.Empty(t, s.rest)
	s.balanced(t)
}

func TestEventsOfLimitersAndCaches(t *testing.T) {
	t.Parallel()
	s := &starter{}
	root := nesttest.Open(t, seenRoot, nest.WithObserver(s))
	ctx := t.Context()
	for range 2 {
		_, err := seenPace.At(root).Allow(ctx)
		require.NoError(t, err)
	}
	require.Equal(t, []bool{false, true}, []bool{s.ended[0].Refused, s.ended[1].Refused})
	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := seenPace.At(root).Wait(short)
	require.ErrorIs(t, err, nest.ErrLimited)
	require.True(t, s.ended[2].Refused)

	nesttest.Need(t, nesttest.Tracking)
	require.NoError(t, seenHeld.At(root).Set(ctx, "x"))
	for range 2 {
		_, err := seenHeld.At(root).Get(ctx)
		require.NoError(t, err)
	}
	miss, hit := s.ended[4], s.ended[5]
	require.False(t, miss.CacheHit)
	require.Equal(t, int64(1), miss.BytesIn)
	require.True(t, hit.CacheHit)
	require.Zero(t, hit.BytesIn+hit.BytesOut, "nothing was sent")
	s.balanced(t)
}

// The server of an event is the only one, or the one that has the slot once that was learned.
func TestEventsNameTheServer(t *testing.T) {
	t.Parallel()
	s := &starter{}
	root := nesttest.Open(t, seenRoot, nest.WithObserver(s))
	nodes := root.Client().Nodes()
	ref := seenName.At(root, 1)
	ctx := t.Context()
	last := func() string {
		require.NoError(t, ref.Set(ctx, "x"))
		return s.ended[len(s.started)-1].Server
	}
	if root.Client().Mode() != rueidis.ClientModeCluster {
		require.Contains(t, nodes, last())
		return
	}
	// Each Set succeeds. The first ones begin before it is known who has the slot, and say nothing.
	require.Eventually(t, func() bool { return last() != "" }, 20*time.Second, 5*time.Millisecond)
	require.Contains(t, nodes, last())
	require.NoError(t, root.Ping(ctx))
	_, e := s.of(t, "ping")
	require.Empty(t, e.Server, "several are asked")
}

// The client that Scope.Client returns is the one that was given to Open, with observers too.
func TestObserversLeaveTheClient(t *testing.T) {
	t.Parallel()
	client := nesttest.Client(t)
	root, err := nest.Open(client, seenRoot, nest.WithObserver(&starter{}), nest.WithTimeout(time.Second))
	require.NoError(t, err)
	require.Same(t, client, root.Client())
	require.ErrorIs(t, errors.Join(seenName.At(root).Set(t.Context(), "x")), nest.ErrMissingParam) //nest:ignore the error is what is tested
}
