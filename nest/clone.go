package nest

import "reflect"

// clone copies what a declaration is given, so that its caller cannot change the declaration
// later: slices, maps, pointers and what is in them. What a struct keeps to itself stays shared.
func clone[T any](v T) T {
	cloneInto(reflect.ValueOf(&v).Elem(), 0)
	return v
}

// maxClone bounds how deep a value is copied: a cycle must end somewhere, and no codec writes one.
const maxClone = 100

// cloneInto replaces what v refers to by copies.
func cloneInto(v reflect.Value, depth int) {
	if depth > maxClone || !v.CanSet() {
		return
	}
	switch v.Kind() {
	case reflect.Slice:
		if !v.IsNil() {
			c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			reflect.Copy(c, v)
			v.Set(c)
		}
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			cloneInto(v.Index(i), depth+1)
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			cloneInto(field, depth+1)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			c := reflect.New(v.Type().Elem())
			c.Elem().Set(v.Elem())
			cloneInto(c.Elem(), depth+1)
			v.Set(c)
		}
	case reflect.Interface:
		if !v.IsNil() {
			c := reflect.New(v.Elem().Type()).Elem()
			c.Set(v.Elem())
			cloneInto(c, depth+1)
			v.Set(c)
		}
	case reflect.Map:
		if !v.IsNil() {
			c := reflect.MakeMapWithSize(v.Type(), v.Len())
			for key, value := range v.Seq2() {
				copied := reflect.New(value.Type()).Elem()
				copied.Set(value)
				cloneInto(copied, depth+1)
				c.SetMapIndex(key, copied)
			}
			v.Set(c)
		}
	default:
	}
}
