package codec_test

import (
	"encoding/json"
	"math/big"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/codec/gob"
)

type (
	event struct {
		time.Time
		Name string
	}
	deepEvent    struct{ event }
	pointedEvent struct {
		Name string
		*big.Int
	}
	anyEvent struct {
		json.Marshaler
		Name string
	}
	stamp struct{ time.Time }
	ring  struct {
		*ring `json:"-"` //nolint:unused // embedding makes the cycle
		time.Time
	}
	noted struct {
		time.Time
		Cached string `json:"-"`
	}
	ownEvent struct {
		time.Time
		Name string
	}
	ownGeneric[T any] struct {
		netip.Addr
		Name T
	}
)

func (e ownEvent) MarshalText() ([]byte, error)        { return []byte(e.Name), nil }
func (e ownEvent) AppendText(b []byte) ([]byte, error) { return append(b, e.Name...), nil }
func (e *ownEvent) UnmarshalText(b []byte) error       { e.Name = string(b); return nil }
func (e ownEvent) MarshalJSON() ([]byte, error)        { return json.Marshal(e.Name) }
func (e *ownEvent) UnmarshalJSON(b []byte) error       { return json.Unmarshal(b, &e.Name) }
func (e ownEvent) GobEncode() ([]byte, error)          { return []byte(e.Name), nil }
func (e *ownEvent) GobDecode(b []byte) error           { e.Name = string(b); return nil }
func (g ownGeneric[T]) MarshalText() ([]byte, error)   { return json.Marshal(g.Name) }
func (g ownGeneric[T]) AppendText(b []byte) ([]byte, error) {
	data, err := json.Marshal(g.Name)
	return append(b, data...), err
}
func (g *ownGeneric[T]) UnmarshalText(b []byte) error { return json.Unmarshal(b, &g.Name) }

// TestPromotedMethods tries structs whose methods are promoted from an embedded field: they would
// store that field and drop the others.
func TestPromotedMethods(t *testing.T) {
	codecs := []codec.Codec{codec.Auto, codec.JSON, codec.Tagged, gob.Codec, codec.Versioned(codec.JSON)}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[event](), reflect.TypeFor[deepEvent](), reflect.TypeFor[pointedEvent](), reflect.TypeFor[[]event](),
		reflect.TypeFor[struct{ Inner event }](), reflect.TypeFor[map[string]event](),
		reflect.TypeFor[struct {
			time.Time
			Name string
		}](),
	} {
		for _, c := range codecs {
			require.ErrorContains(t, codec.CheckType(c, typ), "leaves out the other fields", "%s %s", c.Name(), typ)
		}
	}
	require.ErrorContains(t, codec.CheckType(codec.Text, reflect.TypeFor[event]()), "the AppendText of codec_test.event is that of its embedded Time")
	require.Error(t, codec.CheckType(codec.Text, reflect.TypeFor[*event]()))
	require.Error(t, codec.CheckType(codec.Auto, reflect.TypeFor[*event]()))
	require.Error(t, codec.CheckType(codec.Auto, reflect.TypeFor[map[event]int]()))
	require.Error(t, codec.CheckType(codec.Tagged, reflect.TypeFor[map[event]int]()))
	require.ErrorContains(t, codec.CheckType(codec.JSON, reflect.TypeFor[anyEvent]()), "the MarshalJSON of codec_test.anyEvent")
	own := func(t reflect.Type) bool { return t == reflect.TypeFor[event]() || t == reflect.TypeFor[ownEvent]() }
	require.ErrorContains(t, codec.CheckData(reflect.TypeFor[[]event](), own), "leave out the other fields")
	require.NoError(t, codec.CheckData(reflect.TypeFor[ownEvent](), own))

	for _, c := range codecs {
		require.NoError(t, codec.CheckType(c, reflect.TypeFor[stamp]()), c.Name())
		require.NoError(t, codec.CheckType(c, reflect.TypeFor[ownEvent]()), c.Name())
	}
	for _, c := range []codec.Codec{codec.Auto, codec.JSON, codec.Tagged, codec.Text} {
		require.NoError(t, codec.CheckType(c, reflect.TypeFor[ownGeneric[int]]()), c.Name())
		require.NoError(t, codec.CheckType(c, reflect.TypeFor[noted]()), c.Name())
	}
	require.NoError(t, codec.CheckType(codec.Auto, reflect.TypeFor[ring]()))
	stores(t, codec.Auto, ownEvent{Name: "n"}, "n")
}
