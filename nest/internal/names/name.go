// Package names builds the names of a keyspace, and proves that two of them can never be the same.
// A template is cut into literals and parameters, and values are escaped between them. An index
// finds names again, and the proof compares all templates of a tree. The package needs only the
// standard library: no client, no codec, no context.
package names

import "strings"

// Name is the full name of a declaration at one place of a tree, with its parameters open.
type Name struct {
	Pieces []Piece // each parameter from the top down, with the literal before it
	End    string  // the literal after the last parameter
	Text   string  // "root:user:<user_id>:age"

	endBlock block // End, as appended by Complete
}

// Top returns the name above a tree: a prefix, or "".
func Top(prefix string) Name { return Name{End: prefix, Text: prefix, endBlock: newBlock(prefix)} }

// Piece is one parameter of a full name and the literal text before it.
type Piece struct {
	Literal string
	Param   *Param

	block block // Literal, as appended by Complete
}

func newPiece(literal string, p *Param) Piece {
	return Piece{Literal: literal, Param: p, block: newBlock(literal)}
}

// block is a piece of text in a name. A short one is copied with a fixed size, which takes one move
// and no call.
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

// Param is a parameter at its place in a tree: its declaration, and the bytes that its neighbours
// make it escape.
type Param struct {
	Spec
	Tail bool

	escapes *escapes
	// fastInt reports whether an integer of any builtin type needs no check but that it fits an
	// int64, and fastOwn whether one of the parameter's own type needs none. fastLen is the maximum
	// length of a string that needs only to be escaped, or 0 if all strings need more.
	fastInt, fastOwn bool
	fastLen          int
}

// Below returns the full name of a declaration below m. If tag is true, the template is put into
// braces. spec returns the declaration of a parameter, or nil.
func (m *Name) Below(t Template, tag bool, spec func(name string) *Spec, shared *Shared) Name {
	if t.Text == "" {
		return *m
	}
	join, open, closing := "", "", ""
	if m.Text != "" {
		join = ":"
	}
	if tag {
		open, closing = "{", "}"
	}
	text := shared.concat(m.Text, join, open, t.Text, closing)
	// The end of m and the text up to the template's first parameter are one literal. The literals
	// are substrings of the text, which saves their memory.
	literal := text[len(m.Text)-len(m.End):]
	below := Name{Pieces: m.Pieces, End: literal, Text: text}
	if n := len(t.Slots); n > 0 {
		literal = literal[:len(m.End)+len(join)+len(open)+len(t.Slots[0].Literal)]
		below.End = text[len(text)-len(t.End)-len(closing):]
		below.Pieces = shared.pieces.take(len(m.Pieces) + n)
		copy(below.Pieces, m.Pieces)
	}
	for i := range t.Slots {
		s := &t.Slots[i]
		after := t.End
		if i+1 < len(t.Slots) {
			after = t.Slots[i+1].Literal
		}
		next := byte(':')
		if after != "" {
			next = after[0]
		}
		if i > 0 {
			literal = s.Literal
		}
		below.Pieces[len(m.Pieces)+i] = newPiece(literal, shared.param(s, spec(s.Name), next))
	}
	below.endBlock = newBlock(below.End)
	return below
}

// Before returns what stands before the i-th parameter, without the ':' at its end, as a name of
// its own. In messages it is known by the text of m.
func (m *Name) Before(i int) Name {
	end := strings.TrimSuffix(m.Pieces[i].Literal, ":")
	return Name{Pieces: m.Pieces[:i:i], End: end, Text: m.Text, endBlock: newBlock(end)}
}

// Begin returns the name of m with which a name begins that is known to be below m.
func (m *Name) Begin(name string) string {
	size := len(m.End)
	for _, piece := range m.Pieces {
		size += len(piece.Literal)
	}
	for _, text := range m.split(name) {
		size += len(text)
	}
	return name[:min(size, len(name))]
}

func newParam(s *Slot, spec *Spec, e *escapes) *Param {
	p := &Param{Tail: s.Tail, escapes: e}
	if spec != nil {
		p.Spec = *spec
	} else {
		p.Spec = Spec{Name: s.Name, MaxLen: DefaultMaxLen}
	}
	if p.Validate != nil {
		return p
	}
	digitsPlain := !p.escapes.set['-'] && p.MaxLen >= len("-9223372036854775808")
	for c := '0'; c <= '9'; c++ {
		digitsPlain = digitsPlain && !p.escapes.set[c]
	}
	p.fastOwn = digitsPlain
	p.fastInt = digitsPlain && (p.Class == AnyClass || p.Class == IntClass && p.Bits == 64)
	if p.Class == AnyClass || p.Class == StringClass {
		p.fastLen = p.MaxLen
	}
	return p
}

