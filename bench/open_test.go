package bench

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/redisimnest/redisimnest/nest"
)

// forest declares a tree of that many keys, ten in a cluster, each cluster with a parameter.
func forest(keys int) *nest.ClusterDef {
	clusters := make([]nest.Node, keys/10)
	for i := range clusters {
		fields := make([]nest.Node, 10)
		for j := range fields {
			fields[j] = nest.Key[string](fmt.Sprintf("field%d", j))
		}
		clusters[i] = nest.Cluster(fmt.Sprintf("service%d:<id>", i), nest.Sub(fields...))
	}
	return nest.Cluster("root", nest.Sub(clusters...))
}

// BenchmarkOpen lays out and proves a tree of 10,000 keys. live-B is what the opened tree keeps.
func BenchmarkOpen(b *testing.B) {
	root := forest(10_000)
	b.Run("10000/nest", func(b *testing.B) {
		b.ReportAllocs()
		before := liveHeap()
		var last nest.Scope
		for b.Loop() {
			scope, err := nest.Open(nil, root, nest.NamesOnly())
			if err != nil {
				b.Fatal(err)
			}
			last = scope
		}
		b.ReportMetric(float64(liveHeap()-before), "live-B")
		sink = last.Prefix()
	})
}

// liveHeap is what the heap holds after a collection, in bytes.
func liveHeap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// BenchmarkMatch finds the declaration of a name among 10, 1,000 and 10,000, beside what one
// does without an index: to try one pattern after the other, until the middle one fits.
func BenchmarkMatch(b *testing.B) {
	for _, keys := range []int{10, 1000, 10_000} {
		top, err := nest.Open(nil, forest(keys), nest.NamesOnly())
		if err != nil {
			b.Fatal(err)
		}
		name := fmt.Sprintf("root:service%d:1000042:field5", keys/20)
		b.Run(fmt.Sprintf("%d/nest", keys), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				match, err := top.Match(name)
				if err != nil {
					b.Fatal(err)
				}
				sink = match.Key()
			}
		})
		patterns := patternsOf(top.Describe())
		b.Run(fmt.Sprintf("%d/regexps", keys), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, p := range patterns {
					if p.MatchString(name) {
						sink = name
						break
					}
				}
			}
		})
	}
}

// patternsOf makes a regular expression of every key that is described.
func patternsOf(d nest.Description) []*regexp.Regexp {
	if d.Kind != nest.KindCluster {
		return []*regexp.Regexp{regexp.MustCompile("^" + strings.ReplaceAll(d.Name, "<id>", "([^:]+)") + "$")}
	}
	var all []*regexp.Regexp
	for _, n := range d.Nodes {
		all = append(all, patternsOf(n)...)
	}
	return all
}
