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
//   - strings and byte slices as they are (a nil byte slice is read back as an empty one),
//   - integers in decimal, and floats in the shortest decimal form that gives the same float
//     again, with NaN, +Inf and -Inf,
//   - booleans as 1 and 0,
//   - [time.Time] in RFC 3339 with nanoseconds and its offset from UTC,
//   - types with MarshalText (or AppendText) and UnmarshalText as that text,
//   - all else as [JSON] does, which tells nil pointers, maps and slices from empty ones.
//
// Types defined as one of these (type Age int) are stored likewise; their text methods, if
// they have them, come first.
//
// Decoding is strict: a number out of the type's range, a sign or a zero too many, white
// space, or a byte left over is an [ErrDecode] and never a zero value.
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
		return checkPromoted(t, textMethods, "json")
	}
	return nil
}

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

// autoFixed is Auto for one type.
type autoFixed struct {
	form form
	bits int
	json jsonTraits
}

var knownAuto sync.Map // reflect.Type → autoFixed

func fixAuto(t reflect.Type) autoFixed {
	if t == nil {
		return autoFixed{json: jsonTraitsOf(t)}
	}
	if known, ok := knownAuto.Load(t); ok {
		return known.(autoFixed)
	}
	a := autoFixed{form: formOf(t)}
	switch a.form {
	case formInt, formUint, formFloat:
		a.bits = t.Bits()
	case formJSON:
		a.json = jsonTraitsOf(t)
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
	return appendJSON(a.Name(), dst, v, a.json)
}

func (a *autoFixed) Decode(data []byte, v any) error {
	if a.form == formJSON {
		return decodeJSON(a.Name(), data, v, a.json)
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

// autoFor is Auto for T, which CheckType has accepted.
func autoFor[T any](t reflect.Type) Typed[T] {
	name := typeName(t)
	switch formOf(t) {
	case formTime:
		return as[T](timeTyped{})
	case formText:
		return textTyped[T]{Auto.Name()}
	case formString:
		return as[T](stringTyped{})
	case formBytes:
		return as[T](bytesTyped{})
	case formBool:
		return as[T](boolTyped{name})
	case formInt, formUint, formFloat:
		return numberFor[T](t.Kind(), name)
	}
	return jsonFor[T](Auto.Name(), t)
}

func numberFor[T any](kind reflect.Kind, name string) Typed[T] {
	switch kind {
	case reflect.Int:
		return as[T](intTyped[int]{name})
	case reflect.Int8:
		return as[T](intTyped[int8]{name})
	case reflect.Int16:
		return as[T](intTyped[int16]{name})
	case reflect.Int32:
		return as[T](intTyped[int32]{name})
	case reflect.Int64:
		return as[T](intTyped[int64]{name})
	case reflect.Uint:
		return as[T](uintTyped[uint]{name})
	case reflect.Uint8:
		return as[T](uintTyped[uint8]{name})
	case reflect.Uint16:
		return as[T](uintTyped[uint16]{name})
	case reflect.Uint32:
		return as[T](uintTyped[uint32]{name})
	case reflect.Uint64:
		return as[T](uintTyped[uint64]{name})
	case reflect.Uintptr:
		return as[T](uintTyped[uintptr]{name})
	case reflect.Float32:
		return as[T](float32Typed{name})
	default:
		return as[T](float64Typed{name})
	}
}
