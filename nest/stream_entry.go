package nest

import (
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// Entry is one entry of a stream.
type Entry[T any] struct {
	ID    string
	Value T
}

// Time returns when the entry was added, according to its ID, to the millisecond.
func (e Entry[T]) Time() time.Time {
	id, err := parseID(e.ID)
	if err != nil || id.ms > math.MaxInt64 {
		return time.Time{}
	}
	return time.UnixMilli(int64(id.ms))
}

// IDAt returns the least ID of entries that were added at t or later, for use as a bound of ranges
// and with [KeepFrom]. For a time before 1970 it returns 0-0, and for a time after the year 9999
// the ID of the end of that year.
func IDAt(t time.Time) string {
	switch s := t.Unix(); {
	case s < 0:
		t = time.Unix(0, 0)
	case s > lastSecond:
		t = time.Unix(lastSecond+1, 0)
	}
	return strconv.FormatInt(t.UnixMilli(), 10) + "-0"
}

// NewEntries stands for the end of a stream. [StreamRef.Read] and groups that begin there see only
// entries that are added later.
const NewEntries = "$"

// entryID is the place of an entry in its stream.
type entryID struct{ ms, seq uint64 }

var errID = because(ErrArgument, `an ID is milliseconds and a number: "1526919030474-55"`)

func parseID(text string) (entryID, error) {
	ms, seq, hasSeq := strings.Cut(text, "-")
	if !hasSeq {
		seq = "0"
	}
	var id entryID
	var err, err2 error
	id.ms, err = strconv.ParseUint(ms, 10, 64)
	id.seq, err2 = strconv.ParseUint(seq, 10, 64)
	if err != nil || err2 != nil || ms[0] == '+' || seq[0] == '+' {
		return id, errID
	}
	return id, nil
}

func checkIDs(ids []string) error {
	for _, id := range ids {
		if _, err := parseID(id); err != nil {
			return err
		}
	}
	return nil
}

// bounds checks the ends of a range and returns them as Redis reads them. "" stands for the
// stream's own.
func bounds(from, to string) (string, string, error) {
	if from == "" || from == "-" {
		from = "-"
	} else if _, err := parseID(from); err != nil {
		return "", "", err
	}
	if to == "" || to == "+" {
		to = "+"
	} else if _, err := parseID(to); err != nil {
		return "", "", err
	}
	return from, to, nil
}

func (id entryID) String() string {
	return strconv.FormatUint(id.ms, 10) + "-" + strconv.FormatUint(id.seq, 10)
}

// next returns the ID after id, and false after the last one.
func (id entryID) next() (entryID, bool) {
	switch {
	case id.seq < math.MaxUint64:
		return entryID{id.ms, id.seq + 1}, true
	case id.ms < math.MaxUint64:
		return entryID{id.ms + 1, 0}, true
	}
	return id, false
}

// previous returns the ID before id, and false before the first one.
func (id entryID) previous() (entryID, bool) {
	switch {
	case id.seq > 0:
		return entryID{id.ms, id.seq - 1}, true
	case id.ms > 0:
		return entryID{id.ms - 1, math.MaxUint64}, true
	}
	return id, false
}

// stream is what Open prepares for a key that holds entries.
type stream[T any] struct {
	elements[T]
	field  string        // the one that holds the value; or:
	fields *recordFields // the fields of the struct
	bound  []boundField

	entries, reversed, read operation[[]Entry[T]]
	readGroup, readPending  operation[[]Entry[T]]
	claim                   operation[[]Entry[T]]
	autoClaim               operation[Claimed[T]]
	lookup                  operation[found[T]]
}

// defaultEntryField is the field of an entry that holds the value, unless [EntryField] names one.
const defaultEntryField = "value"

func bindStream[T any](m *mounted, fields *recordFields) (any, error) {
	s := &stream[T]{
		field:       m.def.config.entryField,
		fields:      fields,
		entries:     operation[[]Entry[T]]{"entries", replyEntries[T]},
		reversed:    operation[[]Entry[T]]{"reversed entries", replyEntries[T]},
		read:        operation[[]Entry[T]]{"read", replyRead[T]},
		readGroup:   operation[[]Entry[T]]{"read group", replyRead[T]},
		readPending: operation[[]Entry[T]]{"read pending", replyRead[T]},
		claim:       operation[[]Entry[T]]{"claim", replyEntries[T]},
		autoClaim:   operation[Claimed[T]]{"auto claim", replyClaimed[T]},
		lookup:      operation[found[T]]{"lookup", replyEntry[T]},
	}
	if s.field == "" {
		s.field = defaultEntryField
	}
	if fields == nil {
		var err error
		s.elements, err = bindElements[T](m, nil, false)
		return s, err
	}
	for i := range fields.fields {
		f, err := bindField(&fields.fields[i], m.settings.codec)
		if err != nil {
			return nil, err
		}
		s.bound = append(s.bound, f)
	}
	return s, nil
}

// fieldsOf returns the fields of the entries, or nil if a value is in one field.
func (s *stream[T]) fieldsOf() *recordFields { return s.fields }

func (r StreamRef[T]) stream() *stream[T] { return r.at.m.bound.(*stream[T]) }

// encodeEntry appends the fields of an entry to dst.
func (s *stream[T]) encodeEntry(m *mounted, dst []string, v *T) ([]string, error) {
	if s.fields == nil {
		text, err := s.encode(m, *v)
		return append(dst, s.field, text), err
	}
	return encodeFields(m, s.bound, dst, reflect.ValueOf(v).Elem())
}

// encodeFields appends the names and the values of the fields of a struct to dst.
func encodeFields(m *mounted, fields []boundField, dst []string, v reflect.Value) ([]string, error) {
	before := len(dst)
	for i := range fields {
		text, ok, err := fields[i].encode(m, v)
		if err != nil {
			return nil, err
		}
		if ok {
			dst = append(dst, fields[i].name, text)
		}
	}
	if len(dst) == before {
		return nil, because(ErrEncode, "all fields are nil or zero, and an entry needs one")
	}
	return dst, nil
}

// rawEntry is an entry that is not yet decoded.
type rawEntry struct {
	id     string
	fields []string // names and values alternately
	gone   bool     // it was removed while it was pending
}

// decodeEntry reads the fields that belong to the value.
func (s *stream[T]) decodeEntry(m *mounted, e rawEntry) (v T, err error) {
	if s.fields == nil {
		for i := 0; i+1 < len(e.fields); i += 2 {
			if e.fields[i] == s.field {
				v, err = s.decodeText(m, e.fields[i+1])
				return v, atEntry(e.id, err)
			}
		}
		return v, atEntry(e.id, because(ErrDecode, `it has no field "`+names.Printable(s.field)+`"`))
	}
	if err := s.fields.decodeEntry(m, s.bound, reflect.ValueOf(&v).Elem(), e); err != nil {
		var zero T
		return zero, atEntry(e.id, err)
	}
	return v, nil
}

// decodeEntry reads the fields of an entry into a struct.
func (r *recordFields) decodeEntry(m *mounted, fields []boundField, record reflect.Value, e rawEntry) error {
	texts := make([]found[string], len(fields))
	ages := make([]int, len(fields))
	for i := 0; i+1 < len(e.fields); i += 2 {
		p, ok := r.places[e.fields[i]]
		if ok && (!texts[p.field].ok || p.age < ages[p.field]) {
			texts[p.field], ages[p.field] = found[string]{e.fields[i+1], true}, p.age
		}
	}
	for i := range fields {
		if !texts[i].ok {
			fields[i].absent(record)
		} else if err := fields[i].decode(m, record, texts[i].value); err != nil {
			return err
		}
	}
	return nil
}

// entryError says which entry an error is about.
type entryError struct {
	id  string
	err error
}

func (e *entryError) Error() string { return "entry " + names.Printable(e.id) + ": " + e.err.Error() }
func (e *entryError) Unwrap() error { return e.err }

// atEntry adds to an error which entry it is about, unless the error already says so.
func atEntry(id string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*entryError](err); ok && e.id == id {
		return err
	}
	return &entryError{id, err}
}

