package nest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// KindLimiter is what [Limiter] declares.
const KindLimiter Kind = "limiter"

// ErrLimited tells that the context ends before the limiter would let the events pass.
var ErrLimited = errors.New("rate limited")

// LimiterDef declares a limit on how often something may happen.
type LimiterDef struct {
	Declaration
}

// Limiter declares a limit on how many events may happen in a time, counted on the server for all
// processes together. It needs a [Rate]:
//
//	Requests = nest.Limiter("requests:<ip>", nest.Rate(100, time.Minute), nest.Burst(20))
//
//	d, err := Requests.At(root, ip).Allow(ctx)
//	if err == nil && !d.Allowed {
//		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(d.RetryAfter.Seconds()))))
//	}
//
// By default it is a GCRA, the generic cell rate algorithm of ITU-T Recommendation I.371 in its
// form as a continuous-state leaky bucket: a full burst may come at once, and room for one event
// more comes back each period/n. In any time d no more than burst + n×d/period events pass. With
// [FixedWindow] it counts the events of a window instead, which begins with the first of them.
//
// Each question is one atomic step on the server (EVAL) by the server's own clock (TIME), in
// whole microseconds and whole numbers, without rounding. A clock that is set back lets nothing
// pass that would not have passed before. What is denied costs nothing and changes nothing.
//
// In Redis it is a string, which expires when it would say no more than a missing one: after the
// time that it takes to become idle, which is what [Ref.DeclaredTTL] tells. It has no TTL of its
// own to be declared, and the settings that it inherits have no effect on it. When the rate is
// changed, what was counted so far is kept.
//
// Limiter panics, with the file and line of the call, on a malformed template or option, without
// a Rate, and on one that is too fine to be counted exactly.
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

// At gives the reference of the limiter below s; what args are, [KeyDef.At] tells.
func (d *LimiterDef) At(s Scope, args ...any) LimiterRef {
	if d == nil {
		return LimiterRef{nilRef(s)}
	}
	return LimiterRef{d.ref(&s, args)}
}

// rate is what the options of a limiter say.
type rate struct {
	n      int64
	period time.Duration
	burst  int64 // 0: n
	window bool
}

// Rate lets n events happen in each period, as an option of [Limiter]. n is at least 1, the
// period a whole number of microseconds.
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

// Burst is how many events may happen at once after a time without any, as an option of
// [Limiter]. The default is the n of its [Rate]; Burst(1) spaces all events evenly.
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

// FixedWindow makes a [Limiter] count the events of a window: the first one opens it, and all
// are forgotten when its period is over. It says how many are left until a fixed time, which is
// what a quota is; around the end of a window, though, twice as many can pass in one period. It
// excludes [Burst].
func FixedWindow() KeyOption {
	return keyOption(func(c *config) error {
		c.onlyFor("FixedWindow", KindLimiter)
		c.rate.window = true
		return nil
	})
}

// limiter is a rate in the units that the server counts in. An event adds unit to the level of
// the bucket, which holds burst of them and loses drain in each microsecond. With unit/drain =
// period/n in lowest terms, all of them are whole numbers.
type limiter struct {
	rate
	unit, drain int64
}

// exact is how far a whole number is exact in Lua, with a bit left for one addition.
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

