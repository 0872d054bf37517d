// Package gorediscache reads and writes the values of github.com/go-redis/cache, so that a service
// that used it can go on with the same keys: MessagePack, compressed with S2 from 64 bytes on.
package gorediscache

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/klauspost/compress/s2"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/codec/msgpack"
)

// Codec stores values as versions 8 and 9 of go-redis/cache do, and reads what they stored. A
// string and a []byte are stored unchanged. Every other value is MessagePack with struct fields
// named by their msgpack tag or their Go name, as in [msgpack.Plain], followed by one byte: 0, or 1
// if what stands before it is compressed with S2, which Codec does from 64 bytes on. Named types of
// strings and bytes are MessagePack, too.
//
// A value may decompress to at most 64 MiB; a larger one is an error, both when it is written and
// when it is read. No bytes at all, which go-redis/cache stores for a nil without a type, are an
// error: they stand for no value. A type that is an interface itself is refused, since nothing in a
// value says whether it is a string.
//
// What go-redis/cache stored can begin with any bytes, so [codec.Versioned] does not take this
// codec as [codec.Unversioned]: to move on to another codec, use another key, which a cache fills
// by itself.
var Codec codec.Codec = cacheCodec{}

type cacheCodec struct{}

const (
	plain      = 0x00
	compressed = 0x01

	threshold = 64
	maxSize   = 64 << 20
)

func (cacheCodec) Name() string { return "gorediscache" }

var (
	stringType = reflect.TypeFor[string]()
	bytesType  = reflect.TypeFor[[]byte]()
)

func isText(t reflect.Type) bool { return t == stringType || t == bytesType }

// CheckType refuses interfaces, and what [msgpack.Plain] refuses.
func (cacheCodec) CheckType(t reflect.Type) error {
	switch {
	case isText(t):
		return nil
	case t.Kind() == reflect.Interface:
		return fmt.Errorf("a string in %s would be stored unchanged, and nothing says so when it is read: declare the type", t)
	}
	return codec.CheckType(msgpack.Plain, t)
}

// Shape is a string, bytes, or that of [msgpack.Plain].
func (cacheCodec) Shape(t reflect.Type) (codec.Shape, error) {
	switch t {
	case stringType:
		return codec.Shape{Kind: "string"}, nil
	case bytesType:
		return codec.Shape{Kind: "bytes"}, nil
	}
	return codec.ShapeOf(msgpack.Plain, t)
}

// AnyBytes reports that values may begin with any bytes: text does, and so does what is compressed.
func (cacheCodec) AnyBytes(reflect.Type) bool { return true }

// FixType fixes the MessagePack inside.
func (c cacheCodec) FixType(t reflect.Type) codec.Codec {
	if isText(t) {
		return c
	}
	return &fixed{c, codec.FixType(msgpack.Plain, t)}
}

func (c cacheCodec) Append(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return append(dst, v...), nil
	case []byte:
		return append(dst, v...), nil
	}
	return c.pack(dst, v, msgpack.Plain)
}

func (c cacheCodec) Decode(data []byte, v any) error {
	switch v := v.(type) {
	case *string:
		if v == nil {
			return codec.DecodeError(c.Name(), v, data, notTarget)
		}
		*v = string(data)
		return nil
	case *[]byte:
		if v == nil {
			return codec.DecodeError(c.Name(), v, data, notTarget)
		}
		*v = append([]byte{}, data...)
		return nil
	}
	return c.unpack(data, v, msgpack.Plain)
}

const notTarget = "the target is not a pointer to a value"

// pack appends the MessagePack of v and its mark.
func (c cacheCodec) pack(dst []byte, v any, inner codec.Codec) ([]byte, error) {
	out, err := inner.Append(dst, v)
	if err != nil {
		return nil, c.named(err, codec.ErrEncode, func(reason string) error { return codec.EncodeError(c.Name(), v, reason) })
	}
	payload := out[len(dst):]
	switch {
	case len(payload) > maxSize:
		return nil, codec.EncodeError(c.Name(), v, fmt.Sprintf("%d bytes, of which %d are allowed", len(payload), maxSize))
	case len(payload) < threshold:
		return append(out, plain), nil
	}
	small := s2.Encode(nil, payload)
	return append(append(out[:len(dst)], small...), compressed), nil
}

// unpack decodes a marked value.
func (c cacheCodec) unpack(data []byte, v any, inner codec.Codec) error {
	refuse := func(reason string) error { return codec.DecodeError(c.Name(), v, data, reason) }
	if len(data) == 0 {
		return refuse("it is empty")
	}
	payload := data[:len(data)-1]
	switch data[len(payload)] {
	case plain:
	case compressed:
		size, err := s2.DecodedLen(payload)
		if err != nil || size > maxSize {
			return refuse("not compressed, or more than is allowed")
		}
		if payload, err = s2.Decode(nil, payload); err != nil {
			return refuse("not compressed with S2")
		}
	default:
		return refuse("its last byte is no mark of go-redis/cache")
	}
	if err := inner.Decode(payload, v); err != nil {
		return c.named(err, codec.ErrDecode, refuse)
	}
	return nil
}

// named returns an error of the codec inside under the name of this one.
func (cacheCodec) named(err, kind error, refuse func(reason string) error) error {
	if !errors.Is(err, kind) {
		return err
	}
	return refuse("the MessagePack inside: " + err.Error())
}

// fixed is Codec fixed to one type.
type fixed struct {
	cacheCodec
	inner codec.Codec
}

func (c *fixed) Append(dst []byte, v any) ([]byte, error) { return c.pack(dst, v, c.inner) }
func (c *fixed) Decode(data []byte, v any) error          { return c.unpack(data, v, c.inner) }
