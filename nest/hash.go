package nest

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/redis/rueidis"
)

// KindHash is the kind of [Hash].
const KindHash Kind = "hash"

// HashDef declares a key that holds values of type V by the names of their fields, as a Redis
// hash.
type HashDef[V any] struct {
	Declaration
}

// Hash declares a key that holds values of type V under names, its fields: a map[string]V that
// Redis reads and writes field by field. [Record] declares a hash whose fields are those of a
// struct.
//
// The [Default] of a hash is either a V, which [HashRef.Get] gives for a field that is not
// there, or a map[string]V, which [HashRef.All] gives when the key does not exist.
//
// Writes give a new key the declared TTL, a running one goes on; with AutoRenew every use
// restarts it. [FieldTTL] gives every written field an expiry of its own beside it.
//
// Hash panics, with the file and line of the call, on a malformed template or option and on a
// Default that fits neither.
func Hash[V any](template string, opts ...KeyOption) *HashDef[V] {
	d := &HashDef[V]{}
	where := caller()
	d.goType = reflect.TypeFor[V]().String()
	constructor := "Hash[" + d.goType + "]"
	d.declare(d, KindHash, constructor, template, where, applyKeyOptions(opts))
	fallback, err := hashDefault[V](&d.config)
	if err != nil {
		where.refuse(constructor, template, err)
	}
	d.bind = func(m *mounted) (any, error) { return bindHash(m, fallback) }
	return d
}

