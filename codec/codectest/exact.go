package codectest

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"

	"github.com/redisimnest/redisimnest/codec"
)

func newEqual[T any](equal func(a, b T) bool, v T) sample {
	s := newSample(v)
	s.equal = func(a, b any) bool {
		x, _ := a.(T)
		y, _ := b.(T)
		return equal(x, y)
	}
	return s
}

// exactly is comparison.same except for numbers, which are equal if they are the same number.
func exactly(a, b reflect.Value) bool {
	if a.IsValid() && a.Kind() == reflect.Interface && b.IsValid() && b.Kind() == reflect.Interface {
		a, b = a.Elem(), b.Elem()
	}
	if !a.IsValid() || !b.IsValid() {
		return a.IsValid() == b.IsValid()
	}
	if d, ok := dict(b); ok && a.Kind() == reflect.Map {
		b = d
	}
	if x, y := number(a), number(b); x != nil || y != nil {
		return x != nil && y != nil && x.Cmp(y) == 0
	}
	if a.Kind() != b.Kind() {
		return false
	}
	switch a.Kind() {
	case reflect.Pointer:
		return a.IsNil() == b.IsNil() && (a.IsNil() || exactly(a.Elem(), b.Elem()))
	case reflect.Map:
		if a.IsNil() != b.IsNil() || a.Len() != b.Len() {
			return false
		}
		for _, key := range a.MapKeys() {
			if !exactly(a.MapIndex(key), b.MapIndex(key)) {
				return false
			}
		}
		return true
	case reflect.Slice, reflect.Array:
		if a.Len() != b.Len() || a.Kind() == reflect.Slice && a.IsNil() != b.IsNil() {
			return false
		}
		for i := range a.Len() {
			if !exactly(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Struct:
		for i := range a.NumField() {
			if !exactly(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	}
	return comparison{}.same(a, b)
}

// dict turns a [codec.Dict], which some codecs make of any map, back into the map[string]any that
// it was.
func dict(v reflect.Value) (reflect.Value, bool) {
	if v.Type() != reflect.TypeFor[codec.Dict]() {
		return v, false
	}
	return reflect.ValueOf(v.Interface().(codec.Dict).Map()), true
}

// number returns the value of a number, or nil if v is not a number.
func number(v reflect.Value) *big.Rat {
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil():
		return nil
	case v.CanInt():
		return new(big.Rat).SetInt64(v.Int())
	case v.CanUint():
		return new(big.Rat).SetInt(new(big.Int).SetUint64(v.Uint()))
	case v.CanFloat():
		if f := v.Float(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return new(big.Rat).SetFloat64(f)
		}
		return nil
	case !v.CanInterface():
		return nil
	}
	switch n := v.Interface().(type) {
	case big.Int:
		return new(big.Rat).SetInt(&n)
	case *big.Int:
		return new(big.Rat).SetInt(n)
	case big.Rat:
		return &n
	case *big.Rat:
		return n
	case big.Float:
		r, _ := n.Rat(nil)
		return r
	case *big.Float:
		r, _ := n.Rat(nil)
		return r
	}
	return nil
}

// cut sets text to what follows the mark in b.
func cut(text *string, mark string, b []byte) error {
	rest, ok := strings.CutPrefix(string(b), mark)
	if !ok {
		return fmt.Errorf("no %q in front", mark)
	}
	*text = rest
	return nil
}
