package nest

import (
	"context"
	"strconv"

	"github.com/redis/rueidis"
)

// maxBits is the maximum number of bits in a Redis string.
const maxBits = 1 << 32

// BitmapDef declares a key that holds bits, as a Redis string.
type BitmapDef struct {
	Declaration
}

// Bitmap declares a key that holds bits: up to 2³², numbered from 0, all 0 until they are set. The
// first is the highest bit of the first byte. The [Default] is a []byte, which [BitmapRef.Bytes]
// returns if there is no bitmap.
//
// The template is that of [Key]. Bitmap panics in the cases in which Key does.
func Bitmap(template string, opts ...KeyOption) *BitmapDef {
	d := &BitmapDef{}
	where := caller()
	d.goType = "[]byte"
	d.declare(d, KindBitmap, "Bitmap", template, where, applyKeyOptions(opts))
	fallback := string(sliceDefault[byte](&d.Declaration, "Bitmap"))
	d.bind = func(*mounted) (any, error) { return &bitmap{fallback}, nil }
	return d
}

// At returns a reference to the bitmap below s. See [KeyDef.At] for args.
func (d *BitmapDef) At(s Scope, args ...any) BitmapRef {
	if d == nil {
		return BitmapRef{nilRef(s)}
	}
	return BitmapRef{d.ref(&s, args)}
}

// BitmapRef is one bitmap, with all its parameters filled in.
//
// SetBit and the operations on fields start the declared TTL when they create the bitmap, and
// otherwise leave it running. Set, StoreAnd and the other Store methods replace all bits and
// restart it. With AutoRenew every operation restarts it.
type BitmapRef struct {
	Ref
}

// bitmap is what Open prepares for a key that holds bits.
type bitmap struct{ fallback string }

// BitUnit is the unit in which the ends of a range of a bitmap count.
type BitUnit string

// The units of ranges.
const (
	InBytes BitUnit = "BYTE"
	InBits  BitUnit = "BIT" // Redis 7.0
)

var (
	opSetBit   = operation[bool]{"set bit", replyBool}
	opBit      = operation[bool]{"bit", replyBool}
	opBitCount = operation[int64]{"count", replyInt}
	opFirst    = operation[found[int64]]{"first", replyPlace}
	opBytes    = operation[[]byte]{"bytes", replyBitmap}
	opStoreAnd = operation[int64]{"store and", replyInt}
	opStoreOr  = operation[int64]{"store or", replyInt}
	opStoreXor = operation[int64]{"store xor", replyInt}
	opStoreNot = operation[int64]{"store not", replyInt}
)

var errOffset = because(ErrArgument, "a bit's offset is at least 0 and less than 2^32")

// SetBit sets the bit at offset to 1 or, when on is false, to 0, and reports whether it was 1
// before (SETBIT). The bitmap grows as needed: up to offset/8 bytes. If offset is negative, or 2³²
// or more, the error wraps [ErrArgument].
func (r BitmapRef) SetBit(ctx context.Context, offset int64, on bool) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.setBit(offset, on) })
}

func (r BitmapRef) setBit(offset int64, on bool) command[bool] {
	if offset < 0 || offset >= maxBits {
		return refuse(&opSetBit, errOffset)
	}
	return command[bool]{op: &opSetBit, cmd: r.at.write("SETBIT", strconv.FormatInt(offset, 10), bit(on))}
}

// Bit reports whether the bit at offset is 1 (GETBIT). Beyond the end of the bitmap all bits are 0.
func (r BitmapRef) Bit(ctx context.Context, offset int64) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.bit(offset) })
}

func (r BitmapRef) bit(offset int64) command[bool] {
	if offset < 0 || offset >= maxBits {
		return refuse(&opBit, errOffset)
	}
	return command[bool]{op: &opBit, cmd: r.at.read("GETBIT", strconv.FormatInt(offset, 10)), cacheable: true}
}

func (r BitmapRef) count() command[int64] {
	return command[int64]{op: &opBitCount, cmd: r.at.read("BITCOUNT"), cacheable: true}
}

// Count returns the number of bits that are 1 (BITCOUNT).
func (r BitmapRef) Count(ctx context.Context) (int64, error) { return call(ctx, r.at, r.count) }

// CountRange returns the number of bits that are 1 from byte or bit first to last, both included
// (BITCOUNT). Negative ends count from the end of the bitmap. InBits needs Redis 7.0.
func (r BitmapRef) CountRange(ctx context.Context, first, last int64, unit BitUnit) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.countRange(first, last, unit) })
}

func (r BitmapRef) countRange(first, last int64, unit BitUnit) command[int64] {
	words, err := bitRange(first, last, unit)
	if err != nil {
		return refuse(&opBitCount, err)
	}
	return command[int64]{op: &opBitCount, cmd: r.at.read("BITCOUNT", words...), cacheable: true}
}

// bitRange returns the words of a range. Bytes are the default and need no word, so that old
// servers understand the command too.
func bitRange(first, last int64, unit BitUnit) ([]string, error) {
	words := []string{strconv.FormatInt(first, 10), strconv.FormatInt(last, 10)}
	switch unit {
	case InBytes:
		return words, nil
	case InBits:
		return append(words, string(unit)), nil
	}
	return nil, because(ErrArgument, "a range is counted InBytes or InBits")
}

