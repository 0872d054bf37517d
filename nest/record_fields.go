package nest

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// recordFields describes how a struct type maps to the fields of a hash. It is compiled once, when
// a record is declared.
type recordFields struct {
	fields []recordField
	// names lists the names that a read of the whole record asks for: the name of each field, in
	// order, then the former names.
	names []string
	// places maps each name, present or former, to its field.
	places map[string]recordPlace
}

// recordPlace identifies a field, and which of its names it was found by: 0 is the present one.
type recordPlace struct{ field, age int }

// recordField is a field of a struct that is stored as a field of a hash.
type recordField struct {
	name   string
	was    []string // its former names, newest first
	wasAt  int      // the index of the first of them in recordFields.names
	goName string   // "Address.City", for messages
	index  []int    // the path to it through embedded structs

	typ      reflect.Type // the type that is stored: for a pointer, what it points to
	pointer  bool         // nil is stored as no field
	omitZero bool         // a zero value is stored as no field
	isZeroer bool         // its IsZero method decides
	secret   bool
	fallback reflect.Value
}

// recordTag is the key of the struct tags.
const recordTag = "nest"

// maxRecordNames keeps a record's write below the limit of Lua's stack.
const maxRecordNames = bulkSize / 2

func compileRecord(t reflect.Type) (*recordFields, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("a record is a struct, not %s; Hash or Key take it", names.Article(t.String()))
	}
	r := &recordFields{places: make(map[string]recordPlace)}
	if err := r.collect(t, nil, ""); err != nil {
		return nil, err
	}
	if len(r.fields) == 0 {
		return nil, fmt.Errorf("%s has no exported field to store", t)
	}
	for i := range r.fields {
		if err := r.claim(r.fields[i].name, recordPlace{i, 0}); err != nil {
			return nil, err
		}
	}
	for i := range r.fields {
		f := &r.fields[i]
		f.wasAt = len(r.names)
		for age, name := range f.was {
			if err := r.claim(name, recordPlace{i, age + 1}); err != nil {
				return nil, err
			}
		}
	}
	if len(r.names) > maxRecordNames {
		return nil, fmt.Errorf("%s has %d names of fields, %d is the most", t, len(r.names), maxRecordNames)
	}
	return r, nil
}

// fieldsOf returns the fields of what Open has prepared for a record.
func (r *recordFields) fieldsOf() *recordFields { return r }

// secretNames returns the present and former names of secret fields.
func (r *recordFields) secretNames() []string {
	var names []string
	for i := range r.fields {
		if f := &r.fields[i]; f.secret {
			names = append(append(names, f.name), f.was...)
		}
	}
	return names
}

// refuseSecrets returns an error if a field is declared secret where nothing would encrypt it.
func (r *recordFields) refuseSecrets() error {
	for i := range r.fields {
		if f := &r.fields[i]; f.secret {
			return fmt.Errorf("field %s is secret, and the entries of a stream are not encrypted: take the option away, or keep the field in a Record", f.goName)
		}
	}
	return nil
}

// claim assigns a name to a field, unless another field has it or had it.
func (r *recordFields) claim(name string, p recordPlace) error {
	if other, taken := r.places[name]; taken {
		return fmt.Errorf("the fields %s and %s share the name %q", r.fields[other.field].goName, r.fields[p.field].goName, name)
	}
	r.places[name] = p
	r.names = append(r.names, name)
	return nil
}

// collect adds the fields of t, which is at index in the record.
func (r *recordFields) collect(t reflect.Type, index []int, path string) error {
	for i := range t.NumField() {
		sf := t.Field(i)
		at := append(slices.Clone(index), i)
		goName := path + sf.Name
		tag, tagged := sf.Tag.Lookup(recordTag)
		switch {
		case tag == "-":
			continue
		case sf.Anonymous && !tagged && sf.Type.Kind() == reflect.Struct && !hasTextForm(sf.Type):
			if err := r.collect(sf.Type, at, goName+"."); err != nil {
				return err
			}
			continue
		case !sf.IsExported() && tagged:
			return fmt.Errorf("field %s has a tag but is not exported", goName)
		case !sf.IsExported():
			continue
		case sf.Anonymous && !tagged && sf.Type.Kind() == reflect.Pointer && sf.Type.Elem().Kind() == reflect.Struct:
			return fmt.Errorf(`field %s is an embedded pointer: embed the struct, or give it a name of its own with a tag %s:"name"`, goName, recordTag)
		}
		f := recordField{name: sf.Name, goName: goName, index: at, typ: sf.Type}
		if sf.Type.Kind() == reflect.Pointer {
			f.pointer, f.typ = true, sf.Type.Elem()
		}
		_, f.isZeroer = reflect.TypeAssert[interface{ IsZero() bool }](reflect.Zero(f.typ))
		if err := f.parseTag(tag); err != nil {
			return fmt.Errorf("field %s, tag %s:%q: %w", goName, recordTag, tag, err)
		}
		r.fields = append(r.fields, f)
	}
	return nil
}

var textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()

func hasTextForm(t reflect.Type) bool {
	return t.Implements(textMarshaler) || reflect.PointerTo(t).Implements(textMarshaler)
}

// parseTag reads "name,option,option=value".
func (f *recordField) parseTag(tag string) error {
	name, rest, _ := strings.Cut(tag, ",")
	if name != "" {
		f.name = name
	}
	for rest != "" {
		var o string
		o, rest, _ = strings.Cut(rest, ",")
		option, value, hasValue := strings.Cut(o, "=")
		switch {
		case option == "omitzero" && !hasValue:
			f.omitZero = true
		case option == "secret" && !hasValue:
			f.secret = true
		case option == "was" && value != "":
			f.was = append(f.was, value)
		case option == "default" && hasValue:
			if f.fallback.IsValid() {
				return errors.New("default is given twice")
			}
			if err := f.parseDefault(value); err != nil {
				return err
			}
		default:
			return fmt.Errorf("unknown option %q: there are omitzero, secret, was=name and default=value", o)
		}
	}
	if f.fallback.IsValid() && (f.pointer || f.omitZero) {
		return errors.New("what is not stored would be read back as the default: use either")
	}
	return nil
}

// parseDefault reads the text of a default as Go would write it, without quotes.
func (f *recordField) parseDefault(text string) error {
	v := reflect.New(f.typ).Elem()
	var err error
	switch kind := f.typ.Kind(); {
	case f.typ == reflect.TypeFor[time.Duration]():
		var d time.Duration
		d, err = time.ParseDuration(text)
		v.SetInt(int64(d))
	case kind == reflect.String:
		v.SetString(text)
	case kind == reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(text)
		v.SetBool(b)
	case v.CanInt():
		var n int64
		n, err = strconv.ParseInt(text, 10, f.typ.Bits())
		v.SetInt(n)
	case v.CanUint():
		var n uint64
		n, err = strconv.ParseUint(text, 10, f.typ.Bits())
		v.SetUint(n)
	case v.CanFloat():
		var x float64
		x, err = strconv.ParseFloat(text, f.typ.Bits())
		v.SetFloat(x)
	default:
		return fmt.Errorf("default: only strings, numbers and booleans have one, not %s", names.Article(f.typ.String()))
	}
	if err != nil {
		return fmt.Errorf("default: %q is no %s", text, f.typ)
	}
	f.fallback = v
	return nil
}

// stored returns the value of the field in a record, and false if it is stored as no field.
func (f *recordField) stored(record reflect.Value) (reflect.Value, bool) {
	v := record.FieldByIndex(f.index)
	if f.pointer {
		if v.IsNil() {
			return v, false
		}
		v = v.Elem()
	}
	if !f.omitZero {
		return v, true
	}
	if f.isZeroer && !nilable(v) {
		return v, !v.Interface().(interface{ IsZero() bool }).IsZero()
	}
	return v, !v.IsZero()
}

// nilable reports whether calling a method of a zero v could mean calling it on nil.
func nilable(v reflect.Value) bool {
	return v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface
}

// target returns the value that a stored text is decoded into.
func (f *recordField) target(record reflect.Value) reflect.Value {
	v := record.FieldByIndex(f.index)
	if !f.pointer {
		return v
	}
	v.Set(reflect.New(f.typ))
	return v.Elem()
}

// absent sets a field that is not stored to its default.
func (f *recordField) absent(record reflect.Value) {
	if f.fallback.IsValid() {
		record.FieldByIndex(f.index).Set(f.fallback)
	}
}
