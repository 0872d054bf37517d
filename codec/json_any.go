package codec

import (
	"bytes"
	"encoding/json"
	"math/big"
	"reflect"
	"strconv"
	"strings"
)

// In an any, encoding/json turns each number into a float64, which holds integers up to 2⁵³ and
// rounds greater ones. The code here reads those exactly.

// largestFloat bounds the integers that a float64 always holds exactly.
const largestFloat = 1 << 53

// longNumber is the least number of digits of an integer that a float64 may not hold.
const longNumber = len("9007199254740993")

// reachesAny reports whether encoding/json may read a number into an any while it decodes into a
// value of type t.
func reachesAny(t reflect.Type, seen map[reflect.Type]bool) bool {
	if p := reflect.PointerTo(t); seen[t] || p.Implements(jsonUnmarshalerType) || p.Implements(textUnmarshalerType) {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Interface:
		return t.NumMethod() == 0
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return reachesAny(t.Elem(), seen)
	case reflect.Struct:
		for f := range t.Fields() {
			if reachesAny(f.Type, seen) {
				return true
			}
		}
	}
	return false
}

// hasLongNumber reports whether data may contain a number that must be read exactly.
func hasLongNumber(data []byte) bool {
	for end := longNumber - 1; end < len(data); end += longNumber {
		first := end
		for first >= 0 && isDigit(data[first]) && end-first < longNumber {
			first--
		}
		if first == end {
			continue // part of no number of that length
		}
		last := end + 1
		for last < len(data) && isDigit(data[last]) {
			last++
		}
		if last-first > longNumber {
			return true
		}
	}
	return false
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// unmarshalExact is json.Unmarshal except for integers in an any that a float64 does not hold.
func unmarshalExact(data []byte, v any) error {
	if !hasLongNumber(data) || !json.Valid(data) {
		return json.Unmarshal(data, v)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return err
	}
	return setNumbers(reflect.ValueOf(v).Elem())
}

// setNumbers replaces the json.Numbers that a decoder has left in the anys of v.
func setNumbers(v reflect.Value) error {
	if !reachesAny(v.Type(), map[reflect.Type]bool{}) {
		return nil
	}
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() {
			return nil
		}
		held, err := withNumbers(v.Interface())
		if err == nil {
			v.Set(reflect.ValueOf(held))
		}
		return err
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return setNumbers(v.Elem())
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := setNumbers(v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			elem := reflect.New(v.Type().Elem()).Elem()
			elem.Set(v.MapIndex(key))
			if err := setNumbers(elem); err != nil {
				return err
			}
			v.SetMapIndex(key, elem)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); !f.IsExported() && !f.Anonymous {
				continue // nothing was read into it
			}
			if err := setNumbers(v.Field(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// withNumbers returns what a decoder has put into an any, with each json.Number replaced by its
// value.
func withNumbers(v any) (_ any, err error) {
	switch v := v.(type) {
	case json.Number:
		return anyNumber(string(v))
	case []any:
		for i := range v {
			if v[i], err = withNumbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range v {
			if v[key], err = withNumbers(v[key]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// anyNumber returns the value of a JSON number: int64 or *big.Int for an integer that a float64 may
// not hold, float64 for anything else.
func anyNumber(s string) (any, error) {
	if !strings.ContainsAny(s, ".eE") {
		n, err := strconv.ParseInt(s, 10, 64)
		switch {
		case err == nil && (n < -largestFloat || n > largestFloat):
			return n, nil
		case err != nil && len(s) > maxDigits:
			return nil, errDigits
		case err != nil:
			if n, ok := new(big.Int).SetString(s, 10); ok {
				return n, nil
			}
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, &json.UnmarshalTypeError{Value: "number", Type: reflect.TypeFor[float64]()}
	}
	return f, nil
}
