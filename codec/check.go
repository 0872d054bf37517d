package codec

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
)

// CheckData is a [TypeChecker] for codecs that store what the exported fields of structs hold:
// it walks through t and gives an error at what is no data (channels, functions, complex
// numbers, unsafe pointers), at interfaces with methods, into which nothing can be read, and
// at structs that have fields but show none, of which nothing would be stored, or that are stored
// by the method of one embedded field, which knows nothing of the others. Types for which
// own gives true bring their own form. Fields that one of the struct tags names "-" are left
// out.
func CheckData(t reflect.Type, own func(reflect.Type) bool, tags ...string) error {
	return dataCheck{own: own, tags: tags, seen: map[reflect.Type]bool{}}.value(t)
}

// dataCheck is one walk through a type, which may contain itself.
type dataCheck struct {
	own     func(reflect.Type) bool
	tags    []string
	mapping func(reflect.Type) error // what else is asked of a map type; may be nil
	methods [][]string               // by which types bring their own form, if that is known
	seen    map[reflect.Type]bool
}

func (c dataCheck) promoted(t reflect.Type) error {
	switch {
	case c.methods != nil:
		return checkPromoted(t, c.methods, c.tags...)
	case c.own(t):
		return checkAllPromoted(t, c.tags)
	}
	return nil
}

func (c dataCheck) value(t reflect.Type) error {
	if c.seen[t] {
		return nil
	}
	c.seen[t] = true
	if err := c.promoted(t); err != nil {
		return err
	}
	if c.own(t) {
		return nil
	}
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		return fmt.Errorf("there is no form for %s", t)
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return fmt.Errorf("nothing tells which type to read into the interface %s", t)
		}
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return c.value(t.Elem())
	case reflect.Map:
		if c.mapping != nil {
			if err := c.mapping(t); err != nil {
				return err
			}
		} else if err := c.value(t.Key()); err != nil {
			return err
		}
		return c.value(t.Elem())
	case reflect.Struct:
		return c.structure(t)
	}
	return nil
}

func (c dataCheck) structure(t reflect.Type) error {
	hidden, shown := 0, 0
	for f := range t.Fields() {
		embeds := f.Anonymous && embedded(f.Type)
		switch {
		case f.Name == "_" || f.Name == "_msgpack":
			continue
		case slices.ContainsFunc(c.tags, func(tag string) bool { return f.Tag.Get(tag) == "-" }):
			shown++ // left out on purpose
			continue
		case !f.IsExported() && !embeds:
			hidden++
			continue
		case !f.IsExported() && f.Type.Kind() == reflect.Pointer:
			return fmt.Errorf("the embedded pointer %s cannot be set, as it is not exported", f.Name)
		}
		shown++
		if err := c.value(f.Type); err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
	}
	if hidden > 0 && shown == 0 {
		return fmt.Errorf("%s has no exported fields: nothing would be stored", t)
	}
	return nil
}

// embedded tells whether the fields of an embedded field of type t count as the outer struct's.
func embedded(t reflect.Type) bool {
	return t.Kind() == reflect.Struct || t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct
}

var (
	jsonMarshalerType   = reflect.TypeFor[json.Marshaler]()
	jsonUnmarshalerType = reflect.TypeFor[json.Unmarshaler]()
	rawMessageType      = reflect.TypeFor[json.RawMessage]()
)

// checkJSON gives an error if encoding/json can never write values of type t, never read them
// again, or would drop what they hold without a word.
func checkJSON(t reflect.Type) error {
	return dataCheck{
		own:     func(t reflect.Type) bool { return ownJSON(reflect.PointerTo(t)) },
		tags:    []string{"json"},
		mapping: checkJSONMap,
		methods: jsonMethods,
		seen:    map[reflect.Type]bool{},
	}.value(t)
}

func checkJSONMap(t reflect.Type) error {
	key, elem := t.Key(), t.Elem()
	switch formOf(key) {
	case formString, formInt, formUint:
	default:
		if !key.Implements(textMarshalerType) || !reflect.PointerTo(key).Implements(textUnmarshalerType) {
			return fmt.Errorf("JSON has no form for map keys of type %s", key)
		}
		if err := checkPromoted(pointee(key), [][]string{{"MarshalText"}, {"UnmarshalText"}}, "json"); err != nil {
			return err
		}
	}
	if elem.Kind() != reflect.Pointer && ownJSON(reflect.PointerTo(elem)) && !ownJSON(elem) {
		return fmt.Errorf("the methods of *%s are not used for the values of %s: make them pointers", elem, t)
	}
	return nil
}

// ownJSON tells whether type t brings its own way to be written.
func ownJSON(t reflect.Type) bool {
	return t.Implements(jsonMarshalerType) || t.Implements(textMarshalerType)
}
