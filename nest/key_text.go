package nest

import (
	"context"
	"reflect"
	"strconv"

	"github.com/redisimnest/redisimnest/codec"
)

// The operations of this file work on a part of a value, by its stored bytes. Those that write
// or give a part need a T that is stored as the bytes that it is: a string or a []byte, with a
// codec that leaves these alone.

var (
	opStrLenValue = operation[int64]{"str len", replyInt}
	opAppend      = operation[int64]{"append", replyInt}
	opSetRange    = operation[int64]{"set range", replyInt}
)

// maxText is how many bytes a Redis string can hold, as a server is set up by default.
const maxText = 512 << 20

func (r KeyRef[T]) strLen() command[int64] {
	return command[int64]{op: &opStrLenValue, cmd: r.at.read("STRLEN")}
}

// StrLen is how many bytes the encoded value takes, 0 when the key does not exist (STRLEN).
func (r KeyRef[T]) StrLen(ctx context.Context) (int64, error) { return call(ctx, r.at, r.strLen) }

// Append puts v at the end of the value, which is empty before it exists, and gives the new length
// in bytes (APPEND). A new key gets the declared TTL, a running one goes on; AutoRenew restarts it.
// Nothing is sent for an empty v, and the result is 0. The error wraps [ErrArgument] when a T is
// not stored as the bytes that it is.
func (r KeyRef[T]) Append(ctx context.Context, v T) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.append(v) })
}

func (r KeyRef[T]) append(v T) command[int64] {
	text, err := r.part(v)
	switch {
	case err != nil:
		return refuse(&opAppend, err)
	case text == "":
		return skip(&opAppend)
	}
	return command[int64]{op: &opAppend, cmd: r.at.write("APPEND", text)}
}

// GetRange gives the bytes of the value from first to last, both included; negative ends count
// from the end of the value. What lies outside of it is left out, and so the result may be empty,
// as it is when the key does not exist: the default is not used (GETRANGE). The error wraps
// [ErrArgument] when a T is not stored as the bytes that it is.
func (r KeyRef[T]) GetRange(ctx context.Context, first, last int64) (T, error) {
	return call(ctx, r.at, func() command[T] { return r.getRange(first, last) })
}

func (r KeyRef[T]) getRange(first, last int64) command[T] {
	op := &r.value().span
	if !r.value().plain {
		return refuse(op, r.notPlain())
	}
	return command[T]{op: op, cmd: r.at.read("GETRANGE", strconv.FormatInt(first, 10), strconv.FormatInt(last, 10))}
}

// SetRange writes v over the value from a byte on, lengthens the value where that is needed, with
// zero bytes up to the offset, and gives the new length in bytes (SETRANGE). A new key gets the
// declared TTL, a running one goes on; AutoRenew restarts it. Nothing is sent for an empty v, and
// the result is 0. The error wraps [ErrArgument] when the offset is negative, or the value would
// be longer than 512 MiB, and when a T is not stored as the bytes that it is.
func (r KeyRef[T]) SetRange(ctx context.Context, offset int64, v T) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.setRange(offset, v) })
}

func (r KeyRef[T]) setRange(offset int64, v T) command[int64] {
	text, err := r.part(v)
	switch {
	case err != nil:
		return refuse(&opSetRange, err)
	case offset < 0 || offset > maxText-int64(len(text)):
		return refuse(&opSetRange, because(ErrArgument, "an offset is not negative, and a value has up to 512 MiB"))
	case text == "":
		return skip(&opSetRange)
	}
	return command[int64]{op: &opSetRange, cmd: r.at.write("SETRANGE", strconv.FormatInt(offset, 10), text)}
}

// part encodes a part of a value.
func (r KeyRef[T]) part(v T) (string, error) {
	if !r.value().plain {
		return "", r.notPlain()
	}
	return r.encode(v)
}

func (r KeyRef[T]) notPlain() error {
	return because(ErrArgument, "codec "+r.at.m.settings.codec.Name()+" does not store "+article(r.at.m.def.goType)+" as the bytes that it is")
}

// plainly tells whether Ts are stored as the bytes that they are.
func plainly[T any](typed codec.Typed[T]) bool {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.String && (t.Kind() != reflect.Slice || t.Elem().Kind() != reflect.Uint8) {
		return false
	}
	// Neither text in JSON, nor bytes in base64 or compressed, nor a value with its type.
	const probe = "a\"\x00\xff"
	var v T
	switch p := any(&v).(type) {
	case *string:
		*p = probe
	case *[]byte:
		*p = []byte(probe)
	default:
		return false // a named type can have an encoding of its own
	}
	text, err := typed.Encode(v)
	return err == nil && text == probe
}
