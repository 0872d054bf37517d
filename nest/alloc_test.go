package nest

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestResolvingAllocatesTheNameOnly holds the hot path to its budget: what At allocates is the
// name, and arguments stay where they are.
func TestResolvingAllocatesTheNameOnly(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates on its own")
	}
	s := open(t, root)
	u := users.At(s, 42)
	id, token, model := int64(1_234_567), "token-"+strconv.Itoa(7), "model"+strconv.Itoa(8)
	var ref Ref
	for _, c := range []struct {
		name string
		want float64
		run  func()
	}{
		{"from a scope, no parameter", 1, func() { ref = age.At(u).Ref }},
		{"from a scope", 1, func() { ref = session.At(u, token).Ref }},
		{"from the root, an int64 and a string", 1, func() { ref = session.At(s, id, token).Ref }},
		{"from the root, an int and a string", 1, func() { ref = session.At(s, int(id), token).Ref }},
		{"two strings", 1, func() { ref = product.At(s, model, token).Ref }},
		{"a string to escape", 1, func() { ref = session.At(u, "a:b").Ref }},
		{"a tail", 1, func() { ref = file.At(s, token).Ref }},
		{"a scope", 1, func() { _ = users.At(s, id) }},
		{"an empty scope", 1, func() { _ = tagged.At(s, token) }},
	} {
		require.Equal(t, c.want, testing.AllocsPerRun(100, c.run), c.name)
		require.NoError(t, ref.Err(), c.name)
	}
	name := session.At(u, token).Key()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if m, err := s.Match(name); err != nil || m.Def() != session {
			t.Error(err)
		}
	}), "match")
}

// bigTree declares n keys in clusters of 100, each cluster with a parameter.
func bigTree(n int) (*ClusterDef, []*KeyDef[int]) {
	var keys []*KeyDef[int]
	var clusters []Node
	for c := range (n + 99) / 100 {
		var subs []Node
		for k := range min(100, n-c*100) {
			key := Key[int](fmt.Sprintf("key%d", k))
			keys = append(keys, key)
			subs = append(subs, key)
		}
		clusters = append(clusters, Cluster(fmt.Sprintf("cluster%d:<id>", c), Sub(subs...)))
	}
	return Cluster("root", Sub(clusters...)), keys
}

func TestOpenOfManyDeclarationsIsCheap(t *testing.T) {
	tree, keys := bigTree(10_000)
	s := open(t, tree)
	for i, k := range keys {
		if i%997 == 0 {
			m, err := s.Match(k.At(s, i).Key())
			require.NoError(t, err)
			require.Same(t, k, m.Def())
		}
	}
	if raceEnabled {
		return
	}
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = Check(tree)
		}
	})
	require.Less(t, result.AllocedBytesPerOp(), int64(64<<20))
}
