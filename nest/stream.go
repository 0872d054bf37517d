package nest

import (
	"context"
	"errors"
	"reflect"

	"github.com/redis/rueidis"
)

// StreamDef declares a key that holds entries of type T in the order in which they were added,
// as a Redis stream.
type StreamDef[T any] struct {
	Declaration
}

// Stream declares a key that holds a log of Ts. Each entry has an ID such as "1526919030474-55",
// which says when the entry was added and determines its place.
//
// An entry holds its T, encoded by the key's codec, in one field named "value". [EntryField] names
// another field. With [EntryPerField] each field of a struct T is a field of the entry, as in
// [Record], but none can be "secret": entries are not encrypted. Other fields of an entry are not
// read.
//
// Streams grow until they are trimmed. [KeepLast] or [KeepFrom] as an option of Stream trims with
// every [StreamRef.Add]. A new stream gets the declared TTL; a TTL that is already running is left
// alone. With AutoRenew every use restarts it. A stream has no [Default], since nothing reads it
// whole.
//
// Stream panics, with the file and line of the call, on a malformed template or option.
func Stream[T any](template string, opts ...KeyOption) *StreamDef[T] {
	d := &StreamDef[T]{}
	where := caller()
	typ := reflect.TypeFor[T]()
	constructor := d.declareFor(typ, d, KindStream, "Stream", template, where, opts)
	if d.config.hasDefault {
		where.refuse(constructor, template, errors.New("a stream has no default: nothing reads it whole"))
	}
	var fields *recordFields
	if d.config.entryPerField {
		var err error
		if d.config.entryField != "" {
			where.refuse(constructor, template, errors.New("EntryField and EntryPerField exclude each other: a value is in one field or in several"))
		}
		if fields, err = compileRecord(typ); err == nil {
			err = fields.refuseSecrets()
		}
		if err != nil {
			where.refuse(constructor, template, err)
		}
	}
	d.bind = func(m *mounted) (any, error) { return bindStream[T](m, fields) }
	return d
}

// At returns the reference of the key below s; see [KeyDef.At] for args.
func (d *StreamDef[T]) At(s Scope, args ...any) StreamRef[T] {
	if d == nil {
		return StreamRef[T]{nilRef(s)}
	}
	return StreamRef[T]{d.ref(&s, args)}
}

// StreamRef is one stream, with all its parameters filled in.
type StreamRef[T any] struct {
	Ref
}

// EntryField sets the name of the field of a stream's entries that holds the encoded value. The
// default is "value".
func EntryField(name string) KeyOption {
	return keyOption(func(c *config) error {
		if name == "" {
			return errors.New("EntryField: the name is empty")
		}
		if c.entryField != "" {
			return errors.New("EntryField is given twice")
		}
		c.entryField = name
		c.onlyFor("EntryField", KindStream)
		return nil
	})
}

// EntryPerField stores each field of a stream's struct as a field of the entry, named and encoded
// as by [Record]. The default is one field for the whole value.
func EntryPerField() KeyOption {
	return keyOption(func(c *config) error {
		c.entryPerField = true
		c.onlyFor("EntryPerField", KindStream)
		return nil
	})
}

// Add appends a value and returns the entry's ID (XADD). The server makes the ID from its time
// unless [WithID] sets another one. The stream is trimmed as the declaration or an option says.
// With [IfExists] a stream that does not exist is not created.
func (r StreamRef[T]) Add(ctx context.Context, v T, opts ...EntryOption) (string, error) {
	return call(ctx, r.at, func() command[string] { return r.add(&v, opts) })
}

func (r StreamRef[T]) add(v *T, opts []EntryOption) command[string] {
	o := entryOptions{id: "*", trim: r.at.m.def.config.trim}
	if err := eachOption(opts, func(opt EntryOption) error { return opt.applyEntry(&o) }); err != nil {
		return refuse(&opStreamAdd, err)
	}
	args := make([]string, 0, 8)
	if o.ifExists {
		args = append(args, "NOMKSTREAM")
	}
	args = append(append(args, o.trim.args()...), o.id)
	args, err := r.stream().encodeEntry(r.at.m, args, v)
	if err != nil {
		return refuse(&opStreamAdd, err)
	}
	return command[string]{op: &opStreamAdd, cmd: r.at.write("XADD", args...)}
}

