package secure

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sentinel is 32 bytes, so that it can be a key.
const sentinel = "SENTINEL-0123456789-tnelSENTINEL"

// spellings returns the ways in which printers show bytes.
func spellings(secret string) []string {
	b := []byte(secret)
	decimal := strings.Trim(fmt.Sprint(b), "[]")
	goHex := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", b), "[]byte{"), "}")
	return []string{
		secret, secret[:16], secret[16:], hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)),
		base64.StdEncoding.EncodeToString(b)[:40], base64.URLEncoding.EncodeToString(b)[:40],
		decimal, strings.ReplaceAll(decimal, " ", ","), strings.ReplaceAll(decimal, " ", ", "), goHex,
	}
}

// printings returns a value printed in every available way, by name.
func printings(t *testing.T, v any) map[string]string {
	t.Helper()
	type exported struct{ V any }
	type unexported struct{ v any }
	out := map[string]string{}
	shapes := map[string]any{
		"itself":     v,
		"pointer":    &v,
		"exported":   exported{v},
		"unexported": unexported{v},
		"slice":      []any{v},
		"map":        map[string]any{"v": v},
		"deep":       []any{map[string]any{"v": &unexported{&exported{v}}}},
	}
	for shape, s := range shapes {
		for _, verb := range "vsqxXdoObBcUeEfFgGtTpw" {
			for _, flags := range []string{"", "+", "#", "0", "-", " ", "#+", "10.5"} {
				format := "%" + flags + string(verb)
				out[shape+" "+format] = fmt.Sprintf(format, s)
			}
		}
		out[shape+" Sprint"] = fmt.Sprint(s, s)
		out[shape+" Sprintln"] = fmt.Sprintln(s)
		out[shape+" Errorf"] = fmt.Errorf("error: %v", s).Error()
		if j, err := json.Marshal(s); err == nil {
			out[shape+" json"] = string(j)
		} else {
			out[shape+" json error"] = err.Error()
		}
		if x, err := xml.Marshal(s); err == nil {
			out[shape+" xml"] = string(x)
		} else {
			out[shape+" xml error"] = err.Error()
		}
		var g bytes.Buffer
		if err := gob.NewEncoder(&g).Encode(s); err != nil {
			out[shape+" gob error"] = err.Error()
		}
		out[shape+" gob"] = g.String()
		var l bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&l, nil), slog.NewJSONHandler(&l, nil)} {
			slog.New(h).With("with", s).WithGroup("g").Info("said", "v", s, slog.Group("h", "v", s), "err", fmt.Errorf("%v", s))
		}
		out[shape+" slog"] = l.String()
		var w strings.Builder
		walk(&w, reflect.ValueOf(s), map[uintptr]bool{})
		out[shape+" reflection"] = w.String()
		out[shape+" testify"] = assertionText(s)
	}
	return out
}

// assertionText returns what testify prints of an unexpected value.
func assertionText(v any) string {
	var r recorder
	assert.Equal(&r, struct{ A any }{"another"}, struct{ A any }{v})
	return r.text
}

type recorder struct{ text string }

func (r *recorder) Errorf(format string, args ...any) { r.text += fmt.Sprintf(format, args...) }

// walk prints like debugging printers that follow everything, including unexported fields.
func walk(w *strings.Builder, v reflect.Value, seen map[uintptr]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return
		}
		seen[v.Pointer()] = true
		walk(w, v.Elem(), seen)
	case reflect.Interface:
		if !v.IsNil() {
			walk(w, v.Elem(), seen)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			w.WriteString(v.Type().Field(i).Name + ":")
			walk(w, v.Field(i), seen)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			walk(w, it.Key(), seen)
			walk(w, it.Value(), seen)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			b := make([]byte, v.Len())
			for i := range b {
				b[i] = byte(v.Index(i).Uint())
			}
			w.Write(b)
			return
		}
		for i := range v.Len() {
			walk(w, v.Index(i), seen)
		}
	default:
		fmt.Fprintf(w, "%v ", v)
	}
}

func requireNoLeak(t *testing.T, v any, secrets ...string) {
	t.Helper()
	for name, text := range printings(t, v) {
		for _, secret := range secrets {
			for _, s := range spellings(secret) {
				if strings.Contains(text, s) {
					require.Fail(t, "leaks", "%T under %s", v, name)
				}
			}
		}
	}
}

