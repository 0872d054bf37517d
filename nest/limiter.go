package nest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/local"
)

// LimiterDef declares a limit on how often something may happen.
type LimiterDef struct {
	Declaration
}

// Limiter declares a limit on how many events may happen in a period, counted on the server for all
// processes together. It needs a [Rate]:
//
//	Requests = nest.Limiter("requests:<ip>", nest.Rate(100, time.Minute), nest.Burst(20))
//
//	d, err := Requests.At(root, ip).Allow(ctx)
//	if err == nil && !d.Allowed {
//		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(d.RetryAfter.Seconds()))))
//	}
//
// By default it is a GCRA, the generic cell rate algorithm of ITU-T Recommendation I.371, in the
// form of a continuous-state leaky bucket. A full burst may come at once, and room for one more
// event comes back each period/n. In any time d no more than burst + n×d/period events pass. With
// [FixedWindow] it instead counts the events of a window, which begins with the first of them.
//
// Each request is one atomic step on the server (EVAL) by the server's own clock (TIME), in whole
// microseconds and whole numbers, without rounding. A denied request costs nothing and changes
// nothing. If the clock is set back, no event passes that would not have passed before: at the next
// request, what was counted so far begins to leak, or its window begins. So no request is denied
// for longer than a full limiter takes to become idle.
//
// What the server forgets is not counted. Up to a whole burst or window more can pass after the
// server evicts keys under a maxmemory-policy (allkeys-lru and the like, and also volatile-lru and
// the like, since the key has a TTL), after it restarts without having stored everything, or after
// a replica is promoted without the last writes. Where that must not happen, keep limiters on a
// server with the policy noeviction. While its memory is full, a request that would be allowed
// fails with an error of the server. [WhenDown] says what to do then, and while Redis is away.
//
// In Redis it is a string, which expires as soon as it means no more than a missing one: after the
// time that it takes to become idle, which [Ref.DeclaredTTL] returns. No TTL can be declared for
// it, and inherited settings have no effect on it. When the rate is changed, what was counted so
// far is kept.
//
// Limiter panics, with the file and line of the call, on a malformed template or option, without a
// Rate, and on a Rate that is too fine to be counted exactly.
func Limiter(template string, opts ...KeyOption) *LimiterDef {
	d := &LimiterDef{}
	where := caller()
	d.declare(d, KindLimiter, "Limiter", template, where, applyKeyOptions(opts))
	err := d.config.onlyTimed("a limiter")
	if err == nil && d.config.set&hasTTL != 0 {
		err = errors.New("TTL is no option of a limiter: it follows from the Rate")
	}
	var l *limiter
	if err == nil {
		l, err = newLimiter(d.config.rate)
	}
	if err != nil {
		where.refuse("Limiter", template, err)
	}
	d.bind = func(m *mounted) (any, error) {
		m.settings.plain()
		m.settings.ttl = l.longest()
		return l, nil
	}
	return d
}

// At returns a reference to the limiter below s. See [KeyDef.At] for args.
func (d *LimiterDef) At(s Scope, args ...any) LimiterRef {
	if d == nil {
		return LimiterRef{nilRef(s)}
	}
	return LimiterRef{d.ref(&s, args)}
}

// Rate allows n events in each period, as an option of [Limiter]. n is at least 1, the period a
// whole number of microseconds.
func Rate(n int64, period time.Duration) KeyOption {
	return keyOption(func(c *config) error {
		c.onlyFor("Rate", KindLimiter)
		switch {
		case c.rate.n != 0:
			return errors.New("Rate is given twice")
		case n < 1:
			return fmt.Errorf("Rate(%d, %v): at least one event", n, period)
		case period < time.Microsecond || period%time.Microsecond != 0:
			return fmt.Errorf("Rate(%d, %v): the period is a positive number of whole microseconds%s", n, period, nanoseconds(period))
		}
		c.rate.n, c.rate.period = n, period
		return nil
	})
}

// Burst allows n events at once after a time without any, as an option of [Limiter]. The default is
// the n of its [Rate]; Burst(1) spaces all events evenly.
func Burst(n int64) KeyOption {
	return keyOption(func(c *config) error {
		c.onlyFor("Burst", KindLimiter)
		switch {
		case c.rate.burst != 0:
			return errors.New("Burst is given twice")
		case n < 1:
			return fmt.Errorf("Burst(%d): at least one event", n)
		}
		c.rate.burst = n
		return nil
	})
}

