package nest

import (
	"context"
	"math"
	"reflect"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// Number is the constraint for the types of numbers that a [Counter] can hold.
type Number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 |
		~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 |
		~float32 | ~float64
}

// CounterDef declares a key that holds a number, as a Redis string.
type CounterDef[N Number] struct {
	Declaration
}

// Counter declares a key that holds a number, which the server changes in place. The number is
// always stored in decimal, whatever the codec. A counter never leaves the range of N: an operation
// that would make it do so changes nothing, and its error wraps [ErrOverflow]. Redis counts in
// signed 64-bit integers, so the maximum of a uint64 is 2⁶³-1. The server rounds a float to 17
// digits after the decimal point whenever it changes it in place: 3e-20 plus 1e-20 is 0, and is
// stored as 0. Count such small numbers in a smaller unit, or write them with Set.
//
// A counter that does not exist reads as its [Default], or 0. The default is not written: the first
// Add counts from 0.
//
// The template is that of [Key]. Counter panics in the cases in which Key does.
func Counter[N Number](template string, opts ...KeyOption) *CounterDef[N] {
	d := &CounterDef[N]{}
	where := caller()
	constructor := d.declareFor(reflect.TypeFor[N](), d, KindCounter, "Counter", template, where, opts)
	var fallback N
	if d.config.hasDefault {
		var err error
		if fallback, err = fitDefault[N](d.config.def()); err != nil {
			where.refuse(constructor, template, err)
		}
	}
	d.bind = func(*mounted) (any, error) { return bindCounter(fallback), nil }
	return d
}

// At returns a reference to the counter below s. See [KeyDef.At] for args.
func (d *CounterDef[N]) At(s Scope, args ...any) CounterRef[N] {
	if d == nil {
		return CounterRef[N]{nilRef(s)}
	}
	return CounterRef[N]{d.ref(&s, args)}
}

// CounterRef is one counter, with all its parameters filled in.
//
// Add and similar methods start the declared TTL if the counter is new, and otherwise leave it
// running. With AutoRenew they restart it.
type CounterRef[N Number] struct {
	Ref
}

func (r CounterRef[N]) counter() *counter[N] { return r.at.m.bound.(*counter[N]) }

func (r CounterRef[N]) get() command[N] {
	return command[N]{op: &r.counter().get, cmd: r.at.fetch(), cacheable: true}
}

// Get returns the number or, if the counter does not exist, the declared default or 0 (GET, or
// GETEX with AutoRenew). If what is stored is not an N, the error wraps [ErrDecode].
func (r CounterRef[N]) Get(ctx context.Context) (N, error) { return call(ctx, r.at, r.get) }

func (r CounterRef[N]) lookup() command[found[N]] {
	return command[found[N]]{op: &r.counter().lookup, cmd: r.at.fetch(), cacheable: true}
}

// Lookup returns the number and reports whether the counter exists. It ignores the default (GET, or
// GETEX with AutoRenew).
func (r CounterRef[N]) Lookup(ctx context.Context) (N, bool, error) {
	return both(call(ctx, r.at, r.lookup))
}

func (r CounterRef[N]) incr(opts []CounterOption) command[N] {
	return r.change(&r.counter().incr, 1, false, opts)
}

// Incr adds 1 and returns the new number (INCRBY, or INCRBYFLOAT).
func (r CounterRef[N]) Incr(ctx context.Context, opts ...CounterOption) (N, error) {
	return call(ctx, r.at, func() command[N] { return r.incr(opts) })
}

func (r CounterRef[N]) decr(opts []CounterOption) command[N] {
	return r.change(&r.counter().decr, 1, true, opts)
}

// Decr subtracts 1 and returns the new number (DECRBY, or INCRBYFLOAT). If an unsigned counter
// would go below 0, the error wraps [ErrOverflow].
func (r CounterRef[N]) Decr(ctx context.Context, opts ...CounterOption) (N, error) {
	return call(ctx, r.at, func() command[N] { return r.decr(opts) })
}

