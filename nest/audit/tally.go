package audit

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/redisimnest/redisimnest/nest"
)

// tally counts keys.
type tally struct {
	keys      int64
	types     map[string]int64
	encodings map[string]int64
	elements  int64
	longest   int64
	ttls      counts

	// The memory is that of a sample. The i-th key is measured with the probability sample/i and
	// stands for i/sample keys, so that weighed is an unbiased estimate of what all keys take, and
	// weights one of how many they are.
	sampled         int64
	weights, weighs float64
	// largest has the keys that take the most memory, and longer the lengths of the longest keys.
	largest []Sized
	longer  []int64
}

func newTally() *tally {
	return &tally{types: make(map[string]int64), encodings: make(map[string]int64)}
}

// add counts a key.
func (t *tally) add(i *nest.Inspection) {
	t.keys++
	t.types[i.Type]++
	if i.Encoding != "" {
		t.encodings[i.Encoding]++
	}
	t.elements += i.Len
	t.longest = max(t.longest, i.Len)
	t.ttls.add(i.TTL)
}

// choose decides whether the memory of a key is measured, which is the nth one. weight is how many
// keys it stands for in the sample; it is 0 for a key that is measured because it is long.
func (t *tally) choose(i *nest.Inspection, nth int64, o *options) (weight float64, chosen bool) {
	if o.sample == 0 {
		return 0, false
	}
	long := t.isLong(i.Len, o.examples)
	if nth <= int64(o.sample) {
		return 1, true
	}
	if p := float64(o.sample) / float64(nth); rand.Float64() < p {
		return 1 / p, true
	}
	return 0, long
}

// isLong reports whether a key is among the longest so far, and remembers its length if it is.
func (t *tally) isLong(n int64, most int) bool {
	if most == 0 || len(t.longer) == most && n <= t.longer[most-1] {
		return false
	}
	at, _ := slices.BinarySearchFunc(t.longer, n, func(have, n int64) int { return cmp.Compare(n, have) })
	t.longer = slices.Insert(t.longer, at, n)
	t.longer = t.longer[:min(len(t.longer), most)]
	return true
}

// measure adds what a chosen key takes.
func (t *tally) measure(bytes int64, weight float64) {
	if weight > 0 {
		t.sampled++
		t.weights += weight
		t.weighs += weight * float64(bytes)
	}
}

// isLarge reports whether a key of this size is among the largest so far.
func isLarge(largest []Sized, bytes int64, most int) bool {
	return len(largest) < most || most > 0 && bytes > largest[len(largest)-1].Bytes
}

// keepLargest adds a key to the largest ones.
func keepLargest(largest []Sized, s Sized, most int) []Sized {
	if !isLarge(largest, s.Bytes, most) {
		return largest
	}
	at, _ := slices.BinarySearchFunc(largest, s.Bytes, func(have Sized, bytes int64) int { return cmp.Compare(bytes, have.Bytes) })
	largest = slices.Insert(largest, at, s)
	return largest[:min(len(largest), most)]
}

// bytes returns what all keys take, as an estimate if the sample does not have all of them.
func (t *tally) bytes() float64 {
	if t.weights == 0 {
		return 0
	}
	return t.weighs / t.weights * float64(t.keys)
}

// merge adds what another tally has counted.
func (t *tally) merge(other *tally, most int) {
	t.weighs = t.bytes() + other.bytes()
	t.weights = known(t) + known(other)
	t.keys += other.keys
	t.sampled += other.sampled
	t.elements += other.elements
	t.longest = max(t.longest, other.longest)
	t.ttls.merge(&other.ttls)
	for k, n := range other.types {
		t.types[k] += n
	}
	for k, n := range other.encodings {
		t.encodings[k] += n
	}
	for _, s := range other.largest {
		t.largest = keepLargest(t.largest, s, most)
	}
	for _, n := range other.longer {
		t.isLong(n, most)
	}
}

// known is how many keys the bytes of a tally are about: all, unless none was measured.
func known(t *tally) float64 {
	if t.weights == 0 {
		return 0
	}
	return float64(t.keys)
}

// load adds what a report says.
func (t *tally) load(s *Stats, most int) {
	other := tally{
		keys: s.Keys, types: s.Types, encodings: s.Encodings, elements: s.Elements, longest: s.Longest,
		sampled: s.Sampled, largest: s.Largest,
	}
	if s.Sampled > 0 {
		other.weights, other.weighs = float64(s.Keys), float64(s.Bytes)
	}
	for _, big := range s.Largest {
		other.longer = append(other.longer, big.Len)
	}
	other.ttls.load(s.TTLs)
	t.merge(&other, most)
}

// stats returns what was counted.
func (t *tally) stats() Stats {
	return Stats{
		Keys: t.keys, Bytes: int64(t.bytes() + 0.5), Sampled: t.sampled,
		Types: maps.Clone(t.types), Encodings: maps.Clone(t.encodings),
		Elements: t.elements, Longest: t.longest, TTLs: t.ttls.histogram(), Largest: slices.Clone(t.largest),
	}
}
