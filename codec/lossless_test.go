package codec_test

import (
	"math"
	"math/big"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/codec/gob"
)

type (
	shadowed struct {
		Base
		ID string
	}
	Base  struct{ ID, Name int }
	Other struct{ ID int }

	pointerText struct{ text string }
	holdsText   struct{ Many [1]pointerText }

	writesJSON struct{ Text string }
	writesText struct{ Text string }
	// writesPlain writes what package json would also have written.
	writesPlain struct{ N int }
)

func (p *pointerText) MarshalText() ([]byte, error) { return []byte(p.text), nil }
func (p *pointerText) UnmarshalText(b []byte) error { p.text = string(b); return nil }
func (writesJSON) MarshalJSON() ([]byte, error)     { return []byte(`"written"`), nil }
func (writesText) MarshalText() ([]byte, error)     { return []byte("written"), nil }
func (writesPlain) MarshalJSON() ([]byte, error)    { return []byte(`{"N": 0}`), nil }

// TestTypesThatWouldLose tries types that were once accepted and of whose values a part was lost.
func TestTypesThatWouldLose(t *testing.T) {
	lossy[shadowed](t, `the fields Base.ID and ID of codec_test.shadowed have the same name, "ID"`)
	lossy[struct {
		ID string
		*Base
	}](t, "")
	lossy[struct {
		Base
		Other
	}](t, `the fields Base.ID and Other.ID of`)
	lossy[[]map[string]*shadowed](t, "the fields Base.ID and ID")
	lossy[big.Float](t, "its precision")
	lossy[*big.Float](t, "its precision")
	lossy[struct{ F *big.Float }](t, "field F: the text of a big.Float")
	require.Error(t, codec.CheckType(codec.Text, typeOf[*big.Float]()))

	for _, c := range []codec.Codec{codec.Auto, codec.JSON} {
		require.ErrorContains(t, codec.CheckType(c, typeOf[map[string]holdsText]()), "make them pointers")
		require.ErrorContains(t, codec.CheckType(c, typeOf[writesJSON]()), "a method that writes JSON and none that reads it")
		require.ErrorContains(t, codec.CheckType(c, typeOf[map[string]*writesText]()), "a method that writes JSON and none that reads it")
		require.NoError(t, codec.CheckType(c, typeOf[writesPlain]()))
		require.NoError(t, codec.CheckType(c, typeOf[map[string]*holdsText]()))
		require.NoError(t, codec.CheckType(c, typeOf[[]holdsText]()))
		require.NoError(t, codec.CheckType(c, typeOf[struct {
			ID   int
			Base `json:"base"`
		}]()))
		require.NoError(t, codec.CheckType(c, typeOf[struct {
			Base
			Other `json:"-"`
		}]()))
	}
}

// TestIntegersInAnAny decodes integers that a float64 cannot represent.
func TestIntegersInAnAny(t *testing.T) {
	large := new(big.Int).Lsh(big.NewInt(1), 64)
	for _, c := range []codec.Codec{codec.Auto, codec.JSON, codec.Versioned(codec.JSON)} {
		back[map[string]any](t, c, map[string]any{"order_id": int64(4244637855813302974), "state": "new"})
		back[any](t, c, int64(4244637855813302974))
		back(t, c, []any{int64(1<<53 + 1), int64(-1<<53 - 1), int64(math.MinInt64), large, -7.0, 0.1, float64(1 << 53), -float64(1 << 53), math.Copysign(0, -1)})
		back(t, c, struct {
			V    any
			Deep map[string][]struct{ P *any }
			Two  [1]any
			Base
		}{int64(math.MaxInt64), map[string][]struct{ P *any }{"a": {{new(any(int64(math.MaxInt64)))}, {}}}, [1]any{[]any{map[string]any{"x": int64(1<<53 + 1)}}}, Base{math.MaxInt, 1}})
	}
	refuses[any](t, codec.JSON, "[1, 4244637855813302974", "4244637855813302974 1", "[4244637855813302974, 1e400]", strings.Repeat("9", 100_001))
	refuses[map[string]any](t, codec.JSON, `[4244637855813302974]`)
	var into any
	require.NoError(t, codec.JSON.Decode([]byte("[18446744073709551615]"), &into))
	n, _ := into.([]any)[0].(*big.Int)
	require.Equal(t, "18446744073709551615", n.String())
	require.NoError(t, codec.JSON.Decode([]byte(`["4244637855813302974", 1234567890123456.5, 42446378558133029740e-1]`), &into))
	require.Equal(t, []any{"4244637855813302974", 1234567890123456.5, 4244637855813302974.0}, into)
}

