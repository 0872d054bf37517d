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

// minLease is the shortest lease. Round trips would take up most of a shorter one.
const minLease = 20 * time.Millisecond

// LockDef declares a lock.
type LockDef struct {
	Declaration
}

// Lock declares a lock that one holder at a time can have, in this process and all others. Its TTL,
// declared or inherited, is the lease: how long the holder has the lock without extending it, and
// so how long a holder that dies keeps the others waiting. It is at least 20 ms; [Open] refuses a
// lock without one. A live holder extends its lease in the background.
//
//	Import = nest.Lock("import:<source>", nest.TTL(30))
//
//	err := Import.At(root, "crm").Run(ctx, func(ctx context.Context, lease *nest.Lease) error {
//		return importAll(ctx) // ctx ends when the lock is lost
//	})
//
// # What it promises
//
// As long as one Redis server keeps its data, two leases of a lock are never valid at the same
// time. A holder counts its lease from before it sent the command, on its own clocks, less a
// hundredth of it and 2 ms for the drift between clocks (the allowance of Redis' Redlock). So its
// lease ends before the server's, however long it was paused. But work that a holder has already
// begun, and work that continues without checking the lease, is not undone. For that there are
// [Lease.Guard], which makes writes to Redis depend on the lease in the same atomic step, and
// [Lease.Token], which other systems can compare: of two holders the later has the greater one.
//
// There are limits to what a lock on one Redis server can promise. Replication is asynchronous, so
// a promoted replica may not know of a lock, or of its extension, that the old primary granted. A
// server forgets locks if it restarts without having stored everything (as appendfsync always
// does), is set back to a snapshot, or evicts keys with a TTL under a maxmemory-policy. A server
// whose clock jumps ahead ends leases early. In each case there can be two holders for as long as a
// lease. Under Guard, on that server, still only the newer one can write.
//
// # In Redis
//
// In Redis it is a string that names the holder, and two other keys in its slot, whose names no
// declaration can have: the last token, which is kept for a day, and a list, which wakes one
// waiter.
//
// Lock panics, with the file and line of the call, on a malformed template or option. Inherited
// settings other than the TTL have no effect on it.
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

// onlyTimed returns an error that names a setting declared on a key that can only have a TTL.
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

// plain removes the inherited settings that affect reads and writes of values.
func (s *settings) plain() { s.autoRenew, s.jitter, s.cached, s.local = false, 0, 0, 0 }

// At returns a reference to the lock below s. See [KeyDef.At] for args.
func (d *LockDef) At(s Scope, args ...any) LockRef {
	if d == nil {
		return LockRef{nilRef(s)}
	}
	return LockRef{d.ref(&s, args)}
}

// LockRef is one lock, with all its parameters filled in. It holds nothing itself; the [Lease] that
// Acquire returns does.
//
// The methods of [Ref] act on the key behind the holder's back: Delete and Expire end a lease that
// the holder believes in until it checks, and Persist makes one that never ends.
type LockRef struct {
	Ref
}

// LockOption is an option of [LockRef.Acquire], [LockRef.TryAcquire], [LockRef.Run] and
// [LockRef.TryRun].
type LockOption interface {
	applyLock(c *claimant) error
}

type lockOption func(c *claimant) error

func (o lockOption) applyLock(c *claimant) error { return o(c) }

// NoExtend does not extend the lease in the background: it ends after the declared TTL unless
// [Lease.Extend] is called. The default is to extend it each time a third of it has passed.
func NoExtend() LockOption {
	return lockOption(func(c *claimant) error {
		c.keep = false
		return nil
	})
}

// maxHolderName is the maximum length of a holder's name, in bytes.
const maxHolderName = 256

// HolderName names the holder of the lock for those who inspect it, see [LockRef.Holder]. The name
// has up to 256 bytes and is stored as it is. The default is none.
func HolderName(name string) LockOption {
	return lockOption(func(c *claimant) error {
		if len(name) > maxHolderName {
			return because(ErrArgument, "a holder's name is too long")
		}
		c.name = name
		return nil
	})
}

// claimant is one caller's claim to the lock. It keeps its owner over all attempts: if the reply to
// one was lost, the next finds that it was granted.
type claimant struct {
	owner string // 26 letters and digits, of 130 random bits
	name  string
	keep  bool // the lease is to be extended in the background
	// queued means that the caller waits for the lock if it is not free, crowded that others may be
	// waiting.
	queued, crowded bool
}

// ownerLen is the length of an owner. The scripts know it too.
const ownerLen = 26

