package names

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// declared is a key of a test: its template, that of the cluster above it, and the declarations of
// its parameters.
type declared struct {
	above string // the template of the cluster; with tag, its prefix is in a hash tag
	tag   bool
	text  string
	specs []*Spec
}

func keyOf(text string, specs ...*Spec) declared { return declared{text: text, specs: specs} }

var lastSpec atomic.Uint32

// specOf returns the declaration of a parameter of type T.
func specOf[T any](name string) *Spec {
	s := &Spec{ID: lastSpec.Add(1), Name: name, Type: reflect.TypeFor[T](), MaxLen: DefaultMaxLen}
	if _, err := Describe[T](s, func() error { return nil }); err != nil {
		panic(err)
	}
	return s
}

// under returns the names of a key and of the cluster above it.
func (d declared) under(t testing.TB, top *Name, shared *Shared) (above, name Name) {
	t.Helper()
	spec := func(name string) *Spec {
		if i := slices.IndexFunc(d.specs, func(s *Spec) bool { return s.Name == name }); i >= 0 {
			return d.specs[i]
		}
		return nil
	}
	cluster, err := Parse(d.above, false)
	require.NoError(t, err)
	key, err := Parse(d.text, true)
	require.NoError(t, err)
	above = top.Below(cluster, d.tag, spec, shared)
	return above, above.Below(key, false, spec, shared)
}

// proven creates the index of keys below "r" and proves it, comparing up to few pairs without a
// mesh.
func proven(t testing.TB, few int, keys ...declared) (*Proof, *Index) {
	t.Helper()
	shared, top := &Shared{}, Top("r")
	index := NewIndex()
	clusters := make([]Name, len(keys))
	for i, k := range keys {
		var name Name
		clusters[i], name = k.under(t, &top, shared)
		index.Add(i, &name)
	}
	index.Seal()
	p := NewProof(index)
	p.few = few
	p.Clashes()
	for i, k := range keys {
		if k.above != "" {
			p.Reaches(&clusters[i], i, i)
		}
	}
	return p, index
}

// The number of comparisons of the proof grows with the declarations, not with their square.
func TestProofStepsGrowWithTheTree(t *testing.T) {
	many := func(format string) func(n int) []declared {
		return func(n int) (keys []declared) {
			for i := range n {
				keys = append(keys, keyOf(fmt.Sprintf(format, i)))
			}
			return keys
		}
	}
	for what, keys := range map[string]func(n int) []declared{
		"literals":                    many("service%d:<id>"),
		"between parameters":          many("<tenant>-k%d-<day>"),
		"before a tail":               many("<tenant>-k%d-<rest...>"),
		"before a literal":            many("<tenant>-<day>-k%d"),
		"two parameters and literals": func(n int) []declared { return append(many("<t>-k%d-<d>")(n/2), many("plain%d")(n/2)...) },
		"integers": func(n int) (keys []declared) {
			id := specOf[int64]("id")
			for i := range n {
				keys = append(keys, keyOf(fmt.Sprintf("<id>-k%d-<day>", i), id))
			}
			return keys
		},
		"clusters": func(n int) (keys []declared) {
			for i := range n {
				keys = append(keys, declared{above: fmt.Sprintf("<tenant>-k%d-<day>", i), text: "a"})
			}
			return keys
		},
		"one parameter before all": func(n int) (keys []declared) {
			for i := range n {
				text := fmt.Sprintf("k%d-<day>", i)
				keys = append(keys, declared{above: "<tenant>", text: text}, declared{above: "all", tag: true, text: text})
			}
			return keys
		},
	} {
		small, _ := proven(t, fewPairs, keys(500)...)
		large, _ := proven(t, fewPairs, keys(4000)...)
		require.Empty(t, large.clashes, what)
		// Eight times as many keys, with numbers 1.4 times as long.
		require.LessOrEqual(t, large.steps, 13*small.steps, "%s: %d steps for 500 keys, %d for 4,000", what, small.steps, large.steps)
		require.LessOrEqual(t, large.steps, 40*4000, "%s: %d steps for 4,000 keys", what, large.steps)
	}
}

