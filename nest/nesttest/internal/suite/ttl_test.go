package suite_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// What each write does to the expiry of a key that is missing, of one with 40 seconds left, and of
// one whose declared expiry another client removed.
func TestExpiryAfterWrites(t *testing.T) {
	t.Parallel()
	const (
		running  = 40 * time.Second
		declared = declaredTTL
		forever  = nest.Forever
		absent   = time.Duration(0) // the operation deletes the key or creates none
	)
	until := time.Now().Add(time.Hour)
	ref := func(s nest.Scope) nest.KeyRef[string] { return name.At(s, 1) }

	for what, c := range map[string]struct {
		write                  func(ctx context.Context, r nest.KeyRef[string]) error
		missing, left, endless time.Duration
	}{
		"Set": {
			func(ctx context.Context, r nest.KeyRef[string]) error { return r.Set(ctx, "x") },
			declared, declared, declared,
		},
		"Set KeepTTL": {
			func(ctx context.Context, r nest.KeyRef[string]) error { return r.Set(ctx, "x", nest.KeepTTL()) },
			declared, running, forever,
		},
		"Set ExpireIn": {
			func(ctx context.Context, r nest.KeyRef[string]) error {
				return r.Set(ctx, "x", nest.ExpireIn(75*time.Second))
			},
			75 * time.Second, 75 * time.Second, 75 * time.Second,
		},
		"Set ExpireIn a part of a second": {
			func(ctx context.Context, r nest.KeyRef[string]) error {
				return r.Set(ctx, "x", nest.ExpireIn(75*time.Second+500*time.Millisecond))
			},
			75500 * time.Millisecond, 75500 * time.Millisecond, 75500 * time.Millisecond,
		},
		"Set ExpireUntil": {
			func(ctx context.Context, r nest.KeyRef[string]) error {
				return r.Set(ctx, "x", nest.ExpireUntil(until))
			},
			time.Hour, time.Hour, time.Hour,
		},
		"Set NoExpiry": {
			func(ctx context.Context, r nest.KeyRef[string]) error { return r.Set(ctx, "x", nest.NoExpiry()) },
			forever, forever, forever,
		},
		"SetIfAbsent": {
			func(ctx context.Context, r nest.KeyRef[string]) error { _, err := r.SetIfAbsent(ctx, "x"); return err },
			declared, running, forever,
		},
		"SetIfAbsent KeepTTL": {
			func(ctx context.Context, r nest.KeyRef[string]) error {
				_, err := r.SetIfAbsent(ctx, "x", nest.KeepTTL())
				return err
			},
			declared, running, forever,
		},
		"SetIfPresent": {
			func(ctx context.Context, r nest.KeyRef[string]) error { _, err := r.SetIfPresent(ctx, "x"); return err },
			absent, declared, declared,
		},
		"SetIfPresent KeepTTL": {
			func(ctx context.Context, r nest.KeyRef[string]) error {
				_, err := r.SetIfPresent(ctx, "x", nest.KeepTTL())
				return err
			},
			absent, running, forever,
		},
		"Swap": {
			func(ctx context.Context, r nest.KeyRef[string]) error { _, _, err := r.Swap(ctx, "x"); return err },
			declared, declared, declared,
		},
		"Take": {
			func(ctx context.Context, r nest.KeyRef[string]) error { _, _, err := r.Take(ctx); return err },
			absent, absent, absent,
		},
		"Update": {
			func(ctx context.Context, r nest.KeyRef[string]) error {
				_, err := r.Update(ctx, func(string, bool) (string, error) { return "x", nil })
				return err
			},
			declared, declared, declared,
		},
		"GetOrLoad": {
			func(ctx context.Context, r nest.KeyRef[string]) error {
				_, err := r.GetOrLoad(ctx, func(context.Context) (string, error) { return "x", nil })
				return err
			},
			declared, running, forever,
		},
		"Get": {
			func(ctx context.Context, r nest.KeyRef[string]) error { _, _, err := r.Lookup(ctx); return err },
			absent, running, forever,
		},
		"Touch": {
			func(ctx context.Context, r nest.KeyRef[string]) error { _, err := r.Touch(ctx); return err },
			absent, running, forever,
		},
		"Expire": {
			func(ctx context.Context, r nest.KeyRef[string]) error { _, err := r.Expire(ctx, time.Hour); return err },
			absent, time.Hour, time.Hour,
		},
		"Persist": {
			func(ctx context.Context, r nest.KeyRef[string]) error { _, err := r.Persist(ctx); return err },
			absent, forever, forever,
		},
	} {
		for before, want := range map[string]time.Duration{"missing": c.missing, "running": c.left, "endless": c.endless} {
			t.Run(what+"/"+before, func(t *testing.T) {
				s, db := open(t)
				r := ref(s)
				switch before {
				case "running":
					require.NoError(t, db.do("SET", r.Key(), "old", "PX", "40000").Error())
				case "endless":
					db.set(r.Key(), "old")
				}
				require.NoError(t, c.write(t.Context(), r))
				if want == absent {
					require.False(t, db.exists(r.Key()))
					return
				}
				about(t, want, db.ttl(r.Key()))
			})
		}
	}
}

