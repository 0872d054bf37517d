package names

import (
	"slices"
	"strings"
)

// Index finds the place of a name. Places are numbers in the order of declaration.
type Index struct {
	root *node
	grow *growth // until the index is sealed
}

// growth holds what an index needs while names are added.
type growth struct {
	cutter    cutter
	nodes     slab[node]
	edges     slab[edge]
	tokens    slab[token]
	places    slab[place]
	signature []byte
}

// node is a node of a trie whose edges are segments. Literal segments are looked up directly;
// segments with parameters are found by the literal with which they begin.
type node struct {
	literals []literal // sorted by text, once the index is sealed
	patterns []*edge   // segments with parameters, sorted by lead, once the index is sealed
	tails    []*edge   // keys that end in a tail parameter, sorted as patterns are
	keys     []place   // names that end here: one, once the tree is proven free of collisions
	wide     *wide     // nil where few ways go on
	// lowest and highest are the numbers of the first and last key at or below this node.
	lowest, highest int
}

// literal is a segment without parameters and what follows it.
type literal struct {
	text string
	next *node
}

// edge is a segment with parameters and what follows it. Nothing follows a tail.
type edge struct {
	segment
	next *node
	keys []place // of a tail
}

// few is how many literals, or segments with parameters, of a node are at most compared one by one.
// It takes no longer than a map, and no memory.
const few = 16

// wide holds the maps of a node with more literals or segments with parameters than few.
type wide struct {
	literals map[string]*node
	edges    map[string]*edge // patterns and tails by their signatures, until the index is sealed
	leads    []int            // the distinct lengths of the patterns' leads, descending
	byLead   map[string][]*edge
}

// NewIndex returns an empty index.
func NewIndex() *Index { return &Index{root: newNode(new(node)), grow: &growth{}} }

func newNode(n *node) *node {
	n.lowest = -1
	return n
}

// Add adds the name of a key to the index. Places must come in ascending order.
func (x *Index) Add(at int, m *Name) {
	key := x.grow.places.take(1)
	key[0] = place{at, m}
	n := x.root
	n.number(at)
	for _, s := range x.grow.cutter.cut(m) {
		if s.tail {
			e := x.grow.edge(n, s)
			e.keys = grown(e.keys, key)
			return
		}
		if text, ok := s.literal(); ok {
			n = x.grow.literal(n, text)
		} else {
			n = x.grow.edge(n, s).next
		}
		n.number(at)
	}
	n.keys = grown(n.keys, key)
}

// grown returns keys with one more key.
func grown(keys, one []place) []place {
	if keys == nil {
		return one
	}
	return append(keys, one...)
}

func (n *node) number(at int) {
	if n.lowest < 0 {
		n.lowest = at
	}
	n.highest = at
}

// literal returns the node behind a literal segment, and adds it if there is none.
func (g *growth) literal(n *node, text string) *node {
	next := n.literal(text)
	if next == nil {
		next = newNode(g.nodes.one())
		n.literals = append(n.literals, literal{text, next})
		switch size := len(n.literals); {
		case size > few+1:
			n.wide.literals[text] = next
		case size > few:
			n.widen().literals = make(map[string]*node, 4*few)
			for _, l := range n.literals {
				n.wide.literals[l.text] = l.next
			}
		}
	}
	return next
}

// literal returns the node behind a literal segment, or nil.
func (n *node) literal(text string) *node {
	if len(n.literals) > few {
		return n.wide.literals[text]
	}
	for i := range n.literals {
		if l := &n.literals[i]; l.text == text {
			return l.next
		}
	}
	return nil
}

// edge returns the edge for s, and adds it if there is none.
func (g *growth) edge(n *node, s segment) *edge {
	edges := &n.patterns
	if s.tail {
		edges = &n.tails
	}
	many := n.wide != nil && n.wide.edges != nil
	if many {
		g.signature = s.appendSignature(g.signature[:0])
		if e := n.wide.edges[string(g.signature)]; e != nil {
			return e
		}
	} else {
		for _, e := range *edges {
			if e.same(s) {
				return e
			}
		}
	}
	e := g.edges.one()
	tokens := g.tokens.take(len(s.tokens))
	copy(tokens, s.tokens)
	e.segment = segment{tokens, s.tail}
	if !s.tail {
		e.next = newNode(g.nodes.one())
	}
	*edges = append(*edges, e)
	switch {
	case many:
		n.wide.edges[string(g.signature)] = e
	case len(*edges) > few:
		n.widen().edges = make(map[string]*edge, 4*few)
		for _, edges := range [][]*edge{n.patterns, n.tails} {
			for _, e := range edges {
				n.wide.edges[string(e.appendSignature(nil))] = e
			}
		}
	}
	return e
}

