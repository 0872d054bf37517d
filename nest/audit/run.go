package audit

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/redisimnest/redisimnest/nest"
)

// finishing is how long the end of a step may take.
const finishing = 5 * time.Second

// auditor is one audit.
type auditor struct {
	scope   nest.Scope
	options *options
	began   time.Time
	start   time.Time
	before  time.Duration // of the audit that this one continues

	clusters   []*cluster
	rows       []*row
	places     map[string]*row // by full template
	undeclared *shapes
	companions *tally
	findings   *findings
	seen       int64 // keys, in this run
	uncounted  int64 // of the audit that this one continues, as repeated
	repeated   int64
	complete   bool

	// page has the keys of the step of the walk that is going on. They count when it is finished,
	// which is when the cursor stands behind them.
	page     []nest.Inspection
	progress nest.WalkProgress
	cursor   string
	measurer measurer
	governor *governor // nil without a ceiling
	failed   error     // of what is done at the end of a step
}

// cluster is a cluster of the report.
type cluster struct {
	Cluster
	last int // the number of rows before and in it
	from int // the number of rows before it
}

// row is a declaration of the report.
type row struct {
	Key
	node       nest.Node
	generation string // the parameter that is the generation, or ""
	*tally
}

func newAuditor(scope nest.Scope, o *options) (*auditor, error) {
	a := &auditor{scope: scope, options: o, began: time.Now()}
	a.measurer = measurer{client: scope.Client()}
	a.reset()
	if o.earlier != nil {
		a.cursor = o.earlier.Cursor
		if err := a.load(o.earlier); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// reset begins with nothing found.
func (a *auditor) reset() {
	o := a.options
	a.clusters, a.rows, a.places = nil, nil, make(map[string]*row)
	a.undeclared, a.companions, a.findings = newShapes(o.examples), newTally(), newFindings(o.examples)
	a.before, a.seen, a.uncounted, a.repeated = 0, 0, 0, 0
	a.describe(a.scope.Describe(), templateOf(a.scope), -1, "")
}

// templateOf returns the full template of a scope. An error of the scope names it.
func templateOf(scope nest.Scope) string {
	_, err := scope.Match("")
	if e, ok := errors.AsType[*nest.Error](err); ok {
		return e.Template
	}
	return ""
}

// describe lays out what is declared. template is that of the scope, in the index of the cluster
// around it, and generation the parameter that is the generation of all of it, or "".
func (a *auditor) describe(d nest.Description, template string, in int, generation string) {
	full := template + strings.TrimPrefix(d.Name, a.scope.String())
	switch d.Kind {
	case nest.KindChannel:
	case nest.KindCluster:
		c := &cluster{Cluster: Cluster{Name: d.Name, Template: full, In: in, Doc: d.Doc, Source: d.Source}, from: len(a.rows)}
		a.clusters = append(a.clusters, c)
		in = len(a.clusters) - 1
		for _, sub := range d.Nodes {
			a.describe(sub, template, in, cmp.Or(d.Generation, generation))
		}
		c.last = len(a.rows)
	default:
		r := &row{Key: Key{
			Name: d.Name, Template: full, In: in, Kind: d.Kind, GoType: d.Type,
			TTL: time.Duration(d.TTL * float64(time.Second)), Doc: d.Doc, Source: d.Source,
		}, node: d.Node, generation: generation, tally: newTally()}
		a.rows = append(a.rows, r)
		a.places[full] = r
	}
}

// row returns the row of a key's declaration.
func (a *auditor) row(m nest.Match) *row {
	if r := a.places[m.Template()]; r != nil {
		return r
	}
	r := &row{Key: Key{Name: m.Template(), Template: m.Template(), Kind: m.Def().Kind()}, node: m.Def(), tally: newTally()}
	a.rows = append(a.rows, r)
	a.places[m.Template()] = r
	return r
}

// run walks.
func (a *auditor) run(ctx context.Context) error {
	a.start = time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if a.options.ceiling > 0 {
		g, stop, err := govern(ctx, a.scope.Client(), a.options.ceiling)
		if err != nil {
			return fail(a.scope, err)
		}
		defer stop()
		a.governor = g
	}
	for i, err := range a.scope.Inspect(ctx, a.walkOptions(ctx)...) {
		if err != nil {
			return err
		}
		i.Value = nil
		a.page = append(a.page, i)
		// The walk takes the loop's end for one in the middle of a page, which counts. An audit
		// that has failed drops the page: it begins with it again.
		if err := a.governor.wait(ctx, 1); err != nil && a.failed == nil {
			a.failed = err
		}
		if a.failed != nil {
			break
		}
	}
	if a.failed != nil {
		return fail(a.scope, a.failed)
	}
	if a.finishPage(ctx); a.failed != nil {
		return fail(a.scope, a.failed)
	}
	a.cursor, a.complete = "", true
	return nil
}

func (a *auditor) walkOptions(ctx context.Context) []nest.InspectOption {
	var opts []nest.InspectOption
	if a.options.ceiling > 0 {
		opts = append(opts, nest.ScanCount(governedStep))
	}
	if a.options.earlier != nil {
		opts = append(opts, nest.ResumeFrom(a.options.earlier.Cursor))
	}
	for _, opt := range a.options.walk {
		opts = append(opts, opt)
	}
	if a.options.values > 0 {
		opts = append(opts, nest.InspectValue(a.options.values))
	}
	return append(opts, nest.Companions(), nest.Progress(func(p nest.WalkProgress) { a.step(ctx, p) }))
}

// step is called at the end of each step of the walk, and once more at its end.
func (a *auditor) step(ctx context.Context, p nest.WalkProgress) {
	if a.failed != nil {
		return
	}
	if a.cursor != "" && p.Cursor != "" && a.options.earlier != nil && !sameServers(a.options.earlier.Cursor, p.Cursor) {
		// The walk has begun again from the beginning.
		a.reset()
		a.options.earlier = nil
	}
	// If the walk has ended with an error, what its last step found is not behind the cursor.
	finished := p.Scanned != a.progress.Scanned
	a.progress = p
	if finished {
		a.finishPage(ctx)
	}
	if p.Cursor != "" && len(a.page) == 0 {
		a.cursor = p.Cursor
	}
	if a.failed == nil {
		a.failed = a.governor.wait(ctx, stepCost)
	}
}

// sameServers reports whether two cursors are of the same servers. A cursor begins with the walk
// and its servers, and goes on with the positions.
func sameServers(a, b string) bool {
	head := func(cursor string) string {
		parts := strings.SplitN(cursor, "-", 3)
		return strings.Join(parts[:min(2, len(parts))], "-")
	}
	return head(a) == head(b)
}

// finishPage counts the keys of a step.
func (a *auditor) finishPage(ctx context.Context) {
	if len(a.page) == 0 || a.failed != nil {
		return
	}
	// The step counts, so what belongs to it is asked for even if the audit is interrupted.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishing)
	defer cancel()
	old, err := a.oldGenerations(ctx)
	if err != nil {
		a.failed = err
		return
	}
	questions := make([]question, 0, len(a.page))
	for n := range a.page {
		if q, ask := a.count(&a.page[n], old); ask {
			questions = append(questions, q)
		}
	}
	for i := range questions {
		if q := &questions[i]; q.path != nil { // groups may have become one since
			q.tally = a.undeclared.group(q.path).tally
		}
	}
	a.failed = a.measurer.ask(ctx, questions)
	clear(a.page)
	a.page = a.page[:0]
}

// count counts a key, and returns what else is to be asked about it. old has the generations that
// are not current.
func (a *auditor) count(i *nest.Inspection, old map[string]bool) (question, bool) {
	a.seen++
	name := i.Match.String
	if of, role, ok := i.Companion(); ok {
		a.companions.add(i)
		q := question{key: i.Key(), inspection: i, tally: a.companions, most: a.options.examples}
		q.weight, q.measured = a.companions.choose(i, a.options)
		if loose(of, role, i.TTL) {
			q.of, q.orphan = of.Key(), func() {
				template, source := of.Template(), ""
				if of.Def() == nil {
					template = a.findings.bounded(Orphan, strings.Join(segments(of.String(), a.scope.String()), ":"))
				} else if r := a.places[template]; r != nil {
					source = r.Source
				}
				a.findings.add(Orphan, template, source, "is a companion ("+role+") without its key", name)
			}
		}
		return q, q.measured || q.orphan != nil
	}
	q := question{key: i.Key(), inspection: i, most: a.options.examples}
	if i.Def() == nil {
		q.path = segments(name(), a.scope.String())
		g := a.undeclared.group(q.path)
		if g.add(i); len(g.examples) < a.options.examples {
			g.examples = append(g.examples, name())
		}
		q.tally = g.tally
	} else {
		r := a.row(i.Match)
		r.add(i)
		for _, p := range i.Problems {
			a.findings.add(p.Kind, r.Template, r.Source, p.Text, name)
		}
		if i.Former() {
			r.OldNames++
			a.findings.add(OldName, r.Template, r.Source, "stands under a former name", name)
		}
		if len(old) > 0 && old[generationOf(i.Match, r)] {
			r.OldGenerations++
			a.findings.add(OldGeneration, r.Template, r.Source, "is of a former generation", name)
		}
		q.tally = r.tally
	}
	q.weight, q.measured = q.tally.choose(i, a.options)
	return q, q.measured
}

// loose reports whether a companion is an orphan if its key does not exist: if nothing declares the
// key, or nothing of its kind has such a companion, or the companion never expires. The number of a
// generation stands beside no key, and stays.
func loose(of nest.Match, role string, ttl time.Duration) bool {
	switch {
	case of.Def() == nil:
		return true
	case role == "gen":
		return false
	case ttl == nest.Forever:
		return true
	}
	locks := of.Def().Kind() == nest.KindLock
	switch role {
	case "load":
		return locks || of.Def().Kind() == nest.KindLimiter
	case "token", "wake":
		return !locks
	}
	return false
}

// report returns the report on what was counted.
func (a *auditor) report() *Report {
	o := a.options
	r := &Report{
		Scope: a.scope.String(), Template: templateOf(a.scope), Began: a.began, Took: a.before + time.Since(a.start),
		Cursor: a.cursor, Complete: a.complete, Sample: o.sample, Values: o.values, Unmeasured: a.measurer.refused,
		Clusters: make([]Cluster, 0, len(a.clusters)), Keys: make([]Key, 0, len(a.rows)), Undeclared: []Group{},
		Companions: a.companions.stats(), Findings: a.findings.sorted(), Latency: a.governor.latency(),
	}
	total := newTally()
	for _, row := range a.rows {
		total.merge(row.tally, o.examples)
		k := row.Key
		k.Stats = row.stats()
		r.Keys = append(r.Keys, k)
	}
	for _, c := range a.clusters {
		t := newTally()
		for _, row := range a.rows[c.from:c.last] {
			t.merge(row.tally, o.examples)
		}
		c.Stats = t.stats()
		r.Clusters = append(r.Clusters, c.Cluster)
	}
	for _, f := range a.undeclared.all() {
		total.merge(f.tally, o.examples)
		r.Undeclared = append(r.Undeclared, Group{Shape: f.shape(), Examples: slices.Clone(f.examples), Stats: f.stats()})
		r.Findings = append(r.Findings, Finding{Kind: Undeclared, Template: f.shape(), Keys: f.keys, Examples: slices.Clone(f.examples)})
	}
	slices.SortStableFunc(r.Findings, compareFindings)
	total.merge(a.companions, o.examples)
	r.Total = total.stats()
	if len(r.Undeclared) == 0 {
		r.Uncounted = a.uncounted + a.progress.Undeclared // the walk has a filter, and does not yield them
	}
	r.Repeated = a.repeated + max(0, a.seen-a.progress.Matched)
	return r
}
