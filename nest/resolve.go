package nest

import "github.com/redisimnest/redisimnest/nest/internal/names"

// at finds the declaration below s and returns its place, and its name completed with args. The
// arguments do not escape: nothing here stores or formats them. That keeps a call such as
// Age.At(root, id) at one allocation, the name. With an error it still returns a place in the tree,
// that of d if it is known.
func (d *Declaration) at(s *Scope, args []any) (*mounted, string, *Error) {
	at := s.at
	if s.err != nil {
		return at, "", s.err
	}
	if at == nil {
		return nil, "", zeroScope(d)
	}
	// Nearly every declaration is mounted once, and so is found in the first row.
	m := at.tree.table[int(d.id)&(len(at.tree.table)-1)].only
	if m == nil || m.def != d || !at.holds(m) {
		if m = at.tree.find(at, d); m == nil {
			return at, "", at.tree.notFound(at, d)
		}
	}
	if len(args) == 0 || !isNamed(args[0]) {
		if name, ok := m.name.Complete(&at.name, s.prefix, args); ok {
			return m, name, nil
		}
	} else if name, ok := m.completeNamed(s, args); ok {
		return m, name, nil
	}
	return m.resolve(s, args)
}

// isNamed reports whether an argument was made by [ParamDef.Of].
func isNamed(arg any) bool {
	_, ok := arg.(Arg)
	return ok
}

// completeNamed returns the name that named arguments complete, if they are in the order of the
// parameters that are open, and none of them needs a check.
func (m *mounted) completeNamed(s *Scope, args []any) (string, bool) {
	switch {
	case len(m.name.Pieces)-len(s.at.name.Pieces) != len(args):
		return "", false
	case len(args) == 1:
		a, _ := args[0].(Arg)
		return m.name.CompleteNamed(&s.at.name, s.prefix, a.of)
	}
	var stack [names.StackName]byte
	name := stack[:0]
	for i := range args {
		a, ok := args[i].(Arg)
		if !ok {
			return "", false
		}
		if name, ok = m.name.AppendNamed(name, &s.at.name, s.prefix, i, a.of); !ok {
			return "", false
		}
	}
	return string(m.name.AppendEnd(name)), true
}

// fewArgs is the number of arguments that are examined without an allocation.
const fewArgs = 4

// resolve is like at, for every kind of argument and with every check.
func (m *mounted) resolve(s *Scope, args []any) (*mounted, string, *Error) {
	var few [fewArgs]names.Given
	given := few[:]
	if len(args) > len(few) {
		given = make([]names.Given, len(args))
	}
	for i, arg := range args {
		if a, ok := arg.(Arg); ok {
			given[i] = names.Given{Arg: a.of, Named: true} // even the zero Arg, which names nothing
		}
	}
	name, problem := m.name.Resolve(&s.at.name, s.prefix, args, given[:len(args)])
	if problem != nil {
		return m, "", m.misuse(problem)
	}
	return m, name, nil
}

// misuse returns the error for wrong arguments.
func (m *mounted) misuse(problem *names.Problem) *Error {
	return &Error{Op: "at", Template: m.name.Text, Err: misused(problem)}
}

// misused returns the reason for which arguments are refused.
func misused(problem *names.Problem) error {
	kind := ErrParamValue
	switch problem.Kind {
	case names.MissingParam:
		kind = ErrMissingParam
	case names.ExtraParam:
		kind = ErrExtraParam
	case names.ParamType:
		kind = ErrParamType
	}
	return because(kind, problem.Text)
}

func nilDeclaration(s Scope) *Error {
	if s.err != nil {
		return s.err
	}
	return &Error{Op: "at", Err: because(ErrNotMounted, "the declaration is nil: is its variable initialised later?")}
}

func zeroScope(d *Declaration) *Error {
	return &Error{Op: "at", Template: d.template.Text, Err: because(ErrNoClient, "the zero Scope is bound to nothing: use the one that Open returns")}
}

// At returns the scope of the cluster below s. args are the values of the parameters that are still
// open between s and the cluster; see [KeyDef.At]. At never fails: if something is wrong,
// [Scope.Err] and every operation on or below the scope return the error.
func (d *ClusterDef) At(s Scope, args ...any) Scope {
	if d == nil {
		return Scope{at: s.at, err: nilDeclaration(s)}
	}
	m, name, err := d.at(&s, args)
	return Scope{at: m, prefix: name, err: err}
}
