package names

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The words of errors, here and in package nest.

// Article returns a noun with its indefinite article.
func Article(noun string) string {
	if strings.IndexByte("aeiouAEIO", noun[0]) < 0 {
		return "a " + noun
	}
	for _, spoken := range []string{"uin", "uni", "url", "us", "uu"} { // with a consonant first
		if strings.HasPrefix(noun, spoken) {
			return "a " + noun
		}
	}
	return "an " + noun
}

// Count returns a number with its noun.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Nearest returns the candidate that a misspelled name most likely means, or "".
func Nearest(name string, candidates []string) string {
	best, bestDistance := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		if d := editDistance(squeeze(name), squeeze(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// squeeze removes underscores, the likeliest difference between userid and user_id.
func squeeze(s string) string { return strings.ReplaceAll(s, "_", "") }

// editDistance returns the Levenshtein distance: how many bytes to insert, delete or replace.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Printable replaces characters that a terminal or a log line should not show.
func Printable(s string) string {
	clean := true
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	q := fmt.Sprintf("%+q", s)
	return q[1 : len(q)-1]
}
