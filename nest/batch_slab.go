package nest

import "sync"

// Besides the commands themselves, a batch allocates its items and its futures. The next batch uses
// the items again, unless they were part of a [Transact]. The caller may keep the futures, so
// consecutive futures of one type share pieces of memory.

// slab is room for consecutive futures of one type in a batch. It has room for the first one, and
// then allocates ever larger pieces for the next ones. So a batch of many like operations allocates
// little, and a batch of different operations no more than it needs.
type slab[F any] struct {
	first F
	more  []F // not taken yet
	size  int // of the last piece
}

// maxSlab is how many futures share one piece of memory. All of them stay in memory as long as the
// caller holds one of them.
const maxSlab = 64

// room returns the place for the next future of a batch.
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

// longestKept is the capacity above which a list is not kept. It is that of a full pipeline.
const longestKept = 2048

// recycle keeps a list of items for the next batch. The list must no longer be in use.
func recycle(items []item) {
	if cap(items) > longestKept {
		return
	}
	clear(items)
	items = items[:0]
	itemPool.Put(&items)
}