func (n *node) widen() *wide {
	if n.wide == nil {
		n.wide = new(wide)
	}
	return n.wide
}

// plain reports whether only literals follow here.
func (n *node) plain() bool { return len(n.patterns) == 0 && len(n.tails) == 0 }

// Seal prepares the index for lookups once all keys are in it.
func (x *Index) Seal() {
	x.grow = nil
	x.root.seal()
}

func (n *node) seal() {
	byText := func(a, b literal) int { return strings.Compare(a.text, b.text) }
	if !slices.IsSortedFunc(n.literals, byText) {
		slices.SortFunc(n.literals, byText)
	}
	byLead := func(a, b *edge) int { return strings.Compare(a.lead(), b.lead()) }
	slices.SortStableFunc(n.patterns, byLead)
	slices.SortStableFunc(n.tails, byLead)
	if n.wide != nil {
		n.wide.edges = nil
	}
	if len(n.patterns) > few {
		n.widen().sortLeads(n.patterns)
	}
	for _, e := range n.patterns {
		e.next.seal()
	}
	for _, l := range n.literals {
		l.next.seal()
	}
}

// sortLeads prepares the lookup of patterns, which are sorted by their leads.
func (w *wide) sortLeads(patterns []*edge) {
	w.byLead = make(map[string][]*edge)
	for len(patterns) > 0 {
		lead := patterns[0].lead()
		n := 1
		for n < len(patterns) && patterns[n].lead() == lead {
			n++
		}
		w.byLead[lead] = patterns[:n:n]
		patterns = patterns[n:]
		if !slices.Contains(w.leads, len(lead)) {
			w.leads = append(w.leads, len(lead))
		}
	}
	slices.Sort(w.leads)
	slices.Reverse(w.leads)
}

// Find returns the place of the key that has this name, or -1.
func (x *Index) Find(name string) int { return x.root.find(name) }

func (n *node) find(name string) int {
	text, rest, more := strings.Cut(name, ":")
	if next := n.literal(text); next != nil {
		if at := next.after(rest, more); at >= 0 {
			return at
		}
	}
	if len(n.patterns) <= few {
		if at := first(n.patterns, text, rest, more); at >= 0 {
			return at
		}
	} else {
		for _, size := range n.wide.leads {
			if size <= len(text) {
				if at := first(n.wide.byLead[text[:size]], text, rest, more); at >= 0 {
					return at
				}
			}
		}
	}
	for _, e := range n.tails {
		if e.matches(name) {
			return e.keys[0].at
		}
	}
	return -1
}

// first returns the place of a name that continues with text along one of the edges, and then with
// rest, or -1.
func first(edges []*edge, text, rest string, more bool) int {
	for _, e := range edges {
		if e.matches(text) {
			if at := e.next.after(rest, more); at >= 0 {
				return at
			}
		}
	}
	return -1
}

// after continues with the rest of a name, if there is more.
func (n *node) after(rest string, more bool) int {
	if more {
		return n.find(rest)
	}
	if len(n.keys) > 0 {
		return n.keys[0].at
	}
	return -1
}

// place is a key at its place.
type place struct {
	at   int
	name *Name
}

// span is the range of places of a cluster: first its own, then those below it.
type span struct{ first, last int }

func (s span) holds(p place) bool { return s.first <= p.at && p.at <= s.last }

// below reports whether a key below this node is not one of the cluster's. The node stands for a
// prefix of the cluster.
func (n *node) below(s span) bool {
	for _, l := range n.literals {
		if l.next.foreign(s) {
			return true
		}
	}
	for _, e := range n.patterns {
		if e.next.foreign(s) {
			return true
		}
	}
	for _, e := range n.tails {
		if !s.holds(e.keys[0]) {
			return true
		}
	}
	return false
}

// foreign reports whether a key at or below this node is not one of the cluster's.
func (n *node) foreign(s span) bool {
	return n.lowest >= 0 && (n.lowest < s.first || n.highest > s.last)
}
