package names

import (
	"cmp"
	"slices"
	"strings"
)

// Two nodes of the index are compared branch by branch. If they have few branches, every pair is
// compared. If they have many, a mesh of each node's branches finds the pairs that may have a text
// in common: the work grows with the number of branches, not with its square.

// branch is one way to continue from a node of the index: a segment and what follows it.
type branch struct {
	segment
	text string // of a literal
	edge *edge  // nil for a literal
	next *node  // nil for a tail
}

func (b *branch) literal() bool { return b.edge == nil }

// meets reports whether b and o can have a text in common, judging only by the literals at their
// ends. It saves the proof most of its automata.
func (b *branch) meets(o *branch) bool {
	x, y := b.lead(), o.lead()
	return (strings.HasPrefix(x, y) || strings.HasPrefix(y, x)) && b.endsLike(o.segment)
}

// branches holds the branches of one node, literals first, and their mesh if it was needed.
type branches struct {
	all   []branch
	rough int // how many are not literals
	mesh  *mesh
}

func branchesOf(x *node) *branches {
	s := &branches{rough: len(x.patterns) + len(x.tails)}
	s.all = make([]branch, 0, len(x.literals)+s.rough)
	tokens := make([]token, len(x.literals))
	for i, l := range x.literals {
		tokens[i].literal = l.text
		s.all = append(s.all, branch{segment: segment{tokens: tokens[i : i+1 : i+1]}, text: l.text, next: l.next})
	}
	for _, edges := range [][]*edge{x.patterns, x.tails} {
		for _, e := range edges {
			s.all = append(s.all, branch{segment: e.segment, edge: e, next: e.next})
		}
	}
	return s
}

// fewPairs is the number of pairs of branches that are compared without a mesh.
const fewPairs = 512

// meeting calls each with the pairs of branches that may have a text in common and are not both
// literals, until each returns false. If a node is compared with itself, each pair comes once.
func (p *Proof) meeting(x, y *branches, each func(a, b *branch) bool) {
	if x.rough == 0 && y.rough == 0 {
		return
	}
	if len(x.all)*y.rough+x.rough*len(y.all) > p.few {
		if pairs, ok := p.walk(x, y); ok {
			for _, pair := range pairs {
				a, b := &x.all[pair[0]], &y.all[pair[1]]
				if p.steps++; (!a.literal() || !b.literal()) && !each(a, b) {
					return
				}
			}
			return
		}
	}
	for i := range x.all {
		a := &x.all[i]
		from := 0
		if x == y {
			from = i + 1
		}
		if a.literal() {
			from = max(from, len(y.all)-y.rough)
		}
		for j := from; j < len(y.all); j++ {
			p.steps++
			if b := &y.all[j]; a.meets(b) && !each(a, b) {
				return
			}
		}
	}
}

// mesh is the branches of a node as one automaton, in which branches with the same beginning share
// knots. A parameter is a single state; a text stays in it as long as its bytes are among those of
// the parameter's texts. A mesh therefore accepts all texts that the branches accept, and some
// more.
type mesh struct {
	knots []knot
	ends  []ending
}

// knot is a state of a mesh. A symbol leads from it to one of its children; from the knot of a
// parameter, also back to itself.
type knot struct {
	on             *symbols // the symbols that lead here; for a parameter, also those that stay
	param          bool
	child, sibling int32 // 0: none
	ends           int32 // the head of the list, in ends, of the branches that end here; 0: none
	through        int32 // the number of branches that pass or end here
	rough          int32 // how many of them are not literals
}

type ending struct{ branch, next int32 }

func (p *Proof) meshOf(s *branches) *mesh {
	if s.mesh != nil {
		return s.mesh
	}
	n := &mesh{knots: make([]knot, 1, 4*len(s.all)+1), ends: make([]ending, 1, len(s.all)+1)}
	for i := range s.all {
		b := &s.all[i]
		at := n.pass(0, b)
		for _, t := range b.tokens {
			if t.param == nil {
				for j := range len(t.literal) {
					at = n.pass(n.child(at, p.single(t.literal[j]), false), b)
				}
				continue
			}
			if t.param.Tail {
				n.end(at, i) // of a longer name
			}
			at = n.pass(n.child(at, p.alphabet(t.param), true), b)
		}
		n.end(at, i)
	}
	s.mesh = n
	return n
}

// child returns the state to which on leads from at, and adds it if there is none.
func (n *mesh) child(at int32, on *symbols, param bool) int32 {
	for c := n.knots[at].child; c > 0; c = n.knots[c].sibling {
		if n.knots[c].on == on && n.knots[c].param == param {
			return c
		}
	}
	n.knots = append(n.knots, knot{on: on, param: param, sibling: n.knots[at].child})
	c := int32(len(n.knots) - 1)
	n.knots[at].child = c
	return c
}

func (n *mesh) pass(at int32, b *branch) int32 {
	n.knots[at].through++
	if !b.literal() {
		n.knots[at].rough++
	}
	return at
}

func (n *mesh) end(at int32, i int) {
	n.ends = append(n.ends, ending{int32(i), n.knots[at].ends})
	n.knots[at].ends = int32(len(n.ends) - 1)
}

// single returns the set of one byte, always the same set for the same byte.
func (p *Proof) single(c byte) *symbols {
	if p.bytes[c] == nil {
		p.bytes[c] = new(symbols)
		p.bytes[c].add(int(c))
	}
	return p.bytes[c]
}

