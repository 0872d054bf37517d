package codec

import (
	"fmt"
	"reflect"
)

// tagCheck finds what keeps a type out of Tagged. It holds the types already seen: types may be
// recursive.
type tagCheck map[reflect.Type]bool

func (c tagCheck) value(t reflect.Type, top bool) error {
	for t.Kind() == reflect.Pointer && !c[t] {
		c[t] = true
		t = t.Elem()
	}
	if c[t] {
		return nil
	}
	c[t] = true
	if t.Kind() == reflect.Interface {
		if t.NumMethod() > 0 {
			return fmt.Errorf("nothing tells which type to read into the interface %s", t)
		}
		return nil
	}
	tag, err := tagOfType(t)
	if err != nil {
		return err
	}
	switch {
	case tag == tagTuple && !top:
		return fmt.Errorf("a Tuple inside another value would be read as a list: use a slice")
	case t == tupleType || t == dictType:
		return nil
	case tag == tagList:
		return c.value(t.Elem(), false)
	case tag == tagSet:
		return c.value(t.Key(), false)
	case tag == tagDict && t.Kind() == reflect.Map:
		if _, err := keyOf(reflect.Zero(t.Key())); err != nil {
			return err
		}
		return c.value(t.Elem(), false)
	case tag == tagDict:
		return c.structure(t)
	}
	return nil
}

func (c tagCheck) structure(t reflect.Type) error {
	known := fieldsOf(t)
	if known.err != nil {
		return known.err
	}
	for _, f := range known.list {
		if f.name == typeKey {
			return errTypeKey
		}
		if err := c.value(t.FieldByIndex(f.index).Type, false); err != nil {
			return fmt.Errorf("field %s: %w", f.name, err)
		}
	}
	return nil
}
