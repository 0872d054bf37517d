package codec

import (
	"fmt"
	"reflect"
)

// Tagged stores the type beside the value, in the form of the Python library Redisimnest v0.11.4:
// {"__type__": "datetime", "value": "2024-01-02T03:04:05"}. Each side reads what the other one
// wrote, and writes the same bytes for it.
//
//	stored          Go type                                    read into an any
//	int             integers; [math/big.Int]                   int, else *big.Int
//	float           floats                                     float64
//	bool            booleans                                   bool
//	str             strings; types with text methods           string
//	list            slices, arrays                             []any
//	tuple           [Tuple]                                    Tuple
//	dict            maps, structs (by json tags), [Dict]       Dict
//	datetime        [time.Time], [Naive] if without an offset  time.Time
//	uuid            [UUID] and other packages' UUID types      UUID
//	none            nil                                        nil
//	bytes           []byte, in base64                          []byte
//	duration        [time.Duration], as "1m30s"                time.Duration
//	set             maps to struct{}, sorted                   map[any]struct{}
//
// Python does not know the last three and refuses them with an error. A named type is stored as the
// type that it is defined as.
//
// What one side cannot hold is an error and never another value: a time finer than the microseconds
// of a datetime; a string that is neither UTF-8 nor (as the bytes ED A0 80 to ED BF BF) Python's
// lone surrogates; a Tuple inside another value; a dict with a key "__type__", which would be taken
// for a type; a dict that names a key twice; a type name that neither side knows, such as
// OrderedDict; values nested more than a thousand deep; integers of more than 100,000 digits
// (today's Python stops at 4300 by default). A plain null inside a value, which versions up to
// v0.8.0 wrote for None, is read as nil. Integers can be read into floats that hold them exactly,
// but floats cannot be read into integers.
//
// The elements of a set in an any can be integers that fit in an int, floats, booleans, strings,
// UUIDs and durations. To read others, such as times, the target must be a set of their type.
//
// Fields of a struct may be missing from the dict that is read, and keys of the dict without a
// field are skipped. Names are compared exactly.
var Tagged Codec = tagged{}

type tagged struct{}

func (tagged) Name() string { return "tagged" }

func (tagged) CheckType(t reflect.Type) error { return tagCheck{}.value(t, true) }

func (c tagged) Append(dst []byte, v any) ([]byte, error) {
	var out []byte
	var err error
	if cap(dst) == len(dst) {
		_, out, err = makeTagged(dst, reflect.ValueOf(v))
	} else {
		_, out, err = appendTagged(dst, reflect.ValueOf(v))
	}
	if err != nil {
		return nil, EncodeError(c.Name(), v, err.Error())
	}
	return out, nil
}

func (c tagged) Decode(data []byte, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return DecodeError(c.Name(), v, data, notTarget)
	}
	_, value, err := parseTagged(string(data))
	if err == nil {
		err = value.into(p.Elem(), planFor(p.Type().Elem()))
	}
	if err != nil {
		return DecodeError(c.Name(), v, data, err.Error())
	}
	return nil
}

// typedForm writes and reads values of one type where they are, without boxing them.
type typedForm interface {
	encode(v reflect.Value) ([]byte, error)
	decode(data string, v reflect.Value) error
}

// formed is a codec that has a typedForm for every type. For asks for it through this interface and
// does not name Tagged, so that only programs that use Tagged link it.
type formed interface {
	Codec
	formFor(t reflect.Type) typedForm
}

func (tagged) formFor(t reflect.Type) typedForm { return taggedForm{planFor(t)} }

// taggedForm is Tagged fixed to a type. The values it reads refer to the given string, which nobody
// can change.
type taggedForm struct{ plan *plan }

func (taggedForm) encode(v reflect.Value) ([]byte, error) {
	_, out, err := makeTagged(nil, v)
	return out, err
}

func (f taggedForm) decode(data string, v reflect.Value) error {
	_, value, err := parseTagged(data)
	if err != nil {
		return err
	}
	return value.into(v, f.plan)
}

// formedTyped is a formed codec fixed to T.
type formedTyped[T any] struct {
	name string
	form typedForm
}

func (f *formedTyped[T]) Encode(v T) (string, error) {
	out, err := f.form.encode(reflect.ValueOf(&v).Elem())
	if err != nil {
		return "", EncodeError(f.name, v, err.Error())
	}
	return text(out), nil
}

func (f *formedTyped[T]) Decode(data string) (T, error) {
	var v T
	if err := f.form.decode(data, reflect.ValueOf(&v).Elem()); err != nil {
		var zero T
		return zero, decodeError(f.name, typeName(reflect.TypeFor[T]()), len(data), err.Error())
	}
	return v, nil
}

// StoredType returns the name in "__type__", whether or not it is known.
func (c tagged) StoredType(data []byte) (string, error) {
	n, err := parse(string(data))
	if err == nil {
		n, _, err = n.envelope()
	}
	if err != nil {
		return "", decodeError(c.Name(), storedType, len(data), err.Error())
	}
	return n.text, nil
}

