package watching_test

import (
	"context"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/acl"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/nest/watch"
)

var (
	userID  = nest.Param[int64]("user_id")
	session = nest.Key[string]("session:<token>", nest.TTL(time.Minute))
	visits  = nest.Counter[int64]("visits")
	loaded  = nest.Key[string]("loaded", nest.TTL(time.Minute), nest.ReadThrough())
	user    = nest.Cluster("user:<user_id>", nest.Params(userID), nest.Sub(session, visits, loaded))
	cart    = nest.Hash[int]("cart:<id>")
	root    = nest.Cluster("watched", nest.Sub(user, cart))
)

// heard is what a watch yields.
type heard struct {
	what string // "set root:user:1:visits"
	err  error
}

// listen watches until the test ends, and returns what comes once the subscription stands.
func listen(t *testing.T, w func(...watch.Option) watch.Watcher, s nest.Scope, filters ...nest.WalkOption) (<-chan heard, func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	all, ready, done := make(chan heard, 100_000), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer close(all)
		for e, err := range w(watch.OnSubscribed(func() { close(ready) })).Keys(ctx, s, filters...) {
			h := heard{err: err}
			if err == nil {
				h.what = e.Event + " " + strings.TrimPrefix(e.Match.Key(), s.Prefix()+":")
			}
			all <- h
		}
	}()
	stop := func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	select {
	case <-ready:
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the subscription does not stand")
	}
	return all, stop
}

func enabled(opts ...watch.Option) watch.Watcher {
	return watch.With(append(opts, watch.Enable())...)
}

func plain(opts ...watch.Option) watch.Watcher { return watch.With(opts...) }

// next returns what comes next, which is no error.
func next(t *testing.T, all <-chan heard) string {
	t.Helper()
	select {
	case h, ok := <-all:
		require.True(t, ok, "the watch has ended")
		require.NoError(t, h.err)
		return h.what
	case <-time.After(20 * time.Second):
		t.Fatal("nothing comes")
		return ""
	}
}

// nextError returns the next error, and ignores the events before it.
func nextError(t *testing.T, all <-chan heard) error {
	t.Helper()
	for {
		select {
		case h, ok := <-all:
			require.True(t, ok, "the watch has ended")
			if h.err != nil {
				return h.err
			}
		case <-time.After(30 * time.Second):
			t.Fatal("no error comes")
		}
	}
}

// ownUser skips a test if scopes are opened as a user with the rights to work with keys alone,
// which are not enough for a watch: see TestAUserWhoWatches.
func ownUser(t *testing.T) {
	t.Helper()
	if os.Getenv("REDIS_TEST_ACL") != "" {
		t.Skip("nesttest: SKIPPED, not passed: it needs a user with the right to watch")
	}
}

func started(t *testing.T) *nesttest.Server {
	t.Helper()
	ownUser(t)
	server := nesttest.Start(t)
	server.Need(t, nesttest.Configurable)
	return server
}

func TestEventsComeWithTheirDeclarations(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := started(t)
	s := server.Open(t, root)
	all, _ := listen(t, enabled, s)

	u := user.At(s, 42)
	require.NoError(t, session.At(u, "x").Set(ctx, "data"))
	require.Equal(t, "set user:42:session:x", next(t, all))
	require.Equal(t, "expire user:42:session:x", next(t, all))
	_, err := visits.At(u).Incr(ctx)
	require.NoError(t, err)
	require.Equal(t, "incrby user:42:visits", next(t, all))
	require.NoError(t, cart.At(s, 7).Set(ctx, "a", 1))
	require.Equal(t, "hset cart:7", next(t, all))
	_, err = cart.At(s, 7).Delete(ctx)
	require.NoError(t, err)
	require.Equal(t, "del cart:7", next(t, all))

	// Neither what nothing declares, nor what stands beside keys, nor what is outside.
	admin := server.Client(t)
	set := func(key string) {
		require.NoError(t, admin.Do(ctx, admin.B().Set().Key(key).Value("x").Build()).Error())
	}
	set(s.Prefix() + ":unknown")
	set(s.Prefix() + "2:cart:7")
	set(s.Prefix() + ":user:x:visits") // which no user can be
	_, err = loaded.At(u).GetOrLoad(ctx, func(context.Context) (string, error) { return "v", nil })
	require.NoError(t, err)
	require.Equal(t, "set user:42:loaded", next(t, all))
	require.Equal(t, "expire user:42:loaded", next(t, all))
	_, err = session.At(u, "x").Expire(ctx, time.Millisecond)
	require.NoError(t, err)
	require.Equal(t, "expire user:42:session:x", next(t, all))
	require.Equal(t, "expired user:42:session:x", next(t, all))
}

