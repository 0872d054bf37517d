package nest

import (
	"context"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// Set writes a field (HSET). A running expiry of the field ends, unless [FieldTTL] starts a new
// one.
func (r HashRef[V]) Set(ctx context.Context, field string, v V, opts ...FieldOption) error {
	_, err := call(ctx, r.at, func() command[struct{}] { return r.set(field, v, opts) })
	return err
}

// encode returns what is stored for the value of a field.
func (r HashRef[V]) encode(field string, v V) (string, error) {
	h := r.hash()
	text, err := h.encode(r.at.m, v)
	if err != nil || h.secrets == nil {
		return text, err
	}
	return h.secrets.cover(r.at, field, text)
}

//nest:ttl starts
func (r HashRef[V]) set(field string, v V, opts []FieldOption) command[struct{}] {
	text, err := r.encode(field, v)
	if err != nil {
		return refuse(&opSetField, atField(field, err))
	}
	o, err := r.at.fieldOptions(opts)
	var cmd rueidis.Completed
	switch {
	case err != nil:
		return refuse(&opSetField, err)
	case o.ttl > 0:
		cmd = r.at.setFields(false, o.ttl, []string{field, text})
	case r.at.m.settings.ttl > 0:
		cmd = r.at.write("HSET", field, text)
	default:
		cmd = r.at.b().Hset().Key(r.at.key).FieldValue().FieldValue(field, text).Build()
	}
	return command[struct{}]{op: &opSetField, cmd: o.apply(r.at, cmd)}
}

// SetMany writes several fields in one atomic step (HSET). Nothing is sent for an empty map.
func (r HashRef[V]) SetMany(ctx context.Context, fields map[string]V, opts ...FieldOption) error {
	_, err := call(ctx, r.at, func() command[struct{}] { return r.setMany(fields, opts) })
	return err
}

//nest:ttl starts
func (r HashRef[V]) setMany(fields map[string]V, opts []FieldOption) command[struct{}] {
	if len(fields) == 0 {
		return skip(&opSetMany)
	}
	pairs := make([]string, 0, 2*len(fields))
	for name, v := range fields {
		text, err := r.encode(name, v)
		if err != nil {
			return refuse(&opSetMany, atField(name, err))
		}
		pairs = append(pairs, name, text)
	}
	o, err := r.at.fieldOptions(opts)
	var cmd rueidis.Completed
	switch {
	case err != nil:
		return refuse(&opSetMany, err)
	case o.ttl > 0:
		cmd = r.at.setFields(false, o.ttl, pairs)
	case o.ifExists && len(pairs) > bulkSize:
		cmd = r.at.inOneStep("HSET", joinSum, nil, pairs)
	default:
		cmd = r.at.writeMany("HSET", joinSum, nil, pairs)
	}
	return command[struct{}]{op: &opSetMany, cmd: o.apply(r.at, cmd)}
}

// SetIfAbsent writes a field only when it does not exist, and reports whether it did (HSETNX).
func (r HashRef[V]) SetIfAbsent(ctx context.Context, field string, v V, opts ...FieldOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.setIfAbsent(field, v, opts) })
}

func (r HashRef[V]) setIfAbsent(field string, v V, opts []FieldOption) command[bool] {
	text, err := r.encode(field, v)
	if err != nil {
		return refuse(&opSetFieldIfAbsent, atField(field, err))
	}
	o, err := r.at.fieldOptions(opts)
	var cmd rueidis.Completed
	switch {
	case err != nil:
		return refuse(&opSetFieldIfAbsent, err)
	case o.ttl > 0:
		cmd = r.at.setFields(true, o.ttl, []string{field, text})
	default:
		cmd = r.at.write("HSETNX", field, text)
	}
	return command[bool]{op: &opSetFieldIfAbsent, cmd: o.apply(r.at, cmd)}
}

// Incr adds by to a field and returns the sum; a field that does not exist counts as 0 (HINCRBY, or
// HINCRBYFLOAT when V is a float). The error wraps [ErrOverflow], and the field is unchanged, when
// the sum does not fit V. It wraps [ErrDecode] when the field holds no number, and [ErrArgument]
// when V is not a number that the codec stores in decimal, the field is secret, or by is NaN or
// infinite. A running expiry of the field goes on; [FieldTTL] is the expiry of a field that is new.
// The server rounds a float to 17 decimals after the point.
func (r HashRef[V]) Incr(ctx context.Context, field string, by V, opts ...FieldOption) (V, error) {
	return call(ctx, r.at, func() command[V] { return r.add(&r.hash().incr, field, by, false, opts) })
}

