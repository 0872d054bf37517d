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
	"github.com/redisimnest/redisimnest/codec/internal/walk"
)

// Codec stores values as MessagePack. Struct fields are named by their msgpack tag, else by their
// json tag. Integers take as few bytes as they can. Times are instants: they come back in the local
// zone, with nanoseconds. An any gets int64 (uint64 if the stored form is unsigned, as for most
// integers above 127), float64, string, []byte, bool, []any and map[string]any. Only the keys of
// map[string]string, map[string]bool and map[string]any are written in order.
//
// Types of which the library loses a part are refused at the declaration: those with two fields of
// one name, with an embedded pointer, or with methods of a pointer in a map, among others.
//
// Codec refuses an integer that does not fit in the Go type, which the library alone would
// truncate. It also refuses values nested more than a thousand deep, and nil if the type as a whole
// has none. Nil inside a value leaves numbers, strings and structs zero.
var Codec codec.Codec = msgpackCodec{newDialect("msgpack", "msgpack", "json")}

// Plain is Codec without the json tags: fields have the name in their msgpack tag, or their Go
// name. So the library writes them unless it is told otherwise, as in values of go-redis/cache,
// which package gorediscache reads.
var Plain codec.Codec = msgpackCodec{newDialect("msgpack-plain", "msgpack")}

type msgpackCodec struct{ *dialect }

// dialect is what distinguishes the codecs of this package.
type dialect struct {
	name     string
	tags     []string
	known    sync.Map // reflect.Type → *shape
	encoders sync.Pool
	decoders sync.Pool
}

func newDialect(name string, tags ...string) *dialect {
	d := &dialect{name: name, tags: tags}
	d.encoders.New = func() any {
		e := &encoder{enc: msgpack.NewEncoder(nil)}
		e.enc.SetCustomStructTag(tags[len(tags)-1])
		e.enc.SetSortMapKeys(true)
		e.enc.UseCompactInts(true)
		return e
	}
	d.decoders.New = func() any {
		d := &decoder{dec: msgpack.NewDecoder(nil)}
		d.dec.SetCustomStructTag(tags[len(tags)-1])
		d.dec.UsePreallocateValues(true)
		d.dec.DisableAllocLimit(true) // scan has checked that everything is there
		d.dec.UseLooseInterfaceDecoding(true)
		return d
	}
	return d
}

func (c msgpackCodec) Name() string { return c.name }

// CheckType refuses types that MessagePack has no form for, and types of which the library loses a
// part.
func (c msgpackCodec) CheckType(t reflect.Type) error {
	if err := codec.CheckData(t, own, c.tags...); err != nil {
		return err
	}
	return (&walk.Types{Own: own, Tags: c.tags, Visit: c.check}).Walk(t)
}

// Shape describes struct fields by their stored names. Types that define their own form are opaque.
func (c msgpackCodec) Shape(t reflect.Type) (codec.Shape, error) {
	return codec.ShapeData(t, own, c.tags...)
}

var marshalers = []reflect.Type{
	reflect.TypeFor[msgpack.CustomEncoder](),
	reflect.TypeFor[msgpack.Marshaler](),
	reflect.TypeFor[encoding.BinaryMarshaler](),
	reflect.TypeFor[encoding.TextMarshaler](),
}

// own reports whether t defines its own form.
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
	if t := reflect.TypeOf(v); t != nil && c.shapeOf(t).address {
		v = addressed(v)
	}
	return c.append(dst, v)
}

// addressed returns a pointer to a copy of v, which is encoded as v is.
func addressed(v any) any {
	p := reflect.New(reflect.TypeOf(v))
	p.Elem().Set(reflect.ValueOf(v))
	return p.Interface()
}

func (c msgpackCodec) append(dst []byte, v any) ([]byte, error) {
	e := c.encoders.Get().(*encoder)
	e.out = e.out[:0]
	e.enc.ResetWriter(&e.out)
	ok, panicked := e.encode(v)
	if ok {
		dst = append(dst, e.out...)
	}
	if cap(e.out) <= keptRoom && !panicked {
		c.encoders.Put(e)
	}
	if !ok {
		return nil, codec.EncodeError(c.Name(), v, "MessagePack has no form for it, or a method of it gave an error")
	}
	return dst, nil
}

func (c msgpackCodec) Decode(data []byte, v any) error {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return codec.DecodeError(c.Name(), v, data, notTarget)
	}
	return (&fixed{c, c.shapeOf(target.Type().Elem())}).Decode(data, v)
}

// FixType returns Codec with the shape of t, so that it is not looked up again.
func (c msgpackCodec) FixType(t reflect.Type) codec.Codec { return &fixed{c, c.shapeOf(t)} }

// fixed is Codec fixed to one type.
type fixed struct {
	msgpackCodec
	shape *shape
}

func (c *fixed) Append(dst []byte, v any) ([]byte, error) {
	if c.shape.address && v != nil {
		v = addressed(v)
	}
	return c.append(dst, v)
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
		// The library checks this only when there is a value.
		if target := reflect.ValueOf(v); target.Kind() != reflect.Pointer || target.IsNil() {
			return codec.DecodeError(c.Name(), v, data, notTarget)
		}
	}
	if !c.shape.narrow.hold(numbers) && !c.shape.fits(&reader{data: data}) {
		return codec.DecodeError(c.Name(), v, data, outOfRange)
	}
	if err := c.decode(data, v); err != nil {
		// The library's message may quote the data.
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

// decode turns panics into errors: the library panics on nil in place of a struct with a method of
// its own.
func (c msgpackCodec) decode(data []byte, v any) (err error) {
	d := c.decoders.Get().(*decoder)
	defer func() {
		if recover() != nil {
			err = errors.New("decoding panicked")
			return // drop the decoder, whose state is unknown
		}
		d.in = reader{}
		if len(data) <= keptRoom {
			c.decoders.Put(d)
		}
	}()
	d.in.data = data
	d.dec.ResetReader(&d.in)
	return d.dec.Decode(v)
}

// keptRoom is how many bytes of room an encoder or decoder may keep from one value to the next.
const keptRoom = 64 << 10

// encoder is an encoder with the options of Codec, and its output.
type encoder struct {
	enc *msgpack.Encoder
	out appender
}

// encode turns panics into errors: the library panics on an array of a named byte type in an any.
func (e *encoder) encode(v any) (ok, panicked bool) {
	defer func() {
		if recover() != nil {
			ok, panicked = false, true
		}
	}()
	return e.enc.Encode(v) == nil, false
}

type decoder struct {
	dec *msgpack.Decoder
	in  reader
}

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
