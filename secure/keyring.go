package secure

import (
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
)

// DefaultMaxPlaintext is the length in bytes up to which a keyring seals and opens values unless
// [MaxPlaintext] sets another: 1 MiB.
const DefaultMaxPlaintext = 1 << 20

// maxPlaintext keeps a sealed value within the 512 MiB of a Redis string.
const maxPlaintext = 512<<20 - Overhead

// Keyring seals and opens values. It has one primary key, which seals, and any number of
// accept-only keys. Those open values that they sealed when they were primary, or that they will
// seal once they are. A Keyring never changes: to change keys, make another one and put it into a
// [Holder]. It is safe for concurrent use.
type Keyring struct {
	keys     []*sealingKey // the primary first; few enough that a linear search beats hashing
	disabled []keyID
	context  string
	limit    int
	fernet   []fernetKey
	opened   *atomic.Uint64 // values opened by Fernet; a pointer so that a Keyring may be copied
}

// KeyringOption is an option for [NewKeyring] and [ParseKeyring].
type KeyringOption interface{ applyKeyring(*keyringSettings) }

type keyringSettings struct {
	accept  []Key
	disable []string
	context string
	limit   int
	fernet  []Key
}

type keyringOption func(*keyringSettings)

func (o keyringOption) applyKeyring(s *keyringSettings) { o(s) }

// AcceptOnly adds keys that open values and never seal them: retired keys, and the next one before
// it is promoted.
func AcceptOnly(keys ...Key) KeyringOption {
	return keyringOption(func(s *keyringSettings) { s.accept = append(s.accept, keys...) })
}

// Disable names keys, by [Key.ID], whose values are refused with [ErrDisabledKey] even if the key
// is in the ring. It is for leaked keys. The primary cannot be disabled.
func Disable(ids ...string) KeyringOption {
	return keyringOption(func(s *keyringSettings) { s.disable = append(s.disable, ids...) })
}

// InContext binds everything that the keyring seals to a fixed text, such as the environment, the
// tenant or the database number. A value copied from production then does not open in staging, even
// under the same key. The default is the empty text. Changing the context makes values sealed
// before unreadable.
func InContext(context string) KeyringOption {
	return keyringOption(func(s *keyringSettings) { s.context = context })
}

// MaxPlaintext sets the length in bytes up to which values are sealed and opened. The default is
// [DefaultMaxPlaintext].
func MaxPlaintext(bytes int) KeyringOption {
	return keyringOption(func(s *keyringSettings) { s.limit = bytes })
}

// AcceptFernet lets Open read what the Python library stored under these keys: a Fernet token in
// its JSON wrapper. It is off by default and meant for the time of a migration. Fernet binds a
// value to no place, so while this is on, anyone who can write to Redis can move such values from
// one secret to another. Values are never sealed that way, and only those of the kind "secret" are
// read that way; hash fields and passwords are not. [Keyring.FernetOpened] counts the values that
// are still opened so.
func AcceptFernet(keys ...Key) KeyringOption {
	return keyringOption(func(s *keyringSettings) { s.fernet = append(s.fernet, keys...) })
}

// NewKeyring returns a keyring whose primary key seals. The following are [ErrKeyring]: a zero key,
// a key that occurs twice, a disabled id that is not 16 lower-case hexadecimal digits or is the
// primary's, a limit below one byte or above what Redis stores, and a nil option.
func NewKeyring(primary Key, opts ...KeyringOption) (*Keyring, error) {
	s := keyringSettings{limit: DefaultMaxPlaintext}
	for _, o := range opts {
		if o == nil {
			return nil, fmt.Errorf("%w: a nil option", ErrKeyring)
		}
		o.applyKeyring(&s)
	}
	if s.limit < 1 || s.limit > maxPlaintext {
		return nil, fmt.Errorf("%w: the limit of a plaintext must be 1 to %d bytes, not %d", ErrKeyring, maxPlaintext, s.limit)
	}
	k := &Keyring{context: s.context, limit: s.limit, opened: new(atomic.Uint64)}
	for i, key := range append([]Key{primary}, s.accept...) {
		if err := k.add(key); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrKeyring, keyPlace(i), err)
		}
	}
	for i, text := range s.disable {
		id, ok := parseKeyID(text)
		if !ok {
			return nil, fmt.Errorf("%w: disabled id %d is not 16 lower-case hexadecimal digits", ErrKeyring, i+1)
		}
		if id == k.primary().id {
			return nil, fmt.Errorf("%w: the primary key %s is disabled", ErrKeyring, id)
		}
		k.disabled = append(k.disabled, id)
	}
	seen := make(map[[KeySize]byte]struct{}, len(s.fernet))
	for i, key := range s.fernet {
		b := key.bytes.Reveal()
		if _, twice := seen[b]; twice || key.isZero() {
			return nil, fmt.Errorf("%w: Fernet key %d is zero or comes twice", ErrKeyring, i+1)
		}
		seen[b] = struct{}{}
		k.fernet = append(k.fernet, newFernetKey(key))
	}
	return k, nil
}

