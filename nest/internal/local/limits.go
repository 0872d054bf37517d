// Package local holds what a process keeps by itself when Redis cannot do it: limits and values.
package local

import (
	"maps"
	"math"
	"sync"
	"time"
)

// Limits are the limiters that a process counts by itself. The zero value is ready to use.
type Limits struct {
	mu  sync.Mutex
	now map[string]limit
}

// Rate is a rate in the units in which the server counts. An event adds Unit to a level that may
// reach Burst times Unit, and that loses Drain in each microsecond. Of a window, Drain is its
// length in microseconds.
type Rate struct {
	Burst, Unit, Drain int64
	Window             bool
}

// Decision is the answer of a limiter: whether the events may happen, how many more may, and the
// microseconds until the events may happen and until all is forgotten.
type Decision struct {
	Allowed                 bool
	Remaining, Retry, Reset int64
}

// limit is what the server's scripts keep in a limiter's key: the level, its unit, and when it
// was measured or when the window began, in microseconds.
type limit struct {
	level, unit, since int64
	idle               time.Time // when it means no more than a missing one
}

// maxLimits bounds how many limiters a process remembers.
const maxLimits = 1 << 16

// Decide decides about n events, and counts them if take says so and they are allowed. It does what
// the server's scripts do.
func (ls *Limits) Decide(l Rate, key string, n int64, take bool, at time.Time) Decision {
	now := at.UnixMicro()
	full, cost := l.Burst*l.Unit, n*l.Unit
	ls.mu.Lock()
	defer ls.mu.Unlock()
	held, ok := ls.now[key]
	if !ok || held.unit != l.Unit {
		held = limit{unit: l.Unit, since: now}
	}
	back := held.since > now // the clock was set back: from here on time passes
	held.since = min(held.since, now)
	var retry, reset int64
	allowed := true
	if l.Window {
		if now-held.since >= l.Drain {
			held.level, held.since = 0, now
		}
		if held.level+cost > full {
			allowed, retry = false, held.since+l.Drain-now
		} else if take {
			held.level += cost
		}
		if held.level > 0 {
			reset = held.since + l.Drain - now
		}
	} else {
		held.level, held.since = held.level-drained(held.level, now-held.since, l.Drain), now
		if after := held.level + cost; after > full {
			allowed, retry = false, (after-full+l.Drain-1)/l.Drain
		} else if take {
			held.level = after
		}
		reset = (held.level + l.Drain - 1) / l.Drain
	}
	held.idle = at.Add(time.Duration(min(reset, math.MaxInt64/1000)) * time.Microsecond)
	if back || allowed && take && cost > 0 {
		ls.keep(key, held, at)
	}
	return Decision{allowed, max(0, full-held.level) / l.Unit, retry, reset}
}

// drained returns how much of a level is gone after some microseconds.
func drained(level, elapsed, drain int64) int64 {
	if elapsed >= (level+drain-1)/drain {
		return level
	}
	return elapsed * drain
}

// keep remembers a limiter. If there are too many, it forgets the idle ones, and then some others.
func (ls *Limits) keep(key string, held limit, now time.Time) {
	if ls.now == nil {
		ls.now = make(map[string]limit)
	}
	ls.now[key] = held
	if len(ls.now) <= maxLimits {
		return
	}
	maps.DeleteFunc(ls.now, func(_ string, l limit) bool { return !now.Before(l.idle) })
	for other := range ls.now {
		if len(ls.now) <= maxLimits/2 {
			break
		}
		if other != key {
			delete(ls.now, other)
		}
	}
}

// Len returns how many limiters are remembered.
func (ls *Limits) Len() int {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return len(ls.now)
}
