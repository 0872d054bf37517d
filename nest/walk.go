package nest

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/behind"
	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
)

// keyWalk walks the names that match a pattern, and those that it looks up one by one, on all
// servers with their own keys at the same time. It yields every name that exists from its beginning
// to its end, or it fails:
//
//   - It asks the servers who has which slots when it begins, and again when it has walked them.
//     Slots that have moved in between, that were open for a move, or that were on a server whose
//     life has ended are walked again, until two looks agree about them.
//   - A cursor goes only to the server that it came from.
//   - The error names each slot that no server has, or whose move does not end.
//
// Names may come twice, as they also may while a server resizes its table.
type keyWalk struct {
	tree    *tree
	lead    string    // what the pattern begins with
	pattern string    // of SCAN; "" if nothing is scanned for
	step    int       // how many names a step of SCAN looks at
	direct  []*target // whose names are looked up
	// companions reports whether the companions of these keys are looked up too.
	companions bool
	pace       *pace        // nil if there is no limit
	looked     atomic.Int64 // how many names the servers have looked at
	// visit takes what one step found. Steps of several servers run at the same time, those of one
	// server one after the other. The previous page is finished when the next one comes.
	visit func(ctx context.Context, p walkPage) error
	// from, if it is set, returns for each server where the walk begins on it.
	from func(ctx context.Context, t *topology) ([]stand, error)
	// again, if it is set, is called with the slots that will be walked again.
	again func(slots *hashslot.Set)

	reach   hashslot.Set // where names can be
	pending hashslot.Set // the slots still to be walked
	last    *topology    // the latest one
	spoilt  struct {
		sync.Mutex
		slots hashslot.Set
	}
}

// walkPage is what one step found on a server.
type walkPage struct {
	server *holder
	first  bool // of the servers found at the beginning
	index  int  // of the server among them
	direct bool // the names were looked up
	names  []string
	stand  stand // where the next step begins
}

// stand is the position of a walk on one server.
type stand struct {
	cursor uint64
	done   bool
}

// run walks.
func (w *keyWalk) run(ctx context.Context) error {
	seen, err := w.look(ctx)
	if err != nil {
		return err
	}
	if !seen.clustered {
		w.reach = hashslot.Every() // the server has all of them
	}
	var from []stand
	if w.from != nil {
		if from, err = w.from(ctx, seen); err != nil {
			return err
		}
	}
	w.pending = w.reach
	var waited time.Duration
	pause, tries := walkPause, 0
	for first := true; ; first = false {
		walked, failed := w.round(ctx, seen, from, first)
		from = nil
		if ctx.Err() != nil {
			return w.incomplete(seen, cmp.Or(failed, ctx.Err()))
		}
		if failed != nil && (!seen.clustered || !passes(failed)) {
			return failed
		}
		now, err := w.look(ctx)
		if err != nil {
			return w.incomplete(seen, err)
		}
		left := w.left(seen, now, walked)
		came := left.Len() < w.pending.Len()
		w.pending, seen = left, now
		if w.pending.Empty() {
			return nil
		}
		if came {
			waited, pause, tries = 0, walkPause, 0
		} else if !walked.Empty() {
			tries++
		}
		if waited > walkPatience || tries > walkTries {
			return w.incomplete(seen, failed)
		}
		if !first || failed != nil || !w.ready(seen) {
			if err := sleep(ctx, pause); err != nil {
				return w.incomplete(seen, err)
			}
			waited += pause
			pause = min(2*pause, walkPauses)
			if now, err = w.look(ctx); err != nil {
				return w.incomplete(seen, err)
			}
			seen = now
		}
		if part := w.closed(seen); w.again != nil && !part.Empty() {
			w.again(&part)
		}
	}
}

// passes reports whether it may help to ask again which server has what.
func passes(err error) bool {
	if _, visited := errors.AsType[*visitError](err); visited {
		return false
	}
	if _, answered := rueidis.IsRedisErr(err); answered {
		return whyUnexecuted(err) != noObstacle
	}
	return !errors.Is(err, rueidis.ErrClosing) && !errors.Is(err, errAnswer)
}

