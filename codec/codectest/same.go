package codectest

import (
	"math"
	"reflect"
	"time"
)

var timeType = reflect.TypeFor[time.Time]()

// same reports whether a and b, values of a sample's type, are equal.
func (k *kit) same(s sample, a, b any) bool {
	if s.equal != nil {
		return s.equal(a, b)
	}
	return comparison{instants: k.instants}.same(reflect.ValueOf(a), reflect.ValueOf(b))
}

// comparison is like reflect.DeepEqual except for times, which may differ in how they hold their
// zone, and floats, which must be the same bit by bit.
type comparison struct {
	instants bool // the offset of a time does not count
}

func (c comparison) same(a, b reflect.Value) bool {
	if !a.IsValid() || !b.IsValid() || a.Type() != b.Type() {
		return a.IsValid() == b.IsValid()
	}
	if a.Type() == timeType && a.CanInterface() {
		x, y := a.Interface().(time.Time), b.Interface().(time.Time)
		_, xOffset := x.Zone()
		_, yOffset := y.Zone()
		return x.Equal(y) && (c.instants || xOffset == yOffset)
	}
	switch a.Kind() {
	case reflect.Float32, reflect.Float64:
		x, y := a.Float(), b.Float()
		// There are many NaNs.
		return math.Float64bits(x) == math.Float64bits(y) || math.IsNaN(x) && math.IsNaN(y)
	case reflect.Pointer, reflect.Interface:
		return a.IsNil() == b.IsNil() && c.same(a.Elem(), b.Elem())
	case reflect.Slice:
		return a.IsNil() == b.IsNil() && c.sameElements(a, b)
	case reflect.Array:
		return c.sameElements(a, b)
	case reflect.Map:
		return a.IsNil() == b.IsNil() && c.sameEntries(a, b)
	case reflect.Struct:
		for i := range a.NumField() {
			if !c.same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	}
	return a.Comparable() && a.Equal(b)
}

func (c comparison) sameElements(a, b reflect.Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		if !c.same(a.Index(i), b.Index(i)) {
			return false
		}
	}
	return true
}

func (c comparison) sameEntries(a, b reflect.Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	for _, key := range a.MapKeys() {
		if !c.same(a.MapIndex(key), b.MapIndex(key)) {
			return false
		}
	}
	return true
}
