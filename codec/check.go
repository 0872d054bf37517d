package codec

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

var (
	jsonMarshalerType   = reflect.TypeFor[json.Marshaler]()
	jsonUnmarshalerType = reflect.TypeFor[json.Unmarshaler]()
)

// checkJSON gives an error if encoding/json can never write values of type t, never read them
// again, or would drop what they hold without a word.
func checkJSON(t reflect.Type) error {
	return jsonCheck{}.value(t)
}

// jsonCheck holds the types already seen: types may contain themselves.
type jsonCheck map[reflect.Type]bool

func (c jsonCheck) value(t reflect.Type) error {
	if c[t] {
		return nil
	}
	c[t] = true
	if ownJSON(reflect.PointerTo(t)) {
		return nil
	}
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		return fmt.Errorf("JSON has no form for %s", t)
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return fmt.Errorf("JSON cannot tell which type to read into the interface %s", t)
		}
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return c.value(t.Elem())
	case reflect.Map:
		return c.mapping(t)
	case reflect.Struct:
		return c.structure(t)
	}
	return nil
}

func (c jsonCheck) mapping(t reflect.Type) error {
	key := t.Key()
	switch key.Kind() {
	case reflect.String,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
	default:
		if !key.Implements(textMarshalerType) || !reflect.PointerTo(key).Implements(textUnmarshalerType) {
			return fmt.Errorf("JSON has no form for map keys of type %s", key)
		}
	}
	elem := t.Elem()
	if elem.Kind() != reflect.Pointer && ownJSON(reflect.PointerTo(elem)) && !ownJSON(elem) {
		return fmt.Errorf("the methods of *%s are not used for the values of %s: make them pointers", elem, t)
	}
	return c.value(elem)
}

func (c jsonCheck) structure(t reflect.Type) error {
	hidden, shown := 0, 0
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		switch {
		case f.Name == "_":
			continue
		case tag == "-":
			shown++ // left out on purpose
			continue
		case !f.IsExported() && !(f.Anonymous && embeds(f.Type)):
			hidden++
			continue
		case !f.IsExported() && f.Type.Kind() == reflect.Pointer:
			return fmt.Errorf("JSON cannot set the embedded pointer %s, which is not exported", f.Name)
		}
		shown++
		if err := c.value(f.Type); err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
	}
	if hidden > 0 && shown == 0 {
		return errors.New("none of the fields of " + t.String() + " is exported, so JSON would store nothing")
	}
	return nil
}

// embeds tells whether the fields of an embedded field of type t count as the outer struct's.
func embeds(t reflect.Type) bool {
	return t.Kind() == reflect.Struct || t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct
}

// ownJSON tells whether type t brings its own way to be written.
func ownJSON(t reflect.Type) bool {
	return t.Implements(jsonMarshalerType) || t.Implements(textMarshalerType)
}
