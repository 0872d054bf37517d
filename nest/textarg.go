package nest

import (
	"net/netip"
	"reflect"
	"time"
)

// marshal appends the text of a plain argument for a parameter whose type has MarshalText.
//
// Calling a method through an interface would make every argument of every At escape to the
// heap, so the value is rebuilt first from what reflection reads without keeping it. That works
// for the standard library's types, for scalars and for arrays of bytes, as UUIDs are; other
// types say through [ParamDef.Of] what they are.
func (p *param) marshal(dst []byte, v reflect.Value, arg any) ([]byte, argProblem) {
	if v.Type() != p.typ {
		return dst, argProblem{ErrParamType, "takes " + p.takes() + ", not " + article(v.Type().String())}
	}
	var text []byte
	var err error
	switch a := arg.(type) {
	case time.Time:
		text, err = a.MarshalText()
	case netip.Addr:
		text, err = a.MarshalText()
	case netip.AddrPort:
		text, err = a.MarshalText()
	case netip.Prefix:
		text, err = a.MarshalText()
	default:
		c, ok := rebuild(v, p.typ)
		if !ok {
			return dst, argProblem{ErrParamType, "takes " + article(p.typ.String()) + " only by name: write <its Param>.Of(value)"}
		}
		text, err = p.textOf(c)
	}
	if err != nil {
		return dst, argProblem{ErrParamValue, "has no text form: its MarshalText failed"}
	}
	return append(dst, text...), argProblem{}
}

// rebuild copies a scalar or an array of scalars of one byte into a new value of type t.
func rebuild(v reflect.Value, t reflect.Type) (reflect.Value, bool) {
	c := reflect.New(t).Elem()
	switch kind := t.Kind(); {
	case kind == reflect.String:
		c.SetString(v.String())
	case kind == reflect.Bool:
		c.SetBool(v.Bool())
	case reflect.Int <= kind && kind <= reflect.Int64:
		c.SetInt(v.Int())
	case reflect.Uint <= kind && kind <= reflect.Uint64:
		c.SetUint(v.Uint())
	case kind == reflect.Array && t.Elem().Kind() == reflect.Uint8:
		for i := range v.Len() {
			c.Index(i).SetUint(v.Index(i).Uint())
		}
	default:
		return c, false
	}
	return c, true
}
