package away_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

var (
	value  = nest.Key[string]("value:<id>", nest.TTL(60))
	cached = nest.Key[string]("cached:<id>", nest.TTL(60), nest.Cached(time.Minute))
	items  = nest.List[string]("items:<id>", nest.TTL(60))
	visits = nest.Counter[int]("visits:<id>", nest.TTL(60))
	root   = nest.Cluster("root", nest.Sub(value, cached, items, visits))
)

// operations are reads and writes of several kinds, and whether they may leave something behind.
var operations = map[string]struct {
	writes bool
	do     func(ctx context.Context, s nest.Scope) error
}{
	"get": {false, func(ctx context.Context, s nest.Scope) error { _, _, err := value.At(s, 1).Lookup(ctx); return err }},
	"cached get": {false, func(ctx context.Context, s nest.Scope) error {
		_, _, err := cached.At(s, unread.Add(1)).Lookup(ctx)
		return err
	}},
	"range":      {false, func(ctx context.Context, s nest.Scope) error { _, err := items.At(s, 1).Range(ctx, 0, -1); return err }},
	"set":        {true, func(ctx context.Context, s nest.Scope) error { return value.At(s, 1).Set(ctx, "x") }},
	"cached set": {true, func(ctx context.Context, s nest.Scope) error { return cached.At(s, 1).Set(ctx, "x") }},
	"incr":       {true, func(ctx context.Context, s nest.Scope) error { _, err := visits.At(s, 1).Incr(ctx); return err }},
	"batch": {true, func(ctx context.Context, s nest.Scope) error {
		b := s.Batch()
		value.At(s, 1).In(b).Set("x")
		visits.At(s, 1).In(b).Incr()
		return b.Exec(ctx)
	}},
	"atomic": {true, func(ctx context.Context, s nest.Scope) error {
		b := s.Atomic()
		value.At(s, 1).In(b).Set("x")
		return b.Exec(ctx)
	}},
}

var unread atomic.Int64 // of keys that no cache holds

// slack is what a loaded machine may take longer.
const slack = 2 * time.Second

// contexts makes the kinds of contexts that a service has.
var contexts = map[string]func() (context.Context, context.CancelFunc){
	"endless":  func() (context.Context, context.CancelFunc) { return context.Background(), func() {} },
	"canceled": func() (context.Context, context.CancelFunc) { return context.WithCancel(context.Background()) },
	"far": func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(context.Background(), time.Hour)
	},
}

// open opens the tree on a client of its own, at an address.
func open(t *testing.T, server *nesttest.Server, addr string, opts ...nest.OpenOption) nest.Scope {
	t.Helper()
	option := server.ClientOption()
	option.InitAddress, option.ForceSingleClient = []string{addr}, true
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	s, err := nest.Open(client, root, append(opts, nest.WithPrefix(server.Prefix(t)))...)
	require.NoError(t, err)
	return s
}

// reached waits until a server that was away is read again. Only a read is repeated: writes are to
// succeed at once from then on.
func reached(t *testing.T, ref nest.KeyRef[string]) {
	t.Helper()
	read := func() bool { _, _, err := ref.Lookup(t.Context()); return err == nil }
	require.Eventually(t, read, 10*time.Second, 10*time.Millisecond)
}

func TestWithTimeoutBoundsEveryExchange(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	s := open(t, server, server.Addr(), nest.WithTimeout(200*time.Millisecond))
	// A busy machine may take longer than that for the first scripts.
	patient, err := nest.Open(s.Client(), root, nest.WithPrefix(server.Prefix(t)))
	require.NoError(t, err)
	for name, op := range operations {
		require.NoError(t, op.do(t.Context(), patient), name)
	}
	thaw := server.Freeze(t)
	for kind, begin := range contexts {
		for name, op := range operations {
			ctx, cancel := begin()
			start := time.Now()
			err := op.do(ctx, s)
			cancel()
			require.Less(t, time.Since(start), 200*time.Millisecond+slack, "%s %s", kind, name)
			require.ErrorIs(t, err, nest.ErrAway, "%s %s", kind, name)
			require.ErrorIs(t, err, context.DeadlineExceeded, "%s %s", kind, name)
			require.Equal(t, op.writes, errors.Is(err, nest.ErrOutcomeUnknown), "%s %s: %v", kind, name, err)
			require.Contains(t, err.Error(), "WithTimeout", "%s %s", kind, name)
		}
	}
	// A nearer deadline of the caller's own says nothing about Redis.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	err = value.At(s, 1).Set(ctx, "x")
	require.Less(t, time.Since(start), slack)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, nest.ErrAway)
	// Cancelling still ends a call at once.
	ctx, stop := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, stop)
	err = value.At(s, 1).Set(ctx, "x")
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, nest.ErrAway)

	thaw()
	reached(t, value.At(s, 1))
}

