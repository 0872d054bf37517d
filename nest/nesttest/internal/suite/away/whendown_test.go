package away_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

var (
	banner   = nest.Key[[]string]("banner", nest.Default([]string{"hello"}), nest.WhenDown(nest.GiveDefault))
	plain    = nest.Key[string]("plain", nest.Default("hello"))
	all      = nest.Limiter("all:<ip>", nest.Rate(2, time.Hour), nest.WhenDown(nest.AllowAll))
	locally  = nest.Limiter("locally:<ip>", nest.Rate(2, time.Hour), nest.WhenDown(nest.AllowLocal))
	soon     = nest.Limiter("soon:<ip>", nest.Rate(20, time.Second), nest.Burst(1), nest.WhenDown(nest.AllowLocal))
	denied   = nest.Limiter("denied:<ip>", nest.Rate(2, time.Hour))
	downRoot = nest.Cluster("root", nest.Sub(banner, plain, all, locally, soon, denied))
)

func TestWhenDown(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	option := server.ClientOption()
	option.ForceSingleClient = true
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	told := &events{}
	s, err := nest.Open(client, downRoot, nest.WithPrefix(server.Prefix(t)), nest.WithTimeout(300*time.Millisecond), nest.WithObserver(told))
	require.NoError(t, err)
	require.Same(t, client, s.Client(), "the client that was given to Open")
	ctx := t.Context()
	require.NoError(t, banner.At(s).Set(ctx, []string{"stored"}))
	got, err := banner.At(s).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"stored"}, got)
	for range 2 {
		d, err := locally.At(s, 1).Allow(ctx)
		require.NoError(t, err)
		require.True(t, d.Allowed)
	}
	for _, e := range told.all {
		require.False(t, e.Degraded, e.Op)
	}
	thaw := server.Freeze(t)

	for range 2 {
		got, err := banner.At(s).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"hello"}, got)
		require.True(t, told.last().Degraded)
		got[0] = "changed by its caller"
	}
	_, _, err = banner.At(s).Lookup(ctx)
	require.ErrorIs(t, err, nest.ErrAway, "Lookup has no default")
	_, err = plain.At(s).Get(ctx)
	require.ErrorIs(t, err, nest.ErrAway)
	b := s.Batch()
	inBatch, other := banner.At(s).In(b).Get(), plain.At(s).In(b).Get()
	require.ErrorIs(t, b.Exec(ctx), nest.ErrAway)
	got, err = inBatch.Value()
	require.NoError(t, err)
	require.Equal(t, []string{"hello"}, got)
	require.ErrorIs(t, other.Err(), nest.ErrAway)
	require.NotErrorIs(t, other.Err(), nest.ErrOutcomeUnknown, "a read")

	_, err = denied.At(s, 1).Allow(ctx)
	require.ErrorIs(t, err, nest.ErrAway)
	for range 3 {
		d, err := all.At(s, 1).Allow(ctx)
		require.NoError(t, err)
		require.True(t, d.Allowed)
		require.True(t, told.last().Degraded)
	}
	for i := range 3 {
		d, err := locally.At(s, 1).Allow(ctx)
		require.NoError(t, err)
		require.Equal(t, i < 2, d.Allowed, "each process by itself")
	}
	_, err = locally.At(s, 1).AllowN(ctx, 3)
	require.ErrorIs(t, err, nest.ErrArgument)
	for range 3 {
		d, err := soon.At(s, 1).Wait(ctx)
		require.NoError(t, err)
		require.True(t, d.Allowed)
		require.True(t, told.last().Degraded)
	}
	// Half of the context's time is for Redis.
	within, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	d, err := all.At(s, 1).Allow(within)
	require.NoError(t, err)
	require.True(t, d.Allowed)
	// A caller who has gone gets no decision.
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err = all.At(s, 1).Allow(gone)
	require.ErrorIs(t, err, context.Canceled)

	thaw()
	require.Eventually(t, func() bool {
		got, err := banner.At(s).Get(ctx)
		return err == nil && got[0] == "stored"
	}, 10*time.Second, 10*time.Millisecond)
	d, err = locally.At(s, 1).Allow(ctx)
	require.NoError(t, err)
	require.False(t, d.Allowed, "what Redis has counted")
}

func (e *events) last() nest.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.all[len(e.all)-1]
}

func TestWhenDownIsRefusedWhereNothingIsRight(t *testing.T) {
	t.Parallel()
	give := nest.WhenDown(nest.GiveDefault)
	for name, declare := range map[string]func(){
		"secret":          func() { nest.Secret[string]("a", give) },
		"password":        func() { nest.Password("a", give) },
		"lock":            func() { nest.Lock("a", nest.TTL(1), give) },
		"counter":         func() { nest.Counter[int]("a", nest.Default(1), give) },
		"no default":      func() { nest.Key[string]("a", give) },
		"another kind":    func() { nest.Limiter("a", nest.Rate(1, time.Second), give) },
		"key of a limit":  func() { nest.Key[string]("a", nest.WhenDown(nest.AllowAll)) },
		"twice":           func() { nest.Key[string]("a", nest.Default(""), give, give) },
		"no such":         func() { nest.Key[string]("a", nest.Default(""), nest.WhenDown(0)) },
		"locally, a lock": func() { nest.Lock("a", nest.TTL(1), nest.WhenDown(nest.AllowLocal)) },
	} {
		require.Panics(t, declare, name)
	}
}

// What a process decides by itself is what the server would have decided.
func TestLocalLimitsAreTheServers(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	for name, opts := range map[string][]nest.KeyOption{
		"leaking":  {nest.Rate(3, time.Hour)},
		"burst":    {nest.Rate(7, time.Hour), nest.Burst(3)},
		"windowed": {nest.Rate(3, time.Hour), nest.FixedWindow()},
	} {
		limit := nest.Limiter("limit", append(opts, nest.WhenDown(nest.AllowLocal))...)
		tree := nest.Cluster("root", nest.Sub(limit))
		option := server.ClientOption()
		option.ForceSingleClient = true
		client, err := rueidis.NewClient(option)
		require.NoError(t, err)
		t.Cleanup(client.Close)
		s, err := nest.Open(client, tree, nest.WithPrefix(server.Prefix(t)))
		require.NoError(t, err)
		other, err := nest.Open(client, tree, nest.WithPrefix(server.Prefix(t)), nest.WithTimeout(time.Second), nest.WithBreaker(1, time.Hour))
		require.NoError(t, err)
		decide := func(s nest.Scope) (decisions []nest.Decision) {
			for _, n := range []int64{1, 0, 2, 1, 3} {
				d, err := limit.At(s).AllowN(t.Context(), n)
				require.NoError(t, err, name)
				d.ResetAt, d.RetryAfter, d.ResetAfter = time.Time{}, d.RetryAfter.Round(time.Minute), d.ResetAfter.Round(time.Minute)
				decisions = append(decisions, d)
			}
			return decisions
		}
		want := decide(s)
		server.Kill(t)
		require.Equal(t, want, decide(other), name)
		server.Restart(t)
	}
}
