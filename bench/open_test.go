package bench

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/redisimnest/redisimnest/nest"
)

// forest declares a tree with that many keys, ten in a cluster, each cluster with a parameter.
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

// flat declares that many keys beside one another, whose literals are between two parameters.
func flat(keys int) *nest.ClusterDef {
	all := make([]nest.Node, keys)
	for i := range all {
		all[i] = nest.Key[string](fmt.Sprintf("<tenant>-k%d-<day>", i))
	}
	return nest.Cluster("root", nest.Sub(all...))
}

// BenchmarkOpen lays out and proves trees of 10,000 keys: one in clusters of ten, and one in a
// single cluster, where each key differs from the others only between two parameters. live-B is the
// memory that the opened tree keeps.
func BenchmarkOpen(b *testing.B) {
	for _, shape := range []struct {
		name string
		root *nest.ClusterDef
	}{
		{"10000/nest", forest(10_000)},
		{"10000-flat/nest", flat(10_000)},
	} {
		b.Run(shape.name, func(b *testing.B) {
			b.ReportAllocs()
			before := liveHeap()
			var last nest.Scope
			for b.Loop() {
				scope, err := nest.Open(nil, shape.root, nest.NamesOnly())
				if err != nil {
					b.Fatal(err)
				}
				last = scope
			}
			b.ReportMetric(float64(liveHeap()-before), "live-B")
			sink = last.Prefix()
		})
	}
}

// liveHeap returns the size of the heap after a collection, in bytes.
func liveHeap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// BenchmarkMatch finds the declaration of a name among 10, 1,000 and 10,000. The rival is the way
// without an index, which tries one pattern after the other until the middle one matches.
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

// patternsOf returns a regular expression for every key in the description.
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
