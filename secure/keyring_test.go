package secure

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// testKey returns a key that is the same in every run.
func testKey(t testing.TB, seed byte) Key {
	t.Helper()
	k, err := NewKey(bytes.Repeat([]byte{seed}, KeySize))
	require.NoError(t, err)
	return k
}

func newRing(t testing.TB, primary Key, opts ...KeyringOption) *Keyring {
	t.Helper()
	k, err := NewKeyring(primary, opts...)
	require.NoError(t, err)
	return k
}

func TestParseKey(t *testing.T) {
	raw := make([]byte, KeySize)
	for i := range raw {
		raw[i] = byte(0xF0 + i) // has + and / in base64
	}
	std, url := base64.StdEncoding.EncodeToString(raw), base64.URLEncoding.EncodeToString(raw)
	require.NotEqual(t, std, url)

	want, err := NewKey(raw)
	require.NoError(t, err)
	for _, text := range []string{
		std, url, strings.TrimRight(std, "="), strings.TrimRight(url, "="),
		hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)), want.Reveal(),
	} {
		got, err := ParseKey(text)
		require.NoError(t, err)
		require.Equal(t, want.ID(), got.ID())
		require.Equal(t, url, got.Reveal())
	}

	for name, text := range map[string]string{
		"empty":                   "",
		"leading space":           " " + std,
		"trailing line end":       std + "\n",
		"line end within":         std[:10] + "\n" + std[10:],
		"line end in place":       std[:10] + "\n" + std[11:],
		"CR in place":             std[:10] + "\r" + std[11:],
		"tab":                     std[:10] + "\t" + std[11:],
		"zeros in base64":         strings.Repeat("A", 43) + "=",
		"zeros in hex":            strings.Repeat("0", 64),
		"31 bytes":                base64.StdEncoding.EncodeToString(raw[:31]),
		"33 bytes":                base64.StdEncoding.EncodeToString(slices.Concat(raw, []byte{1})),
		"31 bytes in hex":         hex.EncodeToString(raw[:31]),
		"not hex":                 strings.Repeat("g", 64),
		"left-over bits":          std[:42] + nextBase64(std[42]) + "=",
		"both alphabets":          "+-" + std[2:],
		"two paddings":            std[:42] + "==",
		"padding in the middle":   std[:20] + "=" + std[21:],
		"passphrase of 43":        strings.Repeat("correct horse", 4)[:43],
		"not ASCII":               std[:41] + "é" + "=",
		"NUL":                     std[:43] + "\x00",
		"quoted":                  `"` + std + `"`,
		"padding after raw":       std + "=",
		"hex with prefix":         "0x" + hex.EncodeToString(raw),
		"unpadded with left-over": std[:42] + nextBase64(std[42]),
	} {
		_, err := ParseKey(text)
		require.ErrorIs(t, err, ErrKey, name)
		if len(text) > 8 {
			require.NotContains(t, err.Error(), text[2:8], name)
		}
	}
}

// nextBase64 returns a character that decodes to the same byte in decoders that ignore left-over
// bits.
func nextBase64(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return alphabet[strings.IndexByte(alphabet, c)+1:][:1]
}

func TestGenerateKey(t *testing.T) {
	a, b := GenerateKey(), GenerateKey()
	require.NotEqual(t, a.Reveal(), b.Reveal())
	require.NotEqual(t, a.ID(), b.ID())
	require.Len(t, a.ID(), 16)
	require.Empty(t, Key{}.ID())
}

