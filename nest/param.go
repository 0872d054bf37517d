package nest

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
)

// DefaultMaxLen is how long a parameter's value may be, in bytes before escaping, unless its
// [Param] says otherwise with [MaxLen].
const DefaultMaxLen = 1024

// ParamDef declares the Go type of a parameter. It is a value that [Params] attaches to a
// cluster or key, where it types the parameter of its name in the template and in everything
// below it.
type ParamDef[T any] struct {
	spec  *paramSpec
	parse func(text string) (T, error)
}

// Param declares that the parameter of this name holds a T: any string, integer or boolean
// kind, named types included, or a type whose T has MarshalText or AppendText and whose *T has
// UnmarshalText (times, addresses, UUIDs).
//
// A typed parameter takes only what fits T, and [Scope.Match] only names that a T can have
// made: two keys that differ only in what such a parameter can be do not collide.
//
// Param panics when T is of another kind, when name is no parameter name, and when an option
// is meant for another type.
func Param[T any](name string, opts ...ParamOption) *ParamDef[T] {
	where := caller()
	if !isParamName(name) {
		where.refuse("Param", name, fmt.Errorf("a parameter's name is made of lower-case letters, digits and '_' and begins with a letter"))
	}
	d := &ParamDef[T]{spec: &paramSpec{id: lastID.Add(1), name: name, maxLen: DefaultMaxLen, where: where, typ: reflect.TypeFor[T]()}}
	var err error
	if d.parse, err = describeType[T](d.spec); err != nil {
		where.refuse("Param", name, err)
	}
	for _, o := range opts {
		if o == nil {
			where.refuse("Param", name, errors.New("a nil option"))
		}
		if err := o.applyParam(d.spec); err != nil {
			where.refuse("Param", name, err)
		}
	}
	return d
}

// Name is the parameter's name in templates.
func (d *ParamDef[T]) Name() string { return d.spec.name }

// Of names and types a value for At, which then takes it in any order.
func (d *ParamDef[T]) Of(v T) Arg {
	if d == nil || d.spec == nil {
		return Arg{}
	}
	a := Arg{name: d.spec.name}
	switch d.spec.class {
	case intClass:
		a.class, a.num = intClass, uint64(reflect.ValueOf(v).Int())
	case uintClass:
		a.class, a.num = uintClass, reflect.ValueOf(v).Uint()
	case boolClass:
		a.class = boolClass
		if reflect.ValueOf(v).Bool() {
			a.num = 1
		}
	case stringClass:
		a.class, a.text = stringClass, reflect.ValueOf(v).String()
	default:
		a.class, a.typ = textClass, d.spec.typ
		text, err := marshalText(v)
		if a.text = string(text); err != nil {
			a.class = badClass
		}
	}
	return a
}

// From gives the parameter's value in a match. The error wraps [ErrMissingParam] when the
// matched declaration has no such parameter, [ErrParamValue] when its text is no T.
func (d *ParamDef[T]) From(m Match) (T, error) {
	if d == nil || d.spec == nil {
		var zero T
		return zero, &Error{Op: "from", Template: m.template(), Err: because(ErrMissingParam, "the parameter is a zero value: make it with Param")}
	}
	text, ok := m.Param(d.spec.name)
	if !ok {
		var zero T
		return zero, &Error{Op: "from", Template: m.template(), Err: because(ErrMissingParam, "the matched declaration has no <"+d.spec.name+">")}
	}
	v, err := d.parse(text)
	if err != nil {
		return v, &Error{Op: "from", Template: m.template(), Err: because(ErrParamValue, "<"+d.spec.name+"> is no "+d.spec.typ.String())}
	}
	return v, nil
}

func (d *ParamDef[T]) param() *paramSpec { return d.spec }

// AnyParam is a [ParamDef] of any type.
type AnyParam interface {
	Name() string
	param() *paramSpec
}

// Arg is a named, typed argument for At, made by [ParamDef.Of].
type Arg struct {
	name  string
	class class
	num   uint64
	text  string
	typ   reflect.Type // of a textClass value
}

// String gives the parameter that the argument is for, without the value.
func (a Arg) String() string { return "<" + a.name + ">" }

// Format prints what String gives, whatever the verb and the flags: the value stays out of
// what package fmt shows of it.
func (a Arg) Format(s fmt.State, verb rune) { formatted(s, verb, a.String()) }

// class is what a parameter holds, as far as names are concerned.
type class uint8

const (
	anyClass    class = iota // undeclared: any string, integer or boolean
	stringClass              // a string kind
	intClass                 // a signed integer kind
	uintClass                // an unsigned integer kind
	boolClass                // a boolean kind
	textClass                // a type with MarshalText
	badClass                 // an argument whose MarshalText failed
)

// paramSpec is what Param declares, without its type parameter. It is not changed after Param
// returns.
type paramSpec struct {
	id        uint32 // of the declaration: equal for one Param only
	name      string
	class     class
	typ       reflect.Type
	bits      int
	maxLen    int
	sensitive bool
	doc       string
	where     position

	// canonical tells whether text is what At writes for some T. It is nil where every
	// text is.
	canonical func(text string) bool
	// validate runs the caller's Validate on the T that text stands for.
	validate func(text string) error
	// validator sets validate from a func(T) error.
	validator func(f any) bool
	// textOf gives the text of a textClass value, rebuilt from a copy that At's arguments
	// need not escape for.
	textOf func(v reflect.Value) ([]byte, error)
}

