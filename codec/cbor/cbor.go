// Package cbor stores values as CBOR (RFC 8949), through github.com/fxamacker/cbor.
package cbor

import (
	"encoding"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/codec/internal/walk"
)

// Codec stores values as CBOR in the core deterministic encoding: equal values are equal bytes.
// Struct fields are named by their cbor tag, else by their json tag. Times are text in RFC 3339
// with nanoseconds and their offset in whole minutes. Strings are stored as text whether or not
// they are UTF-8, as in Go. An any gets int64 (or [math/big.Int]), float64, string, []byte, bool,
// []any and map[string]any: a time in it comes back as its text, and a struct as a map.
//
// The library writes a zero time as null, and a time whose offset is not in whole minutes as
// another instant. Codec therefore refuses the following, with an error that wraps
// [codec.ErrEncode]: a pointer or an interface that leads to a zero time, which would come back
// nil; a zero time with an offset; and a time whose offset is not in whole minutes.
//
// Codec refuses to decode maps that name a key twice, items of indefinite length, values nested
// more than a thousand deep, and null if the type as a whole has no nil. A time.Time has one. Null
// inside a value leaves numbers, strings and structs zero.
var Codec codec.Codec = &cborCodec{encMode(), decMode()}

type cborCodec struct {
	enc cbor.EncMode
	dec cbor.DecMode
}

func encMode() cbor.EncMode {
	options := cbor.CoreDetEncOptions()
	options.Time = cbor.TimeRFC3339Nano
	mode, err := options.EncMode()
	if err != nil {
		panic(err) // contradictory options: every start would show it
	}
	return mode
}

func decMode() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey:      cbor.DupMapKeyEnforcedAPF,
		IndefLength:    cbor.IndefLengthForbidden,
		IntDec:         cbor.IntDecConvertSignedOrBigInt,
		DefaultMapType: reflect.TypeFor[map[string]any](),
		UTF8:           cbor.UTF8DecodeInvalid,
		// The decoder checks that all items are there before it allocates room for any, so the
		// length of the data bounds their number.
		MaxArrayElements: 1<<31 - 1,
		MaxMapPairs:      1<<31 - 1,
		MaxNestedLevels:  1000,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return mode
}

func (*cborCodec) Name() string { return "cbor" }

// CheckType refuses types that CBOR has no form for, and types of which the library loses a part.
func (*cborCodec) CheckType(t reflect.Type) error {
	if err := codec.CheckData(t, own, tags...); err != nil {
		return err
	}
	return (&walk.Types{Own: own, Tags: tags, Visit: check}).Walk(t)
}

var tags = []string{"cbor", "json"}

// check returns an error if the library cannot hold values of type t itself, whatever its parts
// are.
func check(t reflect.Type, _ bool) error {
	switch p := reflect.PointerTo(t); {
	case t.Kind() == reflect.Uintptr:
		return fmt.Errorf("CBOR has no form for %s: use uint64", t)
	case p.Implements(binaryMarshaler) && !p.Implements(marshaler) && !p.Implements(binaryUnmarshaler) && !p.Implements(unmarshaler) && t != timeType && t != bigIntType,
		p.Implements(marshaler) && !p.Implements(unmarshaler):
		return fmt.Errorf("%s has a method that writes it and none that reads it: add UnmarshalCBOR or UnmarshalBinary", t)
	}
	return nil
}

var (
	timeType   = reflect.TypeFor[time.Time]()
	bigIntType = reflect.TypeFor[big.Int]()

	marshaler         = reflect.TypeFor[cbor.Marshaler]()
	unmarshaler       = reflect.TypeFor[cbor.Unmarshaler]()
	binaryMarshaler   = reflect.TypeFor[encoding.BinaryMarshaler]()
	binaryUnmarshaler = reflect.TypeFor[encoding.BinaryUnmarshaler]()
)

// Shape describes struct fields by their stored names. Types that define their own form are opaque.
func (*cborCodec) Shape(t reflect.Type) (codec.Shape, error) { return codec.ShapeData(t, own, tags...) }

