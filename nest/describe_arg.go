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
	refuse := func(kind error, why string) (Arg, error) { //nolint:unparam // the result of Arg
		return Arg{}, &Error{Op: "arg", Err: because(kind, "parameter <"+p.Name+"> "+why)}
	}
	if p.spec == nil || p.spec.ID == 0 {
		return refuse(ErrArgument, "is attached by no Params, and a name alone does not set it apart")
	}
	a := names.Arg{Named: true, Spec: p.spec, Class: p.spec.Class}
	takes := func(what string) (Arg, error) {
		return refuse(ErrParamValue, fmt.Sprintf("takes %s, for its type %v", what, p.spec.Type))
	}
	switch a.Class {
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
