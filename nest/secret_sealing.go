package nest

import (
	"context"
	"errors"
	"reflect"
	"unsafe"

	"github.com/redis/rueidis"
)

// Sealer encrypts what [Secret] and [Password] store, so that it opens only at the place that it
// was stored at. Package secure's Keyring is one, and its Holder another whose keys can be
// replaced. A Sealer must be safe for concurrent use, and its errors must hold neither a
// plaintext nor a stored value.
type Sealer interface {
	// Seal appends the sealed form of plaintext to dst. key is the full name in Redis, field the
	// hash field or "", kind the [Kind] of the key, codec the name of the codec that made the
	// plaintext.
	Seal(dst, plaintext []byte, key, field, kind, codec string) ([]byte, error)
	// Open appends the plaintext of sealed to dst, if it was sealed for the same place. Neither it
	// nor Current nor KeyID changes sealed, or keeps it.
	Open(dst, sealed []byte, key, field, kind, codec string) ([]byte, error)
	// Current tells whether Seal would use the same key for the value again, so that
	// [Rotate] leaves it alone. It does not open the value.
	Current(sealed []byte) bool
	// KeyID names the key that sealed a value, without opening it; ok is false for what is not
	// sealed. The id "fernet" stands for values that the Python library stored: their plaintext
	// is always a text, and not what a codec wrote.
	KeyID(sealed []byte) (id string, ok bool)
}

// Hasher hashes and verifies what [Password] stores. Package secure's Passwords is one. A Hasher
// must be safe for concurrent use, and its errors must hold neither a password nor a stored
// string.
type Hasher interface {
	// Hash makes the string to store for a password.
	Hash(ctx context.Context, password string) (encoded string, err error)
	// Verify tells whether password matches a stored string, and whether that should be
	// replaced by a new Hash. A wrong password is not an error.
	Verify(ctx context.Context, encoded, password string) (ok, rehash bool, err error)
	// VerifyMissing costs what Verify costs, where there is no stored string.
	VerifyMissing(ctx context.Context, password string) error
	// Validate tells why Verify would refuse a stored string.
	Validate(encoded string) error
}

// WithKeyring sets what seals and opens secrets, and the strings of passwords. A tree that
// declares a [Secret] cannot be opened without it.
func WithKeyring(s Sealer) OpenOption {
	return openOption(func(o *openOptions) error {
		if isNil(s) {
			return errors.New("WithKeyring: a nil keyring")
		}
		o.sealer = s
		return nil
	})
}

// WithPasswords sets what hashes and verifies passwords. A tree that declares a [Password]
// cannot be opened without it.
func WithPasswords(h Hasher) OpenOption {
	return openOption(func(o *openOptions) error {
		if isNil(h) {
			return errors.New("WithPasswords: a nil hasher")
		}
		o.hasher = h
		return nil
	})
}

// AcceptPlainHashes lets passwords be read that are stored as they are although there is a
// keyring: before there was one, or by the Python library, whose JSON round the string is taken
// off. By default they are [ErrOpen]. It is for the time of a migration, until [Rotate] has
// sealed them: as long as it is on, whoever writes to Redis can set passwords.
func AcceptPlainHashes() OpenOption {
	return openOption(func(o *openOptions) error {
		o.plainHashes = true
		return nil
	})
}

// ResealOnRead lets reads of secrets, of secret fields, and of passwords that matched, write back
// what another than the keyring's primary key has sealed, sealed anew: by comparing with what was
// read, and with the TTL that it has (EVAL). A write that fails or comes too late does not change
// what the read gives; only observers are told. By default reads do not write: [Rotate] reaches
// what nobody reads, too.
func ResealOnRead() OpenOption {
	return openOption(func(o *openOptions) error {
		o.resealOnRead = true
		return nil
	})
}

// pythonKeyID is what a Sealer's KeyID says of the Python library's values.
const pythonKeyID = "fernet"

// sealing seals and opens the strings of one declared key.
type sealing struct {
	sealer Sealer
	kind   Kind
	codec  string
	// asText encodes the texts of the Python library as the codec of the key does; nil leaves
	// them as they are.
	asText func(text string) (string, error)
}

// sealed is what is bound to a key whose string is sealed.
type sealed interface {
	seal(key, field, plaintext string) (string, error)
	open(key, field, stored string) (string, error)
	// current tells whether there is nothing to seal anew.
	current(stored string) bool
}

// seal gives the sealed form of plaintext. The error wraps ErrEncode and the sealer's own.
func (s *sealing) seal(key, field, plaintext string) (string, error) {
	out, err := s.sealer.Seal(nil, []byte(plaintext), key, field, string(s.kind), s.codec)
	if err != nil {
		return "", &declined{ErrEncode, err}
	}
	return rueidis.BinaryString(out), nil
}

// open gives the plaintext of what is stored. The error wraps ErrOpen and the sealer's own.
func (s *sealing) open(key, field, stored string) (string, error) {
	value := bytesOf(stored)
	plaintext, err := s.sealer.Open(nil, value, key, field, string(s.kind), s.codec)
	if err != nil {
		return "", &declined{ErrOpen, err}
	}
	if s.asText != nil && !s.sealer.Current(value) {
		if id, _ := s.sealer.KeyID(value); id == pythonKeyID {
			return s.asText(string(plaintext))
		}
	}
	return rueidis.BinaryString(plaintext), nil
}

func (s *sealing) current(stored string) bool { return s.sealer.Current(bytesOf(stored)) }

// bytesOf gives the bytes of a text without a copy, which a long value would take as much memory
// for again. A Sealer does not change them.
func bytesOf(text string) []byte { return unsafe.Slice(unsafe.StringData(text), len(text)) }

// textsOf gives the asText of keys that hold values of type t.
func textsOf(m *mounted, t reflect.Type) func(string) (string, error) {
	if t.Kind() != reflect.String && t.Kind() != reflect.Interface {
		return nil
	}
	return func(text string) (string, error) {
		encoded, err := m.settings.codec.Append(nil, text)
		if err != nil {
			return "", decodeError(m, err)
		}
		return rueidis.BinaryString(encoded), nil
	}
}
