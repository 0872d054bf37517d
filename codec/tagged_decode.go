package codec

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// natural returns d as a value of the Go type that the table at Tagged names.
func (d datum) natural() (any, error) {
	switch d.tag {
	case tagNone:
		return nil, nil
	case tagBool:
		return d.node.text == "true", nil
	case tagInt:
		return d.integer()
	case tagFloat:
		return d.float(64)
	case tagStr:
		return d.node.text, nil
	case tagDatetime:
		return located(parseDatetime(d.node.text))(d.node)
	case tagUUID:
		return located(parseUUID(d.node.text))(d.node)
	case tagDuration:
		return located(parseDuration(d.node.text))(d.node)
	case tagBytes:
		return located(parseBase64(d.node.text))(d.node)
	case tagDict:
		return d.naturalDict()
	case tagSet:
		return d.naturalSet()
	}
	list := make([]any, len(d.node.items))
	for i, item := range d.node.items {
		v, err := naturalOf(item)
		if err != nil {
			return nil, err
		}
		list[i] = v
	}
	if d.tag == tagTuple {
		return Tuple(list), nil
	}
	return list, nil
}

// naturalOf is natural for a value inside another one.
func naturalOf(n node) (any, error) {
	d, err := inner(n)
	if err != nil {
		return nil, err
	}
	return d.natural()
}

// located returns a function that adds the place of n to an error.
func located[T any](v T, err error) func(n node) (any, error) {
	return func(n node) (any, error) {
		if err != nil {
			return nil, badNode(n, err.Error())
		}
		return v, nil
	}
}

func (d datum) naturalDict() (any, error) {
	dict := make(Dict, len(d.node.items))
	for i, item := range d.node.items {
		v, err := naturalOf(item)
		if err != nil {
			return nil, err
		}
		dict[i] = Item{d.node.keys[i], v}
	}
	return dict, nil
}

func (d datum) naturalSet() (any, error) {
	set := make(map[any]struct{}, len(d.node.items))
	for _, item := range d.node.items {
		v, err := naturalOf(item)
		if err != nil {
			return nil, err
		}
		if !elemental(v) {
			return nil, badNode(item, "an element that a set in an any cannot have")
		}
		if _, taken := set[v]; taken || v != v { //nolint:gocritic // NaN
			return nil, badNode(item, "an element that is not alone in its set")
		}
		set[v] = struct{}{}
	}
	return set, nil
}

// elemental reports whether the natural value v can be an element of a map[any]struct{}: equal
// elements must be equal to Go, and those with pointers inside are not.
func elemental(v any) bool {
	switch v.(type) {
	case int, bool, string, float64, UUID, time.Duration:
		return true
	}
	return false
}

// integer returns an int if the value fits, else a *big.Int.
func (d datum) integer() (any, error) {
	n, reason := parseInt(d.node.text, strconv.IntSize)
	switch reason {
	case "":
		return int(n), nil
	case outOfRange:
		return d.bigInt()
	}
	return nil, badNode(d.node, reason)
}

func (d datum) bigInt() (*big.Int, error) {
	if len(strings.TrimPrefix(d.node.text, "-")) > maxDigits {
		return nil, badNode(d.node, errDigits.Error())
	}
	n, ok := new(big.Int).SetString(d.node.text, 10)
	if !ok {
		return nil, badNode(d.node, notInteger)
	}
	return n, nil
}