func (r CounterRef[N]) add(n N, opts []CounterOption) command[N] {
	return r.change(&r.counter().add, n, false, opts)
}

// Add adds n, which may be negative, and returns the new number (INCRBY, or INCRBYFLOAT). If n is a
// float that is not finite, the error wraps [ErrArgument].
func (r CounterRef[N]) Add(ctx context.Context, n N, opts ...CounterOption) (N, error) {
	return call(ctx, r.at, func() command[N] { return r.add(n, opts) })
}

func (r CounterRef[N]) sub(n N, opts []CounterOption) command[N] {
	return r.change(&r.counter().sub, n, true, opts)
}

// Sub subtracts n and returns the new number (DECRBY, or INCRBYFLOAT). If an unsigned counter would
// go below 0, the error wraps [ErrOverflow].
func (r CounterRef[N]) Sub(ctx context.Context, n N, opts ...CounterOption) (N, error) {
	return call(ctx, r.at, func() command[N] { return r.sub(n, opts) })
}

// Set writes the number and starts the declared TTL (SET). With [KeepTTL] the running TTL
// continues; with [ExpireIn], [ExpireUntil] and [NoExpiry] the caller decides.
func (r CounterRef[N]) Set(ctx context.Context, n N, opts ...SetOption) error {
	_, err := call(ctx, r.at, func() command[struct{}] { return r.set(n, opts) })
	return err
}

func (r CounterRef[N]) set(n N, opts []SetOption) command[struct{}] {
	c := r.counter()
	if err := c.check(n); err != nil {
		return refuse(&opSet, err)
	}
	return r.at.put(c.text(n), opts)
}

//nest:ttl removes
func (r CounterRef[N]) reset() command[N] {
	return command[N]{op: &r.counter().reset, cmd: r.at.b().Getdel().Key(r.at.key).Build()}
}

// Reset removes the counter, so that it reads as its default or 0 again, and returns what Get would
// have returned (GETDEL, Redis 6.2). No other client's Add is lost between the two. The counter is
// removed even if what it held is not an N.
func (r CounterRef[N]) Reset(ctx context.Context) (N, error) { return call(ctx, r.at, r.reset) }

// SetIfAbsent writes the number only if the counter does not exist, and reports whether it did (SET
// NX). Call it before the first Add of a counter that should not start at 0.
func (r CounterRef[N]) SetIfAbsent(ctx context.Context, n N, opts ...SetOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.setIfAbsent(n, opts) })
}

func (r CounterRef[N]) setIfAbsent(n N, opts []SetOption) command[bool] {
	c := r.counter()
	if err := c.check(n); err != nil {
		return refuse(&opSetIfAbsent, err)
	}
	return r.at.putIf(&opSetIfAbsent, "NX", c.text(n), opts)
}

// Swap writes the number, starts the declared TTL and returns the previous number, if there was one
// (SET GET, Redis 6.2). The number is written even if what was there is not an N.
func (r CounterRef[N]) Swap(ctx context.Context, n N) (old N, existed bool, err error) {
	return both(call(ctx, r.at, func() command[found[N]] { return r.swap(n) }))
}

func (r CounterRef[N]) swap(n N) command[found[N]] {
	c := r.counter()
	if err := c.check(n); err != nil {
		return refuse(&c.swap, err)
	}
	return command[found[N]]{op: &c.swap, cmd: r.at.exchange(c.text(n))}
}

// Rename moves the number, with its remaining TTL, to another counter, as [KeyRef.Rename] does
// (RENAMENX or RENAME).
func (r CounterRef[N]) Rename(ctx context.Context, to CounterRef[N], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opRename, to.at, opts) })
}

// Copy copies the number, with its remaining TTL, to another counter, as [KeyRef.Copy] does (COPY,
// Redis 6.2).
func (r CounterRef[N]) Copy(ctx context.Context, to CounterRef[N], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opCopy, to.at, opts) })
}

