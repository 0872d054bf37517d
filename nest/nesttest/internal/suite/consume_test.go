package suite_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

const soon = 60 * time.Millisecond // a short ClaimAfter

// handled collects what handlers receive.
type handled struct {
	mu       sync.Mutex
	attempts map[string][]int64 // by ID
	order    []int
}

func (h *handled) take(d nest.Delivery[int]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.attempts == nil {
		h.attempts = make(map[string][]int64)
	}
	h.attempts[d.ID] = append(h.attempts[d.ID], d.Attempt)
	h.order = append(h.order, d.Value)
}

func (h *handled) ids() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.attempts)
}

// consuming runs Consume until stop is called. stop returns the error of Consume.
func consuming(t *testing.T, ref nest.StreamRef[int], name string, handle func(context.Context, nest.Delivery[int]) error, opts ...nest.ConsumeOption) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- ref.Consume(ctx, "g", name, handle, opts...) }()
	return func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(30 * time.Second):
			return errors.New("Consume does not stop")
		}
	}
}

func pendingIn(t *testing.T, ref nest.StreamRef[int]) int64 {
	t.Helper()
	s, err := ref.PendingSummary(t.Context(), "g")
	require.NoError(t, err)
	return s.Count
}

func eventually(t *testing.T, what func() bool) {
	t.Helper()
	require.Eventually(t, what, 20*time.Second, 5*time.Millisecond)
}

func TestConsume(t *testing.T) {
	t.Parallel()
	ref, _ := openStream[int](t)
	fillStream(t, ref, 20)
	var h handled
	stop := consuming(t, ref, "a", func(_ context.Context, d nest.Delivery[int]) error {
		h.take(d)
		return nil
	}, nest.Count(7))
	eventually(t, func() bool { return h.ids() == 20 })
	_, err := ref.Add(t.Context(), 21) // the consumer waits for this entry
	require.NoError(t, err)
	eventually(t, func() bool { return h.ids() == 21 })
	eventually(t, func() bool { return pendingIn(t, ref) == 0 })
	require.NoError(t, stop())
	for i, v := range h.order {
		require.Equal(t, i+1, v, "in order, each once")
	}
	for _, attempts := range h.attempts {
		require.Equal(t, []int64{1}, attempts)
	}
}

func TestConsumeTriesAgain(t *testing.T) {
	t.Parallel()
	ref, _ := openStream[int](t)
	fillStream(t, ref, 3)
	var h handled
	var told atomic.Int64
	refused := errors.New("refused")
	stop := consuming(t, ref, "a", func(_ context.Context, d nest.Delivery[int]) error {
		h.take(d)
		if d.Value == 2 && d.Attempt < 3 {
			return refused
		}
		return nil
	}, nest.ClaimAfter(soon), nest.OnError(func(err error) {
		if errors.Is(err, refused) {
			told.Add(1)
		}
	}))
	eventually(t, func() bool { return told.Load() == 2 && pendingIn(t, ref) == 0 && h.ids() == 3 })
	require.NoError(t, stop())
	require.Equal(t, []int64{1, 2, 3}, h.attempts["2-0"])
	require.Equal(t, []int64{1}, h.attempts["3-0"], "the others do not wait for it")
}

func TestConsumeTakesOverFromTheDead(t *testing.T) {
	t.Parallel()
	ref, _ := openStream[int](t)
	fillStream(t, ref, 5)
	_, err := ref.CreateGroup(t.Context(), "g", "")
	require.NoError(t, err)
	_, err = ref.ReadGroup(t.Context(), "g", "dead", nest.Count(3))
	require.NoError(t, err)
	var h handled
	stop := consuming(t, ref, "alive", func(_ context.Context, d nest.Delivery[int]) error {
		h.take(d)
		return nil
	}, nest.ClaimAfter(soon))
	eventually(t, func() bool { return h.ids() == 5 && pendingIn(t, ref) == 0 })
	require.NoError(t, stop())
	require.Equal(t, []int64{2}, h.attempts["1-0"])
	require.Equal(t, []int64{1}, h.attempts["5-0"])
}

func TestConsumePanics(t *testing.T) {
	t.Parallel()
	ref, _ := openStream[int](t)
	fillStream(t, ref, 1)
	require.PanicsWithValue(t, "handler", func() {
		_ = ref.Consume(t.Context(), "g", "a", func(context.Context, nest.Delivery[int]) error { panic("handler") })
	})
	require.EqualValues(t, 1, pendingIn(t, ref))
	// The same consumer, after a restart, does not wait for ClaimAfter.
	var h handled
	stop := consuming(t, ref, "a", func(_ context.Context, d nest.Delivery[int]) error {
		h.take(d)
		return nil
	}, nest.ClaimAfter(time.Hour))
	eventually(t, func() bool { return h.ids() == 1 && pendingIn(t, ref) == 0 })
	require.NoError(t, stop())
	require.Equal(t, []int64{2}, h.attempts["1-0"])
}

