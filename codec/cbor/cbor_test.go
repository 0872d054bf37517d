package cbor_test

import (
	"math/big"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/codec/cbor"
	"github.com/redisimnest/redisimnest/codec/codectest"
)

func TestConformance(t *testing.T) {
	codectest.Run(t, cbor.Codec, codectest.Values(nil, "not \xff UTF-8"), codectest.Values(nil, map[string]any{
		"int": int64(1), "text": "a", "bytes": []byte{1}, "list": []any{true, nil, 1.5}, "map": map[string]any{"k": "v"},
	}), codectest.Values(nil, *bigInt("18446744073709551616")))
}

func bigInt(s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		panic(s)
	}
	return n
}

type document struct {
	ID      int                `cbor:"1,keyasint"`
	Title   string             `json:"title"`
	At      time.Time          `json:"at"`
	Tags    []string           `json:"tags,omitempty"`
	Scores  map[string]float64 `json:"scores"`
	Parent  *document          `json:"parent"`
	Changes chan int           `json:"-"`
}

func TestForm(t *testing.T) {
	typed, err := codec.For[map[string]int](cbor.Codec)
	require.NoError(t, err)
	stored, err := typed.Encode(map[string]int{"bb": 1, "a": 2})
	require.NoError(t, err)
	require.Equal(t, "\xa2\x61a\x02\x62bb\x01", stored)
}

func TestRefused(t *testing.T) {
	for name, data := range map[string]string{
		"null":              "\xf6",
		"key twice":         "\xa2\x65title\x61a\x65title\x61b",
		"indefinite length": "\xbf\x65title\x61a\xff",
		"huge array":        "\xa1\x64tags\x9a\x7f\xff\xff\xff",
		"too deep":          string(repeat(0x81, 5000)) + "\x01",
		"two items":         "\xa0\xa0",
	} {
		err := cbor.Codec.Decode([]byte(data), new(document))
		require.ErrorIs(t, err, codec.ErrDecode, name)
		require.NotContains(t, err.Error(), "title")
	}
	require.Error(t, codec.CheckType(cbor.Codec, reflect.TypeFor[map[string]chan int]()))
	require.Error(t, codec.CheckType(cbor.Codec, reflect.TypeFor[error]()))
	require.NoError(t, codec.CheckType(cbor.Codec, reflect.TypeFor[document]()))
}

type (
	odd      struct{ Text string }
	shadowed struct {
		Base
		ID string
	}
	// Base has a field with the same name as another one.
	Base    struct{ ID int }
	moments struct {
		At    time.Time
		Maybe *time.Time
		All   []time.Time
		By    map[string]time.Time
		Any   any
	}
)

func (odd) MarshalBinary() ([]byte, error) { return []byte("written"), nil }

// TestTypesThatWouldLose tries types that the library accepts and then loses a part of.
func TestTypesThatWouldLose(t *testing.T) {
	for typ, want := range map[reflect.Type]string{
		reflect.TypeFor[*big.Rat]():               "no exported fields",
		reflect.TypeFor[map[string]big.Float]():   "no exported fields",
		reflect.TypeFor[struct{ Rat *big.Rat }](): "field Rat: ",
		reflect.TypeFor[uintptr]():                "use uint64",
		reflect.TypeFor[struct{ A []uintptr }]():  "field A: CBOR has no form for uintptr",
		reflect.TypeFor[map[string]odd]():         "a method that writes it and none that reads it",
		reflect.TypeFor[[]shadowed]():             "have the same name",
		reflect.TypeFor[struct {
			A, B int `cbor:"a"`
		}](): "have the same name",
	} {
		require.ErrorContains(t, codec.CheckType(cbor.Codec, typ), want, "%s", typ)
	}
	require.NoError(t, codec.CheckType(cbor.Codec, reflect.TypeFor[map[string]*big.Int]()))
	require.NoError(t, codec.CheckType(cbor.Codec, reflect.TypeFor[struct {
		A int `cbor:"-" json:"a"`
		B int `cbor:"a" json:"-"`
	}]()))
}

// TestZeroTimes tries times that the library writes as null or as other instants.
func TestZeroTimes(t *testing.T) {
	zero, odd := time.Time{}, time.Date(1900, 1, 1, 0, 0, 0, 0, time.FixedZone("", 1172))
	back(t, zero)
	back(t, moments{})
	back(t, moments{All: []time.Time{{}, {}}, By: map[string]time.Time{"zero": {}}})
	back(t, (*time.Time)(nil))
	for _, v := range []any{
		&zero, moments{Maybe: &zero}, moments{Any: zero}, moments{Any: []any{map[string]any{"zero": zero}}}, []*time.Time{&zero}, &moments{Maybe: &zero},
		odd, &odd, moments{At: odd}, moments{By: map[string]time.Time{"odd": odd}}, moments{Any: &odd}, map[time.Time]int{odd: 1},
		zero.In(time.FixedZone("", 3600)),
	} {
		_, err := cbor.Codec.Append(nil, v)
		require.ErrorIs(t, err, codec.ErrEncode, "%+v", v)
	}
	require.ErrorIs(t, cbor.Codec.Decode([]byte("\xf6"), new(int)), codec.ErrDecode)
	for _, data := range []string{"\xc9\xf6", "\xd8\x63\xf7", "\xd9\xff\xff\xf6", "\xc6\xda\x01\x00\x00\x00\xf6", "\xdb\x01\x00\x00\x00\x00\x00\x00\x00\xf6"} {
		for _, target := range []any{new(int), new(string), new(document), new([]int), new(*int), new(map[string]int)} {
			require.ErrorIs(t, cbor.Codec.Decode([]byte(data), target), codec.ErrDecode, "%q as %T", data, target)
		}
	}
}

func back[T any](t *testing.T, v T) {
	t.Helper()
	typed, err := codec.For[T](cbor.Codec)
	require.NoError(t, err)
	stored, err := typed.Encode(v)
	require.NoError(t, err)
	got, err := typed.Decode(stored)
	require.NoError(t, err)
	require.Equal(t, v, got)
}

func repeat(b byte, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = b
	}
	return out
}

func FuzzDecode(f *testing.F) {
	for _, v := range []document{{}, {ID: 1, Title: "a", At: time.Unix(0, 1).UTC(), Tags: []string{"x"}, Scores: map[string]float64{"s": .5}, Parent: &document{}}} {
		data, err := cbor.Codec.Append(nil, v)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte("\xd8\x63\xf6"))
	f.Add([]byte("\x9b\x7f\xff\xff\xff\xff\xff\xff\xff"))
	f.Add([]byte("\xc1\xfb\x41\xd4\x52\xd9\xe2\x00\x00\x00"))
	f.Add([]byte("\xc1\xfb\x43\x30\x30\x30\x30\x30\x30\x30")) // in the year 140 million
	f.Fuzz(func(t *testing.T, data []byte) {
		var v document
		if err := cbor.Codec.Decode(data, &v); err != nil {
			require.ErrorIs(t, err, codec.ErrDecode)
		}
		var some any
		if err := cbor.Codec.Decode(data, &some); err != nil {
			require.ErrorIs(t, err, codec.ErrDecode)
			return
		}
		again, err := cbor.Codec.Append(nil, some)
		if err != nil { // another tag can exceed the years of RFC 3339
			require.ErrorIs(t, err, codec.ErrEncode)
			return
		}
		require.NoError(t, cbor.Codec.Decode(again, new(any)))
	})
}
