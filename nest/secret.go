package nest

import (
	"context"
	"reflect"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/codec"
)

// SecretDef declares a key that holds one encrypted value of type T, as a Redis string.
type SecretDef[T any] struct {
	Declaration
}

// Secret declares a key that holds one value of type T, encrypted with the keyring that
// [WithKeyring] sets. Whoever reads Redis sees only the length of the value. Whoever writes to
// Redis can neither make up a value nor take one from another place. A value opens only as a
// secret, under the name of the key and with the codec that it was stored with. Another [Codec], or
// another [WithPrefix], therefore makes older values unreadable. [SecretRef.Rename] and
// [SecretRef.Copy] reseal the value. A secret moves to another codec by the steps of
// [codec.Versioned]: it also opens what the codec in Unversioned sealed.
//
// The [Default] is not encrypted: it is part of the program. Secret panics as [Key] does.
func Secret[T any](template string, opts ...KeyOption) *SecretDef[T] {
	d := &SecretDef[T]{}
	where := caller()
	constructor := d.declareFor(reflect.TypeFor[T](), d, KindSecret, "Secret", template, where, opts)
	var fallback T
	if d.config.hasDefault {
		var err error
		if fallback, err = fitDefault[T](d.config.def()); err != nil {
			where.refuse(constructor, template, err)
		}
	}
	d.bind = func(m *mounted) (any, error) { return bindSecret(m, fallback, d.config.hasDefault) }
	return d
}

// At returns the reference of the key below s; see [KeyDef.At] for args.
func (d *SecretDef[T]) At(s Scope, args ...any) SecretRef[T] {
	if d == nil {
		return SecretRef[T]{nilRef(s)}
	}
	return SecretRef[T]{d.ref(&s, args)}
}

// SecretRef is one key that holds an encrypted T, with all its parameters filled in.
//
// A read of a stored value that does not open returns [ErrOpen], never the stored bytes, the
// default or an empty value. What [Ref.Restore] and [Ref.Do] bring from another key does not open.
type SecretRef[T any] struct {
	Ref
}

// secretValue is what Open prepares for a key that holds an encrypted T.
type secretValue[T any] struct {
	*value[T]
	sealing
	// The ways to read an answer, made once.
	one           func(context.Context, address, rueidis.RedisMessage) (T, error)
	maybe, former func(context.Context, address, rueidis.RedisMessage) (found[T], error)
}

func bindSecret[T any](m *mounted, fallback T, hasDefault bool) (any, error) {
	o := &m.tree.options
	if o.sealer == nil && !o.namesOnly {
		return nil, because(ErrNoKeyring, "a secret needs the option WithKeyring")
	}
	v, err := bindValue(m, fallback, hasDefault)
	if err != nil {
		return nil, err
	}
	s := &secretValue[T]{
		value:   v.(*value[T]),
		sealing: sealing{o.sealer, KindSecret, codec.Names(m.settings.codec), textsOf(m, reflect.TypeFor[T]()), nil},
		one:     readSecret[T],
		maybe:   findSecret[T],
		former:  formerSecret[T],
	}
	if m.def.config.acceptPlain {
		s.sealing.plain = func(_, text string) error {
			_, err := s.decodeText(address{m: m}, text)
			return err
		}
	}
	return s, nil
}

func (r SecretRef[T]) secret() *secretValue[T] { return r.at.m.bound.(*secretValue[T]) }

func readSecret[T any](ctx context.Context, r address, a rueidis.RedisMessage) (v T, err error) {
	if found, err := findSecret[T](ctx, r, a); found.ok || err != nil {
		return found.value, err
	}
	if s := r.m.bound.(*secretValue[T]); s.hasDefault {
		return s.defaultValue()
	}
	return v, ErrNotFound
}

