package nest

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"unsafe"

	"github.com/redis/rueidis"
)

// WithKeyring sets what seals and opens secrets and the stored hashes of passwords. A tree that
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

// WithPasswords sets what hashes and verifies passwords. A tree that declares a [Password] cannot
// be opened without it.
func WithPasswords(h Hasher) OpenOption {
	return openOption(func(o *openOptions) error {
		if isNil(h) {
			return errors.New("WithPasswords: a nil hasher")
		}
		o.hasher = h
		return nil
	})
}

// AcceptPlainHashes allows reading password hashes that are not sealed although there is a keyring.
// They were stored before there was one, or by the Python library, whose JSON around the hash is
// removed. By default they are [ErrOpen]. The option is for the time of a migration, until [Rotate]
// has sealed the hashes: while it is on, whoever writes to Redis can set passwords.
func AcceptPlainHashes() OpenOption {
	return openOption(func(o *openOptions) error {
		o.plainHashes = true
		return nil
	})
}

// ResealOnRead lets reads reseal what was not sealed by the keyring's primary key, and write it
// back. It applies to reads of secrets and of secret fields, and to passwords that matched. The
// write compares with what was read and keeps the TTL (EVAL). A write that fails or comes too late
// does not change the result of the read; only observers see it. By default reads do not write.
// [Rotate] also reaches values that are never read.
func ResealOnRead() OpenOption {
	return openOption(func(o *openOptions) error {
		o.resealOnRead = true
		return nil
	})
}

// pythonKeyID is the id that a Sealer's KeyID returns for the Python library's values.
const pythonKeyID = "fernet"

// sealing seals and opens the strings of one declared key.
type sealing struct {
	sealer Sealer
	kind   Kind
	// codecs are the names of the codecs that the key reads, beginning with the one that it writes
	// with.
	codecs []string
	// asText encodes the texts of the Python library with the key's codec; nil leaves them as they
	// are.
	asText func(text string) (string, error)
	// plain returns an error unless the text of a field, or of a string, is what the key's codec
	// writes. It is nil unless the key accepts values that are not sealed.
	plain func(field, text string) error
}

// sealed is implemented by what is bound to a key whose string is sealed.
type sealed interface {
	seal(key, field, plaintext string) (string, error)
	open(key, field, stored string) (string, error)
	// current reports whether there is nothing to reseal.
	current(stored string) bool
}

// seal returns the sealed form of plaintext. The error wraps ErrEncode and the sealer's own.
func (s *sealing) seal(key, field, plaintext string) (string, error) {
	out, err := s.sealer.Seal(nil, []byte(plaintext), key, field, string(s.kind), s.codecs[0])
	if err != nil {
		return "", &declined{ErrEncode, err}
	}
	return rueidis.BinaryString(out), nil
}

// open returns the plaintext of a stored string. The error wraps ErrOpen and the sealer's own.
func (s *sealing) open(key, field, stored string) (string, error) {
	value := bytesOf(stored)
	plaintext, err := s.sealer.Open(nil, value, key, field, string(s.kind), s.codecs[0])
	for _, former := range s.codecs[1:] {
		if err == nil {
			break
		}
		// The value may have been sealed before the key changed its codec.
		if older, olderErr := s.sealer.Open(nil, value, key, field, string(s.kind), former); olderErr == nil {
			plaintext, err = older, nil
		}
	}
	if err != nil && s.plain != nil && s.neverSealed(stored) {
		return stored, s.plain(field, stored)
	}
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

// Values of package secure begin with sealedMark, tokens of the Python library with fernetMark.
const (
	sealedMark = "\xFA\x5E"
	fernetMark = "gAAAA"
)

// neverSealed reports whether what is stored was written before the key's values were sealed. What
// was cut off or has the form of another sealer was not.
func (s *sealing) neverSealed(stored string) bool {
	_, sealed := s.sealer.KeyID(bytesOf(stored))
	return !sealed && !strings.HasPrefix(stored, sealedMark) && !strings.HasPrefix(stored, fernetMark) &&
		!strings.Contains(stored, `"`+fernetMark)
}

// AcceptPlain lets a [Secret], and the secret fields of a hash or record, read values that are not
// sealed: those that were written before the key became a secret, by the same codec. They are read
// as if they were sealed; the next write of a value, [ResealOnRead] and [Rotate] seal it. Rotate
// counts them under the key id "". By default they are [ErrOpen].
//
// The option is for the time of a migration, until a pass of Rotate is [RotateReport.Clean] and no
// process writes plain values any more. While it is on, whoever can write to Redis can set secrets;
// [Scope.Describe] shows it. A value that only looks broken, because it was sealed with another key
// or cut off, stays ErrOpen, and so do tokens of the Python library. Passwords have
// [AcceptPlainHashes].
func AcceptPlain() KeyOption {
	return keyOption(func(c *config) error {
		if c.acceptPlain {
			return errors.New("AcceptPlain is given twice")
		}
		c.acceptPlain = true
		c.onlyFor("AcceptPlain", KindSecret, KindHash, KindRecord)
		return nil
	})
}

var errNothingPlain = errors.New("AcceptPlain: the key has no secret fields")

func (s *sealing) current(stored string) bool { return s.sealer.Current(bytesOf(stored)) }

// bytesOf returns the bytes of a text without a copy, which would take as much memory again for a
// long value. A Sealer does not change them.
func bytesOf(text string) []byte { return unsafe.Slice(unsafe.StringData(text), len(text)) }

// textsOf returns the asText function for keys that hold values of type t.
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

// secretFields seals and opens the fields of one declared key. It is nil if none is secret.
type secretFields struct {
	sealing
	// names lists the secret fields, nil if all are secret. For a record it includes the former
	// names of its fields.
	names []string
	// move moves a hash from a former name of its key.
	move func(ctx context.Context, from, to address) (bool, error)
	// reseal returns what the fields that were read in one place hold in another.
	reseal func(from, to address, read rueidis.RedisMessage) ([]string, error)
}

// fieldSealer is implemented by what is bound to a key some of whose fields may be secret.
type fieldSealer interface{ secretFieldsOf() *secretFields }