// change adds n to the counter, or subtracts it if takes is true.
//
//nest:ttl starts
func (r CounterRef[N]) change(op *operation[N], n N, takes bool, opts []CounterOption) command[N] {
	c := r.counter()
	err := c.check(n)
	var o counterOptions
	if err == nil && len(opts) > 0 {
		o, err = counterOptionsOf(opts)
	}
	if err == nil && takes && !c.float && !c.unsigned && int64(n) == math.MinInt64 {
		err = because(ErrOverflow, "Redis cannot take away -2^63")
	}
	if err != nil {
		return refuse(op, err)
	}
	name, text := "INCRBY", c.text(n)
	switch {
	case c.float:
		name = "INCRBYFLOAT"
		if takes {
			text = c.text(-n)
		}
	case takes:
		name = "DECRBY"
	}
	leaves := c.mayLeave(n, takes)
	if r.at.m.settings.ttl == 0 && !leaves {
		return command[N]{op: op, cmd: o.apply(r.at, r.at.b().Arbitrary(name).Keys(r.at.key).Args(text).Build())}
	}
	return command[N]{op: op, cmd: o.apply(r.at, counting.command(r.at.b(), []string{r.at.key},
		millis(r.at.m.ttl()), bit(r.at.m.settings.autoRenew), c.min, c.max, name, text, bit(leaves)))}
}

// CounterOption is an option of [CounterRef.Incr], [CounterRef.Decr], [CounterRef.Add] and
// [CounterRef.Sub].
type CounterOption interface {
	applyCounter(o *counterOptions) error
}

type counterOptions struct{ ifExists bool }

func counterOptionsOf(opts []CounterOption) (o counterOptions, err error) {
	err = eachOption(opts, func(opt CounterOption) error { return opt.applyCounter(&o) })
	return o, err
}

func (o counterOptions) apply(r address, cmd rueidis.Completed) rueidis.Completed {
	if o.ifExists {
		return r.ifExists(cmd)
	}
	return cmd
}

// counting changes a number, restores it if the result leaves the range, and sets the expiry in the
// same step. ARGV[7] says whether the result may leave the range. Lua's numbers are doubles:
// integers that they cannot hold are read as text, and the server itself checks the range of 64
// bits. (The embedded server's Lua reads long numbers only if they contain a point.)
var counting = newScript(starts + `local ttl, command, by = ARGV[1], ARGV[5], ARGV[6]
local before, start, denied = redis.call('GET', KEYS[1]), starts(KEYS[1], ttl, ARGV[2] == '1')
if ARGV[7] == '1' and not denied then
	if before then denied = lacks('SET', KEYS[1], before, 'KEEPTTL') else denied = lacks('DEL', KEYS[1]) end
end
if denied then return denied end
local reply = redis.call(command, KEYS[1], by)
local now = tonumber(reply) or tonumber(reply .. '.0') or 1/0
if now < tonumber(ARGV[3]) or now > tonumber(ARGV[4]) then
	if before then redis.call('SET', KEYS[1], before, 'KEEPTTL') else redis.call('DEL', KEYS[1]) end
	return redis.error_reply('ERR increment or decrement would overflow')
end
if start then redis.call('PEXPIRE', KEYS[1], ttl) end
if now >= 9007199254740992 or now <= -9007199254740992 then return redis.call('GET', KEYS[1]) end
return reply`)

// counter is what Open prepares for a key that holds an N: its range and default, and the
// operations whose results are Ns.
type counter[N Number] struct {
	float, unsigned bool
	bits            int
	min, max        string // as Lua reads them
	fallback        N

	get, incr, decr, add, sub, reset operation[N]
	lookup, swap                     operation[found[N]]
}