// A key that is declared without a TTL does not get the TTL of the cluster above it.
func TestNoTTLOverridesWhatIsInherited(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	require.NoError(t, pinned.At(s, 1).Set(t.Context(), "x"))
	require.Equal(t, nest.Forever, db.ttl(pinned.At(s, 1).Key()))
	require.Zero(t, pinned.At(s, 1).DeclaredTTL())
	require.Equal(t, declaredTTL, name.At(s, 1).DeclaredTTL())
	require.Equal(t, time.Hour, session.At(s, 1, "t").DeclaredTTL())
}

func TestAutoRenewRestartsTheTTLOnReads(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := open(t)
	ref := session.At(s, 1, "token")

	_, _, err := ref.Lookup(ctx)
	require.NoError(t, err)
	require.False(t, db.exists(ref.Key()), "reading makes no key")

	for what, read := range map[string]func() error{
		"Get":    func() error { _, err := ref.Get(ctx); return err },
		"Lookup": func() error { _, _, err := ref.Lookup(ctx); return err },
		"GetOrLoad": func() error {
			_, err := ref.GetOrLoad(ctx, func(context.Context) (login, error) { return login{}, nil })
			return err
		},
	} {
		require.NoError(t, ref.Set(ctx, login{}, nest.ExpireIn(time.Minute)))
		require.NoError(t, read(), what)
		about(t, time.Hour, db.ttl(ref.Key()))
	}
}

func TestJitterOnlyShortens(t *testing.T) {
	t.Parallel()
	key := nest.Key[int]("key:<n>", nest.TTL(1000), nest.Jitter(0.5))
	s := nesttest.Open(t, nest.Cluster("jitter", nest.Sub(key)))
	seen := map[time.Duration]bool{}
	for n := range 40 {
		ref := key.At(s, n)
		require.NoError(t, ref.Set(t.Context(), n))
		left, err := ref.TTL(t.Context())
		require.NoError(t, err)
		require.LessOrEqual(t, left, 1000*time.Second)
		require.Greater(t, left, 480*time.Second)
		seen[left.Round(time.Second)] = true
	}
	require.Greater(t, len(seen), 10, "the TTLs are spread")
}

func TestTTLOperations(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := open(t)
	ref := name.At(s, 1)

	_, err := ref.TTL(ctx)
	require.ErrorIs(t, err, nest.ErrNotFound)
	_, err = ref.ExpireTime(ctx)
	require.ErrorIs(t, err, nest.ErrNotFound)
	for what, op := range map[string]func() (bool, error){
		"Expire":   func() (bool, error) { return ref.Expire(ctx, time.Minute) },
		"ExpireAt": func() (bool, error) { return ref.ExpireAt(ctx, time.Now().Add(time.Minute)) },
		"Persist":  func() (bool, error) { return ref.Persist(ctx) },
		"Touch":    func() (bool, error) { return ref.Touch(ctx) },
	} {
		done, err := op()
		require.NoError(t, err, what)
		require.False(t, done, "%s of a missing key", what)
	}

	db.set(ref.Key(), "x")
	left, err := ref.TTL(ctx)
	require.NoError(t, err)
	require.Equal(t, nest.Forever, left)
	at, err := ref.ExpireTime(ctx)
	require.NoError(t, err)
	require.True(t, at.IsZero())
	done, err := ref.Persist(ctx)
	require.NoError(t, err)
	require.False(t, done, "there was no expiry to remove")

	done, err = ref.Expire(ctx, 90*time.Second)
	require.NoError(t, err)
	require.True(t, done)
	left, err = ref.TTL(ctx)
	require.NoError(t, err)
	about(t, 90*time.Second, left)
	at, err = ref.ExpireTime(ctx)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(90*time.Second), at, 20*time.Second)

	until := time.Now().Add(time.Hour)
	done, err = ref.ExpireAt(ctx, until)
	require.NoError(t, err)
	require.True(t, done)
	about(t, time.Hour, db.ttl(ref.Key()))

	for _, d := range []time.Duration{0, -time.Second, time.Microsecond} {
		_, err = ref.Expire(ctx, d)
		require.ErrorIs(t, err, nest.ErrArgument, "%v", d)
	}
	// The milliseconds of times this far away do not fit into an int64. They came out negative, and
	// the key was deleted.
	for _, far := range []time.Time{{}, time.Unix(math.MaxInt64, 0), time.Unix(math.MaxInt64/1000+1, 0), time.Unix(math.MinInt64, 0), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		_, err = ref.ExpireAt(ctx, far)
		require.ErrorIs(t, err, nest.ErrArgument)
	}
	require.True(t, db.exists(ref.Key()), "a refused expiry deletes nothing")

	done, err = ref.ExpireAt(ctx, time.Now().Add(-time.Minute))
	require.NoError(t, err)
	require.True(t, done)
	require.False(t, db.exists(ref.Key()), "a time in the past deletes")
}

