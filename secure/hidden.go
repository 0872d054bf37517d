package secure

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Hidden holds a value that must not be printed. It shows as "[redacted]" under
// every verb of fmt, in slog, JSON, text, binary and gob encodings; printers
// that walk unexported fields by reflection find only the address of a
// function, because the value is held by a closure and not by a field.
//
// It is one-way: nothing decodes into a Hidden, so that "[redacted]" is never
// taken for a value. The zero Hidden holds the zero value of T.
type Hidden[T any] struct {
	reveal func() T
}

// Hide wraps a value. A slice, a map or a pointer is not copied.
func Hide[T any](v T) Hidden[T] {
	return Hidden[T]{reveal: func() T { return v }}
}

// Reveal gives the value.
func (h Hidden[T]) Reveal() T {
	if h.reveal == nil {
		var zero T
		return zero
	}
	return h.reveal()
}

// Format prints "[redacted]" whatever the verb and the flags.
func (Hidden[T]) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// String is "[redacted]".
func (Hidden[T]) String() string { return redacted }

// GoString is "[redacted]".
func (Hidden[T]) GoString() string { return redacted }

// LogValue is "[redacted]".
func (Hidden[T]) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON gives the string "[redacted]".
func (Hidden[T]) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText gives "[redacted]".
func (Hidden[T]) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalBinary gives "[redacted]".
func (Hidden[T]) MarshalBinary() ([]byte, error) { return []byte(redacted), nil }

var errHiddenDecode = errors.New("secure: a Hidden cannot be decoded; decode its value and Hide it")

// UnmarshalJSON fails.
func (*Hidden[T]) UnmarshalJSON([]byte) error { return errHiddenDecode }

// UnmarshalText fails.
func (*Hidden[T]) UnmarshalText([]byte) error { return errHiddenDecode }

// UnmarshalBinary fails.
func (*Hidden[T]) UnmarshalBinary([]byte) error { return errHiddenDecode }
