package nest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
)

// walking is one run of an operation that walks through the keyspace below a scope.
type walking struct {
	*keyWalk
	scope   Scope
	op      string
	options walkOptions
	filter  *filter
	// secretive are the places below the scope that hide parameters, and the clusters that hide
	// values.
	secretive []*mounted
	// blind says that whatever is found is taken, declared or not.
	blind bool
	// deletes says that what was taken is not found again.
	deletes bool
	// done returns how much was done and how much failed; nil stands for all that was taken.
	done    func() (done, failed int64)
	start   time.Time
	begun   bool // at the beginning: it was not resumed
	servers string
	walkID  string

	counting sync.Mutex
	stands   []stand
	slots    map[uint16]*slotCounts
	now      WalkProgress
	size     int64 // how many keys the servers have, if they say so
	ended    bool
}

// walking prepares a walk.
func (s Scope) walking(op string, o walkOptions) (*walking, error) {
	f, err := s.filter(&o)
	if err != nil {
		return nil, err
	}
	return s.walkingWith(op, f, o), nil
}

// walkingWith prepares a walk with a filter.
func (s Scope) walkingWith(op string, f *filter, o walkOptions) *walking {
	w := &walking{scope: s, op: op, options: o, filter: f, start: time.Now(), walkID: s.identity(op, f, &o)}
	w.keyWalk = s.walk(s.plan(f, &o, o.progress != nil), &o)
	w.now.Cursor, w.now.By = o.resume, make(map[string]int64)
	w.keyWalk.from, w.keyWalk.again = w.from, w.withdraw
	w.secretive = s.secretive()
	return w
}

// from returns where the walk begins on each server.
func (w *walking) from(ctx context.Context, t *topology) (_ []stand, err error) {
	w.counting.Lock()
	defer w.counting.Unlock()
	w.servers = t.fingerprint()
	if w.stands, err = parseCursor(w.options.resume, w.walkID, w.servers, len(t.holders)); err != nil {
		return nil, err
	}
	w.begun = !slices.ContainsFunc(w.stands, func(at stand) bool { return at != stand{} })
	w.now.Cursor = formatCursor(w.walkID, w.servers, w.stands)
	if w.options.progress != nil {
		w.size = t.size(ctx)
	}
	return slices.Clone(w.stands), nil
}

// size returns how many keys the servers have, or 0 if one does not say.
func (t *topology) size(ctx context.Context) (n int64) {
	for _, h := range t.holders {
		its, err := h.client.Do(ctx, h.client.B().Arbitrary("DBSIZE").Build().ToRetryable()).AsInt64()
		if err != nil {
			return 0
		}
		n += its
	}
	return n
}

// verdict is what a walk makes of a name.
type verdict uint8

const (
	passed     verdict = iota // it is none of the walk's
	undeclared                // nothing declares it, and the walk counts it
	taken
	takenCompanion
	takenUndeclared
)

// judge returns what the walk makes of a name, and the place of the key that it is or serves.
func (w *walking) judge(name string, direct bool) (*mounted, verdict) {
	t, key, v := w.scope.at.tree, name, taken
	var m *mounted
	if !w.blind {
		m = t.at(name)
	}
	if m == nil {
		if of, role, companion := companionOf(name); companion {
			if key, v = of, takenCompanion; !w.options.companions {
				return nil, passed
			}
			switch {
			case w.blind:
			case role == generationRole:
				m = t.generationAt(of)
			default:
				m = t.at(of)
			}
		} else {
			v = takenUndeclared
		}
	}
	if w.scope.at.formers != nil {
		// The pattern of a scope with several prefixes matches more than what is below them.
		if _, below := w.scope.within(key); !below {
			return nil, passed
		}
	}
	switch {
	case w.blind, m == nil && w.filter == nil:
		return nil, v
	case m == nil:
		return nil, w.judgeUndeclared(key, v)
	case w.options.undeclared || !w.scope.at.holds(m):
		return nil, passed
	}
	if w.filter != nil {
		// A name that is looked up is passed over where it is found as well.
		of := w.filter.of(m)
		if of == nil || of.determined() != direct || !of.takes(key) {
			return nil, passed
		}
	}
	return m, v
}

// judgeUndeclared is judge for a filter, and a name that nothing declares or that serves such a
// name.
func (w *walking) judgeUndeclared(key string, v verdict) verdict {
	switch {
	case !w.filter.under(key):
		return passed
	case w.options.undeclared:
		return v
	case v == takenCompanion:
		return passed
	}
	return undeclared
}

// sighting is a name that a walk has come across.
type sighting struct {
	name string
	m    *mounted // of the key that it is or serves, if that is declared
	verdict
}

// sight judges the names of a page, and leaves out those that are none of the walk's.
func (w *walking) sight(p walkPage) []sighting {
	seen := make([]sighting, 0, len(p.names))
	for _, name := range p.names {
		if m, v := w.judge(name, p.direct); v != passed {
			seen = append(seen, sighting{name, m, v})
		}
	}
	return seen
}

