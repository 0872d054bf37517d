package nest

import (
	"context"
	"reflect"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// Set writes the whole record and restarts the declared TTL (HSET, or HSET and HDEL in one script
// where fields are stored as none). With [KeepTTL] the running TTL goes on; with [ExpireIn],
// [ExpireUntil] and [NoExpiry] the caller decides. Without a declared TTL and without an option, an
// existing expiry of the key goes on.
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

// SetIfAbsent writes the whole record only if the key does not exist, and reports whether it did
// (EXISTS and HSET in one script). A record whose fields are all stored as none creates no key:
// SetIfAbsent then returns false, and nothing is sent.
func (r RecordRef[S]) SetIfAbsent(ctx context.Context, s S, opts ...SetOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.setIf(&opSetRecordIfAbsent, "0", &s, opts) })
}

// SetIfPresent writes the whole record only if the key exists, and reports whether it did (EXISTS
// and HSET in one script).
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
	if exists == "0" && len(pairs) == 0 {
		return skip(op)
	}
	return command[bool]{op: op, cmd: r.at.store(exists, r.at.expiryArgs(e, opts), pairs, gone)}
}

// SetFields writes the named fields of s and leaves the others as they are (HSET, or HSET and HDEL
// in one script where one is stored as none). A new key gets the declared TTL. A running TTL goes
// on; with AutoRenew it restarts. Without names nothing is sent.
func (r RecordRef[S]) SetFields(ctx context.Context, s S, fields ...string) error {
	_, err := call(ctx, r.at, func() command[struct{}] { return r.setFieldsOf(&opSetRecordFields, &s, fields) })
	return err
}

// UpdateFields is [RecordRef.SetFields] for a record that exists: if the key does not, the error
// wraps [ErrNotFound], and nothing is written (EXISTS and HSET in one script). So a session that
// was deleted meanwhile does not come back as a stub.
func (r RecordRef[S]) UpdateFields(ctx context.Context, s S, fields ...string) error {
	_, err := call(ctx, r.at, func() command[struct{}] { return r.updateFields(&s, fields) })
	return err
}

//nest:ttl changes
func (r RecordRef[S]) updateFields(s *S, fields []string) command[struct{}] {
	c := r.setFieldsOf(&opUpdateRecordFields, s, fields)
	if c.err == nil && !c.skip {
		c.cmd = r.at.ifExists(c.cmd)
	}
	return c
}

//nest:ttl starts
func (r RecordRef[S]) setFieldsOf(op *operation[struct{}], s *S, fields []string) command[struct{}] {
	if len(fields) == 0 {
		return skip(op)
	}
	pairs, gone, err := r.fieldsOf(s, fields)
	switch {
	case err != nil:
		return refuse(op, err)
	case len(gone) == 0:
		return command[struct{}]{op: op, cmd: r.at.write("HSET", pairs...)}
	}
	expiry := []string{"", "0"}
	if r.at.m.settings.ttl > 0 {
		expiry = []string{"start", millis(r.at.m.ttl())}
		if r.at.m.settings.autoRenew {
			expiry[0] = "PEXPIRE"
		}
	}
	return command[struct{}]{op: op, cmd: r.at.store("", expiry, pairs, gone)}
}

// fieldsOf encodes the named fields of a record, or all. It returns alternately names and values,
// and the names under which nothing is to be stored.
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

// storing writes fields (ARGV[4] arguments, names and values), removes the fields whose names
// follow, and sets the expiry ARGV[2] with the command ARGV[1]; "start" sets it only on a key
// without one. ARGV[3] says whether the key must exist (1) or must not (0).
var storing = newScript(starts + `if ARGV[3] ~= '' and redis.call('EXISTS', KEYS[1]) ~= tonumber(ARGV[3]) then return 0 end
local last, start, denied = 4 + ARGV[4]
if ARGV[1] == 'PERSIST' then
	denied = lacks('PERSIST', KEYS[1])
elseif ARGV[1] == 'start' then
	start, denied = starts(KEYS[1], ARGV[2])
elseif ARGV[1] ~= '' then
	denied = lacks(ARGV[1], KEYS[1], ARGV[2])
end
if #ARGV > last then denied = denied or lacks('HDEL', KEYS[1], ARGV[last + 1]) end
if denied then return denied end
if last > 4 then redis.call('HSET', KEYS[1], unpack(ARGV, 5, last)) end
if #ARGV > last then redis.call('HDEL', KEYS[1], unpack(ARGV, last + 1)) end
if ARGV[1] == 'PERSIST' then
	redis.call('PERSIST', KEYS[1])
elseif ARGV[1] == 'start' then
	if start then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
elseif ARGV[1] ~= '' then
	redis.call(ARGV[1], KEYS[1], ARGV[2])
end
return 1`)

