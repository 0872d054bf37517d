package nest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// Ref is one key with all its parameters filled in. It is embedded in the references of every kind
// and has the operations that are common to all of them. It is an immutable value: safe for
// concurrent use and cheap to copy.
type Ref struct {
	at address
}

// ref returns the reference of d below s. It is compiled into every At.
func (d *Declaration) ref(s *Scope, args []any) (r Ref) {
	r.at.m, r.at.key, r.at.err = d.at(s, args)
	return r
}

// nilRef returns the reference of a nil declaration below s.
func nilRef(s Scope) Ref { return Ref{address{m: s.at, err: nilDeclaration(s)}} }

// Key returns the full name in Redis, or "" if the reference has an error.
func (r Ref) Key() string { return r.at.key }

// Err returns what is wrong with the reference: the [*Error] that each of its operations returns.
// It is nil for a good reference.
func (r Ref) Err() error { return r.at.wrong() }

// DeclaredTTL returns the TTL that writes set, the key's own or the inherited one, before jitter.
// It is 0 if the key has none. A key that is declared with [StaleFor] lives that much longer in
// Redis: the declared TTL is how long its value is fresh, and [Ref.TTL] returns what is left of
// both together.
func (r Ref) DeclaredTTL() time.Duration {
	if r.at.wrong() != nil {
		return 0
	}
	return r.at.m.settings.ttl
}

// Format prints what String returns, for every verb and flag: package fmt shows no sensitive
// parameters.
func (r Ref) Format(s fmt.State, verb rune) { formatted(s, verb, r.String()) }

// String returns the key with its sensitive parameters replaced by their templates. If the
// reference has an error, String describes the error.
func (r Ref) String() string { return r.at.redacted() }

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
)

//nest:ttl keeps
func (r address) exists() command[bool] {
	return command[bool]{op: &opExists, cmd: r.b().Exists().Key(r.key).Build()}
}

// Exists reports whether the key exists (EXISTS). A hash or record whose fields have all expired
// exists until the server has removed them, see [FieldTTL].
func (r Ref) Exists(ctx context.Context) (bool, error) { return call(ctx, r.at, r.at.exists) }

//nest:ttl removes
func (r address) delete() command[bool] {
	return command[bool]{op: &opDelete, cmd: r.b().Unlink().Key(r.key).Build()}
}

// Delete removes the key and reports whether it existed (UNLINK, Redis 4.0).
func (r Ref) Delete(ctx context.Context) (bool, error) { return call(ctx, r.at, r.at.delete) }

//nest:ttl ends
func (r address) persist() command[bool] {
	return command[bool]{op: &opPersist, cmd: r.b().Persist().Key(r.key).Build()}
}

// Persist removes the key's expiry, even a declared one, and reports whether it had one (PERSIST).
// The next write that sets a TTL brings it back.
func (r Ref) Persist(ctx context.Context) (bool, error) { return call(ctx, r.at, r.at.persist) }

//nest:ttl keeps
func (r address) touch() command[bool] {
	return command[bool]{op: &opTouch, cmd: r.b().Touch().Key(r.key).Build()}
}

// Touch marks the key as just used, for the server's eviction, and reports whether it exists
// (TOUCH). It does not change the TTL.
func (r Ref) Touch(ctx context.Context) (bool, error) { return call(ctx, r.at, r.at.touch) }

// ExpireCondition is a condition for [Ref.ExpireIf].
type ExpireCondition uint8

// The conditions under which ExpireIf sets an expiry.
const (
	IfNoExpiry ExpireCondition = iota + 1 // only when the key has none (NX)
	IfExpiry                              // only when the key has one (XX)
	IfLonger                              // only when the new one is later; none is latest (GT)
	IfShorter                             // only when the new one is sooner; none is latest (LT)
)

func (c ExpireCondition) String() string {
	return [...]string{"", "NX", "XX", "GT", "LT"}[min(int(c), 4)]
}

// Expire lets the key live for d from now and reports whether the key exists (PEXPIRE). d is at
// least a millisecond. Anything less is [ErrArgument], since Redis would delete the key.
func (r Ref) Expire(ctx context.Context, d time.Duration) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.expire(d, 0) })
}

// ExpireIf is [Ref.Expire] under a condition. It reports whether the expiry was set (PEXPIRE NX,
// XX, GT or LT, Redis 7.0).
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

// noExpiry returns the error for a duration that would make Redis delete the key.
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

// ExpireAt lets the key live until t and reports whether the key exists (PEXPIREAT). A time in the
// past deletes the key, as in Redis. The zero time, and a time outside of the years 1 to 9999, is
// [ErrArgument].
func (r Ref) ExpireAt(ctx context.Context, t time.Time) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.expireAt(t) })
}

//nest:ttl sets
func (r address) expireAt(t time.Time) command[bool] {
	if t.IsZero() {
		return refuse(&opExpireAt, because(ErrArgument, "the time is zero"))
	}
	ms, err := unixMillis(t)
	if err != nil {
		return refuse(&opExpireAt, err)
	}
	return command[bool]{op: &opExpireAt, cmd: r.b().Pexpireat().Key(r.key).MillisecondsTimestamp(ms).Build()}
}

//nest:ttl keeps
func (r address) left() command[time.Duration] {
	return command[time.Duration]{op: &opTTL, cmd: r.b().Pttl().Key(r.key).Build()}
}

