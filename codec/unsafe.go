package codec

import "unsafe"

// All of the package's unsafe code is in this file. It rests on two rules of [Codec] that
// package codectest enforces: Decode neither changes nor keeps its input, and nobody keeps the
// slice that Append returns.

// view gives the bytes of s without a copy, to be read and forgotten.
func view(s string) []byte {
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

// text gives b as a string without a copy. Nobody may change b while the string lives.
func text(b []byte) string {
	return *(*string)(unsafe.Pointer(&b)) // of which unsafe.String would check the length
}

// builtin is the codec of a builtin type, which serves each type that is defined as it, too:
// type Age int.
type builtin struct {
	typed          any            // the Typed of the builtin type
	encode, decode unsafe.Pointer // its methods, as function values
}

// builtinOf is given a codec and its methods.
func builtinOf[B any](typed Typed[B], encode func(B) (string, error), decode func(string) (B, error)) builtin {
	return builtin{typed, *(*unsafe.Pointer)(unsafe.Pointer(&encode)), *(*unsafe.Pointer)(unsafe.Pointer(&decode))}
}

// as gives b as a codec for T, which must have the kind of the builtin type, and so its layout
// in memory and in calls. There is one type for all builtin types, since each T of a program
// has a copy of what is generic here.
func as[T any](b builtin) Typed[T] {
	if same, ok := b.typed.(Typed[T]); ok {
		return same
	}
	return &defined[T]{*(*func(T) (string, error))(unsafe.Pointer(&b.encode)), *(*func(string) (T, error))(unsafe.Pointer(&b.decode))}
}

// defined is the codec of a type T that is defined as a builtin one.
type defined[T any] struct {
	encode func(T) (string, error)
	decode func(string) (T, error)
}

func (d *defined[T]) Encode(v T) (string, error) { return d.encode(v) }

func (d *defined[T]) Decode(data string) (T, error) { return d.decode(data) }
