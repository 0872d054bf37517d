package codec

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"errors"
	"fmt"
	"reflect"
	"sync"
)

// Gob stores values as encoding/gob does. Every value carries the description of its type, so
// it is large and slow for small values; it reads values of older and newer structs, by field
// name. It holds neither pointers at the top nor interfaces. What gob does not tell apart stays
// so: in a struct a nil and an empty slice or map, and a nil pointer and one to a zero value.
// Equal values need not have equal bytes.
var Gob Codec = gobCodec{}

type gobCodec struct{}

func (gobCodec) Name() string { return "gob" }

func (gobCodec) CheckType(t reflect.Type) error {
	if t.Kind() == reflect.Pointer {
		return fmt.Errorf("gob has no form for a nil pointer: use %s", t.Elem())
	}
	return gobTraits(t).err
}

func (c gobCodec) Append(dst []byte, v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	if !rv.IsValid() || rv.Kind() == reflect.Pointer && rv.IsNil() {
		return nil, EncodeError(c.Name(), v, "gob has no form for nil")
	}
	out := appender(dst)
	if err := gob.NewEncoder(&out).EncodeValue(rv); err != nil {
		return nil, EncodeError(c.Name(), v, "gob has no form for this value, or a method of it gave an error")
	}
	return out, nil
}

func (c gobCodec) Decode(data []byte, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return DecodeError(c.Name(), v, data, notTarget)
	}
	traits := gobTraits(p.Type().Elem())
	if traits.err != nil {
		return DecodeError(c.Name(), v, data, traits.err.Error())
	}
	return (&gobFixed{c, traits}).Decode(data, v)
}

func (c gobCodec) FixType(t reflect.Type) Codec { return &gobFixed{c, gobTraits(t)} }

// gobFixed is Gob for one type.
type gobFixed struct {
	gobCodec
	traits traits
}

func (c *gobFixed) Decode(data []byte, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return DecodeError(c.Name(), v, data, notTarget)
	}
	if c.traits.maps {
		// The decoder makes room for as many entries as a map says it has. To read the value
		// into nothing first proves that they are there.
		if err := decodeGob(data, reflect.Value{}); err != nil {
			return DecodeError(c.Name(), v, data, err.Error())
		}
	}
	if err := decodeGob(data, p); err != nil {
		return DecodeError(c.Name(), v, data, err.Error())
	}
	return nil
}

// decodeGob hides what gob says, whose errors may quote names from the data, and turns its
// panics into errors: encoding/gob does not promise to stand up to damaged input, and does not.
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

// traits is what Gob needs to know of a type.
type traits struct {
	maps bool  // it has a map somewhere
	err  error // why gob cannot hold it
}

var knownTraits sync.Map // reflect.Type → traits

func gobTraits(t reflect.Type) traits {
	if known, ok := knownTraits.Load(t); ok {
		return known.(traits)
	}
	maps, err := gobCheck{}.value(t)
	known := traits{maps, err}
	knownTraits.Store(t, known)
	return known
}

var (
	gobEncoderType      = reflect.TypeFor[gob.GobEncoder]()
	binaryMarshalerType = reflect.TypeFor[encoding.BinaryMarshaler]()
)

// gobCheck holds the types already seen: types may contain themselves.
type gobCheck map[reflect.Type]bool

func (c gobCheck) value(t reflect.Type) (maps bool, err error) {
	if c[t] {
		return false, nil
	}
	c[t] = true
	if err := checkPromoted(t, gobMethods); err != nil {
		return false, err
	}
	if p := reflect.PointerTo(t); p.Implements(gobEncoderType) || p.Implements(binaryMarshalerType) {
		return false, nil
	}
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return false, fmt.Errorf("gob has no form for %s", t)
	case reflect.Interface:
		return false, fmt.Errorf("codec.Gob does not hold interfaces such as %s", t)
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return c.value(t.Elem())
	case reflect.Map:
		if _, err := c.value(t.Key()); err != nil {
			return true, err
		}
		_, err := c.value(t.Elem())
		return true, err
	case reflect.Struct:
		return c.structure(t)
	}
	return false, nil
}

func (c gobCheck) structure(t reflect.Type) (maps bool, err error) {
	fields := 0
	for f := range t.Fields() {
		if !f.IsExported() || f.Type.Kind() == reflect.Chan || f.Type.Kind() == reflect.Func {
			continue // gob leaves these out
		}
		fields++
		m, err := c.value(f.Type)
		if err != nil {
			return false, fmt.Errorf("field %s: %w", f.Name, err)
		}
		maps = maps || m
	}
	if fields == 0 {
		return false, fmt.Errorf("%s has no exported fields for gob to store", t)
	}
	return maps, nil
}