func bindCounter[N Number](fallback N) *counter[N] {
	t := reflect.TypeFor[N]()
	c := &counter[N]{
		bits:     t.Bits(),
		fallback: fallback,
		get:      operation[N]{"get", replyCounter[N]},
		incr:     operation[N]{"incr", replyCount[N]},
		decr:     operation[N]{"decr", replyCount[N]},
		add:      operation[N]{"add", replyCount[N]},
		sub:      operation[N]{"sub", replyCount[N]},
		reset:    operation[N]{"reset", replyCounter[N]},
		lookup:   operation[found[N]]{"lookup", replyFoundCount[N]},
		swap:     operation[found[N]]{"swap", replyFoundCount[N]},
	}
	switch kind := t.Kind(); {
	case kind == reflect.Float32:
		c.float, c.min, c.max = true, "-3.4028234663852886e38", "3.4028234663852886e38"
	case kind == reflect.Float64:
		c.float, c.min, c.max = true, "-1.7976931348623157e308", "1.7976931348623157e308"
	case kind >= reflect.Uint:
		c.unsigned, c.min, c.max = true, "0", strconv.FormatUint(math.MaxUint64>>(64-c.bits), 10)
	default:
		c.min, c.max = strconv.FormatInt(math.MinInt64>>(64-c.bits), 10), strconv.FormatInt(math.MaxInt64>>(64-c.bits), 10)
	}
	return c
}

// check returns an error if the server cannot count with n.
func (c *counter[N]) check(n N) error {
	switch {
	case c.float && (math.IsNaN(float64(n)) || math.IsInf(float64(n), 0)):
		return because(ErrArgument, "the number is not finite")
	case c.unsigned && uint64(n) > math.MaxInt64:
		return because(ErrOverflow, "Redis counts up to 2^63-1")
	}
	return nil
}

// mayLeave reports whether adding n can leave the range of N without the server noticing. The
// server's own limits are those of an int64 and of a C long double. A float does not come near its
// limit in steps smaller than the bounds below.
func (c *counter[N]) mayLeave(n N, takes bool) bool {
	switch {
	case c.float && c.bits == 32:
		return math.Abs(float64(n)) > 1e24
	case c.float:
		return math.Abs(float64(n)) > 1e280
	case c.unsigned:
		return takes || c.bits < 64
	}
	return c.bits < 64
}

func (c *counter[N]) text(n N) string {
	switch {
	case c.float:
		return strconv.FormatFloat(float64(n), 'g', -1, c.bits)
	case c.unsigned:
		return strconv.FormatUint(uint64(n), 10)
	}
	return strconv.FormatInt(int64(n), 10)
}

// parse parses a number. Its errors do not contain what is stored.
func (c *counter[N]) parse(text string) (N, error) {
	var n N
	var err error
	switch {
	case c.float:
		var f float64
		if f, err = strconv.ParseFloat(text, c.bits); err == nil {
			err = c.check(N(f))
		}
		n = N(f)
	case c.unsigned:
		var u uint64
		u, err = strconv.ParseUint(text, 10, c.bits)
		n = N(u)
	default:
		var i int64
		i, err = strconv.ParseInt(text, 10, c.bits)
		n = N(i)
	}
	if err != nil {
		return 0, because(ErrDecode, "not "+names.Article(reflect.TypeFor[N]().String())+" in decimal")
	}
	return n, nil
}

// replyCount reads a number, which comes as an integer or as text.
func replyCount[N Number](m *mounted, a rueidis.RedisMessage) (N, error) {
	c := m.bound.(*counter[N])
	if a.IsInt64() {
		i, err := a.AsInt64()
		if n := N(i); err == nil && int64(n) == i && (i >= 0 || !c.unsigned) {
			return n, nil
		}
		return 0, because(ErrDecode, "not "+names.Article(reflect.TypeFor[N]().String()))
	}
	text, err := a.ToString()
	if err != nil {
		return 0, errAnswer
	}
	return c.parse(text)
}

// replyCounter reads a number, or nil, which stands for the default.
func replyCounter[N Number](m *mounted, a rueidis.RedisMessage) (N, error) {
	if a.IsNil() {
		return m.bound.(*counter[N]).fallback, nil
	}
	return replyCount[N](m, a)
}

func replyFoundCount[N Number](m *mounted, a rueidis.RedisMessage) (found[N], error) {
	if a.IsNil() {
		return found[N]{}, nil
	}
	n, err := replyCount[N](m, a)
	return found[N]{n, err == nil}, err
}
