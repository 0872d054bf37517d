package nest

import (
	"math"
	"time"
)

// The times that Redis can be given: those of the years 1 to 9999, in seconds since 1970. For times
// much farther away, the milliseconds do not fit an int64, and package time takes the farthest ones
// for times in the past.
const (
	firstSecond = -62135596800 // 0001-01-01T00:00:00Z
	lastSecond  = 253402300799 // 9999-12-31T23:59:59Z
)

var errYear = because(ErrArgument, "the time is not in the years 1 to 9999")

// unixMillis returns t in milliseconds since 1970. The error wraps [ErrArgument] for a time that
// Redis cannot be given.
func unixMillis(t time.Time) (int64, error) {
	if s := t.Unix(); s < firstSecond || s > lastSecond {
		return 0, errYear
	}
	return t.UnixMilli(), nil
}

// fromMillis returns a duration of ms milliseconds, or the longest duration if that is too long.
func fromMillis(ms int64) time.Duration {
	return longest(ms, time.Millisecond)
}

// longest returns n times unit, or the longest duration if that is too long.
func longest(n int64, unit time.Duration) time.Duration {
	if n > math.MaxInt64/int64(unit) {
		return math.MaxInt64
	}
	return time.Duration(n) * unit
}

// together returns the sum of two durations that are not negative, or the longest duration if the
// sum is too long.
func together(a, b time.Duration) time.Duration {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
