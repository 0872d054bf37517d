package nest

import (
	"strings"
	"sync/atomic"
)

// mounted is a declaration at one place of an opened tree. It is not changed after Open, but for
// loads.
type mounted struct {
	tree   *tree
	def    *Declaration // nil for the place above the root
	parent *mounted
	// first and last are the numbers, in the order of declaration, of this place and of the
	// last one below it.
	first, last int

	pieces   []piece // each parameter from the top down, with the literal before it
	end      string  // the literal after the last parameter
	endBlock block   // end, as at appends it
	template string  // "root:user:<user_id>:age"

	settings settings
	hashTag  bool // something on the path has a HashTag
	// guarded tells that this or something below is protected.
	guarded bool
	// shares tells that names below this prefix can belong to a declaration elsewhere.
	shares bool
	// direct tells that an operation is a command to the client and nothing else: nobody
	// observes it, and the key is not cached.
	direct bool
	// slotless tells that nobody asks in which slot of a Redis Cluster the key lives, see
	// [WithOneConnection].
	slotless bool
	// bound is what a key's kind prepared: its typed codec, its default.
	bound any
	// plain marks a copy for reads that do not renew the TTL, renewed what it is a copy of where
	// such reads would.
	plain   bool
	renewed *mounted
	// loads tells that keys here are read through a loader, so that writes must end the loads
	// that run.
	loads *atomic.Bool
}

// piece is one parameter of a full name and the literal text before it.
type piece struct {
	literal string
	param   *param
	block   block // literal, as at appends it
}

func newPiece(literal string, p *param) piece {
	return piece{literal: literal, param: p, block: newBlock(literal)}
}

// block is a text that a name is made of. A short one is copied with a fixed size, which is one
// move and no call.
type block struct {
	start [16]byte
	text  string
}

func newBlock(text string) block {
	b := block{text: text}
	copy(b.start[:], text)
	return b
}

func (b *block) append(dst []byte) []byte {
	n := len(dst)
	if len(b.text) <= len(b.start) && n+len(b.start) <= cap(dst) {
		*(*[16]byte)(dst[n : n+16]) = b.start
		return dst[:n+len(b.text)]
	}
	return append(dst, b.text...)
}

// param is a parameter at its place in a tree: what is declared of it, and what its neighbours
// make it escape.
type param struct {
	paramSpec
	tail    bool
	escapes *escapes
	// fastInt tells that an int or int64 needs no check, fastLen how long a string that needs
	// none but the escape may be: 0 when all do.
	fastInt bool
	fastLen int
}

// extend gives the full name of a declaration below m: pieces, end and readable template.
func (m *mounted) extend(t template, tag bool, specs map[string]*declaredParam, sets map[escapeKey]*escapes) (pieces []piece, end, text string) {
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
		pieces = append(pieces, newPiece(join+s.literal, newParam(s, specs[s.name], next, sets)))
		join = ""
	}
	return pieces, t.end + closing, text
}

type escapeKey struct {
	next byte
	tail bool
}

func newParam(s slot, spec *declaredParam, next byte, sets map[escapeKey]*escapes) *param {
	p := &param{tail: s.tail}
	if spec != nil {
		p.paramSpec = *spec.paramSpec
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
	digitsPlain := !p.escapes.set['-'] && p.maxLen >= len("-9223372036854775808")
	for c := '0'; c <= '9'; c++ {
		digitsPlain = digitsPlain && !p.escapes.set[c]
	}
	if digitsPlain && (p.class == anyClass || p.class == intClass && p.bits == 64) {
		p.fastInt = true
	}
	if p.class == anyClass || p.class == stringClass {
		p.fastLen = p.maxLen
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
