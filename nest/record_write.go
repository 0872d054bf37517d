package nest

import (
	"context"
	"reflect"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// Set writes the whole record and restarts the declared TTL (HSET, or HSET and HDEL in one script
// where fields are stored as none). With [KeepTTL] the running one goes on, with [ExpireIn],
// [ExpireUntil] and [NoExpiry] the caller decides. Without a declared TTL and an option, an
// expiry that the key has goes on.
func (r RecordRef[S]) Set(ctx context.Context, s S, opts ...SetOption) error {
	_, err := call(ctx, r.at, func() command[struct{}] { return r.set(&s, opts) })
	return err
}

//nest:ttl restarts
func (r RecordRef[S]) set(s *S, opts []SetOption) command[struct{}] {
	pairs, gone, err := r.fieldsOf(s, nil)
	if err != nil {
		return refuse(&opSetRecord, err)
	}
	if len(opts) == 0 && len(gone) == 0 && r.at.m.settings.ttl == 0 {
		return command[struct{}]{op: &opSetRecord, cmd: r.at.b().Arbitrary("HSET").Keys(r.at.key).Args(pairs...).Build()}
	}
	e, err := r.at.expiry(opts)
	if err != nil {
		return refuse(&opSetRecord, err)
	}
	return command[struct{}]{op: &opSetRecord, cmd: r.at.store("", r.at.expiryArgs(e, opts), pairs, gone)}
}

// SetIfAbsent writes the whole record only when the key does not exist, and tells whether it
// did (EXISTS and HSET in one script).
func (r RecordRef[S]) SetIfAbsent(ctx context.Context, s S, opts ...SetOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.setIf(&opSetRecordIfAbsent, "0", &s, opts) })
}

// SetIfPresent writes the whole record only when the key exists, and tells whether it did
// (EXISTS and HSET in one script).
func (r RecordRef[S]) SetIfPresent(ctx context.Context, s S, opts ...SetOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.setIf(&opSetRecordIfPresent, "1", &s, opts) })
}

//nest:ttl restarts
func (r RecordRef[S]) setIf(op *operation[bool], exists string, s *S, opts []SetOption) command[bool] {
	pairs, gone, err := r.fieldsOf(s, nil)
	if err != nil {
		return refuse(op, err)
	}
	e, err := r.at.expiry(opts)
	if err != nil {
		return refuse(op, err)
	}
	return command[bool]{op: op, cmd: r.at.store(exists, r.at.expiryArgs(e, opts), pairs, gone)}
}

// SetFields writes the named fields of s and leaves the others as they are (HSET, or HSET and
// HDEL in one script where one is stored as none). A new key gets the declared TTL, a running one goes
// on; AutoRenew restarts it. Without names nothing is sent.
func (r RecordRef[S]) SetFields(ctx context.Context, s S, fields ...string) error {
	_, err := call(ctx, r.at, func() command[struct{}] { return r.setFieldsOf(&s, fields) })
	return err
}

//nest:ttl starts
func (r RecordRef[S]) setFieldsOf(s *S, fields []string) command[struct{}] {
	if len(fields) == 0 {
		return skip(&opSetRecordFields)
	}
	pairs, gone, err := r.fieldsOf(s, fields)
	switch {
	case err != nil:
		return refuse(&opSetRecordFields, err)
	case len(gone) == 0:
		return command[struct{}]{op: &opSetRecordFields, cmd: r.at.write("HSET", pairs...)}
	}
	expiry := []string{"", "0"}
	if r.at.m.settings.ttl > 0 {
		expiry = []string{"start", millis(r.at.m.ttl())}
		if r.at.m.settings.autoRenew {
			expiry[0] = "PEXPIRE"
		}
	}
	return command[struct{}]{op: &opSetRecordFields, cmd: r.at.store("", expiry, pairs, gone)}
}

