package codec_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
)

// envelope returns the stored form of a value with the given tag.
func envelope(tag, value string) string {
	return `{"__type__": "` + tag + `", "value": ` + value + `}`
}

// foreignUUID is a UUID type such as other packages have.
type foreignUUID [16]byte

func (u foreignUUID) MarshalText() ([]byte, error)     { return codec.UUID(u).MarshalText() }
func (u *foreignUUID) UnmarshalText(text []byte) error { return (*codec.UUID)(u).UnmarshalText(text) }

// serial has 16 bytes and a text, but not that of a UUID.
type serial [16]byte

func (s serial) MarshalText() ([]byte, error)     { return []byte{'s', s[0]}, nil }
func (s *serial) UnmarshalText(text []byte) error { s[0] = text[1]; return nil }

type base struct {
	ID   int `json:"id"`
	Name string
}

type account struct {
	base
	Name    string            `json:"name,omitempty"`
	Since   time.Time         `json:"since,omitzero"`
	Ref     *codec.UUID       `json:"ref"`
	Labels  map[string]string `json:"labels,omitempty"`
	Secret  string            `json:"-"`
	private int               //nolint:unused // what no codec writes
}

func TestTaggedForms(t *testing.T) {
	tagged := codec.Tagged
	stores(t, tagged, 5, envelope("int", "5"))
	stores(t, tagged, age(-5), envelope("int", "-5"))
	stores(t, tagged, uint64(math.MaxUint64), envelope("int", "18446744073709551615"))
	stores(t, tagged, bigInt("-123456789012345678901234567890"), envelope("int", "-123456789012345678901234567890"))
	stores(t, tagged, *bigInt("7"), envelope("int", "7"))
	stores(t, tagged, 1.0, envelope("float", "1.0"))
	stores(t, tagged, 1e-7, envelope("float", "1e-07"))
	stores(t, tagged, 1e-4, envelope("float", "0.0001"))
	stores(t, tagged, 1.5e-5, envelope("float", "1.5e-05"))
	stores(t, tagged, 123456789012345680.0, envelope("float", "1.2345678901234568e+17"))
	stores(t, tagged, 9999999999999998.0, envelope("float", "9999999999999998.0"))
	stores(t, tagged, 1e300, envelope("float", "1e+300"))
	stores(t, tagged, 5e-324, envelope("float", "5e-324"))
	stores(t, tagged, math.NaN(), envelope("float", "NaN"))
	stores(t, tagged, math.Inf(1), envelope("float", "Infinity"))
	stores(t, tagged, float32(0.1), envelope("float", "0.1"))
	stores(t, tagged, true, envelope("bool", "true"))
	stores(t, tagged, title("\U0001F600\xed\xbf\xbf"), envelope("str", `"\ud83d\ude00\udfff"`))
	stores(t, tagged, netip.MustParseAddr("::1"), envelope("str", `"::1"`))
	stores(t, tagged, serial{'x'}, envelope("str", `"sx"`))
	stores(t, tagged, []string{"a", "b"}, envelope("list", `["a", "b"]`))
	stores(t, tagged, [2]int8{1, 2}, envelope("list", `[1, 2]`))
	stores[[]int](t, tagged, nil, envelope("none", `"None"`))
	stores(t, tagged, []int{}, envelope("list", `[]`))
	stores[*int](t, tagged, nil, envelope("none", `"None"`))
	stores[any](t, tagged, nil, envelope("none", `"None"`))
	stores(t, tagged, [][]int{nil, {}}, envelope("list", `[{"__type__": "none", "value": null}, []]`))
	stores(t, tagged, map[string]int{"b": 1, "a": 2}, envelope("dict", `{"a": 2, "b": 1}`))
	stores(t, tagged, map[int]bool{-1: true}, envelope("dict", `{"-1": true}`))
	stores(t, tagged, map[netip.Addr]uint8{netip.MustParseAddr("::1"): 1}, envelope("dict", `{"::1": 1}`))
	stores(t, tagged, codec.Dict{{"b", 1}, {"a", []any{}}}, envelope("dict", `{"b": 1, "a": []}`))
	stores(t, tagged, codec.Tuple{1, "a"}, envelope("tuple", `[1, "a"]`))
	stores(t, tagged, codec.UUID{15: 1}, envelope("uuid", `"00000000-0000-0000-0000-000000000001"`))
	stores(t, tagged, foreignUUID{15: 1}, envelope("uuid", `"00000000-0000-0000-0000-000000000001"`))
	stores(t, tagged, time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC), envelope("datetime", `"2024-01-02T03:04:05+00:00"`))
	stores(t, tagged, time.Date(1900, 1, 1, 0, 0, 0, 1000, time.FixedZone("LMT", 1172)), envelope("datetime", `"1900-01-01T00:00:00.000001+00:19:32"`))
	stores(t, tagged, time.Date(1900, 1, 1, 0, 0, 0, 0, time.FixedZone("LMT", -52)), envelope("datetime", `"1900-01-01T00:00:00-00:00:52"`))
	stores(t, tagged, time.Date(1900, 1, 1, 0, 0, 0, 0, time.FixedZone("", -3652)), envelope("datetime", `"1900-01-01T00:00:00-01:00:52"`))
	stores(t, tagged, []byte{0xfb, 0xff}, envelope("bytes", `"+/8="`))
	stores(t, tagged, 90*time.Second, envelope("duration", `"1m30s"`))
	stores(t, tagged, map[string]struct{}{"b": {}, "a": {}}, envelope("set", `["a", "b"]`))
	stores(t, tagged, map[any]struct{}{1: {}, "a": {}, true: {}, 1.0: {}, codec.UUID{}: {}, time.Hour: {}}, envelope("set", `["a", 1, 1.0, true, {"__type__": "duration", "value": "1h0m0s"}, {"__type__": "uuid", "value": "00000000-0000-0000-0000-000000000000"}]`))
	stores(t, tagged, []map[int]struct{}{{2: {}}}, envelope("list", `[{"__type__": "set", "value": [2]}]`))
	ref := codec.UUID{15: 2}
	stores(t, tagged, account{base: base{ID: 1, Name: "inner"}, Name: "n", Ref: &ref},
		envelope("dict", `{"id": 1, "Name": "inner", "name": "n", "ref": {"__type__": "uuid", "value": "00000000-0000-0000-0000-000000000002"}}`))
	stores(t, tagged, account{Since: time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC), Labels: map[string]string{"k": "v"}},
		envelope("dict", `{"id": 0, "Name": "", "since": {"__type__": "datetime", "value": "2024-01-02T00:00:00+00:00"}, `+
			`"ref": {"__type__": "none", "value": null}, "labels": {"k": "v"}}`))
}