// The printers must find the sentinel where it is not hidden; otherwise the tests below prove
// nothing.
func TestPrintersFindWhatIsNotHidden(t *testing.T) {
	found := map[string]bool{}
	for _, v := range []any{sentinel, []byte(sentinel), struct{ b []byte }{[]byte(sentinel)}, [32]byte([]byte(sentinel)), struct{ F string }{sentinel}} {
		for name, text := range printings(t, v) {
			for _, s := range spellings(sentinel) {
				if strings.Contains(text, s) {
					_, way, _ := strings.Cut(name, " ")
					found[way] = true
				}
			}
		}
	}
	for _, way := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "Sprint", "Errorf", "json", "xml", "gob", "slog", "reflection", "testify"} {
		require.True(t, found[way], way)
	}
}

func TestHiddenIsNotPrinted(t *testing.T) {
	type login struct{ Name, Password string }
	for _, v := range []any{
		Hide(sentinel), Hide([]byte(sentinel)), Hide([32]byte([]byte(sentinel))), Hide(login{"ali", sentinel}), Hide(&login{"ali", sentinel}),
		Hide(any(sentinel)), Hide(errors.New(sentinel)), Hide(Hide(sentinel)), Hide(map[string]string{"p": sentinel}), Hide(func() string { return sentinel }),
	} {
		requireNoLeak(t, v, sentinel)
	}
	h := Hide(sentinel)
	requireNoLeak(t, &h, sentinel)
	requireNoLeak(t, struct{ H Hidden[string] }{h}, sentinel)
	requireNoLeak(t, struct{ h Hidden[string] }{h}, sentinel)
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t", "%30s"} {
		require.Equal(t, "[redacted]", fmt.Sprintf(format, h), format)
	}
	for _, encode := range []func() ([]byte, error){h.MarshalText, h.MarshalBinary} {
		b, err := encode()
		require.NoError(t, err)
		require.Equal(t, "[redacted]", string(b))
	}
	j, err := json.Marshal(map[string]any{"h": h, "p": &h})
	require.NoError(t, err)
	require.JSONEq(t, `{"h":"[redacted]","p":"[redacted]"}`, string(j))
	require.Equal(t, sentinel, h.Reveal())
}

func TestHiddenDoesNotDecode(t *testing.T) {
	h := Hide("kept")
	require.Error(t, json.Unmarshal([]byte(`"[redacted]"`), &h))
	require.Error(t, json.Unmarshal([]byte(`{}`), &h))
	require.Error(t, h.UnmarshalText([]byte("x")))
	require.Error(t, h.UnmarshalBinary([]byte("x")))
	var b bytes.Buffer
	require.NoError(t, gob.NewEncoder(&b).Encode(h))
	require.Error(t, gob.NewDecoder(&b).Decode(&h))
	require.Equal(t, "kept", h.Reveal())
	require.Empty(t, Hidden[string]{}.Reveal())
	require.Nil(t, Hidden[[]byte]{}.Reveal())
}

func TestKeysAreNotPrinted(t *testing.T) {
	key, err := NewKey([]byte(sentinel))
	require.NoError(t, err)
	prk, _, err := key.extract()
	require.NoError(t, err)
	secrets := []string{sentinel, string(prk)}

	ring := newRing(t, key, AcceptOnly(testKey(t, 2)), AcceptFernet(key), Disable("0011223344556677"), InContext("production"))
	other := newRing(t, testKey(t, 2), AcceptOnly(key), AcceptFernet(key))
	holder := NewHolder(ring)
	for _, k := range []*Keyring{ring, other} { // used, so that there is something pooled to find
		sealed, err := k.Seal(nil, []byte(theText), "k", "", "secret", "text")
		require.NoError(t, err)
		_, err = k.Open(nil, sealed, "k", "", "secret", "text")
		require.NoError(t, err)
	}
	for _, v := range []any{key, &key, ring, *ring, other, holder, &holder, AcceptOnly(key)} {
		requireNoLeak(t, v, secrets...)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		require.Equal(t, "secure.Key("+key.ID()+")", fmt.Sprintf(format, key), format)
		want := fmt.Sprintf("secure.Keyring(primary %s, accept-only %s)", key.ID(), testKey(t, 2).ID())
		require.Equal(t, want, fmt.Sprintf(format, ring), format)
		require.Equal(t, want, fmt.Sprintf(format, *ring), format)
	}
	for _, v := range []any{Key{}, Keyring{}, new(Holder), Passwords{}} {
		require.NotPanics(t, func() { printings(t, v) })
	}
	require.Equal(t, "<nil> <nil>", fmt.Sprint((*Keyring)(nil), (*Passwords)(nil)))
	require.Contains(t, newRing(t, testKey(t, 2), AcceptOnly(key), Disable(key.ID())).String(), key.ID()+" (disabled)")
}

