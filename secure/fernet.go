package secure

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// A Fernet token has this form, specified in github.com/fernet/spec. Numbers are lengths in bytes:
//
//	80 | timestamp 8 | IV 16 | AES-128-CBC with PKCS #7 padding | HMAC-SHA256 32
//
// The whole is in the URL alphabet of base64 with padding. The first half of the key signs, the
// second encrypts. Timestamps are ignored: the Python library never looked at them, and a stored
// secret does not age.
const (
	fernetVersion    = 0x80
	fernetHeaderSize = 1 + 8 + aes.BlockSize
	fernetMinSize    = fernetHeaderSize + aes.BlockSize + sha256.Size
	fernetPrefix     = "gAAAA" // the version and a timestamp before the year 2106
)

type fernetKey struct{ bytes Hidden[[KeySize]byte] }

func newFernetKey(k Key) fernetKey { return fernetKey(k) }

// OpenFernet returns the plaintext of a Fernet token, such as those of Python's cryptography
// package. The key is 32 bytes in the URL alphabet of base64, as generate_key there returns it; any
// other key is [ErrKey]. A token that is malformed, altered or under another key is [ErrOpen], with
// no distinction. A token whose plaintext would exceed [DefaultMaxPlaintext] is [ErrTooLarge]. The
// age of the token does not matter.
func OpenFernet(key string, token []byte) ([]byte, error) {
	if strings.ContainsAny(key, "+/") || len(key) > base64.URLEncoding.EncodedLen(KeySize) {
		return nil, fmt.Errorf("%w: a Fernet key is %d bytes in the URL alphabet of base64", ErrKey, KeySize)
	}
	k, err := ParseKey(key)
	if err != nil {
		return nil, err
	}
	if len(token) > maxFernet(DefaultMaxPlaintext) {
		return nil, fmt.Errorf("%w: token of %d bytes, the limit is %d", ErrTooLarge, len(token), maxFernet(DefaultMaxPlaintext))
	}
	raw, ok := decodeFernet(token)
	if !ok {
		return nil, ErrOpen
	}
	plaintext, ok := newFernetKey(k).open(raw)
	if !ok {
		return nil, ErrOpen
	}
	return plaintext, nil
}

// openFernet is the part of Open for values that do not look sealed.
func (k *Keyring) openFernet(dst, value []byte, field, kind string) ([]byte, error) {
	// The Python library had no secrets in hashes, and its passwords were not encrypted: it did not
	// put a token in any such place. The field alone does not show whether the value is in a hash,
	// since a field's name can be empty.
	if len(k.fernet) == 0 || field != "" || kind != kindSecret {
		return nil, ErrNotSealed
	}
	if len(value) > maxWrappedFernet(k.limit) {
		return nil, fmt.Errorf("%w: value of %d bytes, the limit is %d", ErrTooLarge, len(value), maxWrappedFernet(k.limit))
	}
	token, wrapped := unwrapPython(value)
	if !wrapped || !looksFernet(token) {
		return nil, ErrNotSealed
	}
	raw, ok := decodeFernet(token)
	if !ok {
		return nil, ErrOpen
	}
	for _, key := range k.fernet {
		if plaintext, ok := key.open(raw); ok {
			k.opened.Add(1)
			return append(dst, plaintext...), nil
		}
	}
	return nil, ErrOpen
}

// kindSecret is the kind of the values that the Python library encrypted.
const kindSecret = "secret"

func looksFernet(token []byte) bool { return bytes.HasPrefix(token, []byte(fernetPrefix)) }

// maxFernet returns the length of the longest token for a plaintext of limit bytes.
func maxFernet(limit int) int {
	return base64.URLEncoding.EncodedLen(fernetHeaderSize + limit + aes.BlockSize + sha256.Size)
}

// maxWrappedFernet returns the length of such a token with room for the wrapper.
func maxWrappedFernet(limit int) int { return maxFernet(limit) + 64 }

func decodeFernet(token []byte) ([]byte, bool) {
	// Even the strict decoder skips line breaks, which would allow many spellings of one token.
	if bytes.ContainsAny(token, "\r\n") {
		return nil, false
	}
	raw, err := base64.URLEncoding.Strict().AppendDecode(nil, token)
	return raw, err == nil
}

// open checks the signature before it looks at anything that a forger could have chosen, so that
// every forgery gets the same answer.
func (k fernetKey) open(raw []byte) ([]byte, bool) {
	if len(raw) < fernetMinSize || raw[0] != fernetVersion {
		return nil, false
	}
	key := k.bytes.Reveal()
	signed, sum := raw[:len(raw)-sha256.Size], raw[len(raw)-sha256.Size:]
	mac := hmac.New(sha256.New, key[:KeySize/2])
	mac.Write(signed)
	if !hmac.Equal(mac.Sum(nil), sum) {
		return nil, false
	}
	text := signed[fernetHeaderSize:]
	if len(text)%aes.BlockSize != 0 {
		return nil, false
	}
	block, err := aes.NewCipher(key[KeySize/2:])
	if err != nil {
		return nil, false
	}
	plaintext := make([]byte, len(text))
	cipher.NewCBCDecrypter(block, raw[fernetHeaderSize-aes.BlockSize:fernetHeaderSize]).CryptBlocks(plaintext, text)
	return unpad(plaintext)
}

// unpad removes PKCS #7 padding. It need not take constant time: only a holder of the signing key
// can get here with padding of their choice.
func unpad(b []byte) ([]byte, bool) {
	n := int(b[len(b)-1])
	if n < 1 || n > aes.BlockSize {
		return nil, false
	}
	text, padding := b[:len(b)-n], b[len(b)-n:]
	for _, c := range padding {
		if int(c) != n {
			return nil, false
		}
	}
	return text, true
}