// A read is sent again by the client for as long as its context lasts; WithTimeout's clock would
// have to run out each time. What refuses connections is found out sooner.
func TestRefusedConnectionsFailSoon(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	s := open(t, server, server.Addr(), nest.WithTimeout(time.Minute))
	for name, op := range operations {
		require.NoError(t, op.do(t.Context(), s), name)
	}
	server.Kill(t)
	_ = operations["get"].do(t.Context(), s) // the client notices
	for kind, begin := range contexts {
		for name, op := range operations {
			ctx, cancel := begin()
			start := time.Now()
			err := op.do(ctx, s)
			cancel()
			require.Less(t, time.Since(start), slack, "%s %s", kind, name)
			require.ErrorIs(t, err, nest.ErrAway, "%s %s", kind, name)
			require.NotErrorIs(t, err, context.DeadlineExceeded, "%s %s", kind, name)
			require.NotErrorIs(t, err, context.Canceled, "%s %s", kind, name)
			require.NotErrorIs(t, err, nest.ErrOutcomeUnknown, "%s %s: %v", kind, name, err)
		}
	}
	server.Restart(t)
	reached(t, value.At(s, 1))
	for name, op := range operations {
		require.NoError(t, op.do(t.Context(), s), name)
	}
}

func TestWithBreakerSendsNothing(t *testing.T) {
	t.Parallel()
	const failures, pause = 3, 500 * time.Millisecond
	server := nesttest.Start(t)
	s := open(t, server, server.Addr(), nest.WithTimeout(300*time.Millisecond), nest.WithBreaker(failures, pause))
	require.NoError(t, value.At(s, 1).Set(t.Context(), "x"))
	thaw := server.Freeze(t)

	// The end of the caller's own context is not counted.
	for range 2 * failures {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		_, err := value.At(s, 1).Get(ctx)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotContains(t, err.Error(), "WithBreaker")
	}
	for n := range failures {
		_, err := value.At(s, 1).Get(t.Context())
		require.ErrorIs(t, err, nest.ErrAway, n)
		require.Contains(t, err.Error(), "WithTimeout", n)
	}
	held := 0
	for name, op := range operations {
		start := time.Now()
		err := op.do(t.Context(), s)
		if time.Since(start) > pause/2 {
			continue // this machine was busy, or this was the one that tries
		}
		held++
		require.ErrorIs(t, err, nest.ErrAway, name)
		require.NotErrorIs(t, err, nest.ErrOutcomeUnknown, name)
		require.Contains(t, err.Error(), "WithBreaker", name)
		require.Contains(t, err.Error(), "away for ", name)
	}
	require.Positive(t, held)
	thaw()
	reached(t, value.At(s, 1))
	for name, op := range operations {
		require.NoError(t, op.do(t.Context(), s), name)
	}
}

// Transact took the breaker's refusal for a lost connection, and tried until its context ended.
func TestTransactFailsAtOnceWhileTheBreakerIsOpen(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	s := open(t, server, server.Addr(), nest.WithTimeout(300*time.Millisecond), nest.WithBreaker(1, time.Minute))
	server.Freeze(t)
	_, err := value.At(s, 1).Get(t.Context())
	require.ErrorIs(t, err, nest.ErrAway)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	start := time.Now()
	err = nest.Transact(ctx, s, func(tx *nest.Tx) error {
		value.At(s, 1).In(tx.Writes()).Set("x")
		return nil
	}, value.At(s, 1))
	require.Less(t, time.Since(start), 5*time.Second)
	require.ErrorIs(t, err, nest.ErrAway)
	require.ErrorContains(t, err, "WithBreaker")
}

// One exchange finds out whether the server is back; meanwhile everything else fails at once.
func TestOneTriesWhetherTheServerIsBack(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	s := open(t, server, server.Addr(), nest.WithTimeout(time.Second), nest.WithBreaker(1, 50*time.Millisecond))
	require.NoError(t, value.At(s, 1).Set(t.Context(), "x"))
	thaw := server.Freeze(t)
	_, err := value.At(s, 1).Get(t.Context())
	require.ErrorIs(t, err, nest.ErrAway)
	time.Sleep(100 * time.Millisecond)

	const callers = 20
	errs := make(chan error, callers)
	for range callers {
		go func() {
			_, err := value.At(s, 1).Get(context.Background())
			errs <- err
		}()
	}
	tried := 0
	for range callers {
		if err := <-errs; !strings.Contains(err.Error(), "WithBreaker") {
			tried++
		}
	}
	require.Equal(t, 1, tried)
	thaw()
	reached(t, value.At(s, 1))
}

