package audit

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redisimnest/redisimnest/nest"
)

// number returns a number with commas.
func number(n int64) string {
	text := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}

// amount returns a number of things.
func amount(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return number(n) + " " + thing + "s"
}

// size returns a number of bytes as a person reads it, in powers of 1024.
func size(bytes int64) string {
	sign := ""
	if bytes < 0 {
		sign, bytes = "-", -bytes
	}
	if bytes < 1024 {
		return sign + strconv.FormatInt(bytes, 10) + " B"
	}
	value, unit := float64(bytes)/1024, 0
	for value >= 1023.95 && unit < 5 {
		value /= 1024
		unit++
	}
	return fmt.Sprintf("%s%.1f %ciB", sign, value, "KMGTPE"[unit])
}

// memory returns how much memory keys take, and says if that is an estimate.
func (s *Stats) memory() string {
	switch {
	case !s.Measured():
		return "–"
	case s.Estimated():
		return size(s.Bytes) + " estimated"
	}
	return size(s.Bytes)
}

// duration returns a duration as a person would write it: 24h, 1m30s, 30d.
func duration(d time.Duration) string {
	switch {
	case d == nest.Forever:
		return "none"
	case d >= 2*day && d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	case d >= time.Second:
		d = d.Round(time.Millisecond)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// percent returns a share.
func percent(part, whole int64) string {
	if whole == 0 {
		return "0 %"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}

// mostFirst returns the entries of a count, those with the most keys first.
func mostFirst(counts map[string]int64) []counted {
	list := make([]counted, 0, len(counts))
	for what, n := range counts {
		list = append(list, counted{what, n})
	}
	sortCounted(list)
	return list
}
