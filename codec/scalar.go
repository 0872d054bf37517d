package codec

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// The forms of single values in Auto. If the input is not exactly what the other side writes, the
// parsers return a reason that contains nothing of the input.

const (
	notInteger = "not a decimal integer in its shortest form"
	notNumber  = "not a decimal number"
	outOfRange = "out of range"
	notBool    = "neither 1 nor 0"
	notTime    = "not a time in RFC 3339 with at most nine digits of a second"
)

// maxPlain is how many decimal digits always fit in an int64 and a uint64.
const maxPlain = 18

func parseInt(s string, bits int) (int64, string) {
	number := s
	if len(s) > 1 && s[0] == '-' && s[1] != '0' {
		number = s[1:]
	}
	if len(number) > maxPlain {
		if !isInteger(number) {
			return 0, notInteger
		}
		n, err := strconv.ParseInt(s, 10, bits)
		return n, integerReason(err)
	}
	u, ok := parsePlain(number)
	n := int64(u)
	if len(number) < len(s) {
		n = -n
	}
	switch {
	case !ok:
		return 0, notInteger
	case n<<(64-bits)>>(64-bits) != n:
		return 0, outOfRange
	}
	return n, ""
}

func parseUint(s string, bits int) (uint64, string) {
	if len(s) > maxPlain {
		if !isInteger(s) {
			return 0, notInteger
		}
		n, err := strconv.ParseUint(s, 10, bits)
		return n, integerReason(err)
	}
	n, ok := parsePlain(s)
	switch {
	case !ok:
		return 0, notInteger
	case n<<(64-bits)>>(64-bits) != n:
		return 0, outOfRange
	}
	return n, ""
}

// parsePlain parses up to maxPlain digits, as nearly all integers have. It is faster than the
// parsers of strconv, which accept other forms too.
func parsePlain(s string) (uint64, bool) {
	if !isInteger(s) {
		return 0, false
	}
	n := uint64(0)
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + uint64(d)
	}
	return n, true
}

// isInteger looks only at the first digit: the parsers check the others.
func isInteger(s string) bool {
	return s != "" && (s[0] >= '1' && s[0] <= '9' || s == "0")
}

func integerReason(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, strconv.ErrRange):
		return outOfRange
	}
	return notInteger
}

func parseFloat(s string, bits int) (float64, string) {
	switch s {
	case "NaN":
		return math.NaN(), ""
	case "+Inf":
		return math.Inf(1), ""
	case "-Inf":
		return math.Inf(-1), ""
	}
	mantissa, ok := cutNumber(s)
	if !ok {
		return 0, notNumber
	}
	f, err := strconv.ParseFloat(s, bits)
	// ParseFloat silently rounds tiny numbers to zero.
	if err != nil || f == 0 && strings.ContainsAny(mantissa, "123456789") {
		return 0, outOfRange
	}
	return f, ""
}

