// Package sonic stores values as [codec.JSON] does, through github.com/bytedance/sonic, which
// compiles a type's encoder and decoder to machine code when it first meets the type.
package sonic

import (
	"bytes"
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/codec/internal/walk"
)

// Codec is [codec.JSON], and faster for structs, slices and maps of booleans, numbers, strings and
// times. It writes the same bytes, reads the same values and refuses the same types, values and
// data. Its name is "json", too: a key can go from one to the other at any time, with its secrets
// and fingerprints, and programs with either can share it.
//
// The library is used where it behaves as encoding/json does. The rest is left to codec.JSON, in
// its time:
//
//   - types with an any, a method for JSON or text, bytes, an array, an embedded field, a map whose
//     keys are no strings, one of the tag options "string" and "omitzero", or a floating-point
//     number that is "omitempty";
//   - values with a backspace or a form feed in a text;
//   - reading types with a map, where the library leaves of a key's first value what its second does
//     not have, and types with a float32, which it rounds twice;
//   - data with fields that the type does not have, or has in another case, and data that is
//     refused, which are read a second time;
//   - everything on processors other than amd64 and arm64, and with a version of Go that the
//     library does not know.
//
// The code that the library compiles for a type stays in memory.
var Codec codec.Codec = jsonCodec{}

type jsonCodec struct{}

func (jsonCodec) Name() string { return codec.JSON.Name() }

func (jsonCodec) CheckType(t reflect.Type) error { return codec.CheckType(codec.JSON, t) }

// Shape is that of codec.JSON.
func (jsonCodec) Shape(t reflect.Type) (codec.Shape, error) { return codec.ShapeOf(codec.JSON, t) }

func (jsonCodec) FixType(t reflect.Type) codec.Codec { return fixedTo(t) }

func (jsonCodec) Append(dst []byte, v any) ([]byte, error) {
	t := reflect.TypeOf(v)
	if t == nil {
		return codec.JSON.Append(dst, v)
	}
	return fixedTo(t).Append(dst, v)
}

func (jsonCodec) Decode(data []byte, v any) error {
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Pointer {
		return codec.JSON.Decode(data, v)
	}
	return fixedTo(t.Elem()).Decode(data, v)
}

var known sync.Map // reflect.Type → codec.Codec

// fixedTo returns the codec for values of type t.
func fixedTo(t reflect.Type) codec.Codec {
	if c, ok := known.Load(t); ok {
		return c.(codec.Codec)
	}
	c := codec.FixType(codec.JSON, t)
	if supported && built(t) && newComparison(true).alike(t) {
		c = &fixed{plain: c, times: times.Of(t), reads: newComparison(false).alike(t)}
	}
	known.Store(t, c)
	return c
}

// fixed is the codec for a type that the library writes as encoding/json does.
type fixed struct {
	plain codec.Codec // codec.JSON for the type, which decides about everything unusual
	times *walk.Plan
	reads bool // the library also reads it so
}

func (f *fixed) Name() string { return f.plain.Name() }

func (f *fixed) Append(dst []byte, v any) ([]byte, error) {
	if f.times != nil && f.times.Look(reflect.ValueOf(v)) != "" {
		return f.plain.Append(dst, v)
	}
	data, err := marshal(v)
	if err != nil || bytes.Contains(data, escaped) && (bytes.Contains(data, backspace) || bytes.Contains(data, formFeed)) {
		return f.plain.Append(dst, v)
	}
	if cap(dst) == 0 {
		return data, nil
	}
	return append(dst, data...), nil
}

// The escapes for which encoding/json has shorter ones.
var (
	escaped   = []byte(`\u00`)
	backspace = []byte(`\u0008`)
	formFeed  = []byte(`\u000c`)
)

func (f *fixed) Decode(data []byte, v any) error {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() || !f.reads || isNull(data) {
		return f.plain.Decode(data, v)
	}
	if unmarshal(data, v) == nil {
		return nil
	}
	target.Elem().SetZero()
	return f.plain.Decode(data, v)
}

// isNull reports whether data, if it is JSON, is null.
func isNull(data []byte) bool {
	data = bytes.TrimLeft(data, " \t\r\n")
	return len(data) > 0 && data[0] == 'n'
}

// built reports whether values of type t have parts. codec.JSON needs no help with others.
func built(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct, reflect.Slice, reflect.Map:
		return t != timeType
	case reflect.Pointer:
		return built(t.Elem())
	}
	return false
}

var (
	timeType   = reflect.TypeFor[time.Time]()
	numberType = reflect.TypeFor[json.Number]()

	methods = []reflect.Type{
		reflect.TypeFor[json.Marshaler](), reflect.TypeFor[json.Unmarshaler](),
		reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
	}
)

// own reports whether t defines its own form.
func own(t reflect.Type) bool {
	return slices.ContainsFunc(methods, reflect.PointerTo(t).Implements)
}

// comparison is one walk through a type, which may be recursive.
type comparison struct {
	writing bool
	seen    map[reflect.Type]bool
}

func newComparison(writing bool) comparison { return comparison{writing, map[reflect.Type]bool{}} }

// alike reports whether the library treats values of type t as encoding/json does.
func (c comparison) alike(t reflect.Type) bool {
	if c.seen[t] || t == timeType {
		return true
	}
	c.seen[t] = true
	if own(t) || t == numberType {
		return false
	}
	switch kind := t.Kind(); kind {
	case reflect.Bool, reflect.String:
		return true
	case reflect.Pointer:
		return c.alike(t.Elem())
	case reflect.Slice:
		return t.Elem().Kind() != reflect.Uint8 && c.alike(t.Elem())
	case reflect.Map:
		return c.writing && t.Key().Kind() == reflect.String && c.alike(t.Key()) && c.alike(t.Elem())
	case reflect.Struct:
		for f := range t.Fields() {
			if !c.alikeField(f) {
				return false
			}
		}
		return true
	case reflect.Float32:
		return c.writing // the library rounds twice: to float64, and then to float32
	default:
		return reflect.Int <= kind && kind <= reflect.Float64 && kind != reflect.Uintptr
	}
}

func (c comparison) alikeField(f reflect.StructField) bool {
	tag := f.Tag.Get("json")
	switch {
	case tag == "-":
		return true
	case f.Anonymous:
		return false
	case !f.IsExported():
		return true
	}
	_, options, _ := strings.Cut(tag, ",")
	for option := range strings.SplitSeq(options, ",") {
		if option == "string" || option == "omitzero" {
			return false
		}
		if kind := f.Type.Kind(); option == "omitempty" && (kind == reflect.Float32 || kind == reflect.Float64) {
			return false // the library writes a negative zero
		}
	}
	return c.alike(f.Type)
}

// times inspects the times in a value before it is written.
var times = walk.Values{Own: own, Tags: []string{"json"}, Leaf: func(t reflect.Type) walk.Look {
	if t != timeType {
		return nil
	}
	return look
}}

func look(v reflect.Value, _ bool) string {
	t, _ := reflect.TypeAssert[time.Time](v)
	if _, offset := t.Zone(); offset%60 != 0 {
		return "RFC 3339 has offsets of whole minutes"
	}
	return ""
}
