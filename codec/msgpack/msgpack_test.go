package msgpack_test

import (
	"bytes"
	"math"
	"math/big"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/codec/codectest"
	ours "github.com/redisimnest/redisimnest/codec/msgpack"
)

func TestConformance(t *testing.T) {
	codectest.Run(t, ours.Codec, codectest.Unordered(), codectest.Instants(), codectest.Values(nil, "not \xff UTF-8"),
		codectest.Values(nil, map[string]any{"b": true, "a": []any{"x", nil, 1.5}, "m": map[string]any{"k": []byte{1}}}))
}

type inner struct {
	Small int8 `json:"small"`
}

type document struct {
	inner
	ID     int64             `msgpack:"id"`
	Flags  uint16            `json:"flags,omitempty"`
	Title  string            `json:"title"`
	At     time.Time         `json:"at"`
	Tags   []string          `json:"tags"`
	Scores map[int8]float32  `json:"scores"`
	Parent *document         `json:"parent"`
	Any    any               `json:"any"`
	Bytes  []byte            `json:"bytes"`
	Pairs  [][2]uint8        `json:"pairs"`
	Old    uint8             `msgpack:"new,alias:old"`
	Queue  chan int          `msgpack:"-"`
	Later  map[string]uint32 `json:"later"`
	Weight float64           `json:"weight"`
}

func sample() document {
	return document{
		inner: inner{-128}, ID: math.MaxInt64, Flags: math.MaxUint16, Title: "t", At: time.Unix(1, 5), Tags: []string{"a"},
		Scores: map[int8]float32{-1: 0.5}, Parent: &document{ID: math.MinInt64}, Any: uint64(math.MaxUint64), Bytes: []byte{255},
		Old: 255, Later: map[string]uint32{"x": math.MaxUint32}, Weight: 1.5,
	}
}

func TestRoundTrip(t *testing.T) {
	typed, err := codec.For[document](ours.Codec)
	require.NoError(t, err)
	stored, err := typed.Encode(sample())
	require.NoError(t, err)
	back, err := typed.Decode(stored)
	require.NoError(t, err)
	require.Equal(t, sample(), back)
}

// TestIntegersHaveTheirPlace puts integers where they do not fit.
func TestIntegersHaveTheirPlace(t *testing.T) {
	for name, data := range map[string]any{
		"field of an embedded struct": map[string]any{"small": 128},
		"unsigned field":              map[string]any{"flags": -1},
		"after an unknown field":      map[string]any{"unknown": []any{map[string]any{"x": 1 << 40}}, "flags": 1 << 16},
		"alias":                       map[string]any{"old": 256},
		"key of a map":                map[string]any{"scores": map[any]any{128: 1}},
		"integer in a float32":        map[string]any{"scores": map[any]any{1: 1<<24 + 1}},
		"integer in a float64":        map[string]any{"weight": 1<<53 + 1},
		"value of a map":              map[string]any{"later": map[string]any{"x": 1 << 32}},
		"array in a slice":            map[string]any{"pairs": []any{[]any{1, 2}, []any{3, -4}}},
		"behind a pointer":            map[string]any{"parent": map[string]any{"parent": map[string]any{"id": uint64(math.MaxInt64 + 1)}}},
		"struct as a list":            []any{1000},
	} {
		raw, err := msgpack.Marshal(data)
		require.NoError(t, err)
		require.ErrorIs(t, ours.Codec.Decode(raw, new(document)), codec.ErrDecode, name)
	}
	raw, err := msgpack.Marshal(map[string]any{"unknown": -1 << 40, "any": 1 << 40, "flags": 1, "id": -1, "weight": 1 << 53})
	require.NoError(t, err)
	var d document
	require.NoError(t, ours.Codec.Decode(raw, &d))
	require.Equal(t, document{ID: -1, Flags: 1, Any: uint64(1 << 40), Weight: 1 << 53}, d)
	for _, v := range []any{-1, 256} {
		raw, err := msgpack.Marshal(v)
		require.NoError(t, err)
		require.ErrorIs(t, ours.Codec.Decode(raw, new(*uint8)), codec.ErrDecode)
	}
}

type (
	nbyte byte
	// Base has the same names as other fields.
	Base struct {
		ID    int8
		Small int8
	}
	shadowed struct {
		Base
		ID string
	}
	narrow struct {
		ID string
		Base
	}
	wide struct {
		ID   string
		Base struct{ ID, Small int }
	}
	embeds struct {
		Base
		Name string
	}
	pointing struct {
		*Base
		Name string
	}
	text  struct{ text string }
	wrote struct{ Text string }
)

