package names

import (
	"slices"
	"strings"
)

// Proof looks for two declared keys that can have the same name. It walks the index against itself:
// wherever two different segments can have a text in common, what follows both is compared.
type Proof struct {
	root      *node
	trail     []step
	seen      map[[2]*node]bool
	automata  map[*edge]*[2]*automaton // closed and open
	nodes     map[*node]*branches
	bytes     [256]*symbols
	alphabets map[alphabetKey]*symbols
	clashes   []Clash
	few       int // up to how many pairs of branches are compared without a mesh
	steps     int // what it took, for tests
	cutter    cutter
}

// step is one segment of the path of the proof: a text or an edge. The example of a collision is
// built from the steps, and only if it is needed.
type step struct {
	text string
	edge *edge
}

// Clash is two keys that can have the same name, as far as can be proven.
type Clash struct {
	A, B    int    // their places
	Of, And string // their templates there
	Example string // a name of both, or what the proof considers one
	Known   bool   // whether Example was verified to be a name of both
}

// NewProof returns a proof of a sealed index.
func NewProof(x *Index) *Proof {
	return &Proof{
		root:      x.root,
		seen:      make(map[[2]*node]bool),
		automata:  make(map[*edge]*[2]*automaton),
		nodes:     make(map[*node]*branches),
		alphabets: make(map[alphabetKey]*symbols),
		few:       fewPairs,
	}
}

// MaxClashes is the maximum number of clashes that a proof reports.
const MaxClashes = 50

// Clashes returns the keys that can have the same name, always in the same order.
func (p *Proof) Clashes() []Clash {
	if p.clashes == nil {
		p.within(p.root)
	}
	return p.clashes
}

func (p *Proof) then(text string) { p.trail = append(p.trail, step{text: text}) }
func (p *Proof) thenOne(e *edge)  { p.trail = append(p.trail, step{edge: e}) }
func (p *Proof) back()            { p.trail = p.trail[:len(p.trail)-1] }

// within compares what is below one node with itself.
func (p *Proof) within(x *node) {
	if len(p.clashes) >= MaxClashes {
		return
	}
	p.steps++
	if len(x.keys) > 1 {
		p.report(x.keys[0], x.keys[1])
	}
	for _, l := range x.literals {
		p.then(l.text)
		p.within(l.next)
		p.back()
	}
	for _, e := range x.patterns {
		p.thenOne(e)
		p.within(e.next)
		p.back()
	}
	for _, e := range x.tails {
		if len(e.keys) > 1 {
			p.thenOne(e)
			p.report(e.keys[0], e.keys[1])
			p.back()
		}
	}
	if len(x.literals)+len(x.patterns)+len(x.tails) > 1 {
		p.branches(x, x)
	}
}

// across compares what is below two nodes to which the same beginning of a name can lead.
func (p *Proof) across(x, y *node) {
	if p.seen[[2]*node{x, y}] || len(p.clashes) >= MaxClashes {
		return
	}
	p.steps++
	p.seen[[2]*node{x, y}] = true
	p.seen[[2]*node{y, x}] = true
	if len(x.keys) > 0 && len(y.keys) > 0 {
		p.report(x.keys[0], y.keys[0])
	}
	small, large := x, y
	if len(small.literals) > len(large.literals) {
		small, large = large, small
	}
	for _, l := range small.literals {
		if o := large.literal(l.text); o != nil {
			p.then(l.text)
			p.across(l.next, o)
			p.back()
		}
	}
	p.branches(x, y)
}

// branches compares the segments below x with those below y, except for literals with literals.
func (p *Proof) branches(x, y *node) {
	if x.plain() && y.plain() {
		return
	}
	p.meeting(p.below(x), p.below(y), func(a, b *branch) bool {
		p.pair(a, b)
		return len(p.clashes) < MaxClashes
	})
}

// below returns the branches of a node.
func (p *Proof) below(x *node) *branches {
	b := p.nodes[x]
	if b == nil {
		b = branchesOf(x)
		p.nodes[x] = b
	}
	return b
}

// pair compares two branches, at most one of which is a literal.
func (p *Proof) pair(a, b *branch) {
	switch {
	case a.tail && b.tail:
		p.tails(a.edge, b.edge)
	case a.tail:
		p.tail(a.edge, b)
	case b.tail:
		p.tail(b.edge, a)
	default:
		if text, ok := p.shared(a, b); ok {
			p.then(text)
			p.across(a.next, b.next)
			p.back()
		}
	}
}

