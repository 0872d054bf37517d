package nest

import (
	"fmt"
	"strings"
)

// The errors of At. They are built apart from the resolution, from names and kinds only, so
// that no argument's value can get into one.

func (m *mounted) misuse(kind error, text string) *Error {
	return &Error{Op: "at", Template: m.template, Err: because(kind, text)}
}

// badArg reports the argument at index i, which went to p.
func (m *mounted) badArg(p *param, i, n int, problem argProblem) *Error {
	return m.misuse(problem.kind, fmt.Sprintf("parameter <%s> (argument %d of %d) %s", p.name, i+1, n, problem.text))
}

// missing reports the open parameters that no argument fills.
func (m *mounted) missing(s *Scope, args []any) *Error {
	open := m.pieces[len(s.at.pieces):]
	plain := 0
	for _, a := range args {
		if !isNamed(a) {
			plain++
		}
	}
	var names []string
	for _, o := range open {
		if namedArg(args, o.param.name) >= 0 {
			continue
		}
		if plain > 0 {
			plain--
			continue
		}
		names = append(names, "<"+o.param.name+">")
	}
	return m.misuse(ErrMissingParam, fmt.Sprintf("%s: open below the scope %s; got %s", strings.Join(names, ", "), openList(open), count(len(args), "argument")))
}

// extra reports the plain argument at index i, which no open parameter is left for.
func (m *mounted) extra(s *Scope, args []any, i int) *Error {
	open := m.pieces[len(s.at.pieces):]
	return m.misuse(ErrExtraParam, fmt.Sprintf("argument %d of %d has no parameter left to fill: open below the scope %s", i+1, len(args), openList(open)))
}

// strayNamed reports the first named argument that no open parameter takes, or that is given
// twice.
func (m *mounted) strayNamed(s *Scope, args []any) *Error {
	open := m.pieces[len(s.at.pieces):]
	for i, arg := range args {
		a, ok := arg.(Arg)
		if !ok {
			continue
		}
		if namedArg(args, a.name) < i {
			return m.misuse(ErrExtraParam, fmt.Sprintf("<%s> (argument %d of %d) is given twice", a.name, i+1, len(args)))
		}
		if a.name == "" {
			return m.misuse(ErrExtraParam, fmt.Sprintf("argument %d of %d is the zero Arg: make it with a Param's Of", i+1, len(args)))
		}
		if hasParam(open, a.name) {
			continue
		}
		why := "no parameter of the template has this name" + didYouMean(a.name, open)
		if hasParam(m.pieces, a.name) {
			why = "the scope has filled it in already"
		}
		return m.misuse(ErrExtraParam, fmt.Sprintf("<%s> (argument %d of %d): %s", a.name, i+1, len(args), why))
	}
	return nil
}

func hasParam(pieces []piece, name string) bool {
	for _, o := range pieces {
		if o.param.name == name {
			return true
		}
	}
	return false
}

// openList names parameters in the order in which plain arguments fill them.
func openList(open []piece) string {
	if len(open) == 0 {
		return "is no parameter"
	}
	names := make([]string, len(open))
	for i, o := range open {
		names[i] = "<" + o.param.name + ">"
	}
	if len(names) == 1 {
		return "is " + names[0]
	}
	return "are " + strings.Join(names, ", ")
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func didYouMean(name string, open []piece) string {
	names := make([]string, len(open))
	for i, o := range open {
		names[i] = o.param.name
	}
	if near := nearest(name, names); near != "" {
		return ": did you mean <" + near + ">?"
	}
	return ""
}

// nearest gives the candidate that a typing error is most likely to have meant, or "".
func nearest(name string, candidates []string) string {
	best, bestDistance := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		if d := editDistance(squeeze(name), squeeze(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// squeeze drops the underscores, the likeliest difference between userid and user_id.
func squeeze(s string) string { return strings.ReplaceAll(s, "_", "") }

// editDistance is the Levenshtein distance: how many bytes to insert, delete or replace.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func nilDeclaration(s Scope) *Error {
	if s.err != nil {
		return s.err
	}
	return &Error{Op: "at", Err: because(ErrNotMounted, "the declaration is nil: is its variable initialised later?")}
}

func zeroScope(d *Declaration) *Error {
	return &Error{Op: "at", Template: d.template.text, Err: because(ErrNoClient, "the zero Scope is bound to nothing: use the one that Open returns")}
}
