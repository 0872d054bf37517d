package audit

import (
	"fmt"
	"slices"

	"github.com/redisimnest/redisimnest/nest"
)

// load takes over what an earlier audit has found.
func (a *auditor) load(r *Report) error {
	if r.Template != templateOf(a.scope) || r.Scope != a.scope.String() {
		return fmt.Errorf("%w: Continue: the report is about %q, not about this scope", nest.ErrArgument, r.Scope)
	}
	if r.Values != a.options.values {
		return fmt.Errorf("%w: Continue: the earlier audit was made with other values of CheckValues", nest.ErrArgument)
	}
	most := a.options.examples
	for _, k := range r.Keys {
		row := a.places[k.Template]
		if row == nil {
			return fmt.Errorf("%w: Continue: the report is about the keys of %q, which is no longer declared", nest.ErrArgument, k.Template)
		}
		row.load(&k.Stats, most)
		row.OldNames, row.OldGenerations = k.OldNames, k.OldGenerations
	}
	for _, g := range r.Undeclared {
		to := a.undeclared.group(split(g.Shape, r.Scope))
		to.load(&g.Stats, most)
		to.examples = append(to.examples, g.Examples...)
		to.examples = to.examples[:min(len(to.examples), most)]
	}
	a.companions.load(&r.Companions, most)
	for _, f := range r.Findings {
		if f.Kind == Undeclared {
			continue // it comes from the groups
		}
		if row := a.places[f.Template]; row != nil {
			f.Source = row.Source
		}
		f.Examples = slices.Clone(f.Examples)
		a.findings.list[findingKey{f.Kind, f.Template}] = &f
	}
	a.began, a.before, a.uncounted, a.repeated = r.Began, r.Took, r.Uncounted, r.Repeated
	return nil
}
