package lockfile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redisimnest/redisimnest/codec"
)

// reading holds a form that was stored against the one that is read now.
type reading struct {
	codec string // the innermost one that wrote: "json" of "zstd(json)"
	by    string // the innermost one that reads, which stores the old shape as codec does
	found []string
}

// Misread returns how values of the old shape, which one codec wrote, are misread by another one as
// the new shape, or are not read at all. The two codecs store the old shape alike.
func Misread(wrote, reads string, old, now *codec.Shape) []string {
	if strings.Contains(wrote, "fingerprinted(") {
		return nil // it refuses what has another shape
	}
	r := reading{codec: innermost(wrote), by: innermost(reads)}
	r.compare("", old, now)
	return r.found
}

// innermost returns the name of the codec that others wrap.
func innermost(name string) string {
	name = name[strings.LastIndexByte(name, '(')+1:]
	return strings.TrimRight(name, ")")
}

func (r *reading) differf(path, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if path != "" {
		text = path + " " + text
	}
	r.found = append(r.found, text)
}

func (r *reading) compare(path string, old, now *codec.Shape) {
	switch {
	case old.String() == now.String():
	case old.Kind == "struct" && now.Kind == "struct":
		r.fields(path, old, now)
	case old.Kind == "tuple" && now.Kind == "tuple":
		r.tuple(path, old, now)
	case now.Kind == "optional" && old.Kind != "optional" && r.optional(path, old):
		r.compare(path, old, now.Elem)
	case old.Kind != now.Kind:
		if !r.widens(old.Kind, now.Kind) && !(path == "" && r.asText(old.Kind, now.Kind)) {
			r.differf(path, "was %s and is %s", old, now)
		}
	case slices.Contains([]string{"list", "map", "optional", "quoted"}, old.Kind), old.Kind == "array" && r.grows(old.Len, now.Len):
		if old.Key != nil && now.Key != nil && old.Key.String() != now.Key.String() {
			r.differf(path, "had %s for its keys and has %s", old.Key, now.Key)
		}
		r.compare(path+"[]", old.Elem, now.Elem)
	default:
		r.differf(path, "was %s and is %s", old, now)
	}
}

// fields compares structs whose fields are found by their names.
func (r *reading) fields(path string, old, now *codec.Shape) {
	var added []string
	for _, f := range now.Fields {
		if r.field(old, f.Name) == nil {
			added = append(added, f.Name)
		}
	}
	for _, f := range old.Fields {
		at := within(path, f.Name)
		next := r.field(now, f.Name)
		if next == nil {
			r.differf(at, "is gone%s: what is stored in it is not read, and lost with the next write", successor(f, now, added))
			continue
		}
		r.compare(at, &f.Shape, next)
	}
}

// successor suggests the new name of a field.
func successor(gone codec.ShapeField, now *codec.Shape, added []string) string {
	for _, f := range now.Fields {
		if slices.Contains(added, f.Name) && f.Shape.String() == gone.Shape.String() {
			return " (is it " + strconv.Quote(f.Name) + " now?)"
		}
	}
	return ""
}

// field returns the shape of a field, or nil.
func (r *reading) field(s *codec.Shape, name string) *codec.Shape {
	for i := range s.Fields {
		if s.Fields[i].Name == name {
			return &s.Fields[i].Shape
		}
	}
	for i := range s.Fields {
		if (r.codec == "json" || r.codec == "auto") && strings.EqualFold(s.Fields[i].Name, name) {
			return &s.Fields[i].Shape // encoding/json finds it
		}
	}
	return nil
}

// tuple compares structs that are stored as lists of their fields.
func (r *reading) tuple(path string, old, now *codec.Shape) {
	if len(now.Fields) < len(old.Fields) || len(now.Fields) > len(old.Fields) && r.codec != "msgpack" {
		r.differf(path, "was a list of %d fields and is one of %d", len(old.Fields), len(now.Fields))
		return
	}
	for i, f := range old.Fields {
		if f.Name != now.Fields[i].Name {
			r.differf(path, "has %q in the place of %q: the order of the fields counts", now.Fields[i].Name, f.Name)
			return
		}
		r.compare(within(path, f.Name), &f.Shape, &now.Fields[i].Shape)
	}
}

func within(path, field string) string { return strings.TrimPrefix(path+"."+strconv.Quote(field), ".") }

// byName are the codecs that find fields by their names, read an integer into any type that holds
// it, and a value into a pointer as they read it without one.
var byName = []string{"auto", "json", "msgpack", "cbor", "gob"}

// grows reports whether an array is read into one of another length.
func (r *reading) grows(old, now int) bool {
	return old == now || old < now && (r.codec == "auto" || r.codec == "json")
}

// optional reports whether what is stored for old is what is stored for a pointer to it.
func (r *reading) optional(path string, old *codec.Shape) bool {
	if (r.codec == "auto" || r.by == "auto") && path == "" && slices.Contains([]string{"string", "bytes", "bool", "opaque"}, old.Kind) {
		return false // by itself it is not stored as JSON
	}
	return slices.Contains(byName, r.codec)
}

// widens reports whether each number of the old kind is read as the same number of the new one.
func (r *reading) widens(old, now string) bool {
	if !slices.Contains(append(byName, "tagged", "decimal"), r.codec) {
		return false
	}
	o, n := numberOf(old), numberOf(now)
	switch {
	case o.bits == 0 || n.bits == 0 || o.class == 'f' != (n.class == 'f'):
		return false
	case o.class == n.class:
		return o.bits <= n.bits
	}
	return o.class == 'u' && n.class == 'i' && o.bits < n.bits && r.codec != "gob"
}

// number is a kind of numbers: 'i', 'u' or 'f', and the bits of one.
type number struct {
	class byte
	bits  int
}

func numberOf(kind string) number {
	for _, prefix := range []string{"uint", "int", "float"} {
		size, ok := strings.CutPrefix(kind, prefix)
		if !ok {
			continue
		}
		bits, err := strconv.Atoi(size)
		switch {
		case size == "" && prefix != "float":
			return number{prefix[0], 64}
		case err == nil:
			return number{prefix[0], bits}
		}
	}
	return number{}
}

// asText reports whether what is stored for a value of the old kind is its text, and that of the
// new kind is any text.
func (r *reading) asText(old, now string) bool {
	if r.codec != "auto" && r.codec != "raw" && r.codec != "decimal" {
		return false
	}
	text := (now == "string" || now == "bytes") && (r.by == "auto" || r.by == "raw")
	return text && (old == "string" || old == "bytes" || numberOf(old).bits > 0)
}
