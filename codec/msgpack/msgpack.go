// Package msgpack stores values as MessagePack, through github.com/vmihailenco/msgpack.
package msgpack

import (
	"encoding"
	"errors"
	"reflect"
	"slices"
	"sync"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/redisimnest/redisimnest/codec"
)

// Codec stores values as MessagePack. Struct fields go by their msgpack tag, else their json
// tag. Integers take as few bytes as they can. Times are instants: they come back in the local
// zone, with nanoseconds. An any gets int64 (uint64 where the stored form is unsigned, as of
// most integers above 127), float64, string, []byte, bool, []any and map[string]any. Only the
// keys of map[string]string, map[string]bool and map[string]any are written in order.
//
// An integer that does not fit in the Go type is refused, which the library alone would cut,
// as are values nested more than a thousand deep, and nil where the type as a whole has none.
// Inside a value nil leaves numbers, strings and structs zero.
var Codec codec.Codec = msgpackCodec{}

type msgpackCodec struct{}

func (msgpackCodec) Name() string { return "msgpack" }

// CheckType refuses types that MessagePack has no form for.
func (msgpackCodec) CheckType(t reflect.Type) error {
	return codec.CheckData(t, own, "msgpack", "json")
}

var marshalers = []reflect.Type{
	reflect.TypeFor[msgpack.CustomEncoder](),
	reflect.TypeFor[msgpack.Marshaler](),
	reflect.TypeFor[encoding.BinaryMarshaler](),
	reflect.TypeFor[encoding.TextMarshaler](),
}

// own tells whether t brings its own form.
func own(t reflect.Type) bool {
	return slices.ContainsFunc(marshalers, reflect.PointerTo(t).Implements)
}

const (
	notMsgpack = "not one MessagePack value of this type"
	notHeld    = "nil, which the type does not hold"
	notTarget  = "the target is not a pointer to a value"
	outOfRange = "an integer that its type does not hold"
)

func (c msgpackCodec) Append(dst []byte, v any) ([]byte, error) {
	e := encoders.Get().(*encoder)
	e.out = e.out[:0]
	e.enc.ResetWriter(&e.out)
	err := e.enc.Encode(v)
	if err == nil {
		dst = append(dst, e.out...)
	}
	if cap(e.out) <= keptRoom {
		encoders.Put(e)
	}
	if err != nil {
		return nil, codec.EncodeError(c.Name(), v, "MessagePack has no form for it, or a method of it gave an error")
	}
	return dst, nil
}

func (c msgpackCodec) Decode(data []byte, v any) error {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return codec.DecodeError(c.Name(), v, data, notTarget)
	}
	return (&fixed{c, shapeOf(target.Type().Elem())}).Decode(data, v)
}

// FixType remembers the shape of the type.
func (c msgpackCodec) FixType(t reflect.Type) codec.Codec { return &fixed{c, shapeOf(t)} }

// fixed is Codec for one type.
type fixed struct {
	msgpackCodec
	shape *shape
}

func (c *fixed) Decode(data []byte, v any) error {
	numbers, ok := scan(data)
	if !ok {
		return codec.DecodeError(c.Name(), v, data, notMsgpack)
	}
	if data[0] == codeNil {
		if !c.shape.null {
			return codec.DecodeError(c.Name(), v, data, notHeld)
		}
		if target := reflect.ValueOf(v); target.Kind() != reflect.Pointer || target.IsNil() { // the library asks only where there is something
			return codec.DecodeError(c.Name(), v, data, notTarget)
		}
	}
	if !c.shape.narrow.hold(numbers) && !c.shape.fits(&reader{data: data}) {
		return codec.DecodeError(c.Name(), v, data, outOfRange)
	}
	if err := decode(data, v); err != nil {
		// What the library says may quote the data.
		return codec.DecodeError(c.Name(), v, data, notMsgpack)
	}
	return nil
}

func holdsNil(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
		return true
	}
	return false
}

// decode turns panics into errors: the library has one for nil in the place of a struct with a
// method of its own.
func decode(data []byte, v any) (err error) {
	d := decoders.Get().(*decoder)
	defer func() {
		if recover() != nil {
			err = errors.New("decoding panicked")
			return // without the decoder, whose state nobody knows
		}
		d.in = reader{}
		if len(data) <= keptRoom {
			decoders.Put(d)
		}
	}()
	d.in.data = data
	d.dec.ResetReader(&d.in)
	return d.dec.Decode(v)
}

// keptRoom is how many bytes of room an encoder or decoder may keep between two values.
const keptRoom = 64 << 10

// encoder is an encoder with the options of Codec and what it writes to.
type encoder struct {
	enc *msgpack.Encoder
	out appender
}

var encoders = sync.Pool{New: func() any {
	e := &encoder{enc: msgpack.NewEncoder(nil)}
	e.enc.SetCustomStructTag("json")
	e.enc.SetSortMapKeys(true)
	e.enc.UseCompactInts(true)
	return e
}}

type decoder struct {
	dec *msgpack.Decoder
	in  reader
}

var decoders = sync.Pool{New: func() any {
	d := &decoder{dec: msgpack.NewDecoder(nil)}
	d.dec.SetCustomStructTag("json")
	d.dec.UsePreallocateValues(true)
	d.dec.DisableAllocLimit(true) // scan has seen that all is there
	d.dec.UseLooseInterfaceDecoding(true)
	return d
}}

// appender is a writer that appends.
type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

func (a *appender) WriteByte(b byte) error {
	*a = append(*a, b)
	return nil
}