func TestNewKeyringRefuses(t *testing.T) {
	a, b := testKey(t, 1), testKey(t, 2)
	for name, tc := range map[string]struct {
		primary Key
		opts    []KeyringOption
	}{
		"no primary":              {Key{}, nil},
		"empty accept-only":       {a, []KeyringOption{AcceptOnly(Key{})}},
		"primary twice":           {a, []KeyringOption{AcceptOnly(b, a)}},
		"accept-only twice":       {a, []KeyringOption{AcceptOnly(b), AcceptOnly(b)}},
		"disabled primary":        {a, []KeyringOption{Disable(a.ID())}},
		"disabled id too short":   {a, []KeyringOption{Disable("0011")}},
		"disabled id upper case":  {a, []KeyringOption{Disable("00112233445566FF")}},
		"disabled id is not hex":  {a, []KeyringOption{Disable("zzzzzzzzzzzzzzzz")}},
		"limit of 0":              {a, []KeyringOption{MaxPlaintext(0)}},
		"negative limit":          {a, []KeyringOption{MaxPlaintext(-1)}},
		"limit over Redis'":       {a, []KeyringOption{MaxPlaintext(512 << 20)}},
		"empty Fernet key":        {a, []KeyringOption{AcceptFernet(Key{})}},
		"Fernet key twice":        {a, []KeyringOption{AcceptFernet(b, b)}},
		"Fernet key twice, apart": {a, []KeyringOption{AcceptFernet(b), AcceptFernet(b)}},
	} {
		_, err := NewKeyring(tc.primary, tc.opts...)
		require.ErrorIs(t, err, ErrKeyring, name)
	}
	// In a migration one key serves both the ring and Fernet.
	_, err := NewKeyring(a, AcceptFernet(a))
	require.NoError(t, err)
	_, err = NewKeyring(a, nil)
	require.ErrorIs(t, err, ErrKeyring)
}

func TestParseKeyring(t *testing.T) {
	a, b, c := testKey(t, 1), testKey(t, 2), testKey(t, 3)
	ring, err := ParseKeyring(a.Reveal()+","+b.Reveal(), AcceptOnly(c))
	require.NoError(t, err)
	require.Equal(t, a.ID(), ring.PrimaryID())
	require.Equal(t, fmt.Sprintf("secure.Keyring(primary %s, accept-only %s %s)", a.ID(), b.ID(), c.ID()), ring.String())

	for name, tc := range map[string]struct{ text, says string }{
		"empty":              {"", "primary key"},
		"trailing comma":     {a.Reveal() + ",", "accept-only key 1"},
		"space after comma":  {a.Reveal() + ", " + b.Reveal(), "white space"},
		"duplicate":          {a.Reveal() + "," + b.Reveal() + "," + a.Reveal(), "accept-only key 2"},
		"duplicate as hex":   {a.Reveal() + "," + strings.Repeat("01", 32), a.ID()},
		"second key is poor": {a.Reveal() + ",hunter2hunter2", "accept-only key 1"},
	} {
		_, err := ParseKeyring(tc.text)
		require.ErrorIs(t, err, ErrKeyring, name)
		require.ErrorIs(t, err, ErrKey, name)
		require.Contains(t, err.Error(), tc.says, name)
		require.NotContains(t, err.Error(), "hunter2", name)
		require.NotContains(t, err.Error(), a.Reveal(), name)
	}
}

func TestSealOpen(t *testing.T) {
	ring := newRing(t, testKey(t, 1), InContext("test"))
	for _, n := range []int{0, 1, 15, 16, 17, 31, 64, 1000, DefaultMaxPlaintext} {
		text := bytes.Repeat([]byte{'x'}, n)
		sealed, err := ring.Seal([]byte("pre"), text, "root:user:1", "f", "secret", "json")
		require.NoError(t, err)
		require.Equal(t, "pre", string(sealed[:3]))
		sealed = sealed[3:]
		require.Len(t, sealed, n+Overhead)
		require.True(t, ring.Current(sealed))
		id, ok := ring.KeyID(sealed)
		require.True(t, ok)
		require.Equal(t, ring.PrimaryID(), id)

		got, err := ring.Open([]byte("pre"), sealed, "root:user:1", "f", "secret", "json")
		require.NoError(t, err)
		require.Equal(t, "pre"+string(text), string(got))
	}
	require.Equal(t, 83, Overhead)
}

