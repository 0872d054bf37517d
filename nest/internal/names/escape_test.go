package names

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPlain checks the function that reads eight bytes at once against the table: what it calls
// plain must need no escape, and the usual bytes of identifiers must be plain.
func TestPlain(t *testing.T) {
	for _, e := range []*escapes{escapesOf(':', false), escapesOf('-', false), escapesOf(':', true)} {
		for size := 1; size <= 20; size++ {
			for at := range size {
				for c := range 256 {
					s := strings.Repeat("a", at) + string([]byte{byte(c)}) + strings.Repeat("z", size-at-1)
					needs := e.set[byte(c)] || e.set['a'] && at > 0
					if e.plain(s) {
						require.False(t, needs, "%q", s)
					} else if !needs {
						require.NotContains(t, "abcxyzABCXYZ0189_-.@/", string(rune(c)), "%q is odd", s)
					}
				}
			}
		}
	}
}

// FuzzEscape checks that a value is read back unchanged wherever it is in a name, and that its
// escaped form ends where the literal after it begins.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"42", "a:b", "%3A", "%", "{tag}", "<a>", "\x00\xff", "é", "-", "a-b", "a:::b"} {
		f.Add(s, byte(':'), false)
		f.Add(s, byte('-'), false)
		f.Add(s, byte('.'), true)
	}
	f.Fuzz(func(t *testing.T, value string, next byte, tail bool) {
		if '0' <= next && next <= '9' || 'A' <= next && next <= 'F' || next == '%' {
			return // templates allow these after a parameter only as part of the literal
		}
		e := escapesOf(next, tail)
		escaped := string(appendEscaped(nil, value, e))
		require.Equal(t, value, unescape(escaped))
		require.Equal(t, len(escaped), escapedEnd(escaped, e))
		if e.set[next] {
			require.Equal(t, len(escaped), escapedEnd(escaped+string([]byte{next})+"x", e))
		}
		if e.plain(value) {
			require.Equal(t, value, escaped)
		}
	})
}
