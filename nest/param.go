package nest

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// DefaultMaxLen is the maximum length of a parameter's value, in bytes before escaping, unless its
// [Param] sets another with [MaxLen].
const DefaultMaxLen = 1024

// ParamDef declares the Go type of a parameter. [Params] attaches it to a cluster or key. There it
// types the parameter of its name, in the template and in everything below it.
type ParamDef[T any] struct {
	spec  *names.Spec
	parse func(text string) (T, error)
}

// Param declares that the parameter of this name holds a T. T is of any string, integer or boolean
// kind, named types included, or T has MarshalText or AppendText and *T has UnmarshalText
// (addresses, UUIDs, versions).
//
// A [time.Time] needs a [Layout], such as Layout(time.DateOnly). Its own text includes the
// nanosecond and the zone: each moment would make its own key, and one moment in two zones two.
//
// A typed parameter accepts a T, or a value of a built-in type of T's kind that fits T: a 7 as well
// as a UserID(7), but not an OrgID(7). [Scope.Match] accepts only names that a T can produce. So
// two keys do not collide if they differ only in the values that such a parameter can have.
//
// Param panics if T is of another kind, if it is a type of time without a Layout, if it does not
// read back the text that it writes, if name is not a parameter name, or if an option is meant for
// another type.
func Param[T any](name string, opts ...ParamOption) *ParamDef[T] {
	where := caller()
	if !names.IsParam(name) {
		where.refuse("Param", name, fmt.Errorf("a parameter's name is made of lower-case letters, digits and '_' and begins with a letter"))
	}
	d := &ParamDef[T]{spec: &names.Spec{ID: lastID.Add(1), Name: name, MaxLen: DefaultMaxLen, Where: where, Type: reflect.TypeFor[T]()}}
	var err error
	d.parse, err = names.Describe[T](d.spec, func() error {
		return eachOption(opts, func(o ParamOption) error { return o.applyParam(d.spec) })
	})
	if err != nil {
		where.refuse("Param", name, err)
	}
	return d
}

// Name returns the parameter's name in templates, or "" for a nil or zero ParamDef.
func (d *ParamDef[T]) Name() string {
	if s := d.param(); s != nil {
		return s.Name
	}
	return ""
}

// Of returns v as a named and typed argument for At, which accepts such arguments in any order.
func (d *ParamDef[T]) Of(v T) Arg {
	if d.param() == nil {
		return Arg{}
	}
	a := names.Arg{Spec: d.spec}
	switch d.spec.Class {
	case names.IntClass:
		a.Num = uint64(reflect.ValueOf(v).Int())
	case names.UintClass:
		a.Num = reflect.ValueOf(v).Uint()
	case names.BoolClass:
		if reflect.ValueOf(v).Bool() {
			a.Num = 1
		}
	case names.StringClass:
		a.Text = reflect.ValueOf(v).String()
	default:
		text, err := d.spec.Text(v)
		if a.Text = string(text); err != nil {
			a.Num = names.NoText
		}
	}
	return Arg{a}
}

func (d *ParamDef[T]) param() *names.Spec {
	if d == nil {
		return nil
	}
	return d.spec
}

// AnyParam is a [ParamDef] of any type.
type AnyParam interface {
	Name() string
	param() *names.Spec
}

// Arg is a named, typed argument for At, made by [ParamDef.Of].
type Arg struct{ of names.Arg }

// String returns the name of the parameter that the argument is for, without the value.
func (a Arg) String() string { return "<" + a.of.Param() + ">" }

// Format prints what String returns, for every verb and flag: package fmt does not show the value.
func (a Arg) Format(s fmt.State, verb rune) { formatted(s, verb, a.String()) }

// ParamOption is an option of [Param].
type ParamOption interface {
	applyParam(s *names.Spec) error
}

type paramOption func(s *names.Spec) error

func (o paramOption) applyParam(s *names.Spec) error { return o(s) }

// SensitiveOption is the result of [Sensitive]: an [Option] and a [ParamOption].
type SensitiveOption struct{}

// Sensitive keeps what it is given to out of sight. Names and values in Redis do not change.
//
// On a parameter, it keeps the parameter's values out of errors and logs. The parameter's template
// replaces them, also when package fmt prints a scope or a reference. (If a scope or a reference is
// in an unexported field of another value, package fmt prints its bare fields, because it cannot
// call methods there.)
//
// On a key, [Scope.Inspect] and the tools that are made of it check the value and never show it. On
// a cluster, this holds for everything below it.
func Sensitive() SensitiveOption { return SensitiveOption{} }

func (SensitiveOption) applyParam(s *names.Spec) error {
	s.Sensitive = true
	return nil
}
func (o SensitiveOption) applyCluster(c *config) error { return o.applyKey(c) }
func (SensitiveOption) applyKey(c *config) error {
	c.sensitive = true
	return c.mark(hasSensitive, "Sensitive")
}

// MaxLen sets the maximum length of the parameter's value, in bytes before escaping. The default is
// [DefaultMaxLen].
func MaxLen(n int) ParamOption {
	return paramOption(func(s *names.Spec) error {
		if n < 1 {
			return fmt.Errorf("MaxLen(%d): the limit must be at least 1 byte", n)
		}
		s.MaxLen = n
		return nil
	})
}

// Validate checks every value that is passed to At. If check returns an error, At fails with
// [ErrParamValue]; the text of the error is dropped, since it could contain the value. T must be
// the parameter's type.
func Validate[T any](check func(T) error) ParamOption {
	return paramOption(func(s *names.Spec) error {
		if check == nil {
			return errors.New("Validate: a nil function")
		}
		if !s.Check(check) {
			return fmt.Errorf("Validate takes a func(%s) error here, not a %T", s.Type, check)
		}
		return nil
	})
}

// Layout writes a parameter that is a [time.Time], or a type declared as one, in a layout of
// package time, and always in UTC. All times that have the same text stand for the same key: with
// Layout(time.DateOnly), all times of a day. [ParamDef.From] returns the time that the text stands
// for, the beginning of the day. A value of such a type that is not a time.Time itself has to be
// passed by name, with [ParamDef.Of].
//
// [Param] panics on a layout that does not read what it writes, such as "Monday", or that writes
// all times alike. At fails with [ErrParamValue] for a time that the layout does not read back,
// such as one in the year 10000.
func Layout(layout string) ParamOption {
	return paramOption(func(s *names.Spec) error { return s.LayOut(layout) })
}