// TestTaggedNatural checks which values an any gets for the types that Python does not know.
func TestTaggedNatural(t *testing.T) {
	for stored, want := range map[string]any{
		envelope("bytes", `"+/8="`):                        []byte{0xfb, 0xff},
		envelope("duration", `"1m30s"`):                    90 * time.Second,
		envelope("set", `[1, "a"]`):                        map[any]struct{}{1: {}, "a": {}},
		envelope("int", "9223372036854775808"):             bigInt("9223372036854775808"),
		`{"value": 5 , "__type__":"int"}`:                  5,
		` {"__type__":"str","value":"\u0041\/é"} `:         "A/é",
		envelope("float", "1"):                             1.0,
		envelope("none", "null"):                           nil,
		envelope("datetime", `"2024-01-02T03:04:05.500Z"`): time.Date(2024, 1, 2, 3, 4, 5, 5e8, time.UTC),
		envelope("dict", `{"a": null}`):                    codec.Dict{{"a", nil}},
	} {
		_, v, err := codec.Unmarshal([]byte(stored))
		require.NoError(t, err, stored)
		require.Equal(t, want, v, stored)
	}
}

func TestTaggedIntoAnotherType(t *testing.T) {
	tagged := codec.Tagged
	float, err := codec.For[float64](tagged)
	require.NoError(t, err)
	f, err := float.Decode(envelope("int", "9007199254740992"))
	require.NoError(t, err)
	require.Equal(t, 9007199254740992.0, f)
	for stored, want := range map[string]float64{
		"9223372036854775808": 1 << 63, "-9223372036854775808": -1 << 63, "1152921504606846976": 1 << 60, "0": 0,
		"99999999999999991611392": 1e23,
	} {
		f, err = float.Decode(envelope("int", stored))
		require.NoError(t, err, stored)
		require.Equal(t, want, f, stored)
	}
	half, err := codec.For[float32](tagged)
	require.NoError(t, err)
	h, err := half.Decode(envelope("int", "9223372036854775808"))
	require.NoError(t, err)
	require.Equal(t, float32(1<<63), h)
	list, err := codec.For[[]int](tagged)
	require.NoError(t, err)
	l, err := list.Decode(envelope("tuple", "[1, 2]"))
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, l)
	sparse, err := codec.For[account](tagged)
	require.NoError(t, err)
	a, err := sparse.Decode(envelope("dict", `{"unknown": [1], "id": 3}`))
	require.NoError(t, err)
	require.Equal(t, account{base: base{ID: 3}}, a)

	refuses[float64](t, tagged, envelope("int", "9007199254740993"), envelope("int", "1"+strings.Repeat("0", 400)), envelope("str", `"1"`))
	refuses[float64](t, tagged, envelope("int", "100000000000000000000000"), envelope("int", "9223372036854776000"), envelope("float", "9223372036854776000"))
	refuses[float32](t, tagged, envelope("int", "16777217"), envelope("float", "1e39"))
	refuses[int](t, tagged, envelope("float", "1.0"), envelope("int", "9223372036854775808"), envelope("str", `"1"`), envelope("bool", "true"), envelope("none", "null"), envelope("int", "-0"))
	refuses[int8](t, tagged, envelope("int", "128"))
	refuses[uint](t, tagged, envelope("int", "-1"))
	refuses[bool](t, tagged, envelope("int", "1"))
	refuses[string](t, tagged, envelope("uuid", `"00000000-0000-0000-0000-000000000001"`), envelope("int", "1"), envelope("none", `"None"`), envelope("str", "1"))
	refuses[[2]int](t, tagged, envelope("list", "[1]"), envelope("list", "[1, 2, 3]"), envelope("list", `[1, "secret"]`))
	refuses[codec.Tuple](t, tagged, envelope("list", "[1]"))
	refuses[map[int]int](t, tagged, envelope("dict", `{"01": 1}`), envelope("dict", `{"secret": 1}`), envelope("list", "[]"))
	refuses[map[string]struct{}](t, tagged, envelope("set", `["a", "a"]`), envelope("list", `["a"]`))
	refuses[map[any]struct{}](t, tagged, envelope("set", "[18446744073709551615]"), envelope("set", "[18446744073709551615, 18446744073709551615]"),
		envelope("set", "[null]"), envelope("set", "[[1]]"), envelope("set", `[{"__type__": "datetime", "value": "2024-01-02T03:04:05"}]`))
	refuses[map[*int]struct{}](t, tagged, envelope("set", "[1, 1]"))
	zoned := `{"__type__": "datetime", "value": "2024-01-02T03:04:05+05:00"}`
	refuses[map[time.Time]struct{}](t, tagged, envelope("set", "["+zoned+", "+zoned+"]"))
	refuses[netip.Addr](t, tagged, envelope("str", `"secret"`))
	refuses[codec.UUID](t, tagged, envelope("uuid", `"00000000-0000-0000-0000-00000000000G"`), envelope("uuid", `"00000000-0000-0000-0000-00000000000A"`),
		envelope("uuid", `"{0000000-0000-0000-0000-00000000000}"`), envelope("str", `"00000000-0000-0000-0000-000000000000"`))
	refuses[time.Time](t, tagged, envelope("str", `"2024-01-02T03:04:05"`), envelope("datetime", `"2024-01-02"`), envelope("datetime", `"2024-02-30T00:00:00"`),
		envelope("datetime", `"0000-01-01T00:00:00"`), envelope("datetime", `"2024-13-01T00:00:00"`), envelope("datetime", `"2024-01-02T24:00:00"`),
		envelope("datetime", `"2024-01-02 03:04:05"`), envelope("datetime", `"2024-01-02T03:04:05.1"`), envelope("datetime", `"2024-01-02T03:04:05.1234567"`),
		envelope("datetime", `"2024-01-02T03:04:05+24:00"`), envelope("datetime", `"2024-01-02T03:04:05+0530"`), envelope("datetime", `"2024-01-02T03:04:05+05:30:00.5"`),
		envelope("datetime", `"2024-01-02T03:04:05z"`), envelope("datetime", `"2024-01-02T03:04:0"`), envelope("datetime", `""`))
	refuses[account](t, tagged, envelope("dict", `{"id": "secret"}`), envelope("dict", `{"id": null}`), envelope("list", "[]"))
	refuses[[]byte](t, tagged, envelope("bytes", `"+/8"`), envelope("bytes", `"+/\n8="`), envelope("bytes", `"+/9="`), envelope("str", `"+/8="`))
	refuses[time.Duration](t, tagged, envelope("duration", `"90s"`), envelope("duration", `"secret"`), envelope("int", "1"))
}