func TestConsumeDeadLetters(t *testing.T) {
	t.Parallel()
	ref, db := openStream[int](t)
	fillStream(t, ref, 2)
	require.NoError(t, db.do("XADD", ref.Key(), "3-0", "value", "secret-content").Error())
	var h handled
	dead := make(chan nest.Delivery[int], 10)
	var unread atomic.Int64
	tries := 0
	stop := consuming(t, ref, "a", func(_ context.Context, d nest.Delivery[int]) error {
		h.take(d)
		if d.Value == 1 {
			return errors.New("never")
		}
		return nil
	}, nest.ClaimAfter(soon), nest.OnError(func(err error) {
		if errors.Is(err, nest.ErrDecode) {
			unread.Add(1)
			if msg := err.Error(); len(msg) == 0 || errors.Is(err, nest.ErrNotFound) {
				t.Error(msg)
			}
		}
	}), nest.DeadLetter(2, func(_ context.Context, d nest.Delivery[int]) error {
		if tries++; tries == 1 {
			return errors.New("the dead-letter stream is not available")
		}
		dead <- d
		return nil
	}))
	letters := map[string]nest.Delivery[int]{}
	for range 2 {
		select {
		case d := <-dead:
			letters[d.ID] = d
		case <-time.After(20 * time.Second):
			t.Fatal("no dead letter")
		}
	}
	eventually(t, func() bool { return pendingIn(t, ref) == 0 })
	require.NoError(t, stop())
	require.Equal(t, []int64{1, 2}, h.attempts["1-0"])
	require.NoError(t, letters["1-0"].Err)
	require.Equal(t, 1, letters["1-0"].Value)
	require.Empty(t, h.attempts["3-0"], "an entry that cannot be decoded is not handled")
	require.EqualValues(t, 2, unread.Load())
	require.ErrorIs(t, letters["3-0"].Err, nest.ErrDecode)
	require.NotContains(t, letters["3-0"].Err.Error(), "secret-content")
	require.Equal(t, map[string]string{"value": "secret-content"}, letters["3-0"].Fields)
}

// mortal is a client that works for a number of commands and then no more. It is like a process
// that dies at some point of its work, before a command is sent or before its answer is read.
type mortal struct {
	rueidis.Client
	left  *atomic.Int64
	after bool
	die   context.CancelFunc
}

var errDead = errors.New("the process is dead")

func (m mortal) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	left := m.left.Add(-1)
	if left < 0 || left == 0 && !m.after {
		m.die()
		return rueidis.NewErrorResult(errDead)
	}
	result := m.Client.Do(ctx, cmd)
	if left == 0 {
		m.die()
		return rueidis.NewErrorResult(errDead)
	}
	return result
}

// deaf is a client that loses its first XACK.
type deaf struct {
	rueidis.Client
	lost  chan struct{} // closed when it was
	acked *atomic.Int64
}

func (d deaf) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	if cmd.Commands()[0] == "XACK" && d.acked.Add(1) == 1 {
		close(d.lost)
		return rueidis.NewErrorResult(io.EOF)
	}
	return d.Client.Do(ctx, cmd)
}

// What one XACK could not acknowledge is acknowledged when Consume ends, at the latest.
func TestConsumeAcknowledgesAtItsEnd(t *testing.T) {
	t.Parallel()
	def := nest.Stream[int]("stream")
	client := deaf{nesttest.Client(t), make(chan struct{}), new(atomic.Int64)}
	scope, err := nest.Open(client, nest.Cluster("streams", nest.Sub(def)), nest.WithPrefix(nesttest.Shared(t).Prefix(t)))
	require.NoError(t, err)
	fillStream(t, def.At(scope), 2)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	times := 0
	require.NoError(t, def.At(scope).Consume(ctx, "g", "one", func(context.Context, nest.Delivery[int]) error {
		if times++; times == 2 {
			<-client.lost
			cancel()
		}
		return nil
	}))
	require.Equal(t, 2, times)
	eventually(t, func() bool {
		s, err := def.At(scope).PendingSummary(t.Context(), "g")
		return err == nil && s.Count == 0
	})
}

