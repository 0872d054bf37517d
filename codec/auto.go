package codec

import (
	"encoding"
	"reflect"
	"strconv"
	"sync"
	"time"
)

// Auto is the default codec. It stores each value in the form that redis-cli, and any other
// language, would use for it:
//
//   - strings and byte slices unchanged (a nil byte slice is read back as an empty one),
//   - integers in decimal, and floats in the shortest decimal form that reads back as the same
//     float, or as NaN, +Inf and -Inf,
//   - booleans as 1 and 0,
//   - [time.Time] in RFC 3339 with nanoseconds and its offset from UTC,
//   - types with MarshalText (or AppendText) and UnmarshalText as that text,
//   - everything else as [JSON] does, which distinguishes nil pointers, maps and slices from empty
//     ones; see there for what an any becomes.
//
// Types defined as one of these (type Age int) are stored in the same way, unless they have text
// methods, which take precedence.
//
// Decoding is strict: a number out of the type's range, a redundant sign or zero, white space, or a
// byte left over is an [ErrDecode] and never a zero value.
var Auto Codec = auto{}

type auto struct{}

// form is how Auto stores a type.
type form uint8

const (
	formJSON form = iota
	formText
	formTime
	formString
	formBytes
	formBool
	formInt
	formUint
	formFloat
)

var (
	timeType            = reflect.TypeFor[time.Time]()
	bytesType           = reflect.TypeFor[[]byte]()
	textMarshalerType   = reflect.TypeFor[encoding.TextMarshaler]()
	textAppenderType    = reflect.TypeFor[encoding.TextAppender]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func formOf(t reflect.Type) form {
	switch {
	case t == timeType:
		return formTime
	case hasText(t):
		return formText
	}
	switch t.Kind() {
	case reflect.String:
		return formString
	case reflect.Bool:
		return formBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return formInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return formUint
	case reflect.Float32, reflect.Float64:
		return formFloat
	case reflect.Slice:
		if isBytes(t) {
			return formBytes
		}
	}
	return formJSON
}

func (auto) Name() string { return "auto" }

func (auto) CheckType(t reflect.Type) error {
	switch formOf(t) {
	case formJSON:
		return checkJSON(t)
	case formText:
		return checkText(t)
	}
	return nil
}

// AnyBytes reports whether values of type t are stored as arbitrary bytes; see [Versioned].
func (auto) AnyBytes(t reflect.Type) bool { return formOf(t) == formBytes }

func (auto) FixType(t reflect.Type) Codec {
	a := fixAuto(t)
	return &a
}

func (auto) Append(dst []byte, v any) ([]byte, error) {
	a := fixAuto(reflect.TypeOf(v))
	return a.Append(dst, v)
}

func (auto) Decode(data []byte, v any) error {
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Pointer {
		return DecodeError(Auto.Name(), v, data, notTarget)
	}
	a := fixAuto(t.Elem())
	return a.Decode(data, v)
}

// autoFixed is Auto fixed to one type.
type autoFixed struct {
	form form
	bits int
	json jsonFixed
}

var knownAuto sync.Map // reflect.Type → autoFixed

func fixAuto(t reflect.Type) autoFixed {
	if t == nil {
		return autoFixed{json: jsonFixed{Auto.Name(), jsonTraitsOf(t)}}
	}
	if known, ok := knownAuto.Load(t); ok {
		return known.(autoFixed)
	}
	a := autoFixed{form: formOf(t)}
	switch a.form {
	case formInt, formUint, formFloat:
		a.bits = t.Bits()
	case formJSON:
		a.json = jsonFixed{Auto.Name(), jsonTraitsOf(t)}
	}
	knownAuto.Store(t, a)
	return a
}

func (*autoFixed) Name() string { return Auto.Name() }

func (a *autoFixed) Append(dst []byte, v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	switch a.form {
	case formTime:
		return appendTime(dst, v.(time.Time))
	case formText:
		return appendText(a.Name(), dst, addressable(rv).Interface())
	case formString:
		return append(dst, rv.String()...), nil
	case formBytes:
		return append(dst, rv.Bytes()...), nil
	case formBool:
		return append(dst, boolText(rv.Bool())...), nil
	case formInt:
		return strconv.AppendInt(dst, rv.Int(), 10), nil
	case formUint:
		return strconv.AppendUint(dst, rv.Uint(), 10), nil
	case formFloat:
		return strconv.AppendFloat(dst, rv.Float(), 'g', -1, a.bits), nil
	}
	return a.json.Append(dst, v)
}

func (a *autoFixed) Decode(data []byte, v any) error {
	if a.form == formJSON {
		return a.json.Decode(data, v)
	}
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return DecodeError(a.Name(), v, data, notTarget)
	}
	rv, reason := p.Elem(), ""
	switch a.form {
	case formTime:
		*v.(*time.Time), reason = parseTime(text(data))
	case formText:
		return decodeText(a.Name(), data, v)
	case formString:
		rv.SetString(string(data))
	case formBytes:
		rv.SetBytes(append([]byte{}, data...))
	case formBool:
		var b bool
		b, reason = parseBool(text(data))
		rv.SetBool(b)
	case formInt:
		var n int64
		n, reason = parseInt(text(data), a.bits)
		rv.SetInt(n)
	case formUint:
		var n uint64
		n, reason = parseUint(text(data), a.bits)
		rv.SetUint(n)
	case formFloat:
		var f float64
		f, reason = parseFloat(text(data), a.bits)
		rv.SetFloat(f)
	}
	if reason != "" {
		return DecodeError(a.Name(), v, data, reason)
	}
	return nil
}

