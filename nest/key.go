package nest

import (
	"context"
	"reflect"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// KeyDef declares a key that holds one value of type T, as a Redis string.
type KeyDef[T any] struct {
	Declaration
}

// Key declares a key that holds one value of type T. The template is "name" or holds
// parameters, "session:<token>"; it may end in a tail parameter, "file:<path...>", whose value
// may contain ':' as it is.
//
// Key panics, with the file and line of the call, on a malformed template or option and on a
// [Default] that does not fit T.
func Key[T any](template string, opts ...KeyOption) *KeyDef[T] {
	d := &KeyDef[T]{}
	where := caller()
	d.goType = reflect.TypeFor[T]().String()
	d.declare(d, KindValue, "Key["+d.goType+"]", template, where, applyKeyOptions(opts))
	var fallback T
	if d.config.hasDefault {
		var err error
		if fallback, err = fitDefault[T](d.config.def); err != nil {
			where.refuse("Key["+d.goType+"]", template, err)
		}
	}
	d.bind = func(m *mounted) (any, error) { return bindValue(m, fallback, d.config.hasDefault) }
	return d
}

// At gives the reference of the key below s. args are the parameters that are still open
// between s and the key: plain values, outermost first, or named ones made by [ParamDef.Of], in
// any order, or both, of which the plain ones fill what the named leave open. A plain value is a string, an integer or a boolean of any kind, or of the type that
// the parameter's [Param] says.
//
// At never fails: a bad call makes a reference whose every operation, and whose Err, returns
// the same [*Error], and nothing is sent. That error wraps [ErrMissingParam], [ErrExtraParam],
// [ErrParamType], [ErrParamValue], [ErrNotMounted] or [ErrAmbiguous].
func (d *KeyDef[T]) At(s Scope, args ...any) KeyRef[T] {
	if d == nil {
		return KeyRef[T]{nilRef(s)}
	}
	return KeyRef[T]{d.ref(&s, args)}
}

// KeyRef is one key that holds a T, with all its parameters filled in.
type KeyRef[T any] struct {
	Ref
}

func (r KeyRef[T]) value() *value[T] { return r.at.m.bound.(*value[T]) }

func (r KeyRef[T]) get() command[T] {
	return command[T]{op: &r.value().get, cmd: r.at.fetch(), cacheable: true}
}

// Get gives the value, else the declared default, else an error that wraps [ErrNotFound] (GET,
// or GETEX with AutoRenew). A stored value that is no T is [ErrDecode], a key of another Redis
// type [ErrWrongType].
func (r KeyRef[T]) Get(ctx context.Context) (T, error) { return call(ctx, r.at, r.get) }

// fetch is the command that reads a whole string, and renews the TTL where that is declared.
//
//nest:ttl renews
func (r address) fetch() rueidis.Completed {
	switch {
	case r.renews():
		return r.b().Getex().Key(r.key).PxMilliseconds(r.m.ttl()).Build()
	case r.m.slotless:
		return r.b().Arbitrary("GET").Args(r.key).ReadOnly()
	}
	return r.b().Get().Key(r.key).Build()
}

func (r KeyRef[T]) lookup() command[found[T]] {
	return command[found[T]]{op: &r.value().lookup, cmd: r.at.fetch(), cacheable: true}
}

// Lookup gives the value and whether the key exists, without the default (GET, or GETEX with
// AutoRenew).
func (r KeyRef[T]) Lookup(ctx context.Context) (T, bool, error) {
	return both(call(ctx, r.at, r.lookup))
}

// Set writes the value and starts the declared TTL (SET). With [KeepTTL] the running one goes
// on, with [ExpireIn], [ExpireUntil] and [NoExpiry] the caller decides.
func (r KeyRef[T]) Set(ctx context.Context, v T, opts ...SetOption) error {
	_, err := call(ctx, r.at, func() command[struct{}] { return r.set(v, opts) })
	return err
}

func (r KeyRef[T]) set(v T, opts []SetOption) command[struct{}] {
	text, err := r.encode(v)
	if err != nil {
		return refuse(&opSet, err)
	}
	return r.at.put(text, opts)
}

// put writes a whole string, and its expiry with it.
//
//nest:ttl restarts
func (r address) put(text string, opts []SetOption) command[struct{}] {
	e, err := r.expiry(opts)
	if err != nil {
		return refuse(&opSet, err)
	}
	if e.mode == expireKeep && r.m.settings.ttl > 0 {
		return command[struct{}]{op: &opSet, cmd: setKeeping.command(r.b(), []string{r.key}, text, millis(r.m.ttl()))}
	}
	return command[struct{}]{op: &opSet, cmd: r.setting(text, e)}
}

func (r address) setting(text string, e expiry) rueidis.Completed {
	switch {
	case r.m.slotless && e.mode == expireNever:
		return r.b().Arbitrary("SET").Args(r.key, text).Build()
	case r.m.slotless && e.mode == expireIn && e.ms%1000 == 0:
		return r.b().Arbitrary("SET").Args(r.key, text, "EX", millis(e.ms/1000)).Build()
	}
	b := r.b().Set().Key(r.key).Value(text)
	switch {
	case e.mode == expireKeep:
		return b.Keepttl().Build()
	case e.mode == expireUntil:
		return b.PxatMillisecondsTimestamp(e.ms).Build()
	case e.mode == expireNever:
		return b.Build()
	case e.ms%1000 == 0:
		return b.ExSeconds(e.ms / 1000).Build()
	}
	return b.PxMilliseconds(e.ms).Build()
}

// setKeeping writes and keeps the expiry of the key, or none if it has none; a new key gets
// the declared TTL.
var setKeeping = newScript(`if redis.call('EXISTS', KEYS[1]) == 1 then
	return redis.call('SET', KEYS[1], ARGV[1], 'KEEPTTL')
end
return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])`)

// SetIfAbsent writes the value only when the key does not exist, and tells whether it did (SET
// NX).
func (r KeyRef[T]) SetIfAbsent(ctx context.Context, v T, opts ...SetOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.setIf(&opSetIfAbsent, "NX", v, opts) })
}