// randomKeys returns keys of few segments that often begin or end alike.
func randomKeys(rng *rand.Rand, n int, same bool) []declared {
	params := []string{"<a>", "<b>", "<i>", "<f>", "<i>-", "<a>.", "<a>-", "<b>-", "<f>-"}
	segment := func() string {
		var b strings.Builder
		if rng.IntN(3) == 0 {
			fmt.Fprintf(&b, "k%d", rng.IntN(4))
		}
		if rng.IntN(8) == 0 {
			return b.String() + "lit"
		}
		b.WriteString(params[rng.IntN(len(params))])
		if rng.IntN(2) == 0 {
			fmt.Fprintf(&b, "-k%d", rng.IntN(30))
		}
		if rng.IntN(2) == 0 {
			b.WriteString([]string{"-", "."}[rng.IntN(2)] + []string{"<c>", "<j>"}[rng.IntN(2)])
		}
		return b.String()
	}
	var keys []declared
	for len(keys) < n {
		text := segment()
		if !same && rng.IntN(3) == 0 {
			text += fmt.Sprintf(":x%d", rng.IntN(40))
		} else if !same {
			text += fmt.Sprintf(":y%d:z", rng.IntN(40))
		}
		if rng.IntN(12) == 0 {
			text += []string{"-<t...>", ":<t...>"}[rng.IntN(2)]
		}
		if parsed, err := Parse(text, true); err == nil {
			k := keyOf(text)
			for _, slot := range parsed.Slots {
				switch slot.Name {
				case "i", "j":
					k.specs = append(k.specs, specOf[int16](slot.Name))
				case "f":
					k.specs = append(k.specs, specOf[bool](slot.Name))
				}
			}
			keys = append(keys, k)
		}
	}
	return keys
}

// TestMeshesFindAllPairs checks that the meshes of random nodes find the same pairs as comparing
// every two branches, and that the reports of whole trees are the same with and without meshes.
func TestMeshesFindAllPairs(t *testing.T) {
	meet := func(p *Proof, a, b *branch) bool {
		if a.tail || b.tail { // as a whole or as the beginning of a longer name
			x, y := a.segment.language(true), b.segment.language(true)
			_, ok := common(x, y)
			return ok
		}
		_, ok := p.shared(a, b)
		return ok
	}
	found, walked := 0, 0
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		p, x := proven(t, math.MaxInt, randomKeys(rng, 40, true)...)
		_, y := proven(t, math.MaxInt, randomKeys(rng, 25, seed%2 == 0)...)
		for _, nodes := range [][2]*node{{x.root.literal("r"), x.root.literal("r")}, {x.root.literal("r"), y.root.literal("r")}} {
			left := p.below(nodes[0])
			right := left
			if nodes[0] != nodes[1] {
				right = p.below(nodes[1])
			}
			candidates := map[[2]*branch]bool{}
			pairs, ok := p.walk(left, right)
			if !ok {
				continue
			}
			walked++
			for _, pair := range pairs {
				candidates[[2]*branch{&left.all[pair[0]], &right.all[pair[1]]}] = true
			}
			for i := range left.all {
				for j := range right.all {
					a, b := &left.all[i], &right.all[j]
					if left == right && i >= j || a.literal() && b.literal() || !meet(p, a, b) {
						continue
					}
					found++
					require.True(t, candidates[[2]*branch{a, b}], "seed %d: %q and %q", seed, string(a.appendSignature(nil)), string(b.appendSignature(nil)))
				}
			}
		}
		keys := randomKeys(rng, 60, false)
		without, _ := proven(t, math.MaxInt, keys...)
		with, _ := proven(t, 0, keys...)
		require.Equal(t, fmt.Sprint(without.clashes), fmt.Sprint(with.clashes), "seed %d", seed)
	}
	require.Greater(t, found, 1000)
	require.Greater(t, walked, 30)
}
