package secure

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/chacha20poly1305"
)

// Attacks by someone who reads and writes the database, one test for each. Those with parameters
// that cost memory are in poison_linux_test.go, those with printed values in leaks_test.go.

const theText = "some top secret"

var here = place{key: "root:user:42:api_key", field: "f", kind: "secret", codec: "json"}

func sealAt(t testing.TB, k *Keyring, at place) []byte {
	t.Helper()
	sealed, err := k.Seal(nil, []byte(theText), at.key, at.field, at.kind, at.codec)
	require.NoError(t, err)
	return sealed
}

func openAt(k *Keyring, sealed []byte, at place) ([]byte, error) {
	return k.Open(nil, sealed, at.key, at.field, at.kind, at.codec)
}

// refused requires that a value does not open, and returns the error.
func refused(t testing.TB, k *Keyring, sealed []byte, at place, msg ...any) error {
	t.Helper()
	got, err := openAt(k, sealed, at)
	require.Error(t, err, msg...)
	require.Nil(t, got, msg...)
	require.NotContains(t, err.Error(), theText)
	for i := nonceAt; i+8 <= min(len(sealed), 1<<10); i += 8 { // the id before it may be revealed
		for _, piece := range []string{string(sealed[i : i+8]), hex.EncodeToString(sealed[i : i+8])} {
			if strings.Contains(err.Error(), piece) {
				t.Fatalf("the error repeats what is sealed: %q", piece)
			}
		}
	}
	return err
}

func TestAttackFlipEveryBit(t *testing.T) {
	ring := newRing(t, testKey(t, 1), AcceptOnly(testKey(t, 2)), AcceptFernet(testKey(t, 3)))
	sealed := sealAt(t, ring, here)
	for i := range len(sealed) * 8 {
		forged := bytes.Clone(sealed)
		forged[i/8] ^= 1 << (i % 8)
		want := ErrOpen
		switch at := i / 8; {
		case at < suiteAt:
			want = ErrNotSealed
		case at < keyIDAt:
			want = ErrUnknownSuite
		case at < nonceAt:
			want = ErrUnknownKey
		}
		require.ErrorIs(t, refused(t, ring, forged, here, "bit %d", i), want, "bit %d", i)
	}
}

func TestAttackCutAtEveryLength(t *testing.T) {
	ring := newRing(t, testKey(t, 1))
	sealed := sealAt(t, ring, here)
	for n := range sealed {
		want := ErrOpen
		if n < suiteAt {
			want = ErrNotSealed
		}
		require.ErrorIs(t, refused(t, ring, sealed[:n], here), want, "%d bytes", n)
		if n > 0 { // and from the front, where random bytes may look like the beginning
			want := ErrNotSealed
			if hasMagic(sealed[n:]) {
				want = ErrUnknownSuite
			}
			require.ErrorIs(t, refused(t, ring, sealed[n:], here), want, "from %d", n)
		}
		if n < Overhead {
			_, ok := ring.KeyID(sealed[:n])
			require.False(t, ok, "%d bytes", n)
			require.False(t, ring.Current(sealed[:n]), "%d bytes", n)
		}
	}
}

func TestAttackExtendAtEveryLength(t *testing.T) {
	ring := newRing(t, testKey(t, 1))
	sealed := sealAt(t, ring, here)
	for n := 1; n <= len(sealed); n++ {
		for _, more := range [][]byte{make([]byte, n), sealed[:n], bytes.Repeat([]byte{0xFF}, n)} {
			require.ErrorIs(t, refused(t, ring, append(bytes.Clone(sealed), more...), here), ErrOpen, "%d more", n)
		}
		// Bytes inserted and repeated inside.
		forged := append(bytes.Clone(sealed[:n]), sealed[n-1:]...)
		require.Error(t, refused(t, ring, forged, here, "doubled at %d", n))
	}
}

