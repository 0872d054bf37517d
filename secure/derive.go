package secure

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"
)

const commitmentSize = sha256.Size

// sealingKey is what a ring keeps of a key: its id, and the function that derives what sealing with
// a given nonce needs. Because it is a function, printers cannot reach the key, as with [Hidden].
type sealingKey struct {
	id     keyID
	derive func(nonce []byte) (key, commitment [sha256.Size]byte)
}

// newDerive returns HKDF-Expand (RFC 5869, section 2.3) with SHA-256 and the info "value" | nonce,
// to two blocks. The first is the key, the second the commitment. crypto/hkdf does the same, but
// sets up the HMAC with the pseudorandom key on each call. Here it is set up once and reset, which
// saves four of nine hash blocks and most allocations of sealing a short value.
func newDerive(prk []byte) func(nonce []byte) (key, commitment [sha256.Size]byte) {
	type state struct {
		mac  hash.Hash
		text [sha256.Size + len(valueLabel) + nonceSize + 1]byte // previous block | info | counter
		sum  [sha256.Size]byte
	}
	pool := sync.Pool{New: func() any { return &state{mac: hmac.New(sha256.New, prk)} }}
	return func(nonce []byte) (key, commitment [sha256.Size]byte) {
		s := pool.Get().(*state)
		defer pool.Put(s)
		defer clear(s.sum[:])
		defer clear(s.text[:])

		info := s.text[sha256.Size:]
		copy(info[copy(info, valueLabel):], nonce)
		counter := &s.text[len(s.text)-1]

		*counter = 1
		s.mac.Reset()
		s.mac.Write(info)
		s.mac.Sum(s.sum[:0])
		key = s.sum

		*counter = 2
		copy(s.text[:], key[:])
		s.mac.Reset()
		s.mac.Write(s.text[:])
		s.mac.Sum(s.sum[:0])
		return key, s.sum
	}
}
