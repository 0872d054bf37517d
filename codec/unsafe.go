package codec

import "unsafe"

// All of the package's unsafe code is in this file. It relies on two rules of [Codec] that package
// codectest enforces: Decode neither changes nor keeps its input, and nobody keeps the slice that
// Append returns.

// view returns the bytes of s without a copy. They must not be changed or kept.
func view(s string) []byte {
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

// text returns b as a string without a copy. Nobody may change b while the string is in use.
func text(b []byte) string {
	return *(*string)(unsafe.Pointer(&b)) // unsafe.String would check the length
}

// builtin is the codec of a builtin type. It also serves every type that is defined as that type:
// type Age int.
type builtin struct {
	typed          any            // the Typed of the builtin type
	encode, decode unsafe.Pointer // its methods, as function values
}

// builtinOf returns the builtin for a codec and its two methods.
func builtinOf[B any](typed Typed[B], encode func(B) (string, error), decode func(string) (B, error)) builtin {
	return builtin{typed, *(*unsafe.Pointer)(unsafe.Pointer(&encode)), *(*unsafe.Pointer)(unsafe.Pointer(&decode))}
}

// as returns b as a codec for T. T must have the kind of the builtin type, and thus its layout in
// memory and in calls. There is one builtin type for all, since generic code is compiled again for
// each T of a program.
func as[T any](b builtin) Typed[T] {
	if same, ok := b.typed.(Typed[T]); ok {
		return same
	}
	return &defined[T]{*(*func(T) (string, error))(unsafe.Pointer(&b.encode)), *(*func(string) (T, error))(unsafe.Pointer(&b.decode))}
}

// defined is the codec of a type T that is defined as a builtin type.
type defined[T any] struct {
	encode func(T) (string, error)
	decode func(string) (T, error)
}

func (d *defined[T]) Encode(v T) (string, error) { return d.encode(v) }

func (d *defined[T]) Decode(data string) (T, error) { return d.decode(data) }