// TestTimesThatJSONWouldChange tries times that encoding/json writes as other instants.
func TestTimesThatJSONWouldChange(t *testing.T) {
	type record struct {
		Name string
		At   time.Time
		Any  any
		By   map[string]*time.Time
		stampedTime
	}
	odd := time.Date(1900, 1, 1, 0, 0, 0, 0, time.FixedZone("LMT", 1172))
	for _, c := range []codec.Codec{codec.Auto, codec.JSON} {
		unwritten(t, c, record{At: odd})
		unwritten(t, c, []time.Time{odd})
		unwritten(t, c, map[time.Time]int{odd: 1})
		unwritten(t, c, record{Any: []any{map[string]any{"at": odd}}})
		unwritten(t, c, record{Any: &odd})
		unwritten(t, c, record{By: map[string]*time.Time{"a": &odd}})
		unwritten(t, c, record{stampedTime: stampedTime{Inner: stamp{odd}}})
		unwritten[any](t, c, odd)
		unwritten[any](t, c, map[string]any{"a": odd})
		back(t, c, record{At: time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), By: map[string]*time.Time{"nil": nil}})
	}
	unwritten(t, codec.JSON, odd)
}

type stampedTime struct{ Inner stamp }

// unwritten checks that c has no form for v.
func unwritten[T any](t *testing.T, c codec.Codec, v T) {
	t.Helper()
	typed, err := codec.For[T](c)
	require.NoError(t, err)
	_, err = typed.Encode(v)
	require.ErrorIs(t, err, codec.ErrEncode, "%+v", v)
	for _, dst := range [][]byte{nil, make([]byte, 0, 1000)} {
		_, err = c.Append(dst, v)
		require.ErrorIs(t, err, codec.ErrEncode, "%+v", v)
	}
}

// back checks that v comes back unchanged.
func back[T any](t *testing.T, c codec.Codec, v T) {
	t.Helper()
	typed, err := codec.For[T](c)
	require.NoError(t, err)
	stored, err := typed.Encode(v)
	require.NoError(t, err)
	got, err := typed.Decode(stored)
	require.NoError(t, err)
	require.Equal(t, v, got, "%s", stored)
	var plain T
	require.NoError(t, c.Decode([]byte(stored), &plain))
	require.Equal(t, v, plain, "%s", stored)
}

func lossy[T any](t *testing.T, want string) {
	t.Helper()
	for _, c := range []codec.Codec{codec.Auto, codec.JSON, codec.Tagged, codec.Versioned(codec.JSON)} {
		_, err := codec.For[T](c)
		require.ErrorContains(t, err, want, c.Name())
	}
}

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

type (
	unseen          struct{ ID int }
	nothing         struct{ n int } //nolint:unused // nothing that a codec stores
	writesBinary    struct{ N int }
	pointerBinary   struct{ text string }
	embedsBase      struct{ unseen }
	embedsBaseBelow struct {
		Inner []struct {
			embedsBase
			More int
		}
	}
)

func (writesBinary) MarshalBinary() ([]byte, error)     { return []byte("written"), nil }
func (p *pointerBinary) MarshalBinary() ([]byte, error) { return []byte(p.text), nil }
func (p *pointerBinary) UnmarshalBinary(b []byte) error { p.text = string(b); return nil }

