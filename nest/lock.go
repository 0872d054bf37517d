package nest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// KindLock is what [Lock] declares.
const KindLock Kind = "lock"

// The errors of locks, for errors.Is.
var (
	// ErrLockLost: the lease has ended before it was released, because it could not be extended
	// in time or the lock was released by force. Somebody else may hold the lock.
	ErrLockLost = errors.New("the lock is lost")
	// ErrLockReleased: the lease was released.
	ErrLockReleased = errors.New("the lock is released")
)

// minLease is the shortest lease: below it the round trips are most of the time.
const minLease = 20 * time.Millisecond

// LockDef declares a lock.
type LockDef struct {
	Declaration
}

// Lock declares a lock that one holder at a time can have, in this process and all others. Its
// TTL, declared or inherited, is the lease: how long the holder has it without extending it, and
// so how long a holder that dies keeps the others waiting. It is at least 20 ms; [Open] refuses a
// lock without one. A holder that lives extends its lease in the background.
//
//	Import = nest.Lock("import:<source>", nest.TTL(30))
//
//	err := Import.At(root, "crm").Run(ctx, func(ctx context.Context, lease *nest.Lease) error {
//		return importAll(ctx) // ctx ends when the lock is lost
//	})
//
// # What it promises
//
// As long as one Redis server keeps what it was told, two leases of a lock never stand at the
// same time: a holder counts its lease from before it sent the command, on clocks of its own,
// less a hundredth of it and 2 ms for the drift between clocks (the allowance of Redis' Redlock),
// and so ends it before the server does, however long it was paused. What a holder has begun
// meanwhile, though, and what goes on without looking at the lease, is not undone. For that there
// is [Lease.Guard], which makes writes to Redis depend on the lease in the same atomic step, and
// [Lease.Token], which other systems can compare: of two holders the later has the greater one.
//
// What a lock on one Redis cannot promise: replication is asynchronous, so a replica that is
// promoted may not know of a lock, or of its extension, that the old primary granted; a server
// that restarts without having stored everything (appendfsync always), that is set back to a
// snapshot, or that evicts keys with a TTL under a maxmemory-policy, forgets locks; and one whose
// clock jumps ahead ends leases early. In each case two holders can be there for as long as a
// lease, and what they write under Guard, on that server, is still that of the newer one alone.
//
// # In Redis
//
// A string that tells the holder, beside two others in its slot whose names no declaration can
// have: the last token, which stays for a day, and a list, which wakes one who waits.
//
// Lock panics, with the file and line of the call, on a malformed template or option. Settings
// that it inherits, the TTL excepted, have no effect on it.
func Lock(template string, opts ...KeyOption) *LockDef {
	d := &LockDef{}
	where := caller()
	d.declare(d, KindLock, "Lock", template, where, applyKeyOptions(opts))
	err := d.config.onlyTimed("a lock")
	if err == nil && d.config.set&hasTTL != 0 {
		err = checkLease(d.config.ttl)
	}
	if err != nil {
		where.refuse("Lock", template, err)
	}
	d.bind = func(m *mounted) (any, error) {
		m.settings.plain()
		return nil, checkLease(m.settings.ttl)
	}
	return d
}

func checkLease(ttl time.Duration) error {
	switch {
	case ttl == 0:
		return errors.New("a lock needs a TTL, which is its lease: TTL(30) on it, or on a cluster above it")
	case ttl < minLease:
		return fmt.Errorf("the TTL of a lock, its lease, is at least %v", minLease)
	}
	return nil
}

// onlyTimed tells which setting was declared on a key that can only have a TTL.
func (c *config) onlyTimed(what string) error {
	for _, s := range []struct {
		set  bool
		name string
	}{
		{c.set&hasAutoRenew != 0, "AutoRenew"},
		{c.set&hasJitter != 0, "Jitter"},
		{c.set&hasCached != 0, "Cached"},
		{c.set&hasCodec != 0, "Codec"},
		{c.hasDefault, "Default"},
	} {
		if s.set {
			return fmt.Errorf("%s is no option of %s", s.name, what)
		}
	}
	return nil
}

// plain takes away the inherited settings that are about reads and writes of values.
func (s *settings) plain() { s.autoRenew, s.jitter, s.cached = false, 0, 0 }

