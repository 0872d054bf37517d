package names

import "strings"

// Of returns the unescaped text of a named argument, or what is wrong with it.
func (p *Param) Of(a *Arg) (string, *Problem) {
	text, problem := p.named(nil, a)
	if problem == (Problem{}) {
		problem = p.check(text)
	}
	if problem != (Problem{}) {
		return "", &Problem{problem.Kind, "parameter <" + p.Name + "> " + problem.Text}
	}
	return string(text), nil
}

// Escape returns a text as it stands in a name.
func (p *Param) Escape(text string) string {
	if p.escapes.plain(text) {
		return text
	}
	return string(appendEscaped(nil, text, p.escapes))
}

// Under reports whether a name is below a name of m: it begins with that, and a ':' follows. If
// each is not nil, it is called with the unescaped value of every parameter of m, outermost first,
// and Under reports false once it returns false.
func (m *Name) Under(name string, each func(i int, value string) bool) bool {
	name, ok := m.readPieces(name, each)
	if !ok || m.Text == "" {
		return ok
	}
	rest, ok := strings.CutPrefix(name, m.End)
	return ok && strings.HasPrefix(rest, ":")
}

// readPieces returns what follows the last parameter in a name that has all parameters of m in
// their places, and reports whether it has. each is that of Under.
func (m *Name) readPieces(name string, each func(i int, value string) bool) (rest string, ok bool) {
	for i := range m.Pieces {
		p := &m.Pieces[i]
		rest, ok := strings.CutPrefix(name, p.Literal)
		if !ok {
			return "", false
		}
		end := escapedEnd(rest, p.Param.escapes)
		if !p.Param.accepts(rest[:end]) || each != nil && !each(i, unescape(rest[:end])) {
			return "", false
		}
		name = rest[end:]
	}
	return name, true
}
