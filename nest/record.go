package nest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// RecordDef declares a key that holds a struct of type S, as a Redis hash.
type RecordDef[S any] struct {
	Declaration
}

// Record declares a key that holds a struct. Each exported field of the struct is a field of a
// Redis hash, encoded by the key's codec. Fields can be read, written and added to on their own.
//
//	type Account struct {
//		Name    string    `nest:"name"`
//		Plan    string    `nest:"plan,default=free"`
//		Credit  int64     `nest:"credit"`
//		Email   *string   `nest:"mail,was=email"`
//		Seen    time.Time `nest:"seen,omitzero"`
//		APIKey  string    `nest:"api_key,secret"`
//		Session *Session  `nest:"-"`
//	}
//
// A field is stored under the name in its tag, or else under its own name. "-" leaves it out. A nil
// pointer is stored as no field, and so is a zero value with "omitzero" (as in encoding/json, an
// IsZero method decides). The fields of an embedded struct without a tag count as the record's own.
//
// The value of a field with "secret" is encrypted with the keyring that [WithKeyring] sets, as
// [SecretFields] does for a hash.
//
// A field that an old record lacks is read as its "default=" (strings, numbers, booleans; not
// written), or else as the zero value. A renamed field is found under its former name, "was=",
// which may be given several times, newest first; the next write of the field moves it. Fields of
// the hash that the struct does not have are neither read nor changed. Redis keeps no empty hash: a
// record exists as long as one of its fields does.
//
// Record panics, with the file and line of the call, on a malformed template, option or tag, on an
// S that is not a struct, on two fields of one name, and on a [Default] that is not an S.
func Record[S any](template string, opts ...KeyOption) *RecordDef[S] {
	d := &RecordDef[S]{}
	where := caller()
	typ := reflect.TypeFor[S]()
	constructor := d.declareFor(typ, d, KindRecord, "Record", template, where, opts)
	fields, err := compileRecord(typ)
	if err != nil {
		where.refuse(constructor, template, err)
	}
	var fallback S
	if d.config.hasDefault {
		if fallback, err = fitDefault[S](d.config.def()); err != nil {
			where.refuse(constructor, template, err)
		}
	}
	d.bind = func(m *mounted) (any, error) { return bindRecord(m, fields, &fallback) }
	return d
}

// At returns the reference of the key below s; see [KeyDef.At] for args.
func (d *RecordDef[S]) At(s Scope, args ...any) RecordRef[S] {
	if d == nil {
		return RecordRef[S]{nilRef(s)}
	}
	return RecordRef[S]{d.ref(&s, args)}
}

// RecordRef is one key that holds a struct, with all its parameters filled in.
//
// Methods take the names of fields as they are stored: the name in the tag, or without one the Go
// name. A name that no field has is [ErrArgument].
type RecordRef[S any] struct {
	Ref
}

// record is what Open prepares for a key that holds an S.
type record[S any] struct {
	*recordFields
	bound    []boundField
	fallback []found[string] // the default's fields, encoded; nil without a default
	secrets  *secretFields

	get       operation[S]
	lookup    operation[found[S]]
	getFields operation[S]
	// The ways to read an answer that holds secret fields, made once; nil without such fields.
	whole, some func(context.Context, address, rueidis.RedisMessage) (S, error)
	maybe       func(context.Context, address, rueidis.RedisMessage) (found[S], error)
}

