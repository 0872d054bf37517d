package nest

import (
	"context"
	"strconv"

	"github.com/redis/rueidis"
)

// BitField is a number in some bits of a bitmap. [Unsigned] and [Signed] return one.
type BitField struct {
	signed bool
	bits   int
	offset int64
}

// Unsigned returns the field of an unsigned number with a width of 1 to 63 bits that begins at
// offset.
func Unsigned(bits int, offset int64) BitField { return BitField{false, bits, offset} }

// Signed returns the field of a number in two's complement with a width of 1 to 64 bits that begins
// at offset.
func Signed(bits int, offset int64) BitField { return BitField{true, bits, offset} }

// Overflow says what happens to a field when an increment would leave its range.
type Overflow string

// The ways to handle an overflow.
const (
	Wrap     Overflow = "WRAP" // it continues at the other end of the range
	Saturate Overflow = "SAT"  // it stops at the end of the range
	Refuse   Overflow = "FAIL" // it does not change, and there is no result
)

// FieldOp is one operation on a field, for [BitmapRef.Fields].
type FieldOp struct {
	field    BitField
	name     string
	n        int64
	overflow Overflow
}

// Get returns the operation that reads the field.
func (f BitField) Get() FieldOp { return FieldOp{field: f, name: "GET"} }

// Set returns the operation that writes the field; its result is the old number. If n does not fit,
// the error of [BitmapRef.Fields] wraps [ErrOverflow].
func (f BitField) Set(n int64) FieldOp { return FieldOp{field: f, name: "SET", n: n} }

// Incr returns the operation that adds by to the field; its result is the new number.
func (f BitField) Incr(by int64, o Overflow) FieldOp {
	return FieldOp{field: f, name: "INCRBY", n: by, overflow: o}
}

// wideBits is the smallest width of a field that Lua's numbers cannot hold.
const wideBits = 54

func fieldType(signed bool, bits int) string {
	if signed {
		return "i" + strconv.Itoa(bits)
	}
	return "u" + strconv.Itoa(bits)
}

// halves returns the words that read a wide field in two parts.
func (f BitField) halves() []string {
	high := f.bits - 32
	return []string{
		"GET", fieldType(f.signed, high), strconv.FormatInt(f.offset, 10),
		"GET", "u32", strconv.FormatInt(f.offset+int64(high), 10),
	}
}

func (o FieldOp) check() error {
	f := o.field
	most := 63
	if f.signed {
		most = 64
	}
	switch {
	case o.name == "" || f.bits < 1 || f.bits > most:
		return because(ErrArgument, "a field has 1 to 63 bits, or 64 with a sign")
	case f.offset < 0 || f.offset > maxBits-int64(f.bits):
		return errOffset
	case o.name == "INCRBY" && o.overflow != Wrap && o.overflow != Saturate && o.overflow != Refuse:
		return because(ErrArgument, "an overflow is Wrap, Saturate or Refuse")
	case o.name != "SET":
		return nil
	case f.signed && f.bits < 64 && (o.n < -1<<(f.bits-1) || o.n >= 1<<(f.bits-1)),
		!f.signed && (o.n < 0 || f.bits < 63 && o.n >= 1<<f.bits):
		return because(ErrOverflow, "the number does not fit into "+strconv.Itoa(f.bits)+" bits")
	}
	return nil
}

func (o FieldOp) words() []string {
	words := make([]string, 0, 6)
	if o.name == "INCRBY" {
		words = append(words, "OVERFLOW", string(o.overflow))
	}
	words = append(words, o.name, fieldType(o.field.signed, o.field.bits), strconv.FormatInt(o.field.offset, 10))
	if o.name != "GET" {
		words = append(words, strconv.FormatInt(o.n, 10))
	}
	return words
}

// fielding runs BITFIELD and sets the expiry in the same step: always if ARGV[2] is 1, otherwise
// only on a key that has none. ARGV[3] has a letter for each operation, which says where its result
// is among the answers. 'n' is a single number. The others are two halves: 'g' alone, 's' before
// the answer to a SET, 'i' after the answer to an INCRBY.
var fielding = newScript(starts + `local start, denied = starts(KEYS[1], ARGV[1], ARGV[2] == '1')
if denied then return denied end
local reply = redis.call(ARGV[4], KEYS[1], unpack(ARGV, 5))
if start then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
local results, at = {}, 1
for i = 1, #ARGV[3] do
	local form = ARGV[3]:sub(i, i)
	if form == 'n' then
		results[i], at = reply[at], at + 1
	elseif form == 'i' then
		results[i], at = reply[at] and {reply[at + 1], reply[at + 2]}, at + 3
	else
		results[i], at = {reply[at], reply[at + 1]}, at + (form == 'g' and 2 or 3)
	end
end
return results`)

// maxFieldOps is the maximum number of operations in one command: a script cannot pass on more at
// once.
const maxFieldOps = 500

