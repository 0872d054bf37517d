package names

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Template is the parsed text of a prefix or of a key: literals and the parameters between them.
//
//	user:<user_id>:by-<day>  →  "user:" <user_id>, ":by-" <day>, ""
//	cart:{<id>}:items        →  "cart:{" <id>, "}:items"
//
// Braces are ordinary bytes of literals. Values escape them, so they never come from a value.
type Template struct {
	Text  string
	Slots []Slot
	End   string // the literal after the last parameter
	Tag   bool   // braces stand around a part of the text, which is the hash tag
}

// Slot is one parameter of a template and the literal text before it.
type Slot struct {
	Literal string
	Name    string
	Tail    bool // <name...>
}

// Parse parses the text of a cluster's prefix or, if key is true, of a key. Only keys can have a
// tail parameter, because nothing can follow it.
func Parse(text string, key bool) (Template, error) {
	t := Template{Text: text}
	if text == "" {
		if key {
			return t, fmt.Errorf("a key's template cannot be empty")
		}
		return t, nil
	}
	if !utf8.ValidString(text) {
		return t, fmt.Errorf("is not valid UTF-8")
	}
	start := 0
	var b braces
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case '{':
			if err := b.begin(text, i); err != nil {
				return t, err
			}
			i++
		case '}':
			if !b.open {
				return t, fmt.Errorf("'}' at byte %d closes no '{'", i)
			}
			b.open, t.Tag = false, true
			i++
		case '<':
			size := strings.IndexByte(text[i:], '>')
			if size < 0 {
				return t, fmt.Errorf("the parameter at byte %d has no closing '>'", i)
			}
			s, err := parseSlot(text[i+1 : i+size])
			if err != nil {
				return t, err
			}
			if s.Literal = text[start:i]; s.Literal == "" && len(t.Slots) > 0 {
				return t, fmt.Errorf("parameters <%s> and <%s> stand side by side: put a literal between them", t.Slots[len(t.Slots)-1].Name, s.Name)
			}
			for _, earlier := range t.Slots {
				if earlier.Name == s.Name {
					return t, fmt.Errorf("parameter <%s> appears twice", s.Name)
				}
			}
			i += size + 1
			start = i
			if s.Tail && !key {
				return t, fmt.Errorf("the tail parameter <%s...> can only end a key's template", s.Name)
			}
			if s.Tail && i < len(text) {
				return t, fmt.Errorf("the tail parameter <%s...> must be the end of the template", s.Name)
			}
			t.Slots = append(t.Slots, s)
		default:
			r, size := utf8.DecodeRuneInString(text[i:])
			if err := checkLiteral(i, r); err != nil {
				return t, err
			}
			i += size
		}
	}
	t.End = text[start:]
	if b.open {
		return t, errUnclosed(b.from)
	}
	if t.Tag {
		// A segment consists of more than a brace.
		text = strings.ReplaceAll(strings.ReplaceAll(text, "{", ""), "}", "")
	}
	return t, checkSegments(text)
}

// braces are the braces of a hash tag in a template. They stand around a part that has a parameter,
// and a template has them once: a Redis Cluster takes the first ones of a name for the hash tag.
type braces struct {
	open, any bool
	from      int // the index of the '{'
}

// begin reads the '{' at index i.
func (b *braces) begin(text string, i int) error {
	inner, _, closed := strings.Cut(text[i+1:], "}")
	switch {
	case b.open:
		return fmt.Errorf("'{' at byte %d: braces cannot stand within braces", i)
	case b.any:
		return fmt.Errorf("'{' at byte %d: a name has one hash tag, and the template has one already", i)
	case !closed:
		return errUnclosed(i)
	case strings.IndexByte(inner, '<') < 0:
		return fmt.Errorf("the braces {%s} hold no parameter: a parameter is written <%s>, and the hash tag of a constant is made by HashTag on a cluster of that name",
			Printable(inner), paramLike(inner))
	}
	b.open, b.any, b.from = true, true, i
	return nil
}

func errUnclosed(at int) error {
	return fmt.Errorf("the '{' at byte %d is not closed: braces around a part with a parameter are the hash tag", at)
}

// parseSlot parses the text between the angle brackets.
func parseSlot(inner string) (Slot, error) {
	name, tail := strings.CutSuffix(inner, "...")
	if !IsParam(name) {
		return Slot{}, fmt.Errorf("<%s> is no parameter: a name is made of lower-case letters, digits and '_' and begins with a letter", Printable(inner))
	}
	return Slot{Name: name, Tail: tail}, nil
}

// IsParam reports whether s is a valid parameter name.
func IsParam(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z':
		case i > 0 && ('0' <= c && c <= '9' || c == '_'):
		default:
			return false
		}
	}
	return s != ""
}

func checkLiteral(i int, r rune) error {
	switch {
	case r == '>':
		return fmt.Errorf("'>' at byte %d closes no parameter", i)
	case strings.ContainsRune(`*?[]\%`, r):
		return fmt.Errorf("%q at byte %d is not allowed in a literal: it has a meaning in patterns or in escaped values", r, i)
	case unicode.IsSpace(r) || unicode.IsControl(r):
		return fmt.Errorf("%q at byte %d: white space and control characters are not allowed", r, i)
	}
	return nil
}

// paramLike returns the valid parameter name that is nearest to a name written in braces, for a
// hint.
func paramLike(s string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '_':
			return r
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, s)
	if name = strings.TrimLeft(name, "0123456789_"); name == "" {
		return "name"
	}
	return name
}

func checkSegments(text string) error {
	if strings.HasPrefix(text, ":") || strings.HasSuffix(text, ":") {
		return fmt.Errorf("begins or ends with ':': segments are joined by the library")
	}
	if i := strings.Index(text, "::"); i >= 0 {
		return fmt.Errorf("has an empty segment at byte %d", i+1)
	}
	return nil
}
