package names

import (
	"fmt"
	"strings"
)

// Kind is the kind of a problem with arguments.
type Kind uint8

// The kinds of problems.
const (
	_ Kind = iota
	MissingParam
	ExtraParam
	ParamType
	ParamValue
)

// Problem is a problem with the arguments of a name. It consists of names and kinds only and is
// made apart from the resolution, so that it can never contain the value of an argument.
type Problem struct {
	Kind Kind
	Text string
}

// at states that a problem belongs to the argument at index i of n, which went to p.
func (b Problem) at(p *Param, i, n int) *Problem {
	return &Problem{b.Kind, fmt.Sprintf("parameter <%s> (argument %d of %d) %s", p.Name, i+1, n, b.Text)}
}

// missing returns a problem for the open parameters that no argument fills.
func missing(open []Piece, given []Given) *Problem {
	plain := 0
	for i := range given {
		if !given[i].Named {
			plain++
		}
	}
	var names []string
	for _, o := range open {
		if namedArg(given, o.Param.Name) >= 0 {
			continue
		}
		if plain > 0 {
			plain--
			continue
		}
		names = append(names, "<"+o.Param.Name+">")
	}
	return &Problem{MissingParam, fmt.Sprintf("%s: open below the scope %s; got %s", strings.Join(names, ", "), openList(open), Count(len(given), "argument"))}
}

// extra returns a problem for the plain argument at index i of n, for which no open parameter is
// left.
func extra(open []Piece, i, n int) *Problem {
	return &Problem{ExtraParam, fmt.Sprintf("argument %d of %d has no parameter left to fill: open below the scope %s", i+1, n, openList(open))}
}

// surplus returns the index of the first plain argument that has no open parameter left, or -1. A
// call with too many arguments is refused for that: it repeats one that the scope has filled in,
// and the types of the others then fit the wrong parameters.
func surplus(open []Piece, given []Given) int {
	left := len(open)
	for i := range given {
		if given[i].Named {
			left--
		}
	}
	for i := range given {
		if given[i].Named {
			continue
		}
		if left--; left < 0 {
			return i
		}
	}
	return -1
}

// strayNamed returns a problem for the first named argument that no open parameter takes, or that
// is given twice.
func (m *Name) strayNamed(open []Piece, given []Given) *Problem {
	for i := range given {
		a := &given[i]
		if !a.Named {
			continue
		}
		if namedArg(given, a.Param()) < i {
			return &Problem{ExtraParam, fmt.Sprintf("<%s> (argument %d of %d) is given twice", a.Param(), i+1, len(given))}
		}
		if a.Param() == "" {
			return &Problem{ExtraParam, fmt.Sprintf("argument %d of %d is the zero Arg: make it with a Param's Of", i+1, len(given))}
		}
		if hasParam(open, a.Param()) {
			continue
		}
		why := "no parameter of the template has this name" + didYouMean(a.Param(), open)
		if hasParam(m.Pieces, a.Param()) {
			why = "the scope has filled it in already"
		}
		return &Problem{ExtraParam, fmt.Sprintf("<%s> (argument %d of %d): %s", a.Param(), i+1, len(given), why)}
	}
	return nil
}

func hasParam(pieces []Piece, name string) bool {
	for i := range pieces {
		if pieces[i].Param.Name == name {
			return true
		}
	}
	return false
}

// openList lists the names of parameters in the order in which plain arguments fill them.
func openList(open []Piece) string {
	if len(open) == 0 {
		return "is no parameter"
	}
	names := make([]string, len(open))
	for i, o := range open {
		names[i] = "<" + o.Param.Name + ">"
	}
	if len(names) == 1 {
		return "is " + names[0]
	}
	return "are " + strings.Join(names, ", ")
}

func didYouMean(name string, open []Piece) string {
	names := make([]string, len(open))
	for i, o := range open {
		names[i] = o.Param.Name
	}
	if near := Nearest(name, names); near != "" {
		return ": did you mean <" + near + ">?"
	}
	return ""
}
