package nestargs

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/redisimnest/redisimnest/nest/nestvet/internal/decl"
)

// The words of messages, as in the errors of package nest.
const (
	wrongType  = "wrong parameter type"
	wrongValue = "invalid parameter value"
)

func article(noun string) string {
	if strings.IndexByte("aeiouAEIO", noun[0]) >= 0 && !strings.HasPrefix(noun, "uint") && !strings.HasPrefix(noun, "uuid") {
		return "an " + noun
	}
	return "a " + noun
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func names(open []decl.Open) string {
	all := make([]string, len(open))
	for i, o := range open {
		all[i] = "<" + o.Name + ">"
	}
	return strings.Join(all, ", ")
}

func openList(open []decl.Open) string {
	switch len(open) {
	case 0:
		return "is no parameter"
	case 1:
		return "is " + names(open)
	}
	return "are " + names(open)
}

// or formats a list of numbers: "1 or 3".
func or(ns []int) string {
	all := make([]string, len(ns))
	for i, n := range ns {
		all[i] = strconv.Itoa(n)
	}
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}

func didYouMean(name string, open []decl.Open) string {
	if near := nearest(name, open); near != "" {
		return ": did you mean <" + near + ">?"
	}
	return ""
}

// nearest returns the parameter that a misspelled name most likely means, or "".
func nearest(name string, open []decl.Open) string {
	best, bestDistance := "", max(2, len(name)/3)+1
	for _, o := range open {
		if d := distance(strings.ReplaceAll(name, "_", ""), strings.ReplaceAll(o.Name, "_", "")); d < bestDistance {
			best, bestDistance = o.Name, d
		}
	}
	return best
}

// distance returns the Levenshtein distance: how many bytes to insert, delete or replace.
func distance(a, b string) int {
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