// First returns the offset of the first bit that is 1 or, when on is false, 0 (BITPOS). After the
// end of the bitmap there is always a 0. If there is no 1, First returns false.
func (r BitmapRef) First(ctx context.Context, on bool) (int64, bool, error) {
	return both(call(ctx, r.at, func() command[found[int64]] { return r.first(on) }))
}

func (r BitmapRef) first(on bool) command[found[int64]] {
	return command[found[int64]]{op: &opFirst, cmd: r.at.read("BITPOS", bit(on)), cacheable: true}
}

// FirstIn is like [BitmapRef.First], but searches only from byte or bit first to last, both
// included (BITPOS). Negative ends count from the end of the bitmap. InBits needs Redis 7.0.
func (r BitmapRef) FirstIn(ctx context.Context, on bool, first, last int64, unit BitUnit) (int64, bool, error) {
	return both(call(ctx, r.at, func() command[found[int64]] { return r.firstIn(on, first, last, unit) }))
}

func (r BitmapRef) firstIn(on bool, first, last int64, unit BitUnit) command[found[int64]] {
	words, err := bitRange(first, last, unit)
	if err != nil {
		return refuse(&opFirst, err)
	}
	return command[found[int64]]{op: &opFirst, cmd: r.at.read("BITPOS", append([]string{bit(on)}, words...)...), cacheable: true}
}

func (r BitmapRef) bytes() command[[]byte] {
	return command[[]byte]{op: &opBytes, cmd: r.at.fetch(), cacheable: true}
}

// Bytes returns all bits or, if there is no bitmap, the declared default or nil (GET, or GETEX with
// AutoRenew).
func (r BitmapRef) Bytes(ctx context.Context) ([]byte, error) { return call(ctx, r.at, r.bytes) }

// Set replaces all bits and starts the declared TTL (SET). With [KeepTTL] the running TTL
// continues; with [ExpireIn], [ExpireUntil] and [NoExpiry] the caller decides.
func (r BitmapRef) Set(ctx context.Context, bits []byte, opts ...SetOption) error {
	_, err := call(ctx, r.at, func() command[struct{}] { return r.at.put(string(bits), opts) })
	return err
}

func (r BitmapRef) length() command[int64] {
	return command[int64]{op: &opLen, cmd: r.at.read("STRLEN"), cacheable: true}
}

// Len returns the length in bytes, which is 0 if there is no bitmap (STRLEN).
func (r BitmapRef) Len(ctx context.Context) (int64, error) { return call(ctx, r.at, r.length) }

// StoreAnd replaces this bitmap by the conjunction of others and starts the declared TTL. It
// returns the new length in bytes, which is that of the longest (BITOP AND). Without others nothing
// is sent and nothing changes. The bitmaps must be in one slot, see [HashTag]; otherwise the error
// wraps [ErrCrossSlot].
func (r BitmapRef) StoreAnd(ctx context.Context, others ...BitmapRef) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.store(&opStoreAnd, "AND", others) })
}

// StoreOr replaces this bitmap by the disjunction of others (BITOP OR), under the conditions of
// [BitmapRef.StoreAnd].
func (r BitmapRef) StoreOr(ctx context.Context, others ...BitmapRef) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.store(&opStoreOr, "OR", others) })
}

// StoreXor replaces this bitmap by the exclusive disjunction of others (BITOP XOR), under the
// conditions of [BitmapRef.StoreAnd].
func (r BitmapRef) StoreXor(ctx context.Context, others ...BitmapRef) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.store(&opStoreXor, "XOR", others) })
}

// StoreNot replaces this bitmap by the negation of another one (BITOP NOT), under the conditions of
// [BitmapRef.StoreAnd].
func (r BitmapRef) StoreNot(ctx context.Context, other BitmapRef) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.store(&opStoreNot, "NOT", []BitmapRef{other}) })
}

func (r BitmapRef) store(op *operation[int64], name string, others []BitmapRef) command[int64] {
	if len(others) == 0 {
		return skip(op)
	}
	uses, err := usesOf(r.at, overwrites, others, reads)
	if err != nil {
		return refuse(op, err)
	}
	return command[int64]{op: op, cmd: joint([]string{"BITOP", name}, uses, -1), uses: uses}
}

// Rename moves the bitmap, with its remaining TTL, to another key, as [KeyRef.Rename] does
// (RENAMENX or RENAME).
func (r BitmapRef) Rename(ctx context.Context, to BitmapRef, opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opRename, to.at, opts) })
}

// Copy copies the bitmap, with its remaining TTL, to another key, as [KeyRef.Copy] does (COPY,
// Redis 6.2).
func (r BitmapRef) Copy(ctx context.Context, to BitmapRef, opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opCopy, to.at, opts) })
}

// replyPlace reads the answer to BITPOS, in which -1 means none.
func replyPlace(m *mounted, a rueidis.RedisMessage) (found[int64], error) {
	n, err := replyInt(m, a)
	if err != nil || n < 0 {
		return found[int64]{}, err
	}
	return found[int64]{n, true}, nil
}

func replyBitmap(m *mounted, a rueidis.RedisMessage) ([]byte, error) {
	text := m.bound.(*bitmap).fallback
	if !a.IsNil() {
		var err error
		if text, err = a.ToString(); err != nil {
			return nil, errAnswer
		}
	}
	if text == "" {
		return nil, nil
	}
	return []byte(text), nil
}
