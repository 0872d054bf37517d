package nest

import (
	"fmt"
	"slices"
	"strings"
)

// proof looks for two declared keys that can have the same name. It walks the index with itself:
// wherever two different segments can have a text in common, what is behind both is compared.
type proof struct {
	seen       map[[2]*index]bool
	automata   map[*edge]*[2]*automaton // closed and open
	collisions []*Error
}

// maxProblems bounds how many problems Open lists.
const maxProblems = 50

// prove reports the colliding keys of an index.
func prove(x *index) []*Error {
	p := &proof{seen: make(map[[2]*index]bool), automata: make(map[*edge]*[2]*automaton)}
	p.within(x, nil)
	return p.collisions
}

// within compares what stands below one node with itself.
func (p *proof) within(x *index, so *trail) {
	if len(p.collisions) >= maxProblems {
		return
	}
	if len(x.keys) > 1 {
		p.report(x.keys[0], x.keys[1], so)
	}
	for text, n := range sorted(x.literals) {
		p.within(n, so.then(text))
	}
	for _, e := range x.patterns {
		p.within(e.next, so.thenOne(e))
	}
	p.edges(x, x, so)
}

// across compares what stands below two nodes that one beginning of a name can lead to.
func (p *proof) across(x, y *index, so *trail) {
	if p.seen[[2]*index{x, y}] || len(p.collisions) >= maxProblems {
		return
	}
	p.seen[[2]*index{x, y}] = true
	p.seen[[2]*index{y, x}] = true
	if len(x.keys) > 0 && len(y.keys) > 0 {
		p.report(x.keys[0], y.keys[0], so)
	}
	small, large := x, y
	if len(small.literals) > len(large.literals) {
		small, large = large, small
	}
	for text, n := range sorted(small.literals) {
		if o := large.literals[text]; o != nil {
			p.across(n, o, so.then(text))
		}
	}
	p.edges(x, y, so)
	p.edges(y, x, so)
}

// edges compares the segments with parameters below x with every segment below y that begins
// with a literal as long as theirs or shorter. Called for both orders, it compares them all.
func (p *proof) edges(x, y *index, so *trail) {
	for text, n := range sorted(y.literals) {
		for e := range x.leading(text) {
			if e.possible(text) {
				p.across(e.next, n, so.then(text))
			}
		}
	}
	for _, e := range x.patterns {
		for o := range y.leading(e.lead()) {
			if o == e || x == y && o.lead() == e.lead() && o.order < e.order {
				continue
			}
			if !e.endsLike(o.segment) {
				continue
			}
			if text, ok := common(p.closed(e), p.closed(o)); ok {
				p.across(e.next, o.next, so.then(text))
			}
		}
	}
	for i, e := range x.tails {
		p.tail(e, y, so)
		if x == y {
			if len(e.keys) > 1 {
				p.report(e.keys[0], e.keys[1], so.thenOne(e))
			}
			for _, o := range x.tails[i+1:] {
				p.tails(e, o, so)
			}
		} else {
			for _, o := range y.tails {
				p.tails(e, o, so)
			}
		}
	}
}

// tail compares the tail e with everything below y.
func (p *proof) tail(e *edge, y *index, so *trail) {
	for text, n := range sorted(y.literals) {
		if len(n.keys) > 0 && e.possible(text) {
			p.report(e.keys[0], n.keys[0], so.then(text))
		}
		if literalBegins(e, text) {
			p.swallow(e, n, so.then(text))
		}
	}
	for _, o := range y.patterns {
		if text, ok := common(p.closed(e), p.closed(o)); ok && len(o.next.keys) > 0 {
			p.report(e.keys[0], o.next.keys[0], so.then(text))
		}
		if text, ok := common(p.open(e), p.closed(o)); ok {
			p.swallow(e, o.next, so.then(text))
		}
	}
}

// literalBegins tells whether a name of the tail e can begin with the segment text and go on.
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

// swallow reports the first key below n, all of whose names the tail e can have too. Braces
// are the exception: a tail escapes them.
func (p *proof) swallow(e *edge, n *index, so *trail) {
	for text, next := range sorted(n.literals) {
		if strings.ContainsAny(text, "{}") {
			continue
		}
		if len(next.keys) > 0 {
			p.report(e.keys[0], next.keys[0], so.then(text))
			return
		}
		p.swallow(e, next, so.then(text))
	}
	for _, edges := range [][]*edge{n.patterns, n.tails} {
		for _, o := range edges {
			if o.hasBraces() {
				continue
			}
			keys := append(slices.Clone(o.keys), o.next.keys...)
			if len(keys) > 0 {
				p.report(e.keys[0], keys[0], so.thenOne(o))
				return
			}
			p.swallow(e, o.next, so.thenOne(o))
		}
	}
}

func (s segment) hasBraces() bool {
	return slices.ContainsFunc(s.tokens, func(t token) bool { return strings.ContainsAny(t.literal, "{}") })
}

// tails compares two tails that begin in the same segment.
func (p *proof) tails(e, o *edge, so *trail) {
	if text, ok := common(p.closed(e), p.closed(o)); ok {
		p.report(e.keys[0], o.keys[0], so.then(text))
	} else if text, ok := common(p.open(e), p.open(o)); ok {
		p.report(e.keys[0], o.keys[0], so.then(text+":x"))
	}
}

func (p *proof) report(a, b *mounted, so *trail) {
	if len(p.collisions) >= maxProblems {
		return
	}
	p.collisions = append(p.collisions, &Error{Op: "open", Template: a.template, Err: because(ErrCollision, fmt.Sprintf(
		"%s %s and %s %s can both be named %q", a.def.kind, a.path(), b.def.kind, b.path(), p.example(so)))})
}

func (p *proof) closed(e *edge) *automaton { return p.automaton(e, 0) }
func (p *proof) open(e *edge) *automaton   { return p.automaton(e, 1) }

func (p *proof) automaton(e *edge, which int) *automaton {
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

// trail is how the proof got where it is: a text or an edge for each segment. The example of a
// collision is made of it, and only then.
type trail struct {
	up   *trail
	text string
	edge *edge
}

func (t *trail) then(text string) *trail { return &trail{up: t, text: text} }
func (t *trail) thenOne(e *edge) *trail  { return &trail{up: t, edge: e} }

// example gives a name that begins as the trail does.
func (p *proof) example(t *trail) string {
	if t == nil {
		return ""
	}
	text := t.text
	if t.edge != nil {
		text, _ = common(p.closed(t.edge), p.closed(t.edge))
	}
	if t.up == nil {
		return text
	}
	return p.example(t.up) + ":" + text
}

// sorted goes through a map in the order of its keys, so that reports are the same each time.
func sorted[V any](m map[string]V) func(yield func(string, V) bool) {
	return func(yield func(string, V) bool) {
		keys := make([]string, 0, len(m))
		for k := range m {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}