// FixedWindow makes a [Limiter] count the events of a window. The first event opens the window, and
// all are forgotten when its period is over. Such a limiter reports how many events are left until
// a fixed time, as for a quota. Around the end of a window, however, twice as many can pass in one
// period. FixedWindow excludes [Burst].
func FixedWindow() KeyOption {
	return keyOption(func(c *config) error {
		c.onlyFor("FixedWindow", KindLimiter)
		c.rate.window = true
		return nil
	})
}

// limiter is a rate in the units in which the server counts. An event adds unit to the level of the
// bucket. The bucket holds burst times unit, and loses drain in each microsecond. With unit/drain =
// period/n in lowest terms, all of these are whole numbers.
type limiter struct {
	rate
	unit, drain int64
}

// exact is the limit up to which whole numbers are exact in Lua, with a bit left for one addition.
const exact = 1 << 52

func newLimiter(r rate) (*limiter, error) {
	switch {
	case r.n == 0:
		return nil, errors.New("a limiter needs a Rate: how many events in which time")
	case r.window && r.burst != 0:
		return nil, errors.New("FixedWindow and Burst exclude each other: a window has no burst but its whole number")
	case r.burst == 0:
		r.burst = r.n
	}
	l := &limiter{rate: r, unit: 1, drain: r.period.Microseconds()}
	if !r.window {
		micros := r.period.Microseconds()
		d := divisor(micros, r.n)
		l.unit, l.drain = micros/d, r.n/d
	}
	if l.burst > exact/l.unit || l.drain > exact {
		return nil, fmt.Errorf("Rate(%d, %v) with a burst of %d cannot be counted exactly: choose rounder numbers", r.n, r.period, r.burst)
	}
	return l, nil
}