// findSecret reads what the key holds, if it exists.
func findSecret[T any](ctx context.Context, r address, a rueidis.RedisMessage) (found[T], error) {
	return openSecret[T](a, r, func(stored, plaintext string) { r.resealRead(ctx, stored, plaintext) })
}

// formerSecret reads what the key held before the command replaced or removed it.
func formerSecret[T any](_ context.Context, r address, a rueidis.RedisMessage) (found[T], error) {
	return openSecret[T](a, r, func(string, string) {})
}

func openSecret[T any](a rueidis.RedisMessage, r address, opened func(stored, plaintext string)) (found[T], error) {
	if a.IsNil() {
		return found[T]{}, nil
	}
	stored, err := a.ToString()
	if err != nil {
		return found[T]{}, errAnswer
	}
	s := r.m.bound.(*secretValue[T])
	plaintext, err := s.open(r.key, "", stored)
	if err != nil {
		return found[T]{}, err
	}
	opened(stored, plaintext)
	v, err := s.decodeText(r, plaintext)
	return found[T]{v, err == nil}, err
}

func (s *secretValue[T]) decodeText(r address, plaintext string) (T, error) {
	v, err := s.typed.Decode(plaintext)
	if err != nil {
		return v, decodeError(r.m, err)
	}
	return v, nil
}

func (r SecretRef[T]) encode(v T) (string, error) {
	s := r.secret()
	plaintext, err := s.typed.Encode(v)
	if err != nil {
		return "", encodeError(r.at.m, err)
	}
	return s.seal(r.at.key, "", plaintext)
}

func (r SecretRef[T]) get() command[T] {
	s := r.secret()
	return command[T]{op: &s.value.get, cmd: r.at.fetch(), keyed: s.one, cacheable: true}
}

// Get returns the value, else the declared default, else an error that wraps [ErrNotFound] (GET, or
// GETEX with AutoRenew). If the stored value does not open, even because it is not sealed at all,
// the error wraps [ErrOpen].
func (r SecretRef[T]) Get(ctx context.Context) (T, error) { return call(ctx, r.at, r.get) }

func (r SecretRef[T]) lookup() command[found[T]] {
	s := r.secret()
	return command[found[T]]{op: &s.value.lookup, cmd: r.at.fetch(), keyed: s.maybe, cacheable: true}
}

// Lookup returns the value and whether the key exists, without the default (GET, or GETEX with
// AutoRenew).
func (r SecretRef[T]) Lookup(ctx context.Context) (T, bool, error) {
	return both(call(ctx, r.at, r.lookup))
}

// Set seals and writes the value and starts the declared TTL (SET). With [KeepTTL] the running TTL
// goes on; with [ExpireIn], [ExpireUntil] and [NoExpiry] the caller decides. The value is sealed
// whatever it looks like, even like a sealed one.
func (r SecretRef[T]) Set(ctx context.Context, v T, opts ...SetOption) error {
	_, err := call(ctx, r.at, func() command[struct{}] { return r.set(v, opts) })
	return err
}

func (r SecretRef[T]) set(v T, opts []SetOption) command[struct{}] {
	text, err := r.encode(v)
	if err != nil {
		return refuse(&opSet, err)
	}
	return r.at.put(text, opts)
}

// SetIfAbsent writes the value only if the key does not exist, and reports whether it did (SET NX).
func (r SecretRef[T]) SetIfAbsent(ctx context.Context, v T, opts ...SetOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.setIf(&opSetIfAbsent, "NX", v, opts) })
}

// SetIfPresent writes the value only if the key exists, and reports whether it did (SET XX).
func (r SecretRef[T]) SetIfPresent(ctx context.Context, v T, opts ...SetOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.setIf(&opSetIfPresent, "XX", v, opts) })
}

func (r SecretRef[T]) setIf(op *operation[bool], condition string, v T, opts []SetOption) command[bool] {
	text, err := r.encode(v)
	if err != nil {
		return refuse(op, err)
	}
	return r.at.putIf(op, condition, text, opts)
}