// own reports whether t defines its own form, or is a type that the library knows.
func own(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t == timeType || t == bigIntType || p.Implements(marshaler) || p.Implements(binaryMarshaler)
}

// times inspects the times in a value before it is written.
var times = walk.Values{Own: own, Tags: tags, Leaf: func(t reflect.Type) walk.Look {
	if t != timeType {
		return nil
	}
	return look
}}

func look(v reflect.Value, optional bool) string {
	t, _ := reflect.TypeAssert[time.Time](v)
	_, offset := t.Zone()
	switch {
	case offset%60 != 0:
		return "RFC 3339 has offsets of whole minutes"
	case t.IsZero() && optional:
		return "a zero time in the place of a pointer or an interface would be read as nil"
	case t.IsZero() && offset != 0:
		return "a zero time has no offset"
	}
	return ""
}

// FixType returns Codec for values of type t, with the plan for inspecting them.
func (c *cborCodec) FixType(t reflect.Type) codec.Codec {
	if t.Kind() == reflect.Interface {
		return c // what is in it has a type of its own
	}
	return &fixed{c, times.Of(t)}
}

// fixed is Codec fixed to one type.
type fixed struct {
	*cborCodec
	times *walk.Plan
}

func (f *fixed) Append(dst []byte, v any) ([]byte, error) { return f.append(dst, v, f.times) }

func (c *cborCodec) Append(dst []byte, v any) ([]byte, error) {
	var inside *walk.Plan
	if v != nil {
		inside = times.Of(reflect.TypeOf(v))
	}
	return c.append(dst, v, inside)
}

func (c *cborCodec) append(dst []byte, v any, inside *walk.Plan) ([]byte, error) {
	if inside != nil {
		if reason := inside.Look(reflect.ValueOf(v)); reason != "" {
			return nil, codec.EncodeError(c.Name(), v, reason)
		}
	}
	b, err := c.enc.Marshal(v)
	if err != nil {
		reason := "a method of it gave an error"
		if unsupported := (*cbor.UnsupportedTypeError)(nil); errors.As(err, &unsupported) {
			reason = fmt.Sprintf("CBOR has no form for %s", unsupported.Type)
		}
		return nil, codec.EncodeError(c.Name(), v, reason)
	}
	if cap(dst)-len(dst) < len(b) {
		return slices.Insert(b, 0, dst...), nil // it mostly has room, while dst has none
	}
	return append(dst, b...), nil
}

func (c *cborCodec) Decode(data []byte, v any) error {
	if err := c.dec.Unmarshal(data, v); err != nil {
		// The library's message may quote keys and numbers.
		return codec.DecodeError(c.Name(), v, data, "not one CBOR item of this type")
	}
	if null, tagged := isNull(data); null {
		switch t := reflect.TypeOf(v).Elem(); {
		case !holdsNull(t):
			return codec.DecodeError(c.Name(), v, data, "null, which the type does not hold")
		case tagged && t.Kind() != reflect.Interface:
			return codec.DecodeError(c.Name(), v, data, "null with a tag")
		}
	}
	return nil
}

// isNull reports whether data, which is one item, is null or undefined, and whether a tag precedes
// it: the library takes a tagged null for a zero value of any type.
func isNull(data []byte) (null, tagged bool) {
	const (
		nothing   = 0xf6
		undefined = 0xf7
		majorType = 0xe0
		tag       = 0xc0
		argument  = 0x1f
		oneByte   = 24 // the argument is in one byte; the next three: two, four and eight
	)
	for len(data) > 1 && data[0]&majorType == tag {
		tagged = true
		size := 0
		if follows := int(data[0]&argument) - oneByte; follows >= 0 {
			size = 1 << follows
		}
		data = data[min(1+size, len(data)):]
	}
	return len(data) == 1 && (data[0] == nothing || data[0] == undefined), tagged
}

func holdsNull(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
		return true
	}
	return t == timeType || reflect.PointerTo(t).Implements(unmarshaler)
}
