package codec_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
)

type (
	age    int
	ratio  float32
	title  string
	blob   []byte
	flag   bool
	level  int
	point  struct{ X, Y int }
	config struct {
		Name  string
		Tags  []string
		Limit map[string]int
		Next  *config
	}
)

func (l level) MarshalText() ([]byte, error) {
	return []byte(strings.Repeat("!", int(l))), nil
}

func (l *level) UnmarshalText(b []byte) error {
	*l = level(len(b))
	clear(b) // allowed: the codec hands out a copy
	return nil
}

// stores checks that v is stored as want and read back as it was, both through For and through the
// codec's own methods.
func stores[T any](t *testing.T, c codec.Codec, v T, want string) {
	t.Helper()
	typed, err := codec.For[T](c)
	require.NoError(t, err)
	s, err := typed.Encode(v)
	require.NoError(t, err)
	require.Equal(t, want, s)
	stored := strings.Clone(s)
	back, err := typed.Decode(stored)
	require.NoError(t, err)
	same(t, v, back)
	require.Equal(t, want, stored, "decoding changed its input")

	if reflect.TypeFor[T]().Kind() == reflect.Interface {
		return // in the any that Append takes, v would be the value that it contains
	}
	data, err := c.Append([]byte("x"), v)
	require.NoError(t, err)
	require.Equal(t, "x"+want, string(data))
	var plain T
	require.NoError(t, c.Decode([]byte(want), &plain))
	same(t, v, plain)
}

func same[T any](t *testing.T, want, got T) {
	t.Helper()
	switch want := any(want).(type) {
	case time.Time:
		got := any(got).(time.Time)
		require.True(t, want.Equal(got), "%v is not %v", got, want)
		_, wantOffset := want.Zone()
		_, offset := got.Zone()
		require.Equal(t, wantOffset, offset)
	case float64:
		if math.IsNaN(want) {
			require.True(t, math.IsNaN(any(got).(float64)))
			return
		}
		require.Equal(t, math.Float64bits(want), math.Float64bits(any(got).(float64)))
	default:
		require.Equal(t, want, got)
	}
}

func TestAutoForms(t *testing.T) {
	auto := codec.Auto
	stores(t, auto, "", "")
	stores(t, auto, "a\x00b\xffc", "a\x00b\xffc")
	stores(t, auto, title("Dr."), "Dr.")
	stores(t, auto, []byte{0, 255}, "\x00\xff")
	stores(t, auto, []byte{}, "")
	stores(t, auto, blob("b"), "b")
	stores(t, auto, json.RawMessage(`{"a": 1}`), `{"a": 1}`)
	stores(t, auto, 0, "0")
	stores(t, auto, -7, "-7")
	stores(t, auto, int8(math.MinInt8), "-128")
	stores(t, auto, int16(math.MaxInt16), "32767")
	stores(t, auto, int32(math.MinInt32), "-2147483648")
	stores(t, auto, int64(math.MinInt64), "-9223372036854775808")
	stores(t, auto, uint(1), "1")
	stores(t, auto, uint8(255), "255")
	stores(t, auto, uint16(65535), "65535")
	stores(t, auto, uint32(1<<31), "2147483648")
	stores(t, auto, uint64(math.MaxUint64), "18446744073709551615")
	stores(t, auto, uintptr(9), "9")
	stores(t, auto, age(42), "42")
	stores(t, auto, time.Minute, "60000000000")
	stores(t, auto, 1.0, "1")
	stores(t, auto, 0.1, "0.1")
	stores(t, auto, 1e300, "1e+300")
	stores(t, auto, math.SmallestNonzeroFloat64, "5e-324")
	stores(t, auto, math.MaxFloat64, "1.7976931348623157e+308")
	stores(t, auto, math.Copysign(0, -1), "-0")
	stores(t, auto, math.NaN(), "NaN")
	stores(t, auto, math.Inf(1), "+Inf")
	stores(t, auto, math.Inf(-1), "-Inf")
	stores(t, auto, float32(0.1), "0.1")
	stores(t, auto, float32(math.MaxFloat32), "3.4028235e+38")
	stores(t, auto, ratio(0.1), "0.1")
	stores(t, auto, true, "1")
	stores(t, auto, false, "0")
	stores(t, auto, flag(true), "1")
	stores(t, auto, time.Date(2024, 1, 2, 3, 4, 5, 678901234, time.UTC), "2024-01-02T03:04:05.678901234Z")
	stores(t, auto, time.Date(0, 1, 1, 0, 0, 0, 0, time.FixedZone("", -5*3600-1800)), "0000-01-01T00:00:00-05:30")
	stores(t, auto, time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.FixedZone("", 23*3600+59*60)), "9999-12-31T23:59:59.999999999+23:59")
	stores(t, auto, netip.MustParseAddr("10.0.0.1"), "10.0.0.1")
	stores(t, auto, *big.NewInt(12), "12")
	stores(t, auto, level(3), "!!!")
	stores(t, auto, point{1, 2}, `{"X":1,"Y":2}`)
	stores(t, auto, [2]int{1, 2}, `[1,2]`)
	stores(t, auto, [2]big.Int{*big.NewInt(1), *big.NewInt(2)}, `[1,2]`)
	stores(t, auto, big.NewInt(12), "12")
	stores(t, auto, &point{1, 2}, `{"X":1,"Y":2}`)
	stores[*point](t, auto, nil, "null")
	stores[*int](t, auto, nil, "null")
	stores(t, auto, new(int), "0")
	stores[map[string]int](t, auto, nil, "null")
	stores(t, auto, map[string]int{}, "{}")
	stores[[]int](t, auto, nil, "null")
	stores(t, auto, []int{}, "[]")
	stores(t, auto, []string{"a"}, `["a"]`)
	stores[any](t, auto, "text", `"text"`)
	stores(t, auto, config{Name: "n", Next: &config{}}, `{"Name":"n","Tags":null,"Limit":null,"Next":{"Name":"","Tags":null,"Limit":null,"Next":null}}`)
}

