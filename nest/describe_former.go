package nest

import "strings"

// formerNameOf returns a former full name with the scope's parameters filled in, except for
// sensitive ones.
func (s Scope) formerNameOf(f *mounted) string {
	var name strings.Builder
	for _, piece := range f.name.Pieces {
		name.WriteString(piece.Literal)
		if value, ok := s.filledIn(piece.Param.Name); ok && !piece.Param.Sensitive {
			name.WriteString(piece.Param.Escape(value))
		} else {
			name.WriteString(openParam(piece.Param))
		}
	}
	return name.String() + f.name.End
}

// filledIn returns the value of a parameter that the scope has filled in.
func (s Scope) filledIn(param string) (value string, ok bool) {
	for name, value := range s.at.name.Values(s.prefix) {
		if name == param {
			return value, true
		}
	}
	return "", false
}
