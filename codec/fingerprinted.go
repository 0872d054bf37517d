package codec

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// ErrShape is wrapped, together with [ErrDecode], by the error for a value that a [Fingerprinted]
// codec stored for another shape of the type.
var ErrShape = errors.New("it was stored for another shape of the type")

const fingerprintSize = 4

// Fingerprinted returns a codec that stores four bytes of the type's [Shape] before the value, as c
// stores it. A value that was stored for another shape is an error that wraps [ErrShape] and
// [ErrDecode]. Without it, codecs that find fields by their names leave a field zero that is stored
// under another name: a struct one of whose fields was renamed reads old values with a zero field,
// and no error.
//
// Each change of the stored fields makes another shape: a field that is new or gone, a name in a
// tag, an int that becomes an int64. So it suits values that can be made again, such as those that
// are loaded: GetOrLoad of package nest takes another shape for a missing key. For values that have
// to live on, [Versioned] reads old shapes with their own codec. What a type with its own
// marshaller writes is not seen, only its name. A type that is an interface itself is refused.
//
// The four bytes are of no use without c, whose name is part of them: values that c stored before
// do not have them, and are of another shape. The way in is
//
//	codec.Versioned(codec.Fingerprinted(codec.JSON), codec.Unversioned(codec.JSON))
//
// The name is "fingerprinted(…)". Fingerprinted panics around Raw, Tagged and gorediscache, whose
// values other programs read, and around Versioned, which belongs outside of it, as it does for a
// nil codec.
func Fingerprinted(c Codec) Codec {
	if c == nil {
		panic("codec: Fingerprinted: the codec is nil")
	}
	for _, name := range Names(c) {
		for _, part := range strings.FieldsFunc(name, func(r rune) bool { return r == '(' || r == ')' }) {
			switch part {
			case "raw", "tagged", "gorediscache":
				panic("codec: Fingerprinted: " + part + " stores what other programs read as it is")
			case "versioned", "retired":
				panic("codec: Fingerprinted: Versioned belongs outside: Versioned(Fingerprinted(…), …)")
			case "fingerprinted":
				panic("codec: Fingerprinted: the codec is fingerprinted already")
			}
		}
	}
	return &fingerprinted{inner: c, marks: new(sync.Map)}
}

type fingerprinted struct {
	inner Codec
	marks *sync.Map // reflect.Type → [fingerprintSize]byte
}

func (f *fingerprinted) Name() string { return "fingerprinted(" + f.inner.Name() + ")" }

// Names returns the names of the inner codec, each in "fingerprinted(…)".
func (f *fingerprinted) Names() []string {
	names := Names(f.inner)
	for i, name := range names {
		names[i] = "fingerprinted(" + name + ")"
	}
	return names
}

// CheckType calls the inner codec's, and refuses interfaces and types whose shape it does not
// describe.
func (f *fingerprinted) CheckType(t reflect.Type) error {
	if t.Kind() == reflect.Interface {
		return fmt.Errorf("the shape of %s says nothing: Fingerprinted is for types whose fields are declared", t)
	}
	if err := CheckType(f.inner, t); err != nil {
		return err
	}
	_, err := f.mark(t)
	return err
}

// Shape is that of the inner codec.
func (f *fingerprinted) Shape(t reflect.Type) (Shape, error) { return ShapeOf(f.inner, t) }

// mark returns the fingerprint of t.
func (f *fingerprinted) mark(t reflect.Type) (mark [fingerprintSize]byte, err error) {
	if known, ok := f.marks.Load(t); ok {
		return known.([fingerprintSize]byte), nil
	}
	shape, err := ShapeOf(f.inner, t)
	if err != nil {
		return mark, err
	}
	mark = shape.fingerprint(f.inner.Name())
	f.marks.Store(t, mark)
	return mark, nil
}

// FixType fixes the inner codec and the fingerprint.
func (f *fingerprinted) FixType(t reflect.Type) Codec {
	mark, err := f.mark(t)
	if err != nil {
		return f // CheckType has refused the type
	}
	fixed := &fixedPrint{fingerprinted: f, mark: mark, inner: FixType(f.inner, t)}
	if maker, ok := fixed.inner.(Maker); ok {
		return &madePrint{fixed, maker}
	}
	return fixed
}

func (f *fingerprinted) Append(dst []byte, v any) ([]byte, error) {
	t := reflect.TypeOf(v)
	if t == nil {
		return nil, EncodeError(f.Name(), v, "nil has no type")
	}
	mark, err := f.mark(t)
	if err != nil {
		return nil, EncodeError(f.Name(), v, err.Error())
	}
	return appendMarked(dst, mark, f.inner, v)
}

func appendMarked(dst []byte, mark [fingerprintSize]byte, inner Codec, v any) ([]byte, error) {
	if cap(dst) > 0 {
		return inner.Append(append(dst, mark[:]...), v)
	}
	// The mark has no spare capacity, so appending to it allocates memory for the whole value at
	// once.
	return inner.Append(mark[:], v)
}

func (f *fingerprinted) Decode(data []byte, v any) error {
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Pointer {
		return DecodeError(f.Name(), v, data, notTarget)
	}
	mark, err := f.mark(t.Elem())
	if err != nil {
		return DecodeError(f.Name(), v, data, err.Error())
	}
	if err := f.check(data, mark, typeName(t.Elem())); err != nil {
		return err
	}
	return f.inner.Decode(data[fingerprintSize:], v)
}

// check returns an error unless data begins with mark.
func (f *fingerprinted) check(data []byte, mark [fingerprintSize]byte, typ string) error {
	switch {
	case len(data) < fingerprintSize:
		return decodeError(f.Name(), typ, len(data), "it has no fingerprint")
	case [fingerprintSize]byte(data) != mark:
		return fmt.Errorf("codec: %s: %w %s from %d bytes: %w", f.Name(), ErrDecode, typ, len(data), ErrShape)
	}
	return nil
}

// StoredType calls the inner codec. The shape of the value does not matter.
func (f *fingerprinted) StoredType(data []byte) (string, error) {
	if len(data) < fingerprintSize {
		return "", decodeError(f.Name(), storedType, len(data), "it has no fingerprint")
	}
	return StoredType(f.inner, data[fingerprintSize:])
}

// fixedPrint is a fingerprinted codec fixed to one type.
type fixedPrint struct {
	*fingerprinted
	mark  [fingerprintSize]byte
	inner Codec
}

func (f *fixedPrint) Append(dst []byte, v any) ([]byte, error) {
	return appendMarked(dst, f.mark, f.inner, v)
}

func (f *fixedPrint) Decode(data []byte, v any) error {
	if err := f.check(data, f.mark, targetName(v)); err != nil {
		return err
	}
	return f.inner.Decode(data[fingerprintSize:], v)
}

// targetName names the type that v points to.
func targetName(v any) string {
	t := reflect.TypeOf(v)
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return typeName(t)
}

// madePrint is a fixedPrint whose inner codec is a [Maker].
type madePrint struct {
	*fixedPrint
	maker Maker
}

// Make decodes data into a new value.
func (f *madePrint) Make(data []byte) (any, error) {
	if err := f.check(data, f.mark, "a message"); err != nil {
		return nil, err
	}
	return f.maker.Make(data[fingerprintSize:])
}
