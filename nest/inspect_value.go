package nest

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/redis/rueidis"
)

// shower is implemented by what is bound to a key whose values, or elements, can be shown.
type shower interface {
	// show decodes a value or an element.
	show(m *mounted, text string) (any, error)
}

// fieldShower is implemented by what is bound to a key whose fields have types of their own.
type fieldShower interface {
	// showField decodes a field. It reports false for a field that is not declared.
	showField(m *mounted, name, text string) (any, bool, error)
}

// readsValue is how the value of a Redis type is read.
var readsValue = map[string][]string{
	"string": {"GET"}, "list": {"LRANGE", "0", "-1"}, "hash": {"HGETALL"}, "set": {"SMEMBERS"},
	"zset": {"ZRANGE", "0", "-1", "WITHSCORES"}, "stream": {"XRANGE", "-", "+"},
}

// values reads the values that are short enough, checks them, and shows those that may be seen.
func (x *inspector) values(ctx context.Context, keys []*looked) error {
	if err := x.ask(ctx, keys, question{func(k *looked) []string {
		// An element takes a byte at least, so that the server looks at no more than are read.
		if k.Type == "string" || readsValue[k.Type] == nil || !k.legible() || k.Len > x.options.maxValue {
			return nil
		}
		return []string{"MEMORY", "USAGE", "SAMPLES", "0"}
	}, func(k *looked, a rueidis.RedisMessage, err error) error {
		switch {
		case rueidis.IsRedisNil(err):
			k.gone = true
			return nil
		case unknownHere(err): // what is known is how many elements there are
			return nil
		}
		k.size, err = answeredInt(a, err)
		return err
	}}); err != nil {
		return err
	}
	var part []*looked
	bytes := int64(0)
	read := func() error {
		err := x.ask(ctx, part, question{func(k *looked) []string { return readsValue[k.Type] }, func(k *looked, a rueidis.RedisMessage, err error) error {
			if retyped(err) {
				k.gone = rueidis.IsRedisNil(err)
				return nil
			}
			if err == nil {
				err = k.examine(a)
			}
			return err
		}})
		part, bytes = part[:0], 0
		return err
	}
	for _, k := range keys {
		if k.gone || readsValue[k.Type] == nil || !k.legible() || k.size > x.options.maxValue {
			continue
		}
		if bytes += k.size; bytes > maxSweepBytes && len(part) > 0 {
			if err := read(); err != nil {
				return err
			}
			bytes = k.size
		}
		part = append(part, k)
	}
	return read()
}

// legible reports whether the value can be read by anybody else than this package.
func (k *looked) legible() bool {
	if k.at == nil {
		_, _, companion := k.Companion()
		return !companion
	}
	return k.at.def.kind != KindLock && k.at.def.kind != KindLimiter && k.at.def.kind != KindHyperLogLog
}

// sensitive reports whether the value is not to be shown, whatever it is.
func (k *looked) sensitive() bool {
	if k.at == nil {
		return k.above != nil && k.above.settings.sensitive
	}
	_, whole := k.at.bound.(sealed)
	return k.at.settings.sensitive || whole || k.at.seals() && k.Type != "hash"
}

// examine checks a value, and shows it if it may be seen.
func (k *looked) examine(a rueidis.RedisMessage) error {
	e := examination{looked: k}
	if k.at != nil && k.Type == typeOf(k.at) {
		e.shower, _ = k.at.bound.(shower)
		e.fields, _ = k.at.bound.(fieldShower)
		if k.Type == "hash" || k.Type == "stream" {
			e.secrets = secretsOf(k.at)
		}
	}
	value, err := e.value(a)
	if err != nil {
		return errAnswer
	}
	if !k.sensitive() && !e.hidden {
		k.Value = value
	}
	return nil
}

