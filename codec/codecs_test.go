package codec_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"math/big"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
	gobcodec "github.com/redisimnest/redisimnest/codec/gob"
)

func TestRaw(t *testing.T) {
	stores(t, codec.Raw, "a\xffb", "a\xffb")
	stores(t, codec.Raw, title("t"), "t")
	stores(t, codec.Raw, []byte{0, 255}, "\x00\xff")
	stores(t, codec.Raw, json.RawMessage(`{}`), `{}`)
	for _, typ := range []reflect.Type{
		reflect.TypeFor[int](), reflect.TypeFor[[]int](), reflect.TypeFor[*string](), reflect.TypeFor[any](), reflect.TypeFor[point](),
	} {
		require.Error(t, codec.CheckType(codec.Raw, typ), typ)
	}
	_, err := codec.Raw.Append(nil, 1)
	require.ErrorIs(t, err, codec.ErrEncode)
	require.ErrorIs(t, codec.Raw.Decode([]byte("1"), new(int)), codec.ErrDecode)
}

func TestText(t *testing.T) {
	stores(t, codec.Text, "a string", "a string")
	stores(t, codec.Text, title("t"), "t")
	stores(t, codec.Text, level(2), "!!")
	stores(t, codec.Text, netip.MustParseAddr("::1"), "::1")
	stores(t, codec.Text, *big.NewInt(-5), "-5")
	stores(t, codec.Text, big.NewInt(-5), "-5")
	stores(t, codec.Text, time.Date(2024, 1, 2, 3, 4, 5, 6, time.UTC), "2024-01-02T03:04:05.000000006Z")
	refuses[netip.Addr](t, codec.Text, "secret", "1.2.3.256")
	refuses[*big.Int](t, codec.Text, "secret", "1.5")
	refuses[time.Time](t, codec.Text, "secret", "2024-01-02")

	_, err := codec.Text.Append(nil, (*big.Int)(nil))
	require.ErrorIs(t, err, codec.ErrEncode)
	_, err = codec.Text.Append(nil, time.Date(1900, 1, 1, 0, 0, 0, 0, time.FixedZone("LMT", 1172)))
	require.ErrorIs(t, err, codec.ErrEncode)
	_, err = codec.For[int](codec.Text)
	require.ErrorContains(t, err, "int has no MarshalText and UnmarshalText")
}

// scribble has methods that modify their input.
type (
	scribble     struct{ N int }
	scribbleText struct{ N int }
)

func (s *scribble) UnmarshalJSON(b []byte) error     { s.N = len(b); clear(b); return nil }
func (s scribble) MarshalJSON() ([]byte, error)      { return bytes.Repeat([]byte("1"), s.N), nil }
func (s *scribbleText) UnmarshalText(b []byte) error { s.N = len(b); clear(b); return nil }
func (s scribbleText) MarshalText() ([]byte, error)  { return bytes.Repeat([]byte("x"), s.N), nil }

// TestJSONInputIsKept decodes with methods that modify their input, which is a string that a cache
// may keep.
func TestJSONInputIsKept(t *testing.T) {
	for _, c := range []codec.Codec{codec.JSON, codec.Versioned(codec.JSON)} {
		mark := ""
		if c != codec.JSON {
			mark = "\xC1V\x01"
		}
		stores(t, c, scribble{3}, mark+"111")
		stores(t, c, &scribble{3}, mark+"111")
		stores(t, c, struct{ A []scribble }{[]scribble{{2}}}, mark+`{"A":[11]}`)
		stores(t, c, map[string]map[scribbleText]int{"a": {{2}: 1}}, mark+`{"a":{"xx":1}}`)
		stores(t, c, [1]*scribbleText{{2}}, mark+`["xx"]`)
		stores(t, c, struct{ embeddedScribble }{embeddedScribble{scribbleText{2}}}, mark+`{"S":"xx"}`)
	}
}

// TestJSONNull decodes null into types that have no nil, which encoding/json leaves unchanged.
func TestJSONNull(t *testing.T) {
	wide := strings.Repeat(" \n", 20)
	refuses[int](t, codec.JSON, "null", " null", "null ", wide+"null"+wide)
	refuses[point](t, codec.JSON, "null", wide+"null"+wide)
	stores(t, codec.JSON, (*point)(nil), "null")
	for _, target := range []any{nil, point{}, (*point)(nil)} {
		require.ErrorContains(t, codec.JSON.Decode([]byte("1"), target), "the target is not a pointer to a value")
	}
}