func TestTaggedHazards(t *testing.T) {
	var deep any
	for range 2000 {
		deep = []any{deep}
	}
	type loop struct{ Next *loop }
	circle := &loop{}
	circle.Next = circle
	for name, v := range map[string]any{
		"nanoseconds":       time.Unix(1, 1).UTC(),
		"year 10000":        time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		"year 0":            time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC),
		"offset of a day":   time.Date(2024, 1, 1, 0, 0, 0, 0, time.FixedZone("", 24*3600)),
		"bytes in a string": "a\xff",
		"surrogate pair":    "\xed\xa0\x80\xed\xb0\x80",
		"inner tuple":       []any{codec.Tuple{1}},
		"type key":          map[string]int{"__type__": 1},
		"type key in Dict":  codec.Dict{{"__type__", "int"}},
		"key twice":         codec.Dict{{"a", 1}, {"a", 2}},
		"deep":              deep,
		"circle":            circle,
		"digits":            new(big.Int).Exp(big.NewInt(10), big.NewInt(100_000), nil),
		"NaN in a set":      map[float64]struct{}{math.NaN(): {}},
		"equal in a set":    map[any]struct{}{1: {}, int8(1): {}},
		"nil in a set":      map[any]struct{}{nil: {}},
		"big in a set":      map[any]struct{}{uint64(math.MaxUint64): {}},
		"time in a set":     []any{map[any]struct{}{time.Unix(0, 0).UTC(): {}}},
		"array in a set":    map[any]struct{}{[2]int{}: {}},
		"zeros in a set":    map[any]struct{}{0.0: {}, float32(math.Copysign(0, -1)): {}},
		"float keys":        map[float64]int{1: 1},
		"channel":           []any{make(chan int)},
		"only MarshalJSON":  struct{ J jsonOnly }{},
	} {
		_, raw, err := codec.Marshal(v)
		require.ErrorIs(t, err, codec.ErrEncode, name)
		require.Nil(t, raw, name)
	}
	for _, stored := range []string{
		"", "null", "5", "[]", "{}", `"text"`, "not json", `{"__type__": "int"}`, `{"value": 1}`, `{"__type__": 5, "value": 1}`,
		`{"__type__": "int", "value": 1, "more": 2}`, envelope("int", "1") + "x", envelope("int", "01"), envelope("int", "+1"), envelope("int", "1_0"),
		envelope("float", "1."), envelope("float", "1e400"), envelope("float", "-NaN"), envelope("float", "inf"), envelope("bool", "True"), envelope("bool", "1"),
		envelope("str", `"a`), envelope("str", "\"\n\""), envelope("str", "\"\xff\""), envelope("str", "\"\xed\xa0\x80\""), envelope("str", `"\x41"`), envelope("str", `"\u12g4"`),
		envelope("none", `"none"`), envelope("none", "0"), envelope("tuple", "{}"), envelope("dict", "[]"), envelope("dict", `{"a": 1,}`), envelope("dict", `{a: 1}`),
		envelope("dict", `{"a" 1}`), envelope("list", "[1,]"), envelope("list", "[1 2]"), envelope("list", `[{"__type__": "int", "value": 1}]`),
		envelope("list", `[{"__type__": "tuple", "value": [1]}]`), envelope("list", `[{"__type__": "secret", "value": 1}]`), envelope("list", `[{"__type__": 1}]`),
		envelope("set", "[[1]]"), envelope("set", "[1, 1]"), envelope("set", "[NaN]"), envelope("list", strings.Repeat("[", 1001)+strings.Repeat("]", 1001)),
		envelope("int", strings.Repeat("9", 100_001)), strings.Repeat("[", 1<<20), strings.Repeat(`{"a":`, 1<<20),
	} {
		name, v, err := codec.Unmarshal([]byte(stored))
		require.ErrorIs(t, err, codec.ErrDecode, "%.80q", stored)
		require.Empty(t, name)
		require.Nil(t, v)
		require.NotContains(t, err.Error(), "secret")
	}
}

