package nest

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// filter says which of the names below a scope a walk takes: the keys of some declarations, with
// some values of their parameters.
type filter struct {
	scope    Scope
	wanted   []*wanted
	targets  []*target // of the places below the scope, in their order; nil where no key is taken
	formers  []*target // of these places under their former names
	numbers  []*target // of the numbers of generations
	clusters []*target // the outermost clusters whose prefixes have all the values
}

// wanted is a parameter of [Where].
type wanted struct {
	arg   names.Arg // the first one
	texts []string  // the values, unescaped
	set   map[string]bool
}

func (w *wanted) has(text string) bool { return w.set[text] }

// target is a place whose names a filter takes.
type target struct {
	m *mounted
	// texts are the parts of its names between the parameters that the scope leaves open: one more
	// than there are such parameters.
	texts []string
	// values are what these parameters may hold; nil stands for anything.
	values []*wanted
}

// determined reports whether the names of the target are known.
func (t *target) determined() bool { return !slices.Contains(t.values, nil) }

// takes reports whether a name of the target's place has the values.
func (t *target) takes(name string) bool {
	i := len(t.values) - len(t.m.name.Pieces)
	for _, value := range t.m.name.Values(name) {
		if i >= 0 && t.values[i] != nil && !t.values[i].has(value) {
			return false
		}
		i++
	}
	return true
}

// param returns the i-th parameter that the scope leaves open.
func (t *target) param(i int) *names.Param {
	pieces := t.m.name.Pieces
	return pieces[len(pieces)-len(t.values)+i].Param
}

// glob returns the pattern of the target's names.
func (t *target) glob() glob {
	g := glob{}.add(t.texts[0])
	for i, w := range t.values {
		if w == nil {
			g = g.any()
		} else {
			var values glob
			for _, text := range w.texts {
				values = values.widen(glob{}.add(t.param(i).Escape(text)))
			}
			g = g.join(values)
		}
		g = g.add(t.texts[i+1])
	}
	return g
}

// unknown stands for a value that is not known. It is in no name.
const unknown = "\x00"

// names yields the target's names, one after the other, with unknown for each value that is not
// determined.
func (t *target) names(yield func(string) bool) { t.spell([]byte(t.texts[0]), 0, yield) }

func (t *target) spell(name []byte, i int, yield func(string) bool) bool {
	if i == len(t.values) {
		return yield(string(name))
	}
	w := t.values[i]
	if w == nil {
		return t.spell(append(append(name, unknown...), t.texts[i+1]...), i+1, yield)
	}
	for _, text := range w.texts {
		if !t.spell(append(append(name, t.param(i).Escape(text)...), t.texts[i+1]...), i+1, yield) {
			return false
		}
	}
	return true
}

// maxSpelled is how many names of a target are spelled to find out their slots.
const maxSpelled = 1000

// slots returns where the target's names can be on a Redis Cluster.
func (t *target) slots() hashslot.Set {
	var s hashslot.Set
	spelled := 0
	for name := range t.names {
		if spelled++; spelled > maxSpelled {
			return hashslot.Every()
		}
		if _, rest, opened := strings.Cut(name, "{"); opened {
			if tag, _, closed := strings.Cut(rest, "}"); closed && tag != "" && !strings.Contains(tag, unknown) {
				s.Add(hashslot.Of(name))
				continue
			}
		}
		if strings.Contains(name, unknown) {
			return hashslot.Every()
		}
		s.Add(hashslot.Of(name))
	}
	return s
}

// target returns the parts of the names of a place at or below the scope.
func (s Scope) target(m *mounted) *target {
	open := m.name.Pieces[len(s.at.name.Pieces):]
	before, skip := s.prefix, len(s.at.name.End)
	texts := make([]string, 0, len(open)+1)
	for _, piece := range open {
		texts = append(texts, before+piece.Literal[skip:])
		before, skip = "", 0
	}
	return &target{m, append(texts, before+m.name.End[skip:]), make([]*wanted, len(open))}
}

// below returns the places at and below the scope.
func (s Scope) below() []*mounted {
	mounts := s.at.tree.mounts
	return mounts[max(0, s.at.first):min(len(mounts), s.at.last+1)]
}

// filter returns the filter that the options ask for, or nil.
func (s Scope) filter(o *walkOptions) (*filter, error) {
	if !o.filtered() {
		return nil, nil //nolint:nilnil // no filter is no error
	}
	spans, err := s.spans(o.only)
	if err != nil {
		return nil, err
	}
	f := &filter{scope: s}
	if f.wanted, err = s.wanted(o.where); err != nil {
		return nil, err
	}
	below := s.below()
	f.targets = make([]*target, len(below))
	inside := -1 // the last place below the last one of f.clusters
	found := false
	if top := s.at; top.def == nil && len(f.wanted) == 0 && inSpans(spans, top) {
		f.clusters, inside = append(f.clusters, s.target(top)), top.last
	}
	for i, m := range below {
		if !inSpans(spans, m) || m.def.kind == KindChannel {
			continue
		}
		f.bindNumber(m)
		t := f.bind(m)
		switch {
		case t == nil:
		case !m.def.isCluster():
			f.targets[i], found = t, true
			f.formerTargets(m)
		case m.first > inside:
			f.clusters, inside = append(f.clusters, t), m.last
		}
	}
	if o.undeclared && len(f.clusters) == 0 || !o.undeclared && !found {
		return nil, s.unmatched(f, o)
	}
	return f, nil
}

