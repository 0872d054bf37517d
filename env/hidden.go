package env

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Hidden is a text that is never printed: a password, a key, a URL with credentials. Under every
// verb of package fmt, in JSON and other text encodings, and in package slog it is "[redacted]", or
// "" if unset, also inside other values. The zero Hidden is unset.
type Hidden struct {
	// It is a closure because package fmt prints unexported fields without calling their methods,
	// but never what a function closes over.
	reveal func() string
}

// Hide returns a Hidden that holds text. Hide("") is unset.
func Hide(text string) Hidden {
	if text == "" {
		return Hidden{}
	}
	return Hidden{reveal: func() string { return text }}
}

// Reveal returns the text itself, or "" if it is unset.
func (h Hidden) Reveal() string {
	if h.reveal == nil {
		return ""
	}
	return h.reveal()
}

// IsZero reports whether h is unset.
func (h Hidden) IsZero() bool { return h.reveal == nil }

// String returns "[redacted]", or "" if h is unset.
func (h Hidden) String() string {
	if h.IsZero() {
		return ""
	}
	return redacted
}

// Format implements [fmt.Formatter]: every verb prints what String returns.
func (h Hidden) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, h.String()) }

// LogValue implements [slog.LogValuer]. It returns what String returns.
func (h Hidden) LogValue() slog.Value { return slog.StringValue(h.String()) }

// MarshalText implements [encoding.TextMarshaler], and thereby JSON. It returns what String
// returns, so it is not the inverse of UnmarshalText.
func (h Hidden) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]: it makes h hold text.
func (h *Hidden) UnmarshalText(text []byte) error {
	*h = Hide(string(text))
	return nil
}