func (t *text) MarshalText() ([]byte, error) { return []byte(t.text), nil }
func (t *text) UnmarshalText(b []byte) error { t.text = string(b); return nil }
func (wrote) MarshalText() ([]byte, error)   { return []byte("written"), nil }

// TestTypesThatWouldLose tries types that the library accepts, but whose values it does not write,
// does not read back, or loses a part of.
func TestTypesThatWouldLose(t *testing.T) {
	for typ, want := range map[reflect.Type]string{
		reflect.TypeFor[shadowed]():                          "have the same name",
		reflect.TypeFor[[]map[string]*narrow]():              "have the same name",
		reflect.TypeFor[pointing]():                          "the embedded pointer Base",
		reflect.TypeFor[uintptr]():                           "use uint64",
		reflect.TypeFor[struct{ A []uintptr }]():             "field A: MessagePack has no form for uintptr",
		reflect.TypeFor[map[string][6]nbyte]():               "[6]msgpack_test.nbyte in a map",
		reflect.TypeFor[map[[2]nbyte]int]():                  "in a map",
		reflect.TypeFor[map[string]text]():                   "the methods of *msgpack_test.text",
		reflect.TypeFor[map[string]struct{ A [1]url.URL }](): "field A: the methods of *url.URL",
		reflect.TypeFor[map[text]int]():                      "the methods of *msgpack_test.text",
		reflect.TypeFor[[]wrote]():                           "a method that writes it and none that reads it",
		reflect.TypeFor[*big.Float]():                        "its precision",
		reflect.TypeFor[struct {
			A int `json:"-,"` //nolint:staticcheck // the name "-" is what is refused
			B int
		}](): `the field A, whose tag is "-,"`,
		reflect.TypeFor[struct {
			A int `msgpack:",intern"`
		}](): "cannot be interned",
	} {
		require.ErrorContains(t, codec.CheckType(ours.Codec, typ), want, "%s", typ)
	}
	back(t, [6]nbyte{1, 255})
	back(t, struct {
		A [6]nbyte
		B []nbyte
		C [][2]nbyte
		D map[string]*[2]nbyte
	}{[6]nbyte{1}, []nbyte{2}, [][2]nbyte{{3, 4}}, map[string]*[2]nbyte{"a": {5, 6}}})
	back(t, *big.NewInt(7))
	back(t, struct {
		N big.Int
		U [2]url.URL
		T text
		P *text
	}{*big.NewInt(7), [2]url.URL{{Host: "a"}, {Host: "b"}}, text{"t"}, nil})
	back(t, url.URL{Scheme: "https", Host: "example.com"})
	back(t, map[string]*text{"a": {"x"}}) // of one entry each: their order is random
	back(t, map[string]*text{"nil": nil})
	back(t, embeds{Base{1, -1}, "name"})
	for _, v := range []any{map[string]any{"a": [6]nbyte{}}, uintptr(1), []uintptr{1}, map[string]any{"a": text{}}} {
		_, err := ours.Codec.Append(nil, v)
		require.ErrorIs(t, err, codec.ErrEncode, "%+v", v)
	}
}

// TestIntegersBehindAnEmbeddedName puts integers that do not fit under the name of an embedded
// struct. The library reads them whether or not it has promoted the struct's fields.
func TestIntegersBehindAnEmbeddedName(t *testing.T) {
	data, err := ours.Codec.Append(nil, wide{"a", struct{ ID, Small int }{300, 70000}})
	require.NoError(t, err)
	require.ErrorIs(t, ours.Codec.Decode(data, new(narrow)), codec.ErrDecode)
	data, err = ours.Codec.Append(nil, map[string]any{"Base": map[string]int{"ID": 300}})
	require.NoError(t, err)
	require.ErrorIs(t, ours.Codec.Decode(data, new(embeds)), codec.ErrDecode)
	data, err = ours.Codec.Append(nil, map[string]any{"ID": 300})
	require.NoError(t, err)
	require.ErrorIs(t, ours.Codec.Decode(data, new(embeds)), codec.ErrDecode)
}

func back[T any](t *testing.T, v T) {
	t.Helper()
	typed, err := codec.For[T](ours.Codec)
	require.NoError(t, err)
	stored, err := typed.Encode(v)
	require.NoError(t, err)
	got, err := typed.Decode(stored)
	require.NoError(t, err)
	require.Equal(t, v, got)
	data, err := ours.Codec.Append(nil, v)
	require.NoError(t, err)
	require.Equal(t, stored, string(data))
}

