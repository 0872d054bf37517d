package nest

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// stackName is how long a name may grow before it leaves the stack.
const stackName = 128

// at finds the declaration below s and gives it the name that args complete. The arguments do
// not escape: nothing here stores or formats them, which keeps a call such as
// Age.At(root, id) at one allocation, the name.
func (d *Declaration) at(s *Scope, args []any) (*mounted, string, *Error) {
	at := s.at
	if s.err != nil {
		return nil, "", s.err
	}
	if at == nil {
		return nil, "", zeroScope(d)
	}
	// Nearly every declaration is mounted once, and found in the first row.
	m := at.tree.table[int(d.id)&(len(at.tree.table)-1)].only
	if m == nil || m.def != d || !at.holds(m) {
		if m = at.tree.find(at, d); m == nil {
			return nil, "", at.tree.notFound(at, d)
		}
	}
	open := m.pieces[len(at.pieces):]
	if len(open) != len(args) {
		return m.resolve(s, args)
	}
	var stack [stackName]byte
	name := stack[:0]
	switch {
	case len(open) == 0:
		return m, string(append(append(name, s.prefix...), m.end[len(at.end):]...)), nil
	case len(at.pieces) == 0:
		name = open[0].block.append(name)
	default:
		// The literal repeats what the scope's prefix ends with.
		name = append(append(name, s.prefix...), open[0].literal[len(at.end):]...)
	}
	for i := range open {
		p := open[i].param
		if i > 0 {
			name = open[i].block.append(name)
		}
		var n int64
		switch a := args[i].(type) {
		case string:
			if uint(len(a)-1) >= uint(p.fastLen) { // empty, too long, or not to be had plain
				return m.resolve(s, args)
			}
			if p.escapes.plain(a) {
				name = append(name, a...)
			} else {
				name = appendEscaped(name, a, p.escapes)
			}
			continue
		case int:
			n = int64(a)
		case int64:
			n = a
		default:
			return m.resolve(s, args)
		}
		if !p.fastInt {
			return m.resolve(s, args)
		}
		name = strconv.AppendInt(name, n, 10)
	}
	return m, string(m.endBlock.append(name)), nil
}

// resolve is at for every kind of argument, and with every check.
func (m *mounted) resolve(s *Scope, args []any) (*mounted, string, *Error) {
	open := m.pieces[len(s.at.pieces):]
	skip := len(s.at.end)
	name := append(make([]byte, 0, stackName), s.prefix...)
	if err := m.strayNamed(s, args); err != nil {
		return nil, "", err
	}
	plain := 0 // plain arguments taken so far
	for i := range open {
		p := open[i].param
		name = append(name, open[i].literal[skip:]...)
		skip = 0
		// A named argument goes to its parameter wherever it stands, plain ones fill
		// what is left, in order.
		at := namedArg(args, p.name)
		if at < 0 {
			for plain < len(args) && isNamed(args[plain]) {
				plain++
			}
			if plain == len(args) {
				return nil, "", m.missing(s, args)
			}
			at = plain
			plain++
		}
		text, problem := p.text(nil, args[at])
		if problem == (argProblem{}) {
			problem = p.check(text)
		}
		if problem != (argProblem{}) {
			return nil, "", m.badArg(p, at, len(args), problem)
		}
		name = appendEscaped(name, text, p.escapes)
	}
	for plain < len(args) && isNamed(args[plain]) {
		plain++
	}
	if plain < len(args) {
		return nil, "", m.extra(s, args, plain)
	}
	return m, string(append(name, m.end...)), nil
}

func isNamed(arg any) bool {
	_, ok := arg.(Arg)
	return ok
}

// namedArg finds the first argument that is named name.
func namedArg(args []any, name string) int {
	for i, arg := range args {
		if a, ok := arg.(Arg); ok && a.name == name {
			return i
		}
	}
	return -1
}

// argProblem tells what is wrong with an argument without holding any part of its value.
type argProblem struct {
	kind error
	text string
}

