package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
)

// place is a primary, as a look found it.
type place struct {
	key, name string
	client    rueidis.Client
	owned     *ownership
}

// ownership is which slots a node of a Redis Cluster had when it was asked.
type ownership struct {
	at     time.Time
	slots  hashslot.Set
	before *ownership // as it was found the last time
}

// asOf returns what was known before a time, or nil.
func (o *ownership) asOf(t time.Time) *ownership {
	for ; o != nil && !o.at.Before(t); o = o.before {
	}
	return o
}

var errAnswer = errors.New("an answer to CLUSTER NODES of another form")

// lookout knows the nodes of a Redis Cluster.
type lookout struct {
	ids  map[string]string // of the client's nodes, by their addresses
	turn int               // whose turn it is to be asked
}

// ask asks one node which nodes there are.
func (o *lookout) ask(ctx context.Context, node rueidis.Client) ([]hashslot.Node, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	text, err := node.Do(ctx, node.B().Arbitrary("CLUSTER", "NODES").Build().ToRetryable()).ToString()
	if err != nil {
		return nil, explain(err, "CLUSTER NODES")
	}
	lines, ok := hashslot.ParseNodes(text)
	if !ok {
		return nil, errAnswer
	}
	return lines, nil
}

// look returns the primaries. Every node is asked once for its name, and another one each time for
// all others, so that one that is wrong is soon corrected.
func (o *lookout) look(ctx context.Context, w *watch) ([]place, error) {
	nodes := w.client.Nodes()
	view, at, err := o.views(ctx, nodes)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]string, len(o.ids))
	for addr, id := range o.ids {
		byID[id] = addr
	}
	var places []place
	var missing error
	for _, l := range view {
		if !l.Primary {
			continue
		}
		addr, known := byID[l.ID]
		switch {
		case l.Gone && !l.Slots.Empty():
			missing = fmt.Errorf("the node with %s of the Redis Cluster is down", &l.Slots)
		case l.Gone:
		case !known && !l.Slots.Empty():
			missing = cmp.Or(o.meet(ctx, w, l), errors.New("a node of the Redis Cluster is not known to the client yet"))
		case known:
			places = append(places, place{key: addr + " " + l.ID, name: addr, client: nodes[addr], owned: &ownership{at: at, slots: l.Slots}})
		}
	}
	if len(places) == 0 {
		return nil, cmp.Or(missing, rueidis.ErrNoSlot)
	}
	return places, missing
}

// views asks those nodes that have not been asked before, and one of the others.
func (o *lookout) views(ctx context.Context, nodes map[string]rueidis.Client) (view []hashslot.Node, at time.Time, err error) {
	if o.ids == nil {
		o.ids = make(map[string]string)
	}
	maps.DeleteFunc(o.ids, func(addr, _ string) bool { return nodes[addr] == nil })
	addrs := slices.Sorted(maps.Keys(nodes))
	if len(addrs) == 0 {
		return nil, at, rueidis.ErrNoSlot
	}
	o.turn = (o.turn + 1) % len(addrs)
	at = time.Now()
	var wg sync.WaitGroup
	views, failed := make([][]hashslot.Node, len(addrs)), make([]error, len(addrs))
	for i, addr := range addrs {
		if i == o.turn || o.ids[addr] == "" {
			wg.Go(func() { views[i], failed[i] = o.ask(ctx, nodes[addr]) })
		}
	}
	wg.Wait()
	for n := range addrs {
		i := (o.turn + n) % len(addrs)
		if views[i] == nil && failed[i] == nil && view == nil { // whose turn it was did not answer
			views[i], failed[i] = o.ask(ctx, nodes[addrs[i]])
		}
		if _, refused := errors.AsType[*refusal](failed[i]); refused {
			return nil, at, failed[i]
		}
		err = cmp.Or(err, failed[i])
		for _, l := range views[i] {
			if l.Myself {
				o.ids[addrs[i]] = l.ID
			}
		}
		if view == nil {
			view = views[i]
		}
	}
	if view != nil {
		err = nil
	}
	return view, at, err
}

// meet makes the client know a node that it has not met: what it sends for a key of the node is
// redirected there.
func (o *lookout) meet(ctx context.Context, w *watch, l hashslot.Node) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	for i := range 1 << 20 {
		cmd := w.client.B().Exists().Key(w.lead + strconv.Itoa(i)).Build() //nest:ignore a name that nobody has: only its slot matters
		if l.Slots.Has(cmd.Slot() & (hashslot.Count - 1)) {
			err := w.client.Do(ctx, cmd).Error()
			if err != nil {
				return explain(err, "EXISTS")
			}
			return nil
		}
	}
	return nil // names that begin as the scope's do are in no slot of it
}

// demoted reports whether a node says that it is no primary.
func (o *lookout) demoted(ctx context.Context, l *link) bool {
	view, err := o.ask(ctx, l.client)
	return err == nil && slices.ContainsFunc(view, func(n hashslot.Node) bool { return n.Myself && !n.Primary })
}
