package secure

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
)

// FuzzOpen passes arbitrary bytes to a ring that reads everything. Whatever the ring did not seal
// must be refused with one of its errors.
func FuzzOpen(f *testing.F) {
	key, err := ParseKey(theFernetKey)
	require.NoError(f, err)
	ring := newRing(f, testKey(f, 1), AcceptOnly(testKey(f, 2)), AcceptFernet(key), MaxPlaintext(4096))
	at := place{key: "k", kind: "secret", codec: "text"}
	// Fuzzing runs in several processes, which must agree on what is genuine.
	genuine, err := ring.seal(nil, []byte(theText), &[nonceSize]byte{1, 2, 3}, at)
	require.NoError(f, err)
	fernet := []byte(`{"__type__": "str", "value": "` + theToken + `"}`)
	for _, seed := range [][]byte{nil, genuine, genuine[:Overhead], fernet, []byte(theToken), {magic0, magic1}, {magic0, magic1, suite1}, []byte("{}")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sealed []byte) {
		before := bytes.Clone(sealed)
		got, err := openAt(ring, sealed, at)
		require.Equal(t, before, sealed, "the input was written to")
		id, ok := ring.KeyID(sealed)
		switch {
		case err == nil && bytes.Equal(sealed, genuine):
			require.Equal(t, theText, string(got))
			require.True(t, ring.Current(sealed))
		case err == nil: // the token in another layout of its wrapper
			require.Equal(t, "hello", string(got))
			require.True(t, ok)
			require.Equal(t, FernetKeyID, id)
		default:
			require.Nil(t, got)
			known := false
			for _, is := range []error{ErrNotSealed, ErrUnknownSuite, ErrUnknownKey, ErrOpen, ErrTooLarge} {
				known = known || errors.Is(err, is)
			}
			require.True(t, known, "%v", err)
			require.False(t, errors.Is(err, ErrNotSealed) && ring.Current(sealed))
		}
	})
}

// FuzzSealOpen checks that a sealed text opens as itself, for any text, at its place and at no
// other.
func FuzzSealOpen(f *testing.F) {
	f.Add([]byte("text"), "key", "field", "kind", "codec", "other")
	f.Add([]byte{}, "", "", "", "", "x")
	f.Add([]byte{0xFA, 0x5E}, "a\x00", "\xff", "kind", "codec", "")
	key := testKey(f, 1)
	f.Fuzz(func(t *testing.T, text []byte, key1, field, kind, codec, other string) {
		ring := newRing(t, key, InContext("fuzz"), MaxPlaintext(1<<16))
		at := place{key1, field, kind, codec}
		sealed, err := ring.Seal(nil, text, at.key, at.field, at.kind, at.codec)
		if len(text) > 1<<16 {
			require.ErrorIs(t, err, ErrTooLarge)
			return
		}
		require.NoError(t, err)
		got, err := openAt(ring, sealed, at)
		require.NoError(t, err)
		require.True(t, bytes.Equal(text, got))
		for _, to := range []place{
			{key1 + other, field, kind, codec}, {key1, field + other, kind, codec}, {key1, field, kind + other, codec}, {key1, field, kind, codec + other},
			{key1 + field, other, kind, codec}, {other, key1 + field, kind, codec}, {key1, field, codec, kind},
		} {
			if to != at {
				require.Equal(t, ErrOpen, refused(t, ring, sealed, to))
			}
		}
	})
}

// FuzzFernet searches for another token that opens.
func FuzzFernet(f *testing.F) {
	// The genuine tokens under this key are those of the specification.
	genuine := map[string]bool{}
	for _, name := range []string{"fernet/invalid.json", "fernet/verify.json"} {
		for _, r := range load[[]fernetVector](f, name) {
			f.Add([]byte(r.Token))
			genuine[r.Token] = true
		}
	}
	for _, r := range load[pythonFernet](f, "interop/python_fernet.json").Tests {
		f.Add([]byte(r.Token))
	}
	f.Add([]byte("gAAAAA=="))
	f.Fuzz(func(t *testing.T, token []byte) {
		got, err := OpenFernet(theFernetKey, token)
		if err != nil {
			require.Nil(t, got)
			require.True(t, errors.Is(err, ErrOpen) || errors.Is(err, ErrTooLarge), "%v", err)
			return
		}
		require.True(t, genuine[string(token)], "a forgery opened")
	})
}

