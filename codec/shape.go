package codec

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/redisimnest/redisimnest/codec/internal/walk"
)

// Shape describes what a codec stores for a type: which fields under which names, and what is in
// them. Types with the same shape under one codec read what the others wrote. [Fingerprinted] and
// golden files are made of shapes, so the shape of a type does not change between releases.
type Shape struct {
	// Kind is "bool", "int" and the other kinds of numbers, "string", "bytes", "any", "list",
	// "array", "map", "struct", "tuple" for a struct that is stored as a list of its fields,
	// "optional" for a pointer, "quoted" for a number in quotes, "opaque"
	// for a type that defines its own form, and "recursive" for a type that is being described.
	Kind string `json:"kind"`
	// Name is the import path and the name of an opaque type. For a recursive one it is "^" and how
	// many types up it stands.
	Name string `json:"name,omitempty"`
	// Len is the length of an array.
	Len int `json:"len,omitempty"`
	// Key is the shape of a map's keys, Elem that of the elements of a map, list, array or
	// optional.
	Key  *Shape `json:"key,omitempty"`
	Elem *Shape `json:"elem,omitempty"`
	// Fields are the fields of a struct by their stored names, sorted, or those of a tuple in their
	// order.
	Fields []ShapeField `json:"fields,omitempty"`
}

// ShapeField is a field of a struct as it is stored.
type ShapeField struct {
	Name  string `json:"name"`
	Shape Shape  `json:"shape"`
}

// Shaper is implemented by codecs that can describe what they store for a type. A codec that wraps
// another one passes the call on with [ShapeOf].
type Shaper interface {
	// Shape returns the shape of t, which CheckType accepts.
	Shape(t reflect.Type) (Shape, error)
}

// ShapeOf returns the shape of t as c stores it. It returns an error if c is not a [Shaper], or has
// no form for t.
func ShapeOf(c Codec, t reflect.Type) (Shape, error) {
	if shaper, ok := c.(Shaper); ok {
		return shaper.Shape(t)
	}
	return Shape{}, fmt.Errorf("codec %s does not describe the shape of types: it is no Shaper", c.Name())
}

// String returns the shape in one line, without spaces: "{name:string,tags:[]string}". Shapes are
// the same if, and only if, their strings are.
func (s Shape) String() string { return string(s.append(nil)) }

func (s Shape) append(dst []byte) []byte {
	inner := func(dst []byte, s *Shape) []byte {
		if s == nil {
			return append(dst, '?')
		}
		return s.append(dst)
	}
	switch s.Kind {
	case "optional":
		return inner(append(dst, '*'), s.Elem)
	case "list":
		return inner(append(dst, "[]"...), s.Elem)
	case "array":
		return inner(append(strconv.AppendInt(append(dst, '['), int64(s.Len), 10), ']'), s.Elem)
	case "map":
		return inner(append(inner(append(dst, "map["...), s.Key), ']'), s.Elem)
	case "quoted":
		return append(inner(append(dst, "quoted("...), s.Elem), ')')
	case "struct", "tuple":
		dst = append(dst, s.brackets()[0])
		for i, f := range s.Fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = strconv.AppendQuote(dst, f.Name)
			dst = f.Shape.append(append(dst, ':'))
		}
		return append(dst, s.brackets()[1])
	case "opaque":
		return strconv.AppendQuote(append(dst, "opaque"...), s.Name)
	}
	return append(append(dst, s.Kind...), s.Name...)
}

// brackets returns what stands around fields.
func (s Shape) brackets() string {
	if s.Kind == "tuple" {
		return "()"
	}
	return "{}"
}

// fingerprint returns four bytes that two shapes of one codec share by chance only. The first is
// less than 0x80, so that no fingerprint looks like the mark of [Versioned].
func (s Shape) fingerprint(codec string) [fingerprintSize]byte {
	sum := sha256.Sum256(s.append([]byte(codec + "\x00")))
	sum[0] &= 0x7f
	return [fingerprintSize]byte(sum[:])
}

