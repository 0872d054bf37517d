package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/redisimnest/redisimnest/codec/internal/walk"
)

// JSON stores values as encoding/json does, with its defaults: names match case-insensitively, the
// last of duplicate names counts, unknown names are skipped, bytes that are not UTF-8 become
// U+FFFD, and a null inside a value leaves numbers, strings and structs zero. JSON refuses data
// after the value, and null if the type as a whole has no nil. It also calls methods with a pointer
// receiver on values.
//
// An any gets float64, string, bool, nil, []any and map[string]any, and int64 or [*math/big.Int]
// for integers beyond ±2⁵³, which a float64 does not hold. So a []byte in an any comes back as its
// base64, a time as its text, and a struct as a map.
//
// A time whose offset from UTC is not in whole minutes is an [ErrEncode], since encoding/json would
// write another instant. Types of which it would lose a part are refused at the declaration.
var JSON Codec = jsonCodec{}

type jsonCodec struct{}

func (jsonCodec) Name() string { return "json" }

func (jsonCodec) CheckType(t reflect.Type) error { return checkJSON(t) }

func (c jsonCodec) FixType(t reflect.Type) Codec { return &jsonFixed{c.Name(), jsonTraitsOf(t)} }

func (c jsonCodec) Append(dst []byte, v any) ([]byte, error) {
	return (&jsonFixed{c.Name(), jsonTraitsOf(reflect.TypeOf(v))}).Append(dst, v)
}

func (c jsonCodec) Decode(data []byte, v any) error {
	return (&jsonFixed{c.Name(), targetTraits(v)}).Decode(data, v)
}

// jsonFixed is the JSON form of one type, under the name of the codec.
type jsonFixed struct {
	codec  string
	traits *jsonTraits
}

func (j *jsonFixed) Name() string { return j.codec }

// jsonTraits is what JSON needs to know about a type before it writes and reads its values.
type jsonTraits struct {
	hides bool // encoding/json misses methods with a pointer receiver in a value
	lends bool // a user's method may be passed parts of the input
	null  bool // null is a value of the type
	any   bool // its values may contain an any
	open  bool // it is an interface, whose values are passed by pointer

	times *walk.Plan // where its times are; nil if there are none

	// plain is the kind of a string or integer that mostly does without encoding/json, else
	// Invalid.
	plain reflect.Kind
	bits  int // the size of such an integer
}

var knownJSON sync.Map // reflect.Type → *jsonTraits

func jsonTraitsOf(t reflect.Type) *jsonTraits {
	if t == nil {
		return &jsonTraits{null: true, any: true}
	}
	if known, ok := knownJSON.Load(t); ok {
		return known.(*jsonTraits)
	}
	traits := &jsonTraits{hides: hidesMethods(t), lends: reachesMethod(t, map[reflect.Type]bool{}), null: holdsNull(t)}
	traits.open = t.Kind() == reflect.Interface
	traits.any = reachesAny(t, map[reflect.Type]bool{})
	traits.times = jsonTimes.Of(t)
	traits.plain, traits.bits = plainJSON(t)
	knownJSON.Store(t, traits)
	return traits
}

// targetTraits returns the traits of the type that v points to.
func targetTraits(v any) *jsonTraits {
	if t := reflect.TypeOf(v); t != nil && t.Kind() == reflect.Pointer {
		return jsonTraitsOf(t.Elem())
	}
	return &jsonTraits{}
}

func (j *jsonFixed) Append(dst []byte, v any) ([]byte, error) {
	if j.traits.plain != reflect.Invalid {
		if out, ok := appendPlainJSON(dst, reflect.ValueOf(v)); ok {
			return out, nil
		}
	}
	if err := j.checkTimes(v, j.traits.open); err != nil {
		return nil, err
	}
	if j.traits.hides {
		v = addressable(reflect.ValueOf(v)).Interface()
	}
	if cap(dst) == 0 {
		b, err := json.Marshal(v)
		if err != nil {
			return nil, jsonEncodeError(j.codec, v, err)
		}
		return b, nil
	}
	// Unlike Marshal, an Encoder appends to a given writer, but also adds a line feed.
	e := jsonEncoders.Get().(*jsonEncoder)
	e.out = dst
	err := e.enc.Encode(v)
	out := e.out
	e.out = nil
	jsonEncoders.Put(e)
	if err != nil {
		return nil, jsonEncodeError(j.codec, v, err)
	}
	return out[:len(out)-1], nil
}

// checkTimes returns an error for times that encoding/json would write as another instant, in v or,
// if pointed is set, in what v points to.
func (j *jsonFixed) checkTimes(v any, pointed bool) error {
	if j.traits.times == nil {
		return nil
	}
	rv := reflect.ValueOf(v)
	if pointed && rv.Kind() == reflect.Pointer {
		rv = rv.Elem()
	}
	if !rv.IsValid() {
		return nil
	}
	if reason := j.traits.times.Look(rv); reason != "" {
		return EncodeError(j.codec, v, reason)
	}
	return nil
}

// jsonTimes inspects the times in a value before encoding/json writes it.
var jsonTimes = walk.Values{Own: writesItselfAsJSON, Tags: []string{"json"}, Leaf: func(t reflect.Type) walk.Look {
	if t != timeType {
		return nil
	}
	return wholeMinutes
}}

func wholeMinutes(v reflect.Value, _ bool) string {
	t, _ := reflect.TypeAssert[time.Time](v)
	if t.Location() == time.UTC {
		return ""
	}
	if _, offset := t.Zone(); offset%60 != 0 {
		return "RFC 3339 has offsets of whole minutes"
	}
	return ""
}