// At gives the reference of the lock below s; what args are, [KeyDef.At] tells.
func (d *LockDef) At(s Scope, args ...any) LockRef {
	if d == nil {
		return LockRef{nilRef(s)}
	}
	return LockRef{d.ref(&s, args)}
}

// LockRef is one lock, with all its parameters filled in. It holds nothing: the [Lease] that
// Acquire gives does.
//
// What it has of [Ref] works on the key, past the holder: Delete and Expire end a lease that the
// holder believes in until it looks, and Persist makes one that nobody ends.
type LockRef struct {
	Ref
}

// LockOption is an option of [LockRef.Acquire], [LockRef.TryAcquire] and [LockRef.Run].
type LockOption interface {
	applyLock(c *claimant) error
}

type lockOption func(c *claimant) error

func (o lockOption) applyLock(c *claimant) error { return o(c) }

// NoExtend leaves the lease as it is: it ends after the declared TTL unless [Lease.Extend] is
// called. The default is to extend it in the background, each time a third of it has passed.
func NoExtend() LockOption {
	return lockOption(func(c *claimant) error {
		c.keep = false
		return nil
	})
}

// maxHolderName is how long a holder's name can be, in bytes.
const maxHolderName = 256

// HolderName tells those who look at the lock who holds it, see [LockRef.Holder]: a name of up to
// 256 bytes, which is stored as it is. The default is none.
func HolderName(name string) LockOption {
	return lockOption(func(c *claimant) error {
		if len(name) > maxHolderName {
			return because(ErrArgument, "a holder's name is too long")
		}
		c.name = name
		return nil
	})
}

// claimant is one caller's wish for the lock. It keeps its owner over all tries: one whose answer
// was lost is found to have been granted by the next.
type claimant struct {
	owner string // 26 letters and digits, of 130 random bits
	name  string
	keep  bool // the lease is to be extended in the background
	// queued tells that the caller waits for the lock if it is not free; crowded that others
	// may.
	queued, crowded bool
}

// ownerLen is how long an owner is, as the scripts know it too.
const ownerLen = 26

func newClaimant(opts []LockOption) (claimant, error) {
	c := claimant{owner: rand.Text(), keep: true}
	for _, o := range opts {
		if o == nil {
			return c, because(ErrArgument, errNilOption.Error())
		}
		if err := o.applyLock(&c); err != nil {
			return c, err
		}
	}
	return c, nil
}

// What a lock holds: the owner, a mark, the token, a space and the holder's name. The mark is '+'
// when somebody may wait for the lock, so that its release must wake one, and else a space.
const (
	markFree    = " "
	markCrowded = "+"
)

// Each script is one step, which a lock needs. The owner decides who holds it, never the token.
var (
	// acquiring grants the lock or tells how long the lease of the one who has it still lasts.
	// Tokens are the server's time in microseconds, and always greater than the last one: they
	// grow when the clock is set back, and when the counter is lost. A whole number is exact in
	// Lua up to 2^53.
	acquiring = newScript(`local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, 26) ~= ARGV[1] then
	if ARGV[4] == '1' and string.sub(held, 27, 27) == ' ' then redis.call('SETRANGE', KEYS[1], 26, '+') end
	return {0, redis.call('PTTL', KEYS[1])}
end
local token
if held then
	token = string.match(held, '^%d+', 28)
	redis.call('PEXPIRE', KEYS[1], ARGV[2])
	return {1, token}
end
local now, last = redis.call('TIME'), redis.call('GET', KEYS[2])
token = now[1] * 1000000 + now[2]
if last then token = math.max(token, (tonumber(last) or 0) + 1) end
if token > 9007199254740991 then return {2} end
token = string.format('%.0f', token)
redis.call('SET', KEYS[2], token, 'PX', ARGV[3])
redis.call('SET', KEYS[1], ARGV[1] .. ARGV[5] .. token .. ' ' .. ARGV[6], 'PX', ARGV[2])
return {1, token}`)

	extending = newScript(`local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 1, 26) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`)

	// releasing wakes one of those who wait: what it puts into the list goes to the one that
	// waits longest, and stays for a moment if that one is still on its way there. Without an
	// owner it releases whoever's lock it is.
	releasing = newScript(`local held = redis.call('GET', KEYS[1])
if not held or (ARGV[1] ~= '' and string.sub(held, 1, 26) ~= ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1])
if string.sub(held, 27, 27) == '+' and redis.call('EXISTS', KEYS[2]) == 0 then
	redis.call('RPUSH', KEYS[2], '')
	redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
return 1`)
)