// Each primary of a Redis Cluster is counted by itself.
func TestWithBreakerCountsServersByThemselves(t *testing.T) {
	t.Parallel()
	server := nesttest.Cluster(t)
	// The slots of the primary that is killed stay without one, and the others are served.
	for _, node := range server.Nodes() {
		c := node.Client(t)
		set := c.B().Arbitrary("CONFIG", "SET", "cluster-replica-no-failover", "yes", "cluster-require-full-coverage", "no").Build()
		require.NoError(t, c.Do(t.Context(), set).Error())
	}
	client, err := rueidis.NewClient(server.ClientOption())
	require.NoError(t, err)
	t.Cleanup(client.Close)
	s, err := nest.Open(client, root, nest.WithPrefix(server.Prefix(t)), nest.WithTimeout(2*time.Second), nest.WithBreaker(3, time.Minute))
	require.NoError(t, err)
	const keys = 40
	for id := range keys {
		require.NoError(t, value.At(s, id).Set(t.Context(), "x"))
	}
	server.Nodes()[0].Kill(t)
	broken := func(id int) bool {
		err := value.At(s, id).Set(t.Context(), "y")
		return err != nil && strings.Contains(err.Error(), "WithBreaker")
	}
	dead := func(id int) bool { // in one of the slots of the first primary
		get := client.B().Get().Key(value.At(s, id).Key()).Build()
		return get.Slot()&0x3fff < 5461
	}
	alive, found := 0, false
	for id := range keys {
		switch {
		case !dead(id):
			alive++
			require.NoError(t, value.At(s, id).Set(t.Context(), "y"), id)
		case found:
			require.True(t, broken(id), id)
		default:
			require.Eventually(t, func() bool { return broken(id) }, 10*time.Second, time.Millisecond, id)
			found = true
		}
	}
	require.Positive(t, alive, "other servers' keys are served")
	require.Less(t, alive, keys)

	// A batch serves what it can.
	b := s.Batch()
	var futures []*nest.Future[string]
	for id := range keys {
		futures = append(futures, value.At(s, id).In(b).Get())
	}
	require.ErrorIs(t, b.Exec(t.Context()), nest.ErrAway)
	for id, f := range futures {
		_, err := f.Value()
		if dead(id) {
			require.ErrorIs(t, err, nest.ErrAway)
		} else {
			require.NoError(t, err)
		}
	}
}

// What only reads has no outcome that could be unknown.
func TestWalksWithoutAnswers(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	relay := nesttest.NewRelay(t, server.Addr())
	s := open(t, server, relay.Addr(), nest.WithTimeout(300*time.Millisecond))
	require.NoError(t, s.Ping(t.Context()))
	relay.Mute()
	for name, walk := range map[string]func() error{
		"keys": func() error {
			for _, err := range s.Keys(t.Context()) {
				return err
			}
			return nil
		},
		"inspect": func() error {
			for _, err := range s.Inspect(t.Context()) {
				return err
			}
			return nil
		},
		"count": func() error { _, err := s.Count(t.Context()); return err },
		"ping":  func() error { return s.Ping(t.Context()) },
	} {
		err := walk()
		require.ErrorIs(t, err, nest.ErrAway, name)
		require.NotErrorIs(t, err, nest.ErrOutcomeUnknown, "%s: %v", name, err)
	}
	_, err := s.Clear(t.Context(), nest.Force())
	require.ErrorIs(t, err, nest.ErrAway)
	require.ErrorIs(t, err, nest.ErrOutcomeUnknown)
}

func TestLostAnswersAreUnknownOutcomes(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	relay := nesttest.NewRelay(t, server.Addr())
	s := open(t, server, relay.Addr(), nest.WithTimeout(5*time.Second))
	for name, op := range operations {
		require.NoError(t, op.do(t.Context(), s), name)
		relay.LoseAnswers()
		err := op.do(t.Context(), s)
		if !op.writes {
			require.NoError(t, err, "%s: a read is sent again", name)
			continue
		}
		require.ErrorIs(t, err, nest.ErrAway, name)
		require.ErrorIs(t, err, nest.ErrOutcomeUnknown, name)
	}
}

func TestAnswersThatSayAway(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t, nesttest.Args("--maxmemory", "1", "--maxmemory-policy", "noeviction"))
	s := open(t, server, server.Addr())
	for name, op := range operations {
		err := op.do(t.Context(), s)
		if name == "cached get" {
			continue // such a server refuses even MULTI
		}
		if !op.writes {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, nest.ErrAway, name)
		require.NotErrorIs(t, err, nest.ErrOutcomeUnknown, name)
	}
	client := server.Client(t)
	require.NoError(t, client.Do(t.Context(), client.B().ConfigSet().ParameterValue().ParameterValue("maxmemory", "0").Build()).Error())
	require.NoError(t, client.Do(t.Context(), client.B().Set().Key(items.At(s, 2).Key()).Value("no list").Build()).Error())
	_, err := items.At(s, 2).Len(t.Context())
	require.ErrorIs(t, err, nest.ErrWrongType)
	require.NotErrorIs(t, err, nest.ErrAway)

	require.NoError(t, client.Do(t.Context(), client.B().Arbitrary("REPLICAOF", "127.0.0.1", "1").Build()).Error())
	err = value.At(s, 1).Set(t.Context(), "x")
	require.ErrorIs(t, err, nest.ErrAway)
	require.NotErrorIs(t, err, nest.ErrOutcomeUnknown)
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for _, opts := range []nest.OpenOption{
		nest.WithTimeout(-1), nest.WithTimeout(time.Microsecond),
		nest.WithBreaker(-1, time.Second), nest.WithBreaker(0, time.Second), nest.WithBreaker(5, 0),
	} {
		require.ErrorIs(t, nest.Check(root, opts), nest.ErrDeclaration)
	}
	require.NoError(t, nest.Check(root, nest.WithTimeout(time.Second), nest.WithTimeout(0), nest.WithBreaker(0, 0)))
}
