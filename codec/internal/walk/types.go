// Package walk goes through types, to see what a codec would do with their values before there are
// any, and through values, for what their types do not show.
package walk

import (
	"fmt"
	"reflect"
)

// Tag returns the first of the struct tags that f has.
func Tag(f reflect.StructField, tags []string) string {
	for _, name := range tags {
		if tag := f.Tag.Get(name); tag != "" {
			return tag
		}
	}
	return ""
}

// Types describes a walk through a type and everything that its values hold.
type Types struct {
	// Own reports whether a type defines its own form, so that its parts do not count.
	Own func(reflect.Type) bool
	// Tags are the names of the struct tags to look for, in this order. A field with the tag "-" is
	// left out.
	Tags []string
	// Named leaves out embedded structs whose type is not exported, as some codecs do.
	Named bool
	// Visit is called once for each type. It is called twice for a type that occurs both
	// addressable and not; methods of a pointer to a value can be called only if the value is
	// addressable, as it is not in a map.
	Visit func(t reflect.Type, addressable bool) error
}

// Walk returns the first error of Visit, with the path of fields that leads to it.
func (w *Types) Walk(t reflect.Type) error {
	return w.visit(t, true, map[visited]bool{})
}

type visited struct {
	t           reflect.Type
	addressable bool
}

func (w *Types) visit(t reflect.Type, addressable bool, seen map[visited]bool) error {
	if seen[visited{t, addressable}] {
		return nil
	}
	seen[visited{t, addressable}] = true
	if err := w.Visit(t, addressable); err != nil || w.Own(t) {
		return err
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return w.visit(t.Elem(), true, seen)
	case reflect.Array:
		return w.visit(t.Elem(), addressable, seen)
	case reflect.Map:
		if err := w.visit(t.Key(), false, seen); err != nil {
			return err
		}
		return w.visit(t.Elem(), false, seen)
	case reflect.Struct:
		for f := range t.Fields() {
			if Tag(f, w.Tags) == "-" || !f.IsExported() && (w.Named || !f.Anonymous) {
				continue
			}
			if err := w.visit(f.Type, addressable, seen); err != nil {
				return fmt.Errorf("field %s: %w", f.Name, err)
			}
		}
	}
	return nil
}