// float also accepts integers, if nothing is lost.
func (d datum) float(bits int) (float64, error) {
	switch d.node.text {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	f, reason := parseFloat(d.node.text, bits)
	if reason != "" {
		return 0, badNode(d.node, reason)
	}
	// All digits of f, not the shortest form, which would also match integers that f only
	// approximates.
	if d.node.kind == nodeInt && strconv.FormatFloat(f, 'f', 0, 64) != d.node.text {
		return 0, badNode(d.node, "an integer that a float does not hold exactly")
	}
	return f, nil
}

func parseDuration(s string) (time.Duration, error) {
	v, err := time.ParseDuration(s)
	if err != nil || v.String() != s {
		return 0, errors.New("not a duration as Go writes it")
	}
	return v, nil
}

func parseBase64(s string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || base64.StdEncoding.EncodedLen(len(b)) != len(s) {
		return nil, errors.New("not base64")
	}
	return b, nil
}

// into sets v to d. p is the plan of v's type, or nil if that is a pointer or an interface type.
func (d datum) into(v reflect.Value, p *plan) error {
	if p == nil {
		return d.intoOpen(v)
	}
	if d.tag == tagNone && p.null {
		v.SetZero()
		return nil
	}
	if p.err != nil {
		return badNode(d.node, p.err.Error())
	}
	switch {
	case d.tag == p.tag:
	case d.tag == tagInt && p.tag == tagFloat:
	case d.tag == tagTuple && p.tag == tagList:
	default:
		return badNode(d.node, fmt.Sprintf("%s, which does not go into %s", d.tag, v.Type()))
	}
	return d.set(v, p)
}

// intoOpen sets v, a pointer or an interface, to d.
func (d datum) intoOpen(v reflect.Value) error {
	t := v.Type()
	if t.Kind() == reflect.Interface {
		if t.NumMethod() > 0 {
			return badNode(d.node, fmt.Sprintf("nothing tells which type to read into the interface %s", t))
		}
		n, err := d.natural()
		if err == nil && n != nil {
			v.Set(reflect.ValueOf(n))
		} else if err == nil {
			v.SetZero()
		}
		return err
	}
	if d.tag == tagNone {
		v.SetZero()
		return nil
	}
	to := reflect.New(t.Elem())
	if err := d.into(to.Elem(), planFor(t.Elem())); err != nil {
		return err
	}
	v.Set(to)
	return nil
}

// set sets v to d, which fits its type.
func (d datum) set(v reflect.Value, p *plan) error {
	switch p.tag {
	case tagBool:
		v.SetBool(d.node.text == "true")
	case tagInt:
		return d.setInt(v)
	case tagFloat:
		f, err := d.float(v.Type().Bits())
		if err != nil {
			return err
		}
		v.SetFloat(f)
	case tagStr:
		return p.setString(v, d.node.text, d.node)
	case tagDict:
		return d.setDict(v, p)
	case tagSet:
		return d.setSet(v, p)
	case tagList, tagTuple:
		return d.setList(v, p)
	case tagUUID:
		u, err := parseUUID(d.node.text)
		if err != nil {
			return badNode(d.node, err.Error())
		}
		reflect.Copy(v, reflect.ValueOf(u))
	default: // datetime, duration, bytes
		n, err := d.natural()
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(n).Convert(v.Type()))
	}
	return nil
}

func (d datum) setInt(v reflect.Value) error {
	reason := ""
	switch {
	case v.CanInt():
		var n int64
		n, reason = parseInt(d.node.text, v.Type().Bits())
		v.SetInt(n)
	case v.CanUint():
		var n uint64
		if n, reason = parseUint(d.node.text, v.Type().Bits()); strings.HasPrefix(d.node.text, "-") {
			reason = outOfRange
		}
		v.SetUint(n)
	default:
		n, err := d.bigInt()
		if err != nil {
			return err
		}
		v.Addr().Interface().(*big.Int).Set(n)
	}
	if reason != "" {
		return badNode(d.node, reason)
	}
	return nil
}

// setString sets a string or a type with text methods.
func (p *plan) setString(v reflect.Value, s string, n node) error {
	if !p.text {
		v.SetString(s)
		return nil
	}
	if decodeText(Tagged.Name(), []byte(s), v.Addr().Interface()) != nil {
		return badNode(n, fmt.Sprintf("the UnmarshalText of %s gave an error", v.Type()))
	}
	return nil
}

// intoInner sets v, whose plan is p, to a value inside another one.
func (p *plan) intoInner(n *node, v reflect.Value) error {
	if p != nil && p.err == nil && n.kind.stands(p.tag) {
		return datum{p.tag, *n}.set(v, p)
	}
	d, err := inner(*n)
	if err != nil {
		return err
	}
	return d.into(v, p)
}

