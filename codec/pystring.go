package codec

import (
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

var errNotUTF8 = errors.New("a string that is not UTF-8 (for bytes there is []byte)")

// appendSurrogate appends the three bytes that UTF-8 would have for r if it allowed surrogates.
func appendSurrogate(dst []byte, r rune) []byte {
	return append(dst, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
}

// cutSurrogate is the inverse of appendSurrogate: it reads one off the front of s.
func cutSurrogate(s string) (rune, bool) {
	if len(s) < 3 || s[0] != 0xED || s[1] < 0xA0 || s[1] > 0xBF || s[2] < 0x80 || s[2] > 0xBF {
		return 0, false
	}
	return 0xD000 | rune(s[1]&0x3F)<<6 | rune(s[2]&0x3F), true
}

// appendString appends s as Python's json module writes it.
func appendString(dst []byte, s string) ([]byte, error) {
	dst = append(dst, '"')
	plain := 0
	for plain < len(s) && s[plain] >= ' ' && s[plain] < 0x7F && s[plain] != '"' && s[plain] != '\\' {
		plain++
	}
	dst, s = append(dst, s[:plain]...), s[plain:]
	high := false // the last rune was a lone high surrogate
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		surrogate := false
		if r == utf8.RuneError && size == 1 {
			if r, surrogate = cutSurrogate(s[i:]); !surrogate {
				return nil, errNotUTF8
			}
			if size = 3; high && r >= 0xDC00 {
				return nil, errNotUTF8 // together they would be read as another character
			}
		}
		high = surrogate && r < 0xDC00
		i += size
		dst = appendRune(dst, r)
	}
	return append(dst, '"'), nil
}

func appendRune(dst []byte, r rune) []byte {
	switch {
	case r == '"' || r == '\\':
		return append(dst, '\\', byte(r))
	case r >= ' ' && r < 0x7F:
		return append(dst, byte(r))
	case r == '\n':
		return append(dst, `\n`...)
	case r == '\r':
		return append(dst, `\r`...)
	case r == '\t':
		return append(dst, `\t`...)
	case r == '\b':
		return append(dst, `\b`...)
	case r == '\f':
		return append(dst, `\f`...)
	case r > 0xFFFF:
		high, low := utf16.EncodeRune(r)
		return appendUnit(appendUnit(dst, high), low)
	}
	return appendUnit(dst, r)
}

func appendUnit(dst []byte, r rune) []byte {
	const hexDigits = "0123456789abcdef"
	return append(dst, '\\', 'u', hexDigits[r>>12], hexDigits[r>>8&0xF], hexDigits[r>>4&0xF], hexDigits[r&0xF])
}