// SetIfPresent writes the value only when the key exists, and tells whether it did (SET XX).
func (r KeyRef[T]) SetIfPresent(ctx context.Context, v T, opts ...SetOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.setIf(&opSetIfPresent, "XX", v, opts) })
}

func (r KeyRef[T]) setIf(op *operation[bool], condition string, v T, opts []SetOption) command[bool] {
	text, err := r.encode(v)
	if err != nil {
		return refuse(op, err)
	}
	return r.at.putIf(op, condition, text, opts)
}

// putIf writes a whole string under the condition NX or XX.
//
//nest:ttl restarts
func (r address) putIf(op *operation[bool], condition, text string, opts []SetOption) command[bool] {
	e, err := r.expiry(opts)
	if err != nil {
		return refuse(op, err)
	}
	if e.mode == expireKeep && condition == "NX" {
		e = r.declared() // a new key has nothing to keep
	}
	cmd := r.b().Arbitrary("SET").Keys(r.key).Args(text, condition)
	switch {
	case e.mode == expireKeep:
		cmd = cmd.Args("KEEPTTL")
	case e.mode == expireUntil:
		cmd = cmd.Args("PXAT", millis(e.ms))
	case e.mode == expireIn:
		cmd = cmd.Args("PX", millis(e.ms))
	}
	return command[bool]{op: op, cmd: cmd.Build()}
}

// Swap writes the value, starts the declared TTL and gives what was there before (SET GET,
// Redis 6.2). The write stands even when the old value is no T.
func (r KeyRef[T]) Swap(ctx context.Context, v T) (old T, existed bool, err error) {
	return both(call(ctx, r.at, func() command[found[T]] { return r.swap(v) }))
}

func (r KeyRef[T]) swap(v T) command[found[T]] {
	op := &r.value().swap
	text, err := r.encode(v)
	if err != nil {
		return refuse(op, err)
	}
	return command[found[T]]{op: op, cmd: r.at.exchange(text)}
}

// exchange is the command that writes a whole string and gives what was there before.
//
//nest:ttl restarts
func (r address) exchange(text string) rueidis.Completed {
	b := r.b().Set().Key(r.key).Value(text).Get()
	if ms := r.m.ttl(); ms > 0 {
		return b.PxMilliseconds(ms).Build()
	}
	return b.Build()
}

