package codec

import (
	"fmt"
	"reflect"
)

// Codec turns Go values into bytes and back. A codec is a value without mutable state: it is
// shared by every key that names it and must be safe for concurrent use.
//
// Package codectest holds the rules that an implementation keeps, as tests.
type Codec interface {
	// Name identifies the codec in errors, in descriptions and in the associated data of
	// secrets: "json", "zstd(json)". It does not change between releases.
	Name() string

	// Append appends the encoded form of v to dst and returns the extended slice. It keeps
	// neither dst nor v. Errors wrap [ErrEncode].
	Append(dst []byte, v any) ([]byte, error)

	// Decode decodes data into the zero value that v, a non-nil pointer, points to. It neither
	// changes data nor keeps a reference to it after it returns. Errors wrap [ErrDecode] and
	// never hold data.
	Decode(data []byte, v any) error
}

// TypeTeller is implemented by codecs that store the type beside the value.
type TypeTeller interface {
	// StoredType tells the type of an encoded value in the codec's own words: "datetime".
	StoredType(data []byte) (string, error)
}

// TypeChecker is implemented by codecs that can tell from a type alone that no value of it
// makes the way there and back: a channel in JSON. [For] asks it, so that such a key fails
// where it is declared and not when it is first used. A codec that wraps another one passes
// the question on with [CheckType].
type TypeChecker interface {
	// CheckType gives an error that names the part of t that stands in the way.
	CheckType(t reflect.Type) error
}

// CheckType asks c whether it can hold values of type t. It gives nil for a codec that is not
// a [TypeChecker].
func CheckType(c Codec, t reflect.Type) error {
	if checker, ok := c.(TypeChecker); ok {
		return checker.CheckType(t)
	}
	return nil
}

// TypeFixer is implemented by codecs that have something to find out of a type before they
// handle its values. [For] asks once, so that it is not found out again with each value. A codec
// that wraps another one passes the question on with [FixType].
type TypeFixer interface {
	// FixType gives the codec for values of type t alone, which CheckType accepts. It has the
	// same name and the same form. Its Append is given a t or, if t is an interface type, a
	// pointer to one; its Decode a pointer to a t.
	FixType(t reflect.Type) Codec
}

// FixType gives c for values of type t alone. It gives c itself if that is not a [TypeFixer].
func FixType(c Codec, t reflect.Type) Codec {
	if fixer, ok := c.(TypeFixer); ok {
		return fixer.FixType(t)
	}
	return c
}

// Maker is implemented by what [FixType] gives for a pointer type, if it can do without a
// variable of that type to decode into.
type Maker interface {
	// Make decodes data into a new value of the type. It has the rules of Decode.
	Make(data []byte) (any, error)
}

// StoredType asks c for the type of an encoded value. The error wraps [ErrDecode], and also
// [ErrNoType] when c is not a [TypeTeller] or, of a codec that wraps others, the one that wrote
// the value is not.
func StoredType(c Codec, data []byte) (string, error) {
	if teller, ok := c.(TypeTeller); ok {
		return teller.StoredType(data)
	}
	return "", fmt.Errorf("codec: %s: %w %s from %d bytes: %w", c.Name(), ErrDecode, storedType, len(data), ErrNoType)
}

// Typed is a codec fixed to one Go type, chosen once and then used without looking at types
// again. Encoded values are strings because Redis commands are made of strings, and a string
// cannot be changed behind the back of a cache.
type Typed[T any] interface {
	// Encode gives the encoded form of v. Beside an error the string means nothing.
	Encode(v T) (string, error)

	// Decode gives the value that data encodes. Errors wrap [ErrDecode] and never hold data.
	Decode(data string) (T, error)
}