func TestAttackMoveToAnotherPlace(t *testing.T) {
	ring := newRing(t, testKey(t, 1))
	at := place{key: "user:1", field: "ab", kind: "secret", codec: "json"}
	sealed := sealAt(t, ring, at)
	_, err := openAt(ring, sealed, at)
	require.NoError(t, err)
	for name, to := range map[string]place{
		"another key":               {"user:2", "ab", "secret", "json"},
		"no key":                    {"", "ab", "secret", "json"},
		"another field":             {"user:1", "abc", "secret", "json"},
		"from a hash to a key":      {"user:1", "", "secret", "json"},
		"another kind":              {"user:1", "ab", "password", "json"},
		"another codec":             {"user:1", "ab", "secret", "text"},
		"key and field shifted":     {"user:1a", "b", "secret", "json"},
		"key and field joined":      {"user:1ab", "", "secret", "json"},
		"field and kind shifted":    {"user:1", "abs", "ecret", "json"},
		"kind and codec shifted":    {"user:1", "ab", "secretj", "son"},
		"key and field swapped":     {"ab", "user:1", "secret", "json"},
		"length written in the key": {"user:1\x00\x00\x00\x00\x00\x00\x00\x02ab", "", "secret", "json"},
		"upper case":                {"USER:1", "ab", "secret", "json"},
		"all empty":                 {},
	} {
		require.Equal(t, ErrOpen, refused(t, ring, sealed, to, name), name)
	}
}

func TestAttackMoveToAnotherContext(t *testing.T) {
	key := testKey(t, 1)
	production := newRing(t, key, InContext("production"))
	sealed := sealAt(t, production, here)
	for _, context := range []string{"staging", "", "Production", "production ", "productio"} {
		ring := newRing(t, key, InContext(context))
		require.Equal(t, ErrOpen, refused(t, ring, sealed, here, context))
	}
	// The name of the key cannot make up for the context.
	joined := newRing(t, key, InContext("productionroot:user:42:api_key"))
	require.Equal(t, ErrOpen, refused(t, joined, sealed, place{"", here.field, here.kind, here.codec}))
}

func TestAttackAnotherKeyring(t *testing.T) {
	ours, theirs := newRing(t, testKey(t, 1)), newRing(t, testKey(t, 2))
	sealed := sealAt(t, theirs, here)
	require.ErrorIs(t, refused(t, ours, sealed, here), ErrUnknownKey)

	// A claim that the value is under our key.
	id := ours.primary().id
	copy(sealed[keyIDAt:], id[:])
	require.Equal(t, ErrOpen, refused(t, ours, sealed, here))

	// A claim that it is under another key of a ring that has both.
	both := newRing(t, testKey(t, 1), AcceptOnly(testKey(t, 2)))
	require.Equal(t, ErrOpen, refused(t, both, sealed, here))
}

func TestAttackSplice(t *testing.T) {
	ring := newRing(t, testKey(t, 1))
	a, b := sealAt(t, ring, here), sealAt(t, ring, here)
	for a[nonceAt] == b[nonceAt] { // otherwise the first cut would yield b
		b = sealAt(t, ring, here)
	}
	for _, cut := range []int{nonceAt + 1, nonceAt + 12, commitmentAt, commitmentAt + 16, headerSize, headerSize + 5, len(a) - 16} {
		require.Equal(t, ErrOpen, refused(t, ring, append(bytes.Clone(a[:cut]), b[cut:]...), here, "cut at %d", cut))
	}
}

// A value that the cipher would open, but with another value's commitment: someone who knows two
// keys could make one so that one value opens as two texts.
func TestAttackOpensUnderTwoKeys(t *testing.T) {
	ring := newRing(t, testKey(t, 1), AcceptOnly(testKey(t, 2)))
	sealed := sealAt(t, ring, here)
	other := ring.keys[1]
	header, nonce := bytes.Clone(sealed[:headerSize]), sealed[nonceAt:commitmentAt]

	key, commitment := ring.primary().derive(nonce)
	_, foreign := other.derive(nonce)
	forge := func(commitment [commitmentSize]byte) []byte {
		copy(header[commitmentAt:], commitment[:])
		aead, err := chacha20poly1305.NewX(key[:])
		require.NoError(t, err)
		return aead.Seal(bytes.Clone(header), nonce, []byte("the other text"), ring.associated(header, here))
	}
	require.Equal(t, ErrOpen, refused(t, ring, forge(foreign), here))
	require.Equal(t, ErrOpen, refused(t, ring, forge([commitmentSize]byte{}), here))

	got, err := openAt(ring, forge(commitment), here)
	require.NoError(t, err, "the forgery is good but for the commitment")
	require.Equal(t, "the other text", string(got))
}

