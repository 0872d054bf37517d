package nest

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// template is the parsed text of a prefix or of a key: literals and the parameters between them.
//
//	user:<user_id>:by-<day>  →  "user:" <user_id>, ":by-" <day>, ""
type template struct {
	text  string
	slots []slot
	end   string // the literal after the last parameter
}

// slot is one parameter of a template and the literal text before it.
type slot struct {
	literal string
	name    string
	tail    bool // <name...>
}

// parseTemplate parses the text of a cluster's prefix or, with key, of a key. A tail parameter
// is part of the language of keys only: nothing could follow it.
func parseTemplate(text string, key bool) (template, error) {
	t := template{text: text}
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
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case '<':
			size := strings.IndexByte(text[i:], '>')
			if size < 0 {
				return t, fmt.Errorf("the parameter at byte %d has no closing '>'", i)
			}
			s, err := parseSlot(text[i+1 : i+size])
			if err != nil {
				return t, err
			}
			if s.literal = text[start:i]; s.literal == "" && len(t.slots) > 0 {
				return t, fmt.Errorf("parameters <%s> and <%s> stand side by side: put a literal between them", t.slots[len(t.slots)-1].name, s.name)
			}
			for _, earlier := range t.slots {
				if earlier.name == s.name {
					return t, fmt.Errorf("parameter <%s> appears twice", s.name)
				}
			}
			i += size + 1
			start = i
			if s.tail && !key {
				return t, fmt.Errorf("the tail parameter <%s...> can only end a key's template", s.name)
			}
			if s.tail && i < len(text) {
				return t, fmt.Errorf("the tail parameter <%s...> must be the end of the template", s.name)
			}
			t.slots = append(t.slots, s)
		default:
			r, size := utf8.DecodeRuneInString(text[i:])
			if err := checkLiteral(text, i, r); err != nil {
				return t, err
			}
			i += size
		}
	}
	t.end = text[start:]
	return t, checkSegments(text)
}

// parseSlot parses what stands between the angle brackets.
func parseSlot(inner string) (slot, error) {
	name, tail := strings.CutSuffix(inner, "...")
	if !isParamName(name) {
		return slot{}, fmt.Errorf("<%s> is no parameter: a name is made of lower-case letters, digits and '_' and begins with a letter", printable(inner))
	}
	return slot{name: name, tail: tail}, nil
}

func isParamName(s string) bool {
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

func checkLiteral(text string, i int, r rune) error {
	switch {
	case r == '{' || r == '}':
		if name, _, ok := strings.Cut(text[i+1:], "}"); ok && r == '{' {
			return fmt.Errorf("braces are reserved for hash tags: a parameter is written <%s>, not {%s}", paramLike(name), printable(name))
		}
		return fmt.Errorf("%q at byte %d: braces are reserved for hash tags", r, i)
	case r == '>':
		return fmt.Errorf("'>' at byte %d closes no parameter", i)
	case strings.ContainsRune(`*?[]\%`, r):
		return fmt.Errorf("%q at byte %d is not allowed in a literal: it has a meaning in patterns or in escaped values", r, i)
	case unicode.IsSpace(r) || unicode.IsControl(r):
		return fmt.Errorf("%q at byte %d: white space and control characters are not allowed", r, i)
	}
	return nil
}

// paramLike makes the nearest valid parameter name of what somebody wrote in braces, for a hint.
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

// printable replaces what a terminal or a log line should not see.
func printable(s string) string {
	clean := true
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	q := fmt.Sprintf("%+q", s)
	return q[1 : len(q)-1]
}
