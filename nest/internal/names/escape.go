package names

// Values are escaped so that none can break out of its place in a name: every byte that could end
// the value, or that has a meaning in its surroundings, is written as %XX with upper-case digits.
// The escape is a bijection between all byte strings and their escaped forms. That makes
// [Scope.Match] the exact inverse of At.

// escapes is the set of bytes that one parameter has to escape.
type escapes struct {
	set [256]bool
	// usual reports whether the value ends at a byte that plain can detect, a ':' or a brace.
	usual bool
}

// escapesOf returns the set for a parameter that is followed by the byte next: the first byte of
// the literal that ends the parameter within its segment, or ':' at the end of a segment. A tail
// does not escape colons.
func escapesOf(next byte, tail bool) *escapes {
	e := &escapes{usual: (next == ':' || next == '{' || next == '}') && !tail}
	for c := range 0x20 {
		e.set[c] = true
	}
	e.set[0x7f] = true
	for _, c := range []byte("%:{}<>") {
		e.set[c] = true
	}
	e.set[next] = true
	if tail {
		e.set[':'] = false
	}
	return e
}

// Escapes returns the printable bytes that are escaped in values of the parameter. Control bytes
// are escaped everywhere.
func (p *Param) Escapes() string {
	var found []byte
	for c := byte('!'); c <= '~'; c++ {
		if p.escapes.set[c] {
			found = append(found, c)
		}
	}
	return string(found)
}

// plain reports whether a value can be written into a name unchanged. It checks eight bytes at
// once, and reports false for some values that would need no escape; that costs no more than going
// through the table.
func (e *escapes) plain(s string) bool {
	n := len(s)
	switch {
	case n < 4 || !e.usual:
		for i := range len(s) {
			if e.set[s[i]] {
				return false
			}
		}
		return true
	case n < 8:
		return unusual(four(s, 0)|four(s, n-4)<<32) == 0
	}
	found := unusual(eight(s, n-8))
	for i := 0; i < n-8; i += 8 {
		found |= unusual(eight(s, i))
	}
	return found == 0
}

// unusual is not 0 if any of eight bytes is outside the usual bytes of identifiers: ASCII from '&'
// to '9' and from '?' to 'z'. The high bit of each byte of a sum holds the result of that byte's
// comparison.
func unusual(w uint64) uint64 {
	const each, high = 0x0101010101010101, 0x8080808080808080
	return (w | (w - '&'*each) | (w + (0x80-'{')*each) |
		((w + (0x80-':')*each) ^ (w + (0x80-'?')*each))) & high
}

// eight and four load bytes of s as a little-endian number, in one load.

func eight(s string, i int) uint64 {
	b := s[i : i+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

func four(s string, i int) uint64 {
	b := s[i : i+4]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24
}

const upperHex = "0123456789ABCDEF"

// append appends the escaped form of s to dst. Most values need no escape.
func (e *escapes) append(dst []byte, s string) []byte {
	if e.plain(s) {
		return append(dst, s...)
	}
	return appendEscaped(dst, s, e)
}

// appendEscaped appends the escaped form of s to dst.
func appendEscaped[S string | []byte](dst []byte, s S, e *escapes) []byte {
	start := 0
	for i := range len(s) {
		if c := s[i]; e.set[c] {
			dst = append(dst, s[start:i]...)
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
			start = i + 1
		}
	}
	return append(dst, s[start:]...)
}

// escapedEnd returns the length of the longest prefix of s that is an escaped value. The value ends
// before the first byte that it would have had to escape, or before an escape that At would not
// have written.
func escapedEnd(s string, e *escapes) int {
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '%':
			v, ok := unhex(s[i:])
			if !ok || !e.set[v] {
				return i
			}
			i += 3
		case e.set[c]:
			return i
		default:
			i++
		}
	}
	return len(s)
}

// unhex decodes the escape at the beginning of s.
func unhex(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	hi, ok := nibble(s[1])
	lo, ok2 := nibble(s[2])
	return hi<<4 | lo, ok && ok2
}

func nibble(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// unescape returns the value of an escaped form that escapedEnd has accepted. It copies only if
// there is something to replace.
func unescape(s string) string {
	for i := range len(s) {
		if s[i] == '%' {
			return unescapeFrom(s, i)
		}
	}
	return s
}

func unescapeFrom(s string, i int) string {
	b := append(make([]byte, 0, len(s)), s[:i]...)
	for ; i < len(s); i++ {
		c := s[i]
		if v, ok := unhex(s[i:]); c == '%' && ok {
			c = v
			i += 2
		}
		b = append(b, c)
	}
	return string(b)
}
