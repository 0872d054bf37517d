// Package cbor stores values as CBOR (RFC 8949), through github.com/fxamacker/cbor.
package cbor

import (
	"reflect"

	"github.com/fxamacker/cbor/v2"

	"github.com/redisimnest/redisimnest/codec"
)

// Codec stores values as CBOR in the core deterministic encoding: equal values are equal bytes.
// Struct fields go by their cbor tag, else their json tag. Times are text in RFC 3339 with
// nanoseconds and their offset in whole minutes. Strings are stored as text whether or not they
// are UTF-8, as Go has them. A map that names a key twice is refused. An any gets int64 (or
// [math/big.Int]), float64, string, []byte, bool, []any and map[string]any.
var Codec codec.Codec = cborCodec{encoding(), decoding()}

type cborCodec struct {
	enc cbor.EncMode
	dec cbor.DecMode
}

const maxInt32 = 1<<31 - 1

func encoding() cbor.EncMode {
	options := cbor.CoreDetEncOptions()
	options.Time = cbor.TimeRFC3339Nano
	mode, err := options.EncMode()
	if err != nil {
		panic(err) // the options contradict each other: seen at the first start
	}
	return mode
}

func decoding() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey:      cbor.DupMapKeyEnforcedAPF,
		IntDec:         cbor.IntDecConvertSignedOrBigInt,
		DefaultMapType: reflect.TypeFor[map[string]any](),
		UTF8:           cbor.UTF8DecodeInvalid,
		IndefLength:    cbor.IndefLengthForbidden,
		// The decoder sees that all elements are there before it makes room for any, so the
		// length of the data is bound enough.
		MaxArrayElements: maxInt32,
		MaxMapPairs:      maxInt32,
		MaxNestedLevels:  1000,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return mode
}

func (cborCodec) Name() string { return "cbor" }

// CheckType refuses what CBOR has no form for, and interfaces that nothing can be read into.
func (cborCodec) CheckType(t reflect.Type) error { return check{}.value(t) }

func (c cborCodec) Append(dst []byte, v any) ([]byte, error) {
	b, err := c.enc.Marshal(v)
	if err != nil {
		return nil, codec.EncodeError(c.Name(), v, "CBOR has no form for it, or a method of it gave an error")
	}
	if cap(dst) == 0 {
		return b, nil
	}
	return append(dst, b...), nil
}

func (c cborCodec) Decode(data []byte, v any) error {
	if err := c.dec.Unmarshal(data, v); err != nil {
		return codec.DecodeError(c.Name(), v, data, reason(err))
	}
	return nil
}
