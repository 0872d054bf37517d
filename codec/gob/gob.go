// Package gob stores values as package encoding/gob does. It is a package of its own, since the
// library takes a fifth of a megabyte in every program that links it.
package gob

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/codec/internal/walk"
)

// Codec stores values as encoding/gob does. Every value carries the description of its type, so it
// is large and slow for small values. It reads values of older and newer structs, by field name. It
// holds neither pointers at the top nor interfaces. Codec does not distinguish a nil from an empty
// slice or map in a struct, nor a nil pointer from a pointer to a zero value. Equal values need not
// have equal bytes.
//
// What the library would silently leave out is refused where it is declared: exported fields of an
// embedded struct whose type is not exported, channels and functions. A time is a
// [codec.ErrEncode] if its offset from UTC is negative and not in whole minutes, since package time
// would read it back with another offset.
var Codec codec.Codec = gobCodec{}

type gobCodec struct{}

func (gobCodec) Name() string { return "gob" }

func (gobCodec) CheckType(t reflect.Type) error {
	if t.Kind() == reflect.Pointer {
		return fmt.Errorf("gob has no form for a nil pointer: use %s", t.Elem())
	}
	return gobTraits(t).err
}

func (c gobCodec) Append(dst []byte, v any) ([]byte, error) {
	if v == nil {
		return nil, codec.EncodeError(c.Name(), v, noGobOfNil)
	}
	return (&gobFixed{c, gobTraits(reflect.TypeOf(v))}).Append(dst, v)
}

const (
	noGobOfNil = "gob has no form for nil"
	notTarget  = "the target is not a pointer to a value"
)

func (c gobCodec) Decode(data []byte, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return codec.DecodeError(c.Name(), v, data, notTarget)
	}
	traits := gobTraits(p.Type().Elem())
	if traits.err != nil {
		return codec.DecodeError(c.Name(), v, data, traits.err.Error())
	}
	return (&gobFixed{c, traits}).Decode(data, v)
}

// Shape describes exported fields by their Go names. Types that write their own gob are opaque.
func (gobCodec) Shape(t reflect.Type) (codec.Shape, error) { return codec.ShapeNested(t, ownGob) }

func (c gobCodec) FixType(t reflect.Type) codec.Codec { return &gobFixed{c, gobTraits(t)} }

// gobFixed is Codec fixed to one type.
type gobFixed struct {
	gobCodec
	traits traits
}

func (c *gobFixed) Append(dst []byte, v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	if !rv.IsValid() || rv.Kind() == reflect.Pointer && rv.IsNil() {
		return nil, codec.EncodeError(c.Name(), v, noGobOfNil)
	}
	if c.traits.err != nil {
		return nil, codec.EncodeError(c.Name(), v, c.traits.err.Error())
	}
	if reason := c.traits.times.Look(rv); reason != "" {
		return nil, codec.EncodeError(c.Name(), v, reason)
	}
	if c.traits.hides {
		p := reflect.New(rv.Type()) // a copy, so that methods of the pointer are found too
		p.Elem().Set(rv)
		rv = p
	}
	out, err := encodeGob(dst, rv)
	if err != nil {
		return nil, codec.EncodeError(c.Name(), v, err.Error())
	}
	return out, nil
}

// encodeGob turns panics into errors: encoding/gob calls methods on nil pointers.
func encodeGob(dst []byte, v reflect.Value) (out []byte, err error) {
	defer func() {
		if recover() != nil {
			out, err = nil, errors.New("encoding it panicked: perhaps a method was called of a nil pointer")
		}
	}()
	a := appender(dst)
	if err := gob.NewEncoder(&a).EncodeValue(v); err != nil {
		return nil, errors.New("gob has no form for this value, or a method of it gave an error")
	}
	return a, nil
}

func (c *gobFixed) Decode(data []byte, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return codec.DecodeError(c.Name(), v, data, notTarget)
	}
	if c.traits.maps {
		// The decoder allocates room for as many entries as a map claims to have. Reading the value
		// into nothing first proves that they are there.
		if err := decodeGob(data, reflect.Value{}); err != nil {
			return codec.DecodeError(c.Name(), v, data, err.Error())
		}
	}
	if err := decodeGob(data, p); err != nil {
		return codec.DecodeError(c.Name(), v, data, err.Error())
	}
	return nil
}

// decodeGob hides gob's errors, which may quote names from the data, and turns its panics into
// errors: encoding/gob does not promise to withstand damaged input, and does not.
func decodeGob(data []byte, p reflect.Value) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("not a gob: decoding it panicked")
		}
	}()
	r := bytes.NewReader(data)
	if err := gob.NewDecoder(r).DecodeValue(p); err != nil {
		return errors.New("not a gob of this type")
	}
	if r.Len() > 0 {
		return errors.New("data after the value")
	}
	return nil
}