func bindRecord[S any](m *mounted, fields *recordFields, fallback *S) (any, error) {
	r := &record[S]{
		recordFields: fields,
		get:          operation[S]{"get", replyRecord[S]},
		lookup:       operation[found[S]]{"lookup", replyFoundRecord[S]},
		getFields:    operation[S]{"get fields", replyRecordFields[S]},
	}
	var errs []error
	for i := range fields.fields {
		f, err := bindField(&fields.fields[i], m.settings.codec)
		errs = append(errs, err)
		r.bound = append(r.bound, f)
	}
	if names := fields.secretNames(); names != nil {
		var err error
		r.secrets, err = bindSecretFields(m, names)
		errs = append(errs, err)
		r.whole, r.some, r.maybe = unsealedRecord(readRecord[S]), unsealedRecord(readRecordFields[S]), unsealedRecord(readFoundRecord[S])
	}
	if m.def.config.acceptPlain {
		if r.secrets == nil {
			errs = append(errs, errNothingPlain)
		} else {
			r.secrets.plain = func(field, text string) error {
				var s S
				return r.bound[r.places[field].field].decode(m, reflect.ValueOf(&s).Elem(), text)
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if !m.def.config.hasDefault {
		return r, nil
	}
	r.fallback = make([]found[string], len(r.bound))
	for i := range r.bound {
		text, ok, err := r.bound[i].encode(m, reflect.ValueOf(fallback).Elem())
		if err == nil && ok {
			var s S
			err = r.bound[i].decode(m, reflect.ValueOf(&s).Elem(), text)
		}
		if err != nil {
			return nil, fmt.Errorf("field %s of the default cannot be stored and read back with codec %s", r.bound[i].goName, m.settings.codec.Name())
		}
		r.fallback[i] = found[string]{text, ok}
	}
	return r, nil
}

func (r *record[S]) secretFieldsOf() *secretFields { return r.secrets }

func (r RecordRef[S]) record() *record[S] { return r.at.m.bound.(*record[S]) }

// Get returns the whole record, else the declared default, else an error that wraps [ErrNotFound]
// (HMGET). If a field cannot be decoded, the error wraps [ErrDecode] and names the field.
func (r RecordRef[S]) Get(ctx context.Context) (S, error) { return call(ctx, r.at, r.get) }

func (r RecordRef[S]) get() command[S] {
	return command[S]{op: &r.record().get, cmd: r.fetch(), cacheable: true, fixed: true, keyed: r.record().whole}
}

//nest:ttl renews
func (r RecordRef[S]) fetch() rueidis.Completed {
	if r.at.readsRenew() {
		return r.at.read("HMGET", r.record().names...)
	}
	return r.at.b().Hmget().Key(r.at.key).Field(r.record().names...).Build()
}

// Lookup returns the whole record and whether it exists, without the default (HMGET).
func (r RecordRef[S]) Lookup(ctx context.Context) (S, bool, error) {
	return both(call(ctx, r.at, r.lookup))
}

func (r RecordRef[S]) lookup() command[found[S]] {
	return command[found[S]]{op: &r.record().lookup, cmd: r.fetch(), cacheable: true, fixed: true, keyed: r.record().maybe}
}

// GetFields returns a record in which only the named fields are read; the others are zero. If the
// record does not exist, the fields are those of the declared default, else the error wraps
// [ErrNotFound] (HMGET, in a script). As for [RecordRef.Get], a record exists if any of its fields
// does, whether named or not. A hash that has only foreign fields holds no record.
func (r RecordRef[S]) GetFields(ctx context.Context, fields ...string) (S, error) {
	return call(ctx, r.at, func() command[S] { return r.getFields(fields) })
}

// selecting returns 1 and names and values, nil for what is not there. Without a record it returns
// 0 and the names. ARGV[1] is the TTL to be restarted, or 0. ARGV[2] is the number of the names
// that follow. ARGV[3] is the number of the record's other names, which come after them; they show
// whether the record exists if none of the first names do.
var selecting = newScript(`local last, others, exists = 3 + ARGV[2], tonumber(ARGV[3]), false
local values, reply = redis.call('HMGET', KEYS[1], unpack(ARGV, 4, last)), {1}
for i = 4, last do exists = exists or values[i - 3] end
if not exists and others > 0 then
	for _, v in ipairs(redis.call('HMGET', KEYS[1], unpack(ARGV, last + 1, last + others))) do exists = exists or v end
end
if not exists then return {0, unpack(ARGV, 4, last)} end
for i = 4, last do
	reply[#reply + 1] = ARGV[i]
	reply[#reply + 1] = values[i - 3]
end
if ARGV[1] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return reply`)

//nest:ttl renews
func (r RecordRef[S]) getFields(fields []string) command[S] {
	op := &r.record().getFields
	if len(fields) == 0 {
		return skip(op)
	}
	ttl := "0"
	if r.at.readsRenew() {
		ttl = millis(r.at.m.ttl())
	}
	args := []string{ttl, "", ""}
	for _, name := range fields {
		f, err := r.record().field(name)
		if err != nil {
			return refuse(op, err)
		}
		args = append(append(args, f.name), f.was...)
	}
	asked := len(args)
	for _, name := range r.record().names {
		if !slices.Contains(args[3:asked], name) {
			args = append(args, name)
		}
	}
	args[1], args[2] = strconv.Itoa(asked-3), strconv.Itoa(len(args)-asked)
	return command[S]{op: op, cmd: selecting.command(r.at.b(), []string{r.at.key}, args...), keyed: r.record().some, cacheable: true}
}

// field returns the field with this present name.
func (r *record[S]) field(name string) (*boundField, error) {
	p, ok := r.places[name]
	if !ok || p.age > 0 {
		known := make([]string, len(r.bound))
		for i := range r.bound {
			known[i] = r.bound[i].name
		}
		hint := "there are " + strings.Join(known, ", ")
		if near := names.Nearest(name, known); near != "" {
			hint = "did you mean " + near + "?"
		}
		return nil, because(ErrArgument, `the record has no field "`+names.Printable(name)+`": `+hint)
	}
	return &r.bound[p.field], nil
}

// FieldTTL returns how long a field still lives, or [Forever] if it has no expiry of its own
// (HPTTL, Redis 7.4 or Valkey 9). The error wraps [ErrNotFound] if the field is not stored under
// its present name.
func (r RecordRef[S]) FieldTTL(ctx context.Context, field string) (time.Duration, error) {
	return call(ctx, r.at, func() command[time.Duration] {
		if _, err := r.record().field(field); err != nil {
			return refuse(&opFieldTTL, err)
		}
		return r.at.leftOfField(field)
	})
}

// unsealedRecord returns a function that reads the answer to a command on a record with secret
// fields.
func unsealedRecord[R any](read func(*mounted, rueidis.RedisMessage, *unsealing) (R, error)) func(context.Context, address, rueidis.RedisMessage) (R, error) {
	return func(ctx context.Context, r address, a rueidis.RedisMessage) (R, error) {
		u := unsealing{ref: r, secrets: secretsOf(r.m)}
		v, err := read(r.m, a, &u)
		u.done(ctx)
		return v, err
	}
}

func replyRecord[S any](m *mounted, a rueidis.RedisMessage) (S, error) {
	return readRecord[S](m, a, nil)
}

func readRecord[S any](m *mounted, a rueidis.RedisMessage, secrets *unsealing) (s S, err error) {
	v, err := readFoundRecord[S](m, a, secrets)
	if err != nil || v.ok {
		return v.value, err
	}
	return m.bound.(*record[S]).defaultRecord(m, nil)
}

func replyFoundRecord[S any](m *mounted, a rueidis.RedisMessage) (found[S], error) {
	return readFoundRecord[S](m, a, nil)
}

func readFoundRecord[S any](m *mounted, a rueidis.RedisMessage, secrets *unsealing) (found[S], error) {
	r := m.bound.(*record[S])
	answers, err := a.ToArray()
	if err != nil || len(answers) != len(r.names) {
		return found[S]{}, errAnswer
	}
	stored := func(a rueidis.RedisMessage) bool { return !a.IsNil() }
	if !slices.ContainsFunc(answers, stored) {
		return found[S]{}, nil
	}
	var s S
	v := reflect.ValueOf(&s).Elem()
	for i := range r.bound {
		f := &r.bound[i]
		at := i
		if answers[at].IsNil() && len(f.was) > 0 {
			if k := slices.IndexFunc(answers[f.wasAt:f.wasAt+len(f.was)], stored); k >= 0 {
				at = f.wasAt + k
			}
		}
		if err := f.read(m, v, r.names[at], answers[at], secrets); err != nil {
			var zero S
			return found[S]{value: zero}, err
		}
	}
	return found[S]{s, true}, nil
}

// read decodes what is stored under a present or former name of the field. If nothing is stored, it
// sets the field to its default.
func (f *boundField) read(m *mounted, record reflect.Value, name string, a rueidis.RedisMessage, secrets *unsealing) error {
	if a.IsNil() {
		f.absent(record)
		return nil
	}
	text, err := a.ToString()
	if err != nil {
		return errAnswer
	}
	if f.secret {
		if text, err = secrets.text(name, text); err != nil {
			return atField(f.name, err)
		}
	}
	return f.decode(m, record, text)
}

func replyRecordFields[S any](m *mounted, a rueidis.RedisMessage) (S, error) {
	return readRecordFields[S](m, a, nil)
}

// readRecordFields reads the answer of selecting.
func readRecordFields[S any](m *mounted, a rueidis.RedisMessage, secrets *unsealing) (s S, err error) {
	r := m.bound.(*record[S])
	answers, err := a.ToArray()
	if err != nil || len(answers) == 0 {
		return s, errAnswer
	}
	exists, err := replyBool(m, answers[0])
	if err != nil {
		return s, errAnswer
	}
	answers = answers[1:]
	if !exists {
		names := make([]string, len(answers))
		for i := range answers {
			if names[i], err = answers[i].ToString(); err != nil {
				return s, errAnswer
			}
		}
		return r.defaultRecord(m, names)
	}
	v := reflect.ValueOf(&s).Elem()
	for len(answers) > 0 {
		n, err := r.readOne(m, v, answers, secrets)
		if err != nil {
			var zero S
			return zero, err
		}
		answers = answers[n:]
	}
	return s, nil
}

// readOne reads the first field of answers, which are alternately names and values: its present
// name first, then its former names. It returns how many answers it has read.
func (r *record[S]) readOne(m *mounted, record reflect.Value, answers []rueidis.RedisMessage, secrets *unsealing) (int, error) {
	name, err := answers[0].ToString()
	p, ok := r.places[name]
	if err != nil || !ok || p.age > 0 {
		return 0, errAnswer
	}
	f := &r.bound[p.field]
	n := 2 * (1 + len(f.was))
	if len(answers) < n {
		return 0, errAnswer
	}
	at := 1
	for i := 1; i < n; i += 2 {
		if !answers[i].IsNil() {
			at = i
			break
		}
	}
	if at > 1 {
		name = f.was[at/2-1]
	}
	return n, f.read(m, record, name, answers[at], secrets)
}

// defaultRecord returns the named fields of the declared default, or all.
func (r *record[S]) defaultRecord(m *mounted, names []string) (s S, err error) {
	if r.fallback == nil {
		return s, ErrNotFound
	}
	v := reflect.ValueOf(&s).Elem()
	for i := range r.bound {
		if names != nil && !slices.Contains(names, r.bound[i].name) || !r.fallback[i].ok {
			continue
		}
		if err := r.bound[i].decode(m, v, r.fallback[i].value); err != nil {
			var zero S
			return zero, err
		}
	}
	return s, nil
}