// describeType fills in how T is written and read, and gives its parser.
func describeType[T any](s *paramSpec) (func(string) (T, error), error) {
	var parse func(text string) (T, error)
	_, unmarshals := any(new(T)).(encoding.TextUnmarshaler)
	switch kind := s.typ.Kind(); {
	case unmarshals && marshalsText(s.typ):
		s.class = textClass
		s.textOf = func(v reflect.Value) ([]byte, error) { return marshalText(v.Interface()) }
		parse = func(text string) (v T, err error) {
			err = any(&v).(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
			return v, err
		}
		s.canonical = func(text string) bool {
			v, err := parse(text)
			if err != nil {
				return false
			}
			again, err := marshalText(v)
			return err == nil && string(again) == text
		}
	case kind == reflect.String:
		s.class = stringClass
		parse = func(text string) (v T, _ error) { //nolint:unparam // a text is always read
			reflect.ValueOf(&v).Elem().SetString(text)
			return v, nil
		}
	case reflect.Int <= kind && kind <= reflect.Int64:
		s.class, s.bits = intClass, s.typ.Bits()
		parse = func(text string) (v T, err error) {
			n, err := strconv.ParseInt(text, 10, s.bits)
			reflect.ValueOf(&v).Elem().SetInt(n)
			return v, err
		}
		s.canonical = func(text string) bool { return isDecimal(text, true) && fits(strconv.ParseInt(text, 10, s.bits)) }
	case reflect.Uint <= kind && kind <= reflect.Uint64:
		s.class, s.bits = uintClass, s.typ.Bits()
		parse = func(text string) (v T, err error) {
			n, err := strconv.ParseUint(text, 10, s.bits)
			reflect.ValueOf(&v).Elem().SetUint(n)
			return v, err
		}
		s.canonical = func(text string) bool { return isDecimal(text, false) && fits(strconv.ParseUint(text, 10, s.bits)) }
	case kind == reflect.Bool:
		s.class = boolClass
		parse = func(text string) (v T, err error) {
			b, err := strconv.ParseBool(text)
			reflect.ValueOf(&v).Elem().SetBool(b)
			return v, err
		}
		s.canonical = func(text string) bool { return text == "true" || text == "false" }
	default:
		return nil, fmt.Errorf("%s cannot be a parameter: it is no string, integer or boolean kind, and has no MarshalText with an UnmarshalText", s.typ)
	}
	s.validator = func(f any) bool {
		check, ok := f.(func(T) error)
		if ok {
			s.validate = func(text string) error {
				v, err := parse(text)
				if err != nil {
					return err
				}
				return check(v)
			}
		}
		return ok
	}
	return parse, nil
}

func fits[N any](_ N, err error) bool { return err == nil }

// isDecimal tells whether text is an integer as strconv writes it: no plus, no leading zeros.
func isDecimal(text string, signed bool) bool {
	digits := text
	if signed && len(text) > 1 && text[0] == '-' && text != "-0" {
		digits = text[1:]
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
	}
	return digits != "" && (digits[0] != '0' || len(digits) == 1)
}

func marshalsText(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) || t.Implements(reflect.TypeFor[encoding.TextAppender]())
}

// marshalText gives the text of v. A nil pointer has none, whatever its method would do.
func marshalText(v any) ([]byte, error) {
	if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() {
		return nil, errors.New("nil")
	}
	switch m := v.(type) {
	case encoding.TextAppender:
		return m.AppendText(nil)
	case encoding.TextMarshaler:
		return m.MarshalText()
	}
	return nil, errors.New("no text form")
}

// ParamOption is an option of [Param].
type ParamOption interface {
	applyParam(s *paramSpec) error
}

type paramOption func(s *paramSpec) error

func (o paramOption) applyParam(s *paramSpec) error { return o(s) }

// Sensitive keeps the parameter's values out of errors and logs: the parameter's template
// stands in their place, also where package fmt prints a scope or a reference. (Of one that stands
// in an unexported field of another value it prints the bare fields: it cannot ask it there.) Names
// in Redis are not changed by it.
func Sensitive() ParamOption {
	return paramOption(func(s *paramSpec) error {
		s.sensitive = true
		return nil
	})
}

// MaxLen sets how long the parameter's value may be, in bytes before escaping. The default is
// [DefaultMaxLen].
func MaxLen(n int) ParamOption {
	return paramOption(func(s *paramSpec) error {
		if n < 1 {
			return fmt.Errorf("MaxLen(%d): the limit must be at least 1 byte", n)
		}
		s.maxLen = n
		return nil
	})
}

// Validate checks every value that At is given. An error of check makes At fail with
// [ErrParamValue]; its text is dropped, since it could hold the value. T must be the
// parameter's type.
func Validate[T any](check func(T) error) ParamOption {
	return paramOption(func(s *paramSpec) error {
		if check == nil {
			return errors.New("Validate: a nil function")
		}
		if !s.validator(check) {
			return fmt.Errorf("Validate takes a func(%s) error here, not a %T", s.typ, check)
		}
		return nil
	})
}