type embeddedScribble struct{ S scribbleText }

func TestGobTypes(t *testing.T) {
	for typ, want := range map[reflect.Type]string{
		reflect.TypeFor[*point]():                     "use codec_test.point",
		reflect.TypeFor[any]():                        "interface",
		reflect.TypeFor[struct{ E []error }]():        "field E: gob.Codec does not hold interfaces",
		reflect.TypeFor[map[string]any]():             "interface",
		reflect.TypeFor[chan int]():                   "no form for chan int",
		reflect.TypeFor[opaque]():                     "no exported fields",
		reflect.TypeFor[struct{ C chan int }]():       "no exported fields",
		reflect.TypeFor[map[opaque]int]():             "no exported fields",
		reflect.TypeFor[struct{ A []struct{} }]():     "field A: struct {} has no exported fields",
		reflect.TypeFor[[]map[string][]chan string](): "no form for chan string",
	} {
		require.ErrorContains(t, codec.CheckType(gobcodec.Codec, typ), want, typ)
	}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[config](), reflect.TypeFor[time.Time](), reflect.TypeFor[[]*big.Int](), reflect.TypeFor[map[point]string](),
	} {
		require.NoError(t, codec.CheckType(gobcodec.Codec, typ), typ)
	}
}

// TestGobMapLength decodes a small gob whose map claims 2^30 entries, for which the decoder would
// allocate room first.
func TestGobMapLength(t *testing.T) {
	var buf bytes.Buffer
	require.NoError(t, gob.NewEncoder(&buf).Encode(map[string]int{"a": 1}))
	honest := buf.String()
	at := strings.LastIndex(honest, "\x01\x01a") // one entry, with a key of one byte
	require.Positive(t, at)
	// The length of the message grows by the four additional bytes of the map's length.
	hostile := honest[:at-4] + string(honest[at-4]+4) + honest[at-3:at] + "\xfc\x40\x00\x00\x00" + honest[at+1:]
	require.Less(t, allocatedBy(func() {
		require.ErrorIs(t, gobcodec.Codec.Decode([]byte(hostile), new(map[string]int)), codec.ErrDecode)
	}), uint64(1<<20))
}