func newClaimant(opts []LockOption) (claimant, error) {
	c := claimant{owner: rand.Text(), keep: true}
	err := eachOption(opts, func(o LockOption) error { return o.applyLock(&c) })
	return c, err
}

// A lock holds the owner, a mark, the token, a space and the holder's name. The mark is '+' when a
// caller may be waiting for the lock, so that its release must wake one, and else a space.
const (
	markFree    = " "
	markCrowded = "+"
)

// Each script is atomic, as a lock requires. The owner decides who holds the lock, never the token.
var (
	// acquiring grants the lock, or returns how long the current holder's lease still lasts. Tokens
	// are the server's time in microseconds, and always greater than the last one: they grow even
	// when the clock is set back, and when the counter is lost. A whole number is exact in Lua up
	// to 2^53.
	acquiring = newScript(`local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, 26) ~= ARGV[1] then
	local left = redis.call('PTTL', KEYS[1])
	if ARGV[4] == '1' and string.sub(held, 27, 27) == ' ' then redis.call('SETRANGE', KEYS[1], 26, '+') end
	return {0, left}
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

	// releasing releases the lock and wakes one waiter. What it pushes to the list goes to the one
	// that has waited longest, or stays for a moment if that one is still on its way. Without an
	// owner it releases the lock of any holder. A user without the right to wake a waiter still
	// releases the lock: the waiters check for themselves.
	releasing = newScript(asking + `local held = redis.call('GET', KEYS[1])
if not held or (ARGV[1] ~= '' and string.sub(held, 1, 26) ~= ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1])
if string.sub(held, 27, 27) == '+' and not (lacks('EXISTS', KEYS[2]) or lacks('RPUSH', KEYS[2], '') or lacks('PEXPIRE', KEYS[2], ARGV[2])) and
	redis.call('EXISTS', KEYS[2]) == 0 then
	redis.call('RPUSH', KEYS[2], '')
	redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
return 1`)
)

// tokenLife is how long the last token is kept after it was issued. Only if the clock is set back
// by more than that can a token be smaller than an earlier one.
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

// grant is the server's reply to a claim.
type grant struct {
	token int64         // 0: not granted
	left  time.Duration // of the holder's lease; Forever if it never ends
}

//nest:ttl restarts
func (r LockRef) acquire(c claimant) command[grant] {
	queued, mark := bit(c.queued), markFree
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
	return grant{left: fromMillis(n)}, nil
}

//nest:ttl sets
func (r LockRef) extend(owner string) command[bool] {
	return command[bool]{op: &opExtend, cmd: extending.command(r.at.b(), []string{r.at.key}, owner, millis(r.lease().Milliseconds()))}
}

//nest:ttl removes
func (r LockRef) release(op *operation[bool], owner string) command[bool] {
	return command[bool]{op: op, cmd: releasing.command(r.at.b(), []string{r.at.key, r.wakeKey()}, owner, millis(2*longestWait.Milliseconds()))}
}

// ForceRelease takes the lock away from its holder, and reports whether there was one (EVAL). The
// holder learns of it when it next extends its lease, up to a third of the lease later. Until then
// both it and the next holder believe that they hold the lock. ForceRelease is for operators whose
// holder hangs; a holder ends its own lease with [Lease.Release].
func (r LockRef) ForceRelease(ctx context.Context) (bool, error) {
	return call(ctx, r.at, r.forceRelease)
}

func (r LockRef) forceRelease() command[bool] { return r.release(&opForceRelease, "") }

//nest:ttl keeps
func (r LockRef) held() command[bool] {
	return command[bool]{op: &opHeld, cmd: r.at.b().Exists().Key(r.at.key).Build()}
}

// Held reports whether the lock is held (EXISTS). This may have changed by the time the reply
// arrives.
func (r LockRef) Held(ctx context.Context) (bool, error) { return call(ctx, r.at, r.held) }

// Holder describes the holder of a lock.
type Holder struct {
	Name  string // as set by [HolderName]
	Token int64  // as returned by [Lease.Token]
}

//nest:ttl keeps
func (r LockRef) holder() command[found[Holder]] {
	return command[found[Holder]]{op: &opHolder, cmd: r.at.b().Get().Key(r.at.key).Build()}
}

// Holder returns the holder of the lock, and false when there is none (GET). See [Ref.TTL] for how
// long the lease lasts unless it is extended.
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

// TryAcquire takes the lock if it is free, and reports whether it did (EVAL). The lease must be
// released. It is independent of ctx, which is for this call alone.
//
// When the reply is lost, the lock may or may not have been granted. It is then released in the
// background, and a lease whose release is lost too ends by itself.
func (r LockRef) TryAcquire(ctx context.Context, opts ...LockOption) (*Lease, bool, error) {
	return r.try(ctx, opts, context.WithoutCancel)
}

// try is TryAcquire with a lease whose context has parent(ctx) as its parent.
func (r LockRef) try(ctx context.Context, opts []LockOption, parent func(context.Context) context.Context) (*Lease, bool, error) {
	caller := ctx // the lease outlives the call
	return both(watched(ctx, r.at, "try acquire", func(ctx context.Context) (found[*Lease], error) {
		if err := r.at.ready(ctx, "try acquire"); err != nil {
			return found[*Lease]{}, err
		}
		c, err := newClaimant(opts)
		if err != nil {
			return found[*Lease]{}, r.at.fail("try acquire", err)
		}
		l, _, err := r.ask(ctx, parent(caller), &c)
		return found[*Lease]{l, l != nil}, err
	}))
}

// ask asks for the lock once. If it returns neither a lease nor an error, the lock is taken, and
// left is how long it stays so. parent is the parent of the lease's context.
func (r LockRef) ask(ctx, parent context.Context, c *claimant) (l *Lease, left time.Duration, err error) {
	sent := time.Now()
	g, err := send(ctx, r.at, r.acquire(*c))
	if err != nil {
		if mayHaveRun(err) {
			r.abandon(ctx, c.owner, true)
		}
		return nil, 0, err
	}
	if g.token == 0 {
		return nil, g.left, nil
	}
	l = newLease(parent, r, *c, g.token, sent)
	if l.Err() != nil { // the reply took longer than the lease
		r.abandon(ctx, c.owner, false)
		c.owner = rand.Text() // that release may still be on its way when the lock is granted again
		return nil, 0, nil    //nolint:nilerr // the caller asks again
	}
	return l, 0, nil
}

// abandon releases in the background what the owner may have been granted, until the release has
// arrived or the lease is over. unsure means that the command that may have granted it got no
// reply: it may still run after a release that finds nothing.
func (r LockRef) abandon(ctx context.Context, owner string, unsure bool) {
	r.at.m.tree.startGivingUp(ctx, r.lease(), unsure, func(ctx context.Context) (bool, error) {
		return send(ctx, r.at, r.release(&opRelease, owner))
	})
}

// releaseWait is how long [LockRef.Run] waits for its release to arrive before it leaves that to
// the background.
const releaseWait = time.Second

// Run runs do while it holds the lock. It waits for the lock as Acquire does, and releases it when
// do has returned or panicked. The context of do ends when ctx does, and when the lock is lost,
// with [ErrLockLost] as its cause. The error joins that of do and, when the lock was lost before do
// had returned, one that wraps ErrLockLost (EVAL, several times).
func (r LockRef) Run(ctx context.Context, do func(ctx context.Context, lease *Lease) error, opts ...LockOption) (err error) {
	if err := r.at.admit(ctx, "run"); err != nil {
		return err
	}
	if do == nil {
		return r.at.reject(ctx, "run", because(ErrArgument, "the function is nil"))
	}
	l, err := r.await(ctx, opts, itself)
	if err != nil {
		return err
	}
	return r.under(ctx, l, do)
}

// TryRun runs do while it holds the lock if the lock is free, and reports whether it did. It does
// not wait for the lock: a job that every process starts at the same time runs in one of them.
// Otherwise it is [LockRef.Run] (EVAL, several times).
func (r LockRef) TryRun(ctx context.Context, do func(ctx context.Context, lease *Lease) error, opts ...LockOption) (ran bool, err error) {
	if err := r.at.admit(ctx, "try run"); err != nil {
		return false, err
	}
	if do == nil {
		return false, r.at.reject(ctx, "try run", because(ErrArgument, "the function is nil"))
	}
	l, ran, err := r.try(ctx, opts, itself)
	if err != nil || !ran {
		return false, err
	}
	return true, r.under(ctx, l, do)
}

// itself makes a lease end with the context of the call.
func itself(ctx context.Context) context.Context { return ctx }

// under runs do, and releases the lock afterwards.
func (r LockRef) under(ctx context.Context, l *Lease, do func(context.Context, *Lease) error) (err error) {
	defer func() {
		// Whether the release arrives does not matter to what was done under the lock.
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(r.lease(), releaseWait))
		defer cancel()
		if ctx.Err() != nil {
			release, cancel = context.WithTimeout(release, giveUpWait)
			defer cancel()
		}
		if lost := l.Release(release); errors.Is(lost, ErrLockLost) {
			err = errors.Join(err, lost)
		}
	}()
	return do(l.Context(), l)
}
