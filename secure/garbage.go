package secure

import (
	"runtime"
	"runtime/metrics"
	"sync/atomic"
)

// garbage bounds the memory that finished computations leave behind. A
// computation takes its tens of MiB anew each time and cannot take what the one
// before it had, so that a crowd of them outruns the collector, which works
// beside them: five at a time were seen where two were allowed to run.
type garbage struct {
	limit uint64 // KiB
	left  atomic.Uint64
}

func (g *garbage) add(kib uint64) { g.left.Add(kib) }

// collect frees what is left behind when it comes to the limit. It is called
// before a computation, which takes a hundred times as long. In a process whose
// own heap is much larger it leaves the pace to the collector: there one
// collection would cost more than a computation, and what is left behind is a
// small part of the whole.
func (g *garbage) collect() {
	n := g.left.Load()
	if n < g.limit || !g.left.CompareAndSwap(n, 0) {
		return
	}
	if liveHeap()>>10 <= 8*g.limit {
		runtime.GC()
	}
}

// liveHeap is what the last collection found in use, in bytes.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
