package msgpack

import (
	"encoding"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/redisimnest/redisimnest/codec/internal/walk"
)

// shape says where integers go in a type, and which integers fit there. The library truncates
// integers that do not fit, so they are checked first. Nearly always one comparison is enough: all
// of them fit in the narrowest place. Otherwise the value is checked against the shape, place by
// place.
type shape struct {
	bounds bounds // of an integer in this place
	narrow bounds // of an integer in any place; set by shapeOf
	null   bool   // nil is a value of the type; set by shapeOf
	// address reports whether a value of the type is written only through a pointer to it; set by
	// shapeOf.
	address bool
	key     *shape // of a map
	elem    *shape // of a map, slice, array
	fields  map[string]*shape
	order   []*shape // of a struct's fields, in the order in which it can be stored as a list
	names   []string // of the fields in order
}

func (d *dialect) shapeOf(t reflect.Type) *shape {
	if s, ok := d.known.Load(t); ok {
		return s.(*shape)
	}
	s := *shaper{d.tags, map[reflect.Type]*shape{}}.shape(t)
	s.narrow, s.null = everything, holdsNil(t)
	s.narrowest(&s.narrow, map[*shape]bool{})
	_ = (&walk.Types{Own: own, Tags: d.tags, Visit: func(t reflect.Type, _ bool) error {
		s.address = s.address || needsAddress(t)
		return nil
	}}).Walk(t)
	d.known.Store(t, &s)
	return &s
}

// narrowest narrows b to the narrowest place.
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

// fits skips a value, which scan has found to be whole, and reports whether each of its integers
// fits in its place.
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

// at returns the shape of the value at i in a list.
func (s *shape) at(i uint64) *shape {
	if s.fields == nil {
		return s.elem.or()
	}
	if i < uint64(len(s.order)) {
		return s.order[i]
	}
	return anything
}

// anything is the shape of what the type does not describe: an any, or a missing field.
var anything = &shape{bounds: everything}

func (s *shape) or() *shape {
	if s == nil {
		return anything
	}
	return s
}

// text skips a value and returns its bytes if it is a string.
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

// shaper holds the shapes of the types in progress: types may be recursive.
type shaper struct {
	tags []string
	seen map[reflect.Type]*shape
}

var unmarshalers = []reflect.Type{
	reflect.TypeFor[msgpack.CustomDecoder](),
	reflect.TypeFor[msgpack.Unmarshaler](),
	reflect.TypeFor[encoding.BinaryUnmarshaler](),
	reflect.TypeFor[encoding.TextUnmarshaler](),
}

// decodesItself reports whether a method defines how t is read.
func decodesItself(t reflect.Type) bool {
	return slices.ContainsFunc(unmarshalers, reflect.PointerTo(t).Implements)
}

func (m shaper) shape(t reflect.Type) *shape {
	if s, ok := m.seen[t]; ok {
		return s
	}
	s := &shape{bounds: everything}
	m.seen[t] = s
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
		s.bounds = bounds{-1 << 24, 1 << 24} // beyond these, not every integer is a float
	case reflect.Float64:
		s.bounds = bounds{-1 << 53, 1 << 53}
	case reflect.Pointer:
		m.seen[t] = m.shape(t.Elem())
		return m.seen[t]
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

// structure adds the fields of t to s, by the names that the library uses. The fields of an
// embedded struct count as those of t, unless one of their names is already taken.
func (m shaper) structure(t reflect.Type, s *shape) {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(walk.Tag(f, m.tags), ",")
		if name == "-" || !f.IsExported() && !f.Anonymous {
			continue
		}
		words := strings.Split(options, ",")
		if name == "" {
			name = f.Name
		}
		field := m.shape(f.Type)
		if inlined(f, words) && m.inline(f.Type, s, slices.Contains(words, "inline")) {
			s.fields[name] = field // it is also read by its own name
			continue
		}
		s.add(name, field)
		for _, word := range words {
			if alias, ok := strings.CutPrefix(word, "alias:"); ok {
				s.fields[alias] = field
			}
		}
	}
}

// inline adds the fields of an embedded struct to s, or reports that the library does not. If must
// is set, the library always does, and leaves out those whose names are taken.
func (m shaper) inline(t reflect.Type, s *shape, must bool) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	inner := &shape{fields: map[string]*shape{}}
	m.structure(t, inner)
	for _, name := range inner.names {
		if s.fields[name] != nil && !must {
			return false
		}
	}
	for i, name := range inner.names {
		if s.fields[name] == nil {
			s.add(name, inner.order[i])
		}
	}
	return true
}

// add adds a field that is written under this name.
func (s *shape) add(name string, field *shape) {
	s.fields[name] = field
	s.names = append(s.names, name)
	s.order = append(s.order, field)
}