// fieldsOf encodes the named fields of a record, or all: names and values by turns, and the
// names under which nothing is to be stored.
func (r RecordRef[S]) fieldsOf(s *S, names []string) (pairs, gone []string, err error) {
	rec, v := r.record(), reflect.ValueOf(s).Elem()
	add := func(f *boundField) error {
		text, ok, err := f.encode(r.at.m, v)
		if err == nil && ok && f.secret {
			if text, err = rec.secrets.seal(r.at.key, f.name, text); err != nil {
				err = atField(f.name, err)
			}
		}
		switch {
		case err != nil:
			return err
		case ok:
			pairs = append(pairs, f.name, text)
		default:
			gone = append(gone, f.name)
		}
		gone = append(gone, f.was...)
		return nil
	}
	size := len(names)
	if names == nil {
		size = len(rec.bound)
	}
	pairs = make([]string, 0, 2*size)
	if names == nil {
		for i := range rec.bound {
			if err := add(&rec.bound[i]); err != nil {
				return nil, nil, err
			}
		}
	}
	for _, name := range names {
		f, err := rec.field(name)
		if err == nil {
			err = add(f)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return pairs, gone, nil
}

// storing writes fields (ARGV[4] arguments, names and values), removes those that follow and
// sets the expiry ARGV[2] by the command ARGV[1], "start" only on a key without one. ARGV[3]
// tells whether the key must exist (1) or must not (0).
var storing = newScript(`if ARGV[3] ~= '' and redis.call('EXISTS', KEYS[1]) ~= tonumber(ARGV[3]) then return 0 end
local last = 4 + ARGV[4]
if last > 4 then redis.call('HSET', KEYS[1], unpack(ARGV, 5, last)) end
if #ARGV > last then redis.call('HDEL', KEYS[1], unpack(ARGV, last + 1)) end
if ARGV[1] == 'PERSIST' then
	redis.call('PERSIST', KEYS[1])
elseif ARGV[1] == 'start' then
	if redis.call('PTTL', KEYS[1]) == -1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
elseif ARGV[1] ~= '' then
	redis.call(ARGV[1], KEYS[1], ARGV[2])
end
return 1`)

// expiryArgs gives the first arguments of the script for an expiry.
func (r address) expiryArgs(e expiry, opts []SetOption) []string {
	switch {
	case e.mode == expireKeep && r.m.settings.ttl > 0:
		return []string{"start", millis(r.m.ttl())}
	case e.mode == expireUntil:
		return []string{"PEXPIREAT", millis(e.ms)}
	case e.mode == expireIn:
		return []string{"PEXPIRE", millis(e.ms)}
	case e.mode == expireNever && len(opts) > 0:
		return []string{"PERSIST", "0"}
	}
	return []string{"", "0"}
}

func (r address) store(exists string, expiry, pairs, gone []string) rueidis.Completed {
	return r.b().Arbitrary(evalSHA, storing.sha, "1").Keys(r.key).
		Args(expiry...).Args(exists, strconv.Itoa(len(pairs))).Args(pairs...).Args(gone...).Build()
}

// Incr adds by to a field that holds an integer and gives the sum (HINCRBY). A field that is not
// stored counts as 0, whatever its default. The error wraps [ErrOverflow], and the field is
// unchanged, when the sum is none of the field's type; [ErrArgument] when that is no integer.
func (r RecordRef[S]) Incr(ctx context.Context, field string, by int64) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.incr(field, by) })
}

func (r RecordRef[S]) incr(field string, by int64) command[int64] {
	cmd, err := r.add(field, strconv.FormatInt(by, 10), false)
	return command[int64]{op: &opIncrField, cmd: cmd, err: err}
}

// IncrFloat adds by to a field that holds a float and gives the sum, as [RecordRef.Incr] does
// for integers (HINCRBYFLOAT).
func (r RecordRef[S]) IncrFloat(ctx context.Context, field string, by float64) (float64, error) {
	return call(ctx, r.at, func() command[float64] { return r.incrFloat(field, by) })
}

func (r RecordRef[S]) incrFloat(field string, by float64) command[float64] {
	cmd, err := r.add(field, strconv.FormatFloat(by, 'g', -1, 64), true)
	return command[float64]{op: &opIncrFieldFloat, cmd: cmd, err: err}
}

func (r RecordRef[S]) add(field, by string, float bool) (rueidis.Completed, error) {
	f, err := r.record().field(field)
	if err != nil {
		return rueidis.Completed{}, err
	}
	if f.secret {
		return rueidis.Completed{}, atField(f.name, errSecretSum)
	}
	if f.number.command == "" || f.number.float != float {
		noun := "integer"
		if float {
			noun = "float"
		}
		return rueidis.Completed{}, because(ErrArgument, `field "`+f.name+`", `+article(f.typ.String())+", is not stored as "+article(noun))
	}
	return r.at.increment(f.number, field, by, f.was)
}

// DeleteFields removes the stored values of fields and tells whether there were any (HDEL). The
// key is gone with its last field.
func (r RecordRef[S]) DeleteFields(ctx context.Context, fields ...string) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.deleteFieldsOf(fields) })
}