// Has reports whether a parameter has this name.
func (m *Name) Has(param string) bool { return hasParam(m.Pieces, param) }

// Values yields the parameters of a name that is known to match m, outermost first, with their
// unescaped values.
func (m *Name) Values(name string) func(yield func(param, value string) bool) {
	return func(yield func(param, value string) bool) {
		for p, text := range m.split(name) {
			if !yield(p.Name, unescape(text)) {
				return
			}
		}
	}
}

// split yields the parameters of a name that is known to match m, with their escaped values.
func (m *Name) split(key string) func(yield func(*Param, string) bool) {
	return func(yield func(*Param, string) bool) {
		for _, piece := range m.Pieces {
			if len(key) < len(piece.Literal) {
				return
			}
			key = key[len(piece.Literal):]
			end := escapedEnd(key, piece.Param.escapes)
			if !yield(piece.Param, key[:end]) {
				return
			}
			key = key[end:]
		}
	}
}

// Hides reports whether a parameter of m is sensitive.
func (m *Name) Hides() bool {
	for i := range m.Pieces {
		if m.Pieces[i].Param.Sensitive {
			return true
		}
	}
	return false
}

// Redact returns a name of m, or one that begins with a name of m, with m's sensitive parameters
// replaced by their templates. Of any other name, it hides what stands in their places.
func (m *Name) Redact(key string) string {
	if key == "" {
		return "" // from a reference with an error
	}
	if !m.Hides() {
		return key
	}
	if !m.begins(key) {
		return m.hide(key)
	}
	var b strings.Builder
	whole, i := key, 0
	for p, text := range m.split(key) {
		literal := m.Pieces[i].Literal
		key = key[len(literal)+len(text):]
		b.WriteString(literal)
		if p.Sensitive {
			text = "<" + p.Name + ">"
		}
		b.WriteString(text)
		i++
	}
	// What this package keeps beside a key repeats the key's name.
	if read := whole[:len(whole)-len(key)]; strings.Contains(key, read) {
		key = strings.ReplaceAll(key, read, b.String())
	}
	b.WriteString(key)
	return b.String()
}

// begins reports whether a name is one of m, is below one, or stands beside one: then a '%' and a
// letter after 'f' follow, which no value has.
func (m *Name) begins(name string) bool {
	rest, ok := m.readPieces(name, nil)
	if !ok {
		return false
	}
	rest, ok = strings.CutPrefix(rest, m.End)
	return ok && (rest == "" || rest[0] == ':' || len(rest) > 1 && rest[0] == '%' && 'f' < rest[1] && rest[1] <= 'z')
}

// hide replaces what stands in a name where m has sensitive parameters, up to the next ':', whether
// it is a value of the parameter or not.
func (m *Name) hide(name string) string {
	var b strings.Builder
	whole, beside := served(name)
	name = whole
	for i := range m.Pieces {
		p := &m.Pieces[i]
		rest, ok := strings.CutPrefix(name, p.Literal)
		if !ok {
			break
		}
		b.WriteString(p.Literal)
		end := escapedEnd(rest, p.Param.escapes)
		if !p.Param.Sensitive {
			b.WriteString(rest[:end])
			name = rest[end:]
			continue
		}
		if b.WriteString("<" + p.Param.Name + ">"); end < len(rest) {
			if next := strings.IndexByte(rest[end:], ':'); next >= 0 {
				end += next
			} else {
				end = len(rest)
			}
		}
		name = rest[end:]
	}
	b.WriteString(name)
	if beside != "" {
		beside = strings.ReplaceAll(beside, whole, b.String())
	}
	return b.String() + beside
}

// served splits the name of what is kept beside a key into the key's name and the rest, which is ""
// for any other name. The rest is a '%' and a word, and the key's name in braces if there are no
// braces in it.
func served(name string) (key, beside string) {
	if text, ok := strings.CutSuffix(name, "}"); ok {
		before, repeated, _ := strings.Cut(text, "{")
		if repeated != "" && strings.HasPrefix(before, repeated+"%") {
			return repeated, name[len(repeated):]
		}
		return name, ""
	}
	at := strings.LastIndexByte(name, '%')
	if at < 0 || !strings.Contains(name[:at], "{") || len(name) == at+1 || name[at+1] <= 'f' || name[at+1] > 'z' {
		return name, ""
	}
	return name[:at], name[at:]
}

// Conceals reports whether Redact changes a name that is not one of m: the name begins as names of
// m do, up to a sensitive parameter.
func (m *Name) Conceals(name string) bool { return m.Hides() && m.hide(name) != name }
