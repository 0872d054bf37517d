package codec

import (
	"fmt"
	"reflect"
)

// Codec turns Go values into bytes and back. A codec is a value without mutable state. It is shared
// by every key that names it, and must be safe for concurrent use.
//
// Package codectest tests whether an implementation keeps the rules of a codec.
type Codec interface {
	// Name identifies the codec in errors, in descriptions and in the associated data of secrets:
	// "json", "zstd(json)". It does not change between releases.
	Name() string

	// Append appends the encoded form of v to dst and returns the extended slice. It keeps neither
	// dst nor v. Errors wrap [ErrEncode].
	Append(dst []byte, v any) ([]byte, error)

	// Decode decodes data into the zero value that v, a non-nil pointer, points to. It neither
	// changes data nor keeps a reference to it after it returns. Errors wrap [ErrDecode] and never
	// contain data.
	Decode(data []byte, v any) error
}

// TypeTeller is implemented by codecs that store the type beside the value.
type TypeTeller interface {
	// StoredType returns the type of an encoded value, in the codec's own words: "datetime".
	StoredType(data []byte) (string, error)
}

// TypeChecker is implemented by codecs that can report from a type alone that none of its values
// survives the round trip, as with a channel type in JSON. [For] calls it, so that such a key fails
// where it is declared and not when it is first used. A codec that wraps another one passes the
// call on with [CheckType].
type TypeChecker interface {
	// CheckType returns an error that names the part of t that cannot be stored.
	CheckType(t reflect.Type) error
}

// CheckType returns an error if c reports that it can never hold values of type t. It returns nil
// for a codec that is not a [TypeChecker].
func CheckType(c Codec, t reflect.Type) error {
	if checker, ok := c.(TypeChecker); ok {
		return checker.CheckType(t)
	}
	return nil
}

// TypeFixer is implemented by codecs that inspect a type before they handle its values. [For] calls
// it once, so that the inspection is not repeated for each value. A codec that wraps another one
// passes the call on with [FixType].
type TypeFixer interface {
	// FixType returns the codec for values of type t alone, which CheckType accepts. It has the
	// same name and the same form. Its Append is passed a t or, if t is an interface type, a
	// pointer to one; its Decode is passed a pointer to a t.
	FixType(t reflect.Type) Codec
}

// FixType returns c for values of type t alone. It returns c itself if c is not a [TypeFixer].
func FixType(c Codec, t reflect.Type) Codec {
	if fixer, ok := c.(TypeFixer); ok {
		return fixer.FixType(t)
	}
	return c
}

// Maker is implemented by the result of [FixType] for a pointer type, if it can do without a
// variable of that type to decode into.
type Maker interface {
	// Make decodes data into a new value of the type. The rules of Decode apply.
	Make(data []byte) (any, error)
}

// Namer is implemented by codecs that read what was written under names other than their own, such
// as [Versioned]. Whatever binds a value to the name of its codec, as secrets do, asks for all of
// the names. A codec that wraps another one passes the call on with [Names].
type Namer interface {
	// Names returns a new slice: the name of the codec of what is written, then the names of
	// everything else that can be read.
	Names() []string
}

// Names returns the name of the codec of what c writes, then the names of everything else that c
// reads. It returns only the name of c if c is not a [Namer].
func Names(c Codec) []string {
	if namer, ok := c.(Namer); ok {
		return namer.Names()
	}
	return []string{c.Name()}
}

// StoredType returns the type that c finds in an encoded value. The error wraps [ErrDecode]. It
// also wraps [ErrNoType] if the codec that wrote the value, which is c or one that c wraps, is not
// a [TypeTeller].
func StoredType(c Codec, data []byte) (string, error) {
	if teller, ok := c.(TypeTeller); ok {
		return teller.StoredType(data)
	}
	return "", fmt.Errorf("codec: %s: %w %s from %d bytes: %w", c.Name(), ErrDecode, storedType, len(data), ErrNoType)
}

// Typed is a codec fixed to one Go type, chosen once and then used without inspecting types again.
// Encoded values are strings because Redis commands are made of strings, and because nobody can
// change a string that a cache holds.
type Typed[T any] interface {
	// Encode returns the encoded form of v. If it also returns an error, the string is meaningless.
	Encode(v T) (string, error)

	// Decode returns the value that data encodes. Errors wrap [ErrDecode] and never contain data.
	Decode(data string) (T, error)
}