type jsonOnly struct{ A int }

func (jsonOnly) MarshalJSON() ([]byte, error) { return []byte("1"), nil }

func TestTaggedDepth(t *testing.T) {
	inside := func(depth int) any {
		var v any = 1
		for range depth {
			v = []any{v}
		}
		return v
	}
	_, raw, err := codec.Marshal(inside(997))
	require.NoError(t, err)
	_, v, err := codec.Unmarshal(raw)
	require.NoError(t, err, "what Marshal writes, Unmarshal reads")
	require.Equal(t, inside(997), v)
	_, _, err = codec.Marshal(inside(1001))
	require.ErrorContains(t, err, "nested too deeply")
}

type spot struct{ X int }

func TestTaggedTypes(t *testing.T) {
	for typ, want := range map[reflect.Type]string{
		reflect.TypeFor[chan int]():                "no form for chan int",
		reflect.TypeFor[[]func()]():                "no form for func()",
		reflect.TypeFor[error]():                   "interface error",
		reflect.TypeFor[complex64]():               "no form for complex64",
		reflect.TypeFor[opaque]():                  "no exported fields",
		reflect.TypeFor[hidden]():                  "embeds the pointer point",
		reflect.TypeFor[map[bool]int]():            "keys of type bool",
		reflect.TypeFor[[]codec.Tuple]():           "a Tuple inside",
		reflect.TypeFor[jsonOnly]():                "MarshalJSON",
		reflect.TypeFor[struct{ A *[]chan int }](): "field A: ",
		reflect.TypeFor[map[chan int]struct{}]():   "no form for chan int",
		reflect.TypeFor[struct {
			point
			spot
		}](): `have the same name, "X"`,
		reflect.TypeFor[struct {
			A int `json:"__type__"`
		}](): "__type__",
	} {
		require.ErrorContains(t, codec.CheckType(codec.Tagged, typ), want, typ)
	}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[any](), reflect.TypeFor[account](), reflect.TypeFor[cyclic](), reflect.TypeFor[*codec.Tuple](),
		reflect.TypeFor[struct{}](), reflect.TypeFor[map[codec.UUID][]codec.Dict](),
	} {
		require.NoError(t, codec.CheckType(codec.Tagged, typ), typ)
	}
}