// divisor is the greatest common one.
func divisor(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// longest is how long a full bucket takes to be empty, or how long a window lasts, with what
// rounding adds: the longest that the key lives.
func (l *limiter) longest() time.Duration {
	micros := l.period.Microseconds()
	if !l.window {
		micros = (l.burst*l.unit + l.drain - 1) / l.drain
	}
	ms := min((micros+999)/1000+1, math.MaxInt64/int64(time.Millisecond))
	return time.Duration(ms * int64(time.Millisecond))
}

// String tells the rate to those who read a description.
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

// Decision is what a limiter says.
type Decision struct {
	// Allowed tells whether the events may happen. If so, they were counted.
	Allowed bool
	// Limit is how many events may happen at once: the burst, or the number of a window.
	Limit int64
	// Remaining is how many more may happen now.
	Remaining int64
	// RetryAfter is when the events that were denied would be allowed, if no others happen
	// before; 0 when they were allowed.
	RetryAfter time.Duration
	// ResetAfter is when the limiter would have forgotten all events, if no others happen:
	// when Remaining is Limit again.
	ResetAfter time.Duration
	// ResetAt is that moment on the server's clock.
	ResetAt time.Time
}

// What a limiter holds: the level, the unit that it counts in, and the time in microseconds at
// which that was the level, or at which the window began. The unit tells how many events the level
// is, also to a process that counts in another one. ARGV: the unit, the capacity, what the events
// add, 1 to add it, then what drains in a microsecond or how long a window is.
// The answer: what came of it, the level, and the times to retry and to reset, and now.
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
	level, since = l, math.min(s, now)
end
`
	limitTail = `
if allowed == 1 and cost > 0 and ARGV[4] == '1' then
	redis.call('SET', KEYS[1], string.format('%.0f %.0f %.0f', level, unit, since), 'PX', string.format('%.0f', math.ceil(reset / 1000) + 1))
end
return {allowed, level, retry, reset, now}`
)

var (
	// leaking is the GCRA: the level is what I.371 calls X, the time LCT.
	leaking = newScript(limitHead + `level, since = math.max(0, level - (now - since) * drain), now
local allowed, retry, after = 1, 0, level + cost
if after > full then
	allowed, retry = 0, math.ceil((after - full) / drain)
elseif ARGV[4] == '1' then
	level = after
end
local reset = math.ceil(level / drain)` + limitTail)

	// windowed counts in a window, whose length stands in the place of the drain.
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
	s, taken := leaking, "0"
	if l.window {
		s = windowed
	}
	if take {
		taken = "1"
	}
	return command[Decision]{op: op, keyed: l.decision, cmd: s.command(r.at.b(), []string{r.at.key},
		millis(l.unit), millis(l.burst*l.unit), millis(n*l.unit), taken, millis(l.drain))}
}

// decision reads the answer of a script.
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

// micros is a time in microseconds, or the longest that there is.
func micros(n int64) time.Duration {
	if n > math.MaxInt64/int64(time.Microsecond) {
		return math.MaxInt64
	}
	return time.Duration(n) * time.Microsecond
}

// Allow asks whether an event may happen now, and counts it if so (EVAL).
func (r LimiterRef) Allow(ctx context.Context) (Decision, error) {
	return call(ctx, r.at, r.allow)
}

func (r LimiterRef) allow() command[Decision] { return r.decide(&opAllow, 1, true) }

// AllowN asks whether n events may happen now, all of them or none, and counts them if so (EVAL).
// n = 0 is allowed always, and tells what is left. The error wraps [ErrArgument] when n is
// negative, or more than the limiter ever allows at once.
func (r LimiterRef) AllowN(ctx context.Context, n int64) (Decision, error) {
	return call(ctx, r.at, func() command[Decision] { return r.allowN(n) })
}

func (r LimiterRef) allowN(n int64) command[Decision] { return r.decide(&opAllowN, n, true) }

// Peek tells what Allow would, and counts nothing (EVAL).
func (r LimiterRef) Peek(ctx context.Context) (Decision, error) {
	return call(ctx, r.at, r.peek)
}

//nest:ttl keeps
func (r LimiterRef) peek() command[Decision] { return r.decide(&opPeek, 1, false) }

// Reset forgets all events, and tells whether there were any (UNLINK).
func (r LimiterRef) Reset(ctx context.Context) (bool, error) { return call(ctx, r.at, r.reset) }

//nest:ttl removes
func (r LimiterRef) reset() command[bool] {
	return command[bool]{op: &opReset, cmd: r.at.b().Unlink().Key(r.at.key).Build()}
}

// Wait waits until an event may happen, and counts it; see [LimiterRef.WaitN] (EVAL).
func (r LimiterRef) Wait(ctx context.Context) (Decision, error) { return r.wait(ctx, &opWait, 1) }

// WaitN waits until n events may happen, all at once, and counts them (EVAL, once for each time
// that it has to wait). Goroutines of this process pass in the order in which they came, and of
// them only the first asks the server; processes pass as they come.
//
// When ctx has a deadline before the events could happen, WaitN does not wait for it: the error
// wraps [ErrLimited], and the decision tells when to come again. When ctx ends while the limiter,
// or a goroutine that came before, makes it wait, the error wraps ErrLimited and the context's
// error. Either way nothing is counted, and the error says when the events could have happened,
// unless others stand before them.
func (r LimiterRef) WaitN(ctx context.Context, n int64) (Decision, error) {
	return r.wait(ctx, &opWaitN, n)
}

func (r LimiterRef) wait(ctx context.Context, op *operation[Decision], n int64) (Decision, error) {
	return watched(ctx, r.at, op.name, func() (Decision, error) {
		if err := r.at.ready(ctx, op.name); err != nil {
			return Decision{}, err
		}
		if err := ctx.Err(); err != nil {
			return Decision{}, r.at.fail(op.name, err)
		}
		leave, err := r.at.m.tree.turns.take(ctx, r.at.key)
		if err == nil {
			defer leave()
			err = ctx.Err() // which has ended just as its turn came
		}
		if err != nil {
			return Decision{}, r.at.fail(op.name, fmt.Errorf("%w: others of this process wait before it: %w", ErrLimited, err))
		}
		for {
			d, err := send(ctx, r.at, r.decide(op, n, true))
			if err != nil || d.Allowed {
				return d, err
			}
			end := time.Now().Add(d.RetryAfter)
			if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
				return d, r.at.fail(op.name, fmt.Errorf("%w: to be allowed in %v, and the context's deadline is before that", ErrLimited, roundUp(d.RetryAfter)))
			}
			timer := time.NewTimer(d.RetryAfter)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return d, r.at.fail(op.name, fmt.Errorf("%w: to be allowed in %v: %w", ErrLimited, roundUp(max(time.Until(end), 0)), ctx.Err()))
			}
		}
	})
}

// roundUp leaves of a time what somebody who waits wants to know.
func roundUp(d time.Duration) time.Duration {
	if r := d.Round(time.Millisecond); r >= d {
		return r
	}
	return d.Truncate(time.Millisecond) + time.Millisecond
}