// autoFor returns Auto for T, which CheckType has accepted.
func autoFor[T any](t reflect.Type) Typed[T] {
	switch formOf(t) {
	case formJSON:
		return jsonFor[T](Auto.Name(), t)
	case formText:
		return &textTyped[T]{Auto.Name()}
	}
	return as[T](builtinAuto(t))
}

// builtinAuto returns Auto for the builtin type that t is defined as.
func builtinAuto(t reflect.Type) builtin {
	name := typeName(t)
	switch t.Kind() {
	case reflect.String:
		return builtinString()
	case reflect.Slice:
		return builtinBytes()
	case reflect.Bool:
		b := &boolTyped{name}
		return builtinOf(b, b.Encode, b.Decode)
	case reflect.Int:
		return builtinInt[int](name)
	case reflect.Int8:
		return builtinInt[int8](name)
	case reflect.Int16:
		return builtinInt[int16](name)
	case reflect.Int32:
		return builtinInt[int32](name)
	case reflect.Int64:
		return builtinInt[int64](name)
	case reflect.Uint:
		return builtinUint[uint](name)
	case reflect.Uint8:
		return builtinUint[uint8](name)
	case reflect.Uint16:
		return builtinUint[uint16](name)
	case reflect.Uint32:
		return builtinUint[uint32](name)
	case reflect.Uint64:
		return builtinUint[uint64](name)
	case reflect.Uintptr:
		return builtinUint[uintptr](name)
	case reflect.Float32:
		f := &float32Typed{name}
		return builtinOf(f, f.Encode, f.Decode)
	case reflect.Float64:
		f := &float64Typed{name}
		return builtinOf(f, f.Encode, f.Decode)
	default: // a struct, which formOf accepts only as a time.Time
		t := &timeTyped{}
		return builtinOf(t, t.Encode, t.Decode)
	}
}

func builtinString() builtin {
	s := &stringTyped{}
	return builtinOf(s, s.Encode, s.Decode)
}

func builtinBytes() builtin {
	b := &bytesTyped{}
	return builtinOf(b, b.Encode, b.Decode)
}

func builtinInt[T int | int8 | int16 | int32 | int64](name string) builtin {
	i := &intTyped[T]{name}
	return builtinOf(i, i.Encode, i.Decode)
}

func builtinUint[T uint | uint8 | uint16 | uint32 | uint64 | uintptr](name string) builtin {
	u := &uintTyped[T]{name}
	return builtinOf(u, u.Encode, u.Decode)
}
