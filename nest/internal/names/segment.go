package names

import (
	"encoding/binary"
	"strings"
)

// segment is one part of a full template between two colons, as the index and the collision proof
// see it: literals and parameters, alternately. Values contain no colons, so segments of names and
// of templates correspond one to one; only a tail spans several.
type segment struct {
	tokens []token
	tail   bool // the last token is a tail parameter
}

// token is a literal or, when param is not nil, a parameter.
type token struct {
	literal string
	param   *Param
}

// segments cuts the full template of m.
func (m *Name) segments() []segment { return new(cutter).cut(m) }

// cutter cuts names into segments. It reuses its memory for the next name.
type cutter struct {
	segments []segment
	tokens   []token
}

func (c *cutter) cut(m *Name) []segment {
	c.segments, c.tokens = c.segments[:0], c.tokens[:0]
	from, tail := 0, false // of the segment that is not at its end
	end := func() {
		c.segments = append(c.segments, segment{c.tokens[from:len(c.tokens):len(c.tokens)], tail})
		from, tail = len(c.tokens), false
	}
	add := func(literal string) {
		for {
			part, rest, more := strings.Cut(literal, ":")
			if part != "" {
				c.tokens = append(c.tokens, token{literal: part})
			}
			if !more {
				return
			}
			end()
			literal = rest
		}
	}
	for i := range m.Pieces {
		p := &m.Pieces[i]
		add(p.Literal)
		c.tokens = append(c.tokens, token{param: p.Param})
		tail = p.Param.Tail
	}
	add(m.End)
	end()
	return c.segments
}

// literal returns the text of a segment without parameters.
func (s segment) literal() (string, bool) {
	if len(s.tokens) == 1 && s.tokens[0].param == nil {
		return s.tokens[0].literal, true
	}
	return "", len(s.tokens) == 0
}

// lead returns the literal with which every text of the segment begins.
func (s segment) lead() string {
	if len(s.tokens) > 0 && s.tokens[0].param == nil {
		return s.tokens[0].literal
	}
	return ""
}

// endsLike reports whether one text can end as both segments do, judging only by their last
// literals. It saves the proof most of its automata.
func (s segment) endsLike(o segment) bool {
	a, b := s.end(), o.end()
	return strings.HasSuffix(a, b) || strings.HasSuffix(b, a)
}

// end returns the literal with which every text of the segment ends.
func (s segment) end() string {
	if n := len(s.tokens); n > 0 && s.tokens[n-1].param == nil {
		return s.tokens[n-1].literal
	}
	return ""
}

// same reports whether two segments match the same texts, whatever the names of their parameters.
func (s segment) same(o segment) bool {
	if len(s.tokens) != len(o.tokens) || s.tail != o.tail {
		return false
	}
	for i, t := range s.tokens {
		u := o.tokens[i]
		if (t.param == nil) != (u.param == nil) || t.literal != u.literal ||
			t.param != nil && t.param != u.param && t.param.languageOf() != u.param.languageOf() {
			return false
		}
	}
	return true
}

// appendSignature appends bytes that are equal for segments that are the same, and for no others.
func (s segment) appendSignature(dst []byte) []byte {
	for _, t := range s.tokens {
		dst = binary.AppendUvarint(dst, uint64(len(t.literal)))
		dst = append(dst, t.literal...)
		if t.param != nil {
			dst = binary.AppendUvarint(dst, t.param.languageOf())
		}
	}
	if s.tail {
		dst = append(dst, 0)
	}
	return dst
}

// languageOf identifies the set of texts that the parameter can have. Two parameters of one
// declared type share it; a validation function or a limit of its own gives a parameter a language
// of its own.
func (p *Param) languageOf() uint64 {
	if p.Class == AnyClass {
		return 0
	}
	return uint64(p.ID) + 1
}

// matches reports whether the segment's parameters can have written text. For a tail, text is
// everything that is left of the name.
func (s segment) matches(text string) bool { return s.consists(text, (*Param).accepts) }

// possible is matches for the proof, which must hold whatever a validation function says and
// however long a value may be.
func (s segment) possible(text string) bool { return s.consists(text, (*Param).writes) }

func (s segment) consists(text string, of func(p *Param, escaped string) bool) bool {
	for _, t := range s.tokens {
		if t.param == nil {
			rest, ok := strings.CutPrefix(text, t.literal)
			if !ok {
				return false
			}
			text = rest
			continue
		}
		end := escapedEnd(text, t.param.escapes)
		if !of(t.param, text[:end]) {
			return false
		}
		text = text[end:]
	}
	return text == ""
}

// Takes reports whether At returns this name for some arguments.
func (m *Name) Takes(name string) bool { return m.takes(name) }

// Translate returns the name of o that has the values of a name of m. o has the same parameters.
func (m *Name) Translate(name string, o *Name) string {
	b := make([]byte, 0, len(name)+len(o.Text))
	for i := range o.Pieces {
		p := &o.Pieces[i]
		b = append(b, p.Literal...)
		for q, text := range m.split(name) {
			if q.Name == p.Param.Name {
				b = appendEscaped(b, unescape(text), p.Param.escapes)
			}
		}
	}
	return string(append(b, o.End...))
}

// takes reports whether At returns this name for some arguments.
func (m *Name) takes(name string) bool {
	segments := m.segments()
	for i, s := range segments {
		if s.tail {
			return s.matches(name)
		}
		text, rest, more := strings.Cut(name, ":")
		if !s.matches(text) || more != (i < len(segments)-1) {
			return false
		}
		name = rest
	}
	return true
}

// nameOf looks for a name that both m and o accept. It is used if the name that the proof found is
// not one.
func (m *Name) nameOf(o *Name) (name string, ok bool) {
	mine, others := m.segments(), o.segments()
	if len(mine) != len(others) {
		return "", false
	}
	texts := make([]string, len(mine))
	for i := range mine {
		if texts[i], ok = common(mine[i].sampled(), others[i].sampled()); !ok {
			return "", false
		}
	}
	name = strings.Join(texts, ":")
	return name, m.takes(name) && o.takes(name)
}

// accepts reports whether At would write this escaped text for some argument.
func (p *Param) accepts(escaped string) bool {
	if escaped == "" {
		return false
	}
	if p.canonical == nil && p.Validate == nil {
		return len(escaped) <= p.MaxLen || len(unescape(escaped)) <= p.MaxLen
	}
	text := unescape(escaped)
	return len(text) <= p.MaxLen &&
		(p.canonical == nil || p.canonical(text)) &&
		(p.Validate == nil || p.Validate(text) == nil)
}

// writes reports whether the parameter's type has a value with this escaped text.
func (p *Param) writes(escaped string) bool {
	return escaped != "" && (p.canonical == nil || p.canonical(unescape(escaped)))
}