// ParseKeyring returns a keyring made from text: keys in the forms of [ParseKey], separated by
// single commas, the primary first and then the accept-only ones. The errors, [ErrKey] and
// [ErrKeyring], give the position of the key that is wrong.
func ParseKeyring(text string, opts ...KeyringOption) (*Keyring, error) {
	parts := strings.Split(text, ",")
	keys := make([]Key, len(parts))
	for i, part := range parts {
		key, err := ParseKey(part)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrKeyring, keyPlace(i), err)
		}
		keys[i] = key
	}
	return NewKeyring(keys[0], append([]KeyringOption{AcceptOnly(keys[1:]...)}, opts...)...)
}

func keyPlace(i int) string {
	if i == 0 {
		return "primary key"
	}
	return fmt.Sprintf("accept-only key %d", i)
}

func (k *Keyring) add(key Key) error {
	if key.isZero() {
		return fmt.Errorf("%w: it is empty; make it with ParseKey or GenerateKey", ErrKey)
	}
	prk, id, err := key.extract()
	if err != nil {
		return err
	}
	if k.find(id) != nil {
		return fmt.Errorf("%w: %s is in the keyring already", ErrKey, id)
	}
	k.keys = append(k.keys, &sealingKey{id: id, derive: newDerive(prk)})
	return nil
}

func parseKeyID(text string) (id keyID, ok bool) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != keyIDSize {
		return id, false
	}
	id = keyID(raw)
	return id, id.String() == text
}

// ready reports whether k was made by NewKeyring.
func (k *Keyring) ready() bool { return k != nil && len(k.keys) > 0 }

func (k *Keyring) primary() *sealingKey { return k.keys[0] }

// find returns the key with an id, or nil if the ring has none.
func (k *Keyring) find(id keyID) *sealingKey {
	for _, sk := range k.keys {
		if sk.id == id {
			return sk
		}
	}
	return nil
}

// FernetOpened returns how many values this keyring has opened in the Python library's form. A
// migration is over when the count stays at zero after the last sweep.
func (k *Keyring) FernetOpened() uint64 {
	if !k.ready() {
		return 0
	}
	return k.opened.Load()
}

// PrimaryID returns the id of the key that seals.
func (k *Keyring) PrimaryID() string {
	if !k.ready() {
		return ""
	}
	return k.primary().id.String()
}

// Format prints what String returns for every verb.
func (k Keyring) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, k.String()) }

// String returns a list of the ids of the keys and nothing else.
func (k Keyring) String() string {
	var b strings.Builder
	b.WriteString("secure.Keyring(")
	for i, sk := range k.keys {
		switch i {
		case 0:
			b.WriteString("primary ")
		case 1:
			b.WriteString(", accept-only ")
		default:
			b.WriteByte(' ')
		}
		b.WriteString(sk.id.String())
		if slices.Contains(k.disabled, sk.id) {
			b.WriteString(" (disabled)")
		}
	}
	b.WriteByte(')')
	return b.String()
}

// LogValue returns what String returns.
func (k Keyring) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText returns what String returns; a keyring cannot be stored.
func (k Keyring) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
