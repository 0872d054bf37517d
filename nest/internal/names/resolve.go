package names

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
)

// StackName is the length up to which a name is built on the stack.
const StackName = 128

// Complete returns the name that args complete below a scope. The scope's own name is above, and
// its filled-in prefix is prefix. Complete is the fast path for as many strings and integers as
// there are open parameters, of builtin types or of the parameters' own, if none of them needs a
// check. It reports false for all others, which [Name.Resolve] handles. The
// arguments do not escape, because nothing here stores or formats them. That keeps a call such as
// Age.At(root, id) at one allocation, the name. A name without parameters is a constant, and takes
// none.
func (m *Name) Complete(above *Name, prefix string, args []any) (string, bool) {
	open := m.Pieces[len(above.Pieces):]
	if len(open) != len(args) {
		return "", false
	}
	if len(m.Pieces) == 0 {
		return m.End, true
	}
	var stack [StackName]byte
	name := stack[:0]
	if len(open) == 0 {
		return string(append(append(name, prefix...), m.End[len(above.End):]...)), true
	}
	if len(above.Pieces) == 0 {
		name = open[0].block.append(name)
	} else {
		// The literal begins with the end of the scope's prefix.
		name = append(append(name, prefix...), open[0].Literal[len(above.End):]...)
	}
	for i := range open {
		p := open[i].Param
		if i > 0 {
			name = open[i].block.append(name)
		}
		n, fits := int64(0), true // an integer of a builtin type that fits an int64
		switch a := args[i].(type) {
		case string:
			if uint(len(a)-1) >= uint(p.fastLen) { // empty, too long, or to be checked
				return "", false
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
		case int32:
			n = int64(a)
		case int16:
			n = int64(a)
		case int8:
			n = int64(a)
		case uint:
			n = int64(a)
			fits = n >= 0
		case uint64:
			n = int64(a)
			fits = n >= 0
		case uint32:
			n = int64(a)
		case uint16:
			n = int64(a)
		case uint8:
			n = int64(a)
		default:
			fits = false
		}
		if fits && p.fastInt {
			name = strconv.AppendInt(name, n, 10)
			continue
		}
		var ok bool
		if name, ok = p.appendOwn(name, args[i]); !ok {
			return "", false
		}
	}
	return string(m.endBlock.append(name)), true
}

// AppendOwn is like [Name.Complete], and appends the name.
func (m *Name) AppendOwn(name []byte, above *Name, prefix string, args []any) ([]byte, bool) {
	open := m.Pieces[len(above.Pieces):]
	if len(open) != len(args) {
		return name, false
	}
	if len(open) == 0 {
		return append(append(name, prefix...), m.End[len(above.End):]...), true
	}
	name = open[0].begin(name, above, prefix)
	for i := range open {
		if i > 0 {
			name = open[i].block.append(name)
		}
		var ok bool
		if name, ok = open[i].Param.appendOwn(name, args[i]); !ok {
			return name, false
		}
	}
	return m.endBlock.append(name), true
}

// begin appends what stands before the first parameter that is open below a scope.
func (p *Piece) begin(name []byte, above *Name, prefix string) []byte {
	if len(above.Pieces) == 0 {
		return p.block.append(name)
	}
	// The literal begins with the end of the scope's prefix.
	return append(append(name, prefix...), p.Literal[len(above.End):]...)
}

// appendOwn appends an integer or a string of any builtin type, or of the parameter's own type, if
// it needs no check.
func (p *Param) appendOwn(name []byte, arg any) ([]byte, bool) {
	v := reflect.ValueOf(arg)
	kind := v.Kind()
	if kind == reflect.Invalid || p.Class == TextClass {
		return name, false
	}
	own := v.Type() == p.Type
	switch {
	case !own && p.isAnother(v.Type()):
		return name, false
	case reflect.Int <= kind && kind <= reflect.Int64:
		return strconv.AppendInt(name, v.Int(), 10), own && p.fastOwn || p.fastInt
	case reflect.Uint <= kind && kind <= reflect.Uint64:
		n := v.Uint()
		return strconv.AppendUint(name, n, 10), own && p.fastOwn || p.fastInt && (p.Class == AnyClass || n <= math.MaxInt64)
	case kind == reflect.String:
		text := v.String()
		if uint(len(text)-1) >= uint(p.fastLen) {
			return name, false
		}
		return p.escapes.append(name, text), true
	}
	return name, false
}

// Arg is a named argument: its declaration and its value. It is as small as it can be, because it
// is copied on its way. The zero Arg names nothing.
type Arg struct {
	Spec *Spec
	Num  uint64 // of an integer, 1 for true, or [NoText]
	Text string
}

// NoText is the number of a value of TextClass whose MarshalText failed.
const NoText = 1

// class returns the class of the declaration, or BadClass.
func (a *Arg) class() Class {
	if a.Spec.Class == TextClass && a.Num == NoText {
		return BadClass
	}
	return a.Spec.Class
}

// Given describes an argument. For a plain argument it says only that it exists.
type Given struct {
	Arg
	Named bool
}

// Param returns the name of the parameter that a named argument is for, or "".
func (a *Arg) Param() string {
	if a.Spec == nil {
		return ""
	}
	return a.Spec.Name
}

// ID returns the id of the declaration that a named argument is for, or 0.
func (a *Arg) ID() uint32 {
	if a.Spec == nil {
		return 0
	}
	return a.Spec.ID
}

// CompleteNamed is like [Name.Complete], for one named argument.
func (m *Name) CompleteNamed(above *Name, prefix string, a Arg) (string, bool) {
	piece := &m.Pieces[len(m.Pieces)-1]
	p := piece.Param
	if a.Spec == nil || a.Spec.ID != p.ID && (p.Class != AnyClass || a.Spec.Name != p.Name) {
		return "", false
	}
	var stack [StackName]byte
	name := stack[:0]
	if len(above.Pieces) == 0 {
		name = piece.block.append(name)
	} else {
		name = append(append(name, prefix...), piece.Literal[len(above.End):]...)
	}
	switch c := a.Spec.Class; {
	case c == StringClass && uint(len(a.Text)-1) < uint(p.fastLen):
		if p.escapes.plain(a.Text) {
			name = append(name, a.Text...)
		} else {
			name = appendEscaped(name, a.Text, p.escapes)
		}
	case c == IntClass && p.fastOwn:
		name = strconv.AppendInt(name, int64(a.Num), 10)
	case c == UintClass && p.fastOwn:
		name = strconv.AppendUint(name, a.Num, 10)
	default:
		return "", false
	}
	return string(m.endBlock.append(name)), true
}

// AppendNamed appends the i-th parameter that is open below a scope, with what stands before it, if
// the argument is for it and needs no check.
func (m *Name) AppendNamed(name []byte, above *Name, prefix string, i int, a Arg) ([]byte, bool) {
	piece := &m.Pieces[len(above.Pieces)+i]
	p := piece.Param
	if a.Spec == nil || a.Spec.ID != p.ID && (p.Class != AnyClass || a.Spec.Name != p.Name) {
		return name, false
	}
	if i == 0 {
		name = piece.begin(name, above, prefix)
	} else {
		name = piece.block.append(name)
	}
	switch c := a.Spec.Class; {
	case c == StringClass && uint(len(a.Text)-1) < uint(p.fastLen):
		return p.escapes.append(name, a.Text), true
	case c == IntClass && p.fastOwn:
		return strconv.AppendInt(name, int64(a.Num), 10), true
	case c == UintClass && p.fastOwn:
		return strconv.AppendUint(name, a.Num, 10), true
	}
	return name, false
}

// AppendEnd appends what stands after the last parameter.
func (m *Name) AppendEnd(name []byte) []byte { return m.endBlock.append(name) }

// Resolve is like Complete, but for every kind of argument, and with every check. given describes
// each of args.
func (m *Name) Resolve(above *Name, prefix string, args []any, given []Given) (string, *Problem) {
	open := m.Pieces[len(above.Pieces):]
	skip := len(above.End)
	name := append(make([]byte, 0, StackName), prefix...)
	if problem := m.strayNamed(open, given); problem != nil {
		return "", problem
	}
	if at := surplus(open, given); at >= 0 {
		return "", extra(open, at, len(given))
	}
	plain := 0 // plain arguments taken so far
	for i := range open {
		p := open[i].Param
		name = append(name, open[i].Literal[skip:]...)
		skip = 0
		// A named argument goes to its parameter, wherever the argument is; plain ones fill the
		// remaining parameters in order.
		at := namedArg(given, p.Name)
		if at < 0 {
			for plain < len(given) && given[plain].Named {
				plain++
			}
			if plain == len(given) {
				return "", missing(open, given)
			}
			at = plain
			plain++
		}
		var text []byte
		var problem Problem
		if given[at].Named {
			text, problem = p.named(nil, &given[at].Arg)
		} else {
			text, problem = p.text(nil, args[at])
		}
		if problem == (Problem{}) {
			problem = p.check(text)
		}
		if problem != (Problem{}) {
			return "", problem.at(p, at, len(args))
		}
		name = appendEscaped(name, text, p.escapes)
	}
	return string(append(name, m.End[skip:]...)), nil
}

// namedArg returns the index of the first argument with the given name, or -1.
func namedArg(given []Given, name string) int {
	for i := range given {
		if given[i].Named && given[i].Param() == name {
			return i
		}
	}
	return -1
}

// text appends the unescaped text of an argument.
func (p *Param) text(dst []byte, arg any) ([]byte, Problem) {
	if arg == nil {
		return dst, Problem{ParamType, "is nil"}
	}
	v := reflect.ValueOf(arg)
	kind := v.Kind()
	if p.Class == TextClass {
		return p.marshal(dst, v, arg)
	}
	switch {
	case p.isAnother(v.Type()):
		return dst, Problem{ParamType, "takes " + p.takes() + ", not " + Article(v.Type().String()) + ", which is another named type"}
	case kind == reflect.String && (p.Class == AnyClass || p.Class == StringClass):
		return append(dst, v.String()...), Problem{}
	case kind == reflect.Bool && (p.Class == AnyClass || p.Class == BoolClass):
		return strconv.AppendBool(dst, v.Bool()), Problem{}
	case reflect.Int <= kind && kind <= reflect.Int64 && p.isInteger():
		return strconv.AppendInt(dst, v.Int(), 10), Problem{}
	case reflect.Uint <= kind && kind <= reflect.Uint64 && p.isInteger():
		return strconv.AppendUint(dst, v.Uint(), 10), Problem{}
	}
	return dst, Problem{ParamType, "takes " + p.takes() + ", not " + Article(v.Type().String())}
}

// isAnother reports whether t is a named type other than that of the parameter. Values of such a
// type are most likely meant for another parameter.
func (p *Param) isAnother(t reflect.Type) bool {
	return p.Class != AnyClass && t != p.Type && t.PkgPath() != ""
}

func (p *Param) isInteger() bool {
	return p.Class == AnyClass || p.Class == IntClass || p.Class == UintClass
}

func (p *Param) named(dst []byte, a *Arg) ([]byte, Problem) {
	if p.Class != TextClass && a.class() != BadClass && p.isAnother(a.Spec.Type) {
		return dst, Problem{ParamType, "takes " + p.takes() + ", not " + Article(a.Spec.Type.String()) + ", which is another named type"}
	}
	switch a.class() {
	case BadClass:
		return dst, Problem{ParamValue, "has no text form: its MarshalText failed"}
	case StringClass:
		if p.Class == AnyClass || p.Class == StringClass {
			return append(dst, a.Text...), Problem{}
		}
	case TextClass:
		if p.Class == AnyClass || p.Class == TextClass && p.Type == a.Spec.Type && p.Layout == a.Spec.Layout {
			return append(dst, a.Text...), Problem{}
		}
		if p.Layout != a.Spec.Layout && p.Type == a.Spec.Type {
			return dst, Problem{ParamType, fmt.Sprintf("takes a time in the layout %q, not in %q", p.Layout, a.Spec.Layout)}
		}
		return dst, Problem{ParamType, "takes " + p.takes() + ", not " + Article(a.Spec.Type.String())}
	case BoolClass:
		if p.Class == AnyClass || p.Class == BoolClass {
			return strconv.AppendBool(dst, a.Num == 1), Problem{}
		}
	case IntClass:
		if p.isInteger() {
			return strconv.AppendInt(dst, int64(a.Num), 10), Problem{}
		}
	case UintClass:
		if p.isInteger() {
			return strconv.AppendUint(dst, a.Num, 10), Problem{}
		}
	}
	return dst, Problem{ParamType, "takes " + p.takes() + ", not " + a.class().String()}
}

// check checks the unescaped text of an argument.
func (p *Param) check(text []byte) Problem {
	switch {
	case len(text) == 0:
		return Problem{ParamValue, "is empty"}
	case len(text) > p.MaxLen:
		return Problem{ParamValue, fmt.Sprintf("is %d bytes long, the limit is %d", len(text), p.MaxLen)}
	case (p.Class == IntClass || p.Class == UintClass) && !p.canonical(string(text)):
		return Problem{ParamValue, "is out of the range of " + Article(p.Type.String())}
	case p.Layout != "" && !p.canonical(string(text)):
		return Problem{ParamValue, fmt.Sprintf("cannot be read back from the layout %q: is its year outside of 0 to 9999?", p.Layout)}
	case p.Class == TextClass && !p.canonical(string(text)):
		return Problem{ParamValue, "has a text form that its UnmarshalText does not read back as the same value"}
	case p.Validate != nil && p.Validate(string(text)) != nil:
		return Problem{ParamValue, "is refused by the parameter's Validate function"}
	}
	return Problem{}
}

// takes returns in words what the parameter accepts.
func (p *Param) takes() string {
	switch p.Class {
	case AnyClass:
		return "a string, an integer or a boolean"
	case TextClass:
		return Article(p.Type.String())
	}
	return Article(p.Type.String()) + " or another value of " + p.Class.kind() + " kind"
}

func (c Class) kind() string {
	switch c {
	case StringClass:
		return "string"
	case BoolClass:
		return "boolean"
	}
	return "integer"
}

// String returns, in words, what a named argument holds.
func (c Class) String() string { return Article(c.kind()) }