// alphabet returns the symbols that occur in the texts of a parameter. Parameters that write them
// alike share one set.
func (p *Proof) alphabet(of *Param) *symbols {
	key := alphabetKey{escapes: of.escapes, class: of.Class, tail: of.Tail}
	if key.class == StringClass || key.class == TextClass {
		key.class = AnyClass
	}
	s := p.alphabets[key]
	if s == nil {
		s = new(symbols)
		switch key.class {
		case BoolClass:
			*s = of.of("truefals")
		case IntClass, UintClass:
			*s = of.of("-0123456789")
		default:
			*s = of.anything()
		}
		p.alphabets[key] = s
	}
	return s
}

type alphabetKey struct {
	escapes *escapes
	class   Class
	tail    bool
}

// walk returns, sorted, the pairs of branches for which one text leads both meshes to an end. It
// gives up if that takes many more steps than there are knots: most branches meet then.
func (p *Proof) walk(x, y *branches) (pairs [][2]int32, ok bool) {
	w := walk{x: p.meshOf(x), y: p.meshOf(y), same: x == y, seen: make(map[[2]int32]bool)}
	w.meet(0, 0)
	most := 8 * (len(w.x.knots) + len(w.y.knots))
	for len(w.todo) > 0 {
		at := w.todo[len(w.todo)-1]
		w.todo = w.todo[:len(w.todo)-1]
		w.pair(at[0], at[1])
		w.step(at[0], at[1])
		if p.steps++; len(w.seen)+len(w.pairs) > most {
			return nil, false
		}
	}
	slices.SortFunc(w.pairs, func(a, b [2]int32) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	})
	return slices.Compact(w.pairs), true
}

// walk goes through two meshes at once, along every text that leads through both.
type walk struct {
	x, y  *mesh
	same  bool
	seen  map[[2]int32]bool
	todo  [][2]int32
	pairs [][2]int32
}

// meet records that one text leads to a in the first mesh and to b in the second, unless no
// relevant pair of branches can follow from that.
func (w *walk) meet(a, b int32) {
	if w.same && a > b {
		a, b = b, a
	}
	s, t := &w.x.knots[a], &w.y.knots[b]
	if s.rough == 0 && t.rough == 0 || w.same && a == b && s.through == 1 {
		return
	}
	if at := [2]int32{a, b}; !w.seen[at] {
		w.seen[at] = true
		w.todo = append(w.todo, at)
	}
}

// step follows every symbol that leads from both knots.
func (w *walk) step(a, b int32) {
	for to, on := range w.x.leaving(a) {
		for other, meets := range w.y.leaving(b) {
			if on == meets || !on.disjoint(meets) {
				w.meet(to, other)
			}
		}
	}
}

// leaving yields the knots that follow a knot, and the symbols that lead to them.
func (n *mesh) leaving(at int32) func(yield func(int32, *symbols) bool) {
	return func(yield func(int32, *symbols) bool) {
		s := &n.knots[at]
		if s.param && !yield(at, s.on) {
			return
		}
		for c := s.child; c > 0; c = n.knots[c].sibling {
			if !yield(c, n.knots[c].on) {
				return
			}
		}
	}
}

// pair records the pairs of branches that end in the two knots.
func (w *walk) pair(a, b int32) {
	for i := w.x.knots[a].ends; i > 0; i = w.x.ends[i].next {
		for j := w.y.knots[b].ends; j > 0; j = w.y.ends[j].next {
			x, y := w.x.ends[i].branch, w.y.ends[j].branch
			if w.same && x > y {
				x, y = y, x
			}
			if !w.same || x != y {
				w.pairs = append(w.pairs, [2]int32{x, y})
			}
		}
	}
}

// Reaches reports whether a name below the prefix m can belong to a key that is declared elsewhere.
// The prefix is that of the cluster whose own place is first and whose last place is last. For
// example, user:<id> beside user:me shares the names that begin with user:me.
func (p *Proof) Reaches(m *Name, first, last int) bool {
	own := span{first, last}
	if m.Text == "" {
		return p.root.foreign(own)
	}
	at, next := []*node{p.root}, []*node(nil)
	for _, s := range p.cutter.cut(m) {
		next = next[:0]
		swallowed := false
		for _, n := range at {
			p.beside(n, s, func(tail *edge, behind *node) bool {
				if tail != nil {
					swallowed = !own.holds(tail.keys[0]) && tail.canBegin(s)
				} else {
					next = append(next, behind)
				}
				return !swallowed
			})
			if swallowed {
				return true
			}
		}
		at, next = next, at
	}
	return slices.ContainsFunc(at, func(n *node) bool { return n.below(own) })
}

// beside calls each with the nodes behind the branches of n that can have a text in common with s,
// and with the tails that may, until each returns false.
func (p *Proof) beside(n *node, s segment, each func(tail *edge, behind *node) bool) {
	text, isLiteral := s.literal()
	if isLiteral {
		if o := n.literal(text); o != nil && !each(nil, o) || n.plain() {
			return
		}
	} else if len(n.literals) == 0 && len(n.tails) == 0 && len(n.patterns) == 1 && n.patterns[0].same(s) {
		each(nil, n.patterns[0].next)
		return
	}
	own := branch{segment: s, text: text}
	one := &branches{}
	if !isLiteral {
		own.edge = &edge{segment: s}
		one.rough = 1
	}
	one.all = []branch{own}
	p.meeting(one, p.below(n), func(a, b *branch) bool {
		if b.tail {
			return each(b.edge, nil)
		}
		if a.edge == nil || b.edge == nil || !a.edge.same(b.segment) {
			if _, ok := p.shared(a, b); !ok {
				return true
			}
		}
		return each(nil, b.next)
	})
}

// canBegin reports whether a longer name of the tail e can begin with a text of s.
func (e *edge) canBegin(s segment) bool {
	_, ok := common(s.language(false), e.language(true))
	return ok
}