// FuzzHash checks that each hash has one spelling, and that nothing over the limits is accepted.
func FuzzHash(f *testing.F) {
	for _, r := range load[argon2Vectors](f, "argon2/phc_winner_encoded.json").Tests {
		f.Add(r.Encoded)
	}
	for _, s := range poisoned() {
		f.Add(s)
	}
	f.Add("$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf044/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw")
	f.Add("$argon2id$v=19$m=064,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	f.Fuzz(checkHash)
}

// FuzzBcrypt is FuzzHash for what bcrypt's parser would accept.
func FuzzBcrypt(f *testing.F) {
	for _, name := range []string{"bcrypt/openwall_crypt_blowfish.json", "interop/python_bcrypt.json"} {
		for _, r := range load[bcryptVectors](f, name).Tests {
			f.Add(r.Encoded + r.Setting)
		}
	}
	f.Fuzz(checkHash)
}

func checkHash(t *testing.T, encoded string) {
	h, err := parseHash(encoded)
	if err != nil {
		require.True(t, errors.Is(err, ErrHashMalformed) || errors.Is(err, ErrHashUnsupported) || errors.Is(err, ErrHashCost), "%v", err)
		require.Zero(t, h)
		return
	}
	require.Equal(t, encoded, h.encoded)
	require.LessOrEqual(t, len(encoded), maxEncoded)
	for _, c := range encoded {
		require.True(t, c > ' ' && c < 0x7f, "%q", encoded)
	}
	kib, err := h.params.cost()
	require.NoError(t, err)
	require.LessOrEqual(t, kib, uint64(maxMemory+maxR*maxThreads/4+1))
	if h.algorithm == bcryptHash {
		cost, err := bcrypt.Cost([]byte(encoded))
		require.NoError(t, err)
		require.EqualValues(t, cost, h.time)
		return
	}
	for _, other := range []string{encoded + "=", encoded + "\n", encoded + " ", " " + encoded, strings.Replace(encoded, "=", "=0", 1)} {
		_, err := parseHash(other)
		require.Error(t, err, other)
	}
}

// FuzzParseKey checks that a text is a key in one of few spellings or not at all, and that the
// error does not quote it.
func FuzzParseKey(f *testing.F) {
	f.Add(theFernetKey)
	f.Add(strings.TrimRight(theFernetKey, "="))
	f.Add(strings.Repeat("0f", 32))
	f.Add(strings.Repeat("A", 43) + "=")
	f.Add("+/+/" + strings.Repeat("A", 39) + "=")
	f.Add(theFernetKey + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseKey(text)
		if err != nil {
			require.ErrorIs(t, err, ErrKey)
			require.Less(t, len(err.Error()), 160)
			return
		}
		b := k.bytes.Reveal()
		require.NotZero(t, b)
		spelled := false
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
			spelled = spelled || enc.EncodeToString(b[:]) == text
		}
		require.True(t, spelled || len(text) == 64)
		again, err := ParseKey(k.Reveal())
		require.NoError(t, err)
		require.Equal(t, k.ID(), again.ID())
	})
}

func FuzzParseKeyring(f *testing.F) {
	f.Add(theFernetKey)
	f.Add(theFernetKey + "," + strings.Repeat("0f", 32))
	f.Add(theFernetKey + "," + theFernetKey)
	f.Add(",")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Count(text, ",") > 10 {
			return
		}
		ring, err := ParseKeyring(text)
		if err != nil {
			require.ErrorIs(t, err, ErrKeyring)
			require.Nil(t, ring)
			return
		}
		require.Len(t, ring.keys, 1+strings.Count(text, ","))
	})
}

// FuzzPython checks that the unwrapped text occurs in the value unchanged, and that wrapping it
// again as the library does and unwrapping that yields the same text.
func FuzzPython(f *testing.F) {
	for _, r := range load[pythonValues](f, "interop/python_values.json").Tests {
		f.Add([]byte(r.RedisValue))
	}
	f.Add([]byte(`{"__type__":"str","value":""}`))
	f.Add([]byte(`{"__type__": "str", "value": "\u0067"}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		text, ok := unwrapPython(value)
		if !ok {
			require.Nil(t, text)
			return
		}
		require.False(t, bytes.ContainsAny(text, "\"\\\n"))
		again, ok := unwrapPython([]byte(`{"__type__": "str", "value": "` + string(text) + `"}`))
		require.True(t, ok)
		require.Equal(t, text, again)
	})
}
