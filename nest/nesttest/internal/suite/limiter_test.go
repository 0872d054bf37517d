package suite_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// openLimiter mounts one limiter below a cluster whose settings it must ignore.
func openLimiter(t *testing.T, opts ...nest.KeyOption) (nest.LimiterRef, redis) {
	t.Helper()
	def := nest.Limiter("rate:<ip>", opts...)
	s := nesttest.Open(t, nest.Cluster("limits", nest.TTL(time.Millisecond), nest.Jitter(0.5), nest.Cached(time.Hour), nest.Sub(def)))
	return def.At(s, "192.0.2.1"), redis{t, nesttest.Client(t)}
}

func allowN(t *testing.T, r nest.LimiterRef, n int64) nest.Decision {
	t.Helper()
	d, err := r.AllowN(t.Context(), n)
	require.NoError(t, err)
	return d
}

// nearly requires a duration that was measured a moment ago.
func nearly(t *testing.T, want, got time.Duration) {
	t.Helper()
	require.LessOrEqual(t, got, want)
	require.Greater(t, got, want-20*time.Second)
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]nest.KeyOption{
		"GCRA":   {nest.Rate(5, 10*time.Hour)},
		"window": {nest.Rate(5, 10*time.Hour), nest.FixedWindow()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, db := openLimiter(t, opts...)
			retry := 2 * time.Hour // the time until one event leaks
			if name == "window" {
				retry = 10 * time.Hour
			}
			peek := func(remaining int64) {
				t.Helper()
				d, err := r.Peek(t.Context())
				require.NoError(t, err)
				require.Equal(t, remaining, d.Remaining)
				require.Equal(t, remaining > 0, d.Allowed)
				require.Equal(t, d.Allowed, d.RetryAfter == 0)
				require.Equal(t, remaining, allowN(t, r, 0).Remaining)
				require.True(t, allowN(t, r, 0).Allowed)
			}
			peek(5)
			require.False(t, db.exists(r.Key()), "looking leaves nothing behind")
			for n := range int64(5) {
				d, err := r.Allow(t.Context())
				require.NoError(t, err)
				require.True(t, d.Allowed)
				require.EqualValues(t, 5, d.Limit)
				require.Equal(t, 4-n, d.Remaining)
				require.Zero(t, d.RetryAfter)
				reset := time.Duration(n+1) * 2 * time.Hour
				if name == "window" {
					reset = 10 * time.Hour
				}
				nearly(t, reset, d.ResetAfter)
				require.WithinDuration(t, time.Now().Add(reset), d.ResetAt, 30*time.Second)
				nearly(t, reset+2*time.Millisecond, db.ttl(r.Key()))
				peek(4 - n)
			}
			stored := db.text(r.Key())
			d := allowN(t, r, 1)
			require.False(t, d.Allowed)
			require.Zero(t, d.Remaining)
			nearly(t, retry, d.RetryAfter)
			nearly(t, 10*time.Hour, d.ResetAfter)
			require.Equal(t, stored, db.text(r.Key()), "a denied event changes nothing")
			if d = allowN(t, r, 5); name == "GCRA" {
				retry = 10 * time.Hour
			}
			require.False(t, d.Allowed)
			nearly(t, retry, d.RetryAfter)

			was, err := r.Reset(t.Context())
			require.NoError(t, err)
			require.True(t, was)
			peek(5)
			require.EqualValues(t, 2, allowN(t, r, 3).Remaining)
			require.False(t, allowN(t, r, 3).Allowed, "all of them or none")
			require.EqualValues(t, 0, allowN(t, r, 2).Remaining)
			for _, n := range []int64{-1, 6, 1 << 62} {
				_, err = r.AllowN(t.Context(), n)
				require.ErrorIs(t, err, nest.ErrArgument)
				_, err = r.WaitN(t.Context(), n)
				require.ErrorIs(t, err, nest.ErrArgument)
			}
			nearly(t, 10*time.Hour+2*time.Millisecond, r.DeclaredTTL())
		})
	}
}

func TestLimiterInABatch(t *testing.T) {
	t.Parallel()
	def := nest.Limiter("rate:<ip>", nest.Rate(3, time.Hour))
	s := nesttest.Open(t, nest.Cluster("limits", nest.Sub(def)))
	r := def.At(s, "a")
	b := s.Batch()
	first, second, third, peeked, reset := r.In(b).Allow(), r.In(b).AllowN(2), r.In(b).Allow(), r.In(b).Peek(), r.In(b).Reset()
	wrong := r.In(b).AllowN(4)
	require.ErrorIs(t, b.Exec(t.Context()), nest.ErrArgument)
	for _, c := range []struct {
		d         *nest.Future[nest.Decision]
		allowed   bool
		remaining int64
	}{{first, true, 2}, {second, true, 0}, {third, false, 0}, {peeked, false, 0}} {
		d, err := c.d.Value()
		require.NoError(t, err)
		require.Equal(t, c.allowed, d.Allowed)
		require.Equal(t, c.remaining, d.Remaining)
	}
	was, err := reset.Value()
	require.NoError(t, err)
	require.True(t, was)
	_, err = wrong.Value()
	require.ErrorIs(t, err, nest.ErrArgument)
}

