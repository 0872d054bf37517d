package nest

import (
	"fmt"
	"strings"
)

// Match is a name of Redis with the declaration that it belongs to. It is an immutable value.
type Match struct {
	key   string
	at    *mounted
	above *mounted // of a name that nothing declares: the scope that it is below
}

// Key is the full name in Redis.
func (m Match) Key() string { return m.key }

// Format prints what String gives, whatever the verb and the flags: sensitive parameters stay out of
// what package fmt shows of it.
func (m Match) Format(s fmt.State, verb rune) { formatted(s, verb, m.String()) }

// String gives the name with its sensitive parameters replaced by their templates.
func (m Match) String() string {
	switch {
	case m.at != nil:
		return m.at.redact(m.key)
	case m.above != nil:
		return m.above.redact(m.key)
	}
	return m.key
}

// Def is the declaration of the key, the very value that was declared, or nil when nothing
// declares a key of this name.
func (m Match) Def() Node {
	if m.at == nil {
		return nil
	}
	return m.at.def.node
}

// Template is the full template of the declaration, "root:user:<user_id>:age", or "".
func (m Match) Template() string { return m.template() }

func (m Match) template() string {
	if m.at == nil {
		return ""
	}
	return m.at.template
}

// Param gives the unescaped value of a parameter, and whether the declaration has it.
func (m Match) Param(name string) (string, bool) {
	if m.at == nil {
		return "", false
	}
	for p, text := range m.at.split(m.key) {
		if p.name == name {
			return unescape(text), true
		}
	}
	return "", false
}

// Params gives the unescaped values of all parameters, outermost first, with their names.
func (m Match) Params() (names, values []string) {
	if m.at == nil {
		return nil, nil
	}
	for p, text := range m.at.split(m.key) {
		names = append(names, p.name)
		values = append(values, unescape(text))
	}
	return names, values
}

// Match finds the declaration that a raw name belongs to, and so is the way back from
// [Ref.Key]. The name must be below the scope. The error wraps [ErrNoMatch] when no
// declaration below the scope can have this name; nothing is sent.
func (s Scope) Match(key string) (Match, error) {
	if err := s.check("match"); err != nil {
		return Match{}, err
	}
	if m := s.identify(key); m != nil {
		return Match{key: key, at: m}, nil
	}
	if _, below := s.within(key); !below {
		return Match{key: key}, &Error{Op: "match", Template: s.at.template, Err: because(ErrNoMatch, "the name is not below the scope")}
	}
	return Match{key: key, above: s.at}, &Error{Op: "match", Template: s.at.template, Err: ErrNoMatch}
}

// identify gives the place below the scope that a name belongs to, or nil.
func (s Scope) identify(key string) *mounted {
	rest, ok := s.within(key)
	if !ok || rest == "" {
		return nil
	}
	m := s.at.tree.index.find(key)
	if m == nil || !s.at.holds(m) {
		return nil
	}
	return m
}

// within gives what follows the scope's prefix in a name, if the name is below it.
func (s Scope) within(key string) (string, bool) {
	if s.prefix == "" {
		return key, true
	}
	rest, ok := strings.CutPrefix(key, s.prefix)
	if !ok {
		return "", false
	}
	return strings.CutPrefix(rest, ":")
}

// split goes through the parameters of a name that m is known to match, with their escaped
// values.
func (m *mounted) split(key string) func(yield func(*param, string) bool) {
	return func(yield func(*param, string) bool) {
		for _, piece := range m.pieces {
			if len(key) < len(piece.literal) {
				return
			}
			key = key[len(piece.literal):]
			end := escapedEnd(key, piece.param.escapes)
			if !yield(piece.param, key[:end]) {
				return
			}
			key = key[end:]
		}
	}
}

// redact gives a name of m, or one that begins with it, with m's sensitive parameters replaced by
// their templates.
func (m *mounted) redact(key string) string {
	sensitive := false
	for _, piece := range m.pieces {
		sensitive = sensitive || piece.param.sensitive
	}
	if !sensitive {
		return key
	}
	var b strings.Builder
	i := 0
	for p, text := range m.split(key) {
		literal := m.pieces[i].literal
		key = key[len(literal)+len(text):]
		b.WriteString(literal)
		if p.sensitive {
			text = "<" + p.name + ">"
		}
		b.WriteString(text)
		i++
	}
	b.WriteString(key)
	return b.String()
}