// Decr subtracts by from a field and returns the difference; otherwise it is like [HashRef.Incr]
// (HINCRBY, or HINCRBYFLOAT when V is a float).
func (r HashRef[V]) Decr(ctx context.Context, field string, by V, opts ...FieldOption) (V, error) {
	return call(ctx, r.at, func() command[V] { return r.add(&r.hash().decr, field, by, true, opts) })
}

func (r HashRef[V]) add(op *operation[V], field string, by V, negative bool, opts []FieldOption) command[V] {
	h := r.hash()
	if h.secrets.covers(field) {
		return refuse(op, errSecretSum)
	}
	if h.number.command == "" {
		return refuse(op, because(ErrArgument, "codec "+r.at.m.settings.codec.Name()+" does not store "+names.Article(r.at.m.def.goType)+" as a decimal number"))
	}
	text, err := h.encode(r.at.m, by)
	if err != nil {
		return refuse(op, err)
	}
	if negative {
		text = negated(text)
	}
	cmd, err := r.at.increment(h.number, field, text, nil, opts)
	if err != nil {
		return refuse(op, err)
	}
	return command[V]{op: op, cmd: cmd}
}

// DeleteFields removes fields and returns the number of those that existed (HDEL). Removing the
// last field removes the key.
func (r HashRef[V]) DeleteFields(ctx context.Context, fields ...string) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.at.deleteFields(fields) })
}

func (r address) deleteFields(fields []string) command[int64] {
	if len(fields) == 0 {
		return skip(&opDeleteFields)
	}
	return command[int64]{op: &opDeleteFields, cmd: r.modifyMany("HDEL", joinSum, nil, fields)}
}

// Take removes a field and returns its value and whether it existed (HMGET and HDEL in one script).
// The field is removed even when its value is not a V.
func (r HashRef[V]) Take(ctx context.Context, field string) (V, bool, error) {
	return both(call(ctx, r.at, func() command[found[V]] { return r.take(field) }))
}

func (r HashRef[V]) take(field string) command[found[V]] {
	h := r.hash()
	c := command[found[V]]{op: &h.take, cmd: r.at.takeFields([]string{field})}
	if h.secrets != nil {
		c.keyed = unsealedTaken(h, readTaken[V], field)
	}
	return c
}

// TakeMany removes fields and returns their values, in the same order (HMGET and HDEL in one
// script).
func (r HashRef[V]) TakeMany(ctx context.Context, fields ...string) ([]Optional[V], error) {
	return call(ctx, r.at, func() command[[]Optional[V]] { return r.takeMany(fields) })
}

func (r HashRef[V]) takeMany(fields []string) command[[]Optional[V]] {
	h := r.hash()
	if len(fields) == 0 {
		return skip(&h.takeMany)
	}
	c := command[[]Optional[V]]{op: &h.takeMany, cmd: r.at.takeFields(fields)}
	if h.secrets != nil {
		c.keyed = unsealedTaken(h, readOptionals[V], fields...)
	}
	return c
}

// taking reads fields and removes them, in parts that fit on Lua's stack. ARGV[1] is the TTL to
// restart, or 0.
var taking = newScript(asking + `local taken = {}
local denied = lacks('HDEL', KEYS[1], ARGV[3]) or ARGV[1] ~= '0' and lacks('PEXPIRE', KEYS[1], ARGV[1])
if denied then return denied end
for from = 3, #ARGV, tonumber(ARGV[2]) do
	local fields = {unpack(ARGV, from, math.min(from + ARGV[2] - 1, #ARGV))}
	for i, value in ipairs(redis.call('HMGET', KEYS[1], unpack(fields))) do taken[from - 3 + i] = value end
	redis.call('HDEL', KEYS[1], unpack(fields))
end
if ARGV[1] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return taken`)

//nest:ttl changes
func (r address) takeFields(fields []string) rueidis.Completed {
	ttl := int64(0)
	if r.renews() {
		ttl = r.m.ttl()
	}
	return r.b().Arbitrary(evalSHA, taking.sha, "1").Keys(r.key).Args(millis(ttl), millis(bulkSize)).Args(fields...).Build()
}

// Rename renames the hash, with its remaining TTL, to another key of the same type (RENAMENX or
// RENAME). See [KeyRef.Rename] for an existing target and for the TTL. With [SecretFields] it works
// like [SecretRef.Rename], and a field that is secret in this hash must be secret in the target.
//
//nest:batch rest
func (r HashRef[V]) Rename(ctx context.Context, to HashRef[V], opts ...WriteOption) (bool, error) {
	if r.at.secretive() || to.at.secretive() {
		return r.at.moveSecretFields(ctx, &opMoveFields, to.at, opts)
	}
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opRename, to.at, opts) })
}

