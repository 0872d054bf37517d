package nest

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// everyDefinition is a nil pointer to each kind of definition.
var everyDefinition = []any{
	(*ClusterDef)(nil), (*KeyDef[int])(nil), (*CounterDef[int])(nil), (*SecretDef[int])(nil), (*PasswordDef)(nil),
	(*HashDef[int])(nil), (*RecordDef[struct{ A int }])(nil), (*ListDef[int])(nil), (*SetDef[int])(nil),
	(*SortedSetDef[int])(nil), (*StreamDef[int])(nil), (*ChannelDef[int])(nil), (*BitmapDef)(nil),
	(*HyperLogLogDef[int])(nil), (*GeoDef[int])(nil), (*LockDef)(nil), (*LimiterDef)(nil), (*ParamDef[int])(nil),
}

// callAll calls every method of v with zero arguments, and every method of the results. It returns
// the methods that panic.
func callAll(v reflect.Value, deep bool) (panicking []string) {
	call := func(name string, f reflect.Value) (results []reflect.Value) {
		defer func() {
			if p := recover(); p != nil {
				panicking = append(panicking, fmt.Sprintf("%s.%s: %v", v.Type(), name, p))
			}
		}()
		args := make([]reflect.Value, 0, f.Type().NumIn())
		for i := range f.Type().NumIn() {
			in := f.Type().In(i)
			switch {
			case f.Type().IsVariadic() && i == f.Type().NumIn()-1:
			case in == reflect.TypeFor[context.Context]():
				args = append(args, reflect.ValueOf(context.Background()))
			case in == reflect.TypeFor[fmt.State]():
				return nil // only package fmt calls it
			default:
				args = append(args, reflect.Zero(in))
			}
		}
		return f.Call(args)
	}
	for i := range v.NumMethod() {
		name := v.Type().Method(i).Name
		if _, promoted := reflect.TypeFor[*Declaration]().MethodByName(name); promoted && v.Kind() == reflect.Pointer && v.IsNil() {
			continue // its struct does not exist
		}
		for _, r := range call(name, v.Method(i)) {
			switch {
			case r.Kind() == reflect.Func && !r.IsNil() && r.Type().NumIn() == 1 && r.Type().In(0).Kind() == reflect.Func:
				yield := reflect.MakeFunc(r.Type().In(0), func([]reflect.Value) []reflect.Value { return []reflect.Value{reflect.ValueOf(false)} })
				func() {
					defer func() {
						if p := recover(); p != nil {
							panicking = append(panicking, fmt.Sprintf("%s.%s: %v", v.Type(), name, p))
						}
					}()
					r.Call([]reflect.Value{yield})
				}()
			case deep && r.Kind() == reflect.Struct && r.Type().PkgPath() == reflect.TypeFor[Scope]().PkgPath():
				panicking = append(panicking, callAll(r, r.Type() != v.Type() && r.Type() != reflect.TypeFor[Scope]() && r.Type() != reflect.TypeFor[Match]())...)
			}
		}
	}
	return panicking
}

// A declaration may be nil, like a variable that is initialised later, and a reference may be zero.
// Every call returns an error, and none panics.
func TestNothingPanicsOnNil(t *testing.T) {
	for _, d := range everyDefinition {
		require.Empty(t, callAll(reflect.ValueOf(d), true))
		require.Empty(t, callAll(reflect.New(reflect.TypeOf(d).Elem()), true))
		require.NotPanics(t, func() { _ = fmt.Sprintf("%v %+v %#v", d, d, d) })
	}
	for _, v := range []any{Scope{}, Match{}, Arg{}, (*Batch)(nil), &Batch{}, (*Lease)(nil), &Lease{}, (*Future[int])(nil), &Future[int]{}, (*FoundFuture[int])(nil), (*Tx)(nil), &Tx{}} {
		require.Empty(t, callAll(reflect.ValueOf(v), true))
	}
}
