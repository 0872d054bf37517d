package nest

import (
	"context"
	"math"
	"reflect"
	"strconv"

	"github.com/redis/rueidis"
)

// KindCounter is what [Counter] declares.
const KindCounter Kind = "counter"

// Number is every type that a [Counter] can count in.
type Number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 |
		~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 |
		~float32 | ~float64
}

// CounterDef declares a key that holds a number, as a Redis string.
type CounterDef[N Number] struct {
	Declaration
}

// Counter declares a key that holds a number, which is changed in place on the server. It is
// always stored in decimal, whatever the codec. A counter never leaves the range of N: what
// would is [ErrOverflow] and changes nothing. Redis counts in 64 bits with a sign, so a uint64
// ends at 2⁶³-1.
//
// A counter that does not exist stands at its [Default], or 0, when it is read. The default is
// not written: the first Add counts from 0.
//
// The template is that of [Key], and so is when Counter panics.
func Counter[N Number](template string, opts ...KeyOption) *CounterDef[N] {
	d := &CounterDef[N]{}
	where := caller()
	d.goType = reflect.TypeFor[N]().String()
	d.declare(d, KindCounter, "Counter["+d.goType+"]", template, where, applyKeyOptions(opts))
	var fallback N
	if d.config.hasDefault {
		var err error
		if fallback, err = fitDefault[N](d.config.def); err != nil {
			where.refuse("Counter["+d.goType+"]", template, err)
		}
	}
	d.bind = func(*mounted) (any, error) { return bindCounter(fallback), nil }
	return d
}

// At gives the reference of the counter below s, as [KeyDef.At] does.
func (d *CounterDef[N]) At(s Scope, args ...any) CounterRef[N] {
	if d == nil {
		return CounterRef[N]{nilRef(s)}
	}
	return CounterRef[N]{d.ref(&s, args)}
}

// CounterRef is one counter, with all its parameters filled in.
//
// Add and its like start the declared TTL when the counter is new and let a running one go on;
// with AutoRenew they restart it.
type CounterRef[N Number] struct {
	Ref
}

func (r CounterRef[N]) counter() *counter[N] { return r.at.m.bound.(*counter[N]) }

func (r CounterRef[N]) get() command[N] {
	return command[N]{op: &r.counter().get, cmd: r.at.fetch(), cacheable: true}
}

// Get gives the number, else the declared default, else 0 (GET, or GETEX with AutoRenew). What
// is stored and no N is [ErrDecode].
func (r CounterRef[N]) Get(ctx context.Context) (N, error) { return call(ctx, r.at, r.get) }

func (r CounterRef[N]) lookup() command[found[N]] {
	return command[found[N]]{op: &r.counter().lookup, cmd: r.at.fetch(), cacheable: true}
}

// Lookup gives the number and whether the counter exists, without the default (GET, or GETEX
// with AutoRenew).
func (r CounterRef[N]) Lookup(ctx context.Context) (N, bool, error) {
	return both(call(ctx, r.at, r.lookup))
}

func (r CounterRef[N]) incr() command[N] { return r.change(&r.counter().incr, 1, false) }

// Incr adds 1 and gives the new number (INCRBY, or INCRBYFLOAT).
func (r CounterRef[N]) Incr(ctx context.Context) (N, error) { return call(ctx, r.at, r.incr) }

func (r CounterRef[N]) decr() command[N] { return r.change(&r.counter().decr, 1, true) }

// Decr takes 1 away and gives the new number (DECRBY, or INCRBYFLOAT). An unsigned counter does
// not go below 0: that is [ErrOverflow].
func (r CounterRef[N]) Decr(ctx context.Context) (N, error) { return call(ctx, r.at, r.decr) }

func (r CounterRef[N]) add(n N) command[N] { return r.change(&r.counter().add, n, false) }

// Add adds n, which may be negative, and gives the new number (INCRBY, or INCRBYFLOAT). A float
// that is not finite is [ErrArgument].
func (r CounterRef[N]) Add(ctx context.Context, n N) (N, error) {
	return call(ctx, r.at, func() command[N] { return r.add(n) })
}

func (r CounterRef[N]) sub(n N) command[N] { return r.change(&r.counter().sub, n, true) }

// Sub takes n away and gives the new number (DECRBY, or INCRBYFLOAT). An unsigned counter does
// not go below 0: that is [ErrOverflow].
func (r CounterRef[N]) Sub(ctx context.Context, n N) (N, error) {
	return call(ctx, r.at, func() command[N] { return r.sub(n) })
}