func TestPasswordsAreNotPrinted(t *testing.T) {
	passwords := newPasswords(t)
	encoded, err := passwords.Hash(t.Context(), sentinel)
	require.NoError(t, err)
	ok, _, err := passwords.Verify(t.Context(), encoded, sentinel)
	require.NoError(t, err)
	require.True(t, ok)
	require.NotContains(t, encoded, sentinel)
	requireNoLeak(t, passwords, sentinel)
	requireNoLeak(t, *passwords, sentinel)
	require.Equal(t, "secure.Passwords(argon2id m=64,t=1,p=1)", fmt.Sprintf("%+v", passwords))
	require.Equal(t, quick, passwords.Policy())
}

// Whatever goes wrong, no error quotes its input.
func TestErrorsRepeatNothing(t *testing.T) {
	ring := newRing(t, testKey(t, 1), MaxPlaintext(64), AcceptFernet(testKey(t, 2)))
	passwords := newPasswords(t, AcceptPython())
	errs := map[string]error{}
	note := func(name string, err error) {
		require.Error(t, err, name)
		errs[name] = err
	}
	_, err := ParseKey(sentinel)
	note("key", err)
	_, err = NewKey([]byte(sentinel + "x"))
	note("long key", err)
	_, err = ParseKeyring(sentinel + "," + sentinel)
	note("keyring", err)
	_, err = NewKeyring(testKey(t, 1), Disable(sentinel))
	note("disable", err)
	_, err = OpenFernet(sentinel, []byte(theToken))
	note("fernet key", err)
	_, err = OpenFernet(theFernetKey, []byte(sentinel))
	note("fernet token", err)
	_, err = ring.Seal(nil, []byte(strings.Repeat(sentinel, 3)), "k", "", "secret", "text")
	note("seal", err)
	for name, stored := range map[string]string{
		"not sealed":    sentinel,
		"not a token":   `{"__type__": "str", "value": "` + sentinel + `"}`,
		"token":         `{"__type__": "str", "value": "gAAAA` + sentinel + `"}`,
		"suite":         "\xFA\x5E\x02" + sentinel,
		"cut":           "\xFA\x5E\x01" + sentinel,
		"key id":        "\xFA\x5E\x01\x00\x00\x00\x00\x00\x00\x00\x00" + strings.Repeat(sentinel, 3),
		"sealed, large": "\xFA\x5E\x01" + strings.Repeat(sentinel, 30),
		"token, large":  `{"__type__": "str", "value": "` + strings.Repeat(sentinel, 30) + `"}`,
	} {
		_, err := ring.Open(nil, []byte(stored), "k", "", "secret", "text")
		note(name, err)
	}
	for _, stored := range []string{
		sentinel, "$" + sentinel, "$" + sentinel + "$", "$argon2id$" + sentinel, "$argon2id$v=19$" + sentinel,
		"$argon2id$v=19$m=" + sentinel + ",t=1,p=1$c29tZXNhbHQ$AAAA", "$argon2id$v=19$m=64,t=1,p=1$" + sentinel + "$" + sentinel,
		"$scrypt$ln=" + sentinel + "$", "$2b$" + sentinel, "$2b$04$" + sentinel + sentinel[:21], "$2b$" + sentinel + "$" + sentinel,
		strings.Repeat(sentinel, 20), `{"__type__": "str", "value": "` + sentinel + `"}`,
	} {
		_, _, err := passwords.Verify(t.Context(), stored, sentinel)
		note("hash "+stored, err)
		_, err = Verify(stored, sentinel)
		note("bare hash "+stored, err)
	}
	_, err = passwords.Hash(t.Context(), strings.Repeat(sentinel, 40))
	note("password", err)
	for name, err := range errs {
		require.True(t, strings.HasPrefix(err.Error(), "secure: "), name)
		for i := 0; i+6 <= len(sentinel); i++ {
			require.NotContains(t, err.Error(), sentinel[i:i+6], name)
		}
	}
}