// ShapeData is a [Shaper] for codecs that store the exported fields of structs by name, as
// [CheckData] is a [TypeChecker] for them. Types for which own returns true define their own form
// and are opaque. Of the struct tags, the first that a field has counts: it names the field, and
// leaves it out if it is "-"; the words "as_array" and "toarray" in the tag of a field named "_" or
// "_msgpack" say that the order of the fields counts. The fields of an embedded struct without a
// name in its tag are the outer struct's own.
func ShapeData(t reflect.Type, own func(reflect.Type) bool, tags ...string) (Shape, error) {
	return (&shaper{own: own, tags: tags, flat: true}).value(t)
}

// ShapeNested is [ShapeData] for codecs that store an embedded struct as a field of its own, under
// the name of its type.
func ShapeNested(t reflect.Type, own func(reflect.Type) bool, tags ...string) (Shape, error) {
	return (&shaper{own: own, tags: tags}).value(t)
}

// shaper describes one type.
type shaper struct {
	own    func(reflect.Type) bool
	tags   []string
	flat   bool // the fields of embedded structs are the outer struct's own
	quotes bool // the word "string" in a tag quotes numbers, as in encoding/json
	within []reflect.Type
}

func (s *shaper) value(t reflect.Type) (Shape, error) {
	if up := slices.Index(s.within, t); up >= 0 {
		return Shape{Kind: "recursive", Name: "^" + strconv.Itoa(len(s.within)-up)}, nil
	}
	kind := t.Kind()
	if kind != reflect.Pointer && kind != reflect.Interface && s.own(t) {
		return opaque(t), nil
	}
	switch {
	case kind == reflect.Bool, kind == reflect.String, reflect.Int <= kind && kind <= reflect.Float64:
		return Shape{Kind: kind.String()}, nil
	case kind == reflect.Interface:
		return Shape{Kind: "any"}, nil
	case kind == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && !s.own(t.Elem()):
		return Shape{Kind: "bytes"}, nil
	}
	s.within = append(s.within, t)
	defer func() { s.within = s.within[:len(s.within)-1] }()
	switch kind {
	case reflect.Pointer:
		return s.around(Shape{Kind: "optional"}, t.Elem())
	case reflect.Slice:
		return s.around(Shape{Kind: "list"}, t.Elem())
	case reflect.Array:
		return s.around(Shape{Kind: "array", Len: t.Len()}, t.Elem())
	case reflect.Map:
		key, err := s.value(t.Key())
		if err != nil {
			return Shape{}, err
		}
		return s.around(Shape{Kind: "map", Key: &key}, t.Elem())
	case reflect.Struct:
		shape := Shape{Kind: "struct"}
		if s.ordered(t) {
			shape.Kind = "tuple"
		}
		err := s.fields(&shape, t)
		if shape.Kind == "struct" {
			slices.SortFunc(shape.Fields, func(a, b ShapeField) int { return strings.Compare(a.Name, b.Name) })
		}
		return shape, err
	}
	return Shape{}, fmt.Errorf("there is no form for %s", t)
}

func (s *shaper) around(outer Shape, elem reflect.Type) (Shape, error) {
	inner, err := s.value(elem)
	outer.Elem = &inner
	return outer, err
}

// opaque returns the shape of a type that defines its own form.
func opaque(t reflect.Type) Shape {
	name := t.String()
	if path := t.PkgPath(); path != "" {
		name = path + "." + t.Name()
	}
	return Shape{Kind: "opaque", Name: name}
}

// ordered reports whether a struct is stored as a list of its fields.
func (s *shaper) ordered(t reflect.Type) bool {
	for f := range t.Fields() {
		if f.Name == "_" || f.Name == "_msgpack" {
			words := strings.Split(walk.Tag(f, s.tags), ",")
			if slices.Contains(words, "as_array") || slices.Contains(words, "toarray") {
				return true
			}
		}
	}
	return false
}