// At gives the reference of the key below s; what args are, [KeyDef.At] tells.
func (d *HashDef[V]) At(s Scope, args ...any) HashRef[V] {
	if d == nil {
		return HashRef[V]{Ref{err: nilDeclaration(s)}}
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

// hashFallback is the declared default, of a field or of the whole.
type hashFallback[V any] struct {
	field *V
	whole map[string]V
}

func hashDefault[V any](c *config) (f hashFallback[V], err error) {
	if !c.hasDefault {
		return f, nil
	}
	if whole, ok := c.def.(map[string]V); ok {
		return hashFallback[V]{whole: maps.Clone(whole)}, nil
	}
	v, err := fitDefault[V](c.def)
	return hashFallback[V]{field: &v}, err
}

// hash is what Open prepares for a key that holds Vs by field.
type hash[V any] struct {
	elements[V]
	number   number   // how to add to a field, when Vs are numbers
	whole    bool     // the default is of the key, not of a field
	defaults []string // the fields of a default of the whole, their values are the elements' missing

	get            operation[V]
	lookup, take   operation[found[V]]
	many, takeMany operation[[]Optional[V]]
	manyRenewed    operation[[]Optional[V]]
	all, random    operation[map[string]V]
	values         operation[[]V]
	page           operation[hashPage[V]]
	incr, decr     operation[V]
}

func bindHash[V any](m *mounted, fallback hashFallback[V]) (any, error) {
	h := &hash[V]{
		whole:       fallback.whole != nil,
		get:         operation[V]{"get", replyField[V]},
		lookup:      operation[found[V]]{"lookup", replyElement[V]},
		take:        operation[found[V]]{"take", replyTaken[V]},
		many:        operation[[]Optional[V]]{"get many", replyOptionals[V]},
		manyRenewed: operation[[]Optional[V]]{"get and expire", replyOptionals[V]},
		takeMany:    operation[[]Optional[V]]{"take many", replyOptionals[V]},
		all:         operation[map[string]V]{"all", replyAll[V]},
		random:      operation[map[string]V]{"random", replyFields[V]},
		values:      operation[[]V]{"values", replyElements[V]},
		page:        operation[hashPage[V]]{"iterate", replyHashPage[V]},
		incr:        operation[V]{"incr", replySum[V]},
		decr:        operation[V]{"decr", replySum[V]},
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
	return h, nil
}

func (r HashRef[V]) hash() *hash[V] { return r.m.bound.(*hash[V]) }

// Get gives a field's value, else the declared default of a field, else an error that wraps
// [ErrNotFound] (HGET). A stored value that is no V is [ErrDecode].
func (r HashRef[V]) Get(ctx context.Context, field string) (V, error) {
	return call(ctx, r.Ref, func() command[V] { return r.get(field) })
}

func (r HashRef[V]) get(field string) command[V] {
	return command[V]{op: &r.hash().get, cmd: r.fetch(field)}
}

func (r HashRef[V]) fetch(field string) rueidis.Completed {
	if r.renews() {
		return r.read("HGET", field)
	}
	return r.b().Hget().Key(r.key).Field(field).Build()
}

// Lookup gives a field's value and whether the field exists, without the default (HGET).
func (r HashRef[V]) Lookup(ctx context.Context, field string) (V, bool, error) {
	return both(call(ctx, r.Ref, func() command[found[V]] { return r.lookup(field) }))
}

func (r HashRef[V]) lookup(field string) command[found[V]] {
	return command[found[V]]{op: &r.hash().lookup, cmd: r.fetch(field)}
}

// GetMany gives the values of several fields in the order in which they are named, each with
// whether it exists, without the default (HMGET).
func (r HashRef[V]) GetMany(ctx context.Context, fields ...string) ([]Optional[V], error) {
	return call(ctx, r.Ref, func() command[[]Optional[V]] { return r.getMany(fields) })
}

func (r HashRef[V]) getMany(fields []string) command[[]Optional[V]] {
	op := &r.hash().many
	if len(fields) == 0 {
		return skip(op)
	}
	return command[[]Optional[V]]{op: op, cmd: r.readMany("HMGET", fields)}
}

// All gives the whole hash, else the declared default of the whole, else an empty map (HGETALL).
// It loads everything at once: [HashRef.Iterate] is for what may be long.
func (r HashRef[V]) All(ctx context.Context) (map[string]V, error) {
	return call(ctx, r.Ref, r.all)
}

func (r HashRef[V]) all() command[map[string]V] {
	return command[map[string]V]{op: &r.hash().all, cmd: r.read("HGETALL")}
}

// Fields gives the names of all fields, in no order (HKEYS).
func (r HashRef[V]) Fields(ctx context.Context) ([]string, error) {
	return call(ctx, r.Ref, r.fields)
}

func (r HashRef[V]) fields() command[[]string] {
	return command[[]string]{op: &opFields, cmd: r.read("HKEYS")}
}

// Values gives the values of all fields, in no order (HVALS).
func (r HashRef[V]) Values(ctx context.Context) ([]V, error) {
	return call(ctx, r.Ref, r.values)
}

func (r HashRef[V]) values() command[[]V] {
	return command[[]V]{op: &r.hash().values, cmd: r.read("HVALS")}
}

// Len tells how many fields there are, 0 when the key does not exist (HLEN).
func (r HashRef[V]) Len(ctx context.Context) (int64, error) { return call(ctx, r.Ref, r.length) }

func (r HashRef[V]) length() command[int64] {
	return command[int64]{op: &opHashLen, cmd: r.read("HLEN")}
}

// Has tells whether the field exists (HEXISTS).
func (r HashRef[V]) Has(ctx context.Context, field string) (bool, error) {
	return call(ctx, r.Ref, func() command[bool] { return r.has(field) })
}

func (r HashRef[V]) has(field string) command[bool] {
	return command[bool]{op: &opHasField, cmd: r.read("HEXISTS", field)}
}

// StrLen tells how many bytes a field's encoded value takes, 0 when it does not exist (HSTRLEN).
func (r HashRef[V]) StrLen(ctx context.Context, field string) (int64, error) {
	return call(ctx, r.Ref, func() command[int64] { return r.strLen(field) })
}

func (r HashRef[V]) strLen(field string) command[int64] {
	return command[int64]{op: &opStrLen, cmd: r.read("HSTRLEN", field)}
}

// Random gives up to n different fields, chosen at random (HRANDFIELD, Redis 6.2). n is not
// negative.
func (r HashRef[V]) Random(ctx context.Context, n int) (map[string]V, error) {
	return call(ctx, r.Ref, func() command[map[string]V] { return r.random(n) })
}

func (r HashRef[V]) random(n int) command[map[string]V] {
	op := &r.hash().random
	switch {
	case n < 0:
		return refuse(op, because(ErrArgument, "the number of fields is negative"))
	case n == 0:
		return skip(op)
	}
	return command[map[string]V]{op: op, cmd: r.read("HRANDFIELD", millis(int64(n)), "WITHVALUES")}
}

var (
	opFields   = operation[[]string]{"fields", replyNames}
	opHashLen  = operation[int64]{"len", replyInt}
	opHasField = operation[bool]{"has", replyBool}
	opStrLen   = operation[int64]{"str len", replyInt}
)

// replyField reads a field or nil, for which the declared default stands.
func replyField[V any](m *mounted, a rueidis.RedisMessage) (V, error) {
	h := m.bound.(*hash[V])
	if !a.IsNil() {
		return h.decode(m, a)
	}
	if h.hasDefault && !h.whole {
		return h.decodeText(m, h.missing[0])
	}
	var zero V
	return zero, ErrNotFound
}

// replyTaken reads what HMGET gave for one field.
func replyTaken[V any](m *mounted, a rueidis.RedisMessage) (found[V], error) {
	vs, err := replyOptionals[V](m, a)
	if err != nil || len(vs) != 1 {
		return found[V]{}, err
	}
	return found[V]{vs[0].Value, vs[0].Found}, nil
}

// replyOptionals reads a list of elements and nils.
func replyOptionals[V any](m *mounted, a rueidis.RedisMessage) ([]Optional[V], error) {
	answers, err := a.ToArray()
	if err != nil {
		return nil, errAnswer
	}
	e := elementsIn[V](m)
	vs := make([]Optional[V], len(answers))
	for i, answer := range answers {
		if answer.IsNil() {
			continue
		}
		v, err := e.decode(m, answer)
		if err != nil {
			return nil, locate(fmt.Sprintf("field %d of %d", i+1, len(answers)), err)
		}
		vs[i] = Optional[V]{v, true}
	}
	return vs, nil
}

func replyAll[V any](m *mounted, a rueidis.RedisMessage) (map[string]V, error) {
	vs, err := replyFields[V](m, a)
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

// replyFields reads fields with their values: a map, a flat list, or a list of pairs.
func replyFields[V any](m *mounted, a rueidis.RedisMessage) (map[string]V, error) {
	if a.IsNil() {
		return map[string]V{}, nil
	}
	texts, err := fieldTexts(a)
	if err != nil {
		return nil, err
	}
	e := elementsIn[V](m)
	vs := make(map[string]V, len(texts))
	for name, text := range texts {
		v, err := e.decodeText(m, text)
		if err != nil {
			return nil, atField(name, err)
		}
		vs[name] = v
	}
	return vs, nil
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

// atField tells at which field something went wrong.
func atField(name string, err error) error { return locate(`field "`+printable(name)+`"`, err) }