// writesItselfAsJSON reports whether a method of t defines its JSON. A method promoted from an
// embedded field does not count.
func writesItselfAsJSON(t reflect.Type) bool {
	if !ownJSON(reflect.PointerTo(t)) {
		return false
	}
	if t.Kind() != reflect.Struct {
		return true
	}
	for _, name := range jsonMethods[0] {
		if m, ok := walk.MethodOf(t, name); ok {
			_, promoted := walk.PromotedFrom(t, m)
			return !promoted
		}
	}
	return true
}

// jsonEncoder is an encoder and the buffer that it appends to.
type jsonEncoder struct {
	enc *json.Encoder
	out appender
}

// appender is a writer that appends.
type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

var jsonEncoders = sync.Pool{New: func() any {
	e := &jsonEncoder{}
	e.enc = json.NewEncoder(&e.out)
	return e
}}

// hidesMethods reports whether a value of type t in an interface has methods that encoding/json
// cannot reach because a part is not addressable. Parts behind pointers and in slices are.
func hidesMethods(t reflect.Type) bool {
	if ownJSON(reflect.PointerTo(t)) {
		return !ownJSON(t)
	}
	switch t.Kind() {
	case reflect.Array:
		return hidesMethods(t.Elem())
	case reflect.Struct:
		for f := range t.Fields() {
			if hidesMethods(f.Type) {
				return true
			}
		}
	}
	return false
}

func jsonEncodeError(codec string, v any, err error) error {
	var unsupported *json.UnsupportedValueError
	var typ *json.UnsupportedTypeError
	reason := "a method of it gave an error"
	switch {
	case errors.As(err, &typ):
		reason = "JSON has no form for " + typeName(typ.Type)
	case errors.As(err, &unsupported):
		reason = "JSON has no form for NaN, infinities and cycles"
	}
	return EncodeError(codec, v, reason)
}

func (j *jsonFixed) Decode(data []byte, v any) error {
	if j.traits.plain != reflect.Invalid && decodePlainJSON(data, v, j.traits) {
		return nil
	}
	if j.traits.lends {
		// Nothing forbids such a method to modify its argument.
		data = append([]byte{}, data...)
	}
	err := j.unmarshal(data, v)
	if err == nil {
		if !j.traits.null && isNull(data) {
			return DecodeError(j.codec, v, data, "null, which the type does not hold")
		}
		return nil
	}
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	var target *json.InvalidUnmarshalError
	reason := "a method of it gave an error"
	switch {
	case errors.Is(err, errDigits):
		reason = errDigits.Error()
	case errors.As(err, &target):
		reason = notTarget
	case errors.As(err, &syntax):
		reason = fmt.Sprintf("not JSON at offset %d", syntax.Offset)
	case errors.As(err, &mismatch):
		reason = fmt.Sprintf("the JSON value at offset %d does not fit in %s", mismatch.Offset, typeName(mismatch.Type))
	}
	return DecodeError(j.codec, v, data, reason)
}

func (j *jsonFixed) unmarshal(data []byte, v any) error {
	if j.traits.any {
		return unmarshalExact(data, v)
	}
	return json.Unmarshal(data, v)
}

// isNull reports whether data, which is JSON, is null.
func isNull(data []byte) bool {
	if data[0] <= ' ' {
		data = bytes.TrimSpace(data)
	}
	return data[0] == 'n'
}

// reachesMethod reports whether json.Unmarshal may pass parts of its input to a user's method while
// it decodes into a value of type t.
func reachesMethod(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] || t == timeType || t == bigIntType || t == rawMessageType {
		return false
	}
	seen[t] = true
	if p := reflect.PointerTo(t); p.Implements(jsonUnmarshalerType) || p.Implements(textUnmarshalerType) {
		return true
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return reachesMethod(t.Elem(), seen)
	case reflect.Map:
		return reachesMethod(t.Key(), seen) || reachesMethod(t.Elem(), seen)
	case reflect.Struct:
		for f := range t.Fields() {
			if reachesMethod(f.Type, seen) {
				return true
			}
		}
	}
	return false
}

// holdsNull reports whether null is a value of type t. For any other type json.Unmarshal would
// leave the zero value unchanged.
func holdsNull(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
		return true
	}
	return reflect.PointerTo(t).Implements(jsonUnmarshalerType)
}

// jsonTyped is the JSON form of T, under the name of the codec.
type jsonTyped[T any] struct {
	_     incomparable
	fixed jsonFixed

	// A pointer is passed, so that methods with a pointer receiver count and an interface stays an
	// interface.
	pointed bool
}

// jsonFor returns the JSON form of T, under the name of JSON or of a codec that falls back on it.
func jsonFor[T any](name string, t reflect.Type) Typed[T] {
	traits := jsonTraitsOf(t)
	return &jsonTyped[T]{fixed: jsonFixed{name, traits}, pointed: traits.hides || t.Kind() == reflect.Interface}
}

func (j *jsonTyped[T]) Encode(v T) (string, error) {
	if j.fixed.traits.plain != reflect.Invalid {
		if s, ok := plainJSONText(reflect.ValueOf(&v).Elem()); ok {
			return s, nil
		}
	}
	var boxed any
	if j.pointed {
		p := new(T)
		*p = v
		boxed = p
	} else {
		boxed = v
	}
	if err := j.fixed.checkTimes(boxed, j.pointed); err != nil {
		return "", err
	}
	b, err := json.Marshal(boxed)
	if err != nil {
		return "", jsonEncodeError(j.fixed.codec, v, err)
	}
	return text(b), nil
}

func (j *jsonTyped[T]) Decode(data string) (T, error) {
	if j.fixed.traits.plain != reflect.Invalid {
		var v T
		if setPlainJSON(data, reflect.ValueOf(&v).Elem(), j.fixed.traits.bits) {
			return v, nil
		}
	}
	var v T
	if err := j.fixed.Decode(view(data), &v); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}
