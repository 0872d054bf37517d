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
	passed     int64 // names that the filter leaves out, of the steps that count
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
	a.before, a.seen, a.passed, a.uncounted, a.repeated = 0, 0, 0, 0, 0
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
	if len(a.page) == 0 && a.failed == nil {
		if p.Cursor != "" {
			a.cursor = p.Cursor
		}
		if a.options.filtered {
			a.passed = p.Undeclared
		}
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

// finishPage counts the keys of a step, all of them or, if one of the questions about them has no
// answer, none: then the audit ends, and [Continue] begins with this step.
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
	questions := a.questions()
	if a.failed = a.measurer.ask(ctx, questions); a.failed != nil {
		return
	}
	for i := range questions {
		a.count(&questions[i], old)
	}
	clear(a.page)
	a.page = a.page[:0]
}

// questions returns what is to be asked about the keys of a step.
func (a *auditor) questions() []question {
	list := make([]question, len(a.page))
	nth := make(map[*tally]int64) // how many keys it will have
	for n := range a.page {
		i, q := &a.page[n], &list[n]
		q.inspection = i
		var t *tally
		if of, role, ok := i.Companion(); ok {
			if t = a.companions; loose(of, role, i.TTL) {
				q.of = of.Key()
			}
		} else if i.Def() == nil {
			q.path = segments(i.String(), a.scope.String())
			t = a.undeclared.group(q.path).tally
		} else {
			t = a.row(i.Match).tally
		}
		if nth[t] == 0 {
			nth[t] = t.keys
		}
		nth[t]++
		q.weight, q.measured = t.choose(i, nth[t], a.options)
	}
	return list
}

// count counts a key, with the answers to what was asked about it. old has the generations that are
// not current.
func (a *auditor) count(q *question, old map[string]bool) {
	a.seen++
	i, t := q.inspection, a.companions
	name := i.Match.String
	if of, role, ok := i.Companion(); ok {
		if q.orphan {
			template, source := of.Template(), ""
			if of.Def() == nil {
				template = a.findings.bounded(Orphan, strings.Join(segments(of.String(), a.scope.String()), ":"))
			} else if r := a.places[template]; r != nil {
				source = r.Source
			}
			a.findings.add(Orphan, template, source, "is a companion ("+role+") without its key", name)
		}
	} else if i.Def() == nil {
		g := a.undeclared.group(q.path) // groups may have become one since
		if t = g.tally; len(g.examples) < a.options.examples {
			g.examples = append(g.examples, name())
		}
	} else {
		r := a.row(i.Match)
		t = r.tally
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
	}
	t.add(i)
	if q.answered {
		t.measure(q.bytes, q.weight)
		if most := a.options.examples; isLarge(t.largest, q.bytes, most) {
			t.largest = keepLargest(t.largest, Sized{name(), q.bytes, i.Len}, most)
		}
	}
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
		if f.keys == 0 {
			continue // those of the step that has failed
		}
		total.merge(f.tally, o.examples)
		r.Undeclared = append(r.Undeclared, Group{Shape: f.shape(), Examples: slices.Clone(f.examples), Stats: f.stats()})
		r.Findings = append(r.Findings, Finding{Kind: Undeclared, Template: f.shape(), Keys: f.keys, Examples: slices.Clone(f.examples)})
	}
	slices.SortStableFunc(r.Findings, compareFindings)
	total.merge(a.companions, o.examples)
	r.Total = total.stats()
	r.Uncounted = a.uncounted + a.passed
	r.Repeated = a.repeated + max(0, a.seen-a.progress.Matched)
	return r
}
