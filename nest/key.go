package nest

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/redis/rueidis"
)

// KeyDef declares a key that holds one value of type T, as a Redis string.
type KeyDef[T any] struct {
	Declaration
}

// Key declares a key that holds one value of type T. The template is a name, or has parameters:
// "session:<token>". It may end in a tail parameter, "file:<path...>", whose value may contain ':'
// unescaped.
//
// Key panics, with the file and line of the call, on a malformed template or option and on a
// [Default] that does not fit T.
func Key[T any](template string, opts ...KeyOption) *KeyDef[T] {
	d := &KeyDef[T]{}
	where := caller()
	constructor := d.declareFor(reflect.TypeFor[T](), d, KindValue, "Key", template, where, opts)
	var fallback T
	if d.config.whenDown == GiveDefault && !d.config.hasDefault {
		where.refuse(constructor, template, errors.New("WhenDown(GiveDefault) needs a Default"))
	}
	if d.config.hasDefault {
		var err error
		if fallback, err = fitDefault[T](d.config.def()); err != nil {
			where.refuse(constructor, template, err)
		}
	}
	d.bind = func(m *mounted) (any, error) { return bindValue(m, fallback, d.config.hasDefault) }
	d.bindsAlike(reflect.TypeFor[value[T]]())
	return d
}

// At returns a reference to the key below s. args are the parameters that are still open between s
// and the key: plain values, outermost first, or named ones made by [ParamDef.Of], in any order. If
// both are given, the plain values fill what the named ones leave open. A plain value is a string,
// an integer or a boolean. For a parameter with a [Param], it has the Param's type or a built-in
// one.
//
// At never fails. A bad call makes a reference whose Err and whose every operation return the same
// [*Error], and nothing is sent. That error wraps [ErrMissingParam], [ErrExtraParam],
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

func (r KeyRef[T]) get() (c command[T]) {
	c.op, c.cmd, c.cacheable = &r.value().get, r.at.fetch(), true
	if r.at.m.def.config.whenDown == GiveDefault {
		c.down = r.value().defaultValue
	}
	return c
}

// Get returns the value, else the declared default, else an error that wraps [ErrNotFound] (GET, or
// GETEX with AutoRenew). A stored value that is not a T is [ErrDecode], a key of another Redis type
// [ErrWrongType]. While Redis is away, [WhenDown] can give the default.
func (r KeyRef[T]) Get(ctx context.Context) (T, error) { return call(ctx, r.at, r.get) }

// fetch makes the command that reads a whole string, and that renews the TTL if this is declared.
//
//nest:ttl renews
func (r address) fetch() rueidis.Completed {
	switch {
	case r.readsRenew():
		return r.b().Getex().Key(r.key).PxMilliseconds(r.m.ttl()).Build()
	case r.m.slotless:
		return r.b().Arbitrary("GET").Args(r.key).ReadOnly()
	}
	return r.b().Get().Key(r.key).Build()
}

func (r KeyRef[T]) lookup() command[found[T]] {
	return command[found[T]]{op: &r.value().lookup, cmd: r.at.fetch(), cacheable: true}
}

// Lookup returns the value and whether the key exists, without the default (GET, or GETEX with
// AutoRenew).
func (r KeyRef[T]) Lookup(ctx context.Context) (T, bool, error) {
	return both(call(ctx, r.at, r.lookup))
}

// Set writes the value and starts the declared TTL (SET). With [KeepTTL] the running TTL goes on;
// with [ExpireIn], [ExpireUntil] and [NoExpiry] the caller decides.
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

// setKeeping writes a value and keeps the expiry of the key, even if it has none. A new key gets
// the declared TTL.
var setKeeping = newScript(`if redis.call('EXISTS', KEYS[1]) == 1 then
	return redis.call('SET', KEYS[1], ARGV[1], 'KEEPTTL')
end
return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])`)

// SetIfAbsent writes the value only when the key does not exist, and reports whether it did (SET
// NX).
func (r KeyRef[T]) SetIfAbsent(ctx context.Context, v T, opts ...SetOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.setIf(&opSetIfAbsent, "NX", v, opts) })
}

// SetIfPresent writes the value only when the key exists, and reports whether it did (SET XX).
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

// Swap writes the value, starts the declared TTL and returns the old value and whether there was
// one (SET GET, Redis 6.2). The write stands even when the old value is not a T.
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

// exchange makes the command that writes a whole string and returns the old one.
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

// Take removes the key and returns its value and whether it existed (GETDEL, Redis 6.2). The key is
// removed even when the value is not a T.
func (r KeyRef[T]) Take(ctx context.Context) (T, bool, error) {
	return both(call(ctx, r.at, r.take))
}

