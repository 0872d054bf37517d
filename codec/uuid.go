package codec

import (
	"encoding"
	"encoding/hex"
	"errors"
	"reflect"
)

// UUID is what [Tagged] makes of a Python UUID when the target is an any. UUID types of other
// packages also work, as targets and as values: arrays of 16 bytes whose text is that of RFC 9562.
// A UUID can be converted to them: uuid.UUID(u).
type UUID [16]byte

var errNotUUID = errors.New("not a UUID of lower-case hexadecimal digits and hyphens")

// String returns u as 8-4-4-4-12 lower-case hexadecimal digits.
func (u UUID) String() string {
	var b [36]byte
	at := 0
	for i, c := range u {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b[at] = '-'
			at++
		}
		hex.Encode(b[at:at+2], []byte{c})
		at += 2
	}
	return string(b[:])
}

// MarshalText returns the text of [UUID.String].
func (u UUID) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText accepts the text of [UUID.String] and nothing else.
func (u *UUID) UnmarshalText(b []byte) error {
	v, err := parseUUID(string(b))
	if err == nil {
		*u = v
	}
	return err
}

func parseUUID(s string) (u UUID, err error) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return UUID{}, errNotUUID
	}
	if _, err := hex.Decode(u[:], []byte(s[:8]+s[9:13]+s[14:18]+s[19:23]+s[24:])); err != nil || u.String() != s {
		return UUID{}, errNotUUID
	}
	return u, nil
}

// isUUID reports whether t is a UUID type, of any package: 16 bytes whose text is that of a UUID.
func isUUID(t reflect.Type) bool {
	if t.Kind() != reflect.Array || t.Len() != 16 || t.Elem().Kind() != reflect.Uint8 || !hasText(t) {
		return false
	}
	sample := UUID{0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10}
	p := reflect.New(t)
	reflect.Copy(p.Elem(), reflect.ValueOf(sample))
	m, ok := reflect.TypeAssert[encoding.TextMarshaler](p)
	if !ok {
		return false
	}
	text, err := m.MarshalText()
	return err == nil && string(text) == sample.String()
}
