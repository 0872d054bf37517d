package nest

import (
	"context"
	"strconv"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// The operations of this file work on a part of a value, by its stored bytes. Those that write or
// return a part need a T whose bytes are stored as they are: a string or a []byte, with a codec
// that leaves these alone.

var (
	opStrLenValue = operation[int64]{"str len", replyInt}
	opAppend      = operation[int64]{"append", replyInt}
	opSetRange    = operation[int64]{"set range", replyInt}
)

// maxText is how many bytes a Redis string can hold by default.
const maxText = 512 << 20

func (r KeyRef[T]) strLen() command[int64] {
	return command[int64]{op: &opStrLenValue, cmd: r.at.read("STRLEN")}
}

// StrLen returns the length of the encoded value in bytes, 0 when the key does not exist (STRLEN).
func (r KeyRef[T]) StrLen(ctx context.Context) (int64, error) { return call(ctx, r.at, r.strLen) }

// Append appends v to the value, which is empty if it does not exist, and returns the new length in
// bytes (APPEND). A new key gets the declared TTL; a TTL that is already running is left alone,
// unless AutoRenew restarts it. For an empty v nothing is sent, and the result is 0. The error
// wraps [ErrArgument] when the bytes of a T are not stored as they are.
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

// GetRange returns the bytes of the value from first to last, both included (GETRANGE). Negative
// ends count from the end of the value. The part of the range outside of the value is left out, so
// the result may be empty. It is also empty when the key does not exist: the default is not used.
// The error wraps [ErrArgument] when the bytes of a T are not stored as they are.
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

// SetRange overwrites the value with v from byte offset on, and returns the new length in bytes
// (SETRANGE). It lengthens the value where needed, and fills a gap before offset with zero bytes. A
// new key gets the declared TTL; a TTL that is already running is left alone, unless AutoRenew
// restarts it. For an empty v nothing is sent, and the result is 0. The error wraps [ErrArgument]
// when offset is negative, when the value would be longer than 512 MiB, and when the bytes of a T
// are not stored as they are.
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
	return because(ErrArgument, "codec "+r.at.m.settings.codec.Name()+" does not store "+names.Article(r.at.m.def.goType)+" as the bytes that it is")
}