func TestDecodeIsStrict(t *testing.T) {
	auto := codec.Auto
	refuses[int](t, auto, "", "+1", "-", "--1", "-0", "01", "00", "0x1", "1_000", " 1", "1 ", "1.0", "1e3", "9223372036854775808", "١")
	refuses[age](t, auto, "", "one")
	refuses[int8](t, auto, "128", "-129", "9223372036854775808")
	refuses[int16](t, auto, "32768")
	refuses[int32](t, auto, "2147483648")
	refuses[uint](t, auto, "-1", "-0", "+0", "18446744073709551616")
	refuses[uint8](t, auto, "256")
	refuses[float64](t, auto, "", "-", ".5", "5.", "1e", "1e+", "+1", "01", "0x1p-2", "1_0.5", " 1", "1\n", "inf", "Inf", "nan", "-NaN", "1e400", "1e-400", "-0.1e-999", "1,5", "1f")
	refuses[float32](t, auto, "3.5e38", "1e-60")
	refuses[bool](t, auto, "", "true", "t", "01", "1 ", "2")
	refuses[time.Time](t, auto, "", "2024-01-02", "2024-01-02 03:04:05Z", "2024-01-02T03:04:05", "2024-01-02T3:04:05Z", "2024-01-02T03:04:05,5Z",
		"2024-01-02T03:04:05.0123456789Z", "2024-02-30T03:04:05Z", "2024-01-02T03:04:05Z ", "2024-01-02T03:04:05+25:00")
	refuses[netip.Addr](t, auto, "10.0.0.256", "x")
	refuses[point](t, auto, "", "{", `{"X":1}{}`, `{"X":1.5}`, `{"X":"secret"}`, "null x")
	refuses[*int](t, auto, "", "nil", "1.5")
	refuses[[]int](t, auto, "", "[1,]", "[1]]")
	refuses[map[string]int](t, auto, `{"a":"secret"}`)
	refuses[point](t, codec.JSON, "null", " null\n")
	refuses[int](t, codec.JSON, "null")
	refuses[string](t, codec.JSON, "", "null", "text", `"a" "b"`, "1")
	refuses[uint8](t, codec.JSON, "256", "-1", "1.0", "1 2")
}

func refuses[T any](t *testing.T, c codec.Codec, stored ...string) {
	t.Helper()
	typed, err := codec.For[T](c)
	require.NoError(t, err)
	for _, s := range stored {
		v, err := typed.Decode(s)
		require.ErrorIs(t, err, codec.ErrDecode, "%q as %T", s, v)
		require.Zero(t, v)
		quiet(t, err, c, reflect.TypeFor[T](), s)
		var plain T
		err = c.Decode([]byte(s), &plain)
		require.ErrorIs(t, err, codec.ErrDecode, "%q as %T", s, v)
		quiet(t, err, c, reflect.TypeFor[T](), s)
	}
}

// quiet checks that err names the codec, the type and the length, and does not quote s.
func quiet(t *testing.T, err error, c codec.Codec, typ reflect.Type, s string) {
	t.Helper()
	head := fmt.Sprintf("codec: %s: cannot decode %s from %d bytes: ", c.Name(), typ, len(s))
	reason, ok := strings.CutPrefix(err.Error(), head)
	require.True(t, ok, "%q does not begin with %q", err, head)
	require.NotContains(t, reason, "secret")
	if len(s) > 4 {
		require.NotContains(t, reason, s)
	}
}

func TestFloatsOfOthersAreRead(t *testing.T) {
	typed, err := codec.For[float64](codec.Auto)
	require.NoError(t, err)
	for s, want := range map[string]float64{
		"1000000": 1e6, "3.0": 3, "0.10": 0.1, "1E5": 1e5, "1e05": 1e5, "0": 0, "0.000": 0, "0e9": 0, "-12.5e-1": -1.25,
	} {
		got, err := typed.Decode(s)
		require.NoError(t, err, s)
		require.Equal(t, want, got, s)
	}
}

