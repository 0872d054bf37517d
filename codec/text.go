package codec

import (
	"encoding"
	"reflect"
)

// textTyped is the text form of T, a type that hasText accepts.
type textTyped[T any] struct{ codec string }

func (t textTyped[T]) Encode(v T) (string, error) {
	data, err := appendText(t.codec, nil, &v)
	return string(data), err
}

func (t textTyped[T]) Decode(data string) (T, error) {
	var v T
	// A copy, since nothing forbids an UnmarshalText method to work in place.
	if err := decodeText(t.codec, []byte(data), &v); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

// appendText appends the text of p, a pointer to a value.
func appendText(codec string, dst []byte, p any) ([]byte, error) {
	var err error
	switch m := p.(type) {
	case encoding.TextAppender:
		dst, err = m.AppendText(dst)
	case encoding.TextMarshaler:
		var b []byte
		b, err = m.MarshalText()
		dst = append(dst, b...)
	default:
		return nil, EncodeError(codec, p, "it has neither MarshalText nor AppendText")
	}
	if err != nil {
		// What the method says may quote the value.
		return nil, EncodeError(codec, reflect.ValueOf(p).Elem().Interface(), "its text method gave an error")
	}
	return dst, nil
}

func decodeText(codec string, data []byte, p any) error {
	u, ok := p.(encoding.TextUnmarshaler)
	if !ok {
		return DecodeError(codec, p, data, "it has no UnmarshalText")
	}
	if err := u.UnmarshalText(data); err != nil {
		return DecodeError(codec, p, data, "its UnmarshalText gave an error")
	}
	return nil
}

// addressable gives a pointer to a copy of v, so that methods on the pointer are found too.
func addressable(v reflect.Value) reflect.Value {
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return p
}