// The time that is left until the year 9999 does not fit into a Duration. TTL was negative.
func TestTTLLongerThanADuration(t *testing.T) {
	t.Parallel()
	if nesttest.Shared(t).Kind() == nesttest.KindEmbedded {
		t.Skip("nesttest: SKIPPED, not passed: the embedded server has no expiry beyond 292 years")
	}
	ctx := t.Context()
	s, db := open(t)
	ref := name.At(s, 1)
	end := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	require.NoError(t, ref.Set(ctx, "x", nest.ExpireUntil(end)))
	left, err := ref.TTL(ctx)
	require.NoError(t, err)
	require.Equal(t, time.Duration(math.MaxInt64), left)
	at, err := ref.ExpireTime(ctx)
	require.NoError(t, err)
	require.WithinDuration(t, end, at, time.Minute)

	require.ErrorIs(t, ref.Set(ctx, "y", nest.ExpireUntil(time.Unix(math.MaxInt64, 0))), nest.ErrArgument)
	require.ErrorIs(t, ref.Set(ctx, "y", nest.ExpireUntil(end.Add(time.Second))), nest.ErrArgument)
	require.Equal(t, "x", db.text(ref.Key()))
}

// The sum of the longest TTL and the time for which a value is stale does not fit into a Duration.
// The key lived for a millisecond.
func TestLongestTTLWithStaleFor(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	const most = time.Duration(math.MaxInt64 - math.MaxInt64%int64(time.Millisecond))
	key := nest.Key[int]("key", nest.TTL(most), nest.ReadThrough(nest.StaleFor(most), nest.RefreshBefore(time.Hour)))
	ref := key.At(alone(t, key), 1)
	require.NoError(t, ref.Set(ctx, 1))
	left, err := ref.TTL(ctx)
	require.NoError(t, err)
	require.Greater(t, left, most-time.Hour)
}

func TestExpireIf(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := open(t)
	for _, c := range []struct {
		before    string // milliseconds, or none
		condition nest.ExpireCondition
		want      bool
	}{
		{"", nest.IfNoExpiry, true},
		{"40000", nest.IfNoExpiry, false},
		{"", nest.IfExpiry, false},
		{"40000", nest.IfExpiry, true},
		{"40000", nest.IfLonger, true},
		{"90000", nest.IfLonger, false},
		{"", nest.IfLonger, false},
		{"90000", nest.IfShorter, true},
		{"40000", nest.IfShorter, false},
		{"", nest.IfShorter, true},
	} {
		ref := name.At(s, 1)
		db.set(ref.Key(), "x")
		if c.before != "" {
			require.NoError(t, db.do("PEXPIRE", ref.Key(), c.before).Error())
		}
		done, err := ref.ExpireIf(ctx, time.Minute, c.condition)
		require.NoError(t, err)
		require.Equal(t, c.want, done, "%v with %q left", c.condition, c.before)
		if done {
			about(t, time.Minute, db.ttl(ref.Key()))
		}
	}
	_, err := name.At(s, 1).ExpireIf(ctx, time.Minute, 99)
	require.ErrorIs(t, err, nest.ErrArgument)
}

// Keys do expire when their time is over, and get a fresh TTL when they are written again.
func TestKeysExpire(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := nesttest.Start(t)
	key := nest.Key[string]("key:<n>", nest.TTL(300*time.Millisecond))
	renewed := nest.Key[string]("renewed", nest.TTL(600*time.Millisecond), nest.AutoRenew())
	s := server.Open(t, nest.Cluster("short", nest.Sub(key, renewed)))

	require.NoError(t, key.At(s, 1).Set(ctx, "x"))
	require.NoError(t, key.At(s, 2).Set(ctx, "x", nest.NoExpiry()))
	require.NoError(t, key.At(s, 3).Set(ctx, "x", nest.ExpireIn(time.Hour)))
	require.NoError(t, renewed.At(s).Set(ctx, "x"))
	for range 3 {
		server.Advance(t, 400*time.Millisecond)
		_, err := renewed.At(s).Get(ctx)
		require.NoError(t, err, "each read restarts the TTL")
	}

	_, err := key.At(s, 1).Get(ctx)
	require.ErrorIs(t, err, nest.ErrNotFound)
	for _, n := range []int{2, 3} {
		_, err = key.At(s, n).Get(ctx)
		require.NoError(t, err)
	}
	names, err := s.Subkeys(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{key.At(s, 2).Key(), key.At(s, 3).Key(), renewed.At(s).Key()}, names)

	server.Advance(t, 700*time.Millisecond)
	_, err = renewed.At(s).Get(ctx)
	require.ErrorIs(t, err, nest.ErrNotFound)
	done, err := key.At(s, 1).SetIfAbsent(ctx, "again")
	require.NoError(t, err)
	require.True(t, done)
	left, err := key.At(s, 1).TTL(ctx)
	require.NoError(t, err)
	require.LessOrEqual(t, left, 300*time.Millisecond)
}
