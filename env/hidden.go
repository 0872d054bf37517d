package env

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Hidden is a text that is never printed: a password, a key, a URL with credentials. Under every
// verb of package fmt, in JSON and other text encodings and in package slog it is "[redacted]",
// or "" when nothing is set, also inside of other values. The zero Hidden is unset.
type Hidden struct {
	// A closure, because package fmt prints what unexported fields hold without asking their
	// methods, but never what a function closes over.
	reveal func() string
}

// Hide wraps text. Hide("") is unset.
func Hide(text string) Hidden {
	if text == "" {
		return Hidden{}
	}
	return Hidden{reveal: func() string { return text }}
}

// Reveal gives the text itself, or "" when it is unset.
func (h Hidden) Reveal() string {
	if h.reveal == nil {
		return ""
	}
	return h.reveal()
}

// IsZero tells whether h is unset.
func (h Hidden) IsZero() bool { return h.reveal == nil }

// String gives "[redacted]", or "" when h is unset.
func (h Hidden) String() string {
	if h.IsZero() {
		return ""
	}
	return redacted
}

// Format implements [fmt.Formatter]: every verb prints what String gives.
func (h Hidden) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, h.String()) }

// LogValue implements [slog.LogValuer] with what String gives.
func (h Hidden) LogValue() slog.Value { return slog.StringValue(h.String()) }

// MarshalText implements [encoding.TextMarshaler], and so JSON, with what String gives. It is not
// the reverse of UnmarshalText.
func (h Hidden) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]: it hides text.
func (h *Hidden) UnmarshalText(text []byte) error {
	*h = Hide(string(text))
	return nil
}