func TestTimesThatRFC3339CannotSay(t *testing.T) {
	typed, err := codec.For[time.Time](codec.Auto)
	require.NoError(t, err)
	for _, v := range []time.Time{
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(1900, 1, 1, 0, 0, 0, 0, time.FixedZone("LMT", 1172)),
		time.Date(2024, 1, 1, 0, 0, 0, 0, time.FixedZone("", 24*3600)),
		time.Date(2024, 1, 1, 0, 0, 0, 0, time.FixedZone("", -24*3600)),
	} {
		_, err := typed.Encode(v)
		require.ErrorIs(t, err, codec.ErrEncode, v)
		_, err = codec.Auto.Append(nil, v)
		require.ErrorIs(t, err, codec.ErrEncode, v)
	}
}

func TestValuesWithoutAForm(t *testing.T) {
	floats, err := codec.For[[]float64](codec.Auto)
	require.NoError(t, err)
	_, err = floats.Encode([]float64{math.NaN()})
	require.ErrorIs(t, err, codec.ErrEncode)

	anything, err := codec.For[any](codec.JSON)
	require.NoError(t, err)
	_, err = anything.Encode(func() {})
	require.ErrorIs(t, err, codec.ErrEncode)
	_, err = codec.Auto.Append(nil, make(chan int))
	require.ErrorIs(t, err, codec.ErrEncode)
	_, err = codec.Auto.Append(nil, loud{})
	require.ErrorIs(t, err, codec.ErrEncode)
	require.NotContains(t, err.Error(), "secret")
}

// loud is a type whose errors quote its value.
type loud struct{}

func (loud) MarshalText() ([]byte, error) { return nil, errors.New("cannot marshal the secret") }
func (*loud) UnmarshalText([]byte) error  { return errors.New("cannot read the secret") }

func TestDecodeNeedsAPointer(t *testing.T) {
	for _, target := range []any{nil, 1, (*int)(nil), (*point)(nil), struct{}{}} {
		require.ErrorIs(t, codec.Auto.Decode([]byte("1"), target), codec.ErrDecode)
		require.ErrorIs(t, codec.JSON.Decode([]byte("1"), target), codec.ErrDecode)
	}
}

type (
	opaque   struct{ n int } //nolint:unused // what no codec can see
	embedded struct{ point }
	hidden   struct{ *point }
	cyclic   struct {
		Self  *cyclic
		Many  map[string][]cyclic
		Ready chan int `json:"-"`
	}
)

func TestTypesWithoutAForm(t *testing.T) {
	hopeless[chan int](t, "chan int")
	hopeless[func()](t, "func()")
	hopeless[complex64](t, "complex64")
	hopeless[unsafe.Pointer](t, "unsafe.Pointer")
	hopeless[[]chan int](t, "chan int")
	hopeless[*func()](t, "func()")
	hopeless[[1]complex128](t, "complex128")
	hopeless[map[string]chan int](t, "chan int")
	hopeless[map[float64]int](t, "map keys of type float64")
	hopeless[map[point]int](t, "map keys of type codec_test.point")
	hopeless[map[string]big.Float](t, "big.Float")
	hopeless[struct{ A struct{ B func() } }](t, "field A: field B: ")
	hopeless[error](t, "interface error")
	hopeless[struct{ Err error }](t, "field Err: ")
	hopeless[opaque](t, "codec_test.opaque has no exported fields")
	hopeless[struct{ N atomic.Int64 }](t, "field N: atomic.Int64 has no exported fields")
	hopeless[hidden](t, "the embedded pointer point")

	for _, c := range []codec.Codec{codec.Auto, codec.JSON} {
		require.NoError(t, codec.CheckType(c, reflect.TypeFor[cyclic]()))
		require.NoError(t, codec.CheckType(c, reflect.TypeFor[embedded]()))
		require.NoError(t, codec.CheckType(c, reflect.TypeFor[struct{}]()))
		require.NoError(t, codec.CheckType(c, reflect.TypeFor[any]()))
		require.NoError(t, codec.CheckType(c, reflect.TypeFor[map[netip.Addr]*big.Int]()))
		require.NoError(t, codec.CheckType(c, reflect.TypeFor[struct {
			T time.Time
			X map[level]int
		}]()))
	}
	_, err := codec.For[int](nil)
	require.Error(t, err)
}

func hopeless[T any](t *testing.T, want string) {
	t.Helper()
	for _, c := range []codec.Codec{codec.Auto, codec.JSON} {
		_, err := codec.For[T](c)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "codec: "+c.Name()+": type ")
	}
}

func TestImmutable(t *testing.T) {
	require.True(t, codec.Immutable[int]())
	require.True(t, codec.Immutable[title]())
	require.True(t, codec.Immutable[time.Time]())
	require.True(t, codec.Immutable[struct {
		A [2]point
		T time.Time
	}]())
	require.True(t, codec.Immutable[[0]*int]())
	require.False(t, codec.Immutable[[]byte]())
	require.False(t, codec.Immutable[map[string]int]())
	require.False(t, codec.Immutable[*int]())
	require.False(t, codec.Immutable[any]())
	require.False(t, codec.Immutable[struct{ P *int }]())
	require.False(t, codec.Immutable[config]())
	require.False(t, codec.Immutable[[1]func()]())
}