func (s *stream[T]) decodeEntries(m *mounted, raw []rawEntry) ([]Entry[T], error) {
	entries := make([]Entry[T], 0, len(raw))
	for _, e := range raw {
		if e.gone {
			continue
		}
		v, err := s.decodeEntry(m, e)
		if err != nil {
			return nil, err
		}
		entries = append(entries, Entry[T]{e.id, v})
	}
	return entries, nil
}

// rawEntries reads a list of entries. Each consists of its ID and its fields. The fields are nil
// when the entry was removed while it was pending; before Redis 7.0 the entry itself is nil.
func rawEntries(a rueidis.RedisMessage) ([]rawEntry, error) {
	if a.IsNil() {
		return nil, nil
	}
	answers, err := a.ToArray()
	if err != nil {
		return nil, errAnswer
	}
	entries := make([]rawEntry, 0, len(answers))
	for _, answer := range answers {
		if answer.IsNil() {
			continue
		}
		parts, err := answer.ToArray()
		if err != nil || len(parts) != 2 {
			return nil, errAnswer
		}
		e := rawEntry{gone: parts[1].IsNil()}
		if e.id, err = parts[0].ToString(); err != nil {
			return nil, errAnswer
		}
		if !e.gone {
			if e.fields, err = parts[1].AsStrSlice(); err != nil {
				return nil, errAnswer
			}
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// rawRead reads what XREAD and XREADGROUP return for their one stream.
func rawRead(a rueidis.RedisMessage) ([]rawEntry, error) {
	if a.IsNil() {
		return nil, nil
	}
	if a.IsMap() {
		streams, err := a.AsMap()
		if err != nil {
			return nil, errAnswer
		}
		for _, entries := range streams {
			return rawEntries(entries)
		}
		return nil, nil
	}
	streams, err := a.ToArray()
	if err != nil || len(streams) == 0 {
		return nil, err
	}
	parts, err := streams[0].ToArray()
	if err != nil || len(parts) != 2 {
		return nil, errAnswer
	}
	return rawEntries(parts[1])
}

func replyEntries[T any](m *mounted, a rueidis.RedisMessage) ([]Entry[T], error) {
	raw, err := rawEntries(a)
	if err != nil {
		return nil, err
	}
	return m.bound.(*stream[T]).decodeEntries(m, raw)
}

func replyRead[T any](m *mounted, a rueidis.RedisMessage) ([]Entry[T], error) {
	raw, err := rawRead(a)
	if err != nil {
		return nil, err
	}
	return m.bound.(*stream[T]).decodeEntries(m, raw)
}

func replyEntry[T any](m *mounted, a rueidis.RedisMessage) (found[T], error) {
	entries, err := replyEntries[T](m, a)
	if err != nil || len(entries) == 0 {
		return found[T]{}, err
	}
	return found[T]{entries[0].Value, true}, nil
}