// slotCounts is what one slot has added to the progress of a walk, and what is withdrawn if it is
// walked through again. Servers that are not a Redis Cluster count as one slot.
type slotCounts struct {
	scanned, matched, undeclared int64
	by                           map[*mounted]int64
}

// count adds the names of a page, of which the walk deals with seen.
func (w *walking) count(p walkPage, seen []sighting) {
	w.counting.Lock()
	defer w.counting.Unlock()
	if w.slots == nil {
		w.slots = make(map[uint16]*slotCounts)
	}
	w.now.Scanned += int64(len(p.names))
	for _, name := range p.names {
		w.slot(name).scanned++
	}
	for i := range seen {
		s := &seen[i]
		of := w.slot(s.name)
		if s.verdict == undeclared || s.verdict == takenUndeclared {
			w.now.Undeclared++
			of.undeclared++
		}
		if s.verdict == undeclared {
			continue
		}
		w.now.Matched++
		of.matched++
		if s.verdict == taken && w.options.progress != nil {
			w.now.By[s.m.presently().name.Text]++
			if of.by == nil {
				of.by = make(map[*mounted]int64)
			}
			of.by[s.m]++
		}
	}
}

// slot returns the counts of a name's slot.
func (w *walking) slot(name string) *slotCounts {
	var slot uint16
	if w.last.clustered {
		slot = hashslot.Of(name)
	}
	of := w.slots[slot]
	if of == nil {
		of = &slotCounts{}
		w.slots[slot] = of
	}
	return of
}

// withdraw takes back what the slots have added, because they will be walked through again. What
// was deleted is not found again.
func (w *walking) withdraw(slots *hashslot.Set) {
	w.counting.Lock()
	defer w.counting.Unlock()
	for slot, of := range w.slots {
		if w.last.clustered && !slots.Has(slot) {
			continue
		}
		delete(w.slots, slot)
		if w.deletes {
			continue
		}
		w.now.Scanned -= of.scanned
		w.now.Matched -= of.matched
		w.now.Undeclared -= of.undeclared
		for m, n := range of.by {
			template := m.presently().name.Text
			if w.now.By[template] -= n; w.now.By[template] == 0 {
				delete(w.now.By, template)
			}
		}
	}
}

// passed notes that a page is dealt with.
func (w *walking) passed(p walkPage) {
	w.counting.Lock()
	defer w.counting.Unlock()
	if p.first {
		w.stands[p.index] = p.stand
		w.now.Cursor = formatCursor(w.walkID, w.servers, w.stands)
	}
}

// tell reports to the caller how far the walk has come.
func (w *walking) tell() {
	if w.options.progress == nil {
		return
	}
	w.counting.Lock()
	now := w.now
	if w.done == nil {
		now.Done = now.Matched
	} else {
		now.Done, now.Failed = w.done()
	}
	now.By = maps.Clone(now.By)
	size := w.size
	w.counting.Unlock()
	looked := w.looked.Load()
	if spent := time.Since(w.start); spent > 0 {
		now.Rate = float64(looked) / spent.Seconds()
	}
	if now.Rate > 0 && size > looked && !w.ended {
		now.Left = time.Duration(float64(size-looked) / now.Rate * float64(time.Second))
	}
	w.options.progress(now)
}

// finish reports the end of the walk.
func (w *walking) finish(err error) {
	w.counting.Lock()
	if w.ended = true; err == nil {
		w.now.Cursor = ""
	}
	w.counting.Unlock()
	w.tell()
}

// inTurn walks, and visits page after page in the caller's goroutine. An error ends the walk.
func (w *walking) inTurn(ctx context.Context, visit func(p walkPage) error) error {
	for p, err := range w.pages(ctx) {
		if err == nil {
			err = visit(p)
		}
		if err != nil {
			return err
		}
		w.passed(p)
		w.tell()
	}
	return nil
}

// each walks, and visits pages of several servers at the same time. Progress is reported in the
// caller's goroutine.
func (w *walking) each(ctx context.Context, visit func(ctx context.Context, p walkPage) error) error {
	if w.options.progress == nil {
		w.visit = visit
		return w.run(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ticks, ended := make(chan struct{}), make(chan error, 1)
	w.visit = func(ctx context.Context, p walkPage) error {
		if err := visit(ctx, p); err != nil {
			return err
		}
		w.passed(p)
		select {
		case ticks <- struct{}{}:
		case <-ctx.Done():
		}
		return nil
	}
	go func() { ended <- w.run(ctx) }()
	running := true
	defer func() {
		if cancel(); running { // report has panicked
			<-ended //nolint:errcheck // it is about the walk
		}
	}()
	for {
		select {
		case <-ticks:
			w.tell()
		case err := <-ended:
			running = false
			return err
		}
	}
}
