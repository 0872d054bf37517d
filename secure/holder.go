package secure

import "sync/atomic"

// Holder holds a keyring that can be replaced while values are sealed and opened. Each call uses
// one keyring from start to end. The zero Holder is empty: it seals and opens nothing and returns
// [ErrNoKeyring]. A Holder must not be copied after its first use.
type Holder struct {
	ring atomic.Pointer[Keyring]
}

// NewHolder returns a Holder of a keyring.
func NewHolder(k *Keyring) *Holder {
	h := new(Holder)
	h.Store(k)
	return h
}

// Store replaces the keyring for all later calls.
func (h *Holder) Store(k *Keyring) { h.ring.Store(k) }

// Load returns the current keyring, or nil if there is none.
func (h *Holder) Load() *Keyring { return h.ring.Load() }

// Seal calls [Keyring.Seal] of the current keyring.
func (h *Holder) Seal(dst, plaintext []byte, key, field, kind, codec string) ([]byte, error) {
	return h.Load().Seal(dst, plaintext, key, field, kind, codec)
}

// Open calls [Keyring.Open] of the current keyring.
func (h *Holder) Open(dst, sealed []byte, key, field, kind, codec string) ([]byte, error) {
	return h.Load().Open(dst, sealed, key, field, kind, codec)
}

// Current calls [Keyring.Current] of the current keyring.
func (h *Holder) Current(sealed []byte) bool { return h.Load().Current(sealed) }

// KeyID calls [Keyring.KeyID] of the current keyring.
func (h *Holder) KeyID(sealed []byte) (id string, ok bool) { return h.Load().KeyID(sealed) }
