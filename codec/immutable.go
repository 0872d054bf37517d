package codec

import "reflect"

// Immutable reports whether values of type T can be handed out repeatedly without a copy: whether
// no T holds a pointer, slice, map or anything else through which one holder could change what
// another one sees. Numbers, strings, times, and structs and arrays of these are immutable.
// Immutable inspects types: call it once, not for every value.
func Immutable[T any]() bool {
	return immutable(reflect.TypeFor[T]())
}

func immutable(t reflect.Type) bool {
	if t == timeType {
		return true
	}
	switch t.Kind() {
	case reflect.Array:
		return t.Len() == 0 || immutable(t.Elem())
	case reflect.Struct:
		for f := range t.Fields() {
			if !immutable(f.Type) {
				return false
			}
		}
		return true
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface,
		reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return false
	}
	return true
}