func TestAttackPlantSomethingElse(t *testing.T) {
	ring := newRing(t, testKey(t, 1))
	fernet := newRing(t, testKey(t, 1), AcceptFernet(testKey(t, 3)))
	for _, planted := range []string{
		"", "\xFA", "x", theText, `"some top secret"`, "null", "[decryption-error]", "[redacted]",
		`{"__type__": "str", "value": "some top secret"}`,
		`{"__type__": "none", "value": "None"}`,
		"\x5E\xFA" + strings.Repeat("\x01", 100),
		strings.Repeat("\x00", 200), "$2b$04$JZzJv2/gj5DyI1NfVGKozO/9YPvwOhA2u9T0zkiYpSDQwigQl4A0K",
	} {
		require.ErrorIs(t, refused(t, ring, []byte(planted), here), ErrNotSealed, planted)
		require.ErrorIs(t, refused(t, fernet, []byte(planted), place{key: "k", kind: "secret"}), ErrNotSealed, planted)
		_, ok := fernet.KeyID([]byte(planted))
		require.False(t, ok, planted)
	}
	huge := bytes.Repeat([]byte("x"), 4<<20)
	require.ErrorIs(t, refused(t, ring, huge, here), ErrNotSealed)
	require.ErrorIs(t, refused(t, fernet, huge, place{key: "k", kind: "secret"}), ErrTooLarge)
	copy(huge, []byte{magic0, magic1, suite1})
	require.ErrorIs(t, refused(t, ring, huge, here), ErrTooLarge)
}

const (
	theFernetKey = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
	theToken     = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=="
)

func TestAttackForgeFernet(t *testing.T) {
	forged := map[string]string{
		"line end at the end":  theToken + "\n",
		"line end within":      theToken[:40] + "\n" + theToken[40:],
		"CR and LF within":     theToken[:40] + "\r\n" + theToken[40:],
		"space within":         theToken[:40] + " " + theToken[40:],
		"space before":         " " + theToken,
		"no padding":           strings.TrimRight(theToken, "="),
		"one padding":          theToken[:len(theToken)-1],
		"three paddings":       theToken + "=",
		"text after it":        theToken + "AAAA",
		"left-over bits":       strings.Replace(theToken, "DA==", "DB==", 1),
		"the other alphabet":   strings.Replace(theToken, "_", "/", 1),
		"empty":                "",
		"version only":         "gA==",
		"the signature only":   base64.URLEncoding.EncodeToString(make([]byte, 32)),
		"another version":      "gQ" + theToken[2:],
		"no blocks":            base64.URLEncoding.EncodeToString(append([]byte{0x80}, make([]byte, 56)...)),
		"half a block":         base64.URLEncoding.EncodeToString(append([]byte{0x80}, make([]byte, 64)...)),
		"NUL at the end":       theToken + "\x00",
		"twice":                theToken + theToken,
		"padding in the midst": theToken[:40] + "==" + theToken[40:],
	}
	raw, err := base64.URLEncoding.DecodeString(theToken)
	require.NoError(t, err)
	for i := range len(raw) * 8 {
		flipped := bytes.Clone(raw)
		flipped[i/8] ^= 1 << (i % 8)
		forged[fmt.Sprintf("bit %d", i)] = base64.URLEncoding.EncodeToString(flipped)
	}
	for n := range raw {
		forged[fmt.Sprintf("cut to %d", n)] = base64.URLEncoding.EncodeToString(raw[:n])
	}
	key, err := ParseKey(theFernetKey)
	require.NoError(t, err)
	ring := newRing(t, testKey(t, 1), AcceptFernet(key))
	for name, token := range forged {
		got, err := OpenFernet(theFernetKey, []byte(token))
		require.Equal(t, ErrOpen, err, name)
		require.Nil(t, got, name)

		err = refused(t, ring, []byte(`{"__type__": "str", "value": "`+token+`"}`), place{key: "k", kind: "secret"}, name)
		if err != ErrOpen { //nolint:errorlint // one error, the same for all
			require.ErrorIs(t, err, ErrNotSealed, name)
			require.True(t, strings.ContainsAny(token, "\r\n\x00 ") || !strings.HasPrefix(token, fernetPrefix), name)
		}
	}
	require.Zero(t, ring.FernetOpened())
	_, err = OpenFernet(theFernetKey, bytes.Repeat([]byte("gAAAA"), 1<<20))
	require.ErrorIs(t, err, ErrTooLarge)
	for _, bad := range []string{"", "short", theFernetKey + "\n", strings.Repeat("ab", 32), strings.Replace(theFernetKey, "_", "/", 1)} {
		_, err = OpenFernet(bad, []byte(theToken))
		require.ErrorIs(t, err, ErrKey)
	}
}

