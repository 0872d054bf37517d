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
)

// notTarget is the reason when the caller gives Decode no variable to set.
const notTarget = "the target is not a pointer to a value"

// storedType stands for the Go type in errors of StoredType.
const storedType = "a stored type"

// EncodeError gives the error, wrapping [ErrEncode], that the named codec returns when it has
// no form for v. Only the type of v appears in it; reason must not quote the value either.
func EncodeError(codec string, v any, reason string) error {
	return fmt.Errorf("codec: %s: %w %s: %s", codec, ErrEncode, typeName(reflect.TypeOf(v)), reason)
}

// DecodeError gives the error, wrapping [ErrDecode], that the named codec returns when data is
// not an encoded value of the type that v points to. Of data only the length appears in it;
// reason must not quote data either, which also rules out the text of most parsers' errors.
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
