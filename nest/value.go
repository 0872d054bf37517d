package nest

import (
	"errors"
	"fmt"
	"math"
	"reflect"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// value is what Open prepares for a key that holds a T: the codec, chosen once, the default, and
// the operations whose results are Ts.
type value[T any] struct {
	typed codec.Typed[T]

	plain      bool // the bytes of a T are stored as they are
	bytes      bool // a T is those bytes: a []byte, with a codec of which that is known
	shareable  bool // whoever holds a T cannot change it
	hasDefault bool
	fallback   T      // if it is shareable
	stored     string // otherwise: the encoded default, decoded again for each caller

	get, span          operation[T]
	lookup, swap, take operation[found[T]]
	storedType         operation[string]
}

func bindValue[T any](m *mounted, fallback T, hasDefault bool) (any, error) {
	typed, err := codec.For[T](m.settings.codec)
	if err != nil {
		return nil, err
	}
	v := &value[T]{
		typed:      typed,
		plain:      plainly(typed),
		shareable:  codec.Immutable[T](),
		get:        operation[T]{"get", replyValue[T]},
		span:       operation[T]{"get range", replyValue[T]},
		lookup:     operation[found[T]]{"lookup", replyFound[T]},
		swap:       operation[found[T]]{"swap", replyFound[T]},
		take:       operation[found[T]]{"take", replyFound[T]},
		storedType: operation[string]{"stored type", replyStoredType[T]},
	}
	v.bytes = reflect.TypeFor[T]() == reflect.TypeFor[[]byte]() && (m.settings.codec == codec.Auto || m.settings.codec == codec.Raw)
	if hasDefault {
		v.hasDefault, v.fallback = true, fallback
		if !v.shareable {
			if v.stored, err = typed.Encode(fallback); err == nil {
				_, err = typed.Decode(v.stored)
			}
			if err != nil {
				return nil, fmt.Errorf("the default cannot be stored and read back with codec %s", m.settings.codec.Name())
			}
		}
	}
	return v, nil
}

// defaultValue returns the default, with a copy of its own for each caller.
func (v *value[T]) defaultValue() (T, error) {
	if !v.shareable {
		return v.typed.Decode(v.stored)
	}
	return v.fallback, nil
}

// found is a value that may not be there.
type found[T any] struct {
	value T
	ok    bool
}

func both[T any](f found[T], err error) (T, bool, error) { return f.value, f.ok, err }

func replyValue[T any](m *mounted, a rueidis.RedisMessage) (T, error) {
	v := m.bound.(*value[T])
	if a.IsNil() {
		if v.hasDefault {
			return v.defaultValue()
		}
		var zero T
		return zero, ErrNotFound
	}
	return v.decode(m, a)
}

func replyFound[T any](m *mounted, a rueidis.RedisMessage) (found[T], error) {
	if a.IsNil() {
		return found[T]{}, nil
	}
	t, err := m.bound.(*value[T]).decode(m, a)
	return found[T]{t, err == nil}, err
}

func replyStoredType[T any](m *mounted, a rueidis.RedisMessage) (string, error) {
	if a.IsNil() {
		return "", ErrNotFound
	}
	text, err := a.ToString()
	if err != nil {
		return "", err
	}
	name, err := codec.StoredType(m.settings.codec, []byte(text))
	switch {
	case errors.Is(err, codec.ErrNoType): // it is then the key's type, if the value decodes as one
		if _, err = m.bound.(*value[T]).typed.Decode(text); err == nil {
			return m.def.goType, nil
		}
		return "", decodeError(m, err)
	case err != nil:
		return "", decodeError(m, err)
	}
	return name, nil
}

func (v *value[T]) decode(m *mounted, a rueidis.RedisMessage) (t T, err error) {
	// The answer to a cached read stays in memory, where other reads find it.
	if v.bytes && m.settings.cached == 0 && m.tree.bare {
		err = keepBytes(a, any(&t).(*[]byte))
		return t, err
	}
	text, err := a.ToString()
	if err != nil {
		return t, err
	}
	if t, err = v.typed.Decode(text); err != nil {
		return t, decodeError(m, err)
	}
	return t, nil
}

// keepBytes stores the bytes of an answer in to, without a copy. Nothing else refers to them: a
// client of rueidis reads each answer into memory of its own, but for the status OK.
func keepBytes(a rueidis.RedisMessage, to *[]byte) error {
	b, err := a.AsBytes()
	if err != nil {
		return err
	}
	if len(b) <= len("OK") {
		b = append([]byte{}, b...)
	}
	*to = b
	return nil
}

// decodeError and encodeError turn a codec's error into the sentinel error of this package. They
// keep the codec's words only if the codec follows the rule of package codec not to quote values.
func decodeError(m *mounted, err error) error { return codecError(m, ErrDecode, codec.ErrDecode, err) }
func encodeError(m *mounted, err error) error { return codecError(m, ErrEncode, codec.ErrEncode, err) }

func codecError(m *mounted, kind, kept, err error) error {
	if errors.Is(err, codec.ErrShape) {
		return &shapeError{because(kind, err.Error())}
	}
	if errors.Is(err, kept) {
		return because(kind, err.Error())
	}
	return because(kind, "codec "+m.settings.codec.Name()+" failed on "+names.Article(m.def.goType))
}

// shapeError is an ErrDecode that also wraps codec.ErrShape.
type shapeError struct{ error }

func (e *shapeError) Unwrap() []error { return []error{e.error, codec.ErrShape} }

// fitDefault returns a default as a T. v is a T itself, a number that a T can represent, or a value
// of T's string or boolean kind. The result is a copy, which the caller of the declaration cannot
// change.
func fitDefault[T any](v any) (T, error) {
	if t, ok := v.(T); ok {
		return clone(t), nil
	}
	var t T
	err := setDefault(reflect.ValueOf(&t).Elem(), v)
	return t, err
}

// setDefault stores in to a default of another type.
func setDefault(to reflect.Value, v any) error {
	if v == nil {
		switch to.Kind() {
		case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
			return nil
		}
		return fmt.Errorf("Default(nil) does not fit: %s has no nil", to.Type())
	}
	from := reflect.ValueOf(v)
	if !convert(to, from) {
		if isNumber(to.Kind()) && isNumber(from.Kind()) {
			return fmt.Errorf("Default: %s cannot hold this %s exactly", to.Type(), from.Type())
		}
		return fmt.Errorf("Default: a value of type %s does not fit %s", from.Type(), names.Article(to.Type().String()))
	}
	return nil
}

// convert stores in to the value of from, a number, string or boolean of another type, and reports
// whether it fits exactly.
func convert(to, from reflect.Value) bool {
	switch {
	case to.Kind() == reflect.String && from.Kind() == reflect.String:
		to.SetString(from.String())
		return true
	case to.Kind() == reflect.Bool && from.Kind() == reflect.Bool:
		to.SetBool(from.Bool())
		return true
	case !isNumber(to.Kind()) || !isNumber(from.Kind()):
		return false
	case to.CanFloat() && from.CanFloat():
		// As in a Go constant, a fraction becomes the nearest float.
		to.SetFloat(from.Float())
		return math.IsInf(to.Float(), 0) == math.IsInf(from.Float(), 0)
	}
	converted := from.Convert(to.Type())
	to.Set(converted)
	// Converting back shows whether anything was lost. The sign and the limits show a wrap-around
	// that converting back does not.
	back := converted.Convert(from.Type())
	return back.Equal(from) && negative(to) == negative(from) && !outOfRange(to, from) && !outOfRange(from, to)
}

func isNumber(k reflect.Kind) bool {
	return reflect.Int <= k && k <= reflect.Float64 && k != reflect.Uintptr
}

func negative(v reflect.Value) bool {
	return v.CanInt() && v.Int() < 0 || v.CanFloat() && v.Float() < 0
}

// outOfRange reports whether a float lies outside of the integers of to's kind, where conversion is
// not defined.
func outOfRange(to, from reflect.Value) bool {
	if !from.CanFloat() {
		return false
	}
	f := from.Float()
	return to.CanInt() && (f < math.MinInt64 || f >= math.MaxInt64) || to.CanUint() && (f < 0 || f >= math.MaxUint64)
}

// plainly reports whether the bytes of Ts are stored as they are.
func plainly[T any](typed codec.Typed[T]) bool {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.String && (t.Kind() != reflect.Slice || t.Elem().Kind() != reflect.Uint8) {
		return false
	}
	// The probe comes out changed where text is stored as JSON, bytes in base64 or compressed, or a
	// value with its type.
	const probe = "a\"\x00\xff"
	var v T
	switch p := any(&v).(type) {
	case *string:
		*p = probe
	case *[]byte:
		*p = []byte(probe)
	default:
		return false // a named type can have an encoding of its own
	}
	text, err := typed.Encode(v)
	return err == nil && text == probe
}
