package nest

import (
	"fmt"
	"reflect"
	"time"

	"github.com/redisimnest/redisimnest/codec"
)

// fieldCodec encodes and decodes one field of a record. It is chosen by the field's type when a
// tree is opened. v is of that type and addressable.
type fieldCodec interface {
	encode(f *recordField, v reflect.Value) (string, error)
	decode(f *recordField, v reflect.Value, text string) error
}

// plainField is the codec of a field whose type is known here: neither encoding nor decoding boxes
// the value.
type plainField[T any] struct{ typed codec.Typed[T] }

func (c plainField[T]) encode(_ *recordField, v reflect.Value) (string, error) {
	return c.typed.Encode(*v.Addr().Interface().(*T))
}

func (c plainField[T]) decode(_ *recordField, v reflect.Value, text string) error {
	t, err := c.typed.Decode(text)
	if err == nil {
		*v.Addr().Interface().(*T) = t
	}
	return err
}

// boxedField is the codec of a field of any other type.
type boxedField struct{ codec codec.Codec }

func (c boxedField) encode(f *recordField, v reflect.Value) (string, error) {
	box := v.Addr() // for an interface, so that it is written as the type that it is read as
	if f.typ.Kind() != reflect.Interface {
		box = v
	}
	data, err := c.codec.Append(nil, box.Interface())
	return string(data), err
}

func (c boxedField) decode(_ *recordField, v reflect.Value, text string) error {
	return c.codec.Decode([]byte(text), v.Addr().Interface())
}

func plain[T any](c codec.Codec) (fieldCodec, error) {
	typed, err := codec.For[T](c)
	return plainField[T]{typed}, err
}

// plainFor returns how to choose the codec of a type that many fields have, and nil for other
// types. It is a function and no table: the linker keeps what a table lists even if nothing reads
// it, and these codecs took a third of a megabyte in programs without records.
func plainFor(t reflect.Type) func(codec.Codec) (fieldCodec, error) {
	switch t {
	case reflect.TypeFor[string]():
		return plain[string]
	case reflect.TypeFor[[]byte]():
		return plain[[]byte]
	case reflect.TypeFor[bool]():
		return plain[bool]
	case reflect.TypeFor[int]():
		return plain[int]
	case reflect.TypeFor[int8]():
		return plain[int8]
	case reflect.TypeFor[int16]():
		return plain[int16]
	case reflect.TypeFor[int32]():
		return plain[int32]
	case reflect.TypeFor[int64]():
		return plain[int64]
	case reflect.TypeFor[uint]():
		return plain[uint]
	case reflect.TypeFor[uint8]():
		return plain[uint8]
	case reflect.TypeFor[uint16]():
		return plain[uint16]
	case reflect.TypeFor[uint32]():
		return plain[uint32]
	case reflect.TypeFor[uint64]():
		return plain[uint64]
	case reflect.TypeFor[float32]():
		return plain[float32]
	case reflect.TypeFor[float64]():
		return plain[float64]
	case reflect.TypeFor[time.Time]():
		return plain[time.Time]
	case reflect.TypeFor[time.Duration]():
		return plain[time.Duration]
	case reflect.TypeFor[[]string]():
		return plain[[]string]
	}
	return nil
}

// codecOf returns the codec of a field.
func codecOf(f *recordField, c codec.Codec) (fieldCodec, error) {
	if choose := plainFor(f.typ); choose != nil {
		return choose(c)
	}
	if err := codec.CheckType(c, f.typ); err != nil {
		return nil, fmt.Errorf("codec: %s: type %s: %w", c.Name(), f.typ, err)
	}
	return boxedField{c}, nil
}

// boundField is a field with its codec.
type boundField struct {
	*recordField
	codec  fieldCodec
	number number // how to add to it, if it is a number that the codec stores in decimal
}

func bindField(f *recordField, c codec.Codec) (boundField, error) {
	fc, err := codecOf(f, c)
	if err != nil {
		return boundField{}, fmt.Errorf("field %s: %w", f.goName, err)
	}
	b := boundField{recordField: f, codec: fc}
	if n := numberOf(f.typ); n.command != "" && !f.secret {
		twelve := reflect.New(f.typ).Elem()
		convert(twelve, reflect.ValueOf(int8(12)))
		if text, err := fc.encode(f, twelve); err == nil && text == "12" {
			b.number = n
		}
	}
	return b, nil
}

// encode returns the encoded value of the field in a record, and false if it is stored as no field.
func (f *boundField) encode(m *mounted, record reflect.Value) (string, bool, error) {
	v, ok := f.stored(record)
	if !ok {
		return "", false, nil
	}
	text, err := f.codec.encode(f.recordField, v)
	if err != nil {
		return "", false, atField(f.name, encodeError(m, err))
	}
	return text, true, nil
}

func (f *boundField) decode(m *mounted, record reflect.Value, text string) error {
	if err := f.codec.decode(f.recordField, f.target(record), text); err != nil {
		return atField(f.name, decodeError(m, err))
	}
	return nil
}