func (r RecordRef[S]) deleteFieldsOf(fields []string) command[bool] {
	if len(fields) == 0 {
		return skip(&opDeleteRecordFields)
	}
	names, err := r.allNames(fields)
	if err != nil {
		return refuse(&opDeleteRecordFields, err)
	}
	return command[bool]{op: &opDeleteRecordFields, cmd: r.at.modify("HDEL", names...)}
}

// allNames gives the names that fields have and had.
func (r RecordRef[S]) allNames(fields []string) ([]string, error) {
	names := make([]string, 0, len(fields))
	for _, name := range fields {
		f, err := r.record().field(name)
		if err != nil {
			return nil, err
		}
		names = append(append(names, f.name), f.was...)
	}
	return names, nil
}

// ExpireFields lets fields live for d from now, at least a millisecond, and tells how many of
// them are stored (HPEXPIRE, Redis 7.4 or Valkey 9). The next write of a field ends its expiry.
func (r RecordRef[S]) ExpireFields(ctx context.Context, d time.Duration, fields ...string) (int64, error) {
	return call(ctx, r.at, func() command[int64] {
		names, err := r.allNames(fields)
		if err != nil {
			return refuse(&opExpireFields, err)
		}
		return r.at.expireFields(d, names)
	})
}

// ExpireFieldsAt lets fields live until t and tells how many of them are stored (HPEXPIREAT, Redis
// 7.4 or Valkey 9). A time in the past removes them; the zero time, and one before 1970,
// is [ErrArgument].
func (r RecordRef[S]) ExpireFieldsAt(ctx context.Context, t time.Time, fields ...string) (int64, error) {
	return call(ctx, r.at, func() command[int64] {
		names, err := r.allNames(fields)
		if err != nil {
			return refuse(&opExpireFieldsAt, err)
		}
		return r.at.expireFieldsAt(t, names)
	})
}

// PersistFields takes the expiry of fields away and tells how many of them had one (HPERSIST,
// Redis 7.4 or Valkey 9).
func (r RecordRef[S]) PersistFields(ctx context.Context, fields ...string) (int64, error) {
	return call(ctx, r.at, func() command[int64] {
		names, err := r.allNames(fields)
		if err != nil {
			return refuse(&opPersistFields, err)
		}
		return r.at.persistFields(names)
	})
}

// Rename gives the record, with its remaining TTL, to another key of the same type; what it
// does with an existing target and with the TTL, [KeyRef.Rename] tells (RENAMENX or RENAME). With
// secret fields it is as [SecretRef.Rename], and not in a batch.
func (r RecordRef[S]) Rename(ctx context.Context, to RecordRef[S], opts ...WriteOption) (bool, error) {
	if r.at.secretive() || to.at.secretive() {
		return r.at.moveSecretFields(ctx, &opMoveFields, to.at, opts)
	}
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opRename, to.at, opts) })
}

// Copy writes the record, with its remaining TTL, to another key of the same type too; what it
// does with an existing target and with the TTL, [KeyRef.Copy] tells (COPY, Redis 6.2). With
// secret fields it is as [SecretRef.Copy], and not in a batch.
func (r RecordRef[S]) Copy(ctx context.Context, to RecordRef[S], opts ...WriteOption) (bool, error) {
	if r.at.secretive() || to.at.secretive() {
		return r.at.moveSecretFields(ctx, &opCopyFields, to.at, opts)
	}
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opCopy, to.at, opts) })
}

var (
	opSetRecord          = operation[struct{}]{"set", replyNone}
	opSetRecordFields    = operation[struct{}]{"set fields", replyNone}
	opSetRecordIfAbsent  = operation[bool]{"set if absent", replyBool}
	opSetRecordIfPresent = operation[bool]{"set if present", replyBool}
	opDeleteRecordFields = operation[bool]{"delete fields", replyBool}
	opIncrField          = operation[int64]{"incr", replyIntSum}
	opIncrFieldFloat     = operation[float64]{"incr float", replyFloatSum}
)

func replyIntSum(_ *mounted, a rueidis.RedisMessage) (int64, error) {
	text, err := sumText(a)
	if err != nil {
		return 0, errAnswer
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, errAnswer // which does not repeat the text
	}
	return n, nil
}

func replyFloatSum(_ *mounted, a rueidis.RedisMessage) (float64, error) {
	text, err := sumText(a)
	if err != nil {
		return 0, errAnswer
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, errAnswer
	}
	return f, nil
}