// Set writes the number and starts the declared TTL (SET). With [KeepTTL] the running one goes
// on, with [ExpireIn], [ExpireUntil] and [NoExpiry] the caller decides.
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

// Reset removes the counter, so that it stands at its default or 0 again, and gives what Get
// would have given (GETDEL, Redis 6.2). No other client's Add is lost between the two. The
// counter is gone even when what it held is no N.
func (r CounterRef[N]) Reset(ctx context.Context) (N, error) { return call(ctx, r.at, r.reset) }

// SetIfAbsent writes the number only when the counter does not exist, and tells whether it did
// (SET NX): a counter that is to start somewhere else than at 0 is set so before it is added to.
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

// Swap writes the number, starts the declared TTL and gives the one that was there before (SET
// GET, Redis 6.2). The write stands even when what was there is no N.
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

// Rename gives the number, with its remaining TTL, to another counter, as [KeyRef.Rename] does
// (RENAMENX or RENAME).
func (r CounterRef[N]) Rename(ctx context.Context, to CounterRef[N], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opRename, to.at, opts) })
}

// Copy writes the number, with its remaining TTL, to another counter too, as [KeyRef.Copy] does
// (COPY, Redis 6.2).
func (r CounterRef[N]) Copy(ctx context.Context, to CounterRef[N], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opCopy, to.at, opts) })
}

// change adds n to the counter, or takes it away.
//
//nest:ttl starts
func (r CounterRef[N]) change(op *operation[N], n N, takes bool) command[N] {
	c := r.counter()
	err := c.check(n)
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
	if r.at.m.settings.ttl == 0 && !c.mayLeave(n, takes) {
		return command[N]{op: op, cmd: r.at.b().Arbitrary(name).Keys(r.at.key).Args(text).Build()}
	}
	renew := "0"
	if r.at.m.settings.autoRenew {
		renew = "1"
	}
	return command[N]{op: op, cmd: counting.command(r.at.b(), []string{r.at.key}, millis(r.at.m.ttl()), renew, c.min, c.max, name, text)}
}

// counting changes a number, puts it back if the result leaves the range, and sets the expiry
// in the same step. Lua's numbers are doubles: whole numbers that they cannot hold are read
// as text, and the range of 64 bits is the server's own to check. (The embedded server's Lua
// reads long numbers only with a point in them.)
var counting = newScript(`local ttl, renew, command, by = ARGV[1], ARGV[2], ARGV[5], ARGV[6]
local before = redis.call('GET', KEYS[1])
local reply = redis.call(command, KEYS[1], by)
local now = tonumber(reply) or tonumber(reply .. '.0') or 1/0
if now < tonumber(ARGV[3]) or now > tonumber(ARGV[4]) then
	if before then redis.call('SET', KEYS[1], before, 'KEEPTTL') else redis.call('DEL', KEYS[1]) end
	return redis.error_reply('ERR increment or decrement would overflow')
end
if ttl ~= '0' and (renew == '1' or redis.call('PTTL', KEYS[1]) == -1) then redis.call('PEXPIRE', KEYS[1], ttl) end
if now >= 9007199254740992 or now <= -9007199254740992 then return redis.call('GET', KEYS[1]) end
return reply`)

// counter is what Open prepares for a key that counts in N: its range and default, and the
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

// check tells why the server cannot count with n.
func (c *counter[N]) check(n N) error {
	switch {
	case c.float && (math.IsNaN(float64(n)) || math.IsInf(float64(n), 0)):
		return because(ErrArgument, "the number is not finite")
	case c.unsigned && uint64(n) > math.MaxInt64:
		return because(ErrOverflow, "Redis counts up to 2^63-1")
	}
	return nil
}

// mayLeave tells whether adding n can lead out of the range of N without the server noticing:
// its own limits are those of an int64 and of a C long double. No float comes near its limit
// by steps this small.
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

// parse reads a number. Its errors do not hold what is stored.
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
		return 0, because(ErrDecode, "not "+article(reflect.TypeFor[N]().String())+" in decimal")
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
		return 0, because(ErrDecode, "not "+article(reflect.TypeFor[N]().String()))
	}
	text, err := a.ToString()
	if err != nil {
		return 0, errAnswer
	}
	return c.parse(text)
}

// replyCounter reads a number or nil, for which the default stands.
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