// A text that looks like another library's output is sealed like any other.
func TestSealDoesNotLookAtItsInput(t *testing.T) {
	ring := newRing(t, testKey(t, 1), AcceptFernet(testKey(t, 2)))
	inner, err := ring.Seal(nil, []byte("x"), "k", "", "secret", "text")
	require.NoError(t, err)
	for _, text := range []string{"", "gAAAAABk", "$2b$12$hello", `{"__type__": "str", "value": "gAAAA"}`, string(inner)} {
		sealed, err := ring.Seal(nil, []byte(text), "k", "", "secret", "text")
		require.NoError(t, err)
		require.True(t, ring.Current(sealed))
		if len(text) > 3 {
			require.NotContains(t, string(sealed), text)
		}
		got, err := ring.Open(nil, sealed, "k", "", "secret", "text")
		require.NoError(t, err)
		require.Equal(t, text, string(got))
	}
}

func TestSealNeverRepeatsItself(t *testing.T) {
	ring := newRing(t, testKey(t, 1))
	seen := map[string]bool{}
	for range 1000 {
		sealed, err := ring.Seal(nil, []byte("same"), "k", "", "secret", "text")
		require.NoError(t, err)
		nonce := string(sealed[nonceAt:commitmentAt])
		require.False(t, seen[nonce])
		seen[nonce] = true
	}
}

func TestLimitIsCheckedBeforeAnything(t *testing.T) {
	ring := newRing(t, testKey(t, 1), MaxPlaintext(100))
	sealed, err := ring.Seal(nil, make([]byte, 100), "k", "", "secret", "text")
	require.NoError(t, err)
	_, err = ring.Open(nil, sealed, "k", "", "secret", "text")
	require.NoError(t, err)

	_, err = ring.Seal(nil, make([]byte, 101), "k", "", "secret", "text")
	require.ErrorIs(t, err, ErrTooLarge)
	big, err := newRing(t, testKey(t, 1)).Seal(nil, make([]byte, 101), "k", "", "secret", "text")
	require.NoError(t, err)
	_, err = ring.Open(nil, big, "k", "", "secret", "text")
	require.ErrorIs(t, err, ErrTooLarge)
}

// A caller may use one buffer for both texts. The ciphers alone would panic.
func TestBuffersMayOverlap(t *testing.T) {
	ring := newRing(t, testKey(t, 1))
	const text = "some top secret of more than one block: 0123456789012345678901234567890123456789"
	for offset := range 3 {
		for prefix := range 3 {
			buf := make([]byte, 0, 4096)
			buf = append(buf, "abc"[:offset]...)
			buf = append(buf, text...)
			sealed, err := ring.Seal(buf[:prefix], buf[offset:], "k", "", "secret", "text")
			require.NoError(t, err)

			sealed = append(make([]byte, 0, 4096), sealed[prefix:]...)
			got, err := ring.Open(sealed[:prefix], sealed, "k", "", "secret", "text")
			require.NoError(t, err)
			require.Equal(t, text, string(got[prefix:]))
		}
	}
}

func TestRotation(t *testing.T) {
	old, next := testKey(t, 1), testKey(t, 2)
	seal := func(k *Keyring) []byte {
		sealed, err := k.Seal(nil, []byte("v"), "k", "", "secret", "text")
		require.NoError(t, err)
		return sealed
	}
	open := func(k *Keyring, sealed []byte) error {
		_, err := k.Open(nil, sealed, "k", "", "secret", "text")
		return err
	}
	before := newRing(t, old)
	first := newRing(t, old, AcceptOnly(next))
	second := newRing(t, next, AcceptOnly(old))
	last := newRing(t, next)
	leaked := newRing(t, next, AcceptOnly(old), Disable(old.ID()))
	gone := newRing(t, next, Disable(old.ID()))

	a, b := seal(first), seal(second)
	for _, ring := range []*Keyring{first, second} {
		require.NoError(t, open(ring, a))
		require.NoError(t, open(ring, b))
	}
	require.True(t, first.Current(a))
	require.False(t, first.Current(b))
	require.False(t, second.Current(a))
	require.True(t, second.Current(b))

	err := open(before, b)
	require.ErrorIs(t, err, ErrUnknownKey)
	require.Contains(t, err.Error(), next.ID())
	err = open(last, a)
	require.ErrorIs(t, err, ErrUnknownKey)
	require.Contains(t, err.Error(), old.ID())
	id, ok := last.KeyID(a)
	require.True(t, ok)
	require.Equal(t, old.ID(), id)

	for _, ring := range []*Keyring{leaked, gone} {
		err = open(ring, a)
		require.ErrorIs(t, err, ErrDisabledKey)
		require.NotErrorIs(t, err, ErrUnknownKey)
		require.Contains(t, err.Error(), old.ID())
		require.NoError(t, open(ring, b))
	}
}

