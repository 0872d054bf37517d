// Package cbor stores values as CBOR (RFC 8949), through github.com/fxamacker/cbor.
package cbor

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/redisimnest/redisimnest/codec"
)

// Codec stores values as CBOR in the core deterministic encoding: equal values are equal bytes.
// Struct fields go by their cbor tag, else their json tag. Times are text in RFC 3339 with
// nanoseconds and their offset in whole minutes. Strings are stored as text whether or not they
// are UTF-8, as Go has them. An any gets int64 (or [math/big.Int]), float64, string, []byte,
// bool, []any and map[string]any.
//
// Maps that name a key twice, items of indefinite length, values nested more than a thousand
// deep, and null where the type as a whole has no nil are refused. Inside a value null leaves
// numbers, strings and structs zero.
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
		panic(err) // options that contradict each other: every start would show it
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
		// The decoder sees that all items are there before it makes room for any, so that the
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

// CheckType refuses types that CBOR has no form for.
func (*cborCodec) CheckType(t reflect.Type) error {
	return codec.CheckData(t, own, "cbor", "json")
}

var (
	timeType   = reflect.TypeFor[time.Time]()
	marshalers = []reflect.Type{
		reflect.TypeFor[cbor.Marshaler](),
		reflect.TypeFor[encoding.BinaryMarshaler](),
	}
)

// own tells whether t brings its own form, or is one that package cbor knows.
func own(t reflect.Type) bool {
	for _, m := range marshalers {
		if reflect.PointerTo(t).Implements(m) {
			return true
		}
	}
	return t == timeType || t.PkgPath() == "math/big"
}

func (c *cborCodec) Append(dst []byte, v any) ([]byte, error) {
	b, err := c.enc.Marshal(v)
	if err != nil {
		reason := "a method of it gave an error"
		if unsupported := (*cbor.UnsupportedTypeError)(nil); errors.As(err, &unsupported) {
			reason = fmt.Sprintf("CBOR has no form for %s", unsupported.Type)
		}
		return nil, codec.EncodeError(c.Name(), v, reason)
	}
	if cap(dst)-len(dst) < len(b) {
		return slices.Insert(b, 0, dst...), nil // which mostly has room, where dst has none
	}
	return append(dst, b...), nil
}

func (c *cborCodec) Decode(data []byte, v any) error {
	if err := c.dec.Unmarshal(data, v); err != nil {
		// What the library says may quote keys and numbers.
		return codec.DecodeError(c.Name(), v, data, "not one CBOR item of this type")
	}
	const null, undefined = 0xf6, 0xf7
	if len(data) == 1 && (data[0] == null || data[0] == undefined) && !holdsNull(reflect.TypeOf(v).Elem()) {
		return codec.DecodeError(c.Name(), v, data, "null, which the type does not hold")
	}
	return nil
}

func holdsNull(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
		return true
	}
	return reflect.PointerTo(t).Implements(reflect.TypeFor[cbor.Unmarshaler]())
}