// Even a token signed with the right key must be well formed.
func TestAttackSignedNonsense(t *testing.T) {
	key, err := ParseKey(theFernetKey)
	require.NoError(t, err)
	b := key.bytes.Reveal()
	block, err := aes.NewCipher(b[16:])
	require.NoError(t, err)
	token := func(version byte, padded []byte) []byte {
		raw := append([]byte{version}, make([]byte, fernetHeaderSize-1+len(padded))...)
		cipher.NewCBCEncrypter(block, make([]byte, aes.BlockSize)).CryptBlocks(raw[fernetHeaderSize:], padded)
		mac := hmac.New(sha256.New, b[:16])
		mac.Write(raw)
		return base64.URLEncoding.AppendEncode(nil, mac.Sum(raw))
	}
	text := func(padding ...byte) []byte {
		size := (len(padding) + aes.BlockSize) / aes.BlockSize * aes.BlockSize
		return append(bytes.Repeat([]byte("x"), size-len(padding)), padding...)
	}
	got, err := OpenFernet(theFernetKey, token(fernetVersion, text(2, 2)))
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("x", 14), string(got))
	for name, forged := range map[string][]byte{
		"another version":         token(0x81, text(2, 2)),
		"padding of 0":            token(fernetVersion, text(0)),
		"padding of 17":           token(fernetVersion, text(bytes.Repeat([]byte{17}, 17)...)),
		"padding of 32":           token(fernetVersion, bytes.Repeat([]byte{32}, 32)),
		"padding over the text":   token(fernetVersion, text(255)),
		"no text":                 token(fernetVersion, nil),
		"padding not of its size": token(fernetVersion, text(1, 1, 3)),
	} {
		_, err := OpenFernet(theFernetKey, forged)
		require.Equal(t, ErrOpen, err, name)
	}
}

// Fernet binds a value to no place. It is not read in places where the Python library never put
// one: it can only have been moved there.
func TestAttackMoveFernet(t *testing.T) {
	key, err := ParseKey(theFernetKey)
	require.NoError(t, err)
	ring := newRing(t, testKey(t, 1), AcceptFernet(key))
	value := []byte(`{"__type__": "str", "value": "` + theToken + `"}`)
	got, err := openAt(ring, value, place{key: "k", kind: "secret"})
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))

	require.ErrorIs(t, refused(t, ring, value, place{key: "k", field: "f", kind: "secret"}), ErrNotSealed)
	for _, kind := range []string{"password", "hash", "record", ""} { // a field's name can be empty
		require.ErrorIs(t, refused(t, ring, value, place{key: "k", kind: kind}), ErrNotSealed, kind)
	}
	require.ErrorIs(t, refused(t, ring, []byte(theToken), place{key: "k", kind: "secret"}), ErrNotSealed, "without the wrapper")
	off := newRing(t, key)
	require.ErrorIs(t, refused(t, off, value, place{key: "k", kind: "secret"}), ErrNotSealed, "not accepted")
	_, ok := off.KeyID(value)
	require.False(t, ok)
}

func TestAttackAlmostPythonWrapper(t *testing.T) {
	good := []string{
		`{"__type__": "str", "value": "gAAAA"}`,
		`{"__type__":"str","value":"gAAAA"}`,
		" \t\r\n{ \"__type__\" :\n\"str\"\t,\r\"value\" : \"gAAAA\" } \n",
	}
	for _, v := range good {
		text, ok := unwrapPython([]byte(v))
		require.True(t, ok, v)
		require.Equal(t, "gAAAA", string(text))
	}
	for _, v := range []string{
		``, `{`, `{}`, `"gAAAA"`, `["__type__", "str"]`,
		`{"__type__": "str", "value": "gAAAA"`, `{"__type__": "str", "value": "gAAAA}`,
		`{"__type__": "str", "value": "gAAAA"} x`, `{"__type__": "str", "value": "gAAAA"}}`,
		`{"__type__": "str", "value": "gAAAA"}{"__type__": "str", "value": "gAAAA"}`,
		`{"__type__": "str", "value": "gAAAA", "value": "gBBBB"}`,
		`{"__type__": "str", "__type__": "str", "value": "gAAAA"}`,
		`{"value": "gAAAA", "__type__": "str"}`, `{"__type__": "str", "value": "gAAAA",}`,
		`{"__TYPE__": "str", "value": "gAAAA"}`, `{"__type__": "STR", "value": "gAAAA"}`,
		`{"__type__": "bytes", "value": "gAAAA"}`, `{"__type__": "str", "value": null}`,
		`{"__type__": "str", "value": ["gAAAA"]}`, `{'__type__': 'str', 'value': 'gAAAA'}`,
		`{"__type__": "str", "value": "\u0067AAAA"}`, `{"__type__": "str", "value": "gA\nAAA"}`,
		"{\"__type__\": \"str\", \"value\": \"gA\nAAA\"}", "{\"__type__\": \"str\", \"value\": \"gAAAÄ\"}",
		"{\"__type__\": \"str\", \"value\": \"gAAAA\x7f\"}", "{\"__type__\": \"str\", \"value\": \"gAAAA\xff\"}",
		"\ufeff{\"__type__\": \"str\", \"value\": \"gAAAA\"}", "{\u00a0\"__type__\": \"str\", \"value\": \"gAAAA\"}",
	} {
		_, ok := unwrapPython([]byte(v))
		require.False(t, ok, v)
	}
}

