package nest

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// HashDef declares a key that holds values of type V by field name, as a Redis hash.
type HashDef[V any] struct {
	Declaration
}

// Hash declares a key that holds values of type V in named fields: a map[string]V that Redis reads
// and writes field by field. [Record] declares a hash whose fields are those of a struct.
//
// The [Default] of a hash is either a V, which [HashRef.Get] returns for a field that does not
// exist, or a map[string]V, which [HashRef.All] returns when the key does not exist.
//
// Writes start the declared TTL on a new key and leave a running one alone; with AutoRenew every
// operation restarts it. [FieldTTL] also gives every written field an expiry of its own, and
// [SecretFields] encrypts values.
//
// Hash panics, with the file and line of the call, on a malformed template or option and on a
// Default of neither type.
func Hash[V any](template string, opts ...KeyOption) *HashDef[V] {
	d := &HashDef[V]{}
	where := caller()
	constructor := d.declareFor(reflect.TypeFor[V](), d, KindHash, "Hash", template, where, opts)
	fallback, err := hashDefault[V](&d.config)
	if err != nil {
		where.refuse(constructor, template, err)
	}
	d.bind = func(m *mounted) (any, error) { return bindHash(m, fallback) }
	return d
}

// At returns a reference to the key below s. See [KeyDef.At] for args.
func (d *HashDef[V]) At(s Scope, args ...any) HashRef[V] {
	if d == nil {
		return HashRef[V]{nilRef(s)}
	}
	return HashRef[V]{d.ref(&s, args)}
}

// HashRef is one key that holds values by field, with all its parameters filled in.
type HashRef[V any] struct {
	Ref
}

// Field is one field of a hash and its value.
type Field[V any] struct {
	Name  string
	Value V
}

// hashFallback is the declared default, of a field or of the whole hash.
type hashFallback[V any] struct {
	field *V
	whole map[string]V
}

func hashDefault[V any](c *config) (f hashFallback[V], err error) {
	if !c.hasDefault {
		return f, nil
	}
	if whole, ok := c.def().(map[string]V); ok {
		return hashFallback[V]{whole: clone(whole)}, nil
	}
	v, err := fitDefault[V](c.def())
	return hashFallback[V]{field: &v}, err
}

// hash is what Open prepares for a key that holds Vs by field.
type hash[V any] struct {
	elements[V]
	number   number   // how to add to a field, if V is a number
	whole    bool     // the default is that of the key, not of a field
	defaults []string // the fields of a whole default; elements.missing has their values
	secrets  *secretFields

	get            operation[V]
	lookup, take   operation[found[V]]
	many, takeMany operation[[]Optional[V]]
	manyRenewed    operation[[]Optional[V]]
	all, random    operation[map[string]V]
	values         operation[[]V]
	incr, decr     operation[V]
	loaded         operation[found[map[string]V]]
}

func bindHash[V any](m *mounted, fallback hashFallback[V]) (any, error) {
	optionals, sum := replyOptionals[V], replySum[V]
	h := &hash[V]{
		whole:       fallback.whole != nil,
		get:         operation[V]{"get", replyField[V]},
		lookup:      operation[found[V]]{"lookup", replyElement[V]},
		take:        operation[found[V]]{"take", replyTaken[V]},
		many:        operation[[]Optional[V]]{"get many", optionals},
		manyRenewed: operation[[]Optional[V]]{"get and expire", optionals},
		takeMany:    operation[[]Optional[V]]{"take many", optionals},
		all:         operation[map[string]V]{"all", replyAll[V]},
		random:      operation[map[string]V]{"random", replyFields[V]},
		values:      operation[[]V]{"values", replyElements[V]},
		incr:        operation[V]{"incr", sum},
		decr:        operation[V]{"decr", sum},
		loaded:      nonEmpty(replyFields[V], func(m map[string]V) int { return len(m) }),
	}
	var missing []V
	if fallback.field != nil {
		missing = append(missing, *fallback.field)
	}
	for _, name := range slices.Sorted(maps.Keys(fallback.whole)) {
		h.defaults = append(h.defaults, name)
		missing = append(missing, fallback.whole[name])
	}
	var err error
	if h.elements, err = bindElements(m, missing, m.def.config.hasDefault); err != nil {
		return nil, err
	}
	h.number = numberIn(h.typed)
	if names := m.def.config.secretFields; names != nil {
		if len(names) == 0 {
			names = nil // all
		}
		if h.secrets, err = bindSecretFields(m, names); err != nil {
			return nil, err
		}
	}
	if m.def.config.acceptPlain {
		if h.secrets == nil {
			return nil, errNothingPlain
		}
		h.secrets.plain = func(_, text string) error {
			_, err := h.decodeText(m, text)
			return err
		}
	}
	return h, nil
}

