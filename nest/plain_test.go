package nest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPlain holds what looks at eight bytes at once against the table: what it calls plain must
// need no escape, and what identifiers are made of must be plain.
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
