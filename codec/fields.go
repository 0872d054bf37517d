package codec

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/redisimnest/redisimnest/codec/internal/walk"
)

// field is a struct field as an entry of a dict.
type field struct {
	name      string
	index     []int
	omitEmpty bool
	omitZero  bool
}

// fields are the entries of a struct type, in the order of the declaration.
type fields struct {
	list []field
	at   map[string]int // in list, by name
	err  error
}

var knownFields sync.Map // reflect.Type → fields

// fieldsOf returns the exported fields of the struct type t by the names in their json tags,
// including those of embedded structs. Two fields with one name are an error.
func fieldsOf(t reflect.Type) fields {
	if known, ok := knownFields.Load(t); ok {
		return known.(fields)
	}
	var found fields
	found.list, found.err = collectFields(t, nil)
	if found.err == nil {
		found.err = oneEach(t, found.list)
	}
	if found.err == nil && t.NumField() > 0 && len(found.list) == 0 {
		found.err = fmt.Errorf("%s has no exported fields", t)
	}
	found.at = make(map[string]int, len(found.list))
	for i, f := range found.list {
		found.at[f.name] = i
	}
	knownFields.Store(t, found)
	return found
}

func collectFields(t reflect.Type, index []int) ([]field, error) {
	var list []field
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		at := append(slices.Clone(index), f.Index...)
		switch {
		case name == "-" && options == "" && f.Tag.Get("json") == "-":
			continue
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct && !leaf(f.Type):
			inner, err := collectFields(f.Type, at)
			if err != nil {
				return nil, err
			}
			list = append(list, inner...)
			continue
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Pointer:
			return nil, fmt.Errorf("%s embeds the pointer %s: embed the struct itself or give it a json name", t, f.Name)
		case !f.IsExported():
			continue
		}
		if name == "" {
			name = f.Name
		}
		words := strings.Split(options, ",")
		list = append(list, field{
			name: name, index: at,
			omitEmpty: slices.Contains(words, "omitempty"), omitZero: slices.Contains(words, "omitzero"),
		})
	}
	return list, nil
}

// oneEach returns an error if two fields have the same name: the outer one would hide the other.
func oneEach(t reflect.Type, list []field) error {
	places := map[string][]int{}
	for _, f := range list {
		if other, taken := places[f.name]; taken {
			return sameName(t, pathOf(t, other), pathOf(t, f.index), f.name)
		}
		places[f.name] = f.index
	}
	return nil
}

// pathOf returns the names of the fields on the way to a field of t.
func pathOf(t reflect.Type, index []int) string {
	var names []string
	for _, i := range index {
		f := t.Field(i)
		names, t = append(names, f.Name), walk.Pointee(f.Type)
	}
	return strings.Join(names, ".")
}

// of returns the value of f in the struct v.
func (f *field) of(v reflect.Value) reflect.Value {
	if len(f.index) == 1 {
		return v.Field(f.index[0])
	}
	return v.FieldByIndex(f.index)
}

// left reports whether the value v of f is to be left out.
func (f *field) left(v reflect.Value) bool {
	switch {
	case f.omitZero && v.IsZero():
		return true
	case !f.omitEmpty:
		return false
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.Array, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

// leaf reports whether Tagged stores the struct type t as one value and not by its fields.
func leaf(t reflect.Type) bool {
	return t == timeType || t == bigIntType || hasText(t)
}