func (h *hash[V]) secretFieldsOf() *secretFields { return h.secrets }

func (r HashRef[V]) hash() *hash[V] { return r.at.m.bound.(*hash[V]) }

// Get returns a field's value, else the declared default of a field, else an error that wraps
// [ErrNotFound] (HGET). A stored value that is not a V is [ErrDecode].
func (r HashRef[V]) Get(ctx context.Context, field string) (V, error) {
	return call(ctx, r.at, func() command[V] { return r.get(field) })
}

func (r HashRef[V]) get(field string) command[V] {
	h := r.hash()
	c := command[V]{op: &h.get, cmd: r.fetch(field), cacheable: true}
	if h.secrets != nil {
		c.keyed = unsealed(h, readField[V], field)
	}
	return c
}

//nest:ttl renews
func (r HashRef[V]) fetch(field string) rueidis.Completed {
	if r.at.readsRenew() {
		return r.at.read("HGET", field)
	}
	return r.at.b().Hget().Key(r.at.key).Field(field).Build()
}

// Lookup returns a field's value and whether the field exists, without the default (HGET).
func (r HashRef[V]) Lookup(ctx context.Context, field string) (V, bool, error) {
	return both(call(ctx, r.at, func() command[found[V]] { return r.lookup(field) }))
}

func (r HashRef[V]) lookup(field string) command[found[V]] {
	h := r.hash()
	c := command[found[V]]{op: &h.lookup, cmd: r.fetch(field), cacheable: true}
	if h.secrets != nil {
		c.keyed = unsealed(h, readFoundField[V], field)
	}
	return c
}

// GetMany returns the values of fields, in the same order, and whether each exists, without the
// default (HMGET).
func (r HashRef[V]) GetMany(ctx context.Context, fields ...string) ([]Optional[V], error) {
	return call(ctx, r.at, func() command[[]Optional[V]] { return r.getMany(fields) })
}

func (r HashRef[V]) getMany(fields []string) command[[]Optional[V]] {
	h := r.hash()
	if len(fields) == 0 {
		return skip(&h.many)
	}
	c := command[[]Optional[V]]{op: &h.many, cmd: r.at.readMany("HMGET", fields), cacheable: true}
	if h.secrets != nil {
		c.keyed = unsealed(h, readOptionals[V], fields...)
	}
	return c
}

// All returns the whole hash, else the declared default of the whole, else an empty map (HGETALL).
// It loads everything at once; use [HashRef.Iterate] for a hash that may be large.
func (r HashRef[V]) All(ctx context.Context) (map[string]V, error) {
	return call(ctx, r.at, r.all)
}

func (r HashRef[V]) all() command[map[string]V] {
	h := r.hash()
	c := command[map[string]V]{op: &h.all, cmd: r.at.read("HGETALL"), cacheable: true}
	if h.secrets != nil {
		c.keyed = unsealed(h, readAll[V])
	}
	return c
}

// Fields returns the names of all fields, in no particular order (HKEYS).
func (r HashRef[V]) Fields(ctx context.Context) ([]string, error) {
	return call(ctx, r.at, r.fields)
}

func (r HashRef[V]) fields() command[[]string] {
	return command[[]string]{op: &opFields, cmd: r.at.read("HKEYS"), cacheable: true}
}

// Values returns the values of all fields, in no particular order (HVALS, or HGETALL with
// SecretFields).
func (r HashRef[V]) Values(ctx context.Context) ([]V, error) {
	return call(ctx, r.at, r.values)
}