// text appends the unescaped text of an argument.
func (p *param) text(dst []byte, arg any) ([]byte, argProblem) {
	if arg == nil {
		return dst, argProblem{ErrParamType, "is nil"}
	}
	if a, ok := arg.(Arg); ok {
		return p.named(dst, a)
	}
	v := reflect.ValueOf(arg)
	kind := v.Kind()
	if p.class == textClass {
		return p.marshal(dst, v, arg)
	}
	switch {
	case kind == reflect.String && (p.class == anyClass || p.class == stringClass):
		return append(dst, v.String()...), argProblem{}
	case kind == reflect.Bool && (p.class == anyClass || p.class == boolClass):
		return strconv.AppendBool(dst, v.Bool()), argProblem{}
	case reflect.Int <= kind && kind <= reflect.Int64 && p.isInteger():
		return strconv.AppendInt(dst, v.Int(), 10), argProblem{}
	case reflect.Uint <= kind && kind <= reflect.Uint64 && p.isInteger():
		return strconv.AppendUint(dst, v.Uint(), 10), argProblem{}
	}
	return dst, argProblem{ErrParamType, "takes " + p.takes() + ", not " + article(v.Type().String())}
}

func (p *param) isInteger() bool {
	return p.class == anyClass || p.class == intClass || p.class == uintClass
}

func (p *param) named(dst []byte, a Arg) ([]byte, argProblem) {
	switch a.class {
	case badClass:
		return dst, argProblem{ErrParamValue, "has no text form: its MarshalText failed"}
	case stringClass:
		if p.class == anyClass || p.class == stringClass {
			return append(dst, a.text...), argProblem{}
		}
	case textClass:
		if p.class == anyClass || p.class == textClass && p.typ == a.typ {
			return append(dst, a.text...), argProblem{}
		}
		return dst, argProblem{ErrParamType, "takes " + p.takes() + ", not " + article(a.typ.String())}
	case boolClass:
		if p.class == anyClass || p.class == boolClass {
			return strconv.AppendBool(dst, a.num == 1), argProblem{}
		}
	case intClass:
		if p.isInteger() {
			return strconv.AppendInt(dst, int64(a.num), 10), argProblem{}
		}
	case uintClass:
		if p.isInteger() {
			return strconv.AppendUint(dst, a.num, 10), argProblem{}
		}
	}
	return dst, argProblem{ErrParamType, "takes " + p.takes() + ", not " + a.class.String()}
}

// check looks at the unescaped text of an argument.
func (p *param) check(text []byte) argProblem {
	switch {
	case len(text) == 0:
		return argProblem{ErrParamValue, "is empty"}
	case len(text) > p.maxLen:
		return argProblem{ErrParamValue, fmt.Sprintf("is %d bytes long, the limit is %d", len(text), p.maxLen)}
	case (p.class == intClass || p.class == uintClass) && !p.canonical(string(text)):
		return argProblem{ErrParamValue, "is out of the range of " + article(p.typ.String())}
	case p.class == textClass && !p.canonical(string(text)):
		return argProblem{ErrParamValue, "has a text form that its UnmarshalText does not read back as the same value"}
	case p.validate != nil && p.validate(string(text)) != nil:
		return argProblem{ErrParamValue, "is refused by the parameter's Validate function"}
	}
	return argProblem{}
}

// takes tells in words what the parameter takes.
func (p *param) takes() string {
	switch p.class {
	case anyClass:
		return "a string, an integer or a boolean"
	case textClass:
		return article(p.typ.String())
	}
	return article(p.typ.String()) + " or another value of " + p.class.kind() + " kind"
}

func (c class) kind() string {
	switch c {
	case stringClass:
		return "string"
	case boolClass:
		return "boolean"
	}
	return "integer"
}

// String names what a named argument holds.
func (c class) String() string { return article(c.kind()) }

// article puts the indefinite article before a noun.
func article(noun string) string {
	if strings.IndexByte("aeiouAEIO", noun[0]) >= 0 && !strings.HasPrefix(noun, "uint") && !strings.HasPrefix(noun, "uuid") {
		return "an " + noun
	}
	return "a " + noun
}
