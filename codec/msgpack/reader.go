package msgpack

import (
	"encoding/binary"
	"io"
	"math"
)

// The first bytes of those MessagePack values that need a name here.
const (
	codeStr     = 0xa0
	codeNil     = 0xc0
	codeFalse   = 0xc2
	codeTrue    = 0xc3
	codeBin8    = 0xc4
	codeExt8    = 0xc7
	codeFloat   = 0xca
	codeDouble  = 0xcb
	codeUint8   = 0xcc
	codeUint16  = 0xcd
	codeUint32  = 0xce
	codeInt8    = 0xd0
	codeFixExt  = 0xd4
	codeFixExt8 = 0xd7
	codeStr8    = 0xd9
	codeArr16   = 0xdc
	codeMap16   = 0xde
	negFix      = 0xe0
)

// maxDepth bounds the nesting of values.
const maxDepth = 1000

// kind is what the head of a value says about it.
type kind uint8

const (
	other   kind = iota // of size bytes, with nothing inside that matters here
	integer             // with its value in number
	list                // of size values
	dict                // of size pairs
)

// head is the beginning of a value.
type head struct {
	kind   kind
	size   uint64
	number bounds // both bounds are the integer's value; one of them may be out of reach
}

// bounds are the least and the greatest of a range of integers.
type bounds struct {
	least    int64
	greatest uint64
}

// hold reports whether all integers within b are within o.
func (o bounds) hold(b bounds) bool { return b.least >= o.least && b.greatest <= o.greatest }

func (o *bounds) add(b bounds) {
	o.least, o.greatest = min(o.least, b.least), max(o.greatest, b.greatest)
}

// reader reads heads. The library reads from it too. It never reads past the data.
type reader struct {
	data []byte
	at   int
}

// Read copies the few bytes of most numbers and names itself: calling copy would take longer.
func (r *reader) Read(p []byte) (int, error) {
	rest, n := r.data[r.at:], len(p)
	switch {
	case n == 4 && n <= len(rest):
		*(*[4]byte)(p) = [4]byte(rest)
	case n > 16 || n > len(rest):
		n = copy(p, rest)
		if n == 0 && len(p) > 0 {
			return 0, io.EOF
		}
	case n >= 8: // in two pieces, which may overlap
		*(*[8]byte)(p), *(*[8]byte)(p[n-8:]) = [8]byte(rest), [8]byte(rest[n-8:])
	case n >= 4:
		*(*[4]byte)(p), *(*[4]byte)(p[n-4:]) = [4]byte(rest), [4]byte(rest[n-4:])
	case n > 0:
		p[0], p[n/2], p[n-1] = rest[0], rest[n/2], rest[n-1]
	}
	r.at += n
	return n, nil
}

func (r *reader) ReadByte() (byte, error) {
	if r.at == len(r.data) {
		return 0, io.EOF
	}
	b := r.data[r.at]
	r.at++
	return b, nil
}

func (r *reader) UnreadByte() error {
	if r.at == 0 {
		return io.ErrNoProgress
	}
	r.at--
	return nil
}

func (r *reader) left() uint64 { return uint64(len(r.data) - r.at) }

// uint reads a number of width bytes: 1, 2, 4 or 8.
func (r *reader) uint(width int) (uint64, bool) {
	if len(r.data)-r.at < width {
		return 0, false
	}
	b := r.data[r.at:]
	r.at += width
	switch width {
	case 1:
		return uint64(b[0]), true
	case 2:
		return uint64(binary.BigEndian.Uint16(b)), true
	case 4:
		return uint64(binary.BigEndian.Uint32(b)), true
	}
	return binary.BigEndian.Uint64(b), true
}

// head reads the head of a value. If nothing is inside, that is all of it.
func (r *reader) head() (head, bool) {
	if r.at >= len(r.data) {
		return head{}, false
	}
	c := r.data[r.at]
	r.at++
	switch {
	case c < 0x80:
		return head{kind: integer, number: bounds{0, uint64(c)}}, true
	case c >= negFix:
		return head{kind: integer, number: bounds{int64(int8(c)), 0}}, true
	case c < 0x90:
		return head{kind: dict, size: uint64(c & 0x0f)}, true
	case c < 0xa0:
		return head{kind: list, size: uint64(c & 0x0f)}, true
	case c < 0xc0:
		return r.pass(uint64(c & 0x1f))
	}
	return r.longHead(c)
}

