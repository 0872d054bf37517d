package nest

import (
	"strings"
)

// mounted is a declaration at one place of an opened tree. It is not changed after Open.
type mounted struct {
	tree   *tree
	def    *Declaration // nil for the place above the root
	parent *mounted
	// first and last are the numbers, in the order of declaration, of this place and of the
	// last one below it.
	first, last int

	pieces   []piece // each parameter from the top down, with the literal before it
	end      string  // the literal after the last parameter
	template string  // "root:user:<user_id>:age"

	settings settings
	hashTag  bool // something on the path has a HashTag
	// guarded tells that this or something below is protected.
	guarded bool
	// shares tells that names below this prefix can belong to a declaration elsewhere.
	shares bool
	// bound is what a key's kind prepared: its typed codec, its default.
	bound any
}

// piece is one parameter of a full name and the literal text before it.
type piece struct {
	literal string
	param   *param
}

// param is a parameter at its place in a tree: what is declared of it, and what its neighbours
// make it escape.
type param struct {
	paramSpec
	tail    bool
	escapes *escapes
	// fast tells which plain arguments need no check but the escape of strings.
	fast fastBits
}

type fastBits uint8

const (
	fastInt    fastBits = 1 << iota // int and int64 as they are
	fastString                      // strings that are not empty and not too long
)

// extend gives the full name of a declaration below m: pieces, end and readable template.
func (m *mounted) extend(t template, tag bool, specs map[string]*paramSpec, sets map[escapeKey]*escapes) (pieces []piece, end, text string) {
	if t.text == "" {
		return m.pieces, m.end, m.template
	}
	open, closing := "", ""
	if tag {
		open, closing = "{", "}"
	}
	join := m.end
	if m.template != "" {
		join += ":"
	}
	join += open
	text = m.template
	if text != "" {
		text += ":"
	}
	text += open + t.text + closing
	if len(t.slots) == 0 {
		return m.pieces, join + t.end + closing, text
	}
	pieces = make([]piece, 0, len(m.pieces)+len(t.slots))
	pieces = append(pieces, m.pieces...)
	for i, s := range t.slots {
		after := t.end
		if i+1 < len(t.slots) {
			after = t.slots[i+1].literal
		}
		next := byte(':')
		if after != "" {
			next = after[0]
		}
		pieces = append(pieces, piece{join + s.literal, newParam(s, specs[s.name], next, sets)})
		join = ""
	}
	return pieces, t.end + closing, text
}

type escapeKey struct {
	next byte
	tail bool
}

func newParam(s slot, spec *paramSpec, next byte, sets map[escapeKey]*escapes) *param {
	p := &param{tail: s.tail}
	if spec != nil {
		p.paramSpec = *spec
	} else {
		p.paramSpec = paramSpec{name: s.name, maxLen: DefaultMaxLen}
	}
	key := escapeKey{next, s.tail}
	if sets[key] == nil {
		sets[key] = escapesOf(next, s.tail)
	}
	p.escapes = sets[key]
	if p.validate != nil {
		return p
	}
	digitsPlain := !p.escapes['-'] && p.maxLen >= len("-9223372036854775808")
	for c := '0'; c <= '9'; c++ {
		digitsPlain = digitsPlain && !p.escapes[c]
	}
	if digitsPlain && (p.class == anyClass || p.class == intClass && p.bits == 64) {
		p.fast |= fastInt
	}
	if p.class == anyClass || p.class == stringClass {
		p.fast |= fastString
	}
	return p
}

// holds tells whether o is m or stands below it.
func (m *mounted) holds(o *mounted) bool { return m.first <= o.first && o.first <= m.last }

// path names m for a person: the templates from the root down.
func (m *mounted) path() string {
	var b strings.Builder
	b.WriteString(`"` + m.template + `"`)
	if m.def != nil {
		b.WriteString(" (" + m.def.Position() + ")")
	}
	return b.String()
}