// Copy copies the hash, with its remaining TTL, to another key of the same type (COPY, Redis 6.2).
// See [KeyRef.Copy] for an existing target and for the TTL. With [SecretFields] it works like
// [HashRef.Rename].
//
//nest:batch rest
func (r HashRef[V]) Copy(ctx context.Context, to HashRef[V], opts ...WriteOption) (bool, error) {
	if r.at.secretive() || to.at.secretive() {
		return r.at.moveSecretFields(ctx, &opCopyFields, to.at, opts)
	}
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opCopy, to.at, opts) })
}

// ExpireFields makes fields expire d from now, at least a millisecond, and returns the number of
// those that exist (HPEXPIRE, Redis 7.4 or Valkey 9). The error wraps [ErrUnsupported] on an older
// server.
func (r HashRef[V]) ExpireFields(ctx context.Context, d time.Duration, fields ...string) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.at.expireFields(d, fields) })
}

// ExpireFieldsIf is [HashRef.ExpireFields] with a condition on each field's own expiry, and returns
// the number of fields whose expiry was set (HPEXPIRE NX, XX, GT or LT, Redis 7.4 or Valkey 9).
func (r HashRef[V]) ExpireFieldsIf(ctx context.Context, d time.Duration, condition ExpireCondition, fields ...string) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.at.expireFieldsIf(d, condition, fields) })
}

// ExpireFieldsAt makes fields expire at t and returns the number of those that exist (HPEXPIREAT,
// Redis 7.4 or Valkey 9). A time in the past removes them. The zero time, one before 1970 and one
// after the year 9999 are [ErrArgument].
func (r HashRef[V]) ExpireFieldsAt(ctx context.Context, t time.Time, fields ...string) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.at.expireFieldsAt(t, fields) })
}

// PersistFields removes the expiry of fields, even a declared one, and returns the number of those
// that had one (HPERSIST, Redis 7.4 or Valkey 9).
func (r HashRef[V]) PersistFields(ctx context.Context, fields ...string) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.at.persistFields(fields) })
}

// FieldTTL returns the remaining time to live of a field, [Forever] when it has no expiry of its
// own (HPTTL, Redis 7.4 or Valkey 9). The error wraps [ErrNotFound] when the field does not exist.
func (r HashRef[V]) FieldTTL(ctx context.Context, field string) (time.Duration, error) {
	return call(ctx, r.at, func() command[time.Duration] { return r.at.leftOfField(field) })
}

// FieldExpireTime returns the time at which a field expires, the zero time when it has no expiry of
// its own (HPEXPIRETIME, Redis 7.4 or Valkey 9). The error wraps [ErrNotFound] when the field does
// not exist.
func (r HashRef[V]) FieldExpireTime(ctx context.Context, field string) (time.Time, error) {
	return call(ctx, r.at, func() command[time.Time] { return r.at.endOfField(field) })
}

// GetAndExpire returns the values of fields as [HashRef.GetMany] does, and makes them expire d from
// now (HGETEX, Redis 8.0 or Valkey 9).
func (r HashRef[V]) GetAndExpire(ctx context.Context, d time.Duration, fields ...string) ([]Optional[V], error) {
	return call(ctx, r.at, func() command[[]Optional[V]] { return r.getAndExpire(d, fields) })
}

func (r HashRef[V]) getAndExpire(d time.Duration, fields []string) command[[]Optional[V]] {
	h := r.hash()
	if len(fields) == 0 {
		return skip(&h.manyRenewed)
	}
	if d < time.Millisecond {
		return refuse(&h.manyRenewed, noFieldExpiry(d))
	}
	fixed := []string{"PX", millis(d.Milliseconds()), "FIELDS", millis(int64(len(fields)))}
	c := command[[]Optional[V]]{op: &h.manyRenewed, cmd: r.at.modify("HGETEX", append(fixed, fields...)...)}
	if h.secrets != nil {
		c.keyed = unsealed(h, readOptionals[V], fields...)
	}
	return c
}

var (
	opSetField         = operation[struct{}]{"set", replyNone}
	opSetMany          = operation[struct{}]{"set many", replyNone}
	opSetFieldIfAbsent = operation[bool]{"set if absent", replyBool}
	opDeleteFields     = operation[int64]{"delete fields", replyInt}
)
