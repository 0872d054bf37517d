package nest

import "sync"

// What a batch takes beside the commands themselves are its items, which are used again by the
// next batch unless they were part of a [Transact], and the futures, which the caller may keep: those of one type that follow one another
// share pieces of memory.

// slab is room for futures of one type that follow one another in a batch: one for the first, and
// for the next ones more and more at a time, so that a batch of many like operations allocates
// little, and one of different operations no more than it needs.
type slab[F any] struct {
	first F
	more  []F // not taken yet
	size  int // of the last piece
}

// maxSlab is how many futures share one piece of memory. All of them stay in memory as long as
// somebody holds one.
const maxSlab = 16

// room gives the place of the next future of a batch.
func room[F any](b *Batch) *F {
	if b == nil || b.ran {
		return new(F)
	}
	s, ok := b.slab.(*slab[F])
	if !ok {
		s = new(slab[F])
		b.slab = s
		return &s.first
	}
	if len(s.more) == 0 {
		s.size = min(2*s.size+1, maxSlab)
		s.more = make([]F, s.size)
	}
	taken := &s.more[0]
	s.more = s.more[1:]
	return taken
}

// itemPool holds the empty lists of batches that have been run.
var itemPool = sync.Pool{New: func() any { return new([]item) }}

// longestKept is how long a list may be that is kept: a pipeline that is full has one of so many.
const longestKept = 512

// recycle keeps a list of items that nobody uses any more for the next batch.
func recycle(items []item) {
	if cap(items) > longestKept {
		return
	}
	clear(items)
	items = items[:0]
	itemPool.Put(&items)
}
