package codec_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
)

// spelled has an UnmarshalJSON and no MarshalJSON.
type spelled string

func (s *spelled) UnmarshalJSON(data []byte) error {
	*s = spelled(strings.ToUpper(string(data)))
	return nil
}

// TestJSONOfPlainValues checks that the values for which JSON mostly bypasses encoding/json have
// the form of encoding/json.
func TestJSONOfPlainValues(t *testing.T) {
	for _, s := range []string{"", "a", `"`, `\`, "<", ">", "&", "\x00", "\x1f", "\x7f", "\x80", "é", "\u2028", "\xff", "a b/c'", strings.Repeat("a", 100)} {
		marshals(t, s)
		marshals(t, title(s))
		marshals(t, spelled(s))
	}
	marshals(t, json.Number("1e3"))
	marshals(t, level(2))
	marshals(t, age(-1))
	for _, n := range []int64{0, 1, -1, math.MinInt64, math.MaxInt64} {
		marshals(t, n)
		marshals(t, int(n))
		marshals(t, int32(n))
		marshals(t, int16(n))
		marshals(t, int8(n))
		marshals(t, uint(n))
		marshals(t, uint64(n))
		marshals(t, uint32(n))
		marshals(t, uint16(n))
		marshals(t, uint8(n))
		marshals(t, uintptr(n))
	}
	for _, s := range []string{`""`, `"a"`, `"`, `"a`, `a"`, `"a"b"`, `"\\"`, `"\""`, `"\u0041"`, `"é"`, "\"\xff\"", "\"\t\"", ` "a"`, `"a" `, `"1"`,
		"0", "-0", "00", "01", "-1", "+1", "1 ", " 1", "1.0", "1e2", "127", "128", "-128", "-129", "256", "65535", "65536", "9223372036854775807",
		"9223372036854775808", "-9223372036854775808", "18446744073709551615", "18446744073709551616", "null", "", "-", "true"} {
		unmarshals(t, s)
	}
}

func FuzzJSONOfPlainValues(f *testing.F) {
	for _, s := range []string{`"a"`, `"\n"`, "-1", "01", "300", "é", "<a>", "18446744073709551615"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		marshals(t, s)
		unmarshals(t, s)
	})
}

// marshals compares what JSON writes with what encoding/json writes.
func marshals[T any](t *testing.T, v T) {
	t.Helper()
	want, wantErr := json.Marshal(&v)
	typed, err := codec.For[T](codec.JSON)
	require.NoError(t, err)
	got, err := typed.Encode(v)
	require.Equal(t, wantErr != nil, err != nil)
	require.Equal(t, string(want), got, "%T", v)
	for _, dst := range [][]byte{nil, []byte("x"), make([]byte, 0, 100)} {
		data, err := codec.JSON.Append(dst, v)
		require.Equal(t, wantErr != nil, err != nil)
		require.Equal(t, string(dst)+string(want), string(data), "%T", v)
	}
}

// unmarshals compares what JSON reads with what encoding/json reads.
func unmarshals(t *testing.T, s string) {
	t.Helper()
	reads[string](t, s)
	reads[title](t, s)
	reads[spelled](t, s)
	reads[json.Number](t, s)
	reads[level](t, s)
	reads[age](t, s)
	reads[int8](t, s)
	reads[int16](t, s)
	reads[int32](t, s)
	reads[int64](t, s)
	reads[uint](t, s)
	reads[uint8](t, s)
	reads[uint16](t, s)
	reads[uint32](t, s)
	reads[uint64](t, s)
	reads[uintptr](t, s)
}

func reads[T comparable](t *testing.T, s string) {
	t.Helper()
	var want, got, zero T
	wantErr := json.Unmarshal([]byte(s), &want)
	if _, own := any(&want).(json.Unmarshaler); !own && strings.TrimSpace(s) == "null" {
		wantErr, want = codec.ErrDecode, zero
	}
	typed, err := codec.For[T](codec.JSON)
	require.NoError(t, err)
	v, err := typed.Decode(s)
	require.Equal(t, wantErr != nil, err != nil, "%q as %T: %v", s, want, err)
	if wantErr != nil {
		require.ErrorIs(t, err, codec.ErrDecode)
		require.ErrorIs(t, codec.JSON.Decode([]byte(s), &got), codec.ErrDecode)
		return
	}
	require.Equal(t, want, v, "%q", s)
	data := []byte(s)
	require.NoError(t, codec.JSON.Decode(data, &got))
	clear(data)
	require.Equal(t, want, got, "%q", s)
}