// fields adds the fields of the struct type t.
func (s *shaper) fields(shape *Shape, t reflect.Type) error {
	for f := range t.Fields() {
		tag := walk.Tag(f, s.tags)
		name, options, _ := strings.Cut(tag, ",")
		embeds := s.flat && f.Anonymous && name == "" && walk.Embedded(f.Type) && !s.own(walk.Pointee(f.Type))
		switch {
		case tag == "-" || f.Name == "_" || f.Name == "_msgpack":
			continue
		case embeds && slices.Contains(s.within, walk.Pointee(f.Type)):
			return fmt.Errorf("%s embeds itself", f.Type)
		case embeds:
			s.within = append(s.within, walk.Pointee(f.Type))
			err := s.fields(shape, walk.Pointee(f.Type))
			s.within = s.within[:len(s.within)-1]
			if err != nil {
				return err
			}
			continue
		case !f.IsExported():
			continue
		case name == "":
			name = f.Name
		}
		inner, err := s.value(f.Type)
		if err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
		if s.quotes && slices.Contains(strings.Split(options, ","), "string") && quotable(walk.Pointee(f.Type)) {
			plain := inner
			inner = Shape{Kind: "quoted", Elem: &plain}
		}
		shape.Fields = append(shape.Fields, ShapeField{name, inner})
	}
	return nil
}

// quotable reports whether encoding/json quotes values of type t where a tag says so.
func quotable(t reflect.Type) bool {
	switch kind := t.Kind(); {
	case kind == reflect.Bool, kind == reflect.String, reflect.Int <= kind && kind <= reflect.Float64:
		return true
	}
	return false
}

func ownAsJSON(t reflect.Type) bool { return ownJSON(reflect.PointerTo(t)) }

// shapeJSON returns the shape of t as encoding/json stores it.
func shapeJSON(t reflect.Type) (Shape, error) {
	return (&shaper{own: ownAsJSON, tags: []string{"json"}, flat: true, quotes: true}).value(t)
}

// Shape describes the fields by their JSON names. Types with MarshalJSON or MarshalText are opaque.
func (jsonCodec) Shape(t reflect.Type) (Shape, error) { return shapeJSON(t) }

// Shape is that of JSON for what is stored as JSON, and otherwise a single kind.
func (auto) Shape(t reflect.Type) (Shape, error) {
	switch formOf(t) {
	case formJSON:
		return shapeJSON(t)
	case formTime, formText:
		return opaque(t), nil
	case formBytes:
		return Shape{Kind: "bytes"}, nil
	}
	return Shape{Kind: t.Kind().String()}, nil
}

// Shape describes the entries of dicts. Types that are stored as one value are opaque.
func (tagged) Shape(t reflect.Type) (Shape, error) {
	return (&shaper{own: func(t reflect.Type) bool { return leaf(t) || hasText(t) }, tags: []string{"json"}, flat: true}).value(t)
}

// Shape is opaque for a type with a text of its own, and a string otherwise.
func (textCodec) Shape(t reflect.Type) (Shape, error) {
	switch {
	case t.Kind() == reflect.Pointer:
		inner := opaque(t.Elem())
		return Shape{Kind: "optional", Elem: &inner}, nil
	case hasText(t):
		return opaque(t), nil
	}
	return Shape{Kind: "string"}, nil
}

// Shape is a string or bytes.
func (raw) Shape(t reflect.Type) (Shape, error) {
	if isString(t) {
		return Shape{Kind: "string"}, nil
	}
	return Shape{Kind: "bytes"}, nil
}

// Shape is that of the wrapped codec.
func (u unversioned) Shape(t reflect.Type) (Shape, error) { return ShapeOf(u.Codec, t) }

// Shape is that of the wrapped codec.
func (u upcoming) Shape(t reflect.Type) (Shape, error) { return ShapeOf(u.Codec, t) }

// Shape is that of what is written.
func (v *versioned) Shape(t reflect.Type) (Shape, error) { return ShapeOf(v.versions[v.write], t) }

func (retired) Shape(reflect.Type) (Shape, error) { return Shape{}, errors.New(retiredReason) }