var (
	opBitFields    = operation[[]Optional[int64]]{"fields", replyBitFields}
	opBitField     = operation[int64]{"field", replyBitField}
	opSetBitField  = operation[int64]{"set field", replyBitField}
	opIncrBitField = operation[found[int64]]{"incr field", replyFoundBitField}
)

// Fields runs operations on fields in order, as one step, and returns a result for each; only an
// increment with [Refuse] can have none (BITFIELD, or BITFIELD_RO where all only read). Without
// operations nothing is sent; for more than 500 the error wraps [ErrArgument].
func (r BitmapRef) Fields(ctx context.Context, ops ...FieldOp) ([]Optional[int64], error) {
	return call(ctx, r.at, func() command[[]Optional[int64]] { return fieldCommand(r, &opBitFields, ops...) })
}

// Field returns the number in a field (BITFIELD_RO GET, Redis 6.0). Beyond the end of the bitmap it
// is 0.
//
//nest:ttl renews
func (r BitmapRef) Field(ctx context.Context, f BitField) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return fieldCommand(r, &opBitField, f.Get()) })
}

// SetField writes the number in a field and returns the old one (BITFIELD SET). If n does not fit,
// the error wraps [ErrOverflow].
func (r BitmapRef) SetField(ctx context.Context, f BitField, n int64) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return fieldCommand(r, &opSetBitField, f.Set(n)) })
}

// IncrField adds by to the number in a field and returns the new one. With [Refuse] it returns
// false if the result would leave the field's range (BITFIELD INCRBY).
func (r BitmapRef) IncrField(ctx context.Context, f BitField, by int64, o Overflow) (int64, bool, error) {
	return both(call(ctx, r.at, func() command[found[int64]] { return fieldCommand(r, &opIncrBitField, f.Incr(by, o)) }))
}

//nest:ttl starts
func fieldCommand[R any](r BitmapRef, op *operation[R], ops ...FieldOp) command[R] {
	if len(ops) == 0 {
		return skip(op)
	}
	if len(ops) > maxFieldOps {
		return refuse(op, because(ErrArgument, "more than 500 operations on fields"))
	}
	name := "BITFIELD_RO"
	for i, o := range ops {
		if err := o.check(); err != nil {
			return refuse(op, locate("operation "+strconv.Itoa(i), err))
		}
		if o.name != "GET" {
			name = "BITFIELD"
		}
	}
	scripted := r.at.readsRenew() || name == "BITFIELD" && r.at.m.settings.ttl > 0
	words, forms := make([]string, 0, 4*len(ops)), make([]byte, len(ops))
	for i, o := range ops {
		forms[i] = 'n'
		switch {
		case !scripted || o.field.bits < wideBits:
			words = append(words, o.words()...)
		case o.name == "GET":
			forms[i], words = 'g', append(words, o.field.halves()...)
		case o.name == "SET":
			forms[i], words = 's', append(append(words, o.field.halves()...), o.words()...)
		default:
			forms[i], words = 'i', append(append(words, o.words()...), o.field.halves()...)
		}
	}
	if scripted {
		args := append([]string{millis(r.at.m.ttl()), bit(r.at.m.settings.autoRenew), string(forms), name}, words...)
		return command[R]{op: op, cmd: fielding.command(r.at.b(), []string{r.at.key}, args...)}
	}
	cmd := r.at.b().Arbitrary(name).Keys(r.at.key).Args(words...)
	if name == "BITFIELD_RO" {
		return command[R]{op: op, cmd: cmd.ReadOnly(), cacheable: true}
	}
	return command[R]{op: op, cmd: cmd.Build()}
}

// replyBitFields reads numbers, each whole, in two halves or missing.
func replyBitFields(m *mounted, a rueidis.RedisMessage) ([]Optional[int64], error) {
	answers, err := a.ToArray()
	if err != nil {
		return nil, errAnswer
	}
	results := make([]Optional[int64], len(answers))
	for i, answer := range answers {
		if answer.IsNil() {
			continue
		}
		n, err := wholeField(m, answer)
		if err != nil {
			return nil, err
		}
		results[i] = Optional[int64]{n, true}
	}
	return results, nil
}

func wholeField(m *mounted, a rueidis.RedisMessage) (int64, error) {
	if !a.IsArray() {
		return replyInt(m, a)
	}
	halves, err := replyInts(m, a)
	if err != nil || len(halves) != 2 {
		return 0, errAnswer
	}
	return halves[0]<<32 | halves[1], nil
}

func replyFoundBitField(m *mounted, a rueidis.RedisMessage) (found[int64], error) {
	results, err := replyBitFields(m, a)
	if err != nil || len(results) != 1 {
		return found[int64]{}, errAnswer
	}
	return found[int64]{results[0].Value, results[0].Found}, nil
}

func replyBitField(m *mounted, a rueidis.RedisMessage) (int64, error) {
	f, err := replyFoundBitField(m, a)
	if err == nil && !f.ok {
		err = errAnswer
	}
	return f.value, err
}
