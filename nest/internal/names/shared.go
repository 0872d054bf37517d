package names

import "strings"

// Shared holds what the names of one tree share: parameters with the same declaration and the same
// following byte, the sets of bytes that they escape, and the memory of texts and pieces. The zero
// value is ready for use.
type Shared struct {
	sets   map[escapeKey]*escapes
	params map[paramKey]*Param
	pieces slab[Piece]
	text   strings.Builder // only appended to, so that substrings stay valid
}

type escapeKey struct {
	next byte
	tail bool
}

type paramKey struct {
	escapeKey
	spec *Spec
	name string
}

// param returns the parameter of a slot. next is the byte that follows it.
func (s *Shared) param(slot *Slot, spec *Spec, next byte) *Param {
	key := paramKey{escapeKey{next, slot.Tail}, spec, slot.Name}
	p := s.params[key]
	if p == nil {
		if s.params == nil {
			s.sets, s.params = make(map[escapeKey]*escapes), make(map[paramKey]*Param)
		}
		if s.sets[key.escapeKey] == nil {
			s.sets[key.escapeKey] = escapesOf(next, slot.Tail)
		}
		p = newParam(slot, spec, s.sets[key.escapeKey])
		s.params[key] = p
	}
	return p
}

// minText and maxText bound the memory that is allocated at a time for texts, in bytes.
const minText, maxText = 256, 4096

// concat returns the concatenation of parts.
func (s *Shared) concat(parts ...string) string {
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	if size > s.text.Cap()-s.text.Len() {
		room := min(max(2*s.text.Cap(), minText), maxText)
		s.text = strings.Builder{}
		s.text.Grow(max(size, room))
	}
	from := s.text.Len()
	for _, part := range parts {
		s.text.WriteString(part)
	}
	return s.text.String()[from:]
}

// slab allocates many values of a type together. They stay in memory as long as one of them does.
type slab[T any] struct {
	free []T
	size int // of the last allocation
}

// minSlab and maxSlab bound how many values are allocated at a time.
const minSlab, maxSlab = 8, 256

// take returns memory for n values.
func (s *slab[T]) take(n int) []T {
	if n > len(s.free) {
		s.size = min(max(2*s.size, minSlab), maxSlab)
		s.free = make([]T, max(n, s.size))
	}
	taken := s.free[:n:n]
	s.free = s.free[n:]
	return taken
}

// one returns memory for one value.
func (s *slab[T]) one() *T { return &s.take(1)[0] }
