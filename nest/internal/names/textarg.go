package names

import (
	"net/netip"
	"reflect"
	"time"
)

// marshal appends the text of a plain argument for a parameter whose type has MarshalText.
//
// Calling a method through an interface would make every argument of every At escape to the heap.
// So the value is first rebuilt from what reflection reads without keeping it. That works for the
// types of the standard library, for scalars and for byte arrays, such as UUIDs. Arguments of other
// types have to be named.
func (p *Param) marshal(dst []byte, v reflect.Value, arg any) ([]byte, Problem) {
	if v.Type() != p.Type {
		return dst, Problem{ParamType, "takes " + p.takes() + ", not " + Article(v.Type().String())}
	}
	var text []byte
	var err error
	switch a := arg.(type) {
	case time.Time:
		text = timeText(a, p.Layout)
	case netip.Addr:
		text, err = a.MarshalText()
	case netip.AddrPort:
		text, err = a.MarshalText()
	case netip.Prefix:
		text, err = a.MarshalText()
	default:
		c, ok := rebuild(v, p.Type)
		if !ok {
			return dst, Problem{ParamType, "takes " + Article(p.Type.String()) + " only by name: write <its Param>.Of(value)"}
		}
		text, err = p.textOf(c)
	}
	if err != nil {
		return dst, Problem{ParamValue, "has no text form: its MarshalText failed"}
	}
	return append(dst, text...), Problem{}
}

// rebuild copies a scalar or an array of one-byte scalars into a new value of type t.
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