func TestRefused(t *testing.T) {
	for name, data := range map[string]string{
		"nothing":     "",
		"nil":         "\xc0",
		"unused code": "\xc1",
		"huge array":  "\x81\xa4tags\xdd\x7f\xff\xff\xff",
		"huge map":    "\x81\xa6scores\xdf\x7f\xff\xff\xff",
		"huge string": "\x81\xa5title\xdb\x7f\xff\xff\xff",
		"huge bytes":  "\x81\xa5bytes\xc6\xff\xff\xff\xff",
		"huge ext":    "\x81\xa2at\xc9\xff\xff\xff\xff\xff",
		"too deep":    strings.Repeat("\x91", 5000) + "\x01",
		"two values":  "\x80\x80",
		"text":        "title",
	} {
		err := ours.Codec.Decode([]byte(data), new(document))
		require.ErrorIs(t, err, codec.ErrDecode, name)
		require.NotContains(t, err.Error(), "title")
	}
	require.Error(t, codec.CheckType(ours.Codec, reflect.TypeFor[[]chan int]()))
	require.Error(t, codec.CheckType(ours.Codec, reflect.TypeFor[error]()))
	require.NoError(t, codec.CheckType(ours.Codec, reflect.TypeFor[document]()))
}

// TestScanReadsWhatTheLibraryWrites covers every code of MessagePack.
func TestScanReadsWhatTheLibraryWrites(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536} {
		for _, v := range []any{strings.Repeat("a", n), make([]byte, n), make([]bool, n), pairs(n), n, -n, int64(n) << 32, -int64(n) << 32, uint64(n) << 48, float32(n), float64(n)} {
			data, err := ours.Codec.Append(nil, v)
			require.NoError(t, err)
			require.NoError(t, ours.Codec.Decode(data, reflect.New(reflect.TypeOf(v)).Interface()), "%T of %d", v, n)
		}
	}
	for _, data := range []string{"\xd4\x05a", "\xd5\x05ab", "\xd6\xff\x00\x00\x00\x01", "\xd8\x05" + strings.Repeat("a", 16), "\xc7\x03\x05abc"} {
		require.ErrorIs(t, ours.Codec.Decode([]byte(data+"\x00"), new(any)), codec.ErrDecode)
	}
	require.NoError(t, ours.Codec.Decode([]byte("\xd6\xff\x00\x00\x00\x01"), new(time.Time)))
}

// TestEachLength tries strings of each length that is read differently.
func TestEachLength(t *testing.T) {
	all := "abcdefghijklmnopqrstuvwxyz0123456789"
	typed, err := codec.For[[]string](ours.Codec)
	require.NoError(t, err)
	for n := range len(all) {
		stored, err := typed.Encode([]string{all[:n], "end"})
		require.NoError(t, err)
		back, err := typed.Decode(stored)
		require.NoError(t, err)
		require.Equal(t, []string{all[:n], "end"}, back)
	}
}

func pairs(n int) map[int]bool {
	m := make(map[int]bool, n)
	for i := range n {
		m[i] = true
	}
	return m
}

func FuzzDecode(f *testing.F) {
	for _, v := range []any{sample(), document{}, []any{1, -1, "a"}, map[string]any{"flags": 70000}} {
		data, err := ours.Codec.Append(nil, v)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte("\x81\xa4tags\xdd\x7f\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		var some any
		if err := ours.Codec.Decode(data, &some); err != nil {
			require.ErrorIs(t, err, codec.ErrDecode)
		}
		var v document
		err := ours.Codec.Decode(data, &v)
		require.Equal(t, before, data)
		if err != nil {
			require.ErrorIs(t, err, codec.ErrDecode)
			return
		}
		again, err := ours.Codec.Append(nil, v)
		require.NoError(t, err)
		require.NoError(t, ours.Codec.Decode(again, new(document)))
	})
}

// Plain names fields as the library does by default.
func TestPlain(t *testing.T) {
	codectest.Run(t, ours.Plain, codectest.Unordered(), codectest.Instants())
	require.Equal(t, "msgpack-plain", ours.Plain.Name())
	type named struct {
		A int `json:"other"`
		B int `json:"c"     msgpack:"b"`
	}
	data, err := ours.Plain.Append(nil, named{1, 2})
	require.NoError(t, err)
	bare, err := msgpack.Marshal(named{1, 2})
	require.NoError(t, err)
	var read, ofLibrary map[string]int
	require.NoError(t, msgpack.Unmarshal(data, &read))
	require.NoError(t, msgpack.Unmarshal(bare, &ofLibrary))
	require.Equal(t, map[string]int{"A": 1, "b": 2}, read)
	require.Equal(t, ofLibrary, read)
	var back named
	require.NoError(t, ours.Plain.Decode(bare, &back))
	require.Equal(t, named{1, 2}, back)
	shape, err := codec.ShapeOf(ours.Plain, reflect.TypeFor[named]())
	require.NoError(t, err)
	require.Equal(t, `{"A":int,"b":int}`, shape.String())
}