func TestHolder(t *testing.T) {
	a, b := newRing(t, testKey(t, 1)), newRing(t, testKey(t, 2), AcceptOnly(testKey(t, 1)))
	h := NewHolder(a)
	sealed, err := h.Seal(nil, []byte("v"), "k", "", "secret", "text")
	require.NoError(t, err)
	require.True(t, h.Current(sealed))
	h.Store(b)
	require.Same(t, b, h.Load())
	require.False(t, h.Current(sealed))
	id, ok := h.KeyID(sealed)
	require.True(t, ok)
	require.Equal(t, a.PrimaryID(), id)
	got, err := h.Open(nil, sealed, "k", "", "secret", "text")
	require.NoError(t, err)
	require.Equal(t, "v", string(got))
}

func TestNoKeyringIsAnError(t *testing.T) {
	type sealer interface {
		Seal(dst, plaintext []byte, key, field, kind, codec string) ([]byte, error)
		Open(dst, sealed []byte, key, field, kind, codec string) ([]byte, error)
		Current(sealed []byte) bool
		KeyID(sealed []byte) (id string, ok bool)
	}
	sealed, err := newRing(t, testKey(t, 1)).Seal(nil, []byte("v"), "k", "", "secret", "text")
	require.NoError(t, err)
	for _, s := range []sealer{(*Keyring)(nil), new(Keyring), new(Holder)} {
		_, err := s.Seal(nil, []byte("v"), "k", "", "secret", "text")
		require.ErrorIs(t, err, ErrNoKeyring)
		_, err = s.Open(nil, sealed, "k", "", "secret", "text")
		require.ErrorIs(t, err, ErrNoKeyring)
		require.False(t, s.Current(sealed))
	}
	require.Zero(t, new(Keyring).FernetOpened())
	require.Empty(t, new(Keyring).PrimaryID())
}

// xorKEK stands for a key management service.
type xorKEK struct{ fail error }

func (k xorKEK) Wrap(_ context.Context, key []byte) ([]byte, error) {
	out := []byte("wrapped:")
	for _, b := range key {
		out = append(out, b^0x55)
	}
	return out, k.fail
}

func (k xorKEK) Unwrap(_ context.Context, wrapped []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(wrapped, []byte("wrapped:"))
	if !ok {
		return nil, errors.New("kms: not a wrapped key")
	}
	out := make([]byte, len(rest))
	for i, b := range rest {
		out[i] = b ^ 0x55
	}
	return out, k.fail
}

func TestKEK(t *testing.T) {
	ctx := context.Background()
	key := GenerateKey()
	wrapped, err := WrapKey(ctx, xorKEK{}, key)
	require.NoError(t, err)
	got, err := UnwrapKey(ctx, xorKEK{}, wrapped)
	require.NoError(t, err)
	require.Equal(t, key.Reveal(), got.Reveal())

	_, err = WrapKey(ctx, nil, key)
	require.ErrorIs(t, err, ErrKey)
	_, err = UnwrapKey(ctx, nil, wrapped)
	require.ErrorIs(t, err, ErrKey)
	_, err = WrapKey(ctx, xorKEK{}, Key{})
	require.ErrorIs(t, err, ErrKey)
	_, err = UnwrapKey(ctx, xorKEK{}, wrapped[:20])
	require.ErrorIs(t, err, ErrKey)
	_, err = UnwrapKey(ctx, xorKEK{}, append([]byte("wrapped:"), bytes.Repeat([]byte{0x55}, 32)...))
	require.ErrorIs(t, err, ErrKey)
	_, err = UnwrapKey(ctx, xorKEK{}, []byte("else"))
	require.ErrorContains(t, err, "kms: not a wrapped key")
	_, err = WrapKey(ctx, xorKEK{fail: context.DeadlineExceeded}, key)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
