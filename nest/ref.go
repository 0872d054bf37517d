package nest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// Forever is what [Ref.TTL] gives for a key that has no expiry.
const Forever time.Duration = -1

// Ref is one key with all its parameters filled in. It is embedded in the references of every
// kind and holds the operations that all of them have. It is an immutable value: safe for
// concurrent use and cheap to copy.
type Ref struct {
	at address
}

// ref gives the reference of d below s. It is compiled into every At.
func (d *Declaration) ref(s *Scope, args []any) (r Ref) {
	r.at.m, r.at.key, r.at.err = d.at(s, args)
	return r
}

// nilRef is the reference that a nil declaration has below s.
func nilRef(s Scope) Ref { return Ref{address{err: nilDeclaration(s)}} }

// Key is the full name in Redis, or "" when the reference has an error.
func (r Ref) Key() string { return r.at.key }

// Err is what is wrong with the reference: the [*Error] that its every operation returns. It is
// nil for a good reference.
func (r Ref) Err() error { return r.at.wrong() }

// DeclaredTTL is the TTL that writes give the key, its own or the one that it inherits, before
// jitter. It is 0 when the key has none. A key that is declared with [StaleFor] lives that much
// longer in Redis: the TTL is how long its value is fresh, and [Ref.TTL] tells what is left of both.
func (r Ref) DeclaredTTL() time.Duration {
	if r.at.m == nil {
		return 0
	}
	return r.at.m.settings.ttl
}

// Format prints what String gives, whatever the verb and the flags: sensitive parameters stay out of
// what package fmt shows of it.
func (r Ref) Format(s fmt.State, verb rune) { formatted(s, verb, r.String()) }

// String gives the key with its sensitive parameters replaced by their templates.
func (r Ref) String() string { return r.at.redacted() }

// ttl is the expiry of a write that starts now, in milliseconds, or 0.
func (m *mounted) ttl() int64 {
	return max((m.jittered(m.settings.ttl) + m.settings.load.stale).Milliseconds(), min(1, m.settings.ttl.Milliseconds()))
}

// jittered gives d, shortened by a random part as [Jitter] says.
func (m *mounted) jittered(d time.Duration) time.Duration {
	if j := m.settings.jitter; j > 0 {
		d -= time.Duration(rand.Float64() * j * float64(d))
	}
	return d
}

var (
	opExists     = operation[bool]{"exists", replyBool}
	opDelete     = operation[bool]{"delete", replyBool}
	opExpire     = operation[bool]{"expire", replyBool}
	opExpireAt   = operation[bool]{"expire at", replyBool}
	opPersist    = operation[bool]{"persist", replyBool}
	opTouch      = operation[bool]{"touch", replyBool}
	opTTL        = operation[time.Duration]{"ttl", replyTTL}
	opExpireTime = operation[time.Time]{"expire time", replyExpireTime}
	opType       = operation[string]{"type", replyType}
	opMemory     = operation[int64]{"memory usage", replyMemory}
	opDump       = operation[[]byte]{"dump", replyDump}
	opRestore    = operation[struct{}]{"restore", replyNone}
	opDo         = operation[rueidis.RedisMessage]{"do", replyMessage}
)

//nest:ttl keeps
func (r address) exists() command[bool] {
	return command[bool]{op: &opExists, cmd: r.b().Exists().Key(r.key).Build()}
}

// Exists tells whether the key exists (EXISTS).
func (r Ref) Exists(ctx context.Context) (bool, error) { return call(ctx, r.at, r.at.exists) }

//nest:ttl removes
func (r address) delete() command[bool] {
	return command[bool]{op: &opDelete, cmd: r.b().Unlink().Key(r.key).Build()}
}

// Delete removes the key and tells whether it was there (UNLINK, Redis 4.0).
func (r Ref) Delete(ctx context.Context) (bool, error) { return call(ctx, r.at, r.at.delete) }

//nest:ttl ends
func (r address) persist() command[bool] {
	return command[bool]{op: &opPersist, cmd: r.b().Persist().Key(r.key).Build()}
}

// Persist takes the key's expiry away, a declared one too, and tells whether it had one
// (PERSIST). The next write that sets a TTL brings it back.
func (r Ref) Persist(ctx context.Context) (bool, error) { return call(ctx, r.at, r.at.persist) }

