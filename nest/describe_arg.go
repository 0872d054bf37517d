package nest

import (
	"fmt"
	"strconv"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// Arg makes an argument for the parameter from text, as a person types it: an integer in decimal
// digits, true or false, or the text of the type. It is for tools whose filters come from outside
// the program; [ParamDef.Of] is for those that the program knows. The argument fits this very
// parameter, in [Where] as in At. The error wraps [ErrParamValue] for a text that is no value of
// the type. It wraps [ErrArgument] if no [Params] attaches the parameter, since then nothing sets
// it apart from others of its name. What [Validate] refuses, the use of the argument refuses.
func (p ParamDescription) Arg(text string) (Arg, error) {
	if p.spec == nil || p.spec.ID == 0 {
		return Arg{}, &Error{Op: "arg", Err: because(ErrArgument, "parameter <"+p.Name+"> is attached by no Params, and a name alone does not set it apart")}
	}
	return p.typed("arg", text)
}

// Match returns the key that the description is about, with these values of the parameters that are
// [Description.Missing], by name. The values are written as a person types them, see
// [ParamDescription.Arg]. It sends nothing, and the key need not exist. The error wraps
// [ErrMissingParam], [ErrExtraParam] or [ErrParamValue], or [ErrArgument] if the description is
// that of a cluster or comes from JSON.
func (d Description) Match(values map[string]string) (Match, error) {
	const op = "match"
	if d.at == nil || d.at.def.isCluster() {
		return Match{}, &Error{Op: op, Template: d.Name, Err: because(ErrArgument, "the description is not that of a key below an open scope")}
	}
	var args []any
	for _, p := range d.Params {
		text, ok := values[p.Name]
		if !ok || !p.Missing {
			continue
		}
		if p.spec.Class == names.AnyClass {
			args = append(args, text)
			continue
		}
		arg, err := p.typed(op, text)
		if err != nil {
			return Match{}, err
		}
		args = append(args, arg)
	}
	if len(args) < len(values) {
		return Match{}, &Error{Op: op, Template: d.Name, Err: because(ErrExtraParam, "values are given for parameters that are not open here")}
	}
	_, key, refused := d.at.resolve(&d.scope, args)
	if refused != nil {
		return Match{}, refused
	}
	return Match{key: key, at: d.at}, nil
}

// typed returns the argument that text stands for.
func (p ParamDescription) typed(op, text string) (Arg, error) {
	a := names.Arg{Spec: p.spec}
	takes := func(what string) (Arg, error) {
		return Arg{}, &Error{Op: op, Err: because(ErrParamValue, fmt.Sprintf("parameter <%s> takes %s, for its type %v", p.Name, what, p.spec.Type))}
	}
	switch p.spec.Class {
	case names.IntClass:
		n, err := strconv.ParseInt(text, 10, p.spec.Bits)
		if err != nil {
			return takes("an integer")
		}
		a.Num = uint64(n)
	case names.UintClass:
		n, err := strconv.ParseUint(text, 10, p.spec.Bits)
		if err != nil {
			return takes("an integer that is not negative")
		}
		a.Num = n
	case names.BoolClass:
		yes, err := strconv.ParseBool(text)
		if err != nil {
			return takes("true or false")
		}
		if yes {
			a.Num = 1
		}
	default:
		a.Text = text
	}
	return Arg{a}, nil
}