// When several clients ask at once, exactly the allowed number of events passes.
func TestLimiterUnderConcurrency(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]nest.KeyOption{
		"GCRA":   {nest.Rate(50, 1000*time.Hour)},
		"window": {nest.Rate(50, 1000*time.Hour), nest.FixedWindow()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			def := nest.Limiter("rate", opts...)
			tree := nest.Cluster("limits", nest.Sub(def))
			prefix := nest.WithPrefix(nesttest.Shared(t).Prefix(t))
			var allowed atomic.Int64
			together(4, func(int) {
				s, err := nest.Open(nesttest.Client(t), tree, prefix)
				assert.NoError(t, err)
				together(4, func(int) {
					for range 20 {
						d, err := def.At(s).Allow(t.Context())
						assert.NoError(t, err)
						if d.Allowed {
							allowed.Add(1)
						}
					}
				})
			})
			require.EqualValues(t, 50, allowed.Load())
		})
	}
}

// Over a period no more events pass than the burst and what leaks in that period, and nearly that
// many pass.
func TestLimiterOverTime(t *testing.T) {
	t.Parallel()
	const perSecond, burst = 200, 7
	r, _ := openLimiter(t, nest.Rate(perSecond, time.Second), nest.Burst(burst))
	start, allowed := time.Now(), 0
	for time.Since(start) < 300*time.Millisecond {
		d, err := r.Allow(t.Context())
		require.NoError(t, err)
		if d.Allowed {
			allowed++
		} else {
			require.LessOrEqual(t, d.RetryAfter, time.Second/perSecond)
		}
	}
	most := burst + perSecond*time.Since(start).Seconds()
	require.LessOrEqual(t, float64(allowed), most+1)
	require.GreaterOrEqual(t, allowed, burst)
	t.Logf("%d of at most %.1f", allowed, most)
}

func TestLimiterWait(t *testing.T) {
	t.Parallel()
	const interval, n = 20 * time.Millisecond, 10
	r, _ := openLimiter(t, nest.Rate(1, interval))
	times := make(chan time.Time, n)
	start := time.Now()
	together(n, func(int) {
		d, err := r.Wait(t.Context())
		assert.NoError(t, err)
		assert.True(t, d.Allowed)
		times <- time.Now()
	})
	require.GreaterOrEqual(t, time.Since(start), (n-1)*interval-time.Millisecond, "they are spaced evenly")
	close(times)
	i := 0
	for at := range times {
		require.GreaterOrEqual(t, at.Sub(start), time.Duration(i)*interval-time.Millisecond)
		i++
	}

	r, _ = openLimiter(t, nest.Rate(3, 50*time.Millisecond), nest.FixedWindow())
	start = time.Now()
	for range 7 {
		_, err := r.Wait(t.Context())
		require.NoError(t, err)
	}
	require.GreaterOrEqual(t, time.Since(start), 100*time.Millisecond-time.Millisecond, "two windows are over")
}