// A hash that is sealed with the ring does not verify for another user.
func TestAttackCopyAPasswordHash(t *testing.T) {
	ring, passwords := newRing(t, testKey(t, 1)), newPasswords(t)
	encoded, err := passwords.Hash(t.Context(), "mallory's own")
	require.NoError(t, err)
	sealed, err := ring.Seal(nil, []byte(encoded), "user:mallory:password", "", "password", "text")
	require.NoError(t, err)
	require.Equal(t, ErrOpen, refused(t, ring, sealed, place{"user:alice:password", "", "password", "text"}))
	require.ErrorIs(t, refused(t, ring, []byte(encoded), place{"user:alice:password", "", "password", "text"}), ErrNotSealed)
}

// Everything that bcrypt's own parser accepts as a hash of "abc".
func TestAttackLenientBcrypt(t *testing.T) {
	raw, err := bcrypt.GenerateFromPassword([]byte("abc"), bcrypt.MinCost)
	require.NoError(t, err)
	good := "$2b" + string(raw[3:])
	ok, err := Verify(good, "abc")
	require.NoError(t, err)
	require.True(t, ok)

	lenient := 0
	for name, forged := range map[string]string{
		"garbage at the end":    good + "x",
		"line end at the end":   good + "\n",
		"NUL at the end":        good + "\x00",
		"another version":       "$2z" + good[3:],
		"the faulty version":    "$2x" + good[3:],
		"no version":            "$2" + good[3:],
		"signed cost":           "$2b$+4" + good[6:],
		"cost of one digit":     "$2b$4" + good[6:],
		"cost of three digits":  "$2b$004" + good[6:],
		"cost below the least":  "$2b$03" + good[6:],
		"cost above the most":   "$2b$32" + good[6:],
		"no cost":               "$2b$" + good[6:],
		"space before":          " " + good,
		"cut":                   good[:59],
		"without the hash":      good[:29],
		"left-over salt bits":   good[:28] + nextBcrypt(good[28]) + good[29:],
		"left-over hash bits":   good[:59] + nextBcrypt(good[59]),
		"a character of base64": good[:40] + "+" + good[41:],
		"other separators":      strings.ReplaceAll(good, "$", "%"),
		"nothing":               "",
		"a $":                   "$",
		"a $2b":                 "$2b",
		"a $2b$":                "$2b$",
		"a $2b$04$":             "$2b$04$",
		"major version 1":       "$1b" + good[3:],
	} {
		if bcrypt.CompareHashAndPassword([]byte(forged), []byte("abc")) == nil {
			lenient++
		}
		ok, err := Verify(forged, "abc")
		require.False(t, ok, name)
		if err == nil || !isHashError(err) {
			require.Fail(t, "not refused", "%s: %v", name, err)
		}
		require.Equal(t, err, newPasswords(t).Validate(forged), name)
	}
	require.Positive(t, lenient, "the parser below is no longer lenient: this test shows nothing")
}

func isHashError(err error) bool {
	for _, is := range []error{ErrHashMalformed, ErrHashUnsupported, ErrHashCost} {
		if strings.HasPrefix(err.Error(), is.Error()) {
			return true
		}
	}
	return false
}

// nextBcrypt returns the character after c in bcrypt's alphabet, which differs in the last bit.
func nextBcrypt(c byte) string {
	const alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	return alphabet[strings.IndexByte(alphabet, c)+1:][:1]
}

