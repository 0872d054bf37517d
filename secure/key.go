package secure

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

const (
	keyIDSize = 8

	// extractSalt and the labels below separate what is derived from one key. Changing any of them
	// makes every stored value unreadable.
	extractSalt = "redisimnest/secret/v1"
	keyIDLabel  = "key id"
	valueLabel  = "value"
)

// keyID names a key in sealed values and in messages. It is derived from the key, so keys need no
// numbering and no two keys can share a number.
type keyID [keyIDSize]byte

func (id keyID) String() string { return hex.EncodeToString(id[:]) }

// Key is a secret key of 32 bytes. It prints as its id, never as itself. The zero Key is not a key;
// [NewKeyring] refuses it.
type Key struct {
	bytes Hidden[[KeySize]byte]
}

// GenerateKey returns a new random key.
func GenerateKey() Key {
	var b [KeySize]byte
	// Since Go 1.24 Read never fails: it ends the process if the system cannot provide randomness.
	_, _ = rand.Read(b[:])
	return Key{Hide(b)}
}

// NewKey returns a key with a copy of 32 bytes. Any other length, or all zeros, is [ErrKey].
func NewKey(raw []byte) (Key, error) {
	if len(raw) != KeySize {
		return Key{}, fmt.Errorf("%w: want %d bytes, got %d", ErrKey, KeySize, len(raw))
	}
	b := [KeySize]byte(raw)
	if b == [KeySize]byte{} {
		return Key{}, fmt.Errorf("%w: all its bytes are zero", ErrKey)
	}
	return Key{Hide(b)}, nil
}

// ParseKey parses a key from text: 32 bytes in hexadecimal (64 digits) or in base64 (standard or
// URL alphabet, 44 characters with padding or 43 without). In each of these forms a key has exactly
// one text. White space anywhere, left-over bits and anything else that decoders tolerate is
// [ErrKey], which never contains the text.
func ParseKey(text string) (Key, error) {
	if strings.ContainsAny(text, " \t\r\n\v\f") {
		return Key{}, fmt.Errorf("%w: white space is not allowed", ErrKey)
	}
	raw, ok := decodeKey(text)
	if !ok {
		return Key{}, fmt.Errorf("%w: want %d bytes as hex (64 digits) or base64 (43 or 44 characters), got %d characters that are neither",
			ErrKey, KeySize, len(text))
	}
	return NewKey(raw)
}

func decodeKey(text string) ([]byte, bool) {
	if len(text) == hex.EncodedLen(KeySize) {
		raw, err := hex.DecodeString(text)
		return raw, err == nil
	}
	std, url := base64.StdEncoding, base64.URLEncoding
	if len(text) == base64.RawStdEncoding.EncodedLen(KeySize) {
		std, url = base64.RawStdEncoding, base64.RawURLEncoding
	} else if len(text) != base64.StdEncoding.EncodedLen(KeySize) {
		return nil, false
	}
	for _, enc := range []*base64.Encoding{std, url} {
		// Encoding again is the whole check for strictness: it excludes everything that the decoder
		// tolerates.
		if raw, err := enc.DecodeString(text); err == nil && enc.EncodeToString(raw) == text {
			return raw, true
		}
	}
	return nil, false
}

// ID returns the name of the key: 16 hexadecimal digits that are derived from it and are not
// secret. The ID of the zero Key is empty.
func (k Key) ID() string {
	if k.isZero() {
		return ""
	}
	_, id, err := k.extract()
	if err != nil {
		return ""
	}
	return id.String()
}

// Reveal returns the key as text, in the URL alphabet of base64 with padding, for storage where
// secrets are kept. [ParseKey] parses it.
func (k Key) Reveal() string {
	b := k.bytes.Reveal()
	return base64.URLEncoding.EncodeToString(b[:])
}

// Format prints what String returns for every verb.
func (k Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, k.String()) }

// String returns a text that names the key by its id.
func (k Key) String() string { return "secure.Key(" + k.ID() + ")" }

// LogValue returns what String returns.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText returns what String returns; use Reveal to store a key.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

func (k Key) isZero() bool { return k.bytes.Reveal() == [KeySize]byte{} }

// extract returns HKDF-Extract (RFC 5869, section 2.2) of the key, and the id derived from it. The
// error is the standard library's, which returns one only where the system is restricted to other
// algorithms.
func (k Key) extract() (prk []byte, id keyID, err error) {
	b := k.bytes.Reveal()
	prk, err = hkdf.Extract(sha256.New, b[:], []byte(extractSalt))
	if err != nil {
		return nil, id, err
	}
	out, err := hkdf.Expand(sha256.New, prk, keyIDLabel, keyIDSize)
	if err != nil {
		return nil, id, err
	}
	return prk, keyID(out), nil
}