func (r HashRef[V]) values() command[[]V] {
	h := r.hash()
	if h.secrets != nil { // opening them needs their names
		return command[[]V]{op: &h.values, cmd: r.at.read("HGETALL"), cacheable: true, keyed: unsealed(h, readValues[V])}
	}
	return command[[]V]{op: &h.values, cmd: r.at.read("HVALS"), cacheable: true}
}

// Len returns the number of fields, 0 when the key does not exist (HLEN). Redis also counts fields
// that have expired but are not removed yet, see [FieldTTL]; [HashRef.Fields] and [HashRef.All]
// leave them out.
func (r HashRef[V]) Len(ctx context.Context) (int64, error) { return call(ctx, r.at, r.length) }

func (r HashRef[V]) length() command[int64] {
	return command[int64]{op: &opHashLen, cmd: r.at.read("HLEN"), cacheable: true}
}

// Has reports whether the field exists (HEXISTS).
func (r HashRef[V]) Has(ctx context.Context, field string) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.has(field) })
}

func (r HashRef[V]) has(field string) command[bool] {
	return command[bool]{op: &opHasField, cmd: r.at.read("HEXISTS", field), cacheable: true}
}

// StrLen returns the length in bytes of a field's encoded value, or of its encrypted one if it is
// secret, and 0 when it does not exist (HSTRLEN).
func (r HashRef[V]) StrLen(ctx context.Context, field string) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.strLen(field) })
}

func (r HashRef[V]) strLen(field string) command[int64] {
	return command[int64]{op: &opStrLen, cmd: r.at.read("HSTRLEN", field), cacheable: true}
}

// Random returns up to n different fields, chosen at random (HRANDFIELD, Redis 6.2). n is not
// negative.
func (r HashRef[V]) Random(ctx context.Context, n int) (map[string]V, error) {
	return call(ctx, r.at, func() command[map[string]V] { return r.random(n) })
}

func (r HashRef[V]) random(n int) command[map[string]V] {
	h := r.hash()
	switch {
	case n < 0:
		return refuse(&h.random, because(ErrArgument, "the number of fields is negative"))
	case n == 0:
		return skip(&h.random)
	}
	c := command[map[string]V]{op: &h.random, cmd: r.at.read("HRANDFIELD", millis(int64(n)), "WITHVALUES")}
	if h.secrets != nil {
		c.keyed = unsealed(h, readFields[V])
	}
	return c
}

var (
	opFields   = operation[[]string]{"fields", replyNames}
	opHashLen  = operation[int64]{"len", replyInt}
	opHasField = operation[bool]{"has", replyBool}
	opStrLen   = operation[int64]{"str len", replyInt}
)

// There are two functions for each reply of a hash: read… takes the function that decodes the text
// of a field, which first opens a secret one, and reply… decodes the text as it is.

// readField reads a field. A nil stands for the declared default.
func readField[V any](m *mounted, a rueidis.RedisMessage, decode fieldDecoder[V]) (v V, err error) {
	if found, err := readFoundField(m, a, decode); found.ok || err != nil {
		return found.value, err
	}
	if h := m.bound.(*hash[V]); h.hasDefault && !h.whole {
		return h.decodeText(m, h.missing[0])
	}
	return v, ErrNotFound
}

func replyField[V any](m *mounted, a rueidis.RedisMessage) (V, error) {
	return readField(m, a, m.bound.(*hash[V]).plainly(m))
}

// readFoundField reads a field or nil.
func readFoundField[V any](_ *mounted, a rueidis.RedisMessage, decode fieldDecoder[V]) (found[V], error) {
	if a.IsNil() {
		return found[V]{}, nil
	}
	text, err := a.ToString()
	if err != nil {
		return found[V]{}, errAnswer
	}
	v, err := decode(0, "", text)
	return found[V]{v, err == nil}, err
}

