package nest

import (
	"fmt"
	"io"
)

// formatted prints text in place of what may hold sensitive parameters. Without a Format of its own
// a value with a String method is printed field by field under the verbs that are for numbers.
func formatted(s fmt.State, verb rune, text string) {
	switch verb {
	case 's', 'q', 'x', 'X':
		_, _ = fmt.Fprintf(s, fmt.FormatString(s, verb), text)
	default:
		_, _ = io.WriteString(s, text)
	}
}
