package secure

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/crypto/chacha20poly1305"
)

// A sealed value has this form. Numbers are lengths in bytes:
//
//	FA 5E | suite 1 | key id 8 | nonce 24 | commitment 32 | ciphertext and tag, plaintext + 16
//
// For each value, suite 1 derives an encryption key and a commitment from the key of the ring and
// the nonce, with HKDF-SHA256 (RFC 5869),
//
//	prk = Extract(salt "redisimnest/secret/v1", key)
//	key id = Expand(prk, "key id", 8)
//	value key 32 | commitment 32 = Expand(prk, "value" | nonce, 64)
//
// and encrypts with XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03, as in libsodium and x/crypto),
// whose nonce is long enough to be random. The associated data is
//
//	"redisimnest/aad/v1" 00 | all 67 bytes in front of the ciphertext |
//	then each as its length, 8 bytes big-endian, and its bytes:
//	context | Redis key | hash field | kind | codec
//
// The AEAD alone does not commit to its key: one ciphertext can be made to open under two keys
// (Albertini et al., "How to Abuse and Fix Authenticated Encryption Without Key Commitment", 2020).
// The commitment rules that out; it is compared before opening.
const (
	magic0, magic1 = 0xFA, 0x5E // not valid UTF-8, so no text or JSON looks sealed
	suite1         = 1

	suiteAt      = 2
	keyIDAt      = 3
	nonceAt      = keyIDAt + keyIDSize
	commitmentAt = nonceAt + nonceSize
	headerSize   = commitmentAt + commitmentSize

	nonceSize = chacha20poly1305.NonceSizeX

	aadLabel = "redisimnest/aad/v1\x00"
)

// Overhead is how many bytes longer than its plaintext a sealed value is.
const Overhead = headerSize + chacha20poly1305.Overhead

// Seal appends the sealed form of plaintext to dst. The value opens only for the same place: key is
// the full Redis key, field the hash field or "", kind the kind of key that holds it, codec the
// name of the codec that made the plaintext. plaintext may be empty, and may share memory with dst.
// Over the limit Seal returns [ErrTooLarge] before it allocates anything.
func (k *Keyring) Seal(dst, plaintext []byte, key, field, kind, codec string) ([]byte, error) {
	if !k.ready() {
		return nil, ErrNoKeyring
	}
	if len(plaintext) > k.limit {
		return nil, fmt.Errorf("%w: plaintext of %d bytes, the limit is %d", ErrTooLarge, len(plaintext), k.limit)
	}
	var nonce [nonceSize]byte
	_, _ = rand.Read(nonce[:]) // never fails, see GenerateKey
	return k.seal(dst, plaintext, &nonce, place{key, field, kind, codec})
}

// Open appends the plaintext of sealed to dst, if a key of the ring sealed it for the same place in
// the same context. With [AcceptFernet] it also opens values of the Python library. sealed may
// share memory with dst. The errors are [ErrNotSealed], [ErrUnknownSuite], [ErrUnknownKey],
// [ErrDisabledKey], [ErrOpen] and [ErrTooLarge]; with any of them Open returns no bytes.
func (k *Keyring) Open(dst, sealed []byte, key, field, kind, codec string) ([]byte, error) {
	if !k.ready() {
		return nil, ErrNoKeyring
	}
	if !hasMagic(sealed) {
		return k.openFernet(dst, sealed, field, kind)
	}
	if len(sealed) > suiteAt && sealed[suiteAt] != suite1 {
		return nil, fmt.Errorf("%w: %d", ErrUnknownSuite, sealed[suiteAt])
	}
	if len(sealed) < Overhead {
		return nil, ErrOpen
	}
	if len(sealed)-Overhead > k.limit {
		return nil, fmt.Errorf("%w: sealed value of %d bytes, the limit is %d", ErrTooLarge, len(sealed), k.limit+Overhead)
	}
	id := keyID(sealed[keyIDAt:nonceAt])
	if slices.Contains(k.disabled, id) {
		return nil, fmt.Errorf("%w: %s", ErrDisabledKey, id)
	}
	sk := k.find(id)
	if sk == nil {
		return nil, fmt.Errorf("%w: %s; add it as an accept-only key if values under it must be read", ErrUnknownKey, id)
	}
	return k.open(dst, sealed, sk, place{key, field, kind, codec})
}

