package nest

// seat is what an operation of a batch takes beside its key: its future, and what settles it.
type seat[F, R any] struct {
	future F
	entry  entry[R]
}

// slab is room for operations of one type that follow one another in a batch: one for the first,
// and for the next ones more and more at a time, so that a batch of many like operations
// allocates little, and one of different operations no more than it needs.
type slab[F, R any] struct {
	first seat[F, R]
	more  []seat[F, R] // not taken yet
	size  int          // of the last piece
}

// maxSlab is how many operations share one piece of memory. All of them stay in memory as long as
// somebody holds a future of one.
const maxSlab = 16

func seatIn[F, R any](b *Batch) *seat[F, R] {
	if b == nil || b.ran {
		return new(seat[F, R])
	}
	s, ok := b.slab.(*slab[F, R])
	if !ok {
		s = new(slab[F, R])
		b.slab = s
		return &s.first
	}
	if len(s.more) == 0 {
		s.size = min(2*s.size+1, maxSlab)
		s.more = make([]seat[F, R], s.size)
	}
	taken := &s.more[0]
	s.more = s.more[1:]
	return taken
}