// divisor returns the greatest common divisor of a and b.
func divisor(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// longest returns the longest time that the key lives: how long a full bucket takes to empty, or
// how long a window lasts, plus what rounding adds.
func (l *limiter) longest() time.Duration {
	micros := l.period.Microseconds()
	if !l.window {
		micros = (l.burst*l.unit + l.drain - 1) / l.drain
	}
	ms := min((micros+999)/1000+1, math.MaxInt64/int64(time.Millisecond))
	return time.Duration(ms * int64(time.Millisecond))
}

// String returns the rate for a description.
func (l *limiter) String() string {
	text := fmt.Sprintf("%d per %s", l.n, shortDuration(l.period))
	switch {
	case l.window:
		text += " window"
	case l.burst != l.n:
		text += fmt.Sprintf(", burst %d", l.burst)
	}
	return text
}

// LimiterRef is one limiter, with all its parameters filled in.
type LimiterRef struct {
	Ref
}

// Decision is the answer of a limiter.
type Decision struct {
	// Allowed reports whether the events may happen. If so, they were counted.
	Allowed bool
	// Limit is how many events may happen at once: the burst, or the number for a window.
	Limit int64
	// Remaining is how many more may happen now.
	Remaining int64
	// RetryAfter is the time until the denied events would be allowed, if no others happen before;
	// 0 when they were allowed.
	RetryAfter time.Duration
	// ResetAfter is the time until the limiter would have forgotten all events, if no others
	// happen: until Remaining is Limit again.
	ResetAfter time.Duration
	// ResetAt is that moment on the server's clock.
	ResetAt time.Time
}

func (d Decision) refuses() bool { return !d.Allowed && d.Limit > 0 }

// A limiter holds the level, the unit that it is counted in, and the time, in microseconds, at
// which the level was measured or the window began. With the unit, a process that counts in another
// one can convert the level. ARGV: the unit, the capacity, what the events add, 1 to add it, then
// what drains in a microsecond or how long a window is. The reply: the result, the level, the times
// to retry and to reset, and the current time.
const (
	limitHead = `local held, now = redis.call('GET', KEYS[1]), redis.call('TIME')
now = now[1] * 1000000 + now[2]
local unit, full, cost, drain = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[5])
local level, since = 0, now
if held then
	local l, u, s = string.match(held, '^(%d+) (%d+) (%d+)$')
	l, u, s = tonumber(l), tonumber(u), tonumber(s)
	if not l or not u or not s or u == 0 then return {2} end
	if u ~= unit then l = math.min(full, math.ceil(l / u * unit)) end
	level, since = l, s
	if s > now then
		-- The clock was set back. From here on time passes, also where nothing is let through.
		since = now
		redis.pcall('SET', KEYS[1], string.format('%.0f %.0f %.0f', level, unit, since), 'KEEPTTL')
	end
end
`
	limitTail = `
if allowed == 1 and cost > 0 and ARGV[4] == '1' then
	redis.call('SET', KEYS[1], string.format('%.0f %.0f %.0f', level, unit, since), 'PX', string.format('%.0f', math.ceil(reset / 1000) + 1))
end
return {allowed, level, retry, reset, now}`
)

var (
	// leaking is the GCRA. Its level is what I.371 calls X, and its time is LCT.
	leaking = newScript(limitHead + `level, since = math.max(0, level - (now - since) * drain), now
local allowed, retry, after = 1, 0, level + cost
if after > full then
	allowed, retry = 0, math.ceil((after - full) / drain)
elseif ARGV[4] == '1' then
	level = after
end
local reset = math.ceil(level / drain)` + limitTail)

	// windowed counts in a window, whose length takes the place of the drain.
	windowed = newScript(limitHead + `if now - since >= drain then level, since = 0, now end
local allowed, retry = 1, 0
if level + cost > full then
	allowed, retry = 0, since + drain - now
elseif ARGV[4] == '1' then
	level = level + cost
end
local reset = 0
if level > 0 then reset = since + drain - now end` + limitTail)
)

var (
	opAllow  = operation[Decision]{name: "allow"}
	opAllowN = operation[Decision]{name: "allow n"}
	opWait   = operation[Decision]{name: "wait"}
	opWaitN  = operation[Decision]{name: "wait n"}
	opPeek   = operation[Decision]{name: "peek"}
	opReset  = operation[bool]{"reset", replyBool}
)

func (r LimiterRef) limiter() *limiter { return r.at.m.bound.(*limiter) }

//nest:ttl restarts
func (r LimiterRef) decide(op *operation[Decision], n int64, take bool) command[Decision] {
	l := r.limiter()
	switch {
	case n < 0:
		return refuse(op, because(ErrArgument, "a number of events is not negative"))
	case n > l.burst:
		return refuse(op, because(ErrArgument, "more events at once than the limiter ever allows ("+strconv.FormatInt(l.burst, 10)+")"))
	}
	s := leaking
	if l.window {
		s = windowed
	}
	c := command[Decision]{op: op, keyed: l.decision, cmd: s.command(r.at.b(), []string{r.at.key},
		millis(l.unit), millis(l.burst*l.unit), millis(n*l.unit), bit(take), millis(l.drain))}
	switch r.at.m.def.config.whenDown {
	case AllowAll:
		c.down = func() (Decision, error) {
			return Decision{Allowed: true, Limit: l.burst, Remaining: l.burst, ResetAt: time.Now()}, nil
		}
	case AllowLocal:
		limits, key := &r.at.m.tree.limits, r.at.key
		c.down = func() (Decision, error) { return l.locally(limits, key, n, take), nil }
	}
	return c
}

// locally decides without Redis.
func (l *limiter) locally(limits *local.Limits, key string, n int64, take bool) Decision {
	now := time.Now()
	d := limits.Decide(local.Rate{Burst: l.burst, Unit: l.unit, Drain: l.drain, Window: l.window}, key, n, take, now)
	return Decision{
		Allowed: d.Allowed, Limit: l.burst, Remaining: d.Remaining,
		RetryAfter: micros(d.Retry), ResetAfter: micros(d.Reset), ResetAt: now.Add(micros(d.Reset)),
	}
}

// decision reads the reply of a script.
func (l *limiter) decision(_ context.Context, _ address, a rueidis.RedisMessage) (Decision, error) {
	n, err := a.AsIntSlice()
	if err != nil {
		return Decision{}, errAnswer
	}
	if len(n) == 1 && n[0] == 2 {
		return Decision{}, because(ErrDecode, "the key holds no limiter")
	}
	if len(n) != 5 {
		return Decision{}, errAnswer
	}
	return Decision{
		Allowed:    n[0] == 1,
		Limit:      l.burst,
		Remaining:  max(0, l.burst*l.unit-n[1]) / l.unit,
		RetryAfter: micros(n[2]),
		ResetAfter: micros(n[3]),
		ResetAt:    time.UnixMicro(n[4] + n[3]),
	}, nil
}

// micros returns n microseconds, or the longest Duration if they exceed it.
func micros(n int64) time.Duration { return longest(n, time.Microsecond) }

// Allow reports whether an event may happen now, and counts it if so (EVAL).
func (r LimiterRef) Allow(ctx context.Context) (Decision, error) {
	return call(ctx, r.at, r.allow)
}

func (r LimiterRef) allow() command[Decision] { return r.decide(&opAllow, 1, true) }

// AllowN reports whether n events may happen now, all of them or none, and counts them if so
// (EVAL). n = 0 is always allowed, and the decision says how many are left. The error wraps
// [ErrArgument] when n is negative, or more than the limiter ever allows at once.
func (r LimiterRef) AllowN(ctx context.Context, n int64) (Decision, error) {
	return call(ctx, r.at, func() command[Decision] { return r.allowN(n) })
}

func (r LimiterRef) allowN(n int64) command[Decision] { return r.decide(&opAllowN, n, true) }

// Peek returns what Allow would return, but counts nothing (GET and TIME in one script).
func (r LimiterRef) Peek(ctx context.Context) (Decision, error) {
	return call(ctx, r.at, r.peek)
}

//nest:ttl keeps
func (r LimiterRef) peek() command[Decision] { return r.decide(&opPeek, 1, false) }

// Reset forgets all events, and reports whether there were any (UNLINK, Redis 4.0).
func (r LimiterRef) Reset(ctx context.Context) (bool, error) { return call(ctx, r.at, r.reset) }

//nest:ttl removes
func (r LimiterRef) reset() command[bool] {
	return command[bool]{op: &opReset, cmd: r.at.b().Unlink().Key(r.at.key).Build()}
}

// Wait waits until an event may happen, and counts it; see [LimiterRef.WaitN] (EVAL).
func (r LimiterRef) Wait(ctx context.Context) (Decision, error) { return r.wait(ctx, &opWait, 1) }

// WaitN waits until n events may happen, all at once, and counts them (EVAL, once for each time
// that it has to wait). Goroutines of this process pass in the order in which they came, and only
// the first of them asks the server. There is no order among processes.
//
// If the deadline of ctx is before the events could happen, WaitN does not wait. The error then
// wraps [ErrLimited], and the decision says when to try again. If ctx ends while the limiter, or an
// earlier goroutine, makes WaitN wait, the error wraps ErrLimited and the context's error. Either
// way nothing is counted, and the error says when the events could have happened, unless others
// come first.
func (r LimiterRef) WaitN(ctx context.Context, n int64) (Decision, error) {
	return r.wait(ctx, &opWaitN, n)
}

func (r LimiterRef) wait(ctx context.Context, op *operation[Decision], n int64) (Decision, error) {
	if r.at.m == nil || !r.at.m.tree.observed() {
		d, _, err := r.waitTurn(ctx, op, n)
		return d, err
	}
	ctx, o := r.at.begin(ctx, Event{Op: op.name})
	defer o.end()
	d, from, err := r.waitTurn(ctx, op, n)
	o.ended(from, err)
	o.event.Degraded = err == nil && o.event.Degraded
	o.event.Refused = errors.Is(err, ErrLimited)
	return d, err
}

// waitTurn waits for the turn among the goroutines of this process, and then for the limiter.
func (r LimiterRef) waitTurn(ctx context.Context, op *operation[Decision], n int64) (Decision, provenance, error) {
	if err := r.at.ready(ctx, op.name); err != nil {
		return Decision{}, fromRedis, err
	}
	if err := ctx.Err(); err != nil {
		return Decision{}, fromRedis, r.at.fail(op.name, err)
	}
	leave, err := r.at.m.tree.turns.Take(ctx, r.at.key)
	if err == nil {
		defer leave()
		err = ctx.Err() // which may have ended just as the turn came
	}
	if err != nil {
		return Decision{}, fromRedis, r.at.fail(op.name, fmt.Errorf("%w: others of this process wait before it: %w", ErrLimited, err))
	}
	for {
		c := r.decide(op, n, true)
		d, from, err := deliver(ctx, r.at, &c)
		if err != nil || d.Allowed {
			return d, from, err
		}
		end := time.Now().Add(d.RetryAfter)
		if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
			return d, from, r.at.fail(op.name, fmt.Errorf("%w: to be allowed in %v, and the context's deadline is before that", ErrLimited, roundUp(d.RetryAfter)))
		}
		timer := time.NewTimer(d.RetryAfter)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return d, from, r.at.fail(op.name, fmt.Errorf("%w: to be allowed in %v: %w", ErrLimited, roundUp(max(time.Until(end), 0)), ctx.Err()))
		}
	}
}

// roundUp rounds d up to whole milliseconds, as a reader of an error wants to see it.
func roundUp(d time.Duration) time.Duration {
	if r := d.Round(time.Millisecond); r >= d {
		return r
	}
	return d.Truncate(time.Millisecond) + time.Millisecond
}