// Swap writes the value, starts the declared TTL and returns the old value (SET GET, Redis 6.2).
// The new value is written even if the old one does not open.
func (r SecretRef[T]) Swap(ctx context.Context, v T) (old T, existed bool, err error) {
	return both(call(ctx, r.at, func() command[found[T]] { return r.swap(v) }))
}

func (r SecretRef[T]) swap(v T) command[found[T]] {
	s := r.secret()
	text, err := r.encode(v)
	if err != nil {
		return refuse(&s.value.swap, err)
	}
	return command[found[T]]{op: &s.value.swap, cmd: r.at.exchange(text), keyed: s.former}
}

//nest:ttl removes
func (r SecretRef[T]) take() command[found[T]] {
	s := r.secret()
	return command[found[T]]{op: &s.value.take, cmd: r.at.b().Getdel().Key(r.at.key).Build(), keyed: s.former}
}

// Take removes the key and returns the value that it held (GETDEL, Redis 6.2). The key is removed
// even if the value does not open.
func (r SecretRef[T]) Take(ctx context.Context) (T, bool, error) {
	return both(call(ctx, r.at, r.take))
}

// Update replaces the value with the result of change, as [KeyRef.Update] does (GET, then GET and
// SET in one script for each try).
func (r SecretRef[T]) Update(ctx context.Context, change func(T, bool) (T, error)) (T, error) {
	return watched(ctx, r.at, "update", func(ctx context.Context) (T, error) {
		return revise(ctx, r.at, change, r.current, r.encode)
	})
}

func (r SecretRef[T]) current(now found[string]) (v T, err error) {
	switch s := r.secret(); {
	case now.ok:
		plaintext, err := s.open(r.at.key, "", now.value)
		if err != nil {
			return v, err
		}
		return s.decodeText(r.at, plaintext)
	case s.hasDefault:
		return s.defaultValue()
	}
	return v, nil
}

// Raw returns the sealed bytes as they are stored (GET). The error wraps [ErrNotFound] if the key
// does not exist.
func (r SecretRef[T]) Raw(ctx context.Context) ([]byte, error) { return call(ctx, r.at, r.at.raw) }

// Rotate reseals the value if it is not sealed by the keyring's primary key, keeps its TTL, and
// reports whether it did. If another client writes the value meanwhile, Rotate does not overwrite
// it but tries again: until the context ends or, without a deadline, for 256 tries and 15 seconds.
// Then the error wraps [ErrConflict]. It wraps [ErrNotFound] if the key does not exist. It wraps
// [ErrOpen] if the value does not open, which leaves the value as it is. Commands: GET, then GET
// and SET KEEPTTL in one script for each try. The function [Rotate] does this for all keys of a
// scope.
func (r SecretRef[T]) Rotate(ctx context.Context) (bool, error) { return r.at.reseal(ctx) }

// Rename moves the value, with its remaining TTL, to another key of the same type, seals it for its
// new name, and reports whether it did. An existing target is left alone, unless [Replace] is
// given. A target declared with a TTL never ends up without one. The error wraps [ErrNotFound] if
// this key does not exist, [ErrOpen] if its value does not open, and [ErrConflict] if other clients
// keep writing it for as long as [SecretRef.Rotate] tries. Commands: GET, then SET and DEL in one
// script for each try.
func (r SecretRef[T]) Rename(ctx context.Context, to SecretRef[T], opts ...WriteOption) (bool, error) {
	return r.at.renameSealed(ctx, to.at, opts)
}

// Copy copies the value, with its remaining TTL, to another key of the same type, seals it for that
// key's name, and reports whether it did (GET, then SET in one script for each try). Otherwise it
// works as [SecretRef.Rename] does.
func (r SecretRef[T]) Copy(ctx context.Context, to SecretRef[T], opts ...WriteOption) (bool, error) {
	return r.at.copySealed(ctx, to.at, opts)
}
