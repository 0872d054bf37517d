package names

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
)

// DefaultMaxLen is the maximum length, in bytes, of the text of a parameter without a declaration.
const DefaultMaxLen = 1024

// Class is the kind of values that a parameter holds, as far as names are concerned.
type Class uint8

// The classes.
const (
	AnyClass    Class = iota // undeclared: any string, integer or boolean
	StringClass              // a string kind
	IntClass                 // a signed integer kind
	UintClass                // an unsigned integer kind
	BoolClass                // a boolean kind
	TextClass                // a type with MarshalText
	BadClass                 // an argument whose MarshalText failed
)

// Spec is the declaration of a parameter, whatever its type. It is not changed once it is complete.
type Spec struct {
	ID        uint32 // of the declaration: different for each Param
	Name      string
	Class     Class
	Type      reflect.Type
	Bits      int
	MaxLen    int // of a text before it is escaped, in bytes
	Sensitive bool
	Doc       string
	Where     fmt.Stringer // the place of the declaration

	// Validate runs the caller's check on the T that text stands for. It is nil if there is no
	// check.
	Validate func(text string) error
	// Check sets Validate from a func(T) error, and reports whether f is one.
	Check func(f any) bool
	// Layout is the layout of a time's text, or "".
	Layout string
	// LayOut sets the layout.
	LayOut func(layout string) error

	// canonical reports whether text is what At writes for some T. It is nil if every text is.
	canonical func(text string) bool
	// textOf returns the text of a TextClass value, which is rebuilt from a copy so that At's
	// arguments need not escape.
	textOf func(v reflect.Value) ([]byte, error)
}

// Form returns how values of the parameter are written: "any" for any string, integer or boolean,
// the kind of a scalar such as "int64", "time" for a time with a layout, and "text" with the import
// path and name of a type that has a text of its own.
func (s *Spec) Form() string {
	switch {
	case s.Layout != "":
		return "time"
	case s.Type == nil:
		return "any"
	case s.Class == TextClass && s.Type.PkgPath() != "":
		return "text " + s.Type.PkgPath() + "." + s.Type.Name()
	case s.Class == TextClass:
		return "text " + s.Type.String()
	}
	return s.Type.Kind().String()
}

// text returns the text of a value of TextClass.
func (s *Spec) text(v reflect.Value) ([]byte, error) { return s.textOf(v) }

// Text returns the text of a value of TextClass.
func (s *Spec) Text(v any) ([]byte, error) { return s.textOf(reflect.ValueOf(v)) }

// Describe records in s how a T, which is the spec's Type, is written and read. Then options sets
// what its options say. Describe returns the parser.
func Describe[T any](s *Spec, options func() error) (func(string) (T, error), error) {
	parse, err := describe[T](s)
	if err != nil {
		return nil, err
	}
	s.LayOut = func(layout string) error {
		if s.Layout != "" {
			return errors.New("the option Layout is given twice")
		}
		p, err := layOut[T](s, layout)
		if err == nil {
			parse = p
		}
		return err
	}
	s.Check = func(f any) bool {
		check, ok := f.(func(T) error)
		if ok {
			s.Validate = func(text string) error {
				v, err := parse(text)
				if err != nil {
					return err
				}
				return check(v)
			}
		}
		return ok
	}
	if err := options(); err != nil {
		return nil, err
	}
	switch {
	case s.Layout != "":
	case needsLayout[T](s):
		return nil, fmt.Errorf("%s needs a Layout, such as Layout(time.DateOnly): its own text has the nanosecond and the zone, so that each moment makes a key, and one moment in two zones makes two", s.Type)
	case s.Class == TextClass:
		if err := readsBack(s, parse); err != nil {
			return nil, err
		}
	}
	return parse, nil
}

// describe records in s how a T is written and read, whatever its options say.
func describe[T any](s *Spec) (func(string) (T, error), error) {
	var parse func(text string) (T, error)
	switch kind := s.Type.Kind(); {
	case unmarshalsText[T]() && marshalsText(s.Type):
		s.Class = TextClass
		s.textOf = func(v reflect.Value) ([]byte, error) { return MarshalText(v.Interface()) }
		parse = func(text string) (v T, err error) {
			err = any(&v).(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
			return v, err
		}
		s.canonical = func(text string) bool {
			v, err := parse(text)
			if err != nil {
				return false
			}
			again, err := MarshalText(v)
			return err == nil && string(again) == text
		}
	case kind == reflect.String:
		s.Class = StringClass
		parse = func(text string) (v T, _ error) { //nolint:unparam // a text is always read
			reflect.ValueOf(&v).Elem().SetString(text)
			return v, nil
		}
	case reflect.Int <= kind && kind <= reflect.Int64:
		s.Class, s.Bits = IntClass, s.Type.Bits()
		parse = func(text string) (v T, err error) {
			n, err := strconv.ParseInt(text, 10, s.Bits)
			reflect.ValueOf(&v).Elem().SetInt(n)
			return v, err
		}
		s.canonical = func(text string) bool { return isDecimal(text, true) && fits(strconv.ParseInt(text, 10, s.Bits)) }
	case reflect.Uint <= kind && kind <= reflect.Uint64:
		s.Class, s.Bits = UintClass, s.Type.Bits()
		parse = func(text string) (v T, err error) {
			n, err := strconv.ParseUint(text, 10, s.Bits)
			reflect.ValueOf(&v).Elem().SetUint(n)
			return v, err
		}
		s.canonical = func(text string) bool { return isDecimal(text, false) && fits(strconv.ParseUint(text, 10, s.Bits)) }
	case kind == reflect.Bool:
		s.Class = BoolClass
		parse = func(text string) (v T, err error) {
			b, err := strconv.ParseBool(text)
			reflect.ValueOf(&v).Elem().SetBool(b)
			return v, err
		}
		s.canonical = func(text string) bool { return text == "true" || text == "false" }
	case isTime(s.Type): // a Layout says how
	default:
		return nil, fmt.Errorf("%s cannot be a parameter: it is no string, integer or boolean kind, and has no MarshalText with an UnmarshalText", s.Type)
	}
	return parse, nil
}

func fits[N any](_ N, err error) bool { return err == nil }

// isDecimal reports whether text is an integer as strconv writes it: without a plus sign or leading
// zeros.
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

// MarshalText returns the text of v. A nil pointer has none, whatever its method returns.
func MarshalText(v any) ([]byte, error) {
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
