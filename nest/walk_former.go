package nest

import "github.com/redisimnest/redisimnest/nest/internal/hashslot"

// A key that stands under a former name is below a former prefix of the scope's cluster, or below
// the present one.

// formerPrefixes returns the scope's prefix under the former names of its cluster.
func (s Scope) formerPrefixes() []string {
	if s.at.formers == nil {
		return nil
	}
	return s.at.olds(s.prefix)
}

// widened adds to a plan without a filter what is below the former prefixes of the scope.
func (s Scope) widened(p plan) plan {
	for _, prefix := range s.formerPrefixes() {
		lead := prefix + ":"
		p.pattern = p.pattern.widen(glob{}.add(lead).any())
		slots := hashslot.Below(lead)
		p.reach = p.reach.Or(&slots)
	}
	return p
}

// formerTargets adds the targets of the former names of a place, which its present target says
// something about.
func (f *filter) formerTargets(m *mounted) {
	if m.formers == nil {
		return
	}
	top := Scope{at: m.tree.top, prefix: m.tree.top.name.End}
	for _, old := range m.formers.list {
		t := top.target(old)
		for i := range t.values {
			t.values[i] = f.value(t.param(i).Name, m)
		}
		f.formers = append(f.formers, t)
	}
}

// value returns what a parameter of a place may hold: what the scope has filled in, or what is
// wanted.
func (f *filter) value(param string, m *mounted) *wanted {
	if value, ok := f.scope.filledIn(param); ok {
		return &wanted{texts: []string{value}, set: map[string]bool{value: true}}
	}
	for _, piece := range m.name.Pieces {
		if piece.Param.Name != param {
			continue
		}
		for _, w := range f.wanted {
			if w.arg.ID() == piece.Param.ID {
				return w
			}
		}
	}
	return nil
}

// former returns the target of a place under a former name, or nil.
func (f *filter) former(m *mounted) *target {
	for _, t := range f.formers {
		if t.m == m {
			return t
		}
	}
	return nil
}
