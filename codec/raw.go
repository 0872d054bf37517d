package codec

import (
	"fmt"
	"reflect"
)

// Raw stores strings and byte slices, and types defined as these, unchanged, and nothing else. A
// nil byte slice is read back as an empty one. Raw ignores methods: it stores what the value holds.
var Raw Codec = raw{}

type raw struct{}

func (raw) Name() string { return "raw" }

func (raw) CheckType(t reflect.Type) error {
	if isString(t) || isBytes(t) {
		return nil
	}
	return fmt.Errorf("raw holds strings and byte slices, not %s", t)
}

// AnyBytes returns true: Raw stores arbitrary bytes; see [Versioned].
func (raw) AnyBytes(reflect.Type) bool { return true }

func (r raw) Append(dst []byte, v any) ([]byte, error) {
	t := reflect.TypeOf(v)
	switch {
	case isString(t):
		return append(dst, reflect.ValueOf(v).String()...), nil
	case isBytes(t):
		return append(dst, reflect.ValueOf(v).Bytes()...), nil
	}
	return nil, EncodeError(r.Name(), v, "raw holds strings and byte slices")
}

func (r raw) Decode(data []byte, v any) error {
	p := reflect.ValueOf(v)
	switch {
	case p.Kind() != reflect.Pointer || p.IsNil():
		return DecodeError(r.Name(), v, data, notTarget)
	case isString(p.Type().Elem()):
		p.Elem().SetString(string(data))
	case isBytes(p.Type().Elem()):
		p.Elem().SetBytes(append([]byte{}, data...))
	default:
		return DecodeError(r.Name(), v, data, "raw holds strings and byte slices")
	}
	return nil
}

// rawFor returns Raw for T, which CheckType has accepted.
func rawFor[T any](t reflect.Type) Typed[T] {
	if isString(t) {
		return as[T](builtinString())
	}
	return as[T](builtinBytes())
}

func isString(t reflect.Type) bool {
	return t != nil && t.Kind() == reflect.String
}

func isBytes(t reflect.Type) bool {
	return t != nil && t.Kind() == reflect.Slice && t.Elem() == bytesType.Elem()
}
