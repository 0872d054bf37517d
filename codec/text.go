package codec

import (
	"encoding"
	"fmt"
	"reflect"
	"time"

	"github.com/redisimnest/redisimnest/codec/internal/walk"
)

// Text stores the text of types that have MarshalText (or AppendText) and UnmarshalText, of
// pointers to such types, and of strings. It is for keys whose values people type and read. Where
// [Auto] would fall back on JSON, Text refuses the type. Nil pointers have no text.
var Text Codec = textCodec{}

type textCodec struct{}

func (textCodec) Name() string { return "text" }

func (textCodec) CheckType(t reflect.Type) error {
	switch {
	case hasText(t) || t.Kind() == reflect.Pointer && hasText(t.Elem()):
		return checkText(walk.Pointee(t))
	case isString(t):
		return nil
	}
	return fmt.Errorf("%s has no MarshalText and UnmarshalText", t)
}

func (c textCodec) Append(dst []byte, v any) ([]byte, error) {
	t := reflect.TypeOf(v)
	if t == nil || c.CheckType(t) != nil {
		return nil, EncodeError(c.Name(), v, "it has no MarshalText and UnmarshalText")
	}
	rv := reflect.ValueOf(v)
	switch {
	case t.Kind() == reflect.Pointer && rv.IsNil():
		return nil, EncodeError(c.Name(), v, "a nil pointer has no text")
	case t.Kind() == reflect.Pointer:
		return appendText(c.Name(), dst, v)
	case hasText(t):
		return appendText(c.Name(), dst, addressable(rv).Interface())
	}
	return append(dst, rv.String()...), nil
}

func (c textCodec) Decode(data []byte, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return DecodeError(c.Name(), v, data, notTarget)
	}
	target := p.Elem()
	switch t := target.Type(); {
	case hasText(t):
		return decodeText(c.Name(), data, v)
	case t.Kind() == reflect.Pointer && hasText(t.Elem()):
		fresh := reflect.New(t.Elem())
		if decodeText(c.Name(), data, fresh.Interface()) != nil {
			return DecodeError(c.Name(), v, data, notText)
		}
		target.Set(fresh)
		return nil
	case isString(t):
		target.SetString(string(data))
		return nil
	}
	return DecodeError(c.Name(), v, data, "it has no UnmarshalText")
}

// textTyped is the text form of T, a type for which hasText returns true.
type textTyped[T any] struct{ codec string }

func (t *textTyped[T]) Encode(v T) (string, error) {
	data, err := appendText(t.codec, nil, &v)
	return string(data), err
}

func (t *textTyped[T]) Decode(data string) (T, error) {
	var v T
	if err := decodeText(t.codec, view(data), &v); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

// checkText returns an error if the text of a t does not represent everything that it holds.
func checkText(t reflect.Type) error {
	if isBigFloat(t) {
		return errBigFloat
	}
	return walk.CheckPromoted(t, textMethods, "json")
}

const notText = "its UnmarshalText gave an error"

// hasText reports whether a variable of type t can be turned into text and set from it. It returns
// false for pointers, which may be nil.
func hasText(t reflect.Type) bool {
	builtin := t.Name() != "" && t.PkgPath() == ""
	if builtin || t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface {
		return false
	}
	p := reflect.PointerTo(t)
	return p.Implements(textUnmarshalerType) &&
		(p.Implements(textMarshalerType) || p.Implements(textAppenderType))
}

// appendText appends the text of p, a pointer to a value.
func appendText(codec string, dst []byte, p any) ([]byte, error) {
	var err error
	switch m := p.(type) {
	case *time.Time:
		return appendTime(dst, *m)
	case encoding.TextAppender:
		dst, err = m.AppendText(dst)
	case encoding.TextMarshaler:
		var b []byte
		b, err = m.MarshalText()
		dst = append(dst, b...)
	}
	if err != nil {
		// The method's error may quote the value.
		return nil, EncodeError(codec, reflect.ValueOf(p).Elem().Interface(), "its text method gave an error")
	}
	return dst, nil
}

func decodeText(codec string, data []byte, p any) error {
	if t, ok := p.(*time.Time); ok {
		v, reason := parseTime(text(data))
		if reason != "" {
			return DecodeError(codec, p, data, reason)
		}
		*t = v
		return nil
	}
	// A copy, since nothing forbids an UnmarshalText method to modify its argument.
	if err := p.(encoding.TextUnmarshaler).UnmarshalText(append([]byte{}, data...)); err != nil {
		return DecodeError(codec, p, data, notText)
	}
	return nil
}

// addressable returns a pointer to a copy of v, so that methods of the pointer are found too.
func addressable(v reflect.Value) reflect.Value {
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return p
}
