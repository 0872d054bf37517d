package nest

// Values are escaped so that none can leave its place in a name: every byte that could end the
// value, or that means something around it, is written as %XX with upper-case digits. The
// escape is a bijection between all byte strings and their escaped forms, which is what makes
// [Scope.Match] the exact inverse of At.

// escapes is the set of bytes that one parameter escapes.
type escapes [256]bool

// escapesOf gives the set for a parameter that is followed by next, the first byte of the
// literal that ends it within its segment, or ':' at a segment's end. A tail keeps its colons.
func escapesOf(next byte, tail bool) *escapes {
	e := new(escapes)
	for c := range 0x20 {
		e[c] = true
	}
	e[0x7f] = true
	for _, c := range []byte("%:{}<>") {
		e[c] = true
	}
	e[next] = true
	if tail {
		e[':'] = false
	}
	return e
}

const upperHex = "0123456789ABCDEF"

// appendEscaped appends the escaped form of s to dst. Most values need no escape: finding that
// out is kept small enough to be inlined.
func appendEscaped(dst []byte, s string, e *escapes) []byte {
	if i := e.first(s); i >= 0 {
		return e.appendFrom(dst, s, i)
	}
	return append(dst, s...)
}

// first gives the index of the first byte of s to escape, or -1.
func (e *escapes) first(s string) int {
	for i := 0; i < len(s); i++ { //nolint:intrange // ranging makes slower code here
		if e[s[i]] {
			return i
		}
	}
	return -1
}

// appendFrom appends the escaped form of s, whose first i bytes need no escape.
func (e *escapes) appendFrom(dst []byte, s string, i int) []byte {
	dst = append(dst, s[:i]...)
	for ; i < len(s); i++ {
		if c := s[i]; e[c] {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// escapedEnd gives the length of the longest prefix of s that is an escaped value: it ends
// before the first byte that the value would have had to escape. An escape that At would not
// have written ends it too.
func escapedEnd(s string, e *escapes) int {
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '%':
			v, ok := unhex(s[i:])
			if !ok || !e[v] {
				return i
			}
			i += 3
		case e[c]:
			return i
		default:
			i++
		}
	}
	return len(s)
}

// unhex reads the escape at the beginning of s.
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

// unescape gives the value of an escaped form that escapedEnd has accepted. It copies only when
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