//nest:ttl keeps
func (r address) touch() command[bool] {
	return command[bool]{op: &opTouch, cmd: r.b().Touch().Key(r.key).Build()}
}

// Touch marks the key as used just now, for the server's eviction, and tells whether it exists
// (TOUCH). It does not change the TTL.
func (r Ref) Touch(ctx context.Context) (bool, error) { return call(ctx, r.at, r.at.touch) }

// ExpireCondition restricts [Ref.ExpireIf].
type ExpireCondition uint8

// The conditions under which ExpireIf sets an expiry.
const (
	IfNoExpiry ExpireCondition = iota + 1 // only when the key has none (NX)
	IfExpiry                              // only when the key has one (XX)
	IfLonger                              // only when the new one is later; none counts as latest (GT)
	IfShorter                             // only when the new one is sooner; none counts as latest (LT)
)

func (c ExpireCondition) String() string {
	return [...]string{"", "NX", "XX", "GT", "LT"}[min(int(c), 4)]
}

// Expire lets the key live for d from now and tells whether the key exists (PEXPIRE). d is at
// least a millisecond; anything less is [ErrArgument], since Redis would delete the key.
func (r Ref) Expire(ctx context.Context, d time.Duration) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.expire(d, 0) })
}

// ExpireIf is [Ref.Expire] under a condition, and tells whether the expiry was set (PEXPIRE NX, XX,
// GT or LT, Redis 7.0).
func (r Ref) ExpireIf(ctx context.Context, d time.Duration, condition ExpireCondition) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.expireIf(d, condition) })
}

func (r address) expireIf(d time.Duration, condition ExpireCondition) command[bool] {
	if condition == 0 || condition > IfShorter {
		return refuse(&opExpire, errCondition)
	}
	return r.expire(d, condition)
}

var errCondition = because(ErrArgument, "unknown condition")

// noExpiry refuses a duration in which Redis would delete the key.
func noExpiry(d time.Duration) error {
	return because(ErrArgument, "an expiry is at least a millisecond from now: Delete removes a key"+nanoseconds(d))
}

//nest:ttl sets
func (r address) expire(d time.Duration, condition ExpireCondition) command[bool] {
	if d < time.Millisecond {
		return refuse(&opExpire, noExpiry(d))
	}
	cmd := r.b().Arbitrary("PEXPIRE").Keys(r.key).Args(millis(d.Milliseconds()))
	if condition != 0 {
		cmd = cmd.Args(condition.String())
	}
	return command[bool]{op: &opExpire, cmd: cmd.Build()}
}

// ExpireAt lets the key live until t and tells whether the key exists (PEXPIREAT). A time in
// the past deletes the key, as in Redis; the zero time is [ErrArgument].
func (r Ref) ExpireAt(ctx context.Context, t time.Time) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.expireAt(t) })
}

//nest:ttl sets
func (r address) expireAt(t time.Time) command[bool] {
	if t.IsZero() {
		return refuse(&opExpireAt, because(ErrArgument, "the time is zero"))
	}
	return command[bool]{op: &opExpireAt, cmd: r.b().Pexpireat().Key(r.key).MillisecondsTimestamp(t.UnixMilli()).Build()}
}

//nest:ttl keeps
func (r address) left() command[time.Duration] {
	return command[time.Duration]{op: &opTTL, cmd: r.b().Pttl().Key(r.key).Build()}
}

// TTL is how long the key still lives, to the millisecond, [Forever] when it has no expiry
// (PTTL). The error wraps [ErrNotFound] when the key does not exist.
func (r Ref) TTL(ctx context.Context) (time.Duration, error) { return call(ctx, r.at, r.at.left) }

//nest:ttl keeps
func (r address) expireTime() command[time.Time] {
	return command[time.Time]{op: &opExpireTime, cmd: r.b().Pexpiretime().Key(r.key).Build()}
}

// ExpireTime is when the key ends, the zero time when it has no expiry (PEXPIRETIME, Redis
// 7.0). The error wraps [ErrNotFound] when the key does not exist.
func (r Ref) ExpireTime(ctx context.Context) (time.Time, error) {
	return call(ctx, r.at, r.at.expireTime)
}

