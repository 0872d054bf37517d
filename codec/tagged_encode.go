package codec

import (
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

const maxDigits = 100_000 // of an integer: the time to read one grows with their square

var (
	errDigits  = fmt.Errorf("an integer of more than %d digits", maxDigits)
	errTypeKey = errors.New(`a dict with the key "__type__" would be read as another type`)
)

// keptRoom is how many bytes of room are kept from one value to the next.
const keptRoom = 64 << 10

var rooms = sync.Pool{New: func() any {
	room := make([]byte, 0, 512)
	return &room
}}

// makeTagged appends v with its type to dst, which must have no spare capacity, and returns the
// type. The result takes no more room than it needs.
func makeTagged(dst []byte, v reflect.Value) (tag, []byte, error) {
	room := rooms.Get().(*[]byte)
	t, out, err := appendTagged((*room)[:0], v)
	var made []byte
	if err == nil {
		made = slices.Concat(dst, out)
		if cap(out) <= keptRoom {
			*room = out
		}
	}
	rooms.Put(room)
	return t, made, err
}

// appendTagged appends v with its type, and returns the type.
func appendTagged(dst []byte, v reflect.Value) (tag, []byte, error) {
	p, v, err := follow(v)
	switch {
	case err != nil:
		return "", nil, err
	case p == nil:
		return tagNone, append(dst, `{"__type__": "none", "value": "None"}`...), nil
	}
	dst, err = p.appendEnvelope(dst, v, 0)
	return p.tag, dst, err
}

func (p *plan) appendEnvelope(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	dst = append(dst, `{"__type__": "`...)
	dst = append(dst, p.tag...)
	dst = append(dst, `", "value": `...)
	dst, err := p.appendValue(dst, v, depth+1)
	return append(dst, '}'), err
}

// appendInner appends a value inside another one. p is the plan of its type, or nil if that is a
// pointer or an interface type.
func (p *plan) appendInner(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	var err error
	if p == nil || p.null && v.IsNil() {
		p, v, err = follow(v)
	} else {
		err = p.err
	}
	switch {
	case err != nil:
		return nil, err
	case depth >= maxDepth-1: // an envelope adds one level
		return nil, errDepth
	case p == nil:
		return append(dst, `{"__type__": "none", "value": null}`...), nil
	case p.tag == tagTuple:
		return nil, errors.New("a Tuple inside another value would be read as a list: use a slice")
	case p.tag.bare():
		return p.appendValue(dst, v, depth)
	}
	return p.appendEnvelope(dst, v, depth)
}

// appendValue appends the value of v.
func (p *plan) appendValue(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	switch p.tag {
	case tagInt:
		return appendInteger(dst, v)
	case tagFloat:
		return appendPythonFloat(dst, v.Float(), v.Type().Bits()), nil
	case tagBool:
		return strconv.AppendBool(dst, v.Bool()), nil
	case tagStr:
		s, err := p.stringOf(v)
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
		return p.appendSet(dst, v, depth)
	case tagDict:
		return p.appendDict(dst, v, depth)
	default:
		return p.appendList(dst, v, depth)
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
	// Python uses an exponent below -4 and from 16 on.
	least, most := 1e-4, 1e16
	if bits == 32 {
		least, most = float64(float32(least)), float64(float32(most))
	}
	if abs := math.Abs(f); abs >= most || abs < least && abs > 0 {
		return strconv.AppendFloat(dst, f, 'e', -1, bits)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, bits)
	if !slices.Contains(dst[start:], '.') {
		dst = append(dst, ".0"...)
	}
	return dst
}

// stringOf returns the text of a value whose tag is str, or of a dict's key.
func (p *plan) stringOf(v reflect.Value) (string, error) {
	if !p.text {
		return v.String(), nil
	}
	b, err := appendText(Tagged.Name(), nil, addressable(v).Interface())
	if err != nil {
		return "", fmt.Errorf("the text method of a %s gave an error", v.Type())
	}
	return string(b), nil
}

func (p *plan) appendList(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	dst = append(dst, '[')
	for i := range v.Len() {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		var err error
		if dst, err = p.elem.appendInner(dst, v.Index(i), depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// appendSet writes the elements sorted by their stored form, so that equal sets are equal bytes.
func (p *plan) appendSet(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	elements := make([]string, 0, v.Len())
	for _, key := range v.MapKeys() {
		if !key.Equal(key) { //nolint:gocritic // NaN
			return nil, errors.New("a set with NaN, of which nobody can tell whether it is in it")
		}
		element, err := p.elem.appendInner(nil, key, depth+1)
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

// readableSet reports whether the stored elements of a set can be read back without knowing their
// types.
func readableSet(list string) bool {
	n, err := parse(list)
	if err == nil {
		_, err = datum{tagSet, n}.naturalSet()
	}
	return err == nil
}

// entry is a key and a value to be written to a dict.
type entry struct {
	key   string
	value reflect.Value
}

func (p *plan) appendDict(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	if v.Kind() == reflect.Struct {
		return p.appendStruct(dst, v, depth)
	}
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
		// A Dict's values are in an any, whose plan is nil.
		if dst, err = p.elem.appendInner(dst, e.value, depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// appendStruct appends the fields in the order of their declaration.
func (p *plan) appendStruct(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	dst = append(dst, '{')
	first := true
	for i := range p.fields {
		f := &p.fields[i]
		value := f.of(v)
		if f.left(value) {
			continue
		}
		if !first {
			dst = append(dst, ", "...)
		}
		first = false
		dst = append(dst, f.entry...)
		var err error
		if dst, err = f.plan.appendInner(dst, value, depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// entriesOf returns the entries of a Dict in order, or those of a map sorted by key.
func entriesOf(v reflect.Value) ([]entry, error) {
	entries := make([]entry, 0, v.Len())
	if v.Type() == dictType {
		for i := range v.Len() {
			item := v.Index(i)
			entries = append(entries, entry{item.Field(0).String(), item.Field(1)})
		}
		return entries, noneTwice(entries)
	}
	for e := v.MapRange(); e.Next(); {
		name, err := keyOf(e.Key())
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{name, e.Value()})
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

// keyOf returns a map's key as the key of a dict, which is a string. An integer is converted to
// one.
func keyOf(key reflect.Value) (string, error) {
	switch form := formOf(key.Type()); {
	case form == formInt:
		return strconv.FormatInt(key.Int(), 10), nil
	case form == formUint:
		return strconv.FormatUint(key.Uint(), 10), nil
	case form == formString || hasText(key.Type()):
		p := planOf(key.Type())
		if p.err != nil {
			return "", p.err
		}
		return p.stringOf(key)
	}
	return "", fmt.Errorf("a dict cannot have keys of type %s", key.Type())
}