// visitError is an error of visit.
type visitError struct{ error }

func (e *visitError) Unwrap() error { return e.error }

func (w *keyWalk) look(ctx context.Context) (*topology, error) {
	t, err := w.tree.look(ctx, &w.reach, w.nameIn)
	if err == nil {
		w.last = t
	}
	return t, err
}

// nameIn returns a name in one of the slots that begins like those of the walk.
func (w *keyWalk) nameIn(slots *hashslot.Set) string {
	for i := 0; ; i++ {
		name := w.lead + strconv.Itoa(i)
		if slots.Has(hashslot.Of(name)) || i > 100*hashslot.Count {
			return name
		}
	}
}

// left returns the slots that remain after walked was walked between two looks.
func (w *keyWalk) left(before, after *topology, walked hashslot.Set) hashslot.Set {
	settled := before.settled(after)
	settled = settled.And(&walked)
	w.spoilt.Lock()
	settled = settled.Without(&w.spoilt.slots)
	w.spoilt.slots = hashslot.Set{}
	w.spoilt.Unlock()
	return w.pending.Without(&settled)
}

// spoil records that a name was not found where its slot is. The slot is walked again.
func (w *keyWalk) spoil(name string) {
	w.spoilt.Lock()
	defer w.spoilt.Unlock()
	w.spoilt.slots.Add(hashslot.Of(name))
}

// closed returns the slots that can be walked now.
func (w *keyWalk) closed(t *topology) hashslot.Set {
	part := w.pending.Without(&t.open)
	return part.And(&t.covered)
}

func (w *keyWalk) ready(t *topology) bool {
	part := w.closed(t)
	return !part.Empty()
}

