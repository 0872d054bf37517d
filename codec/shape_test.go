package codec_test

import (
	"math/big"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/codec/codectest"
	"github.com/redisimnest/redisimnest/codec/gob"
)

type (
	shapeBase  struct{ ID int64 }
	shapeThing struct {
		shapeBase
		Name   string            `json:"name"`
		Tags   []string          `json:"tags,omitempty"`
		Blob   []byte            `json:"blob"`
		Sum    [4]byte           `json:"sum"`
		When   time.Time         `json:"when"`
		Peer   *netip.Addr       `json:"peer"`
		Extra  map[string]any    `json:"extra"`
		Counts map[int32]float64 `json:"counts"`
		Quoted int               `json:"quoted,string"`
		Next   *shapeThing       `json:"next"`
		Left   int               `json:"-"`
		hidden int
	}
	shapeList struct{ List []shapeList }
	shapeKind int16
	shapeLoop struct {
		*shapeLoop //nolint:unused // it is what makes the loop
		A          int
	}
)

func TestShapes(t *testing.T) {
	_ = shapeThing{hidden: 1}
	thing := `{"ID":int64,"blob":bytes,"counts":map[int32]float64,"extra":map[string]any,"name":string,"next":*recursive^2,` +
		`"peer":*opaque"net/netip.Addr","quoted":quoted(int),"sum":[4]uint8,"tags":[]string,"when":opaque"time.Time"}`
	for _, c := range []struct {
		codec codec.Codec
		typ   reflect.Type
		want  string
	}{
		{codec.JSON, reflect.TypeFor[shapeThing](), thing},
		{codec.Auto, reflect.TypeFor[shapeThing](), thing},
		{codec.Auto, reflect.TypeFor[[]shapeThing](), "[]" + thing},
		{codec.Fingerprinted(codec.JSON), reflect.TypeFor[shapeThing](), thing},
		{codec.Versioned(codec.Auto, codec.Unversioned(codec.JSON)), reflect.TypeFor[shapeThing](), thing},
		{codec.Unversioned(codec.Auto), reflect.TypeFor[shapeThing](), thing},
		{codec.Upcoming(codec.Auto), reflect.TypeFor[shapeThing](), thing},
		{codec.JSON, reflect.TypeFor[shapeList](), `{"List":[]recursive^2}`},
		{codec.JSON, reflect.TypeFor[shapeKind](), "int16"},
		{codec.JSON, reflect.TypeFor[*big.Int](), `*opaque"math/big.Int"`},
		{codec.JSON, reflect.TypeFor[any](), "any"},
		{codec.Auto, reflect.TypeFor[time.Time](), `opaque"time.Time"`},
		{codec.Auto, reflect.TypeFor[[]byte](), "bytes"},
		{codec.Auto, reflect.TypeFor[shapeKind](), "int16"},
		{codec.Raw, reflect.TypeFor[string](), "string"},
		{codec.Raw, reflect.TypeFor[[]byte](), "bytes"},
		{codec.Text, reflect.TypeFor[netip.Addr](), `opaque"net/netip.Addr"`},
		{codec.Text, reflect.TypeFor[*netip.Addr](), `*opaque"net/netip.Addr"`},
		{codec.Text, reflect.TypeFor[string](), "string"},
		{codec.Tagged, reflect.TypeFor[map[string]int](), "map[string]int"},
		{gob.Codec, reflect.TypeFor[struct {
			B int `json:"x"`
			A string
		}](), `{"A":string,"B":int}`},
	} {
		require.NoError(t, codec.CheckType(c.codec, c.typ), "%s %s", c.codec.Name(), c.typ)
		got, err := codec.ShapeOf(c.codec, c.typ)
		require.NoError(t, err, "%s %s", c.codec.Name(), c.typ)
		require.Equal(t, c.want, got.String(), "%s %s", c.codec.Name(), c.typ)
	}
	_, err := codec.ShapeOf(foreign{}, reflect.TypeFor[int]())
	require.ErrorContains(t, err, "no Shaper")
	_, err = codec.ShapeOf(codec.JSON, reflect.TypeFor[chan int]())
	require.ErrorContains(t, err, "no form")
	_, err = codec.ShapeOf(codec.JSON, reflect.TypeFor[shapeLoop]())
	require.ErrorContains(t, err, "embeds itself")
}

// foreign is a codec that does not know shapes.
type foreign struct{}

func (foreign) Name() string                             { return "foreign" }
func (foreign) Append(dst []byte, _ any) ([]byte, error) { return append(dst, 'x'), nil }
func (foreign) Decode([]byte, any) error                 { return nil }

func TestFingerprintedKeepsTheRules(t *testing.T) {
	for _, c := range []codec.Codec{
		codec.Fingerprinted(codec.JSON), codec.Fingerprinted(codec.Auto), codec.Fingerprinted(codec.Text),
		codec.Versioned(codec.Fingerprinted(codec.JSON), codec.Unversioned(codec.JSON)),
	} {
		t.Run(c.Name(), func(t *testing.T) { codectest.Run(t, c) })
	}
}

