package nest

// glob is a pattern of SCAN: bytes that stand for themselves, and wildcards.
type glob []uint16

// anything is the wildcard, which stands for any bytes.
const anything = 1 << 8

// add appends a text that stands for itself.
func (g glob) add(text string) glob {
	for i := range len(text) {
		g = append(g, uint16(text[i]))
	}
	return g
}

// any appends a wildcard, unless g ends with one.
func (g glob) any() glob {
	if n := len(g); n > 0 && g[n-1] == anything {
		return g
	}
	return append(g, anything)
}

// join appends another pattern.
func (g glob) join(o glob) glob {
	for _, c := range o {
		if c == anything {
			g = g.any()
		} else {
			g = append(g, c)
		}
	}
	return g
}

// lead returns what every name begins with that the pattern matches.
func (g glob) lead() string {
	var b []byte
	for _, c := range g {
		if c == anything {
			break
		}
		b = append(b, byte(c))
	}
	return string(b)
}

// String returns the pattern as SCAN takes it.
func (g glob) String() string {
	b := make([]byte, 0, len(g)+8)
	for _, c := range g {
		switch c {
		case anything:
			b = append(b, '*')
			continue
		case '*', '?', '[', ']', '\\':
			b = append(b, '\\')
		}
		b = append(b, byte(c))
	}
	return string(b)
}

// widen returns a pattern that matches every name that g or o matches, and as few others as is
// cheap to find out: one scan with a wider pattern is faster than one scan for each pattern. A nil
// pattern matches nothing.
func (g glob) widen(o glob) glob {
	if g == nil {
		return o
	}
	return between(g, o, 2)
}

const (
	// minRun is how many bytes two patterns have in common at least, between other bytes, for these
	// to become a part of the wider pattern. Each wildcard costs the server time.
	minRun = 2
	// maxGlob is the length up to which patterns are searched for what they have in common.
	maxGlob = 256
)

// between returns what a and b have in common at their ends and, depth times, in their middles.
func between(a, b glob, depth int) glob {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	out := append(glob{}, a[:n]...)
	a, b = a[n:], b[n:]
	if len(a) == 0 && len(b) == 0 {
		return out
	}
	n = 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	end := a[len(a)-n:]
	a, b = a[:len(a)-n], b[:len(b)-n]
	if i, j, run := longestRun(a, b); depth > 0 && run >= minRun {
		out = out.join(between(a[:i], b[:j], depth-1)).any() // nothing has to be in between
		out = append(out, a[i:i+run]...)
		out = out.join(between(a[i+run:], b[j+run:], depth-1))
	} else {
		out = out.any()
	}
	return out.join(end)
}

// longestRun returns where the longest run of bytes begins that is in both, and its length.
func longestRun(a, b glob) (i, j, run int) {
	if len(a) > maxGlob || len(b) > maxGlob {
		return 0, 0, 0
	}
	var lengths [maxGlob + 1]int // of the runs that end at the last byte of a, and at each of b
	for x := range a {
		before := 0
		for y := range b {
			length := 0
			if a[x] == b[y] && a[x] != anything {
				length = before + 1
			}
			before, lengths[y] = lengths[y], length
			if length > run {
				i, j, run = x+1-length, y+1-length, length
			}
		}
	}
	return i, j, run
}