// round walks the remaining slots that can be walked, and returns those that it has walked. The
// first time it also walks slots that are moving, on both servers. If they never settle, that was
// at least tried.
func (w *keyWalk) round(ctx context.Context, t *topology, from []stand, first bool) (walked hashslot.Set, failed error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	closed := w.closed(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i, h := range t.holders {
		owned := t.owned(h)
		own := owned.And(&closed)
		part := own
		if first {
			part = owned.Or(&h.open)
			part = part.And(&w.pending)
		}
		if part.Empty() {
			continue
		}
		var start stand
		if from != nil {
			start = from[i]
		}
		wg.Go(func() {
			err := w.scan(ctx, t, walkPage{server: h, first: first, index: i, stand: start}, &part)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				walked = walked.Or(&own)
				return
			}
			failed = cmp.Or(failed, err)
			if !t.clustered || !passes(err) {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if cause := context.Cause(ctx); cause != nil {
		failed = cause
	}
	return walked, failed
}

// fetched is a page that was requested.
type fetched struct {
	page rueidis.ScanEntry
	err  error
}

// scan walks one server, beginning at p's stand. While a page is visited, the next one is on its
// way.
func (w *keyWalk) scan(ctx context.Context, t *topology, p walkPage, part *hashslot.Set) error {
	h := p.server
	if p.stand.done {
		return nil
	}
	do, doMulti := h.client.Do, h.client.DoMulti
	if h.pinned {
		l := line{tree: w.tree}
		if h.client != w.tree.client {
			l.tree = &tree{client: h.client, behind: w.tree.behind} // its connections are not those of the whole tree
		}
		if err := l.openWithin(ctx, walkPatience); err != nil {
			return err
		}
		defer l.giveBack(false)
		do, doMulti = l.conn.Do, l.conn.DoMulti
	}
	if len(w.direct) > 0 && (p.stand == stand{}) {
		if err := w.lookUp(ctx, doMulti, p, part, t.clustered); err != nil {
			return err
		}
	}
	if w.pattern == "" {
		p.stand.done = true
		return w.show(ctx, p)
	}
	ctx, cancel := context.WithCancel(ctx)
	pages, fetching := make(chan fetched), make(chan struct{})
	defer func() {
		cancel()
		w.tree.behind.Go(behind.Command, func() { <-fetching })
	}()
	go func() {
		defer close(fetching)
		// The next step is sent at once, whatever is done with this one in the meantime.
		for cursor := p.stand.cursor; ; {
			err := w.pace.wait(ctx, w.step)
			if err != nil {
				return // the context has ended
			}
			w.looked.Add(int64(w.step))
			cmd := h.client.B().Scan().Cursor(cursor).Match(w.pattern).Count(int64(w.step)).Build()
			page, err := scanned(do(ctx, cmd).ToMessage())
			select {
			case pages <- fetched{page, err}:
			case <-ctx.Done():
				return
			}
			if cursor = page.Cursor; err != nil || cursor == 0 {
				return
			}
		}
	}()
	for !p.stand.done {
		var got fetched
		select {
		case got = <-pages:
		case <-ctx.Done():
			return ctx.Err()
		}
		if got.err != nil {
			return got.err
		}
		p.names, p.stand = w.keep(t, part, got.page.Elements), stand{got.page.Cursor, got.page.Cursor == 0}
		if err := w.show(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (w *keyWalk) show(ctx context.Context, p walkPage) error {
	if err := w.visit(ctx, p); err != nil {
		return &visitError{err}
	}
	return nil
}

// keep keeps the names that begin with lead, however the server read the pattern, and that are in
// the slots of this walk.
func (w *keyWalk) keep(t *topology, part *hashslot.Set, names []string) []string {
	kept := names[:0]
	for _, name := range names {
		if strings.HasPrefix(name, w.lead) && (!t.clustered || part.Has(hashslot.Of(name))) {
			kept = append(kept, name)
		}
	}
	return kept
}

// incompleteError is the error of a walk that has not covered everything.
type incompleteError struct {
	text  string
	cause error
}

func (e *incompleteError) Error() string {
	if e.cause == nil {
		return e.text
	}
	return e.text + ": " + e.cause.Error()
}
func (e *incompleteError) Unwrap() error { return e.cause }

// incomplete returns the error that says what was not walked, and why.
func (w *keyWalk) incomplete(t *topology, cause error) error {
	if !t.clustered || w.pending.Empty() {
		return cmp.Or(cause, error(&incompleteError{text: "the server was restarted, or became another's replica, " +
			"each time that it was walked through"}))
	}
	var text []string
	missing := w.pending.Without(&t.covered)
	if !missing.Empty() {
		text = append(text, "no node of the Redis Cluster that answers has "+missing.String())
		cause = cmp.Or(cause, t.missing)
	}
	open := w.pending.And(&t.open)
	if !open.Empty() {
		text = append(text, open.String()+" stayed on the way from one node of the Redis Cluster to another")
	}
	if len(text) == 0 && cause == nil {
		text = append(text, w.pending.String()+" changed hands each time that they were walked through")
	}
	if len(text) == 0 {
		return cause
	}
	return &incompleteError{"not everything was walked through: " + strings.Join(text, "; "), cause}
}

// pages walks and yields what each step finds, in the caller's goroutine. A server continues with
// the next page when the caller is done with the last one.
func (w *keyWalk) pages(ctx context.Context) iter.Seq2[walkPage, error] {
	return func(yield func(walkPage, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		pages, taken, ended := make(chan walkPage), make(chan struct{}), make(chan error, 1)
		w.visit = func(ctx context.Context, p walkPage) error {
			select {
			case pages <- p:
			case <-ctx.Done():
				return ctx.Err()
			}
			select {
			case <-taken:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		go func() { ended <- w.run(ctx) }()
		defer func() {
			cancel()
			if ended != nil {
				<-ended //nolint:errcheck // whoever leaves the loop wants nothing more
			}
		}()
		for {
			select {
			case p := <-pages:
				if !yield(p, nil) {
					return
				}
				select {
				case taken <- struct{}{}:
				case err := <-ended: // the context has ended
					ended = nil
					yield(walkPage{}, err)
					return
				}
			case err := <-ended:
				ended = nil
				if err != nil {
					yield(walkPage{}, err)
				}
				return
			}
		}
	}
}
