package secure

import (
	"context"
	"fmt"
)

// KEK encrypts keys with a key that never leaves its keeper, such as a key management service. The
// keys of a ring can then be stored beside the configuration. A KEK is called when a service
// starts, not when it seals.
//
// Unwrap must fail on bytes that Wrap did not make. Neither method may keep the slice it is passed,
// or put key material into its errors.
type KEK interface {
	Wrap(ctx context.Context, key []byte) (wrapped []byte, err error)
	Unwrap(ctx context.Context, wrapped []byte) (key []byte, err error)
}

var errNoKEK = fmt.Errorf("%w: there is no KEK to wrap and unwrap with", ErrKey)

// WrapKey returns the wrapped form of a key, to be stored and passed to [UnwrapKey] later.
func WrapKey(ctx context.Context, kek KEK, key Key) ([]byte, error) {
	if kek == nil {
		return nil, errNoKEK
	}
	if key.isZero() {
		return nil, fmt.Errorf("%w: it is empty; make it with ParseKey or GenerateKey", ErrKey)
	}
	b := key.bytes.Reveal()
	defer clear(b[:])
	wrapped, err := kek.Wrap(ctx, b[:])
	if err != nil {
		return nil, fmt.Errorf("secure: wrap key %s: %w", key.ID(), err)
	}
	return wrapped, nil
}

// UnwrapKey returns the key that [WrapKey] wrapped. A result that is not 32 bytes, or is all zeros,
// is [ErrKey].
func UnwrapKey(ctx context.Context, kek KEK, wrapped []byte) (Key, error) {
	if kek == nil {
		return Key{}, errNoKEK
	}
	raw, err := kek.Unwrap(ctx, wrapped)
	if err != nil {
		return Key{}, fmt.Errorf("secure: unwrap key: %w", err)
	}
	defer clear(raw)
	return NewKey(raw)
}
