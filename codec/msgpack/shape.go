package msgpack

import (
	"encoding"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
)

// shape is where in a type integers go, and which ones have a place there. The library cuts
// integers that do not fit, so they are looked at first. Nearly always one look is enough: all
// of them fit in the narrowest place. Only else is the shape gone through.
type shape struct {
	bounds bounds // of an integer in this very place
	narrow bounds // of an integer in any place; of the shape that shapeOf gives
	null   bool   // nil is a value of the type; of the shape that shapeOf gives
	key    *shape // of a map
	elem   *shape // of a map, slice, array
	fields map[string]*shape
	order  []*shape // of a struct's fields, by which it can be stored as a list
}

var known sync.Map // reflect.Type → *shape

func shapeOf(t reflect.Type) *shape {
	if s, ok := known.Load(t); ok {
		return s.(*shape)
	}
	s := *shaper{}.shape(t)
	s.narrow, s.null = everything, holdsNil(t)
	s.narrowest(&s.narrow, map[*shape]bool{})
	known.Store(t, &s)
	return &s
}

// narrowest makes b as narrow as the narrowest place.
func (s *shape) narrowest(b *bounds, seen map[*shape]bool) {
	if s == nil || seen[s] {
		return
	}
	seen[s] = true
	b.least, b.greatest = max(b.least, s.bounds.least), min(b.greatest, s.bounds.greatest)
	s.key.narrowest(b, seen)
	s.elem.narrowest(b, seen)
	for _, f := range s.fields {
		f.narrowest(b, seen)
	}
}

// fits passes a value, which scan has seen to be whole, and tells whether each of its integers
// has a place where it is.
func (s *shape) fits(r *reader) bool {
	h, _ := r.head()
	switch h.kind {
	case integer:
		return s.bounds.hold(h.number)
	case list:
		for i := range h.size {
			if !s.at(i).fits(r) {
				return false
			}
		}
	case dict:
		for range h.size {
			value := s.elem
			if s.fields != nil {
				value = s.fields[r.text()]
			} else if !s.key.or().fits(r) {
				return false
			}
			if !value.or().fits(r) {
				return false
			}
		}
	}
	return true
}

// at gives the shape of the value at i in a list.
func (s *shape) at(i uint64) *shape {
	if s.fields == nil {
		return s.elem.or()
	}
	if i < uint64(len(s.order)) {
		return s.order[i]
	}
	return anything
}

// anything is the shape of what the type does not name: an any, or a field that is not there.
var anything = &shape{bounds: everything}

func (s *shape) or() *shape {
	if s == nil {
		return anything
	}
	return s
}

// text passes a value and gives its bytes if it is a string.
func (r *reader) text() string {
	h, _ := r.head()
	if h.kind == other {
		return string(r.data[r.at-int(h.size) : r.at])
	}
	if h.kind != integer {
		r.skip(h.values(), &bounds{}, 0)
	}
	return ""
}

// shaper holds the shapes of types that are on the way: types may contain themselves.
type shaper map[reflect.Type]*shape

var unmarshalers = []reflect.Type{
	reflect.TypeFor[msgpack.CustomDecoder](),
	reflect.TypeFor[msgpack.Unmarshaler](),
	reflect.TypeFor[encoding.BinaryUnmarshaler](),
	reflect.TypeFor[encoding.TextUnmarshaler](),
}

// decodesItself tells whether a method sees to the reading of t.
func decodesItself(t reflect.Type) bool {
	return slices.ContainsFunc(unmarshalers, reflect.PointerTo(t).Implements)
}

func (m shaper) shape(t reflect.Type) *shape {
	if s, ok := m[t]; ok {
		return s
	}
	s := &shape{bounds: everything}
	m[t] = s
	if decodesItself(t) {
		return s
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		greatest := uint64(1)<<(t.Bits()-1) - 1
		s.bounds = bounds{-int64(greatest) - 1, greatest}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		s.bounds = bounds{0, math.MaxUint64 >> (64 - t.Bits())}
	case reflect.Float32:
		s.bounds = bounds{-1 << 24, 1 << 24} // beyond, not each integer is a float
	case reflect.Float64:
		s.bounds = bounds{-1 << 53, 1 << 53}
	case reflect.Pointer:
		m[t] = m.shape(t.Elem())
		return m[t]
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() != reflect.Uint8 { // these are stored as bytes
			s.elem = m.shape(t.Elem())
		}
	case reflect.Map:
		s.key, s.elem = m.shape(t.Key()), m.shape(t.Elem())
	case reflect.Struct:
		s.fields = map[string]*shape{}
		m.structure(t, s)
	}
	return s
}

// structure adds the fields of t to s, under the names that the library gives them: a name of
// an embedded struct's counts unless there is one already.
func (m shaper) structure(t reflect.Type, s *shape) {
	for f := range t.Fields() {
		tag := f.Tag.Get("msgpack")
		if tag == "" {
			tag = f.Tag.Get("json")
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "-" || !f.IsExported() && !f.Anonymous {
			continue
		}
		words := strings.Split(options, ",")
		if f.Anonymous && !slices.Contains(words, "noinline") && m.inline(f.Type, s) {
			continue
		}
		if name == "" {
			name = f.Name
		}
		field := m.shape(f.Type)
		s.fields[name] = field
		s.order = append(s.order, field)
		for _, word := range words {
			if alias, ok := strings.CutPrefix(word, "alias:"); ok {
				s.fields[alias] = field
			}
		}
	}
}

// inline adds the fields of an embedded struct to s, if t is one that is stored by its fields.
func (m shaper) inline(t reflect.Type, s *shape) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || decodesItself(t) {
		return false
	}
	inner := &shape{fields: map[string]*shape{}}
	m.structure(t, inner)
	for name, field := range inner.fields {
		if s.fields[name] == nil {
			s.fields[name] = field
		}
	}
	s.order = append(s.order, inner.order...)
	return true
}
