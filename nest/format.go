package nest

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// formatted prints text instead of a value that may hold sensitive parameters. Without a Format
// method, a value with a String method would be printed field by field under the verbs for numbers.
func formatted(s fmt.State, verb rune, text string) {
	switch verb {
	case 's', 'q', 'x', 'X':
		_, _ = fmt.Fprintf(s, fmt.FormatString(s, verb), text)
	default:
		_, _ = io.WriteString(s, text)
	}
}

func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
