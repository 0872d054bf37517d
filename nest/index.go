package nest

import (
	"iter"
	"slices"
	"strings"
)

// index finds the declaration of a name: a trie whose edges are segments. Literal segments are
// looked up, segments with parameters are found by the literal that they begin with.
type index struct {
	literals map[string]*index
	patterns []*edge // sorted by lead
	tails    []*edge // keys that end in a tail parameter, sorted by lead
	leads    []int   // the distinct lengths of the patterns' leads, descending
	byLead   map[string][]*edge
	keys     []*mounted // names that end here: one, once the tree is proven free of collisions
	// lowest and highest are the numbers of the first and last key at or below here.
	lowest, highest int
}

// edge is a segment with parameters and what follows it. A tail has nothing behind it.
type edge struct {
	segment
	order string // equal for segments that match the same texts
	next  *index
	keys  []*mounted // of a tail
}

func newIndex() *index { return &index{lowest: -1} }

// add puts the key m into the index.
func (x *index) add(m *mounted) {
	n := x
	n.number(m)
	for _, s := range m.segments() {
		if s.tail {
			n.tails = insert(n.tails, s, func(e *edge) { e.keys = append(e.keys, m) })
			return
		}
		if text, ok := s.literal(); ok {
			if n.literals == nil {
				n.literals = make(map[string]*index)
			}
			if n.literals[text] == nil {
				n.literals[text] = newIndex()
			}
			n = n.literals[text]
		} else {
			var next *index
			n.patterns = insert(n.patterns, s, func(e *edge) { next = e.next })
			n = next
		}
		n.number(m)
	}
	n.keys = append(n.keys, m)
}

func (x *index) number(m *mounted) {
	if x.lowest < 0 {
		x.lowest = m.first
	}
	x.highest = m.first // keys are added in ascending order
}

// insert finds or makes the edge for s among edges, which are sorted, and hands it to use.
func insert(edges []*edge, s segment, use func(*edge)) []*edge {
	order := s.order()
	i, ok := slices.BinarySearchFunc(edges, order, func(e *edge, order string) int {
		return strings.Compare(e.order, order)
	})
	if !ok {
		edges = slices.Insert(edges, i, &edge{segment: s, order: order, next: newIndex()})
	}
	use(edges[i])
	return edges
}

// order sorts segments by their lead, and is equal for those that match the same texts.
func (s segment) order() string { return s.lead() + "\x00" + s.signature() }

// seal prepares the lookup once all keys are in.
func (x *index) seal() {
	x.byLead = make(map[string][]*edge, len(x.patterns))
	for _, e := range x.patterns {
		lead := e.lead()
		x.byLead[lead] = append(x.byLead[lead], e)
		if !slices.Contains(x.leads, len(lead)) {
			x.leads = append(x.leads, len(lead))
		}
		e.next.seal()
	}
	slices.SortFunc(x.leads, func(a, b int) int { return b - a })
	for _, n := range x.literals {
		n.seal()
	}
}

// find gives the key that has this name, or nil.
func (x *index) find(name string) *mounted {
	text, rest, more := strings.Cut(name, ":")
	if n := x.literals[text]; n != nil {
		if m := n.after(rest, more); m != nil {
			return m
		}
	}
	for e := range x.leading(text) {
		if e.matches(text) {
			if m := e.next.after(rest, more); m != nil {
				return m
			}
		}
	}
	for _, e := range x.tails {
		if e.matches(name) {
			return e.keys[0]
		}
	}
	return nil
}

// leading gives the segments with parameters whose lead text begins with.
func (x *index) leading(text string) iter.Seq[*edge] {
	return func(yield func(*edge) bool) {
		for _, size := range x.leads {
			if size > len(text) {
				continue
			}
			for _, e := range x.byLead[text[:size]] {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// after goes on with the rest of a name, if there is more.
func (x *index) after(rest string, more bool) *mounted {
	if more {
		return x.find(rest)
	}
	if len(x.keys) > 0 {
		return x.keys[0]
	}
	return nil
}

// reaches tells whether a name below the prefix of the cluster m can belong to a key that is
// declared elsewhere: user:<id> beside user:me shares the names that begin with user:me.
func (x *index) reaches(m *mounted) bool {
	if m.template == "" {
		return x.foreign(m)
	}
	at := []*index{x}
	for _, s := range m.segments() {
		var next []*index
		for _, n := range at {
			if slices.ContainsFunc(n.tails, func(e *edge) bool { return !m.holds(e.keys[0]) && e.canBegin(s) }) {
				return true
			}
			next = append(next, n.meeting(s)...)
		}
		at = next
	}
	return slices.ContainsFunc(at, func(n *index) bool { return n.below(m) })
}

// meeting gives what is behind the segments that can have a text in common with s.
func (x *index) meeting(s segment) []*index {
	var next []*index
	if text, ok := s.literal(); ok {
		if n := x.literals[text]; n != nil {
			next = append(next, n)
		}
		for e := range x.leading(text) {
			if e.possible(text) {
				next = append(next, e.next)
			}
		}
		return next
	}
	for text, n := range x.literals {
		if s.possible(text) {
			next = append(next, n)
		}
	}
	for _, e := range x.patterns {
		if e.order == s.order() {
			next = append(next, e.next)
		} else if _, ok := common(s.language(false), e.language(false)); ok {
			next = append(next, e.next)
		}
	}
	return next
}

// canBegin tells whether a name of the tail e can begin with a text of s and go on.
func (e *edge) canBegin(s segment) bool {
	_, ok := common(s.language(false), e.language(true))
	return ok
}

// below tells whether a key behind this node, which stands for a prefix of m's, is not m's.
func (x *index) below(m *mounted) bool {
	for _, n := range x.literals {
		if n.foreign(m) {
			return true
		}
	}
	for _, e := range x.patterns {
		if e.next.foreign(m) {
			return true
		}
	}
	for _, e := range x.tails {
		if !m.holds(e.keys[0]) {
			return true
		}
	}
	return false
}

// foreign tells whether a key at or behind this node is not m's.
func (x *index) foreign(m *mounted) bool {
	return x.lowest >= 0 && (x.lowest < m.first || x.highest > m.last)
}