// Len returns the number of entries, 0 when the key does not exist (XLEN).
func (r StreamRef[T]) Len(ctx context.Context) (int64, error) { return call(ctx, r.at, r.length) }

func (r StreamRef[T]) length() command[int64] {
	return command[int64]{op: &opStreamLen, cmd: r.at.read("XLEN"), cacheable: true}
}

// Trim removes the oldest entries and returns how many it removed (XTRIM):
//
//	n, err := events.Trim(ctx, nest.KeepLast(1000).Approx())
func (r StreamRef[T]) Trim(ctx context.Context, to TrimOption) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.trim(to) })
}

func (r StreamRef[T]) trim(to TrimOption) command[int64] {
	args := to.args()
	switch {
	case to.err != nil:
		return refuse(&opStreamTrim, to.err)
	case args == nil:
		return refuse(&opStreamTrim, because(ErrArgument, "the zero TrimOption says nothing: use KeepLast or KeepFrom"))
	}
	return command[int64]{op: &opStreamTrim, cmd: r.at.modify("XTRIM", args...)}
}

// DeleteEntries removes entries and returns how many of them existed (XDEL). Even if they were the
// last ones, the stream remains, empty.
func (r StreamRef[T]) DeleteEntries(ctx context.Context, ids ...string) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.deleteEntries(ids) })
}

func (r StreamRef[T]) deleteEntries(ids []string) command[int64] {
	if len(ids) == 0 {
		return skip(&opDeleteEntries)
	}
	if err := checkIDs(ids); err != nil {
		return refuse(&opDeleteEntries, err)
	}
	return command[int64]{op: &opDeleteEntries, cmd: r.at.modifyMany("XDEL", joinSum, nil, ids)}
}

// SetLastID sets the ID that the next entry's ID must exceed (XSETID). It serves to fill a stream
// from a copy, for example, when the copy knows of entries that are gone by now. The ID cannot be
// less than that of the newest entry. The error wraps [ErrNotFound] when the stream does not exist,
// and [ErrArgument] when the ID is too small.
func (r StreamRef[T]) SetLastID(ctx context.Context, id string) error {
	_, err := call(ctx, r.at, func() command[struct{}] { return r.setLastID(id) })
	return err
}

func (r StreamRef[T]) setLastID(id string) command[struct{}] {
	if _, err := parseID(id); err != nil {
		return refuse(&opSetLastID, err)
	}
	return command[struct{}]{op: &opSetLastID, cmd: r.at.modify("XSETID", id)}
}

// Rename moves the stream, with its groups and remaining TTL, to another key of the same type
// (RENAMENX or RENAME). See [KeyRef.Rename] for what happens to an existing target and to the TTL.
func (r StreamRef[T]) Rename(ctx context.Context, to StreamRef[T], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opRename, to.at, opts) })
}

// Copy copies the stream, with its groups and remaining TTL, to another key of the same type (COPY,
// Redis 6.2). See [KeyRef.Copy] for what happens to an existing target and to the TTL.
func (r StreamRef[T]) Copy(ctx context.Context, to StreamRef[T], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opCopy, to.at, opts) })
}

var (
	opStreamAdd     = operation[string]{"add", replyID}
	opStreamLen     = operation[int64]{"len", replyInt}
	opSetLastID     = operation[struct{}]{"set last id", replyNone}
	opStreamTrim    = operation[int64]{"trim", replyInt}
	opDeleteEntries = operation[int64]{"delete entries", replyInt}
)

// replyID reads the ID of a new entry. A nil answer means that the stream does not exist and was
// not to be created.
func replyID(_ *mounted, a rueidis.RedisMessage) (string, error) {
	if a.IsNil() {
		return "", ErrNotFound
	}
	id, err := a.ToString()
	if err != nil {
		return "", errAnswer
	}
	return id, nil
}
