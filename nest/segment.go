package nest

import (
	"strconv"
	"strings"
)

// segment is one part of a full template between two colons, as the index and the collision
// proof see it: literals and parameters in turn. Values hold no colon, so segments of names and
// of templates correspond one to one; only a tail spans several.
type segment struct {
	tokens []token
	tail   bool // the last token is a tail parameter
}

// token is a literal or, when param is not nil, a parameter.
type token struct {
	literal string
	param   *param
}

// segments cuts the full template of m.
func (m *mounted) segments() []segment {
	var all []segment
	var current segment
	add := func(literal string) {
		for i, part := range strings.Split(literal, ":") {
			if i > 0 {
				all = append(all, current)
				current = segment{}
			}
			if part != "" {
				current.tokens = append(current.tokens, token{literal: part})
			}
		}
	}
	for _, p := range m.pieces {
		add(p.literal)
		current.tokens = append(current.tokens, token{param: p.param})
		current.tail = p.param.tail
	}
	add(m.end)
	return append(all, current)
}

// literal gives the text of a segment without parameters.
func (s segment) literal() (string, bool) {
	if len(s.tokens) == 1 && s.tokens[0].param == nil {
		return s.tokens[0].literal, true
	}
	return "", len(s.tokens) == 0
}

// lead is the literal that every text of the segment begins with.
func (s segment) lead() string {
	if len(s.tokens) > 0 && s.tokens[0].param == nil {
		return s.tokens[0].literal
	}
	return ""
}

// endsLike tells whether one text can end as both segments do, as far as their last literals
// tell. It spares the proof most of its automata.
func (s segment) endsLike(o segment) bool {
	a, b := s.end(), o.end()
	return strings.HasSuffix(a, b) || strings.HasSuffix(b, a)
}

// end is the literal that every text of the segment ends with.
func (s segment) end() string {
	if n := len(s.tokens); n > 0 && s.tokens[n-1].param == nil {
		return s.tokens[n-1].literal
	}
	return ""
}

// signature is equal for segments that match the same texts, whatever their parameters' names.
func (s segment) signature() string {
	var b strings.Builder
	for _, t := range s.tokens {
		if t.param == nil {
			b.WriteString(t.literal)
			continue
		}
		b.WriteString("<" + t.param.languageOf() + ">")
	}
	if s.tail {
		b.WriteString("...")
	}
	return b.String()
}

// languageOf tells which texts the parameter can have. Two parameters of one declared type
// share it; a validation or a limit of its own makes a parameter a language of its own.
func (p *param) languageOf() string {
	if p.class == anyClass {
		return ""
	}
	return strconv.FormatUint(uint64(p.id), 10)
}

// matches tells whether text is one that the segment's parameters can have made. For a tail,
// text is all that is left of the name.
func (s segment) matches(text string) bool { return s.consists(text, (*param).accepts) }

// possible is matches for the proof, which holds whatever a validation says and however long a
// value may be.
func (s segment) possible(text string) bool { return s.consists(text, (*param).writes) }

func (s segment) consists(text string, of func(p *param, escaped string) bool) bool {
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

// accepts tells whether At would write this escaped text for some argument.
func (p *param) accepts(escaped string) bool {
	if escaped == "" {
		return false
	}
	if p.canonical == nil && p.validate == nil {
		return len(escaped) <= p.maxLen || len(unescape(escaped)) <= p.maxLen
	}
	text := unescape(escaped)
	return len(text) <= p.maxLen &&
		(p.canonical == nil || p.canonical(text)) &&
		(p.validate == nil || p.validate(text) == nil)
}

// writes tells whether the parameter's type has a value with this escaped text.
func (p *param) writes(escaped string) bool {
	return escaped != "" && (p.canonical == nil || p.canonical(unescape(escaped)))
}
