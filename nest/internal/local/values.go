package local

import (
	"hash/maphash"
	"sync"
	"time"
)

// Values are the answers to reads that a process remembers by itself. Each belongs to a key, and to
// a form: which of the reads of that key it answers. Nothing tells Values of changes but Drop and
// Clear, so an answer is good for as long as its reader says. They are bounded; the keys that have
// not been used for the longest time go first. Values are safe for concurrent use.
type Values[V any] struct {
	seed   maphash.Seed
	shards []shard[V]
}

type shard[V any] struct {
	mu      sync.Mutex
	keys    map[string]*remembered[V]
	reading map[string]*reads
	first   *remembered[V] // the most recently used one
	last    *remembered[V]
	size    int
	most    int
}

// remembered is what is remembered of one key.
type remembered[V any] struct {
	key        string
	answers    map[string]answer[V]
	size       int
	next, prev *remembered[V]
}

type answer[V any] struct {
	value V
	size  int
	since time.Time // when the read began
}

// reads are the reads of one key that are under way.
type reads struct {
	n     int
	stale bool // the key has been dropped since they began
}

// Sizes of what Values need for themselves, about as the runtime allocates it.
const (
	keySize  = 400 // for each key, beside its text
	formSize = 100 // for each answer, beside its form and its value
)

const (
	shardSize = 1 << 20
	maxShards = 16
)

// NewValues returns Values that hold up to size bytes. They are divided into up to sixteen shards
// of at least a mebibyte. What does not fit into one of them is not kept.
func NewValues[V any](size int) *Values[V] {
	n := min(max(size/shardSize, 1), maxShards)
	vs := &Values[V]{seed: maphash.MakeSeed(), shards: make([]shard[V], n)}
	for i := range vs.shards {
		vs.shards[i].most = size / n
	}
	return vs
}

func (vs *Values[V]) shard(key string) *shard[V] {
	if len(vs.shards) == 1 {
		return &vs.shards[0]
	}
	return &vs.shards[maphash.String(vs.seed, key)%uint64(len(vs.shards))]
}

// Get returns the answer to a read that began less than d ago.
func (vs *Values[V]) Get(key, form string, d time.Duration) (v V, ok bool) {
	s := vs.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.keys[key]
	if r == nil {
		return v, false
	}
	a, ok := r.answers[form]
	if !ok || time.Since(a.since) >= d {
		return v, false
	}
	s.use(r)
	return a.value, true
}

// Reading is a read of a key that is under way. It ends with Keep or End.
type Reading[V any] struct {
	vs    *Values[V]
	key   string
	reads *reads
	since time.Time
}

// Begin is called before a read is sent.
func (vs *Values[V]) Begin(key string) Reading[V] {
	s := vs.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.reading[key]
	if r == nil {
		if s.reading == nil {
			s.reading = make(map[string]*reads)
		}
		r = &reads{}
		s.reading[key] = r
	}
	r.n++
	return Reading[V]{vs, key, r, time.Now()}
}

// End ends a read that has no answer.
func (r Reading[V]) End() {
	s := r.vs.shard(r.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(r.key, r.reads)
}

// Keep ends a read. Its answer is remembered, unless the key has been dropped since the read began:
// then the answer may be older than what the key was dropped for. size is that of the value in
// bytes.
func (r Reading[V]) Keep(form string, v V, size int) {
	s := r.vs.shard(r.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(r.key, r.reads)
	if !r.reads.stale {
		s.keep(r.key, form, answer[V]{v, size + len(form) + formSize, r.since})
	}
}

// Drop forgets a key, and what the reads that are under way are about to answer.
func (vs *Values[V]) Drop(key string) {
	s := vs.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.reading[key]; r != nil {
		r.stale = true
		delete(s.reading, key)
	}
	if r := s.keys[key]; r != nil {
		s.forget(r)
	}
}

// Clear forgets everything, and what all reads that are under way are about to answer.
func (vs *Values[V]) Clear() {
	for i := range vs.shards {
		s := &vs.shards[i]
		s.mu.Lock()
		for _, r := range s.reading {
			r.stale = true
		}
		s.reading, s.keys, s.first, s.last, s.size = nil, nil, nil, nil, 0
		s.mu.Unlock()
	}
}

// Size returns how many bytes are taken, about.
func (vs *Values[V]) Size() int {
	size := 0
	for i := range vs.shards {
		s := &vs.shards[i]
		s.mu.Lock()
		size += s.size
		s.mu.Unlock()
	}
	return size
}

// The methods of a shard are called while it is locked.

func (s *shard[V]) end(key string, r *reads) {
	if r.n--; r.n == 0 && s.reading[key] == r {
		delete(s.reading, key)
	}
}

func (s *shard[V]) keep(key, form string, a answer[V]) {
	r := s.keys[key]
	if r == nil {
		if s.keys == nil {
			s.keys = make(map[string]*remembered[V])
		}
		r = &remembered[V]{key: key, answers: make(map[string]answer[V], 1)}
		s.keys[key] = r
		s.grow(r, keySize+len(key))
	} else {
		s.unlink(r)
	}
	s.link(r)
	if was, ok := r.answers[form]; ok {
		if was.since.After(a.since) {
			return // another read, which began later, has been answered sooner
		}
		s.grow(r, -was.size)
	}
	r.answers[form] = a
	s.grow(r, a.size)
	for s.size > s.most {
		s.forget(s.last)
	}
}

func (s *shard[V]) grow(r *remembered[V], by int) {
	r.size += by
	s.size += by
}

func (s *shard[V]) forget(r *remembered[V]) {
	s.unlink(r)
	delete(s.keys, r.key)
	s.size -= r.size
}

func (s *shard[V]) use(r *remembered[V]) {
	if s.first != r {
		s.unlink(r)
		s.link(r)
	}
}

func (s *shard[V]) link(r *remembered[V]) {
	r.prev, r.next = nil, s.first
	if s.first != nil {
		s.first.prev = r
	} else {
		s.last = r
	}
	s.first = r
}

func (s *shard[V]) unlink(r *remembered[V]) {
	if r.prev != nil {
		r.prev.next = r.next
	} else {
		s.first = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	} else {
		s.last = r.prev
	}
}
