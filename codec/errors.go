package codec

import (
	"errors"
	"fmt"
	"reflect"
)

var (
	// ErrDecode is wrapped by the error for stored bytes that are not a value of the wanted type.
	ErrDecode = errors.New("cannot decode")

	// ErrEncode is wrapped by the error for a value that a codec has no form for.
	ErrEncode = errors.New("cannot encode")

	// ErrNoType is wrapped, together with [ErrDecode], by the error of [StoredType] for a codec
	// that does not store the type: nothing is wrong with the stored bytes.
	ErrNoType = errors.New("this codec does not store types")
)

// notTarget is the reason when the caller passes Decode no variable to set.
const notTarget = "the target is not a pointer to a value"

// storedType stands for the Go type in errors of StoredType.
const storedType = "a stored type"

// EncodeError returns the error, wrapping [ErrEncode], for the named codec to return when it has no
// form for v. It contains only the type of v; reason must not quote the value either.
func EncodeError(codec string, v any, reason string) error {
	return fmt.Errorf("codec: %s: %w %s: %s", codec, ErrEncode, encodeName(v), reason)
}

// encodeName names the type of v, or of what v holds if it points to an interface.
func encodeName(v any) string {
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer && rv.Type().Elem().Kind() == reflect.Interface && !rv.IsNil() {
		v = rv.Elem().Interface()
	}
	return typeName(reflect.TypeOf(v))
}

// DecodeError returns the error, wrapping [ErrDecode], for the named codec to return when data is
// not an encoded value of the type that v points to. Of data it contains only the length. reason
// must not quote data either, which also rules out the text of most parsers' errors.
func DecodeError(codec string, v any, data []byte, reason string) error {
	t := reflect.TypeOf(v)
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return decodeError(codec, typeName(t), len(data), reason)
}

func decodeError(codec, typ string, size int, reason string) error {
	return fmt.Errorf("codec: %s: %w %s from %d bytes: %s", codec, ErrDecode, typ, size, reason)
}

func typeName(t reflect.Type) string {
	if t == nil {
		return "nil"
	}
	return t.String()
}