// GetAndExpire returns the value and whether the key exists, without the default, and makes the key
// expire d from now (GETEX, Redis 6.2). d is at least a millisecond.
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

// Raw returns the stored bytes as they are (GET). The error wraps [ErrNotFound] when the key does
// not exist.
func (r KeyRef[T]) Raw(ctx context.Context) ([]byte, error) { return call(ctx, r.at, r.at.raw) }

//nest:ttl keeps
func (r KeyRef[T]) storedType() command[string] {
	return command[string]{op: &r.value().storedType, cmd: r.at.b().Get().Key(r.at.key).Build(), cacheable: true}
}

// StoredType returns the type of the stored value as its codec reports it, such as "datetime"
// (GET). When the codec does not store types and reads the value as the Go type of the key, it
// returns that, such as "int". With [codec.Versioned] the codec that wrote the value decides. The
// error wraps [ErrNotFound] when the key does not exist, whatever its default, and [ErrDecode] when
// the stored bytes are not a value of its codec.
func (r KeyRef[T]) StoredType(ctx context.Context) (string, error) {
	return call(ctx, r.at, r.storedType)
}

// Rename renames the value, with its remaining TTL, to another key of the same type, and reports
// whether it did (RENAMENX or RENAME). An existing target is left alone, unless [Replace] is given.
// A target declared with a TTL never ends up without one. Both keys must be in one slot, see
// [HashTag]; else the error wraps [ErrCrossSlot]. It wraps [ErrNotFound] when this key does not
// exist.
func (r KeyRef[T]) Rename(ctx context.Context, to KeyRef[T], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opRename, to.at, opts) })
}

// Copy copies the value, with its remaining TTL, to another key of the same type, and reports
// whether it did (COPY, Redis 6.2). An existing target is left alone, unless [Replace] is given. A
// target declared with a TTL never ends up without one. Both keys must be in one slot, see
// [HashTag]; else the error wraps [ErrCrossSlot]. It wraps [ErrNotFound] when this key does not
// exist.
func (r KeyRef[T]) Copy(ctx context.Context, to KeyRef[T], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opCopy, to.at, opts) })
}

var (
	opSet          = operation[struct{}]{"set", replyNone}
	opSetIfAbsent  = operation[bool]{"set if absent", replyDone}
	opSetIfPresent = operation[bool]{"set if present", replyDone}
	opRaw          = operation[[]byte]{"raw", replyDump}
)

// replyDone reads the reply of a conditional SET: OK or nil.
func replyDone(_ *mounted, a rueidis.RedisMessage) (bool, error) { return !a.IsNil(), nil }

func (r KeyRef[T]) encode(v T) (string, error) {
	text, err := r.value().typed.Encode(v)
	if err != nil {
		return "", encodeError(r.at.m, err)
	}
	return text, nil
}

// Update replaces the value with the result of change, and returns the new value. change is called
// with the value and whether the key exists. If the key does not exist, change gets the default or,
// without one, the zero value. The write happens only if no other client wrote in between;
// otherwise change runs again on the newer value, so it must be free of side effects. The write
// restarts the declared TTL.
//
// An error of change is returned as it is, and nothing is written. Update tries until its context
// ends; without a deadline it returns an error that wraps [ErrConflict] after 256 tries and 15
// seconds, whichever is later. When the context ends between two tries, the error wraps both
// ErrConflict and the context's own. A try succeeds if no other client writes the key during one
// round trip and the run of change. Most tries succeed even beside a client that writes the key
// every half millisecond.
//
// Update takes two round trips: one reads the value (GET), the other compares and sets it (GET and
// SET in one script). When a try loses, the script returns what the key holds now, and the next try
// uses that at once, in one round trip. If that try loses too, Update pauses for up to 20
// milliseconds and begins with a GET. For a key that is declared [Cached], Update first uses the
// value in the client's memory if there is one. One round trip is then enough if the server still
// holds that value. An error of change on a value from memory counts only if the server holds the
// same value, so Update then asks for it.
func (r KeyRef[T]) Update(ctx context.Context, change func(T, bool) (T, error)) (T, error) {
	return watched(ctx, r.at, "update", func(ctx context.Context) (T, error) {
		return revise(ctx, r.at, change, r.current, r.encode)
	})
}

// current decodes what the key holds, or returns what stands for a missing key.
func (r KeyRef[T]) current(now found[string]) (v T, err error) {
	switch {
	case now.ok:
		if v, err = r.value().typed.Decode(now.value); err != nil {
			err = decodeError(r.at.m, err)
		}
	case r.value().hasDefault:
		v, err = r.value().defaultValue()
	}
	return v, err
}