func allocatedBy(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestVersioned(t *testing.T) {
	one := codec.Versioned(codec.JSON)
	two := codec.Versioned(gobcodec.Codec, codec.JSON)
	since := codec.Versioned(codec.JSON, codec.Unversioned(codec.Auto))
	later := codec.Versioned(gobcodec.Codec, codec.Retired, codec.Unversioned(codec.Auto))
	stores(t, one, "text", "\xC1V\x01\"text\"")
	stores(t, since, "text", "\xC1V\x01\"text\"")
	stores(t, two, point{1, 2}, "\xC1V\x02"+gobOf(t, point{1, 2}))

	for stored, readers := range map[string][]codec.Codec{
		"\xC1V\x01\"a\"":            {one, two, since},
		"\xC1V\x02" + gobOf(t, "a"): {two, later},
		"a":                         {since, later},
	} {
		for _, c := range readers {
			typed, err := codec.For[string](c)
			require.NoError(t, err)
			got, err := typed.Decode(stored)
			require.NoError(t, err)
			require.Equal(t, "a", got)
		}
	}
	refuses[string](t, one, "", "a", "\xC1", "\xC1V", "\xC1V\x00\"a\"", "\xC1V\x02\"secret\"", "\xC1V\xff")
	for _, stored := range []string{"\xC1V", "\xC1V\x00a", "\xC1V\x03a", "\xC1V\x01a"} {
		require.ErrorIs(t, later.Decode([]byte(stored), new(string)), codec.ErrDecode)
	}

	_, err := codec.For[chan int](two)
	require.ErrorContains(t, err, "version 1, json: there is no form for chan int")
	_, err = codec.For[*int](codec.Versioned(codec.JSON, codec.Unversioned(gobcodec.Codec)))
	require.ErrorContains(t, err, "version 0, gob: ")
	_, err = codec.For[*int](codec.Unversioned(gobcodec.Codec))
	require.Error(t, err)
	_, err = codec.StoredType(one, []byte("\xC1V\x01\"a\""))
	require.ErrorIs(t, err, codec.ErrDecode)
	require.Equal(t, "versioned", two.Name())

	stores(t, codec.Versioned(codec.JSON, slices.Repeat([]codec.Codec{codec.Retired}, 254)...), 5, "\xC1V\xff5")
	for _, wrong := range []struct {
		call func()
		want string
	}{
		{func() { codec.Versioned(nil) }, "a codec is nil"},
		{func() { codec.Versioned(codec.Upcoming(codec.JSON)) }, "there is no codec to write with"},
		{func() { codec.Versioned(codec.Upcoming(codec.JSON), codec.Retired) }, "there is no codec to write with"},
		{func() { codec.Versioned(codec.JSON, codec.Upcoming(gobcodec.Codec), codec.JSON) }, "Upcoming stands behind a codec that is in use"},
		{func() { codec.Versioned(codec.JSON, codec.Upcoming(gobcodec.Codec)) }, "Upcoming stands behind a codec that is in use"},
		{func() { codec.Versioned(codec.Upcoming(nil), codec.JSON) }, "a codec is nil"},
		{func() { codec.Versioned(codec.Upcoming(codec.Unversioned(gobcodec.Codec)), codec.JSON) }, "Unversioned is not the last codec"},
		{func() { codec.Versioned(codec.Retired, codec.JSON) }, "there is no codec to write with"},
		{func() { codec.Versioned(codec.JSON, codec.Unversioned(codec.JSON), gobcodec.Codec) }, "Unversioned is not the last codec"},
		{func() { codec.Versioned(codec.JSON, nil, gobcodec.Codec) }, "a codec is nil"},
		{func() { codec.Versioned(codec.JSON, codec.Unversioned(nil)) }, "the codec in Unversioned is nil"},
		{func() { codec.Versioned(codec.Unversioned(nil)) }, "the codec in Unversioned is nil"},
		{func() { codec.Versioned(codec.JSON, slices.Repeat([]codec.Codec{codec.JSON}, 255)...) }, "there are more than 255 versions"},
	} {
		require.PanicsWithValue(t, "codec: Versioned: "+wrong.want, wrong.call)
	}
}

// TestVersionedRollOut moves a key while old and new processes run side by side. The processes of
// each step read what those of the step before and of the step after write.
func TestVersionedRollOut(t *testing.T) {
	steps := []codec.Codec{
		codec.Auto,
		codec.Versioned(codec.Upcoming(gobcodec.Codec), codec.Unversioned(codec.Auto)),
		codec.Versioned(gobcodec.Codec, codec.Unversioned(codec.Auto)),
		codec.Versioned(codec.Upcoming(codec.JSON), gobcodec.Codec, codec.Unversioned(codec.Auto)),
		codec.Versioned(codec.JSON, gobcodec.Codec),
		codec.Versioned(codec.JSON, codec.Retired),
	}
	var stored []string
	for _, c := range steps {
		typed, err := codec.For[string](c)
		require.NoError(t, err)
		s, err := typed.Encode("a")
		require.NoError(t, err)
		stored = append(stored, s)
	}
	require.Equal(t, []string{"a", "a", "\xC1V\x01" + gobOf(t, "a"), "\xC1V\x01" + gobOf(t, "a"), "\xC1V\x02\"a\"", "\xC1V\x02\"a\""}, stored)
	for i, c := range steps[:5] {
		for j := max(i-1, 0); j <= i+1; j++ {
			var got string
			require.NoError(t, c.Decode([]byte(stored[j]), &got), "step %d reads step %d", i, j)
			require.Equal(t, "a", got)
		}
	}
	_, err := steps[1].Append(nil, "\xC1V and so on")
	require.ErrorIs(t, err, codec.ErrEncode)
	require.NoError(t, codec.CheckType(codec.Upcoming(codec.JSON), reflect.TypeFor[int]()))
	require.Error(t, codec.CheckType(codec.Upcoming(codec.JSON), reflect.TypeFor[chan int]()))
	name, err := codec.StoredType(codec.Upcoming(codec.Tagged), []byte(envelope("int", "1")))
	require.NoError(t, err)
	require.Equal(t, "int", name)
}

func gobOf(t *testing.T, v any) string {
	t.Helper()
	var buf bytes.Buffer
	require.NoError(t, gob.NewEncoder(&buf).Encode(v))
	return buf.String()
}
