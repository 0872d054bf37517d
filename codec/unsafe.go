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
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// named is the codec of a type T that is defined as B: type Age int.
type named[T, B any] struct{ base Typed[B] }

// as gives base as a codec for T, which must have the kind of the builtin type B, and so its
// layout in memory.
func as[T, B any](base Typed[B]) Typed[T] {
	if same, ok := any(base).(Typed[T]); ok {
		return same
	}
	return named[T, B]{base}
}

func (n named[T, B]) Encode(v T) (string, error) {
	return n.base.Encode(*(*B)(unsafe.Pointer(&v)))
}

func (n named[T, B]) Decode(data string) (T, error) {
	v, err := n.base.Decode(data)
	return *(*T)(unsafe.Pointer(&v)), err
}