func TestFiltersOfAWatch(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := started(t)
	s := server.Open(t, root)
	one, _ := listen(t, enabled, s, nest.Only(visits), nest.Where(userID.Of(2)))
	below, _ := listen(t, enabled, user.At(s, 3))
	deleted, _ := listen(t, func(opts ...watch.Option) watch.Watcher {
		return enabled(append(opts, watch.Events("del", "rename_to"))...)
	}, s)
	for id := range 4 {
		u := user.At(s, id)
		require.NoError(t, session.At(u, "x").Set(ctx, "data"))
		_, err := visits.At(u).Incr(ctx)
		require.NoError(t, err)
		_, err = visits.At(u).Delete(ctx)
		require.NoError(t, err)
	}
	require.Equal(t, "incrby user:2:visits", next(t, one))
	require.Equal(t, "del user:2:visits", next(t, one))
	require.Empty(t, one)
	for _, want := range []string{"set session:x", "expire session:x", "incrby visits", "del visits"} {
		require.Equal(t, want, next(t, below))
	}
	require.Empty(t, below)
	for id := range 4 {
		require.Equal(t, "del user:"+strconv.Itoa(id)+":visits", next(t, deleted))
	}
	require.Empty(t, deleted)
}

// Nothing is changed on a server unless that is asked for, and what is missing is named.
func TestMissingClassesAreNamed(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := started(t)
	s := server.Open(t, root)
	admin := server.Client(t)
	setting := func() string {
		values, err := admin.Do(ctx, admin.B().ConfigGet().Parameter("notify-keyspace-events").Build()).AsStrMap()
		require.NoError(t, err)
		return values["notify-keyspace-events"]
	}
	configure := func(value string) {
		require.NoError(t, admin.Do(ctx, admin.B().ConfigSet().ParameterValue().ParameterValue("notify-keyspace-events", value).Build()).Error())
	}
	configure("Elg")
	before := setting()
	all, _ := listen(t, plain, s)
	err := nextError(t, all)
	require.ErrorIs(t, err, watch.ErrNotEnabled)
	require.ErrorContains(t, err, `"K$hxe"`)
	require.ErrorContains(t, err, `"KEg$lhxe"`)
	_, more := <-all
	require.False(t, more, "the stream ends")
	require.Equal(t, before, setting())

	configure("KEg$lhxe")
	all, stop := listen(t, plain, s)
	require.NoError(t, cart.At(s, 1).Set(ctx, "a", 1))
	require.Equal(t, "hset cart:1", next(t, all))
	stop()

	configure("Kx")
	onlyExpired := func(opts ...watch.Option) watch.Watcher { return plain(append(opts, watch.Events("expired"))...) }
	all, stop = listen(t, onlyExpired, s)
	require.NoError(t, session.At(user.At(s, 1), "x").Set(ctx, "x", nest.ExpireIn(time.Millisecond)))
	require.Equal(t, "expired user:1:session:x", next(t, all))
	stop()

	configure("")
	unchecked := func(opts ...watch.Option) watch.Watcher {
		return plain(slices.Concat(opts, []watch.Option{watch.Unchecked()})...)
	}
	all, stop = listen(t, unchecked, s)
	require.NoError(t, cart.At(s, 1).Set(ctx, "a", 1))
	stop()
	require.Empty(t, all)
	require.Empty(t, setting())

	configure("Elg")
	_, stop = listen(t, enabled, s)
	stop()
	require.ElementsMatch(t, []rune("KEg$lhxe"), []rune(setting()), "what was on stays on")
}

func TestALostConnectionIsAGap(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := started(t)
	s := server.Open(t, root)
	all, _ := listen(t, enabled, s)
	_, err := visits.At(s, 1).Incr(ctx)
	require.NoError(t, err)
	require.Equal(t, "incrby user:1:visits", next(t, all))
	server.Kill(t)
	server.Restart(t)
	err = nextError(t, all)
	require.ErrorIs(t, err, nest.ErrGap)
	var gap *nest.GapError
	require.ErrorAs(t, err, &gap)
	require.True(t, gap.Reconnected)
	require.Eventually(t, func() bool { _, err := visits.At(s, 1).Incr(ctx); return err == nil }, 20*time.Second, 10*time.Millisecond)
	require.Equal(t, "incrby user:1:visits", next(t, all))
}