// Passwords that bcrypt cannot distinguish.
func TestAttackBcryptCollisions(t *testing.T) {
	long := strings.Repeat("a", 72)
	for _, tc := range []struct{ password, candidate string }{
		{long, long + "X"},
		{long, long + long},
		{long, long + "\x00"},
		{"abc", "abc\x00"},
		{"abc", "abc\x00abc"},
		{"abc", "abc\x00abc\x00abc"},
	} {
		raw, err := bcrypt.GenerateFromPassword([]byte(tc.password), bcrypt.MinCost)
		require.NoError(t, err)
		ok, err := Verify(string(raw), tc.password)
		require.NoError(t, err)
		require.True(t, ok)
		if tc.candidate != "abc\x00" {
			require.NoError(t, bcrypt.CompareHashAndPassword(raw, []byte(tc.candidate)), "no collision to guard against")
		}
		ok, err = Verify(string(raw), tc.candidate)
		require.NoError(t, err)
		require.False(t, ok, "%q matches %q", tc.candidate, tc.password)

		ok, rehash, err := newPasswords(t, TruncateBcrypt()).Verify(t.Context(), string(raw), tc.candidate)
		require.NoError(t, err)
		require.Equal(t, !strings.Contains(tc.candidate, "\x00"), ok, "%q", tc.candidate)
		require.False(t, rehash)
	}
}

// Spellings of one argon2 or scrypt hash that lenient parsers accept.
func TestAttackLenientPHC(t *testing.T) {
	passwords := newPasswords(t)
	good, err := passwords.Hash(t.Context(), "abc")
	require.NoError(t, err)
	require.Regexp(t, `^\$argon2id\$v=19\$m=64,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`, good)
	tail := good[strings.Index(good, "p=1$")+4:]
	salt, sum, _ := strings.Cut(tail, "$")
	with := func(params string) string { return "$argon2id$v=19$" + params + "$" + tail }
	for name, forged := range map[string]string{
		"number with text":          with("m=64,t=1,p=1garbage"),
		"signed number":             with("m=+64,t=1,p=1"),
		"negative number":           with("m=-64,t=1,p=1"),
		"leading zero":              with("m=064,t=1,p=1"),
		"hexadecimal":               with("m=0x40,t=1,p=1"),
		"underscore":                with("m=6_4,t=1,p=1"),
		"space":                     with("m=64, t=1,p=1"),
		"another order":             with("t=1,m=64,p=1"),
		"a parameter twice":         with("m=64,t=1,t=1,p=1"),
		"one too many":              with("m=64,t=1,p=1,keyid=AAAA"),
		"one missing":               with("m=64,t=1"),
		"comma at the end":          with("m=64,t=1,p=1,"),
		"upper case":                with("M=64,t=1,p=1"),
		"fraction":                  with("m=64.0,t=1,p=1"),
		"empty number":              with("m=,t=1,p=1"),
		"over 64 bits":              with("m=18446744073709551680,t=1,p=1"),
		"Arabic digits":             with("m=٦٤,t=1,p=1"),
		"padding":                   good + "=",
		"line end at the end":       good + "\n",
		"line end in the hash":      good[:len(good)-5] + "\n" + good[len(good)-5:],
		"line end in the salt":      strings.Replace(good, salt, salt[:5]+"\r\n"+salt[5:], 1),
		"left-over bits, salt":      strings.Replace(good, salt, salt[:21]+nextBase64(salt[21]), 1),
		"left-over bits, hash":      good[:len(good)-1] + nextBase64(good[len(good)-1]),
		"URL alphabet":              strings.Replace(with("m=64,t=1,p=1"), sum, strings.Repeat("-_", 21)+"A", 1),
		"no hash":                   "$argon2id$v=19$m=64,t=1,p=1$" + salt,
		"empty hash":                "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$",
		"empty salt":                "$argon2id$v=19$m=64,t=1,p=1$$" + sum,
		"short salt":                "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAA$" + sum,
		"short hash":                "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$AAAA",
		"long salt":                 "$argon2id$v=19$m=64,t=1,p=1$" + strings.Repeat("A", 88) + "$" + sum,
		"long hash":                 "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + strings.Repeat("A", 88),
		"one more part":             good + "$AAAA",
		"no $ in front":             good[1:],
		"space in front":            " " + good,
		"two versions":              strings.Replace(good, "v=19", "v=19$v=19", 1),
		"version 16":                strings.Replace(good, "v=19", "v=16", 1),
		"no version":                strings.Replace(good, "$v=19", "", 1),
		"version as 019":            strings.Replace(good, "v=19", "v=019", 1),
		"argon2d":                   strings.Replace(good, "argon2id", "argon2d", 1),
		"Argon2id":                  strings.Replace(good, "argon2id", "Argon2id", 1),
		"unknown algorithm":         strings.Replace(good, "argon2id", "md5", 1),
		"the algorithm only":        "$argon2id$",
		"513 bytes":                 "$argon2id$v=19$m=64,t=1,p=1$" + strings.Repeat("A", 485),
		"scrypt, N for ln":          "$scrypt$N=16384,r=8,p=1$" + tail,
		"scrypt with a version":     "$scrypt$v=1$ln=4,r=8,p=1$" + tail,
		"scrypt, zero r":            "$scrypt$ln=4,r=0,p=1$" + tail,
		"scrypt, zero ln":           "$scrypt$ln=0,r=8,p=1$" + tail,
		"pbkdf2":                    "$pbkdf2-sha256$29000$" + tail,
		"crypt's SHA-512":           "$6$rounds=5000$" + tail,
		"text":                      "abc",
		"the wrapper, not accepted": `{"__type__": "str", "value": "` + good + `"}`,
	} {
		require.NotEqual(t, good, forged, name)
		ok, rehash, err := passwords.Verify(t.Context(), forged, "abc")
		require.False(t, ok, name)
		require.False(t, rehash, name)
		require.Error(t, err, name)
		require.True(t, isHashError(err), "%s: %v", name, err)
		require.Equal(t, err, passwords.Validate(forged), name)
	}
}