// TTL returns how long the key still lives, to the millisecond, or [Forever] if it has no expiry
// (PTTL). A time longer than the longest Duration, 292 years, is returned as that Duration. The
// error wraps [ErrNotFound] if the key does not exist.
func (r Ref) TTL(ctx context.Context) (time.Duration, error) { return call(ctx, r.at, r.at.left) }

//nest:ttl keeps
func (r address) expireTime() command[time.Time] {
	return command[time.Time]{op: &opExpireTime, cmd: r.b().Pexpiretime().Key(r.key).Build()}
}

// ExpireTime returns when the key expires, or the zero time if it has no expiry (PEXPIRETIME, Redis
// 7.0). The error wraps [ErrNotFound] if the key does not exist.
func (r Ref) ExpireTime(ctx context.Context) (time.Time, error) {
	return call(ctx, r.at, r.at.expireTime)
}

//nest:ttl keeps
func (r address) redisType() command[string] {
	return command[string]{op: &opType, cmd: r.b().Type().Key(r.key).Build()}
}

// Type returns the Redis type of the key: "string", "hash", "list", "set", "zset", "stream" (TYPE).
// The error wraps [ErrNotFound] if the key does not exist.
func (r Ref) Type(ctx context.Context) (string, error) { return call(ctx, r.at, r.at.redisType) }

//nest:ttl keeps
func (r address) memoryUsage() command[int64] {
	return command[int64]{op: &opMemory, cmd: r.b().MemoryUsage().Key(r.key).Build()}
}

// MemoryUsage returns how many bytes the key and its value take on the server (MEMORY USAGE, Redis
// 4.0). The error wraps [ErrNotFound] if the key does not exist.
func (r Ref) MemoryUsage(ctx context.Context) (int64, error) {
	return call(ctx, r.at, r.at.memoryUsage)
}

//nest:ttl keeps
func (r address) dump() command[[]byte] {
	return command[[]byte]{op: &opDump, cmd: r.b().Dump().Key(r.key).Build()}
}

// Dump returns the value in the server's own format, without its TTL, for [Ref.Restore] (DUMP). The
// error wraps [ErrNotFound] if the key does not exist.
func (r Ref) Dump(ctx context.Context) ([]byte, error) { return call(ctx, r.at, r.at.dump) }

// Restore creates the key from the result of [Ref.Dump], with the declared TTL (RESTORE). The error
// wraps [ErrExists] if the key exists, unless [Replace] is given.
func (r Ref) Restore(ctx context.Context, dump []byte, opts ...WriteOption) error {
	_, err := call(ctx, r.at, func() command[struct{}] { return r.at.restore(dump, opts) })
	return err
}

//nest:ttl restarts
func (r address) restore(dump []byte, opts []WriteOption) command[struct{}] {
	replace, err := replaces(opts)
	if err != nil {
		return refuse(&opRestore, err)
	}
	cmd := r.b().Restore().Key(r.key).Ttl(r.m.ttl()).SerializedValue(string(dump))
	if replace {
		return command[struct{}]{op: &opRestore, cmd: cmd.Replace().Build()}
	}
	return command[struct{}]{op: &opRestore, cmd: cmd.Build()}
}

// Do sends any other command on this key: the words of cmd, the key, then args. For example, this
// sends "OBJECT ENCODING root:user:42:age":
//
//	Do(ctx, "OBJECT ENCODING")
//
// A script is sent by its hash, as "EVALSHA <hash> 1": a script's text that contains white space
// cannot be one of the words. Neither the declared type nor the TTL guarantee holds for what the
// command writes. A command that blocks would block the connection that all operations share.
// Commands that change that connection, such as SUBSCRIBE, WATCH, SELECT and HELLO, are refused
// with [ErrArgument].
func (r Ref) Do(ctx context.Context, cmd string, args ...string) (rueidis.RedisMessage, error) {
	return call(ctx, r.at, func() command[rueidis.RedisMessage] { return r.at.do(cmd, args) })
}

// ofConnections lists commands that would affect the other users of the connection.
var ofConnections = []string{"AUTH", "DISCARD", "EXEC", "HELLO", "MONITOR", "MULTI", "QUIT", "RESET", "SELECT", "UNWATCH", "WATCH"}

// wordsOf returns the words of a caller's own command.
func wordsOf(cmd string) ([]string, error) {
	words := strings.Fields(cmd)
	if len(words) == 0 {
		return nil, because(ErrArgument, "the command is empty")
	}
	if name := strings.ToUpper(words[0]); strings.HasSuffix(name, "SUBSCRIBE") || slices.Contains(ofConnections, name) {
		return nil, because(ErrArgument, name+" changes the connection that all operations share")
	}
	return words, nil
}

//nest:ttl free
func (r address) do(cmd string, args []string) command[rueidis.RedisMessage] {
	words, err := wordsOf(cmd)
	if err != nil {
		return refuse(&opDo, err)
	}
	return command[rueidis.RedisMessage]{op: &opDo, cmd: r.b().Arbitrary(words...).Keys(r.key).Args(args...).Build()}
}

// base returns the address in a reference, which the references of all kinds embed.
func (r Ref) base() address { return r.at }

// RefBatch holds the operations that every reference has, in a batch. It is embedded in the batch
// types of all kinds.
type RefBatch struct {
	b   *Batch
	ref Ref
}

// String returns the key with its sensitive parameters replaced by their templates.
func (q RefBatch) String() string { return q.ref.String() }

// Format prints what String returns, for every verb and flag, so that package fmt shows no
// sensitive parameters.
func (q RefBatch) Format(s fmt.State, verb rune) { formatted(s, verb, q.String()) }
