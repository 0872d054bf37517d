package nest

import (
	"reflect"

	"github.com/redisimnest/redisimnest/codec"
)

// StoredDescription describes the form in which a key is stored: what other programs, and later
// releases, must know to read it.
type StoredDescription struct {
	// Type is the Redis type of the key, as the TYPE command answers it.
	Type string `json:"type"`
	// Forms are the forms of the values or elements: first the one that is written, then the others
	// that are read. There are none for kinds without a codec, and for a key with Fields.
	Forms []StoredForm `json:"forms,omitempty"`
	// Fields are the fields of a record, or of the entries of a stream with [EntryPerField].
	Fields []StoredField `json:"fields,omitempty"`
	// EntryField is the field of a stream's entries that holds the value.
	EntryField string `json:"entry_field,omitempty"`
	// FieldTTL is the TTL of each field, in seconds, or 0 if there is none.
	FieldTTL float64 `json:"field_ttl,omitempty"`
}

// StoredForm is a form in which a value may be stored.
type StoredForm struct {
	// Codec is the name of the codec. For the counters it is "decimal".
	Codec string `json:"codec"`
	// Version is the version of a [codec.Versioned] value, or 0 if the value has none.
	Version int `json:"version,omitempty"`
	// Upcoming reports whether the form is read but not yet written.
	Upcoming bool `json:"upcoming,omitempty"`
	// Shape is the shape of the Go type as the codec sees it, or nil if the codec is no
	// [codec.Shaper].
	Shape *codec.Shape `json:"shape,omitempty"`
}

// StoredField is a field of a struct that is stored as a field of a hash or of an entry.
type StoredField struct {
	Name string `json:"name"`
	// Was holds the former names of the field, newest first.
	Was []string `json:"was,omitempty"`
	// Secret reports whether the value is encrypted.
	Secret bool         `json:"secret,omitempty"`
	Forms  []StoredForm `json:"forms"`
}

// storedForm describes the form in which a key is stored, or returns nil for a channel.
func storedForm(m *mounted) *StoredDescription {
	d := &StoredDescription{Type: typeOf(m), FieldTTL: m.def.config.fieldTTL.Seconds()}
	fields, _ := m.bound.(interface{ fieldsOf() *recordFields })
	switch {
	case m.def.kind == KindChannel:
		return nil
	case m.def.kind == KindCounter:
		d.Forms = []StoredForm{{Codec: "decimal", Shape: &codec.Shape{Kind: m.def.typ.Kind().String()}}}
	case m.def.typ == nil:
	case fields != nil && fields.fieldsOf() != nil:
		for _, f := range fields.fieldsOf().fields {
			d.Fields = append(d.Fields, StoredField{f.name, f.was, f.secret, formsOf(m, f.typ)})
		}
	default:
		d.Forms = formsOf(m, m.def.typ)
	}
	if m.def.kind == KindStream && d.Fields == nil {
		if d.EntryField = m.def.config.entryField; d.EntryField == "" {
			d.EntryField = defaultEntryField
		}
	}
	return d
}

// formsOf returns the forms in which the codec of a key may have stored values of type t.
func formsOf(m *mounted, t reflect.Type) []StoredForm {
	versions := codec.Versions(m.settings.codec)
	if versions == nil {
		versions = []codec.Version{{Codec: m.settings.codec}}
	}
	forms := make([]StoredForm, len(versions))
	for i, v := range versions {
		forms[i] = StoredForm{Codec: v.Codec.Name(), Version: v.Number, Upcoming: v.Upcoming}
		if shape, err := codec.ShapeOf(v.Codec, t); err == nil {
			forms[i].Shape = &shape
		}
	}
	return forms
}