// readTaken reads the reply of HMGET for one field.
func readTaken[V any](m *mounted, a rueidis.RedisMessage, decode fieldDecoder[V]) (found[V], error) {
	vs, err := readOptionals(m, a, decode)
	if err != nil || len(vs) != 1 {
		return found[V]{}, err
	}
	return found[V]{vs[0].Value, vs[0].Found}, nil
}

func replyTaken[V any](m *mounted, a rueidis.RedisMessage) (found[V], error) {
	return readTaken(m, a, m.bound.(*hash[V]).plainly(m))
}

// readOptionals reads a list of elements and nils.
func readOptionals[V any](_ *mounted, a rueidis.RedisMessage, decode fieldDecoder[V]) ([]Optional[V], error) {
	answers, err := a.ToArray()
	if err != nil {
		return nil, errAnswer
	}
	vs := make([]Optional[V], len(answers))
	for i, answer := range answers {
		if answer.IsNil() {
			continue
		}
		text, err := answer.ToString()
		if err != nil {
			return nil, errAnswer
		}
		v, err := decode(i, "", text)
		if err != nil {
			return nil, locate(fmt.Sprintf("field %d of %d", i+1, len(answers)), err)
		}
		vs[i] = Optional[V]{v, true}
	}
	return vs, nil
}

func replyOptionals[V any](m *mounted, a rueidis.RedisMessage) ([]Optional[V], error) {
	return readOptionals(m, a, m.bound.(*hash[V]).plainly(m))
}

// readAll reads all fields. No fields mean no key, for which the declared default stands.
func readAll[V any](m *mounted, a rueidis.RedisMessage, decode fieldDecoder[V]) (map[string]V, error) {
	vs, err := readFields(m, a, decode)
	h := m.bound.(*hash[V])
	if err != nil || len(vs) > 0 || !h.whole {
		return vs, err
	}
	for i, name := range h.defaults {
		if vs[name], err = h.decodeText(m, h.missing[i]); err != nil {
			return nil, err
		}
	}
	return vs, nil
}

func replyAll[V any](m *mounted, a rueidis.RedisMessage) (map[string]V, error) {
	return readAll(m, a, m.bound.(*hash[V]).plainly(m))
}

// readFields reads fields with their values: a map, a flat list, or a list of pairs.
func readFields[V any](_ *mounted, a rueidis.RedisMessage, decode fieldDecoder[V]) (map[string]V, error) {
	if a.IsNil() {
		return map[string]V{}, nil
	}
	texts, err := fieldTexts(a)
	if err != nil {
		return nil, err
	}
	vs := make(map[string]V, len(texts))
	for name, text := range texts {
		v, err := decode(0, name, text)
		if err != nil {
			return nil, atField(name, err)
		}
		vs[name] = v
	}
	return vs, nil
}

func replyFields[V any](m *mounted, a rueidis.RedisMessage) (map[string]V, error) {
	return readFields(m, a, m.bound.(*hash[V]).plainly(m))
}

// readValues reads the values of fields that come with their names.
func readValues[V any](m *mounted, a rueidis.RedisMessage, decode fieldDecoder[V]) ([]V, error) {
	vs, err := readFields(m, a, decode)
	return slices.Collect(maps.Values(vs)), err
}

func fieldTexts(a rueidis.RedisMessage) (map[string]string, error) {
	answers, err := a.ToArray()
	if err != nil || len(answers) == 0 || !answers[0].IsArray() {
		texts, err := a.AsStrMap()
		if err != nil {
			return nil, errAnswer
		}
		return texts, nil
	}
	texts := make(map[string]string, len(answers))
	for _, answer := range answers {
		pair, err := answer.AsStrSlice()
		if err != nil || len(pair) != 2 {
			return nil, errAnswer
		}
		texts[pair[0]] = pair[1]
	}
	return texts, nil
}

func replyNames(_ *mounted, a rueidis.RedisMessage) ([]string, error) {
	if a.IsNil() {
		return nil, nil
	}
	names, err := a.AsStrSlice()
	if err != nil {
		return nil, errAnswer
	}
	return names, nil
}

// atField adds to an error the field where it occurred.
func atField(name string, err error) error { return locate(`field "`+names.Printable(name)+`"`, err) }