//nest:ttl keeps
func (r address) redisType() command[string] {
	return command[string]{op: &opType, cmd: r.b().Type().Key(r.key).Build()}
}

// Type is the Redis type that the key holds: "string", "hash", "list", "set", "zset", "stream"
// (TYPE). The error wraps [ErrNotFound] when the key does not exist.
func (r Ref) Type(ctx context.Context) (string, error) { return call(ctx, r.at, r.at.redisType) }

//nest:ttl keeps
func (r address) memoryUsage() command[int64] {
	return command[int64]{op: &opMemory, cmd: r.b().MemoryUsage().Key(r.key).Build()}
}

// MemoryUsage is how many bytes the key and its value take on the server (MEMORY USAGE, Redis
// 4.0). The error wraps [ErrNotFound] when the key does not exist.
func (r Ref) MemoryUsage(ctx context.Context) (int64, error) {
	return call(ctx, r.at, r.at.memoryUsage)
}

//nest:ttl keeps
func (r address) dump() command[[]byte] {
	return command[[]byte]{op: &opDump, cmd: r.b().Dump().Key(r.key).Build()}
}

// Dump gives the value in the server's own format, without its TTL, for [Ref.Restore] (DUMP).
// The error wraps [ErrNotFound] when the key does not exist.
func (r Ref) Dump(ctx context.Context) ([]byte, error) { return call(ctx, r.at, r.at.dump) }

// Restore makes the key from what [Ref.Dump] gave, with the declared TTL (RESTORE). The error
// wraps [ErrExists] when the key exists, unless [Replace] is given.
func (r Ref) Restore(ctx context.Context, dump []byte, opts ...WriteOption) error {
	_, err := call(ctx, r.at, func() command[struct{}] { return r.at.restore(dump, opts) })
	return err
}

//nest:ttl restarts
func (r address) restore(dump []byte, opts []WriteOption) command[struct{}] {
	cmd := r.b().Restore().Key(r.key).Ttl(r.m.ttl()).SerializedValue(string(dump))
	if replaces(opts) {
		return command[struct{}]{op: &opRestore, cmd: cmd.Replace().Build()}
	}
	return command[struct{}]{op: &opRestore, cmd: cmd.Build()}
}

// WriteOption is an option of Restore, Rename and Copy.
type WriteOption struct{ replace bool }

// Replace lets Restore, Rename and Copy overwrite the key that they write to.
func Replace() WriteOption { return WriteOption{replace: true} }

func replaces(opts []WriteOption) bool {
	for _, o := range opts {
		if o.replace {
			return true
		}
	}
	return false
}

// Do sends any other command on this key: the command's words, the key, then args. For
// "OBJECT ENCODING" on root:user:42:age it is
//
//	Do(ctx, "OBJECT ENCODING")
//
// A script is sent by its hash, as "EVALSHA <hash> 1": the script's text cannot be among the words
// if it has white space. Neither the declared type nor the TTL guarantee holds for what it writes,
// and a command that blocks would block the connection that all operations share. Commands that
// change that connection, as SUBSCRIBE, WATCH, SELECT and HELLO, are refused with [ErrArgument].
func (r Ref) Do(ctx context.Context, cmd string, args ...string) (rueidis.RedisMessage, error) {
	return call(ctx, r.at, func() command[rueidis.RedisMessage] { return r.at.do(cmd, args) })
}

// ofConnections are commands that change what others get who use the same connection.
var ofConnections = []string{"AUTH", "DISCARD", "EXEC", "HELLO", "MONITOR", "MULTI", "QUIT", "RESET", "SELECT", "UNWATCH", "WATCH"}

//nest:ttl free
func (r address) do(cmd string, args []string) command[rueidis.RedisMessage] {
	words := strings.Fields(cmd)
	if len(words) == 0 {
		return refuse(&opDo, because(ErrArgument, "the command is empty"))
	}
	if name := strings.ToUpper(words[0]); strings.HasSuffix(name, "SUBSCRIBE") || slices.Contains(ofConnections, name) {
		return refuse(&opDo, because(ErrArgument, name+" changes the connection that all operations share"))
	}
	return command[rueidis.RedisMessage]{op: &opDo, cmd: r.b().Arbitrary(words...).Keys(r.key).Args(args...).Build()}
}