// TestConsumeLosesNothing kills a consumer before and after each of its commands, and checks which
// entries the later consumers receive.
func TestConsumeLosesNothing(t *testing.T) {
	t.Parallel()
	const n = 4
	died := 0
	for steps := int64(1); steps < 60; steps++ {
		for _, after := range []bool{false, true} {
			def := nest.Stream[int]("stream")
			tree := nest.Cluster("streams", nest.Sub(def))
			prefix := nest.WithPrefix(nesttest.Shared(t).Prefix(t))
			ctx, cancel := context.WithCancel(t.Context())
			client := nesttest.Client(t)
			second, err := nest.Open(client, tree, prefix)
			require.NoError(t, err)
			life := new(atomic.Int64)
			life.Store(steps)
			first, err := nest.Open(mortal{client, life, after, cancel}, tree, prefix)
			require.NoError(t, err)
			fillStream(t, def.At(second), n)

			var h handled
			failed := false
			handle := func(_ context.Context, d nest.Delivery[int]) error {
				if d.Value == 2 && !failed {
					failed = true
					return errors.New("once")
				}
				h.take(d)
				return nil
			}
			go func() { // a consumer that survives every command is stopped
				for ctx.Err() == nil && h.ids() < n {
					time.Sleep(time.Millisecond)
				}
				time.Sleep(10 * time.Millisecond)
				cancel()
			}()
			require.NoError(t, def.At(first).Consume(ctx, "g", "mortal", handle, nest.ClaimAfter(10*time.Millisecond), nest.Count(3)))
			if life.Load() <= 0 {
				died++
			}
			stop := consuming(t, def.At(second), "heir", handle, nest.ClaimAfter(10*time.Millisecond))
			eventually(t, func() bool {
				s, err := def.At(second).PendingSummary(t.Context(), "g")
				return err == nil && s.Count == 0 && h.ids() == n
			})
			require.NoError(t, stop(), fmt.Sprint(steps, after))
		}
		if steps > 20 && died < int(steps) {
			break // it survived to the end: there are no later steps to die at
		}
	}
	require.Greater(t, died, 20, "it must have died at many points")
}

func TestConsumeOutlivesTheServer(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t, nesttest.Persistent())
	def := nest.Stream[int]("stream", nest.TTL(declaredTTL))
	ref := def.At(server.Open(t, nest.Cluster("streams", nest.Sub(def))))
	fillStream(t, ref, 3)
	var h handled
	stop := consuming(t, ref, "a", func(_ context.Context, d nest.Delivery[int]) error {
		h.take(d)
		return nil
	}, nest.ClaimAfter(soon))
	eventually(t, func() bool { return h.ids() == 3 })
	server.Kill(t)
	time.Sleep(50 * time.Millisecond)
	server.Restart(t)
	eventually(t, func() bool { _, err := ref.Add(t.Context(), 4, nest.WithID("4-0")); return err == nil })
	eventually(t, func() bool { return h.ids() == 4 })

	// The stream is deleted and made again without its group.
	eventually(t, func() bool { _, err := ref.Delete(t.Context()); return err == nil })
	_, err := ref.Add(t.Context(), 5, nest.WithID("5-0"))
	require.NoError(t, err)
	eventually(t, func() bool { return h.ids() == 5 })
	left, err := ref.TTL(t.Context())
	require.NoError(t, err)
	about(t, declaredTTL, left)
	require.NoError(t, stop())
}

func TestConsumeDoesNotHandleWhatOthersClaimed(t *testing.T) {
	t.Parallel()
	ref, _ := openStream[int](t)
	fillStream(t, ref, 3)
	var h handled
	stop := consuming(t, ref, "slow", func(ctx context.Context, d nest.Delivery[int]) error {
		h.take(d)
		if d.Value == 1 {
			time.Sleep(2 * soon) // meanwhile another consumer takes the second entry
			_, err := ref.Claim(ctx, "g", "other", 0, "2-0")
			return err
		}
		return nil
	}, nest.ClaimAfter(soon), nest.Count(3))
	eventually(t, func() bool { return h.ids() == 3 })
	require.NoError(t, stop())
	require.Equal(t, []int64{1}, h.attempts["3-0"], "the entry behind it still belongs to this consumer")
	require.Greater(t, h.attempts["2-0"][0], int64(1), "taken back only after the other consumer left it idle")
}