// TestGobLosesNothing tries types and values of which gob would lose a part, and others that it
// could never write.
func TestGobLosesNothing(t *testing.T) {
	for typ, want := range map[reflect.Type]string{
		typeOf[embedsBase]():                     "the embedded unseen, whose type is not exported",
		typeOf[embedsBaseBelow]():                "field Inner: gob would leave out the fields of the embedded embedsBase",
		typeOf[struct{ *unseen }]():              "the embedded unseen",
		typeOf[writesBinary]():                   "a method that writes it and none that reads it",
		typeOf[map[string]pointerBinary]():       "the methods of *codec_test.pointerBinary in a map",
		typeOf[map[string][1]big.Int]():          "the methods of *big.Int in a map",
		typeOf[map[pointerBinary]int]():          "in a map",
		typeOf[map[string]struct{ A url.URL }](): "field A: gob does not use the methods of *url.URL in a map",
		typeOf[struct {
			F func()
			A int
		}](): "gob has no form for func()",
	} {
		require.ErrorContains(t, codec.CheckType(gob.Codec, typ), want, "%s", typ)
	}
	back(t, gob.Codec, url.URL{Scheme: "https", Host: "example.com"})
	back(t, gob.Codec, *big.NewInt(7))
	back(t, gob.Codec, struct {
		N big.Int
		U [2]url.URL
		P pointerBinary
		nothing
	}{*big.NewInt(7), [2]url.URL{{Host: "a"}, {Host: "b"}}, pointerBinary{"p"}, nothing{}})
	back(t, gob.Codec, map[string]*pointerBinary{"a": {"x"}})
	back(t, gob.Codec, map[string]shadowed{"a": {Base{1, 2}, "outer"}})
	unwritten(t, gob.Codec, time.Date(1900, 1, 1, 0, 0, 0, 0, time.FixedZone("", -52)))
	unwritten(t, gob.Codec, map[string]*time.Time{"nil": nil}) // gob calls a method on the nil
	_, err := gob.Codec.Append(nil, map[string]pointerBinary{"a": {"x"}})
	require.ErrorIs(t, err, codec.ErrEncode)
}

// TestBeforeVersions tries values from before versioning that may begin as versioned ones do.
func TestBeforeVersions(t *testing.T) {
	type blob []byte
	for _, old := range []codec.Codec{codec.Auto, codec.Raw, codec.Unversioned(codec.Raw), codec.Upcoming(codec.Auto)} {
		for _, c := range []codec.Codec{codec.Versioned(codec.JSON, codec.Unversioned(old)), codec.Versioned(codec.Unversioned(old))} {
			require.ErrorContains(t, codec.CheckType(c, typeOf[[]byte]()), "may begin with any bytes")
			require.ErrorContains(t, codec.CheckType(c, typeOf[blob]()), "may begin with any bytes")
		}
	}
	require.Error(t, codec.CheckType(codec.Versioned(codec.JSON, codec.Unversioned(codec.Raw)), typeOf[string]()))
	for _, c := range []codec.Codec{codec.Versioned(codec.JSON, codec.Auto), codec.Versioned(codec.Raw), codec.Versioned(codec.Auto, codec.Unversioned(codec.JSON))} {
		back(t, c, []byte("\xC1V\x01"))
	}
	back(t, codec.Versioned(codec.JSON, codec.Unversioned(codec.Auto)), "text")
	back(t, codec.Versioned(codec.JSON, codec.Unversioned(codec.Auto)), struct{ B []byte }{[]byte("\xC1V\x01")})
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		codec codec.Codec
		want  []string
	}{
		{codec.JSON, []string{"json"}},
		{codec.Versioned(codec.JSON), []string{"versioned"}},
		{codec.Versioned(codec.JSON, gob.Codec, codec.Unversioned(codec.Auto)), []string{"versioned", "auto"}},
		{codec.Versioned(codec.Upcoming(codec.JSON), codec.Unversioned(codec.Auto)), []string{"auto", "versioned"}},
		{codec.Versioned(codec.Unversioned(codec.Auto)), []string{"auto", "versioned"}},
		{codec.Unversioned(codec.Auto), []string{"auto"}},
		{codec.Upcoming(codec.JSON), []string{"json"}},
	} {
		require.Equal(t, c.want, codec.Names(c.codec))
	}
}
