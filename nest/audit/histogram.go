package audit

import (
	"time"

	"github.com/redisimnest/redisimnest/nest"
)

// Histogram counts keys by how long they still live. The first bucket is that of the keys that do
// not expire.
type Histogram []Bucket

// Bucket is one bucket of a [Histogram]. It counts the keys that live at most UpTo, and longer than
// the bucket before says.
type Bucket struct {
	// UpTo is [nest.Forever] for keys that do not expire, and 0 for those that live longer than all
	// other buckets say.
	UpTo time.Duration `json:"up_to_ns"`
	Keys int64         `json:"keys"`
}

// forever is how many keys do not expire.
func (h Histogram) forever() int64 {
	if len(h) == 0 {
		return 0 // of a report that was not made here
	}
	return h[0].Keys
}

const day = 24 * time.Hour

// bounds are those of the buckets of a histogram.
var bounds = [...]time.Duration{
	nest.Forever, time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour, day, 7 * day, 30 * day, 365 * day, 0,
}

// label is what the bucket counts, in words.
func (b Bucket) label() string {
	switch b.UpTo {
	case nest.Forever:
		return "no expiry"
	case 0:
		return "> " + duration(bounds[len(bounds)-2])
	}
	return "≤ " + duration(b.UpTo)
}

// counts are the counts of a histogram.
type counts [len(bounds)]int64

// add counts a key.
func (c *counts) add(ttl time.Duration) {
	if ttl == nest.Forever {
		c[0]++
		return
	}
	i := 1
	for i < len(bounds)-1 && ttl > bounds[i] {
		i++
	}
	c[i]++
}

func (c *counts) merge(other *counts) {
	for i, n := range other {
		c[i] += n
	}
}

// load adds what a report says.
func (c *counts) load(h Histogram) {
	for _, b := range h {
		for i, bound := range bounds {
			if bound == b.UpTo {
				c[i] += b.Keys
			}
		}
	}
}

func (c *counts) histogram() Histogram {
	h := make(Histogram, len(bounds))
	for i, n := range c {
		h[i] = Bucket{bounds[i], n}
	}
	return h
}