func TestDict(t *testing.T) {
	d := codec.Dict{{"b", 1}, {"a", 2}}
	v, ok := d.Get("a")
	require.True(t, ok)
	require.Equal(t, 2, v)
	_, ok = d.Get("c")
	require.False(t, ok)
	require.Equal(t, map[string]any{"a": 2, "b": 1}, d.Map())
	var keys []string
	for k := range d.All() {
		keys = append(keys, k)
	}
	require.Equal(t, []string{"b", "a"}, keys)
	for range d.All() {
		break
	}
}

// TestTaggedFloatForm checks which floats are written with an exponent. Python decides by the
// exponent of the shortest digits: below -4, or from 16 on.
func TestTaggedFloatForm(t *testing.T) {
	check := func(v any, f float64, bits int) {
		want := strconv.FormatFloat(f, 'e', -1, bits)
		_, digits, _ := strings.Cut(want, "e")
		exponent, err := strconv.Atoi(digits)
		require.NoError(t, err)
		if exponent >= -4 && exponent < 16 {
			if want = strconv.FormatFloat(f, 'f', -1, bits); !strings.Contains(want, ".") {
				want += ".0"
			}
		}
		_, raw, err := codec.Marshal(v)
		require.NoError(t, err)
		require.Equal(t, envelope("float", want), string(raw))
	}
	near := []float64{0, 1e-4, 1e-5, 1e15, 1e16, 1e17, 9.9999999e-5, 0.5}
	for range 2000 {
		near = append(near, math.Float64frombits(rand.Uint64()&^(1<<62|3<<60)|3<<60), math.Pow(10, float64(rand.IntN(50)-25)))
	}
	for _, f := range near {
		for _, f := range []float64{f, -f, math.Nextafter(f, 0), math.Nextafter(f, math.Inf(1))} {
			check(f, f, 64)
			if s := float32(f); !math.IsInf(float64(s), 0) {
				for _, s := range []float32{s, math.Nextafter32(s, 0), math.Nextafter32(s, 1)} {
					check(s, float64(s), 32)
				}
			}
		}
	}
}