// cutNumber returns the part of s before the exponent, and reports whether s is a number as JSON
// writes it: no plus sign, no leading zeros, digits on both sides of the point.
func cutNumber(s string) (mantissa string, ok bool) {
	rest := strings.TrimPrefix(s, "-")
	whole := digits(rest)
	if whole == 0 || whole > 1 && rest[0] == '0' {
		return "", false
	}
	rest = rest[whole:]
	if strings.HasPrefix(rest, ".") {
		fraction := digits(rest[1:])
		if fraction == 0 {
			return "", false
		}
		rest = rest[1+fraction:]
	}
	mantissa = s[:len(s)-len(rest)]
	if rest == "" {
		return mantissa, true
	}
	if rest[0] != 'e' && rest[0] != 'E' {
		return "", false
	}
	rest = rest[1:]
	if rest != "" && (rest[0] == '+' || rest[0] == '-') {
		rest = rest[1:]
	}
	return mantissa, rest != "" && digits(rest) == len(rest)
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

func parseBool(s string) (bool, string) {
	switch s {
	case "1":
		return true, ""
	case "0":
		return false, ""
	}
	return false, notBool
}

func boolText(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// appendTime refuses times that RFC 3339 cannot express; package time would write another instant.
func appendTime(dst []byte, t time.Time) ([]byte, error) {
	if year := t.Year(); year < 0 || year > 9999 {
		return nil, EncodeError(Auto.Name(), t, "RFC 3339 has years 0 to 9999")
	}
	if _, offset := t.Zone(); offset%60 != 0 || offset <= -24*60*60 || offset >= 24*60*60 {
		return nil, EncodeError(Auto.Name(), t, "RFC 3339 has offsets of whole minutes, less than a day")
	}
	return t.AppendFormat(dst, time.RFC3339Nano), nil
}

func parseTime(s string) (time.Time, string) {
	if !isRFC3339(s) {
		return time.Time{}, notTime
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, notTime
	}
	return t, ""
}

// isRFC3339 refuses what time.Parse accepts too easily: hours of one digit, a comma before the
// fraction, fractions that it would truncate, offsets that no clock has.
func isRFC3339(s string) bool {
	const seconds = len("2006-01-02T15:04:05")
	if len(s) <= seconds || s[len("2006-01-02T15")] != ':' {
		return false
	}
	zone := s[seconds:]
	if zone[0] == '.' {
		fraction := digits(zone[1:])
		if fraction > 9 {
			return false
		}
		zone = zone[1+fraction:]
	}
	return zone == "Z" || len(zone) == len("+07:00") && zone[1:3] < "24" && zone[4:] < "60"
}

type stringTyped struct{}

func (*stringTyped) Encode(v string) (string, error)    { return v, nil }
func (*stringTyped) Decode(data string) (string, error) { return data, nil }

type bytesTyped struct{}

func (*bytesTyped) Encode(v []byte) (string, error)    { return string(v), nil }
func (*bytesTyped) Decode(data string) ([]byte, error) { return append([]byte{}, data...), nil }

type boolTyped struct{ name string }

func (*boolTyped) Encode(v bool) (string, error) { return boolText(v), nil }

func (b *boolTyped) Decode(data string) (bool, error) {
	v, reason := parseBool(data)
	return v, scalarError(b.name, data, reason)
}

type intTyped[T int | int8 | int16 | int32 | int64] struct{ name string }

func (*intTyped[T]) Encode(v T) (string, error) { return strconv.FormatInt(int64(v), 10), nil }

func (i *intTyped[T]) Decode(data string) (T, error) {
	n, reason := parseInt(data, 64)
	if reason == "" && int64(T(n)) != n {
		reason = outOfRange
	}
	if reason != "" {
		return 0, scalarError(i.name, data, reason)
	}
	return T(n), nil
}

type uintTyped[T uint | uint8 | uint16 | uint32 | uint64 | uintptr] struct{ name string }

func (*uintTyped[T]) Encode(v T) (string, error) { return strconv.FormatUint(uint64(v), 10), nil }

func (u *uintTyped[T]) Decode(data string) (T, error) {
	n, reason := parseUint(data, 64)
	if reason == "" && uint64(T(n)) != n {
		reason = outOfRange
	}
	if reason != "" {
		return 0, scalarError(u.name, data, reason)
	}
	return T(n), nil
}

type float32Typed struct{ name string }

func (*float32Typed) Encode(v float32) (string, error) {
	return strconv.FormatFloat(float64(v), 'g', -1, 32), nil
}

func (f *float32Typed) Decode(data string) (float32, error) {
	v, reason := parseFloat(data, 32)
	return float32(v), scalarError(f.name, data, reason)
}

type float64Typed struct{ name string }

func (*float64Typed) Encode(v float64) (string, error) {
	return strconv.FormatFloat(v, 'g', -1, 64), nil
}

func (f *float64Typed) Decode(data string) (float64, error) {
	v, reason := parseFloat(data, 64)
	return v, scalarError(f.name, data, reason)
}

type timeTyped struct{}

func (*timeTyped) Encode(v time.Time) (string, error) {
	var buf [len(time.RFC3339Nano)]byte
	b, err := appendTime(buf[:0], v)
	return string(b), err
}

func (*timeTyped) Decode(data string) (time.Time, error) {
	v, reason := parseTime(data)
	return v, scalarError("time.Time", data, reason)
}

func scalarError(typ, data, reason string) error {
	if reason == "" {
		return nil
	}
	return decodeError(Auto.Name(), typ, len(data), reason)
}