// poisoned returns strings that ask for more than they should get, but are otherwise well formed.
func poisoned() []string {
	const tail = "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	strs := []string{
		"$2b$15$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
		"$2b$31$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
		"$2y$99$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
	}
	for _, p := range []string{
		"m=2147483648,t=1,p=1", "m=4294967295,t=1,p=1", "m=4294967296,t=1,p=1", "m=18446744073709551615,t=1,p=1",
		"m=262145,t=1,p=1", "m=8,t=4294967295,p=1", "m=8,t=17,p=1", "m=262144,t=5,p=1", "m=65536,t=1,p=17",
		"m=65536,t=1,p=255", "m=65536,t=1,p=256", "m=18446744073709551615,t=18446744073709551615,p=1",
		"m=131072,t=9,p=1", "m=18446744073709551615,t=18446744073709551615,p=18446744073709551615",
	} {
		strs = append(strs, "$argon2id$v=19$"+p+tail, "$argon2i$v=19$"+p+tail)
	}
	for _, p := range []string{
		"ln=31,r=8,p=1", "ln=63,r=1,p=1", "ln=64,r=1,p=1", "ln=18446744073709551615,r=8,p=1", "ln=19,r=8,p=1",
		"ln=1,r=1048577,p=1", "ln=1,r=1073741824,p=1", "ln=1,r=18446744073709551615,p=1", "ln=10,r=8,p=1073741823",
		"ln=1,r=1025,p=1", "ln=14,r=8,p=17", "ln=18,r=8,p=5", "ln=32,r=4294967296,p=1", "ln=15,r=65,p=1",
		// Little memory, but many seconds on one core.
		"ln=21,r=1,p=4", "ln=21,r=1,p=1", "ln=20,r=1,p=2", "ln=18,r=8,p=4", "ln=17,r=8,p=3", "ln=11,r=1024,p=2", "ln=14,r=9,p=16",
	} {
		strs = append(strs, "$scrypt$"+p+tail)
	}
	return strs
}

func TestAttackPoisonedParameters(t *testing.T) {
	passwords := newPasswords(t)
	passwords.matches = func(*passwordHash, []byte) bool { panic("computed") }
	for _, s := range poisoned() {
		require.ErrorIs(t, passwords.Validate(s), ErrHashCost, s)
		ok, err := Verify(s, "password")
		require.ErrorIs(t, err, ErrHashCost, s)
		require.False(t, ok, s)
		ok, _, err = passwords.Verify(t.Context(), s, "password")
		require.ErrorIs(t, err, ErrHashCost, s)
		require.False(t, ok, s)
	}
	// These would make the computation panic.
	const tail = "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for _, p := range []string{"m=64,t=0,p=1", "m=64,t=1,p=0", "m=0,t=0,p=0", "m=7,t=1,p=1", "m=15,t=1,p=2", "m=0,t=1,p=1"} {
		_, err := Verify("$argon2id$v=19$"+p+tail, "password")
		require.ErrorIs(t, err, ErrHashMalformed, p)
	}
	// Parameters at the limits are accepted, though no test computes them.
	for _, s := range []string{
		"$argon2id$v=19$m=262144,t=4,p=16" + tail, "$argon2i$v=19$m=65536,t=16,p=1" + tail, "$argon2id$v=19$m=8,t=1,p=1" + tail,
		"$scrypt$ln=18,r=8,p=1" + tail, "$scrypt$ln=20,r=1,p=1" + tail, "$scrypt$ln=11,r=1024,p=1" + tail, "$scrypt$ln=1,r=1,p=16" + tail,
		"$2b$14$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
	} {
		require.NoError(t, passwords.Validate(s), s)
	}
}