// tokenLife is how long the last token is kept after it was given. The clock would have to be set
// back by more than that for a token to be smaller than one before it.
const tokenLife = 24 * time.Hour

var (
	opAcquire      = operation[grant]{"acquire", replyGrant}
	opExtend       = operation[bool]{"extend", replyBool}
	opRelease      = operation[bool]{"release", replyBool}
	opForceRelease = operation[bool]{"force release", replyBool}
	opHeld         = operation[bool]{"held", replyBool}
	opHolder       = operation[found[Holder]]{"holder", replyHolder}
)

func (r LockRef) tokenKey() string { return companion(r.at.key, tokenRole) }
func (r LockRef) wakeKey() string  { return companion(r.at.key, wakeRole) }

func (r LockRef) lease() time.Duration { return r.at.m.settings.ttl }

// grant is the server's answer to a claim.
type grant struct {
	token int64         // 0: not granted
	left  time.Duration // of the holder's lease; Forever if it never ends
}

//nest:ttl restarts
func (r LockRef) acquire(c claimant) command[grant] {
	queued, mark := "0", markFree
	if c.queued {
		queued = "1"
	}
	if c.crowded {
		mark = markCrowded
	}
	return command[grant]{op: &opAcquire, cmd: acquiring.command(r.at.b(), []string{r.at.key, r.tokenKey()},
		c.owner, millis(r.lease().Milliseconds()), millis(tokenLife.Milliseconds()), queued, mark, c.name)}
}

func replyGrant(_ *mounted, a rueidis.RedisMessage) (grant, error) {
	parts, err := a.ToArray()
	if err != nil || len(parts) == 0 {
		return grant{}, errAnswer
	}
	granted, err := parts[0].AsInt64()
	switch {
	case err == nil && granted == 2:
		return grant{}, because(ErrOverflow, "the last token of the lock is the greatest that there can be")
	case err != nil || len(parts) != 2:
		return grant{}, errAnswer
	}
	n, err := parts[1].AsInt64()
	switch {
	case err != nil || granted == 1 && n <= 0:
		return grant{}, errAnswer
	case granted == 1:
		return grant{token: n}, nil
	case n < 0:
		return grant{left: Forever}, nil
	}
	return grant{left: time.Duration(n) * time.Millisecond}, nil
}

//nest:ttl sets
func (r LockRef) extend(owner string) command[bool] {
	return command[bool]{op: &opExtend, cmd: extending.command(r.at.b(), []string{r.at.key}, owner, millis(r.lease().Milliseconds()))}
}

//nest:ttl removes
func (r LockRef) release(op *operation[bool], owner string) command[bool] {
	return command[bool]{op: op, cmd: releasing.command(r.at.b(), []string{r.at.key, r.wakeKey()}, owner, millis(2*longestWait.Milliseconds()))}
}

// ForceRelease takes the lock away from whoever holds it, and tells whether somebody did (EVAL).
// The holder learns of it when it next extends its lease, up to a third of it later; until then
// both it and the next one believe that they hold the lock. It is for operators whose holder
// hangs; a holder ends its own lease with [Lease.Release].
func (r LockRef) ForceRelease(ctx context.Context) (bool, error) {
	return call(ctx, r.at, r.forceRelease)
}

func (r LockRef) forceRelease() command[bool] { return r.release(&opForceRelease, "") }

//nest:ttl keeps
func (r LockRef) held() command[bool] {
	return command[bool]{op: &opHeld, cmd: r.at.b().Exists().Key(r.at.key).Build()}
}

// Held tells whether somebody holds the lock (EXISTS). It may have changed when the answer
// arrives.
func (r LockRef) Held(ctx context.Context) (bool, error) { return call(ctx, r.at, r.held) }

// Holder is who holds a lock.
type Holder struct {
	Name  string // as [HolderName] gave it
	Token int64  // as [Lease.Token] gives it to the holder
}

//nest:ttl keeps
func (r LockRef) holder() command[found[Holder]] {
	return command[found[Holder]]{op: &opHolder, cmd: r.at.b().Get().Key(r.at.key).Build()}
}