//nest:ttl removes
func (r KeyRef[T]) take() command[found[T]] {
	return command[found[T]]{op: &r.value().take, cmd: r.at.b().Getdel().Key(r.at.key).Build()}
}

// Take removes the key and gives the value that it held (GETDEL, Redis 6.2). The key is gone
// even when the value is no T.
func (r KeyRef[T]) Take(ctx context.Context) (T, bool, error) {
	return both(call(ctx, r.at, r.take))
}

// GetAndExpire gives the value and whether the key exists, without the default, and lets the key
// live for d from now (GETEX, Redis 6.2). d is at least a millisecond.
func (r KeyRef[T]) GetAndExpire(ctx context.Context, d time.Duration) (T, bool, error) {
	return both(call(ctx, r.at, func() command[found[T]] { return r.getAndExpire(d) }))
}

//nest:ttl sets
func (r KeyRef[T]) getAndExpire(d time.Duration) command[found[T]] {
	op := &r.value().lookup
	if d < time.Millisecond {
		return refuse(op, noExpiry(d))
	}
	return command[found[T]]{op: op, cmd: r.at.b().Getex().Key(r.at.key).PxMilliseconds(d.Milliseconds()).Build()}
}

//nest:ttl keeps
func (r address) raw() command[[]byte] {
	return command[[]byte]{op: &opRaw, cmd: r.b().Get().Key(r.key).Build(), cacheable: true}
}

// Raw gives the stored bytes as they are (GET). The error wraps [ErrNotFound] when the key does
// not exist.
func (r KeyRef[T]) Raw(ctx context.Context) ([]byte, error) { return call(ctx, r.at, r.at.raw) }

//nest:ttl keeps
func (r KeyRef[T]) storedType() command[string] {
	return command[string]{op: &r.value().storedType, cmd: r.at.b().Get().Key(r.at.key).Build(), cacheable: true}
}

// StoredType tells the type of the stored value as its codec tells it, "datetime", or the Go
// type of the key, "int", when the codec does not store types and reads the value as one (GET).
// With [codec.Versioned] that is up to the codec that wrote the value. The error wraps
// [ErrNotFound] when the key does not exist, whatever its default, and [ErrDecode] when what is
// there is no value of its codec.
func (r KeyRef[T]) StoredType(ctx context.Context) (string, error) {
	return call(ctx, r.at, r.storedType)
}

// Rename gives the value, with its remaining TTL, to another key of the same type, and tells
// whether it did: an existing target is left alone, unless [Replace] is given (RENAMENX or
// RENAME). A target declared with a TTL never ends up without one. In a Redis Cluster both keys
// live in one slot, else the error wraps [ErrCrossSlot]; it wraps [ErrNotFound] when this key does
// not exist.
func (r KeyRef[T]) Rename(ctx context.Context, to KeyRef[T], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opRename, to.at, opts) })
}

// Copy writes the value, with its remaining TTL, to another key of the same type too, and tells
// whether it did: an existing target is left alone, unless [Replace] is given (COPY, Redis 6.2).
// A target declared with a TTL never ends up without one. In a Redis Cluster both keys live in one
// slot, else the error wraps [ErrCrossSlot]; it wraps [ErrNotFound] when this key does not exist.
func (r KeyRef[T]) Copy(ctx context.Context, to KeyRef[T], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opCopy, to.at, opts) })
}

var (
	opSet          = operation[struct{}]{"set", replyNone}
	opSetIfAbsent  = operation[bool]{"set if absent", replyDone}
	opSetIfPresent = operation[bool]{"set if present", replyDone}
	opRaw          = operation[[]byte]{"raw", replyDump}
)

// replyDone reads the answer of a conditional SET: OK or nil.
func replyDone(_ *mounted, a rueidis.RedisMessage) (bool, error) { return !a.IsNil(), nil }

func (r KeyRef[T]) encode(v T) (string, error) {
	text, err := r.value().typed.Encode(v)
	if err != nil {
		return "", encodeError(r.at.m, err)
	}
	return text, nil
}

func millis(ms int64) string { return strconv.FormatInt(ms, 10) }
