package bench

import (
	"runtime"
	"testing"

	"github.com/redisimnest/redisimnest/nest"
)

// BenchmarkMemory reports what stays in memory for each declaration, for each that was opened, and
// for each scope and reference that a program keeps (B/op).
func BenchmarkMemory(b *testing.B) {
	const n = 10_000
	keep := func(name string, create func() any) {
		b.Run(name+"/nest", func(b *testing.B) {
			var sizes []float64
			for b.Loop() {
				before := liveHeap()
				kept := create()
				sizes = append(sizes, float64(liveHeap()-before)/n)
				runtime.KeepAlive(kept)
			}
			b.ReportMetric(median(sizes), "B/op")
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(0, "allocs/op")
		})
	}
	tree := forest(n)
	top, err := nest.Open(nil, keyspace, nest.NamesOnly())
	if err != nil {
		b.Fatal(err)
	}
	keep("a declaration", func() any { return forest(n) })
	keep("a declaration that was opened", func() any {
		scope, err := nest.Open(nil, tree, nest.NamesOnly())
		if err != nil {
			b.Fatal(err)
		}
		return scope
	})
	keep("a scope", func() any {
		all := make([]nest.Scope, n)
		for i := range all {
			all[i] = user.At(top, ids[i%several])
		}
		return all
	})
	keep("a reference", func() any {
		all := make([]nest.KeyRef[int], n)
		for i := range all {
			all[i] = age.At(top, ids[i%several])
		}
		return all
	})
}
