package secure

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/chacha20poly1305"
)

var update = flag.Bool("update", false, "rewrite the files in testdata that this package makes")

// knownAnswer is a value sealed with a fixed nonce. Everything but the texts is hexadecimal.
type knownAnswer struct {
	Name      string `json:"name"`
	MasterKey string `json:"master_key"`
	KeyID     string `json:"key_id"`
	Nonce     string `json:"nonce"`
	Context   string `json:"context"`
	Key       string `json:"key"`
	Field     string `json:"field"`
	Kind      string `json:"kind"`
	Codec     string `json:"codec"`
	Plaintext string `json:"plaintext"`
	Sealed    string `json:"sealed"`
}

const knownAnswers = "testdata/envelope.json"

// What is stored must stay readable forever. A change to this file is a change to the format and
// needs a suite of its own.
func TestKnownAnswers(t *testing.T) {
	if *update {
		writeKnownAnswers(t)
	}
	rows := load[[]knownAnswer](t, "envelope.json")
	require.GreaterOrEqual(t, len(rows), 6)
	for _, r := range rows {
		key, err := ParseKey(r.MasterKey)
		require.NoError(t, err)
		require.Equal(t, r.KeyID, key.ID(), r.Name)
		ring := newRing(t, key, InContext(r.Context))
		at := place{r.Key, r.Field, r.Kind, r.Codec}

		sealed, err := hex.DecodeString(r.Sealed)
		require.NoError(t, err)
		got, err := openAt(ring, sealed, at)
		require.NoError(t, err, r.Name)
		require.Equal(t, r.Plaintext, hex.EncodeToString(got), r.Name)

		nonce, err := hex.DecodeString(r.Nonce)
		require.NoError(t, err)
		again, err := ring.seal(nil, got, (*[nonceSize]byte)(nonce), at)
		require.NoError(t, err)
		require.Equal(t, r.Sealed, hex.EncodeToString(again), r.Name)

		require.Equal(t, r.Sealed, hex.EncodeToString(sealByTheBook(t, r)), r.Name)
	}
}

// sealByTheBook builds the stored form from its description in envelope.go, using nothing of the
// package but constants of length.
func sealByTheBook(t *testing.T, r knownAnswer) []byte {
	t.Helper()
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		require.NoError(t, err)
		return b
	}
	prk, err := hkdf.Extract(sha256.New, unhex(r.MasterKey), []byte("redisimnest/secret/v1"))
	require.NoError(t, err)
	id, err := hkdf.Expand(sha256.New, prk, "key id", 8)
	require.NoError(t, err)
	nonce := unhex(r.Nonce)
	okm, err := hkdf.Expand(sha256.New, prk, "value"+string(nonce), 64)
	require.NoError(t, err)

	header := bytes.Join([][]byte{{0xFA, 0x5E, 0x01}, id, nonce, okm[32:]}, nil)
	require.Len(t, header, 67)
	aad := append([]byte("redisimnest/aad/v1\x00"), header...)
	for _, s := range []string{r.Context, r.Key, r.Field, r.Kind, r.Codec} {
		n := uint64(len(s))
		for shift := 56; shift >= 0; shift -= 8 {
			aad = append(aad, byte(n>>shift))
		}
		aad = append(aad, s...)
	}
	aead, err := chacha20poly1305.NewX(okm[:32])
	require.NoError(t, err)
	return aead.Seal(header, nonce, unhex(r.Plaintext), aad)
}

func writeKnownAnswers(t *testing.T) {
	t.Helper()
	counting := func(from byte, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = from + byte(i)
		}
		return hex.EncodeToString(b)
	}
	text := func(s string) string { return hex.EncodeToString([]byte(s)) }
	rows := []knownAnswer{
		{Name: "usual", Context: "production", Key: "root:user:42:api_key", Kind: "secret", Codec: "json", Plaintext: text(`"some top secret"`)},
		{Name: "empty text", Key: "root:user:42:api_key", Kind: "secret", Codec: "text"},
		{Name: "empty place", Plaintext: text("x")},
		{Name: "hash field", Context: "tenant 7/db 3", Key: "root:user:42", Field: "token", Kind: "secret", Codec: "cbor", Plaintext: text("\x00\x01\xff")},
		{Name: "password", Context: "production", Key: "root:user:42:password", Kind: "password", Codec: "text", Plaintext: text("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$…")},
		{Name: "long", Key: strings.Repeat("k", 300), Kind: "secret", Codec: "bytes", Plaintext: counting(0, 256)},
	}
	for i := range rows {
		r := &rows[i]
		r.MasterKey, r.Nonce = counting(byte(i), KeySize), counting(byte(0xA0+i), nonceSize)
		key, err := ParseKey(r.MasterKey)
		require.NoError(t, err)
		r.KeyID = key.ID()
		r.Sealed = hex.EncodeToString(sealByTheBook(t, *r))
	}
	out, err := json.MarshalIndent(rows, "", " ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(knownAnswers, append(out, '\n'), 0o644))
}

func TestDeriveIsHKDF(t *testing.T) {
	for seed := range byte(20) {
		prk := bytes.Repeat([]byte{seed}, sha256.Size)
		derive := newDerive(prk)
		for range 3 { // the state is used again
			nonce := GenerateKey().bytes.Reveal()
			want, err := hkdf.Expand(sha256.New, prk, "value"+string(nonce[:nonceSize]), 64)
			require.NoError(t, err)
			key, commitment := derive(nonce[:nonceSize])
			require.Equal(t, want, append(key[:], commitment[:]...))
		}
	}
}

// The numbers are exact: one more is a regression.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Log("the race detector allocates: not measured")
		return
	}
	ring := newRing(t, testKey(t, 1), AcceptOnly(testKey(t, 2)), InContext("test"))
	for _, size := range []int{0, 32, 1 << 10, 64 << 10} {
		text := make([]byte, size)
		sealed, err := ring.Seal(nil, text, here.key, here.field, here.kind, here.codec)
		require.NoError(t, err)
		var err1, err2 error
		require.EqualValues(t, 4, testing.AllocsPerRun(100, func() {
			_, err1 = ring.Seal(nil, text, here.key, here.field, here.kind, here.codec)
		}), "seal %d", size)
		want := 3 // the text itself, if there is any
		if size == 0 {
			want = 2
		}
		require.EqualValues(t, want, testing.AllocsPerRun(100, func() {
			_, err2 = ring.Open(nil, sealed, here.key, here.field, here.kind, here.codec)
		}), "open %d", size)
		require.NoError(t, err1)
		require.NoError(t, err2)
		require.Zero(t, testing.AllocsPerRun(100, func() { ring.Current(sealed) }))
	}
}
