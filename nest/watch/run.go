package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

// watch is one loop's watch.
type watch struct {
	scope   nest.Scope
	client  rueidis.Client
	takes   func(nest.Match) bool
	options options
	classes string // of notifications
	lead    string // what the names begin with

	out *mailbox
	raw *mailbox // of a Redis Cluster: before they are sorted

	links   map[string]*link // of the manager's goroutine
	news    chan linkNews
	lookout lookout
	wg      sync.WaitGroup
}

// start begins the watch and returns the function that ends it.
func (w *watch) start(ctx context.Context) (stop func()) {
	if prefix := w.scope.Prefix(); prefix != "" {
		w.lead = prefix + ":"
	}
	ctx, cancel := context.WithCancel(ctx)
	if w.clustered() {
		w.wg.Go(func() { w.sort(ctx) })
	}
	w.wg.Go(func() { w.manage(ctx) })
	return func() {
		cancel()
		w.wg.Wait()
	}
}

func (w *watch) clustered() bool { return w.client.Mode() == rueidis.ClientModeCluster }

// pattern returns the pattern of the names below the scope.
func (w *watch) pattern() string {
	var b strings.Builder
	for i := range len(w.lead) {
		if strings.IndexByte(`*?[]\`, w.lead[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(w.lead[i])
	}
	return b.String() + "*"
}

// hear takes an event. It is called by the goroutine that reads a connection.
func (w *watch) hear(l *link, key, event string) {
	if len(w.options.events) > 0 && !slices.Contains(w.options.events, event) {
		return
	}
	m, err := w.scope.Match(key)
	if err != nil || !w.takes(m) {
		return
	}
	found := letter{match: m, event: event, link: l, at: time.Now()}
	if w.clustered() {
		w.raw.put(found)
	} else {
		w.out.put(found)
	}
}

// tell puts a letter into the stream, behind the events that have come before.
func (w *watch) tell(l letter) {
	if w.clustered() {
		w.raw.put(l)
	} else {
		w.out.put(l)
	}
}

// manage keeps a link to every primary until ctx ends or an error ends the watch.
func (w *watch) manage(ctx context.Context) {
	began, ready := time.Now(), false
	var trouble error
	pause := 20 * time.Millisecond
	for {
		places, err := w.look(ctx)
		if ctx.Err() != nil {
			return
		}
		if final(err) {
			w.tell(letter{err: err, last: true})
			return
		}
		w.reconcile(ctx, places, ready)
		wait := lookEvery
		if err != nil || !w.standing() {
			wait, pause = pause, min(2*pause, lookEvery)
		} else {
			pause = 20 * time.Millisecond
		}
		for timer := time.NewTimer(wait); wait > 0; {
			if !ready && err == nil && w.standing() {
				ready = true
				w.tell(letter{ready: true})
			}
			if !ready && time.Since(began) > startTimeout {
				w.tell(letter{err: w.late(err, trouble), last: true})
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
				wait = 0
			case n := <-w.news:
				if n.err == nil {
					w.stands(n.link)
					continue
				}
				if w.links[n.link.key] == n.link {
					n.link.cancel()
					delete(w.links, n.link.key)
				}
				if final(n.err) {
					w.tell(letter{err: n.err, last: true})
					return
				}
				trouble, err = fmt.Errorf("%s: %w", n.link.name, n.err), n.err
				wait = min(wait, pause) // look again soon
				timer.Reset(wait)
			}
		}
	}
}

// late returns the error of a start that takes too long: looked is that of the last look, and
// trouble that of the last link that ended.
func (w *watch) late(looked, trouble error) error {
	var silent []string
	for _, l := range w.links {
		if !l.stood {
			silent = append(silent, l.name)
		}
	}
	slices.Sort(silent)
	text := fmt.Sprintf("not all primaries have confirmed the subscription within %v", startTimeout)
	if len(silent) > 0 {
		text += " (" + strings.Join(silent, ", ") + ")"
	}
	if err := cmp.Or(looked, trouble); err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	return errors.New(text)
}

// final reports whether an error ends the watch.
func final(err error) bool {
	if _, refused := errors.AsType[*refusal](err); refused {
		return true
	}
	return errors.Is(err, ErrNotEnabled) || errors.Is(err, errClosed)
}

// errClosed is the end of the whole client.
var errClosed = errors.New("the client is closed")

// look returns the primaries.
func (w *watch) look(ctx context.Context) ([]place, error) {
	if w.clustered() {
		places, err := w.lookout.look(ctx, w)
		if len(places) == 0 && errors.Is(err, rueidis.ErrClosing) && w.closed(ctx) {
			err = errors.Join(errClosed, err)
		}
		return places, err
	}
	// Behind Sentinel, the client's nodes change when another server is the primary.
	key := "server"
	if w.client.Mode() == rueidis.ClientModeSentinel {
		key = strings.Join(slices.Sorted(maps.Keys(w.client.Nodes())), ",")
	}
	if w.links[key] == nil && w.closed(ctx) {
		return nil, errors.Join(errClosed, rueidis.ErrClosing)
	}
	return []place{{key: key, name: "the server", client: w.client}}, nil
}

// closed reports whether the client as a whole is closed: connections to nodes that have left are
// too.
func (w *watch) closed(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return errors.Is(w.client.Do(ctx, w.client.B().Ping().Build()).Error(), rueidis.ErrClosing)
}

// reconcile opens links to primaries that have none, and closes those to servers that are none.
func (w *watch) reconcile(ctx context.Context, places []place, ready bool) {
	if len(places) == 0 {
		return
	}
	found := make(map[string]bool, len(places))
	for _, p := range places {
		found[p.key] = true
		l := w.links[p.key]
		fresh := l == nil
		if fresh {
			l = &link{key: p.key, name: p.name, client: p.client, again: ready}
			w.links[p.key] = l
		}
		if p.owned != nil {
			if p.owned.before = l.owned.Load(); p.owned.before != nil {
				p.owned.before = &ownership{at: p.owned.before.at, slots: p.owned.before.slots}
			}
			l.owned.Store(p.owned)
		}
		if fresh {
			var within context.Context
			within, l.cancel = context.WithCancel(ctx)
			w.wg.Go(func() { l.run(within, w) })
		}
	}
	for key, l := range w.links {
		if !found[key] && (!w.clustered() || w.lookout.demoted(ctx, l)) {
			l.cancel()
			delete(w.links, key)
		}
	}
}

// standing reports whether all links stand.
func (w *watch) standing() bool {
	for _, l := range w.links {
		if !l.stood {
			return false
		}
	}
	return len(w.links) > 0
}

// stands takes note that a link stands.
func (w *watch) stands(l *link) {
	if w.links[l.key] != l {
		return
	}
	l.stood = true
	if l.again {
		w.tell(letter{err: &gap{why: "the subscription to " + l.name + " was lost or is new, and stands now"}})
	}
}