// expiryArgs returns the first arguments of the script for an expiry.
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

// Incr adds by to a field that holds an integer and returns the sum (HINCRBY). A field that is not
// stored counts as 0, whatever its default. If the sum does not fit the field's type, the error
// wraps [ErrOverflow] and the field is unchanged. If the field's type is not an integer, the error
// wraps [ErrArgument]. [FieldTTL] is the expiry of a field that is new.
func (r RecordRef[S]) Incr(ctx context.Context, field string, by int64, opts ...FieldOption) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.incr(field, by, opts) })
}

func (r RecordRef[S]) incr(field string, by int64, opts []FieldOption) command[int64] {
	cmd, err := r.add(field, strconv.FormatInt(by, 10), false, opts)
	return command[int64]{op: &opIncrField, cmd: cmd, err: err}
}

// IncrFloat adds by to a field that holds a float and returns the sum, as [RecordRef.Incr] does for
// integers (HINCRBYFLOAT). The server rounds the sum to 17 digits after the decimal point.
func (r RecordRef[S]) IncrFloat(ctx context.Context, field string, by float64, opts ...FieldOption) (float64, error) {
	return call(ctx, r.at, func() command[float64] { return r.incrFloat(field, by, opts) })
}

func (r RecordRef[S]) incrFloat(field string, by float64, opts []FieldOption) command[float64] {
	cmd, err := r.add(field, strconv.FormatFloat(by, 'g', -1, 64), true, opts)
	return command[float64]{op: &opIncrFieldFloat, cmd: cmd, err: err}
}

func (r RecordRef[S]) add(field, by string, float bool, opts []FieldOption) (rueidis.Completed, error) {
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
		return rueidis.Completed{}, because(ErrArgument, `field "`+f.name+`", `+names.Article(f.typ.String())+", is not stored as "+names.Article(noun))
	}
	return r.at.increment(f.number, field, by, f.was, opts)
}

// DeleteFields removes the stored values of fields and reports whether there were any (HDEL).
// Removing the last field removes the key.
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

// allNames returns the present and former names of fields.
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

// ExpireFields lets fields live for d from now, at least a millisecond, and returns how many of
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

// ExpireFieldsAt lets fields live until t and returns how many of them are stored (HPEXPIREAT,
// Redis 7.4 or Valkey 9). A time in the past removes them. The zero time, a time before 1970, and a
// time after the year 9999 are [ErrArgument].
func (r RecordRef[S]) ExpireFieldsAt(ctx context.Context, t time.Time, fields ...string) (int64, error) {
	return call(ctx, r.at, func() command[int64] {
		names, err := r.allNames(fields)
		if err != nil {
			return refuse(&opExpireFieldsAt, err)
		}
		return r.at.expireFieldsAt(t, names)
	})
}

// PersistFields removes the expiry of fields and returns how many of them had one (HPERSIST, Redis
// 7.4 or Valkey 9).
func (r RecordRef[S]) PersistFields(ctx context.Context, fields ...string) (int64, error) {
	return call(ctx, r.at, func() command[int64] {
		names, err := r.allNames(fields)
		if err != nil {
			return refuse(&opPersistFields, err)
		}
		return r.at.persistFields(names)
	})
}

// Rename moves the record, with its remaining TTL, to another key of the same type (RENAMENX or
// RENAME). See [KeyRef.Rename] for an existing target and for the TTL. With secret fields it works
// as [SecretRef.Rename] does, and not in a batch.
//
//nest:batch rest
func (r RecordRef[S]) Rename(ctx context.Context, to RecordRef[S], opts ...WriteOption) (bool, error) {
	if r.at.secretive() || to.at.secretive() {
		return r.at.moveSecretFields(ctx, &opMoveFields, to.at, opts)
	}
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opRename, to.at, opts) })
}

// Copy copies the record, with its remaining TTL, to another key of the same type (COPY, Redis
// 6.2). See [KeyRef.Copy] for an existing target and for the TTL. With secret fields it works as
// [SecretRef.Copy] does, and not in a batch.
//
//nest:batch rest
func (r RecordRef[S]) Copy(ctx context.Context, to RecordRef[S], opts ...WriteOption) (bool, error) {
	if r.at.secretive() || to.at.secretive() {
		return r.at.moveSecretFields(ctx, &opCopyFields, to.at, opts)
	}
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opCopy, to.at, opts) })
}

var (
	opSetRecord          = operation[struct{}]{"set", replyNone}
	opSetRecordFields    = operation[struct{}]{"set fields", replyNone}
	opUpdateRecordFields = operation[struct{}]{"update fields", replyNone}
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
		return 0, errAnswer // it does not repeat the text
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