// Current reports whether sealed was sealed by the newest suite under the primary key, so that a
// rotation can leave it alone. It reads only the header.
func (k *Keyring) Current(sealed []byte) bool {
	return k.ready() && hasHeader(sealed) && keyID(sealed[keyIDAt:nonceAt]) == k.primary().id
}

// FernetKeyID is what [Keyring.KeyID] returns for values of the Python library, which do not say
// which key sealed them.
const FernetKeyID = "fernet"

// KeyID returns the ID, as of [Key.ID], of the key that sealed a value. It does not open the value,
// and the key need not be in the ring. With [AcceptFernet] it returns [FernetKeyID] for values in
// the Python library's form. ok is false for all other values.
func (k *Keyring) KeyID(sealed []byte) (id string, ok bool) {
	if hasHeader(sealed) {
		return keyID(sealed[keyIDAt:nonceAt]).String(), true
	}
	if k.ready() && len(k.fernet) > 0 && len(sealed) <= maxWrappedFernet(k.limit) {
		if token, wrapped := unwrapPython(sealed); wrapped && looksFernet(token) {
			return FernetKeyID, true
		}
	}
	return "", false
}

func hasMagic(b []byte) bool { return len(b) >= 2 && b[0] == magic0 && b[1] == magic1 }

func hasHeader(b []byte) bool {
	return len(b) >= Overhead && hasMagic(b) && b[suiteAt] == suite1
}

// place is where a value is stored. A value opens nowhere else.
type place struct{ key, field, kind, codec string }

// seal is Seal with a given nonce, which must never repeat.
func (k *Keyring) seal(dst, plaintext []byte, nonce *[nonceSize]byte, at place) ([]byte, error) {
	if overlap(dst[:cap(dst)], plaintext) {
		dst = slices.Clip(dst) // growing it then moves it away from plaintext
	}
	out := slices.Grow(dst, Overhead+len(plaintext))
	out = append(out, magic0, magic1, suite1)
	out = append(out, k.primary().id[:]...)
	out = append(out, nonce[:]...)
	key, commitment := k.primary().derive(nonce[:])
	out = append(out, commitment[:]...)
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return nil, err
	}
	return aead.Seal(out, nonce[:], plaintext, k.associated(out[len(dst):], at)), nil
}

func (k *Keyring) open(dst, sealed []byte, sk *sealingKey, at place) ([]byte, error) {
	header, nonce, text := sealed[:headerSize], sealed[nonceAt:commitmentAt], sealed[headerSize:]
	key, commitment := sk.derive(nonce)
	if subtle.ConstantTimeCompare(commitment[:], header[commitmentAt:]) != 1 {
		return nil, ErrOpen
	}
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return nil, err
	}
	if overlap(dst[:cap(dst)], sealed) {
		dst = slices.Clip(dst)
	}
	out, err := aead.Open(dst, nonce, text, k.associated(header, at))
	if err != nil {
		return nil, ErrOpen
	}
	return out, nil
}

func (k *Keyring) associated(header []byte, at place) []byte {
	parts := [...]string{k.context, at.key, at.field, at.kind, at.codec}
	size := len(aadLabel) + len(header)
	for _, p := range parts {
		size += 8 + len(p)
	}
	aad := make([]byte, 0, size)
	aad = append(aad, aadLabel...)
	aad = append(aad, header...)
	for _, p := range parts {
		aad = binary.BigEndian.AppendUint64(aad, uint64(len(p)))
		aad = append(aad, p...)
	}
	return aad
}

// overlap reports whether two slices share memory. The ciphers panic if their input overlaps their
// output at another offset, and here it always would: the header precedes the text.
func overlap(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	a0, b0 := uintptr(unsafe.Pointer(&a[0])), uintptr(unsafe.Pointer(&b[0]))
	return a0 < b0+uintptr(len(b)) && b0 < a0+uintptr(len(a))
}
