package secure

import "sync/atomic"

// Holder holds a keyring that can be replaced while values are sealed and
// opened. Each call runs on one keyring from start to end. The zero Holder is
// empty: it seals and opens nothing and gives [ErrNoKeyring]. A Holder must not
// be copied after its first use.
type Holder struct {
	ring atomic.Pointer[Keyring]
}

// NewHolder makes a holder of a keyring.
func NewHolder(k *Keyring) *Holder {
	h := new(Holder)
	h.Store(k)
	return h
}

// Store replaces the keyring for all calls from now on.
func (h *Holder) Store(k *Keyring) { h.ring.Store(k) }

// Load gives the keyring of now; nil when there is none.
func (h *Holder) Load() *Keyring { return h.ring.Load() }

// Seal is [Keyring.Seal] of the keyring of now.
func (h *Holder) Seal(dst, plaintext []byte, key, field, kind, codec string) ([]byte, error) {
	return h.Load().Seal(dst, plaintext, key, field, kind, codec)
}

// Open is [Keyring.Open] of the keyring of now.
func (h *Holder) Open(dst, sealed []byte, key, field, kind, codec string) ([]byte, error) {
	return h.Load().Open(dst, sealed, key, field, kind, codec)
}

// Current is [Keyring.Current] of the keyring of now.
func (h *Holder) Current(sealed []byte) bool { return h.Load().Current(sealed) }

// KeyID is [Keyring.KeyID] of the keyring of now.
func (h *Holder) KeyID(sealed []byte) (id string, ok bool) { return h.Load().KeyID(sealed) }