func TestLimiterWaitEnds(t *testing.T) {
	t.Parallel()
	r, _ := openLimiter(t, nest.Rate(2, time.Hour))
	_, err := r.WaitN(t.Context(), 2)
	require.NoError(t, err)
	for op, wait := range map[string]func(context.Context) (nest.Decision, error){
		"wait":   r.Wait,
		"wait n": func(ctx context.Context) (nest.Decision, error) { return r.WaitN(ctx, 1) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		start := time.Now()
		d, err := wait(ctx)
		cancel()
		require.ErrorIs(t, err, nest.ErrLimited)
		require.NotErrorIs(t, err, context.DeadlineExceeded, "it has not ended")
		require.Equal(t, op, errorOf(t, err).Op)
		require.Regexp(t, `rate limited: to be allowed in (30m0s|29m[0-9.]+s), and the context's deadline is before that$`, err.Error())
		nearly(t, 30*time.Minute, d.RetryAfter)
		require.Less(t, time.Since(start), 30*time.Second, "it must not wait in vain")

		ctx, texts := endedWaits(t, op, wait)
		require.Regexp(t, `rate limited: to be allowed in (30m0s|29m[0-9.]+s): context canceled`, texts)
		require.Contains(t, texts, "rate limited: others of this process wait before it: context canceled")
		require.EqualValues(t, 0, allowN(t, r, 0).Remaining)
		_, err = wait(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, nest.ErrLimited, "the limiter was not asked")
		require.Equal(t, op, errorOf(t, err).Op)
	}
	for op, do := range map[string]func(int64) error{
		"allow n": func(n int64) error { _, err := r.AllowN(t.Context(), n); return err },
		"wait n":  func(n int64) error { _, err := r.WaitN(t.Context(), n); return err },
	} {
		require.Equal(t, op, errorOf(t, do(-1)).Op)
		require.Equal(t, op, errorOf(t, do(3)).Op)
	}
}

// endedWaits ends the context of two waits, one that waits for its time and one that waits for its
// turn. It returns their errors. If the context ends before they wait, there is nothing to see, and
// it tries again with a longer time.
func endedWaits(t *testing.T, op string, wait func(context.Context) (nest.Decision, error)) (over context.Context, texts string) {
	t.Helper()
	for pause := 20 * time.Millisecond; ; pause *= 2 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 2)
		for range cap(ended) {
			go func() {
				_, err := wait(ctx)
				ended <- err
			}()
		}
		time.Sleep(pause)
		cancel()
		limited := 0
		texts = ""
		for range cap(ended) {
			err := <-ended
			require.ErrorIs(t, err, context.Canceled)
			require.Equal(t, op, errorOf(t, err).Op)
			texts += err.Error() + "\n"
			if errors.Is(err, nest.ErrLimited) {
				limited++
			}
		}
		if limited == cap(ended) {
			return ctx, texts
		}
		require.Less(t, pause, 5*time.Second, texts)
	}
}

// The limiter stores the level, the unit and the time. Stored values with other times and units
// simulate a change of the clock or of the declaration.
func TestLimiterKeepsItsCount(t *testing.T) {
	t.Parallel()
	hour := time.Hour.Microseconds()
	for name, window := range map[string]bool{"GCRA": false, "window": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := []nest.KeyOption{nest.Rate(10, 10*time.Hour)}
			unit := hour
			if window {
				opts, unit = append(opts, nest.FixedWindow()), 1
			}
			r, db := openLimiter(t, opts...)
			hold := func(level, unit, since int64) {
				db.set(r.Key(), fmt.Sprintf("%d %d %d", level, unit, since))
			}
			now := time.Now().UnixMicro()

			hold(10*unit, unit, now+hour*24*365) // the clock was set back by a year
			d := allowN(t, r, 1)
			require.False(t, d.Allowed)
			require.LessOrEqual(t, d.RetryAfter, 10*time.Hour)
			require.Positive(t, d.RetryAfter)

			hold(10*unit, unit, now-11*hour) // the clock was set ahead
			require.EqualValues(t, 10, allowN(t, r, 0).Remaining)
			hold(10*unit, unit, 0)
			require.EqualValues(t, 9, allowN(t, r, 1).Remaining)

			// Seven events, counted by a limiter with another rate.
			hold(7*3600, 3600, now)
			require.EqualValues(t, 3, allowN(t, r, 0).Remaining)
			require.EqualValues(t, 2, allowN(t, r, 1).Remaining)
			require.Equal(t, strconv.FormatInt(unit, 10), strings.Fields(db.text(r.Key()))[1])
			hold(70, 1, now)
			require.False(t, allowN(t, r, 1).Allowed, "more than there can be here is all of it")

			for _, text := range []string{"", "7", "1 0 1", "1 1", "1 1 1 1", "-1 1 1", "1.5 1 1", "x", "nan 1 1"} {
				db.set(r.Key(), text)
				_, err := r.Allow(t.Context())
				require.ErrorIs(t, err, nest.ErrDecode, "%q", text)
			}
			require.NoError(t, db.do("DEL", r.Key()).Error())
			require.NoError(t, db.do("RPUSH", r.Key(), "x").Error())
			_, err := r.Allow(t.Context())
			require.ErrorIs(t, err, nest.ErrWrongType)
		})
	}
}