func TestConsumeArguments(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ref, db := openStream[int](t)
	handle := func(context.Context, nest.Delivery[int]) error { return nil }
	for name, err := range map[string]error{
		"no handler":       ref.Consume(ctx, "g", "a", nil),
		"no group":         ref.Consume(ctx, "", "a", handle),
		"no consumer":      ref.Consume(ctx, "g", "", handle),
		"claim after":      ref.Consume(ctx, "g", "a", handle, nest.ClaimAfter(0)),
		"count":            ref.Consume(ctx, "g", "a", handle, nest.Count(0)),
		"start after":      ref.Consume(ctx, "g", "a", handle, nest.StartAfter("x")),
		"no attempts":      ref.Consume(ctx, "g", "a", handle, nest.DeadLetter(0, handle)),
		"letter to nobody": ref.Consume(ctx, "g", "a", handle, nest.DeadLetter[int](1, nil)),
		"another type": ref.Consume(ctx, "g", "a", handle,
			nest.DeadLetter(1, func(context.Context, nest.Delivery[string]) error { return nil })),
	} {
		require.ErrorIs(t, err, nest.ErrArgument, name)
	}
	require.False(t, db.exists(ref.Key()))
	require.NoError(t, db.do("RPUSH", ref.Key(), "x").Error())
	require.ErrorIs(t, ref.Consume(ctx, "g", "a", handle), nest.ErrWrongType)

	ended, cancel := context.WithCancel(ctx)
	cancel()
	other, _ := openStream[int](t)
	require.NoError(t, other.Consume(ended, "g", "a", handle))
}

func TestConsumeStartsAfter(t *testing.T) {
	t.Parallel()
	ref, _ := openStream[int](t)
	fillStream(t, ref, 5)
	var h handled
	stop := consuming(t, ref, "a", func(_ context.Context, d nest.Delivery[int]) error {
		h.take(d)
		return nil
	}, nest.StartAfter("3-0"))
	eventually(t, func() bool { return h.ids() == 2 })
	require.NoError(t, stop())
	require.Equal(t, []int{4, 5}, h.order)
}

// Observers and the logger see every failure that Consume continues after, even without OnError.
// Each failure appears once, with the handler's own words, and names the entry once.
func TestConsumeTellsObservers(t *testing.T) {
	t.Parallel()
	jobs, other := nest.Stream[int]("jobs:<of>", nest.Params(nest.Param[string]("of", nest.Sensitive()))), nest.Key[int]("other")
	var log logged
	var seen events
	s := nesttest.Open(t, nest.Cluster("streams", nest.Sub(jobs, other)), nest.WithObserver(&seen),
		nest.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo}))))
	ref := jobs.At(s, "sesame")
	good, err := ref.Add(t.Context(), telltale)
	require.NoError(t, err)
	db := redis{t, nesttest.Client(t)}
	bad, err := db.do("XADD", ref.Key(), "*", "value", "8675309x").ToString()
	require.NoError(t, err)
	stop := consuming(t, ref, "a", func(ctx context.Context, _ nest.Delivery[int]) error {
		_, err := other.At(s).Get(ctx)
		return fmt.Errorf("handler fails: %w", err)
	})
	eventually(t, func() bool { return len(seen.unreturned()) == 2 })
	require.NoError(t, stop())

	for i, id := range []string{good, bad} {
		e := seen.unreturned()[i]
		require.Equal(t, "consume", e.Op)
		require.NotContains(t, e.Key, "sesame")
		require.Equal(t, 1, strings.Count(e.Err.Error(), "entry "+id), e.Err)
		require.NotContains(t, e.Err.Error(), "8675309")
		require.Equal(t, "consume", errorOf(t, e.Err).Op)
	}
	first, second := seen.unreturned()[0].Err, seen.unreturned()[1].Err
	require.ErrorContains(t, first, "handler fails: nest: get")
	require.ErrorIs(t, first, nest.ErrNotFound)
	require.ErrorIs(t, second, nest.ErrDecode)
	text := log.String()
	require.Equal(t, 2, strings.Count(text, "level=WARN msg=redis op=consume"), text)
	require.Equal(t, 2, strings.Count(text, "\n"), "what a caller received is logged at the debug level")
	require.NotContains(t, text, "sesame")
	require.NotContains(t, text, "8675309")

	// The events include an error of the server that Consume waits out.
	require.NoError(t, db.do("XGROUP", "DESTROY", ref.Key(), "g").Error())
	stop = consuming(t, ref, "a", func(context.Context, nest.Delivery[int]) error {
		return db.do("XGROUP", "DESTROY", ref.Key(), "g").Error()
	})
	eventually(t, func() bool { return len(seen.unreturned()) > 3 })
	require.NoError(t, stop())
	require.ErrorIs(t, errors.Join(errorsOf(seen.unreturned()[2:])...), nest.ErrNotFound)
}

