package secure

import (
	"runtime"
	"runtime/metrics"
	"sync/atomic"
)

// garbage bounds the memory that finished computations leave behind. Each computation allocates its
// own tens of MiB and cannot reuse those of the one before. A burst of them outruns the collector,
// which runs concurrently: the memory of five was seen where two were allowed to run.
type garbage struct {
	limit uint64 // KiB
	left  atomic.Uint64
}

func (g *garbage) add(kib uint64) { g.left.Add(kib) }

// collect frees what is left behind once it reaches the limit. It is called before a computation,
// which takes a hundred times as long. In a process whose own heap is much larger, collect leaves
// the pace to the collector: there a collection would cost more than a computation, and the memory
// left behind is a small part of the whole.
func (g *garbage) collect() {
	n := g.left.Load()
	if n < g.limit || !g.left.CompareAndSwap(n, 0) {
		return
	}
	if liveHeap()>>10 <= 8*g.limit {
		runtime.GC()
	}
}

// liveHeap returns the bytes in use that the last collection found.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