// examination is the check of one value.
type examination struct {
	*looked
	shower  shower      // nil if the elements are shown as they are stored
	fields  fieldShower // nil if the fields have no types of their own
	secrets *secretFields
	hidden  bool // the whole value is not to be shown
}

// value returns the value as JSON.
func (e *examination) value(a rueidis.RedisMessage) (json.RawMessage, error) {
	switch e.Type {
	case "string":
		text, err := a.ToString()
		if err != nil {
			return nil, err
		}
		return e.text(text), nil
	case "hash":
		fields, err := a.AsStrMap()
		if err != nil {
			return nil, err
		}
		return marshaled(e.object(fields)), nil
	case "list", "set":
		texts, err := a.AsStrSlice()
		if err != nil {
			return nil, err
		}
		list := make([]json.RawMessage, len(texts))
		for i, text := range texts {
			list[i] = e.element("element "+strconv.Itoa(i), text)
		}
		return marshaled(list), nil
	case "zset":
		return e.scored(a)
	}
	entries, err := rawEntries(a)
	if err != nil {
		return nil, err
	}
	type entry struct {
		ID     string                     `json:"id"`
		Fields map[string]json.RawMessage `json:"fields"`
	}
	list := make([]entry, 0, len(entries))
	for _, raw := range entries {
		fields := make(map[string]string, len(raw.fields)/2)
		for i := 0; i+1 < len(raw.fields); i += 2 {
			fields[raw.fields[i]] = raw.fields[i+1]
		}
		list = append(list, entry{raw.id, e.object(fields)})
	}
	return marshaled(list), nil
}

// text returns a string value as JSON.
func (e *examination) text(text string) json.RawMessage {
	if at, ok := e.sealed(); ok {
		if plaintext, opened := e.open(at, "", text); opened && e.shower != nil {
			e.element("", plaintext)
		}
		return nil
	}
	if e.at == nil {
		if s := e.above.tree.options.sealer; s != nil {
			_, e.hidden = s.KeyID(bytesOf(text)) // it was a secret once
		}
	}
	return e.element("", text)
}

// sealed returns what opens the key's string, if that is to be sealed.
func (e *examination) sealed() (sealed, bool) {
	if e.at == nil || e.Type != typeOf(e.at) {
		return nil, false
	}
	at, ok := e.at.bound.(sealed)
	return at, ok && e.at.tree.options.sealer != nil
}

// open opens a sealed text, and reports whether it did.
func (e *examination) open(at sealed, field, stored string) (string, bool) {
	where := ""
	if field != "" {
		where = "a secret field "
	}
	if _, ok := e.at.tree.options.sealer.KeyID(bytesOf(stored)); !ok {
		e.once(Unsealed, where+"is not sealed")
		return "", false
	}
	plaintext, err := at.open(e.key, field, stored)
	if err != nil {
		e.once(Undecodable, where+err.Error())
		return "", false
	}
	return plaintext, true
}

// once notes a problem, unless one of its kind is noted already.
func (e *examination) once(kind ProblemKind, text string) {
	if !slices.ContainsFunc(e.Problems, func(p Problem) bool { return p.Kind == kind }) {
		e.problem(kind, text)
	}
}

// retiredVersion is in the errors of package codec about a value of a retired version.
const retiredVersion = "this version is retired"

// unreadable notes a value that cannot be decoded.
func (e *examination) unreadable(where string, err error) {
	text := err.Error()
	if where != "" {
		text = where + ": " + text
	}
	if strings.Contains(text, retiredVersion) {
		e.once(RetiredVersion, text)
	} else {
		e.once(Undecodable, text)
	}
}

// element returns an element as JSON: as what it is declared, or as it is stored.
func (e *examination) element(where, text string) json.RawMessage {
	if e.shower != nil {
		v, err := e.shower.show(e.at, text)
		if err != nil {
			e.unreadable(where, err)
		} else if shown := shownAs(v); shown != nil {
			return shown
		}
	}
	return jsonText(text)
}

