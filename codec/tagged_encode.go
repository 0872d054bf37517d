package codec

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const maxDigits = 100_000 // of an integer: reading one takes the square of them

var (
	errDigits  = fmt.Errorf("an integer of more than %d digits", maxDigits)
	errDepth   = errors.New("nested too deeply")
	errTypeKey = errors.New(`a dict with the key "__type__" would be read as another type`)

	dictType     = reflect.TypeFor[Dict]()
	tupleType    = reflect.TypeFor[Tuple]()
	bigIntType   = reflect.TypeFor[big.Int]()
	durationType = reflect.TypeFor[time.Duration]()
	emptyType    = reflect.TypeFor[struct{}]()
)

// appendTagged appends v with its type, and tells it.
func appendTagged(dst []byte, v reflect.Value) (tag, []byte, error) {
	t, v, err := tagOf(v)
	if err != nil {
		return "", nil, err
	}
	if t == tagNone {
		return t, append(dst, `{"__type__": "none", "value": "None"}`...), nil
	}
	dst, err = appendEnvelope(dst, t, v, 0)
	return t, dst, err
}

func appendEnvelope(dst []byte, t tag, v reflect.Value, depth int) ([]byte, error) {
	dst = append(dst, `{"__type__": "`...)
	dst = append(dst, t...)
	dst = append(dst, `", "value": `...)
	dst, err := appendValue(dst, t, v, depth+1)
	return append(dst, '}'), err
}

// appendInner appends a value inside another one.
func appendInner(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	t, v, err := tagOf(v)
	switch {
	case err != nil:
		return nil, err
	case depth >= maxDepth-1: // an envelope is one more
		return nil, errDepth
	case t == tagNone:
		return append(dst, `{"__type__": "none", "value": null}`...), nil
	case t == tagTuple:
		return nil, errors.New("a Tuple inside another value would be read as a list: use a slice")
	case t.bare():
		return appendValue(dst, t, v, depth)
	}
	return appendEnvelope(dst, t, v, depth)
}

// tagOf gives the tag of v, and what its pointers and interfaces lead to.
func tagOf(v reflect.Value) (tag, reflect.Value, error) {
	for range maxDepth {
		if !v.IsValid() {
			return tagNone, v, nil
		}
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if v.IsNil() {
				return tagNone, v, nil
			}
			v = v.Elem()
			continue
		}
		info := infoOf(v.Type())
		if !info.text && (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.IsNil() {
			return tagNone, v, nil
		}
		return info.tag, v, info.err
	}
	return "", v, errDepth
}

// info is what Tagged needs to know of a type at each value.
type info struct {
	tag  tag
	text bool  // it has text methods
	err  error // why Tagged has no form for it
}

var knownInfo sync.Map // reflect.Type → info

// infoOf gives the tag of the values of t, which is no pointer and no interface.
func infoOf(t reflect.Type) info {
	if known, ok := knownInfo.Load(t); ok {
		return known.(info)
	}
	tag, err := tagOfType(t)
	known := info{tag, hasText(t), err}
	knownInfo.Store(t, known)
	return known
}

func tagOfType(t reflect.Type) (tag, error) {
	switch t {
	case timeType:
		return tagDatetime, nil
	case durationType:
		return tagDuration, nil
	case bigIntType:
		return tagInt, nil
	case tupleType:
		return tagTuple, nil
	case dictType:
		return tagDict, nil
	}
	switch {
	case isUUID(t):
		return tagUUID, nil
	case hasText(t):
		return tagStr, checkPromoted(t, textMethods, "json")
	case isBytes(t):
		return tagBytes, nil
	}
	switch formOf(t) {
	case formString:
		return tagStr, nil
	case formBool:
		return tagBool, nil
	case formInt, formUint:
		return tagInt, nil
	case formFloat:
		return tagFloat, nil
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		return tagList, nil
	case reflect.Map:
		if t.Elem() == emptyType {
			return tagSet, nil
		}
		return tagDict, nil
	case reflect.Struct:
		if reflect.PointerTo(t).Implements(jsonMarshalerType) {
			return "", fmt.Errorf("%s has MarshalJSON but no MarshalText and UnmarshalText, which are used here", t)
		}
		return tagDict, nil
	}
	return "", fmt.Errorf("there is no form for %s", t)
}

// appendValue appends the value of v, whose tag is t.
func appendValue(dst []byte, t tag, v reflect.Value, depth int) ([]byte, error) {
	switch t {
	case tagInt:
		return appendInteger(dst, v)
	case tagFloat:
		return appendPythonFloat(dst, v.Float(), v.Type().Bits()), nil
	case tagBool:
		return strconv.AppendBool(dst, v.Bool()), nil
	case tagStr:
		s, err := stringOf(v)
		if err != nil {
			return nil, err
		}
		return appendString(dst, s)
	case tagDatetime:
		dst, err := appendDatetime(append(dst, '"'), v.Interface().(time.Time))
		return append(dst, '"'), err
	case tagUUID:
		var u UUID
		reflect.Copy(reflect.ValueOf(&u).Elem(), v)
		return appendString(dst, u.String())
	case tagBytes:
		dst = base64.StdEncoding.AppendEncode(append(dst, '"'), v.Bytes())
		return append(dst, '"'), nil
	case tagDuration:
		return appendString(dst, time.Duration(v.Int()).String())
	case tagSet:
		return appendSet(dst, v, depth)
	case tagDict:
		return appendDict(dst, v, depth)
	default:
		return appendList(dst, v, depth)
	}
}

