package nest

import "reflect"

// clone returns a deep copy of a value that is passed to a declaration, so that the caller cannot
// change the declaration later. It copies slices, maps, pointers and their contents. What is in the
// unexported fields of structs stays shared.
func clone[T any](v T) T {
	cloneInto(reflect.ValueOf(&v).Elem(), 0)
	return v
}

// maxClone is the maximum depth of a copy. A cycle must end somewhere, and no codec writes one.
const maxClone = 100

// cloneInto replaces everything that v refers to by copies.
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
			for entry := v.MapRange(); entry.Next(); {
				copied := reflect.New(v.Type().Elem()).Elem()
				copied.Set(entry.Value())
				cloneInto(copied, depth+1)
				c.SetMapIndex(entry.Key(), copied)
			}
			v.Set(c)
		}
	default:
	}
}