// Marshal returns v in the form of [Tagged], and the name of its type in that form: "datetime". The
// error wraps [ErrEncode].
func Marshal(v any) (typeName string, raw []byte, err error) {
	tag, raw, err := makeTagged(nil, reflect.ValueOf(v))
	if err != nil {
		return "", nil, EncodeError(Tagged.Name(), v, err.Error())
	}
	return string(tag), raw, nil
}

// Unmarshal reads what [Marshal] or the Python library wrote. It returns the name of its type, and
// the value as the Go type in the last column of the table at [Tagged]. [Marshal] turns the value
// back into the same bytes, if they are as the Python library writes them today. The error wraps
// [ErrDecode].
func Unmarshal(raw []byte) (typeName string, v any, err error) {
	tag, value, err := parseTagged(string(raw))
	if err == nil {
		v, err = value.natural()
	}
	if err != nil {
		return "", nil, decodeError(Tagged.Name(), "any", len(raw), err.Error())
	}
	return string(tag), v, nil
}

// tag is the name of a type in the stored form.
type tag string

const (
	tagNone     tag = "none"
	tagInt      tag = "int"
	tagFloat    tag = "float"
	tagBool     tag = "bool"
	tagStr      tag = "str"
	tagList     tag = "list"
	tagTuple    tag = "tuple"
	tagDict     tag = "dict"
	tagDatetime tag = "datetime"
	tagUUID     tag = "uuid"
	tagBytes    tag = "bytes"
	tagDuration tag = "duration"
	tagSet      tag = "set"
)

// bare reports whether values with the tag are written without it inside another value.
func (t tag) bare() bool {
	switch t {
	case tagInt, tagFloat, tagBool, tagStr, tagList, tagDict:
		return true
	}
	return false
}

const (
	typeKey  = "__type__"
	valueKey = "value"
)

// envelope splits {"__type__": …, "value": …} into its parts.
func (n node) envelope() (name, value node, err error) {
	if n.kind == nodeDict && len(n.keys) == 2 {
		t, v := n.index(typeKey), n.index(valueKey)
		if t >= 0 && v >= 0 && n.items[t].kind == nodeString {
			return n.items[t], n.items[v], nil
		}
	}
	return name, value, badNode(n, `not a dict of "__type__" and "value"`)
}

// datum is a JSON value with its type.
type datum struct {
	tag  tag
	node node
}

// parseTagged reads a stored value.
func parseTagged(data string) (tag, datum, error) {
	n, err := parse(data)
	if err != nil {
		return "", datum{}, err
	}
	name, value, err := n.envelope()
	if err != nil {
		return "", datum{}, err
	}
	d := datum{tag(name.text), value}
	return d.tag, d, d.fits()
}

// inner returns the typed form of a value inside another one.
func inner(n node) (datum, error) {
	d := datum{node: n}
	switch n.kind {
	case nodeNull:
		d.tag = tagNone // as versions up to v0.8.0 wrote it
	case nodeBool:
		d.tag = tagBool
	case nodeInt:
		d.tag = tagInt
	case nodeFloat:
		d.tag = tagFloat
	case nodeString:
		d.tag = tagStr
	case nodeList:
		d.tag = tagList
	case nodeDict:
		return innerDict(n)
	}
	return d, nil
}

// innerDict distinguishes plain dicts from values with a type. A plain dict with the key "__type__"
// cannot be recognized: Python turns it into something else, or fails.
func innerDict(n node) (datum, error) {
	if n.index(typeKey) < 0 {
		return datum{tagDict, n}, nil
	}
	name, value, err := n.envelope()
	if err != nil {
		return datum{}, err
	}
	d := datum{tag(name.text), value}
	if d.tag.bare() || d.tag == tagTuple {
		return datum{}, badNode(n, "a type name that does not stand inside another value")
	}
	return d, d.fits()
}

// fits checks that the tag is known and that the JSON value has the right kind for it.
func (d datum) fits() error {
	var ok bool
	switch d.tag {
	case tagInt:
		ok = d.node.kind == nodeInt
	case tagFloat:
		ok = d.node.kind == nodeFloat || d.node.kind == nodeInt
	case tagBool:
		ok = d.node.kind == nodeBool
	case tagStr, tagDatetime, tagUUID, tagBytes, tagDuration:
		ok = d.node.kind == nodeString
	case tagList, tagTuple, tagSet:
		ok = d.node.kind == nodeList
	case tagDict:
		ok = d.node.kind == nodeDict && d.node.index(typeKey) < 0
	case tagNone:
		ok = d.node.kind == nodeNull || d.node.kind == nodeString && d.node.text == "None"
	default:
		return badNode(d.node, "the type in __type__ is not known")
	}
	if !ok {
		return badNode(d.node, fmt.Sprintf("the value is not one of a %s", d.tag))
	}
	return nil
}
