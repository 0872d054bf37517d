package secure

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Hidden holds a value that must not be printed. It prints as "[redacted]" under every verb of fmt,
// in slog, and in JSON, text, binary and gob encodings. Printers that walk unexported fields by
// reflection find only the address of a function, because a closure holds the value, not a field.
//
// Encoding is one-way: nothing decodes into a Hidden, so "[redacted]" is never taken for a value.
// The zero Hidden holds the zero value of T.
type Hidden[T any] struct {
	reveal func() T
}

// Hide returns a Hidden that holds v. A slice, a map or a pointer is not copied.
func Hide[T any](v T) Hidden[T] {
	return Hidden[T]{reveal: func() T { return v }}
}

// Reveal returns the value.
func (h Hidden[T]) Reveal() T {
	if h.reveal == nil {
		var zero T
		return zero
	}
	return h.reveal()
}

// Format prints "[redacted]" for every verb and flag.
func (Hidden[T]) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// String returns "[redacted]".
func (Hidden[T]) String() string { return redacted }

// GoString returns "[redacted]".
func (Hidden[T]) GoString() string { return redacted }

// LogValue returns "[redacted]".
func (Hidden[T]) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns the string "[redacted]".
func (Hidden[T]) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns "[redacted]".
func (Hidden[T]) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalBinary returns "[redacted]".
func (Hidden[T]) MarshalBinary() ([]byte, error) { return []byte(redacted), nil }

var errHiddenDecode = errors.New("secure: a Hidden cannot be decoded; decode its value and Hide it")

// UnmarshalJSON always returns an error.
func (*Hidden[T]) UnmarshalJSON([]byte) error { return errHiddenDecode }

// UnmarshalText always returns an error.
func (*Hidden[T]) UnmarshalText([]byte) error { return errHiddenDecode }

// UnmarshalBinary always returns an error.
func (*Hidden[T]) UnmarshalBinary([]byte) error { return errHiddenDecode }
