package codec

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Strings and integers without methods are written and read here, in the same form as by
// encoding/json and in a fraction of its time. The less common cases go to encoding/json: strings
// with escapes or beyond ASCII, and all errors.

var jsonNumberType = reflect.TypeFor[json.Number]()

// plainJSON returns the kind of t, and its bits, if t is such a type.
func plainJSON(t reflect.Type) (reflect.Kind, int) {
	p := reflect.PointerTo(t)
	if t == jsonNumberType || ownJSON(p) || p.Implements(jsonUnmarshalerType) || p.Implements(textUnmarshalerType) {
		return reflect.Invalid, 0
	}
	switch formOf(t) {
	case formString:
		return t.Kind(), 0
	case formInt, formUint:
		return t.Kind(), t.Bits()
	}
	return reflect.Invalid, 0
}

// appendPlainJSON appends a string or an integer, or reports false if encoding/json has to.
func appendPlainJSON(dst []byte, v reflect.Value) ([]byte, bool) {
	switch {
	case v.CanInt():
		return strconv.AppendInt(dst, v.Int(), 10), true
	case v.CanUint():
		return strconv.AppendUint(dst, v.Uint(), 10), true
	case v.Kind() == reflect.String:
		s := v.String()
		if !plainBytes(s, &writtenPlain) {
			return dst, false
		}
		dst = append(slices.Grow(dst, len(s)+len(`""`)), '"')
		return append(append(dst, s...), '"'), true
	}
	return dst, false
}

// plainJSONText is appendPlainJSON for a string alone.
func plainJSONText(v reflect.Value) (string, bool) {
	switch {
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10), true
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10), true
	case v.Kind() == reflect.String:
		if s := v.String(); plainBytes(s, &writtenPlain) {
			return `"` + s + `"`, true
		}
	}
	return "", false
}

// decodePlainJSON reads data into what v points to, or reports false if encoding/json has to.
func decodePlainJSON(data []byte, v any, traits *jsonTraits) bool {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return false
	}
	target := p.Elem()
	if target.Kind() != traits.plain {
		return false
	}
	if traits.plain == reflect.String {
		s, ok := plainString(text(data))
		if ok {
			target.SetString(strings.Clone(s))
		}
		return ok
	}
	return setPlainJSON(text(data), target, traits.bits)
}

// setPlainJSON sets v, which may afterwards refer to data.
func setPlainJSON(data string, v reflect.Value, bits int) bool {
	switch {
	case v.CanInt():
		n, reason := parseInt(data, bits)
		if reason == "" {
			v.SetInt(n)
		}
		return reason == ""
	case v.CanUint():
		n, reason := parseUint(data, bits)
		if reason == "" {
			v.SetUint(n)
		}
		return reason == ""
	}
	s, ok := plainString(data)
	if ok {
		v.SetString(s)
	}
	return ok
}

// plainString returns the text between the quotes of a JSON string, if no byte of it is escaped.
func plainString(data string) (string, bool) {
	if len(data) < len(`""`) || data[0] != '"' || data[len(data)-1] != '"' {
		return "", false
	}
	s := data[1 : len(data)-1]
	return s, plainBytes(s, &readPlain)
}

func plainBytes(s string, plain *[256]bool) bool {
	for i := range len(s) {
		if !plain[s[i]] {
			return false
		}
	}
	return true
}

// The bytes that need no escape. encoding/json escapes three of those that it reads unescaped.
var (
	readPlain    = plainSet(`"\`)
	writtenPlain = plainSet(`"\<>&`)
)

func plainSet(but string) (set [256]bool) {
	for c := byte(' '); c < 0x80; c++ {
		set[c] = true
	}
	for i := range len(but) {
		set[but[i]] = false
	}
	return set
}