func TestWhatFindsNoRoomIsCounted(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := started(t)
	s := server.Open(t, root)
	const n = 1000
	seen, dropped := 0, int64(0)
	first := true
	write := func() {
		b := s.Batch()
		for range n {
			visits.At(s, 1).In(b).Incr()
		}
		require.NoError(t, b.Exec(ctx))
	}
	for _, err := range watch.With(watch.Enable(), watch.Buffer(10), watch.OnSubscribed(func() {
		_, err := visits.At(s, 1).Incr(ctx)
		require.NoError(t, err)
	})).Keys(ctx, s) {
		if first { // the loop is slower than all that comes
			first = false
			write()
			admin := server.Client(t)
			// What a server has sent before it answers to another is not certain to have arrived.
			require.NoError(t, admin.Do(ctx, admin.B().Ping().Build()).Error())
			time.Sleep(200 * time.Millisecond)
		}
		var gap *nest.GapError
		if err != nil {
			require.ErrorAs(t, err, &gap)
			require.ErrorContains(t, err, "for want of room")
			dropped += gap.Dropped
		} else {
			seen++
		}
		if int64(seen)+dropped == n+1 {
			break
		}
	}
	require.Positive(t, dropped)
	require.LessOrEqual(t, seen, n)
}

func TestAWatchEndsAndLeavesNothing(t *testing.T) {
	server := started(t)
	s := server.Open(t, root)
	_, stop := listen(t, enabled, s)
	stop()
	before := runtime.NumGoroutine()
	for range 20 {
		_, stop := listen(t, enabled, s)
		stop()
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+2 }, 20*time.Second, 10*time.Millisecond)
	admin := server.Client(t)
	require.Eventually(t, func() bool {
		n, err := admin.Do(t.Context(), admin.B().PubsubNumpat().Build()).AsInt64()
		return err == nil && n == 0
	}, 20*time.Second, 10*time.Millisecond)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range watch.Keys(ended, s) {
		require.NoError(t, err)
		t.Fatal("a context that has ended yields nothing")
	}
}

func TestWhatIsNoWatch(t *testing.T) {
	t.Parallel()
	server := nesttest.Embedded(t)
	s := server.Open(t, root)
	names, err := nest.Open(nil, root, nest.NamesOnly())
	require.NoError(t, err)
	closed := server.Client(t)
	over, err := nest.Open(closed, root)
	require.NoError(t, err)
	closed.Close()
	for what, c := range map[string]struct {
		w       watch.Watcher
		scope   nest.Scope
		filters []nest.WalkOption
		want    error
	}{
		"an embedded server":    {watch.With(), s, nil, nest.ErrUnsupported},
		"a buffer of nothing":   {watch.With(watch.Buffer(0)), s, nil, nest.ErrArgument},
		"events without a name": {watch.With(watch.Events()), s, nil, nest.ErrArgument},
		"a nil option":          {watch.With(nil), s, nil, nest.ErrArgument},
		"names only":            {watch.With(), names, nil, nest.ErrNoClient},
		"a zero scope":          {watch.With(), nest.Scope{}, nil, nest.ErrNoClient},
		"an open parameter":     {watch.With(), user.At(s), nil, nest.ErrMissingParam},
		"a closed client":       {watch.With(), over, nil, rueidis.ErrClosing},
	} {
		var got []error
		for _, err := range c.w.Keys(t.Context(), c.scope, c.filters...) {
			got = append(got, err)
		}
		require.Len(t, got, 1, what)
		require.ErrorIs(t, got[0], c.want, what)
	}
	for _, err := range watch.Keys(nil, s) { //nolint:staticcheck // a nil context is refused
		require.ErrorIs(t, err, nest.ErrArgument)
	}
}

// A user with the rights of a reader who watches.
func TestAUserWhoWatches(t *testing.T) {
	t.Parallel()
	server := started(t)
	own := server.Open(t, root)
	admin := server.Client(t)
	rules, err := acl.Rules(own, acl.ReadOnly, acl.On(t.Context(), admin), acl.Watching(0))
	require.NoError(t, err)
	s, err := nest.Open(server.ClientOf(t, rules), root, nest.WithPrefix(strings.TrimSuffix(own.Prefix(), ":watched")))
	require.NoError(t, err)
	_, stop := listen(t, enabled, own) // switches the notifications on
	stop()
	all, _ := listen(t, plain, s)
	_, err = visits.At(own, 1).Incr(t.Context())
	require.NoError(t, err)
	require.Equal(t, "incrby user:1:visits", next(t, all))

	without, err := acl.Rules(own, acl.ReadOnly, acl.On(t.Context(), admin))
	require.NoError(t, err)
	s, err = nest.Open(server.ClientOf(t, without), root, nest.WithPrefix(strings.TrimSuffix(own.Prefix(), ":watched")))
	require.NoError(t, err)
	all, _ = listen(t, plain, s)
	err = nextError(t, all)
	require.ErrorContains(t, err, "CONFIG GET")
	require.ErrorContains(t, err, "NOPERM")
}