func (r *reader) longHead(c byte) (head, bool) {
	switch {
	case c == 0xc1:
		return head{}, false
	case c < codeBin8:
		return head{}, true // nil, false, true
	case c < codeExt8:
		n, ok := r.uint(1 << (c - codeBin8))
		if !ok {
			return head{}, false
		}
		return r.pass(n)
	case c < codeFloat:
		n, ok := r.uint(1 << (c - codeExt8))
		if !ok {
			return head{}, false
		}
		return r.pass(n + 1) // the type follows the length
	case c < codeUint8:
		return r.pass(4 << (c - codeFloat))
	case c < codeInt8:
		n, ok := r.uint(1 << (c - codeUint8))
		return head{kind: integer, number: bounds{0, n}}, ok
	case c < codeFixExt:
		return r.signed(1 << (c - codeInt8))
	case c < codeStr8:
		return r.pass(1 + 1<<(c-codeFixExt))
	case c < codeArr16:
		n, ok := r.uint(1 << (c - codeStr8))
		if !ok {
			return head{}, false
		}
		return r.pass(n)
	case c < codeMap16:
		n, ok := r.uint(2 << (c - codeArr16))
		return head{kind: list, size: n}, ok
	default:
		n, ok := r.uint(2 << (c - codeMap16))
		return head{kind: dict, size: n}, ok
	}
}

// pass skips n bytes.
func (r *reader) pass(n uint64) (head, bool) {
	if n > r.left() {
		return head{}, false
	}
	r.at += int(n)
	return head{size: n}, true
}

func (r *reader) signed(width int) (head, bool) {
	u, ok := r.uint(width)
	unused := 64 - 8*width
	if n := int64(u<<unused) >> unused; n < 0 {
		return head{kind: integer, number: bounds{n, 0}}, ok
	}
	return head{kind: integer, number: bounds{0, u}}, ok
}

// scan reports whether data is one whole value. Everything that the data claims to hold must be
// there, so that the library can safely allocate room for it. scan also returns the bounds of the
// integers in it.
func scan(data []byte) (bounds, bool) {
	r := reader{data: data}
	numbers := bounds{}
	ok := r.skip(1, &numbers, 0)
	return numbers, ok && r.at == len(data)
}

// skip skips n values, depth containers deep. It skips the most common ones without reading a head:
// small integers, short strings, flags, integers of two and four bytes, and floats.
func (r *reader) skip(n uint64, numbers *bounds, depth int) bool {
	if depth > maxDepth || n > r.left() {
		return false
	}
	data, at, greatest := r.data, r.at, numbers.greatest
	for ; n > 0; n-- {
		if at >= len(data) {
			return false
		}
		switch c := data[at]; {
		case c < 0x80:
			greatest = max(greatest, uint64(c))
			at++
		case c >= codeStr && c < codeNil:
			at += 1 + int(c-codeStr)
		case c == codeUint32 && len(data)-at > 4:
			greatest = max(greatest, uint64(binary.BigEndian.Uint32(data[at+1:])))
			at += 5
		case c == codeUint16 && len(data)-at > 2:
			greatest = max(greatest, uint64(binary.BigEndian.Uint16(data[at+1:])))
			at += 3
		case c == codeFalse || c == codeTrue || c == codeNil:
			at++
		case c == codeDouble:
			at += 9
		case c == codeFixExt8: // as for most times
			at += 10
		default:
			r.at = at
			if !r.skipHead(numbers, depth) {
				return false
			}
			at = r.at
		}
	}
	r.at = at
	numbers.greatest = max(numbers.greatest, greatest)
	return at <= len(data)
}

// skipHead skips a value by its head.
func (r *reader) skipHead(numbers *bounds, depth int) bool {
	h, ok := r.head()
	switch {
	case !ok:
		return false
	case h.kind == integer:
		numbers.add(h.number)
	case h.kind != other:
		return r.skip(h.values(), numbers, depth+1)
	}
	return true
}

// values returns how many values are inside.
func (h head) values() uint64 {
	if h.kind == dict {
		return 2 * h.size
	}
	return h.size
}

// everything holds all integers of MessagePack.
var everything = bounds{math.MinInt64, math.MaxUint64}