// stands reports whether a JSON value of kind k, whatever its content, is one with the tag t.
func (k nodeKind) stands(t tag) bool {
	switch k {
	case nodeBool:
		return t == tagBool
	case nodeInt:
		return t == tagInt
	case nodeFloat:
		return t == tagFloat
	case nodeString:
		return t == tagStr
	case nodeList:
		return t == tagList
	}
	return false
}

func (d datum) setList(v reflect.Value, p *plan) error {
	items := d.node.items
	if v.Kind() == reflect.Array {
		if v.Len() != len(items) {
			return badNode(d.node, fmt.Sprintf("a list of %d does not go into %s", len(items), v.Type()))
		}
	} else {
		v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	}
	for i := range items {
		if err := p.elem.intoInner(&items[i], v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func (d datum) setDict(v reflect.Value, p *plan) error {
	switch {
	case v.Type() == dictType:
		dict, err := d.naturalDict()
		if err == nil {
			v.Set(reflect.ValueOf(dict))
		}
		return err
	case v.Kind() == reflect.Struct:
		return d.setStruct(v, p)
	}
	t := v.Type()
	m := reflect.MakeMapWithSize(t, len(d.node.items))
	for i, item := range d.node.items {
		key, elem := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		if err := setKey(key, d.node.keys[i], item); err != nil {
			return err
		}
		if m.MapIndex(key).IsValid() {
			return badNode(item, "a key that comes twice")
		}
		if err := p.elem.intoInner(&item, elem); err != nil {
			return err
		}
		m.SetMapIndex(key, elem)
	}
	v.Set(m)
	return nil
}

func setKey(key reflect.Value, s string, n node) error {
	var reason string
	switch form := formOf(key.Type()); {
	case form == formInt:
		var i int64
		i, reason = parseInt(s, key.Type().Bits())
		key.SetInt(i)
	case form == formUint:
		var u uint64
		u, reason = parseUint(s, key.Type().Bits())
		key.SetUint(u)
	case form == formString || hasText(key.Type()):
		return planOf(key.Type()).setString(key, s, n)
	default:
		reason = "a dict does not go into a map with such keys"
	}
	if reason != "" {
		return badNode(n, "the key of this value: "+reason)
	}
	return nil
}

func (d datum) setStruct(v reflect.Value, p *plan) error {
	for i, key := range d.node.keys {
		// Mostly the fields come in the order in which they were written.
		at := i
		if at >= len(p.fields) || p.fields[at].name != key {
			var ok bool
			if at, ok = p.at[key]; !ok {
				continue
			}
		}
		f := &p.fields[at]
		if err := f.plan.intoInner(&d.node.items[i], f.of(v)); err != nil {
			return fmt.Errorf("field %s: %w", f.name, err)
		}
	}
	return nil
}

func (d datum) setSet(v reflect.Value, p *plan) error {
	m := reflect.MakeMapWithSize(v.Type(), len(d.node.items))
	stored := make(map[string]struct{}, len(d.node.items))
	for _, item := range d.node.items {
		key := reflect.New(v.Type().Key()).Elem()
		if err := p.elem.intoInner(&item, key); err != nil {
			return err
		}
		if key.Kind() == reflect.Interface && !elemental(key.Interface()) {
			return badNode(item, "an element that a set in an any cannot have")
		}
		// Pointers to equal values are different keys, so their stored forms are compared too.
		form, err := p.elem.appendInner(nil, key, 0)
		if err != nil {
			return badNode(item, err.Error())
		}
		_, taken := stored[string(form)]
		if taken || !key.Comparable() || m.MapIndex(key).IsValid() || !key.Equal(key) { //nolint:gocritic // NaN
			return badNode(item, "an element that is not alone in its set")
		}
		stored[string(form)] = struct{}{}
		m.SetMapIndex(key, reflect.Zero(emptyType))
	}
	v.Set(m)
	return nil
}