func appendInteger(dst []byte, v reflect.Value) ([]byte, error) {
	switch {
	case v.CanInt():
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case v.CanUint():
		return strconv.AppendUint(dst, v.Uint(), 10), nil
	}
	n := v.Interface().(big.Int)
	if n.BitLen() > maxDigits*4 {
		return nil, errDigits
	}
	out := n.Append(dst, 10)
	if len(out)-len(dst) > maxDigits+1 || len(out)-len(dst) > maxDigits && n.Sign() >= 0 {
		return nil, errDigits
	}
	return out, nil
}

// appendPythonFloat appends f as Python's repr does.
func appendPythonFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, bits)
	exponent, _ := strconv.Atoi(string(dst[start+bytes.IndexByte(dst[start:], 'e')+1:]))
	if exponent < -4 || exponent >= 16 {
		return dst
	}
	dst = strconv.AppendFloat(dst[:start], f, 'f', -1, bits)
	if bytes.IndexByte(dst[start:], '.') < 0 {
		dst = append(dst, ".0"...)
	}
	return dst
}

// stringOf gives the text of a value whose tag is str, or of a dict's key.
func stringOf(v reflect.Value) (string, error) {
	if !infoOf(v.Type()).text {
		return v.String(), nil
	}
	b, err := appendText(Tagged.Name(), nil, addressable(v).Interface())
	if err != nil {
		return "", fmt.Errorf("the text method of a %s gave an error", v.Type())
	}
	return string(b), nil
}

func appendList(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	dst = append(dst, '[')
	for i := range v.Len() {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		var err error
		if dst, err = appendInner(dst, v.Index(i), depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// appendSet writes the elements sorted by their stored form, so that equal sets are equal bytes.
func appendSet(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	elements := make([]string, 0, v.Len())
	for _, key := range v.MapKeys() {
		if !key.Equal(key) { //nolint:gocritic // NaN
			return nil, errors.New("a set with NaN, of which nobody can tell whether it is in it")
		}
		element, err := appendInner(nil, key, depth+1)
		if err != nil {
			return nil, err
		}
		elements = append(elements, string(element))
	}
	slices.Sort(elements)
	if len(slices.Compact(elements)) < v.Len() {
		return nil, errors.New("a set with two elements that are stored alike")
	}
	list := "[" + strings.Join(elements, ", ") + "]"
	if v.Type().Key().Kind() == reflect.Interface && !readableSet(list) {
		return nil, errors.New("an element that a set in an any cannot have: it takes integers that fit an int, " +
			"and floats, booleans, strings, UUIDs and durations")
	}
	return append(dst, list...), nil
}

// readableSet tells whether the stored elements of a set can be read back without knowing their
// types.
func readableSet(list string) bool {
	n, err := parse(list)
	if err == nil {
		_, err = datum{tagSet, n}.naturalSet()
	}
	return err == nil
}

// entry is a key and value on their way into a dict.
type entry struct {
	key   string
	value reflect.Value
}

func appendDict(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	entries, err := entriesOf(v)
	if err != nil {
		return nil, err
	}
	dst = append(dst, '{')
	for i, e := range entries {
		if e.key == typeKey {
			return nil, errTypeKey
		}
		if i > 0 {
			dst = append(dst, ", "...)
		}
		if dst, err = appendString(dst, e.key); err != nil {
			return nil, err
		}
		dst = append(dst, ": "...)
		if dst, err = appendInner(dst, e.value, depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// entriesOf gives the entries of a Dict and a struct in their order, of a map by their keys.
func entriesOf(v reflect.Value) ([]entry, error) {
	var entries []entry
	switch {
	case v.Type() == dictType:
		entries = make([]entry, 0, v.Len())
		for i := range v.Len() {
			item := v.Index(i)
			entries = append(entries, entry{item.Field(0).String(), item.Field(1)})
		}
		return entries, noneTwice(entries)
	case v.Kind() == reflect.Struct:
		known := fieldsOf(v.Type())
		entries = make([]entry, 0, len(known.list))
		for _, f := range known.list {
			if value := v.FieldByIndex(f.index); !f.left(value) {
				entries = append(entries, entry{f.name, value})
			}
		}
		return entries, known.err
	}
	entries = make([]entry, 0, v.Len())
	for key, value := range v.Seq2() {
		name, err := keyOf(key)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{name, value})
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	return entries, noneTwice(entries)
}

func noneTwice(entries []entry) error {
	keys := make([]string, len(entries))
	for i, e := range entries {
		keys[i] = e.key
	}
	if twice(keys) {
		return errors.New("a dict with one key twice")
	}
	return nil
}

// keyOf gives a map's key as the key of a dict, which is a string: an integer becomes one.
func keyOf(key reflect.Value) (string, error) {
	switch form := formOf(key.Type()); {
	case form == formInt:
		return strconv.FormatInt(key.Int(), 10), nil
	case form == formUint:
		return strconv.FormatUint(key.Uint(), 10), nil
	case form == formString || hasText(key.Type()):
		if err := infoOf(key.Type()).err; err != nil {
			return "", err
		}
		return stringOf(key)
	}
	return "", fmt.Errorf("a dict cannot have keys of type %s", key.Type())
}
