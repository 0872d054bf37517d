package nest

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
)

// TestResolvingAllocatesTheNameOnly checks the budget of the hot path: At allocates only the name,
// and arguments do not escape to the heap.
func TestResolvingAllocatesTheNameOnly(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates on its own")
	}
	s := open(t, root)
	u := users.At(s, 42)
	plainLevel, plainShade := Param[level]("level"), Param[colour]("shade")
	plainKey := Key[int]("constant")
	plainVisit := Key[int]("visit:<level>:<shade>", Params(plainLevel, plainShade))
	word := Param[string]("word")
	search := Key[int]("search:<word>", Params(word))
	plain := open(t, Cluster("root", Sub(plainKey, plainVisit, search)))
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
		{"no parameter at all", 0, func() { ref = plainKey.At(plain).Ref }},
		{"an int8", 1, func() { ref = session.At(s, int8(id%100), token).Ref }},
		{"an int16", 1, func() { ref = session.At(s, int16(id%100), token).Ref }},
		{"an int32", 1, func() { ref = session.At(s, int32(id), token).Ref }},
		{"a uint", 1, func() { ref = session.At(s, uint(id), token).Ref }},
		{"a uint8", 1, func() { ref = session.At(s, uint8(id%100), token).Ref }},
		{"a uint16", 1, func() { ref = session.At(s, uint16(id%100), token).Ref }},
		{"a uint32", 1, func() { ref = session.At(s, uint32(id), token).Ref }},
		{"a uint64", 1, func() { ref = session.At(s, uint64(id), token).Ref }},
		{"named types", 1, func() { ref = plainVisit.At(plain, level(id%100), colour(token)).Ref }},
		{"a named argument", 1, func() { ref = search.At(plain, word.Of(token)).Ref }},
		{"named arguments", 1, func() { ref = plainVisit.At(plain, plainLevel.Of(level(id%100)), plainShade.Of(colour(token))).Ref }},
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
	var beside []Node
	for i := range 10_000 {
		beside = append(beside, Key[int](fmt.Sprintf("<tenant>-k%d-<day>", i)))
	}
	for what, tree := range map[string]*ClusterDef{"clusters": tree, "one cluster": Cluster("root", Sub(beside...))} {
		result := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = Check(tree)
			}
		})
		require.Less(t, result.AllocsPerOp(), int64(8*10_000), what)
		require.Less(t, result.AllocedBytesPerOp(), int64(16<<20), what)
	}
}

func TestKeysThatAreBoundAlikeShareWhatIsPrepared(t *testing.T) {
	one, same := Key[string]("one"), Key[string]("same")
	json, other := Key[string]("json", Codec(codec.JSON)), Key[[]byte]("other")
	hello, bye := Key[string]("hello", Default("hello")), Key[string]("bye", Default("bye"))
	s := open(t, Cluster("root", Sub(one, same, json, other, hello, bye)))
	bound := func(d Node) any { return s.at.tree.places(d.declared())[0].bound }
	require.Same(t, bound(one), bound(same))
	require.NotSame(t, bound(one), bound(json))
	require.NotEqual(t, fmt.Sprintf("%T", bound(one)), fmt.Sprintf("%T", bound(other)))
	require.Equal(t, "hello", bound(hello).(*value[string]).fallback)
	require.Equal(t, "bye", bound(bye).(*value[string]).fallback)

	// A codec that cannot be compared must not make the tree invalid.
	odd := oddCodec{Codec: codec.JSON, notes: []string{"x"}}
	open(t, Cluster("root", Sub(Key[string]("a", Codec(odd)), Key[string]("b", Codec(odd)))))
}

// oddCodec cannot be compared.
type oddCodec struct {
	codec.Codec
	notes []string
}