// shared returns a text that two branches have in common. Neither branch may be a tail.
func (p *Proof) shared(a, b *branch) (string, bool) {
	switch {
	case a.literal():
		return a.text, b.possible(a.text)
	case b.literal():
		return b.text, a.possible(b.text)
	}
	return common(p.closed(a.edge), p.closed(b.edge))
}

// tail compares the tail e with a branch that is not a tail.
func (p *Proof) tail(e *edge, o *branch) {
	if o.literal() {
		p.then(o.text)
		if len(o.next.keys) > 0 && e.possible(o.text) {
			p.report(e.keys[0], o.next.keys[0])
		}
		if literalBegins(e, o.text) {
			p.swallow(e, o.next)
		}
		p.back()
		return
	}
	if text, ok := common(p.closed(e), p.closed(o.edge)); ok && len(o.next.keys) > 0 {
		p.then(text)
		p.report(e.keys[0], o.next.keys[0])
		p.back()
	}
	if text, ok := common(p.open(e), p.closed(o.edge)); ok {
		p.then(text)
		p.swallow(e, o.next)
		p.back()
	}
}

// literalBegins reports whether a longer name of the tail e can begin with the segment text.
func literalBegins(e *edge, text string) bool {
	a := &automaton{}
	from := []int{a.state()}
	for i := range len(text) {
		var on symbols
		on.add(int(text[i]))
		from = []int{a.step(from, on)}
	}
	a.accept = from
	_, ok := common(e.language(true), a)
	return ok
}

// swallow reports the first key below n whose names can all be names of the tail e, too. Braces are
// the exception: a tail escapes them.
func (p *Proof) swallow(e *edge, n *node) {
	for _, l := range n.literals {
		if strings.ContainsAny(l.text, "{}") {
			continue
		}
		p.then(l.text)
		found := p.swallowAt(e, l.next.keys, l.next)
		p.back()
		if found {
			return
		}
	}
	for _, edges := range [][]*edge{n.patterns, n.tails} {
		for _, o := range edges {
			if o.hasBraces() {
				continue
			}
			keys := o.keys
			if o.next != nil {
				keys = o.next.keys
			}
			p.thenOne(o)
			found := p.swallowAt(e, keys, o.next)
			p.back()
			if found {
				return
			}
		}
	}
}

// swallowAt reports the first of keys, or else looks for one below n. It reports whether there were
// keys.
func (p *Proof) swallowAt(e *edge, keys []place, n *node) bool {
	if len(keys) > 0 {
		p.report(e.keys[0], keys[0])
		return true
	}
	p.swallow(e, n)
	return false
}

func (s segment) hasBraces() bool {
	return slices.ContainsFunc(s.tokens, func(t token) bool { return strings.ContainsAny(t.literal, "{}") })
}

// tails compares two tails that begin in the same segment.
func (p *Proof) tails(e, o *edge) {
	text, ok := common(p.closed(e), p.closed(o))
	if !ok {
		text, ok = common(p.open(e), p.open(o))
		text += ":x"
	}
	if ok {
		p.then(text)
		p.report(e.keys[0], o.keys[0])
		p.back()
	}
}

func (p *Proof) report(a, b place) {
	if len(p.clashes) >= MaxClashes {
		return
	}
	c := Clash{A: a.at, B: b.at, Of: a.name.Text, And: b.name.Text, Example: p.example()}
	c.Known = a.name.takes(c.Example) && b.name.takes(c.Example)
	if other, ok := a.name.nameOf(b.name); !c.Known && ok {
		c.Example, c.Known = other, true
	}
	p.clashes = append(p.clashes, c)
}

// closed returns the automaton of an edge; open returns that of the beginnings of longer names.
func (p *Proof) closed(e *edge) *automaton { return p.automaton(e, 0) }
func (p *Proof) open(e *edge) *automaton   { return p.automaton(e, 1) }

func (p *Proof) automaton(e *edge, which int) *automaton {
	both := p.automata[e]
	if both == nil {
		both = new([2]*automaton)
		p.automata[e] = both
	}
	if both[which] == nil {
		both[which] = e.language(which == 1)
	}
	return both[which]
}

// example returns a name that begins as the trail does.
func (p *Proof) example() string {
	texts := make([]string, len(p.trail))
	for i, at := range p.trail {
		texts[i] = at.text
		if at.edge != nil {
			texts[i], _ = common(p.closed(at.edge), p.closed(at.edge))
		}
	}
	return strings.Join(texts, ":")
}
