package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
)

// JSON stores values as encoding/json does, including its defaults: names match without
// regard to case, of a name that comes twice the last one counts, unknown names are skipped,
// bytes that are not UTF-8 become U+FFFD, a null inside a value leaves numbers, strings and
// structs zero, and the offset of a time is stored in whole minutes. Data after the value is
// refused, and so is null where the type as a whole has no nil. Methods with a pointer receiver
// are found on values, too.
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

// jsonTraits is what there is to know of a type before its values are written and read.
type jsonTraits struct {
	hides bool // encoding/json misses methods with a pointer receiver in a value
	lends bool // a method of somebody's may be handed parts of the input
	null  bool // null is a value of it

	plain reflect.Kind // of a string or integer that mostly needs no encoding/json; else Invalid
	bits  int          // of such an integer
}

var knownJSON sync.Map // reflect.Type → *jsonTraits

func jsonTraitsOf(t reflect.Type) *jsonTraits {
	if t == nil {
		return &jsonTraits{null: true}
	}
	if known, ok := knownJSON.Load(t); ok {
		return known.(*jsonTraits)
	}
	traits := &jsonTraits{hides: hidesMethods(t), lends: reachesMethod(t, map[reflect.Type]bool{}), null: holdsNull(t)}
	traits.plain, traits.bits = plainJSON(t)
	knownJSON.Store(t, traits)
	return traits
}

// targetTraits gives the traits of what v points to.
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
	// Unlike Marshal, an Encoder writes where it is told to, and a line feed after that.
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

// jsonEncoder is an encoder and what it appends to.
type jsonEncoder struct {
	enc *json.Encoder
	out appender
}

var jsonEncoders = sync.Pool{New: func() any {
	e := &jsonEncoder{}
	e.enc = json.NewEncoder(&e.out)
	return e
}}

// hidesMethods looks where a value of type t, in an interface, cannot be pointed into: not
// behind pointers and in slices.
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
		// Nothing forbids such a method to work in place.
		data = append([]byte{}, data...)
	}
	err := json.Unmarshal(data, v)
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
	case errors.As(err, &target):
		reason = notTarget
	case errors.As(err, &syntax):
		reason = fmt.Sprintf("not JSON at offset %d", syntax.Offset)
	case errors.As(err, &mismatch):
		reason = fmt.Sprintf("the JSON value at offset %d does not fit in %s", mismatch.Offset, typeName(mismatch.Type))
	}
	return DecodeError(j.codec, v, data, reason)
}

// isNull tells whether data, which is JSON, is null.
func isNull(data []byte) bool {
	if data[0] <= ' ' {
		data = bytes.TrimSpace(data)
	}
	return data[0] == 'n'
}

// reachesMethod tells whether json.Unmarshal may hand parts of its input to a method of somebody's
// on the way into a value of type t.
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

// holdsNull tells whether null is a value of type t. For any other type json.Unmarshal would
// leave the zero value in its place.
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

	// A pointer is handed out, so that methods with a pointer receiver count, and so that an
	// interface stays one.
	pointed bool
}

// jsonFor is the JSON form of T under the name of JSON or of a codec that falls back on it.
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
	var b []byte
	var err error
	if j.pointed {
		p := new(T)
		*p = v
		b, err = json.Marshal(p)
	} else {
		b, err = json.Marshal(v)
	}
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
