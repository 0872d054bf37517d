package codec

import (
	"errors"
	"time"
)

// Naive is the location of times without an offset: Python's naive datetimes, which are clock
// readings rather than instants. [Tagged] reads such a datetime as a time in Naive, whose clock is
// that of UTC, and writes a time in Naive without an offset.
var Naive = time.FixedZone("naive", 0)

var errNotDatetime = errors.New("not a datetime as Python's isoformat writes it, in whole microseconds")

// appendDatetime appends t as Python's isoformat does.
func appendDatetime(dst []byte, t time.Time) ([]byte, error) {
	if year := t.Year(); year < 1 || year > 9999 {
		return nil, errors.New("datetime has years 1 to 9999")
	}
	const seconds, micros = "2006-01-02T15:04:05", ".000000"
	fraction := t.Nanosecond() != 0
	if t.Nanosecond()%1000 != 0 {
		return nil, errors.New("datetime has microseconds: round the time with Truncate(time.Microsecond)")
	}
	if t.Location() == Naive {
		if fraction {
			return t.AppendFormat(dst, seconds+micros), nil
		}
		return t.AppendFormat(dst, seconds), nil
	}
	_, east := t.Zone()
	if east <= -24*60*60 || east >= 24*60*60 {
		return nil, errors.New("datetime has offsets of less than a day")
	}
	layout := seconds
	if fraction {
		layout += micros
	}
	return appendOffset(t.AppendFormat(dst, layout), east), nil
}

// appendOffset appends an offset from UTC. It handles offsets of less than a minute: package time
// would write their sign after the zeros.
func appendOffset(dst []byte, east int) []byte {
	sign := byte('+')
	if east < 0 {
		sign, east = '-', -east
	}
	dst = appendTwo(append(dst, sign), east/3600)
	dst = appendTwo(append(dst, ':'), east/60%60)
	if east%60 == 0 {
		return dst
	}
	return appendTwo(append(dst, ':'), east%60)
}

// appendTwo appends n as two digits.
func appendTwo(dst []byte, n int) []byte { return append(dst, '0'+byte(n/10), '0'+byte(n%10)) }

// parseDatetime parses what appendDatetime writes, and also fractions of three digits, and Z for
// UTC. It does not call time.Parse, which would look at the machine's zone.
func parseDatetime(s string) (time.Time, error) {
	c := clock{rest: s, ok: true}
	year := c.number(4)
	c.want("-")
	month := c.number(2)
	c.want("-")
	day := c.number(2)
	c.want("T")
	hour := c.number(2)
	c.want(":")
	minute := c.number(2)
	c.want(":")
	second := c.number(2)
	micro := c.fraction()
	location := c.zone()
	if !c.ok || year < 1 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, errNotDatetime
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, micro*1000, location)
	if t.Month() != time.Month(month) || t.Day() != day {
		return time.Time{}, errNotDatetime // the 30th of February would be the 1st of March
	}
	return t, nil
}

// clock reads the parts of a datetime. Once a part is missing, ok stays false.
type clock struct {
	rest string
	ok   bool
}

func (c *clock) number(width int) int {
	if !c.ok || digits(c.rest[:min(width, len(c.rest))]) < width {
		c.ok = false
		return 0
	}
	n := 0
	for _, d := range []byte(c.rest[:width]) {
		n = n*10 + int(d-'0')
	}
	c.rest = c.rest[width:]
	return n
}

// next reports whether s comes next, and if so skips it.
func (c *clock) next(s string) bool {
	if len(c.rest) < len(s) || c.rest[:len(s)] != s {
		return false
	}
	c.rest = c.rest[len(s):]
	return true
}

func (c *clock) want(s string) { c.ok = c.next(s) && c.ok }

// fraction returns microseconds.
func (c *clock) fraction() int {
	if !c.next(".") {
		return 0
	}
	if digits(c.rest) == 3 {
		return c.number(3) * 1000
	}
	return c.number(6)
}

func (c *clock) zone() *time.Location {
	switch {
	case c.rest == "":
		return Naive
	case c.rest == "Z":
		return time.UTC
	}
	sign := 1
	if c.next("-") {
		sign = -1
	} else {
		c.want("+")
	}
	hour := c.number(2)
	c.want(":")
	minute, second := c.number(2), 0
	if c.next(":") {
		second = c.number(2)
	}
	if c.rest != "" || hour > 23 || minute > 59 || second > 59 {
		c.ok = false
	}
	offset := sign * (hour*3600 + minute*60 + second)
	if offset == 0 {
		return time.UTC
	}
	return time.FixedZone("", offset)
}