func TestAnotherShapeIsAnError(t *testing.T) {
	type before struct {
		Name string `json:"name"`
		Age  int    `json:"age"`
	}
	type same struct {
		Years int    `json:"age"`
		Title string `json:"name"`
	}
	type renamed struct {
		Name  string `json:"name"`
		Years int    `json:"years"`
	}
	type retyped struct {
		Name string `json:"name"`
		Age  int64  `json:"age"`
	}
	c := codec.Fingerprinted(codec.JSON)
	require.Equal(t, "fingerprinted(json)", c.Name())
	require.Equal(t, []string{"fingerprinted(json)"}, codec.Names(c))
	stored, err := c.Append(nil, before{"Ann", 7})
	require.NoError(t, err)
	require.Equal(t, `{"name":"Ann","age":7}`, string(stored[4:]))
	require.Less(t, stored[0], byte(0x80))
	// The bytes must not change between releases.
	require.Equal(t, "666b77b6", hexOf(stored[:4]))

	var s same
	require.NoError(t, c.Decode(stored, &s))
	require.Equal(t, same{7, "Ann"}, s)
	typed, err := codec.For[renamed](c)
	require.NoError(t, err)
	for what, err := range map[string]error{
		"renamed": c.Decode(stored, new(renamed)), "retyped": c.Decode(stored, new(retyped)),
		"typed": second(typed.Decode(string(stored))), "a list": c.Decode(stored, new([]before)),
		"another codec": codec.Fingerprinted(codec.Auto).Decode(stored, new(before)),
	} {
		require.ErrorIs(t, err, codec.ErrShape, what)
		require.ErrorIs(t, err, codec.ErrDecode, what)
		require.NotContains(t, err.Error(), "Ann")
	}
	for _, short := range []string{"", "{}", string(stored[:3])} {
		err := c.Decode([]byte(short), new(before))
		require.ErrorIs(t, err, codec.ErrDecode)
		require.NotErrorIs(t, err, codec.ErrShape)
	}

	for _, bad := range []codec.Codec{
		nil, codec.Raw, codec.Tagged, codec.Fingerprinted(codec.JSON), codec.Versioned(codec.JSON), codec.Unversioned(codec.Raw), codec.Retired,
	} {
		require.Panics(t, func() { codec.Fingerprinted(bad) })
	}
	require.ErrorContains(t, codec.CheckType(codec.Fingerprinted(foreign{}), reflect.TypeFor[int]()), "no Shaper")

	// The way in.
	way := codec.Versioned(codec.Fingerprinted(codec.JSON), codec.Unversioned(codec.JSON))
	var b before
	require.NoError(t, way.Decode([]byte(`{"name":"Bob","age":8}`), &b))
	require.Equal(t, before{"Bob", 8}, b)
	stored, err = way.Append(nil, b)
	require.NoError(t, err)
	require.ErrorIs(t, way.Decode(stored, new(renamed)), codec.ErrShape)
}

func second[T any](_ T, err error) error { return err }

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var s []byte
	for _, c := range b {
		s = append(s, digits[c>>4], digits[c&15])
	}
	return string(s)
}

// FuzzFingerprinted: no stored bytes make Decode panic, and what it reads it writes alike.
func FuzzFingerprinted(f *testing.F) {
	c := codec.Versioned(codec.Fingerprinted(codec.JSON), codec.Unversioned(codec.JSON))
	good, err := c.Append(nil, shapeList{})
	require.NoError(f, err)
	for _, s := range []string{string(good), string(good[:5]), "", "\xc1V\x01", "\xc1V\x01abcd{}", `{"List":[{}]}`, string(good) + "x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v shapeList
		if err := c.Decode(data, &v); err != nil {
			require.ErrorIs(t, err, codec.ErrDecode)
			return
		}
		again, err := c.Append(nil, v)
		require.NoError(t, err)
		var w shapeList
		require.NoError(t, c.Decode(again, &w))
		require.Equal(t, v, w)
	})
}

func TestVersionsAreListed(t *testing.T) {
	t.Parallel()
	require.Nil(t, codec.Versions(codec.JSON))
	c := codec.Versioned(codec.Upcoming(codec.Tagged), codec.JSON, codec.Retired, gob.Codec, codec.Unversioned(codec.Auto))
	require.Equal(t, []codec.Version{
		{Number: 3, Codec: codec.JSON}, {Number: 4, Codec: codec.Tagged, Upcoming: true}, {Number: 1, Codec: gob.Codec}, {Codec: codec.Auto},
	}, codec.Versions(c))
	plain := codec.Versioned(codec.Upcoming(codec.JSON), codec.Unversioned(codec.Auto))
	require.Equal(t, []codec.Version{{Codec: codec.Auto}, {Number: 1, Codec: codec.JSON, Upcoming: true}}, codec.Versions(plain))
}