// object returns fields as JSON. The value of a secret field is null.
func (e *examination) object(fields map[string]string) map[string]json.RawMessage {
	object := make(map[string]json.RawMessage, len(fields))
	for name, text := range fields {
		secret := e.secrets.covers(name)
		if secret {
			var opened bool
			if text, opened = e.open(e.secrets, name, text); !opened {
				object[name] = nil
				continue
			}
		}
		var shown json.RawMessage
		if e.fields == nil {
			shown = e.element("", text)
		} else if v, declared, err := e.fields.showField(e.at, name, text); err != nil {
			e.unreadable("", err)
			shown = jsonText(text)
		} else if declared {
			shown = shownAs(v)
		}
		if shown == nil {
			shown = jsonText(text)
		}
		if secret {
			shown = nil
		}
		object[name] = shown
	}
	return object
}

// scored returns the members of a sorted set with their scores, or those of a geo key with their
// positions.
func (e *examination) scored(a rueidis.RedisMessage) (json.RawMessage, error) {
	scores, err := a.AsZScores()
	if err != nil {
		return nil, err
	}
	type member struct {
		Member    json.RawMessage `json:"member"`
		Score     any             `json:"score,omitempty"`
		Longitude *float64        `json:"longitude,omitempty"`
		Latitude  *float64        `json:"latitude,omitempty"`
	}
	list := make([]member, len(scores))
	for i, s := range scores {
		list[i].Member = e.element("member "+strconv.Itoa(i), s.Member)
		if e.at != nil && e.at.def.kind == KindGeo {
			at := pointOf(s.Score)
			list[i].Longitude, list[i].Latitude = &at.Longitude, &at.Latitude
		} else if list[i].Score = s.Score; s.Score-s.Score != 0 { // JSON has no infinity
			list[i].Score = strconv.FormatFloat(s.Score, 'g', -1, 64)
		}
	}
	return marshaled(list), nil
}

// shownAs returns a decoded value as JSON, or nil if it has no such form.
func shownAs(v any) json.RawMessage {
	if text, ok := v.(string); ok {
		return jsonText(text)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return data
}

// jsonText returns a text as JSON.
func jsonText(text string) json.RawMessage {
	if utf8.ValidString(text) {
		return marshaled(text)
	}
	return marshaled(struct {
		Base64 []byte `json:"base64"`
	}{[]byte(text)})
}

// marshaled returns what always has a form in JSON.
func marshaled(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return data
}

func (v *value[T]) show(m *mounted, text string) (any, error) {
	t, err := v.typed.Decode(text)
	if err != nil {
		return nil, decodeError(m, err)
	}
	return t, nil
}

func (e *elements[T]) show(m *mounted, text string) (any, error) { return e.decodeText(m, text) }

func (c *counter[N]) show(_ *mounted, text string) (any, error) { return c.parse(text) }

func (r *record[S]) showField(m *mounted, name, text string) (any, bool, error) {
	var s S
	return showField(m, r.recordFields, r.bound, reflect.ValueOf(&s).Elem(), name, text)
}

func (s *stream[T]) showField(m *mounted, name, text string) (any, bool, error) {
	if s.fields == nil {
		if name != s.field {
			return nil, false, nil
		}
		v, err := s.show(m, text)
		return v, true, err
	}
	var v T
	return showField(m, s.fields, s.bound, reflect.ValueOf(&v).Elem(), name, text)
}

// showField decodes a field of a struct into record, which is one.
func showField(m *mounted, fields *recordFields, bound []boundField, record reflect.Value, name, text string) (any, bool, error) {
	place, ok := fields.places[name]
	if !ok {
		return nil, false, nil
	}
	f := &bound[place.field]
	if err := f.decode(m, record, text); err != nil {
		return nil, true, err
	}
	v := record.FieldByIndex(f.index)
	if f.pointer {
		v = v.Elem()
	}
	return v.Interface(), true, nil
}