// unmatched says why a filter takes nothing.
func (s Scope) unmatched(f *filter, o *walkOptions) error {
	var list []string
	for _, w := range f.wanted {
		list = append(list, "<"+w.arg.Param()+">")
	}
	params := strings.Join(list, " and ")
	switch {
	case o.undeclared && len(list) == 0:
		return because(ErrArgument, "nothing can match: Only names no cluster, and names that nothing declares are below clusters")
	case o.undeclared:
		return because(ErrArgument, "nothing can match: the prefix of no cluster has "+params+", and names that nothing declares are below such prefixes")
	case f.bound():
		return because(ErrArgument, "nothing can match: the scope has filled in another value of "+params)
	case len(list) == 0:
		return because(ErrArgument, "nothing can match: Only names no key, and no cluster that has one")
	case len(o.only) > 0:
		return because(ErrArgument, "nothing can match: no key below what Only names has "+params)
	}
	return because(ErrArgument, "nothing can match: no key below the scope has "+params)
}

// bound reports whether the scope has filled in one of the parameters.
func (f *filter) bound() bool {
	return slices.ContainsFunc(f.scope.at.name.Pieces, func(p names.Piece) bool {
		return slices.ContainsFunc(f.wanted, func(w *wanted) bool { return p.Param.ID == w.arg.ID() })
	})
}

// bind returns the names of a place that have the wanted values, or nil if none has.
func (f *filter) bind(m *mounted) *target {
	t := f.scope.target(m)
	filled := len(m.name.Pieces) - len(t.values)
	for _, w := range f.wanted {
		at := slices.IndexFunc(m.name.Pieces, func(p names.Piece) bool { return p.Param.ID == w.arg.ID() })
		switch {
		case at < 0:
			return nil
		case at >= filled:
			t.values[at-filled] = w
		default:
			i := 0
			for _, value := range f.scope.at.name.Values(f.scope.prefix) {
				if i == at && !w.has(value) {
					return nil
				}
				i++
			}
		}
	}
	return t
}

// bindNumber adds the number of the generation of a cluster that Only takes as a whole.
func (f *filter) bindNumber(m *mounted) {
	if g := m.generation; g != nil && len(g.number.name.Pieces) >= len(f.scope.at.name.Pieces) {
		if t := f.bind(g.number); t != nil {
			f.numbers = append(f.numbers, t)
		}
	}
}

// number returns the target of the number of a generation, or nil.
func (f *filter) number(m *mounted) *target {
	for _, t := range f.numbers {
		if t.m == m {
			return t
		}
	}
	return nil
}

// spans returns the places of the declarations at or below the scope.
func (s Scope) spans(nodes []Node) ([]*mounted, error) {
	var spans []*mounted
	t := s.at.tree
	for _, n := range nodes {
		d := n.declared()
		all := t.places(d)
		places := within(all, s.at)
		if len(places) == 0 && slices.ContainsFunc(all, func(m *mounted) bool { return m.holds(s.at) }) {
			places = []*mounted{s.at}
		}
		if len(places) == 0 {
			return nil, t.notFound(s.at, d).Err
		}
		spans = append(spans, places...)
	}
	return spans, nil
}

// inSpans reports whether a place is at or below one of those that Only names.
func inSpans(spans []*mounted, m *mounted) bool {
	return spans == nil || slices.ContainsFunc(spans, func(span *mounted) bool { return span.holds(m) })
}

// wanted collects the values of each parameter, and checks them.
func (s Scope) wanted(args []names.Arg) (list []*wanted, _ error) {
	for i := range args {
		a := &args[i]
		p := s.attached(a.ID())
		if p == nil {
			return nil, s.unattached(a)
		}
		text, problem := p.Of(a)
		if problem != nil {
			return nil, misused(problem)
		}
		at := slices.IndexFunc(list, func(w *wanted) bool { return w.arg.ID() == a.ID() })
		if at < 0 {
			at = len(list)
			list = append(list, &wanted{arg: *a, set: make(map[string]bool)})
		}
		if w := list[at]; !w.set[text] {
			w.set[text] = true
			w.texts = append(w.texts, text)
		}
	}
	return list, nil
}

// attached returns a parameter of that declaration on a path at or below the scope, or nil. The id
// 0 is that of parameters without a declaration.
func (s Scope) attached(id uint32) *names.Param {
	if id == 0 {
		return nil
	}
	for _, m := range s.below() {
		for i := range m.name.Pieces {
			if p := m.name.Pieces[i].Param; p.ID == id {
				return p
			}
		}
	}
	return nil
}

