package nest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Match is a Redis key name together with the declaration that it belongs to. It is an immutable
// value.
type Match struct {
	key   string
	at    *mounted
	above *mounted // if nothing declares the name: what it is below, or the key that it serves
}

// Key returns the full name in Redis.
func (m Match) Key() string { return m.key }

// Format prints what String returns, for every verb and flag: package fmt shows no sensitive
// parameters.
func (m Match) Format(s fmt.State, verb rune) { formatted(s, verb, m.String()) }

// String returns the name with its sensitive parameters replaced by their templates.
func (m Match) String() string {
	switch {
	case m.at != nil:
		return m.at.name.Redact(m.key)
	case m.above != nil:
		return m.above.name.Redact(m.key)
	}
	return m.key
}

// Def returns the declaration of the key, the very value that was declared. It returns nil if no
// declaration has a key of this name.
func (m Match) Def() Node {
	if m.at == nil {
		return nil
	}
	return m.at.def.node
}

// Template returns the full template of the declaration, "root:user:<user_id>:age", or "" if there
// is no declaration.
func (m Match) Template() string { return m.template() }

func (m Match) template() string {
	if m.at == nil {
		return ""
	}
	return m.at.presently().name.Text
}

// Former reports whether the name is a former one of the declaration's key, see [Was].
func (m Match) Former() bool { return m.at != nil && m.at.present != nil }

// Param returns the unescaped value of a parameter, and whether the declaration has it.
func (m Match) Param(name string) (string, bool) {
	if m.at == nil {
		return "", false
	}
	for param, value := range m.at.name.Values(m.key) {
		if param == name {
			return value, true
		}
	}
	return "", false
}

// Params returns the names and the unescaped values of all parameters, outermost first.
func (m Match) Params() (names, values []string) {
	if m.at == nil {
		return nil, nil
	}
	for param, value := range m.at.name.Values(m.key) {
		names = append(names, param)
		values = append(values, value)
	}
	return names, values
}

// Match finds the declaration that a raw name belongs to. It is the inverse of [Ref.Key]. The name
// must be below the scope. If no declaration below the scope can have this name, the error wraps
// [ErrNoMatch]. Nothing is sent.
func (s Scope) Match(key string) (Match, error) {
	if err := s.check("match"); err != nil {
		return Match{}, err
	}
	if m := s.identify(key); m != nil {
		return Match{key: key, at: m}, nil
	}
	if _, below := s.within(key); !below {
		return Match{key: key}, &Error{Op: "match", Template: s.at.name.Text, Err: because(ErrNoMatch, "the name is not below the scope")}
	}
	return Match{key: key, above: s.concealing(key, s.secretive())}, &Error{Op: "match", Template: s.at.name.Text, Err: ErrNoMatch}
}

// secretive returns the places below the scope that hide parameters, and the clusters that hide
// values.
func (s Scope) secretive() []*mounted {
	t := s.at.tree
	t.concealed.Do(func() {
		for _, m := range t.mounts {
			if m.name.Hides() || m.def.isCluster() && m.settings.sensitive {
				t.secretive = append(t.secretive, m)
			}
		}
	})
	from, _ := slices.BinarySearchFunc(t.secretive, s.at.first, func(m *mounted, first int) int { return cmp.Compare(m.first, first) })
	to, _ := slices.BinarySearchFunc(t.secretive, s.at.last+1, func(m *mounted, first int) int { return cmp.Compare(m.first, first) })
	return t.secretive[from:to]
}

// concealing returns the place that says what of a name that nothing declares, and whether its
// value, is sensitive: the nearest of the secretive places that the name begins like, or else the
// scope's.
func (s Scope) concealing(key string, secretive []*mounted) *mounted {
	for _, m := range slices.Backward(secretive) {
		if m.name.Under(key, nil) || m.name.Conceals(key) {
			return m
		}
	}
	return s.at
}

// identify returns the place below the scope that a name belongs to, or nil.
func (s Scope) identify(key string) *mounted {
	rest, ok := s.within(key)
	if !ok || rest == "" {
		return nil
	}
	m := s.at.tree.at(key)
	if m == nil || !s.at.holds(m) {
		return nil
	}
	return m
}

// within returns the part of a name that follows the scope's prefix, and whether the name is below
// the scope.
func (s Scope) within(key string) (string, bool) {
	rest, ok := under(key, s.prefix)
	if !ok && s.at.formers != nil {
		for _, prefix := range s.at.olds(s.prefix) {
			if rest, ok = under(key, prefix); ok {
				break
			}
		}
	}
	return rest, ok
}

// under returns what follows a prefix in a name, and whether the name is below the prefix.
func under(name, prefix string) (string, bool) {
	if prefix == "" {
		return name, true
	}
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return "", false
	}
	return strings.CutPrefix(rest, ":")
}

// From returns the parameter's value in a match. The error wraps [ErrMissingParam] if the matched
// declaration has no such parameter, [ErrParamValue] if its text is not a T.
func (d *ParamDef[T]) From(m Match) (T, error) {
	if d.param() == nil {
		var zero T
		return zero, &Error{Op: "from", Template: m.template(), Err: because(ErrMissingParam, "the parameter is a zero value: make it with Param")}
	}
	text, ok := m.Param(d.spec.Name)
	if !ok {
		var zero T
		return zero, &Error{Op: "from", Template: m.template(), Err: because(ErrMissingParam, "the matched declaration has no <"+d.spec.Name+">")}
	}
	v, err := d.parse(text)
	if err != nil {
		return v, &Error{Op: "from", Template: m.template(), Err: because(ErrParamValue, "<"+d.spec.Name+"> is no "+d.spec.Type.String())}
	}
	return v, nil
}
