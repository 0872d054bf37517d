package msgpack

import (
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"

	"github.com/redisimnest/redisimnest/codec/internal/walk"
)

var (
	byteType     = reflect.TypeFor[byte]()
	bigFloatType = reflect.TypeFor[big.Float]()
)

// check returns an error if the library cannot hold values of type t itself, whatever its parts
// are.
func (d *dialect) check(t reflect.Type, addressable bool) error {
	switch {
	case t == bigFloatType:
		return errors.New("the text of a big.Float does not say its precision, and is read as another number: use a big.Rat or a string")
	case own(t) && t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface:
		switch {
		case !decodesItself(t):
			return fmt.Errorf("%s has a method that writes it and none that reads it: add one such as UnmarshalBinary", t)
		case !addressable && needsAddress(t):
			return fmt.Errorf("the methods of *%s are not used in a map: make them pointers", t)
		}
	case t.Kind() == reflect.Uintptr:
		return fmt.Errorf("MessagePack has no form for %s: use uint64", t)
	case !addressable && needsAddress(t):
		return fmt.Errorf("the library has no form for %s in a map: make them pointers, or slices", t)
	case t.Kind() == reflect.Struct:
		return (&fieldNames{t, d.tags, map[string]string{}, map[reflect.Type]bool{}}).add(t, "")
	}
	return nil
}

// needsAddress reports whether the library writes a t only if it can take its address: for methods
// of a pointer, and for arrays of a named byte type.
func needsAddress(t reflect.Type) bool {
	if own(t) {
		return !slices.ContainsFunc(marshalers, t.Implements)
	}
	return t.Kind() == reflect.Array && t.Elem().Kind() == reflect.Uint8 && t.Elem() != byteType
}

// fieldNames collects the names under which the library stores the fields of a struct. If two
// fields have one name, it writes both and reads neither, or takes one for the other.
type fieldNames struct {
	outer  reflect.Type
	tags   []string
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
		name, options, _ := strings.Cut(tag, ",")
		words := strings.Split(options, ",")
		switch {
		case tag == "-" || !f.IsExported() && !f.Anonymous:
			continue
		case name == "-":
			return fmt.Errorf("the library leaves out the field %s, whose tag is %q: give it another name", path+f.Name, tag)
		case slices.Contains(words, "intern") && f.Type.Kind() != reflect.String && f.Type.Kind() != reflect.Interface:
			return fmt.Errorf("the field %s cannot be interned: it is no string", path+f.Name)
		case inlined(f, words):
			if f.Type.Kind() == reflect.Pointer {
				return fmt.Errorf("the embedded pointer %s would be read as one that is not nil: embed the struct itself, or name the field", path+f.Name)
			}
			if err := n.add(f.Type, path+f.Name+"."); err != nil {
				return err
			}
		}
		if name == "" {
			name = f.Name
		}
		if other, taken := n.places[name]; taken {
			return fmt.Errorf("the fields %s and %s of %s have the same name, %q, and could not be told apart", other, path+f.Name, n.outer, name)
		}
		n.places[name] = path + f.Name
	}
	return nil
}

// inlined reports whether the fields of an embedded field are stored as those of the outer struct,
// unless a name is in the way.
func inlined(f reflect.StructField, words []string) bool {
	if !f.Anonymous || slices.Contains(words, "noinline") {
		return false
	}
	t := f.Type
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct && !own(t) && !decodesItself(t)
}