// Holder tells who holds the lock, and false when nobody does (GET). How long the lease lasts
// unless it is extended, [Ref.TTL] tells.
func (r LockRef) Holder(ctx context.Context) (Holder, bool, error) {
	return both(call(ctx, r.at, r.holder))
}

func replyHolder(_ *mounted, a rueidis.RedisMessage) (found[Holder], error) {
	if a.IsNil() {
		return found[Holder]{}, nil
	}
	text, err := a.ToString()
	if err != nil {
		return found[Holder]{}, err
	}
	if len(text) <= ownerLen {
		return found[Holder]{}, errNoHolder
	}
	token, name, spaced := strings.Cut(text[ownerLen+1:], " ")
	n, err := strconv.ParseInt(token, 10, 64)
	if err != nil || !spaced {
		return found[Holder]{}, errNoHolder
	}
	return found[Holder]{Holder{Name: name, Token: n}, true}, nil
}

var errNoHolder = because(ErrDecode, "the key holds no lock")

// TryAcquire takes the lock if nobody has it, and tells whether it did (EVAL). The lease must be
// released; it is independent of ctx, which is for this call alone.
//
// When the answer is lost nobody knows whether the lock was granted. It is released in the
// background then, and a lease whose release is lost too ends by itself.
func (r LockRef) TryAcquire(ctx context.Context, opts ...LockOption) (*Lease, bool, error) {
	return both(watched(ctx, r.at, "try acquire", func() (found[*Lease], error) {
		if err := r.at.ready(ctx, "try acquire"); err != nil {
			return found[*Lease]{}, err
		}
		c, err := newClaimant(opts)
		if err != nil {
			return found[*Lease]{}, r.at.fail("try acquire", err)
		}
		l, _, err := r.ask(ctx, context.WithoutCancel(ctx), c)
		return found[*Lease]{l, l != nil}, err
	}))
}

// ask asks for the lock once. Without a lease and an error the lock is taken, for as long as
// left tells. parent is what the context of the lease is made of.
func (r LockRef) ask(ctx, parent context.Context, c claimant) (l *Lease, left time.Duration, err error) {
	sent := time.Now()
	g, err := send(ctx, r.at, r.acquire(c))
	if err != nil {
		if !errors.Is(err, ErrWrongType) {
			r.abandon(ctx, c.owner)
		}
		return nil, 0, err
	}
	if g.token == 0 {
		return nil, g.left, nil
	}
	l = newLease(parent, r, c, g.token, sent)
	if l.Err() != nil { // the answer took longer than the lease
		r.abandon(ctx, c.owner)
		return nil, 0, nil //nolint:nilerr // the caller asks again
	}
	return l, 0, nil
}

// longestAbandon bounds the release of a lock whose owner has given up on it.
const longestAbandon = 10 * time.Second

// abandon releases what the owner may have been granted, without anybody waiting for it. It
// travels behind the command that may have granted it, or finds nothing; then the lease ends by
// itself.
func (r LockRef) abandon(ctx context.Context, owner string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(r.lease(), longestAbandon))
	go func() {
		defer cancel()
		_, _ = send(ctx, r.at, r.release(&opRelease, owner))
	}()
}

// Run runs do while it holds the lock: it waits for it as Acquire does, and releases it when do
// has returned, or panicked. do's context ends when ctx does, and when the lock is lost, with
// [ErrLockLost] as its cause. The error joins that of do and, when the lock was lost before do
// had returned, one that wraps ErrLockLost (EVAL, several times).
func (r LockRef) Run(ctx context.Context, do func(ctx context.Context, lease *Lease) error, opts ...LockOption) (err error) {
	if err := r.at.ready(ctx, "run"); err != nil {
		return err
	}
	if do == nil {
		return r.at.fail("run", because(ErrArgument, "the function is nil"))
	}
	l, err := r.await(ctx, opts, func(ctx context.Context) context.Context { return ctx })
	if err != nil {
		return err
	}
	defer func() {
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(r.lease(), longestAbandon))
		defer cancel()
		// Whether the release arrives is of no interest to what was done under the lock.
		if lost := l.Release(release); errors.Is(lost, ErrLockLost) {
			err = errors.Join(err, lost)
		}
	}()
	return do(l.Context(), l)
}
