package keyadmin

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/redisimnest/redisimnest/nest"
)

const (
	// maxForm bounds what a form may send, in bytes.
	maxForm = 64 << 10
	// maxValue bounds what is shown of a value, in bytes.
	maxValue = 64 << 10
	// memorySamples is of how many elements the server looks at the memory, as it does by default:
	// looking at all of them takes a second for ten million.
	memorySamples = 5
)

// keyView is the page of a declaration, with a form for its parameters, and of one of its keys.
type keyView struct {
	frame

	Row    row
	Fields []field
	// Posted reports whether the form is sent with POST: values of sensitive parameters do not
	// belong into addresses, which browsers and proxies keep.
	Posted bool
	// Refused is why there is no key to look up, and Missing reports that it does not exist.
	Refused string
	Missing bool
	Looked  *looked
}

// field is one parameter in the form.
type field struct {
	nest.ParamDescription

	Value string
}

// Hint says what is to be typed.
func (f field) Hint() string {
	switch {
	case f.Layout != "":
		return "a time as " + f.Layout + ", in UTC"
	case f.Type == "":
		return "any text"
	}
	return f.Type
}

// Input is the type of the input element.
func (f field) Input() string {
	if f.Sensitive {
		return "password"
	}
	return "text"
}

// looked is a key that was looked up.
type looked struct {
	Name, Type, Encoding, TTL, Size, Value string

	Len      int64
	Hidden   string // why the value is not shown
	Problems []nest.Problem
	Former   bool
}

// param is what the form calls a parameter, so that none is taken for another part of the form.
func param(name string) string { return "p." + name }

func (s *site) showKey(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		status := http.StatusBadRequest
		if _, long := errors.AsType[*http.MaxBytesError](err); long {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, "The form cannot be read.", status)
		return
	}
	row, ok := s.keys[r.Form.Get("of")]
	if !ok {
		http.Error(w, "Nothing of that name is declared.", http.StatusNotFound)
		return
	}
	v := keyView{frame: s.frame("key"), Row: row}
	for _, p := range row.Params {
		v.Posted = v.Posted || p.Missing && p.Sensitive
	}
	form := r.Form
	if v.Posted {
		form = r.PostForm // what stands in the address is ignored
	}
	values := make(map[string]string)
	for _, p := range row.Params {
		if !p.Missing {
			continue
		}
		f := field{ParamDescription: p}
		if form.Has(param(p.Name)) {
			values[p.Name] = form.Get(param(p.Name))
			if !p.Sensitive {
				f.Value = values[p.Name]
			}
		}
		v.Fields = append(v.Fields, f)
	}
	if row.Kind == nest.KindChannel {
		v.Refused = "A channel holds nothing: its messages are gone once they are delivered."
	} else if form.Has("look") {
		s.look(r, &v, values)
	}
	render(w, "key.html", v)
}

// look looks a key up.
func (s *site) look(r *http.Request, v *keyView, values map[string]string) {
	m, err := v.Row.Match(values)
	if err != nil {
		v.Refused = err.Error()
		return
	}
	var opts []nest.InspectOption
	if s.values {
		opts = append(opts, nest.InspectValue(maxValue))
	}
	found, err := m.Inspect(r.Context(), append(opts, nest.InspectBytes(memorySamples))...)
	measured := err == nil
	if err != nil && !errors.Is(err, nest.ErrNotFound) && !errors.Is(err, nest.ErrAway) {
		found, err = m.Inspect(r.Context(), opts...) // not every server measures memory
	}
	switch {
	case errors.Is(err, nest.ErrNotFound):
		v.Missing = true
		return
	case err != nil:
		v.Refused = err.Error()
		return
	}
	l := &looked{
		Name: found.String(), Type: found.Type, Encoding: found.Encoding, TTL: "never expires", Size: size(found.Bytes),
		Len: found.Len, Problems: found.Problems, Former: found.Former(),
	}
	if !measured {
		l.Size = "the server does not say"
	}
	if found.TTL != nest.Forever {
		l.TTL = shortly(found.TTL)
	}
	switch {
	case !s.values:
		l.Hidden = "Values are not shown here."
	case found.Value == nil:
		l.Hidden = "The value is sealed, sensitive, or larger than what is shown here."
	default:
		l.Value = indented(found.Value)
	}
	v.Looked = l
}

// plainly writes what encoding/json escapes for pages as it is: the page escapes it itself. An
// escaped backslash stands before itself, so that what follows it is no escape.
var plainly = strings.NewReplacer(`\\`, `\\`, `\u003c`, "<", `\u003e`, ">", `\u0026`, "&")

// indented lays JSON out for reading.
func indented(text json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil {
		return string(text)
	}
	return plainly.Replace(b.String())
}

// shortly is a duration as a person writes it: 24h, 23h59m56s.
func shortly(d time.Duration) string {
	if d < time.Minute {
		return d.Round(time.Millisecond).String()
	}
	text := d.Round(time.Second).String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}