// appender is a writer that appends.
type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// traits is what Codec needs to know about a type.
type traits struct {
	maps  bool       // it contains a map somewhere
	hides bool       // a method of a pointer to a value may be called
	times *walk.Plan // where its times are; nil if there are none
	err   error      // why gob cannot hold it
}

var knownTraits sync.Map // reflect.Type → traits

func gobTraits(t reflect.Type) traits {
	if known, ok := knownTraits.Load(t); ok {
		return known.(traits)
	}
	var known traits
	known.err = (&walk.Types{Own: ownGob, Named: true, Visit: func(t reflect.Type, addressable bool) error {
		known.maps = known.maps || t.Kind() == reflect.Map
		known.hides = known.hides || ownGob(t) && !writesGob(t)
		return checkGob(t, addressable)
	}}).Walk(t)
	if known.err == nil {
		known.times = gobTimes.Of(t)
	}
	knownTraits.Store(t, known)
	return known
}

// gobMethods are the methods by which a type defines its own form.
var gobMethods = [][]string{{"GobEncode", "MarshalBinary"}, {"GobDecode", "UnmarshalBinary"}}

var (
	timeType              = reflect.TypeFor[time.Time]()
	gobEncoderType        = reflect.TypeFor[gob.GobEncoder]()
	gobDecoderType        = reflect.TypeFor[gob.GobDecoder]()
	binaryMarshalerType   = reflect.TypeFor[encoding.BinaryMarshaler]()
	binaryUnmarshalerType = reflect.TypeFor[encoding.BinaryUnmarshaler]()
)

// ownGob reports whether a method of t, or of a pointer to it, defines its form in gob.
func ownGob(t reflect.Type) bool {
	return t.Kind() != reflect.Pointer && writesGob(reflect.PointerTo(t))
}

func writesGob(t reflect.Type) bool {
	return t.Implements(gobEncoderType) || t.Implements(binaryMarshalerType)
}

// checkGob returns an error if gob cannot hold values of type t itself, whatever its parts are.
func checkGob(t reflect.Type, addressable bool) error {
	if err := walk.CheckPromoted(t, gobMethods); err != nil {
		return err
	}
	if ownGob(t) {
		p := reflect.PointerTo(t)
		switch {
		case !p.Implements(gobDecoderType) && !p.Implements(binaryUnmarshalerType):
			return fmt.Errorf("%s has a method that writes it and none that reads it: add GobDecode or UnmarshalBinary", t)
		case !addressable && !writesGob(t):
			return fmt.Errorf("gob does not use the methods of *%s in a map: make them pointers", t)
		}
		return nil
	}
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return fmt.Errorf("gob has no form for %s", t)
	case reflect.Interface:
		return fmt.Errorf("gob.Codec does not hold interfaces such as %s", t)
	case reflect.Struct:
		return checkGobFields(t)
	}
	return nil
}

func checkGobFields(t reflect.Type) error {
	shown := 0
	for f := range t.Fields() {
		switch kind := f.Type.Kind(); {
		case f.IsExported() && kind != reflect.Chan && kind != reflect.Func:
			shown++
		case f.IsExported():
		case f.Anonymous && showsFields(walk.Pointee(f.Type), map[reflect.Type]bool{}):
			return fmt.Errorf("gob would leave out the fields of the embedded %s, whose type is not exported: export it, or name the field", f.Name)
		}
	}
	if shown == 0 {
		return fmt.Errorf("%s has no exported fields for gob to store", t)
	}
	return nil
}

// showsFields reports whether a struct type has exported fields, its own or embedded ones.
func showsFields(t reflect.Type, seen map[reflect.Type]bool) bool {
	if t.Kind() != reflect.Struct || seen[t] {
		return false
	}
	seen[t] = true
	for f := range t.Fields() {
		if f.IsExported() || f.Anonymous && showsFields(walk.Pointee(f.Type), seen) {
			return true
		}
	}
	return false
}

// gobTimes inspects the times in a value before gob writes it.
var gobTimes = walk.Values{Own: ownGob, Leaf: func(t reflect.Type) walk.Look {
	if t != timeType {
		return nil
	}
	return func(v reflect.Value, _ bool) string {
		t, _ := reflect.TypeAssert[time.Time](v)
		if _, offset := t.Zone(); offset%60 < 0 {
			return "package time does not read back an offset of a negative number of seconds"
		}
		return ""
	}
}}