// logged is a log that can be written and read at the same time.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (e *events) unreturned() []nest.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	var of []nest.Event
	for _, event := range e.all {
		if event.Unreturned {
			of = append(of, event)
		}
	}
	return of
}

func errorsOf(of []nest.Event) []error {
	var errs []error
	for _, e := range of {
		errs = append(errs, e.Err)
	}
	return errs
}

// The handler of dead letters gets an error that names the entry, and may return it.
func TestConsumeNamesTheEntryOnce(t *testing.T) {
	t.Parallel()
	ref, db := openStream[int](t)
	id, err := db.do("XADD", ref.Key(), "*", "value", "x").ToString()
	require.NoError(t, err)
	told := make(chan error, 8)
	stop := consuming(t, ref, "a", func(context.Context, nest.Delivery[int]) error { return nil }, nest.ClaimAfter(soon),
		nest.DeadLetter(1, func(_ context.Context, d nest.Delivery[int]) error { return d.Err }),
		nest.OnError(func(err error) {
			select {
			case told <- err:
			default:
			}
		}))
	for range 2 { // it cannot be decoded, and then it cannot be put aside
		err := <-told
		require.ErrorIs(t, err, nest.ErrDecode)
		require.Equal(t, 1, strings.Count(err.Error(), "entry "+id), err)
	}
	require.NoError(t, stop())
}

// A stream that is deleted again and again is consumed from the beginning each time, wherever the
// group began at first.
func TestConsumeMakesAGroupAgainFromTheBeginning(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ref, _ := openStream[int](t)
	var h handled
	stop := consuming(t, ref, "a", func(_ context.Context, d nest.Delivery[int]) error { h.take(d); return nil }, nest.StartAfter(nest.NewEntries))
	eventually(t, func() bool { _, err := ref.PendingSummary(ctx, "g"); return err == nil })
	for i := range 12 {
		_, err := ref.Delete(ctx)
		require.NoError(t, err)
		_, err = ref.Add(ctx, i)
		require.NoError(t, err)
		eventually(t, func() bool { return h.ids() == i+1 })
	}
	require.NoError(t, stop())
}

// An entry that was read but given to no handler, because the context ended, counts as no attempt.
func TestAttemptsCountWhatAHandlerWasGiven(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ref, _ := openStream[int](t)
	for i := range 3 {
		_, err := ref.Add(ctx, i)
		require.NoError(t, err)
	}
	var given, dead atomic.Int64
	dying := nest.DeadLetter(1, func(context.Context, nest.Delivery[int]) error { dead.Add(1); return nil })
	first, cancel := context.WithCancel(ctx)
	err := ref.Consume(first, "g", "a", func(context.Context, nest.Delivery[int]) error {
		given.Add(1)
		cancel()
		return nil
	}, dying)
	require.NoError(t, err)
	require.EqualValues(t, 1, given.Load())
	stop := consuming(t, ref, "a", func(context.Context, nest.Delivery[int]) error { given.Add(1); return nil }, dying)
	eventually(t, func() bool { return given.Load()+dead.Load() == 3 })
	require.NoError(t, stop())
	require.Zero(t, dead.Load())
}

// A server whose memory is full refuses to create a group, but nothing else that Consume does. An
// existing group is read, and entries are taken over from dead consumers and acknowledged.
func TestConsumeGoesOnWhileMemoryIsFull(t *testing.T) {
	t.Parallel()
	if nesttest.Shared(t).Kind() == nesttest.KindEmbedded {
		t.Skip("nesttest: SKIPPED, not passed: the embedded server has no maxmemory")
	}
	server := nesttest.Start(t)
	ctx, db := t.Context(), redis{t, server.Client(t)}
	def := nest.Stream[int]("stream", nest.TTL(declaredTTL))
	ref := def.At(server.Open(t, nest.Cluster("streams", nest.Sub(def))))
	fillStream(t, ref, 6)
	_, err := ref.CreateGroup(ctx, "g", "")
	require.NoError(t, err)
	_, err = ref.ReadGroup(ctx, "g", "dead", nest.Count(2))
	require.NoError(t, err)
	require.NoError(t, db.do("CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "1").Error())
	_, err = ref.Add(ctx, 7)
	require.ErrorContains(t, err, "OOM", "it is full")
	var h handled
	stop := consuming(t, ref, "a", func(_ context.Context, d nest.Delivery[int]) error { h.take(d); return nil }, nest.ClaimAfter(soon))
	eventually(t, func() bool { return h.ids() == 6 && pendingIn(t, ref) == 0 })
	require.NoError(t, stop())
}