// unattached says that a parameter is attached nowhere below the scope, and where its name stands.
func (s Scope) unattached(a *names.Arg) error {
	var places []*mounted
	var known []string
	for _, m := range s.below() {
		for _, slot := range m.def.template.Slots {
			known = append(known, slot.Name)
			if slot.Name == a.Param() {
				places = append(places, m)
			}
		}
	}
	text := "Where: no Params at or below the scope attaches this <" + a.Param() + ">"
	if len(places) > 0 {
		return because(ErrArgument, text+"; the name stands without it in "+paths(places))
	}
	text += ", and no template there has a parameter of this name"
	if near := names.Nearest(a.Param(), known); near != "" {
		text += ": did you mean <" + near + ">?"
	}
	return because(ErrArgument, text)
}

// of returns the target of a place, or nil.
func (f *filter) of(m *mounted) *target {
	if !f.scope.at.holds(m) {
		return nil
	}
	switch {
	case m.present != nil:
		return f.former(m)
	case m.def.isCluster():
		return f.number(m)
	}
	return f.targets[m.first-max(0, f.scope.at.first)]
}

// under reports whether a name that nothing declares is below a cluster whose prefix has all the
// values.
func (f *filter) under(name string) bool {
	return slices.ContainsFunc(f.clusters, func(c *target) bool {
		skip := len(c.m.name.Pieces) - len(c.values)
		return strings.HasPrefix(name, c.texts[0]) && c.m.name.Under(name, func(i int, value string) bool {
			return i < skip || c.values[i-skip] == nil || c.values[i-skip].has(value)
		})
	})
}

// Filter returns a function that reports whether [Where] and [Only] take a match, for names that do
// not come from a walk. It reports false for names that nothing declares or that are not below the
// scope. The other options have no effect. The error is that of a walk with the same options.
// Nothing is sent.
func (s Scope) Filter(opts ...WalkOption) (func(Match) bool, error) {
	const op = "filter"
	if err := s.check(op); err != nil {
		return nil, err
	}
	var o walkOptions
	err := eachOption(opts, func(opt WalkOption) error { return opt.applyScan(&o) })
	var f *filter
	if err == nil {
		f, err = s.filter(&o)
	}
	if err != nil {
		return nil, s.fail(op, err)
	}
	return func(match Match) bool {
		m := match.at
		if m == nil || m.tree != s.at.tree { // a match of another scope that was opened
			m = s.at.tree.at(match.key)
		}
		if m == nil || !s.at.holds(m) {
			return false
		}
		if _, below := s.within(match.key); !below {
			return false
		}
		if f == nil {
			return true
		}
		t := f.of(m)
		return t != nil && t.takes(match.key)
	}, nil
}

// plan is what a walk asks the servers for.
type plan struct {
	pattern glob         // of SCAN; nil if nothing is scanned for
	direct  []*target    // whose names are looked up
	reach   hashslot.Set // where all these names can be
}

// plan returns what a walk through the scope asks for. With extras it includes the names that
// nothing declares.
func (s Scope) plan(f *filter, o *walkOptions, extras bool) (p plan) {
	if f == nil {
		lead := s.lead()
		return s.widened(plan{pattern: glob{}.add(lead).any(), reach: hashslot.Below(lead)})
	}
	include := func(t *target) {
		p.pattern = p.pattern.widen(t.glob())
		slots := t.slots()
		p.reach = p.reach.Or(&slots)
	}
	all := slices.Concat(f.targets, f.formers)
	if o.companions {
		all = append(all, f.numbers...)
	}
	for _, t := range all {
		switch {
		case t == nil || o.undeclared:
		case t.determined():
			p.direct = append(p.direct, t)
			slots := t.slots()
			p.reach = p.reach.Or(&slots)
		default:
			include(t)
		}
	}
	if p.pattern != nil && o.companions {
		p.pattern = p.pattern.any()
	}
	if extras || o.undeclared {
		for _, c := range f.clusters {
			below := target{c.m, slices.Clone(c.texts), c.values}
			if c.m.name.Text != "" {
				below.texts[len(below.texts)-1] += ":"
			}
			below.texts[len(below.texts)-1] += unknown
			g := below.glob()
			g = append(g[:len(g)-1], anything)
			p.pattern = p.pattern.widen(g)
			slots := below.slots()
			p.reach = p.reach.Or(&slots)
		}
	}
	return p
}

// identity returns a hash of what is walked through and what is done with it.
func (s Scope) identity(op string, f *filter, o *walkOptions) string {
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%s %q %v %v %v", op, s.lead(), o.dryRun, o.undeclared, o.companions)
	if f != nil {
		for _, w := range f.wanted {
			_, _ = fmt.Fprintf(h, " %q %q", w.arg.Param(), slices.Sorted(slices.Values(w.texts)))
		}
		for _, t := range slices.Concat(f.targets, f.formers, f.numbers) {
			if t != nil {
				_, _ = fmt.Fprintf(h, " %q", t.m.name.Text)
			}
		}
	}
	return strconv.FormatUint(uint64(h.Sum32()), 16)
}
