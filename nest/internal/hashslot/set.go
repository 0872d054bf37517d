package hashslot

import (
	"math/bits"
	"strconv"
	"strings"
)

// Set is a set of slots of a Redis Cluster.
type Set [Count / 64]uint64

// Every is the set of all slots.
func Every() (s Set) {
	for i := range s {
		s[i] = ^uint64(0)
	}
	return s
}

// Add adds a slot.
func (s *Set) Add(slot uint16) { s[slot/64] |= 1 << (slot % 64) }

// Has reports whether a slot is in the set.
func (s *Set) Has(slot uint16) bool { return s[slot/64]>>(slot%64)&1 == 1 }

// AddText adds slots as CLUSTER NODES writes them, "5" or "0-5460". It reports whether the text has
// that form.
func (s *Set) AddText(text string) bool {
	from, to, ranged := strings.Cut(text, "-")
	if !ranged {
		to = from
	}
	first, err1 := strconv.ParseUint(from, 10, 16)
	last, err2 := strconv.ParseUint(to, 10, 16)
	if err1 != nil || err2 != nil || first > last || last >= Count {
		return false
	}
	for slot := first; slot <= last; slot++ {
		s.Add(uint16(slot))
	}
	return true
}

// Len returns the number of slots.
func (s *Set) Len() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// Empty reports whether there is no slot in the set.
func (s *Set) Empty() bool { return *s == Set{} }

// And returns the slots that are in both.
func (s *Set) And(other *Set) (both Set) {
	for i := range s {
		both[i] = s[i] & other[i]
	}
	return both
}

// Or returns the slots that are in either.
func (s *Set) Or(other *Set) (either Set) {
	for i := range s {
		either[i] = s[i] | other[i]
	}
	return either
}

// Without returns the slots that are not in other.
func (s *Set) Without(other *Set) (rest Set) {
	for i := range s {
		rest[i] = s[i] &^ other[i]
	}
	return rest
}

// All yields the slots in their order.
func (s *Set) All(yield func(uint16) bool) {
	for i, word := range s {
		for ; word != 0; word &= word - 1 {
			if !yield(uint16(i*64 + bits.TrailingZeros64(word))) {
				return
			}
		}
	}
}

// shownRanges is how many ranges of slots an error names.
const shownRanges = 8

// String names the slots as ranges: "slots 0-5460, 7".
func (s *Set) String() string {
	var b strings.Builder
	ranges, left := 0, 0
	first, last := -2, -2
	flush := func() {
		if first < 0 {
			return
		}
		if ranges++; ranges > shownRanges {
			left += last - first + 1
			return
		}
		if ranges > 1 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(first))
		if last > first {
			b.WriteString("-" + strconv.Itoa(last))
		}
	}
	for slot := range s.All {
		if int(slot) != last+1 {
			flush()
			first = int(slot)
		}
		last = int(slot)
	}
	flush()
	if left > 0 {
		b.WriteString(" and " + strconv.Itoa(left) + " more")
	}
	if s.Len() == 1 {
		return "slot " + b.String()
	}
	return "slots " + b.String()
}
