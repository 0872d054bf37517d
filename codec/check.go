package codec

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/redisimnest/redisimnest/codec/internal/walk"
)

// CheckData is a [TypeChecker] for codecs that store the exported fields of structs. It walks
// through t and returns an error if it finds
//
//   - a type that is not data: a channel, a function, a complex number or an unsafe pointer,
//   - an interface with methods, into which nothing can be read,
//   - a struct that has fields but exports none, of which nothing would be stored,
//   - a struct that the method of one embedded field would store, without the other fields,
//   - a struct with two fields of one name, of which one would be lost.
//
// Types for which own returns true define their own form. Of the struct tags, the first that a
// field has counts: it names the field, and leaves it out if it is "-".
func CheckData(t reflect.Type, own func(reflect.Type) bool, tags ...string) error {
	return dataCheck{own: own, tags: tags, seen: map[reflect.Type]bool{}}.value(t)
}

// dataCheck is one walk through a type, which may be recursive.
type dataCheck struct {
	own     func(reflect.Type) bool
	tags    []string
	mapping func(reflect.Type) error // an additional check of map types; may be nil
	methods [][]string               // those by which types define their own form, if known
	form    func(reflect.Type) error // checks types that define their own form, too; may be nil
	seen    map[reflect.Type]bool
}

func (c dataCheck) promoted(t reflect.Type) error {
	switch {
	case c.methods != nil:
		return walk.CheckPromoted(t, c.methods, c.tags...)
	case c.own(t):
		return walk.CheckAllPromoted(t, c.tags)
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
		if c.form != nil {
			return c.form(t)
		}
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
		embeds := f.Anonymous && walk.Embedded(f.Type)
		switch {
		case f.Name == "_" || f.Name == "_msgpack":
			continue
		case walk.Tag(f, c.tags) == "-":
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
	return (&fieldNames{c, t, map[string]string{}, map[reflect.Type]bool{}}).add(t, "")
}

// fieldNames collects the names under which the fields of a struct are stored, including those of
// embedded structs. Of two fields with one name a codec would store one, or neither.
type fieldNames struct {
	dataCheck
	outer  reflect.Type
	places map[string]string // by name
	inside map[reflect.Type]bool
}

// add adds the names of the fields of t, which is at path.
func (n *fieldNames) add(t reflect.Type, path string) error {
	if n.inside[t] {
		return nil
	}
	n.inside[t] = true
	defer delete(n.inside, t)
	for f := range t.Fields() {
		tag := walk.Tag(f, n.tags)
		name, _, _ := strings.Cut(tag, ",")
		switch {
		case tag == "-" || f.Name == "_" || f.Name == "_msgpack":
			continue
		case f.Anonymous && name == "" && walk.Embedded(f.Type) && !n.own(f.Type):
			if err := n.add(walk.Pointee(f.Type), path+f.Name+"."); err != nil {
				return err
			}
			continue
		case !f.IsExported():
			continue
		case name == "":
			name = f.Name
		}
		if other, taken := n.places[name]; taken {
			return sameName(n.outer, other, path+f.Name, name)
		}
		n.places[name] = path + f.Name
	}
	return nil
}

func sameName(t reflect.Type, one, other, name string) error {
	return fmt.Errorf("the fields %s and %s of %s have the same name, %q, and one would be lost: "+
		"give one another name in its tag, or leave it out with \"-\"", one, other, t, name)
}

// The methods by which a type defines its own form. Of each group, the first that a type has is
// used.
var (
	textMethods = [][]string{{"AppendText", "MarshalText"}, {"UnmarshalText"}}
	jsonMethods = [][]string{{"MarshalJSON", "MarshalText"}, {"UnmarshalJSON", "UnmarshalText"}}
)

var (
	jsonMarshalerType   = reflect.TypeFor[json.Marshaler]()
	jsonUnmarshalerType = reflect.TypeFor[json.Unmarshaler]()
	rawMessageType      = reflect.TypeFor[json.RawMessage]()
)

// checkJSON returns an error if encoding/json can never write values of type t, can never read them
// back, or would silently drop a part of them.
func checkJSON(t reflect.Type) error {
	return dataCheck{
		own:     func(t reflect.Type) bool { return ownJSON(reflect.PointerTo(t)) },
		tags:    []string{"json"},
		mapping: checkJSONMap,
		methods: jsonMethods,
		form:    checkJSONForm,
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
		if err := walk.CheckPromoted(walk.Pointee(key), [][]string{{"MarshalText"}, {"UnmarshalText"}}, "json"); err != nil {
			return err
		}
	}
	if hidesMethods(elem) {
		return fmt.Errorf("a method of a pointer is not used for the values of %s: make them pointers", t)
	}
	return nil
}

// checkJSONForm returns an error if encoding/json does not read what a method of t writes.
func checkJSONForm(t reflect.Type) error {
	if isBigFloat(t) {
		return errBigFloat
	}
	p := reflect.PointerTo(t)
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface || p.Implements(jsonUnmarshalerType) || p.Implements(textUnmarshalerType) {
		return nil
	}
	if readsZero(p) {
		return nil // the method writes what package json would have written, or much like it
	}
	return fmt.Errorf("%s has a method that writes JSON and none that reads it: add UnmarshalJSON or UnmarshalText", t)
}

// readsZero reports whether encoding/json can read what it writes for a zero value of the type that
// p points to.
func readsZero(p reflect.Type) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = true // a method need not have a form for a zero value
		}
	}()
	data, err := json.Marshal(reflect.New(p.Elem()).Interface())
	return err != nil || json.Unmarshal(data, reflect.New(p.Elem()).Interface()) == nil
}

// isBigFloat reports whether t is big.Float. It asks for the name, since a value that describes the
// type would make the linker keep all of its methods.
func isBigFloat(t reflect.Type) bool { return t.PkgPath() == "math/big" && t.Name() == "Float" }

var errBigFloat = errors.New("the text of a big.Float does not say its precision, and is read as another number: use a big.Rat or a string")

// ownJSON reports whether type t defines how it is written.
func ownJSON(t reflect.Type) bool {
	return t.Implements(jsonMarshalerType) || t.Implements(textMarshalerType)
}