// A stored string is refused for its length before it is copied or decoded.
func TestAttackLongHash(t *testing.T) {
	passwords := newPasswords(t, AcceptPython())
	huge := strings.Repeat("A", 16<<20)
	for _, s := range []string{
		huge, "$" + huge, "$" + huge + "$", "$argon2id$v=19$m=64,t=1,p=1$" + huge + "$" + huge, "$scrypt$ln=4,r=8,p=1$" + huge + "$" + huge,
		"$2b$04$" + huge, `{"__type__": "str", "value": "` + huge + `"}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := passwords.Verify(t.Context(), s, "password")
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, ErrHashMalformed)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
	}
}

// The amount of computation must not reveal which users exist.
func TestAttackAskForUsersThatDoNotExist(t *testing.T) {
	const decomposed = "pa\u0308ssword"
	for _, candidate := range []string{"wrong", decomposed, strings.Repeat("x", 73), "abc\x00", strings.Repeat("x", 1024)} {
		passwords, calls := newPasswords(t), 0
		compute := passwords.matches
		var costs []params
		passwords.matches = func(h *passwordHash, c []byte) bool {
			calls++
			costs = append(costs, h.params)
			return compute(h, c)
		}
		encoded, err := passwords.Hash(t.Context(), "right")
		require.NoError(t, err)
		ok, _, err := passwords.Verify(t.Context(), encoded, candidate)
		require.NoError(t, err)
		require.False(t, ok)
		wrong := calls
		calls = 0
		require.NoError(t, passwords.VerifyMissing(t.Context(), candidate))
		require.Equal(t, wrong, calls, "%q", candidate)
		require.Equal(t, costs[:wrong], costs[wrong:], "the same parameters too")

		want := 1
		if candidate == decomposed {
			want = 2
		}
		require.Equal(t, want, calls, "%q", candidate)
	}
	for _, candidate := range []string{"", strings.Repeat("x", 1025)} {
		passwords := newPasswords(t)
		passwords.matches = func(*passwordHash, []byte) bool { panic("computed") }
		_, _, err := passwords.Verify(t.Context(), passwords.dummy.encoded, candidate)
		require.Equal(t, ErrPasswordLength, err)
		require.Equal(t, ErrPasswordLength, passwords.VerifyMissing(t.Context(), candidate))
		_, err = passwords.Hash(t.Context(), candidate)
		require.Equal(t, ErrPasswordLength, err)
		_, err = Verify("x", candidate)
		require.Equal(t, ErrPasswordLength, err)
	}
}

// Nobody can know a password that matches the dummy.
func TestAttackGuessTheDummy(t *testing.T) {
	a, b := newPasswords(t), newPasswords(t)
	require.NotEqual(t, a.dummy.salt, b.dummy.salt)
	require.NotEqual(t, a.dummy.sum, b.dummy.sum)
	require.Equal(t, quick.params(), a.dummy.params)
}

// Keys are replaced while values are sealed and opened.
func TestAttackDuringRotation(t *testing.T) {
	a, b := testKey(t, 1), testKey(t, 2)
	rings := []*Keyring{
		newRing(t, a), newRing(t, a, AcceptOnly(b)), newRing(t, b, AcceptOnly(a)), newRing(t, a, AcceptOnly(b)),
	}
	live := NewHolder(rings[1])
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
				live.Store(rings[1+i%3])
			}
		}
	})
	var work sync.WaitGroup
	for g := range 8 {
		work.Go(func() {
			key := fmt.Sprintf("user:%d", g)
			for i := range 300 {
				text := fmt.Sprintf("%d-%d", g, i)
				sealed, err := live.Seal(nil, []byte(text), key, "", "secret", "text")
				if err != nil {
					t.Error(err)
					return
				}
				got, err := live.Open(nil, sealed, key, "", "secret", "text")
				if err != nil || string(got) != text {
					t.Errorf("%q: %v", got, err)
					return
				}
			}
		})
	}
	work.Wait()
	close(done)
	wg.Wait()
}
