package names

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
)

var timeType = reflect.TypeFor[time.Time]()

// isTime reports whether values of t are times under a name, which a layout can write.
func isTime(t reflect.Type) bool { return t.Kind() == reflect.Struct && t.ConvertibleTo(timeType) }

// moment is an instant whose text shows whether it is that of a time.Time.
var moment = time.Date(2026, time.November, 29, 13, 40, 22, 16990883, time.UTC)

// needsLayout reports whether T is a type of time without a text form of its own: its text is that
// of a time.Time, with the nanosecond and the zone, or it has none.
func needsLayout[T any](s *Spec) bool {
	t := s.Type
	if isTime(t) && !(marshalsText(t) && unmarshalsText[T]()) {
		return true
	}
	if t.Kind() != reflect.Struct || s.Class != TextClass {
		return false
	}
	v := reflect.New(t).Elem()
	switch {
	case isTime(t):
		v.Set(reflect.ValueOf(moment).Convert(t))
	case !embedsTime(v):
		return false
	}
	text, err := s.text(v)
	usual, _ := moment.MarshalText()
	return err == nil && string(text) == string(usual)
}

// embedsTime sets the time that v embeds to moment, and reports whether there is one.
func embedsTime(v reflect.Value) bool {
	for field, at := range v.Fields() {
		if field.Anonymous && field.Type == timeType && at.CanSet() {
			at.Set(reflect.ValueOf(moment))
			return true
		}
	}
	return false
}

func unmarshalsText[T any]() bool {
	_, ok := any(new(T)).(encoding.TextUnmarshaler)
	return ok
}

// layOut makes s write its times in UTC and in the layout, and returns the parser.
func layOut[T any](s *Spec, layout string) (func(text string) (T, error), error) {
	if !isTime(s.Type) {
		return nil, fmt.Errorf("the option Layout is for times, and %s is none", Article(s.Type.String()))
	}
	if err := checkLayout(layout); err != nil {
		return nil, err
	}
	s.Layout, s.Class = layout, TextClass
	s.textOf = func(v reflect.Value) ([]byte, error) {
		return timeText(v.Convert(timeType).Interface().(time.Time), layout), nil
	}
	parse := func(text string) (v T, err error) {
		t, err := time.ParseInLocation(layout, text, time.UTC)
		if err == nil {
			reflect.ValueOf(&v).Elem().Set(reflect.ValueOf(t.UTC()).Convert(s.Type))
		}
		return v, err
	}
	s.canonical = func(text string) bool {
		t, err := time.ParseInLocation(layout, text, time.UTC)
		return err == nil && string(timeText(t, layout)) == text
	}
	return parse, nil
}

// timeText returns the text of a time in UTC.
func timeText(t time.Time, layout string) []byte { return t.UTC().AppendFormat(nil, layout) }

// checkLayout returns an error unless times written in the layout are read back as they were
// written.
func checkLayout(layout string) error {
	if layout == "" {
		return errors.New(`Layout(""): the layout is empty`)
	}
	texts := make(map[string]bool)
	for i := range 60 {
		t := moment.AddDate(i%7, 5*i, 11*i).Add(time.Duration(i) * (time.Hour + time.Minute + time.Second + time.Nanosecond))
		text := string(timeText(t, layout))
		if strings.TrimSpace(text) == "" {
			return fmt.Errorf("Layout(%q): writes times as nothing", layout)
		}
		back, err := time.ParseInLocation(layout, text, time.UTC)
		if err != nil {
			return fmt.Errorf("Layout(%q): writes a time as %q, which it does not read", layout, text)
		}
		if again := string(timeText(back, layout)); again != text {
			return fmt.Errorf("Layout(%q): writes a time as %q and reads that as %q: it leaves out what the text depends on", layout, text, again)
		}
		texts[text] = true
	}
	if len(texts) == 1 {
		return fmt.Errorf("Layout(%q): writes every time alike, it has no element such as 2006 or 01", layout)
	}
	return nil
}

// readsBack returns an error if T's text is read as another value, as far as a few values show it.
func readsBack[T any](s *Spec, parse func(string) (T, error)) (err error) {
	defer func() {
		if recover() != nil { // the type's own methods need not expect such values
			err = nil
		}
	}()
	unread := 0
	samples := samplesOf(s.Type)
	for _, v := range samples {
		text, err := s.text(v)
		if err != nil || len(text) == 0 {
			continue // no value for a name
		}
		back, err := parse(string(text))
		if err != nil {
			unread++
			continue
		}
		if again, err := s.text(reflect.ValueOf(back)); err == nil && string(again) != string(text) {
			return fmt.Errorf("%s cannot be a parameter: its UnmarshalText reads %q, which its MarshalText writes, as the value of %q", s.Type, text, again)
		}
	}
	if unread > 1 && unread == len(samples) {
		return fmt.Errorf("%s cannot be a parameter: its UnmarshalText does not read what its MarshalText writes", s.Type)
	}
	return nil
}

// samplesOf returns a few values of a type.
func samplesOf(t reflect.Type) []reflect.Value {
	samples := []reflect.Value{reflect.Zero(t)}
	sample := reflect.New(t).Elem()
	switch kind := t.Kind(); {
	case kind == reflect.String:
		sample.SetString("a")
	case reflect.Int <= kind && kind <= reflect.Int64:
		sample.SetInt(1)
	case reflect.Uint <= kind && kind <= reflect.Uint64:
		sample.SetUint(1)
	case kind == reflect.Array && t.Elem().Kind() == reflect.Uint8:
		for i := range sample.Len() {
			sample.Index(i).SetUint(uint64(i + 1))
		}
	default:
		return samples
	}
	return append(samples, sample)
}