// When the server's clock is set back, the stored time lies in the future for a long time. The
// level leaks all the same, and RetryAfter is correct.
func TestLimiterAfterTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	const period = 400 * time.Millisecond
	for name, opts := range map[string][]nest.KeyOption{
		"GCRA":   {nest.Rate(4, period)},
		"window": {nest.Rate(4, period), nest.FixedWindow()},
	} {
		for asked, ask := range map[string]func(r nest.LimiterRef) (nest.Decision, error){
			"Allow": func(r nest.LimiterRef) (nest.Decision, error) { return r.Allow(t.Context()) },
			"Peek":  func(r nest.LimiterRef) (nest.Decision, error) { return r.Peek(t.Context()) },
		} {
			t.Run(name+" "+asked, func(t *testing.T) {
				t.Parallel()
				r, db := openLimiter(t, opts...)
				require.True(t, allowN(t, r, 4).Allowed)
				parts := strings.Fields(db.text(r.Key()))
				ahead := func() { // the server's clock was an hour ahead
					parts[2] = strconv.FormatInt(time.Now().Add(time.Hour).UnixMicro(), 10)
					db.set(r.Key(), strings.Join(parts, " "))
				}
				ahead()
				d, err := ask(r)
				require.NoError(t, err)
				require.False(t, d.Allowed)
				require.Positive(t, d.RetryAfter)
				require.LessOrEqual(t, d.RetryAfter, period)
				if name == "GCRA" {
					require.LessOrEqual(t, d.RetryAfter, period/4)
				}
				time.Sleep(d.RetryAfter)
				require.True(t, allowN(t, r, 1).Allowed)

				ahead()
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				d, err = r.Wait(ctx)
				require.NoError(t, err)
				require.True(t, d.Allowed)
			})
		}
	}
}

// A rate whose interval is not a whole number of microseconds loses nothing. After a whole period
// the whole rate is available again, and not a microsecond earlier.
func TestLimiterCountsExactly(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{3, 7, 999_983, 10_000_000} {
		r, db := openLimiter(t, nest.Rate(n, time.Hour))
		d := allowN(t, r, n)
		require.True(t, d.Allowed)
		require.Equal(t, time.Hour, d.ResetAfter, "%d", n)
		parts := strings.Fields(db.text(r.Key()))
		level, err := strconv.ParseInt(parts[0], 10, 64)
		require.NoError(t, err)
		unit, err := strconv.ParseInt(parts[1], 10, 64)
		require.NoError(t, err)
		require.Equal(t, n*unit, level)
		require.Less(t, level, int64(1)<<53)
	}
}

func TestLimiterDeclared(t *testing.T) {
	t.Parallel()
	for want, opts := range map[string][]nest.KeyOption{
		"needs a Rate":         {nest.Burst(3)},
		"Rate is given twice":  {nest.Rate(1, time.Second), nest.Rate(1, time.Second)},
		"Burst is given twice": {nest.Rate(1, time.Second), nest.Burst(1), nest.Burst(1)},
		"at least one event":   {nest.Rate(0, time.Second)},
		"Burst(-1)":            {nest.Rate(1, time.Second), nest.Burst(-1)},
		"whole microseconds":   {nest.Rate(1, time.Nanosecond)},
		"exclude each other":   {nest.Rate(1, time.Second), nest.Burst(1), nest.FixedWindow()},
		"counted exactly":      {nest.Rate(1, time.Hour), nest.Burst(1 << 60)},
		"TTL is no option":     {nest.Rate(1, time.Hour), nest.TTL(7)},
		"Cached is no option":  {nest.Rate(1, time.Hour), nest.Cached(time.Second)},
	} {
		func() {
			defer func() { require.Contains(t, recover(), want) }()
			nest.Limiter("rate", opts...)
		}()
	}
	for option, o := range map[string]nest.KeyOption{"Rate": nest.Rate(1, time.Second), "Burst": nest.Burst(1), "FixedWindow": nest.FixedWindow()} {
		func() {
			defer func() { require.Contains(t, recover(), option+" is no option of a value") }()
			nest.Key[int]("key", o)
		}()
	}
	_, err := nest.LimiterRef{}.Wait(t.Context())
	require.ErrorIs(t, err, nest.ErrNoClient)
	_, err = nest.LimiterRef{}.Allow(t.Context())
	require.ErrorIs(t, err, nest.ErrNoClient)
}

func TestLocksAndLimitersDescribed(t *testing.T) {
	t.Parallel()
	s, err := nest.Open(nil, nest.Cluster("root", nest.TTL(3600), nest.Cached(time.Minute), nest.Sub(
		nest.Lock("lock", nest.TTL(30), nest.Doc("who imports")),
		nest.Limiter("rate", nest.Rate(100, time.Minute)),
		nest.Limiter("burst", nest.Rate(100, time.Minute), nest.Burst(20)),
		nest.Limiter("window", nest.Rate(1000, 24*time.Hour), nest.FixedWindow()),
	)), nest.NamesOnly())
	require.NoError(t, err)
	d := s.Describe()
	require.Equal(t, strings.TrimLeft(`
root  [ttl 1h, cached]
├─ lock  lock  [ttl 30s]  — who imports
├─ rate  limiter  [100 per 1m]
├─ burst  limiter  [100 per 1m, burst 20]
└─ window  limiter  [1000 per 24h window]
`, "\n"), d.String())
	require.Equal(t, nest.KindLock, d.Nodes[0].Kind)
	require.Equal(t, nest.KindLimiter, d.Nodes[1].Kind)
	require.Equal(t, "100 per 1m, burst 20", d.Nodes[2].Rate)
}
