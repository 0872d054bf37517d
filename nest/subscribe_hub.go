package nest

import (
	"cmp"
	"context"
	"errors"
	"net"
	"strconv"
	"sync"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/behind"
	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
)

// hubs are the connections that the subscriptions of a tree share: one to a server, or on a Redis
// Cluster one to each node that has channels of theirs. A connection is kept as long as it has
// subscribers.
type hubs struct {
	mu        sync.Mutex // guards all fields below, and those of hubs, audiences and subscriptions
	audiences map[string]*audience
	hubs      map[string]*hub
	homeless  map[*audience]struct{} // those without a hub
	placing   *placing               // finds hubs for them
	owners    owners                 // of a Redis Cluster's slots; nil if they must be asked for
	lines     map[string]*lines      // by the node's address
}

// audience is all subscriptions to one channel.
type audience struct {
	channel  string
	members  map[*subscription]struct{}
	hub      *hub
	phase    phase
	failures int   // since it was last established
	trouble  error // the last error
}

// phase is what the server was sent about an audience, on the connection of its hub.
type phase uint8

const (
	idle     phase = iota // nothing
	asked                 // SUBSCRIBE was sent
	standing              // and it was confirmed
	leaving               // UNSUBSCRIBE was sent
)

// hub is one connection. It is not used again once that is lost: its audiences get another one.
type hub struct {
	tree      *tree
	key       string
	node      rueidis.Client // of a Redis Cluster
	audiences map[string]*audience
	live      int         // how many of them have members
	changed   []*audience // those about which the server may have to be told
	news      chan struct{}
	cancel    context.CancelCauseFunc
	server    string // the server that it leads to, see [tree.server]
	stood     bool   // the server has confirmed something
}

// placing is a running search for hubs.
type placing struct{ cancel context.CancelFunc }

// errDeserted ends a hub without subscribers.
var errDeserted = errors.New("nobody is subscribed")

// errUnsubscribed ends a subscription that the server has ended, as it does when a slot of a Redis
// Cluster moves.
var errUnsubscribed = errors.New("the server has ended the subscription")

// errHubLost stands for the loss of a connection when the client gives no reason.
var errHubLost = errors.New("the connection was lost")

// errNodeClosed is the error of a connection to a node that has left the Redis Cluster.
var errNodeClosed = errors.New("the client has closed its connections to the node")

// join adds a subscription, which then receives messages.
func (h *hubs) join(t *tree, s *subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.audiences[s.channel]
	if a == nil {
		if h.audiences == nil {
			h.audiences, h.hubs = make(map[string]*audience), make(map[string]*hub)
			h.homeless, h.lines = make(map[*audience]struct{}), make(map[string]*lines)
		}
		a = &audience{channel: s.channel, members: make(map[*subscription]struct{})}
		h.audiences[s.channel] = a
	}
	newcomer := len(a.members) == 0
	a.members[s] = struct{}{}
	s.audience = a
	u := a.hub
	switch {
	case newcomer && u == nil:
		h.house(t, a)
		return
	case u == nil:
		return // it is about to get a hub
	case newcomer:
		u.live++
		u.change(a)
	}
	if u.leftBehind() {
		h.end(u, errLeftBehind)
	} else if a.phase == standing {
		s.stand()
	}
}

// leave ends a subscription.
func (h *hubs) leave(s *subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a := s.audience; a != nil {
		s.audience = nil
		delete(a.members, s)
		h.deserted(a)
	}
}

// late ends, with an error, a subscription that was not established in time.
func (h *hubs) late(s *subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a := s.audience; a != nil && !s.stood {
		s.fail(cmp.Or(a.trouble, errNoLine))
		h.deserted(a)
	}
}

// deserted releases an audience that has no members any more.
func (h *hubs) deserted(a *audience) {
	if len(a.members) > 0 {
		return
	}
	if u := a.hub; u != nil {
		if u.live--; u.live == 0 {
			h.retire(u)
		} else {
			u.change(a)
		}
		return
	}
	delete(h.audiences, a.channel)
	delete(h.homeless, a)
	if len(h.homeless) == 0 && h.placing != nil {
		h.placing.cancel()
		h.placing = nil
	}
}

// retire closes a connection without subscribers.
func (h *hubs) retire(u *hub) {
	for channel := range u.audiences {
		delete(h.audiences, channel)
	}
	u.audiences = nil
	delete(h.hubs, u.key)
	u.cancel(errDeserted)
	if len(h.hubs) == 0 {
		h.owners = nil
	}
}

// end moves the audiences of a hub to other hubs, because its connection was lost or could not be
// made.
func (h *hubs) end(u *hub, err error) {
	if h.hubs[u.key] != u {
		return
	}
	delete(h.hubs, u.key)
	u.cancel(err)
	h.owners = nil
	audiences := u.audiences
	u.audiences = nil
	for _, a := range audiences {
		a.hub, a.phase = nil, idle
		if len(a.members) == 0 {
			delete(h.audiences, a.channel)
			continue
		}
		h.setBack(u.tree, a, err, u.stood || errors.Is(err, errLeftBehind) || errors.Is(err, errNodeClosed))
	}
}

// evict moves one audience of a hub to another hub.
func (h *hubs) evict(u *hub, a *audience, err error, again bool) {
	if a.hub != u {
		return
	}
	delete(u.audiences, a.channel)
	a.hub, a.phase = nil, idle
	h.owners = nil
	if len(a.members) == 0 {
		delete(h.audiences, a.channel)
		return
	}
	h.setBack(u.tree, a, err, again)
	if u.live--; u.live == 0 {
		h.retire(u)
	}
}

// setBack looks for another hub for an audience that has lost its hub or found none. Members get
// the error if it does not pass with time. Members that were never established get it too, unless
// again is true.
func (h *hubs) setBack(t *tree, a *audience, err error, again bool) {
	a.trouble = err
	a.failures++
	for s := range a.members {
		if !passing(err) || !s.stood && !again {
			s.fail(err)
		}
	}
	if len(a.members) == 0 {
		h.deserted(a)
		return
	}
	h.house(t, a)
}

// house assigns an audience to a hub, at once if the hub is known.
func (h *hubs) house(t *tree, a *audience) {
	if key, node, ok := h.home(t, a.channel); ok && a.failures == 0 {
		h.assign(t, a, key, node)
		return
	}
	h.homeless[a] = struct{}{}
	if h.placing == nil {
		ctx, cancel := context.WithCancel(context.Background())
		h.placing = &placing{cancel}
		p := h.placing
		t.behind.Go(behind.Subscription, func() { h.place(ctx, t, p) })
	}
}

// home returns the hub of a channel, if it is known.
func (h *hubs) home(t *tree, channel string) (key string, node rueidis.Client, ok bool) {
	if t.client.Mode() != rueidis.ClientModeCluster {
		return "", nil, true
	}
	owner := h.owners.of(channel)
	return owner.addr, owner.node, owner.node != nil
}

// assign adds an audience to a hub.
func (h *hubs) assign(t *tree, a *audience, key string, node rueidis.Client) {
	delete(h.homeless, a)
	u := h.hubs[key]
	if u != nil && u.leftBehind() {
		h.end(u, errLeftBehind)
		u = nil
	}
	if u == nil {
		ctx, cancel := context.WithCancelCause(context.Background())
		u = &hub{tree: t, key: key, node: node, audiences: make(map[string]*audience), news: make(chan struct{}, 1), cancel: cancel}
		h.hubs[key] = u
		t.behind.Go(behind.Subscription, func() { u.run(ctx) })
	}
	u.audiences[a.channel] = a
	u.live++
	a.hub = u
	u.change(a)
}

// place finds hubs for the audiences without one, until there are none.
func (h *hubs) place(ctx context.Context, t *tree, p *placing) {
	defer p.cancel()
	for {
		channels, failures, ok := h.waiting(p)
		if !ok || failures > 0 && pause(ctx, failures+3) != nil {
			return
		}
		var found owners
		var err error
		if t.client.Mode() == rueidis.ClientModeCluster {
			found, err = t.lookOwners(ctx, channels)
		}
		if !h.settle(t, p, channels, found, err) {
			return
		}
	}
}

// waiting returns the channels that have no hub, and how often they have failed. It reports whether
// there are any and p has to go on.
func (h *hubs) waiting(p *placing) (channels []string, failures int, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.placing != p {
		return nil, 0, false
	}
	for a := range h.homeless {
		channels = append(channels, a.channel)
		failures = max(failures, a.failures)
	}
	if len(channels) == 0 {
		h.placing = nil
	}
	return channels, failures, h.placing != nil
}

// settle assigns hubs to audiences without one, after the owners of their slots were looked up. It
// reports whether p has to go on.
func (h *hubs) settle(t *tree, p *placing, channels []string, found owners, err error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.placing != p {
		return false
	}
	h.owners = found
	for _, channel := range channels {
		a := h.audiences[channel]
		if _, ok := h.homeless[a]; !ok {
			continue
		}
		if err != nil {
			h.setBack(t, a, err, false)
			continue
		}
		key, node, ok := h.home(t, channel)
		if !ok { // then the client itself finds the node
			key = "slot " + strconv.Itoa(int(hashslot.Of(channel)))
		}
		h.assign(t, a, key, node)
	}
	return h.placing == p
}

// owners says which node of a Redis Cluster has which slots.
type owners []owner

// owner is a node that has some slots.
type owner struct {
	from, to uint16
	addr     string
	node     rueidis.Client // nil if the client does not know the node by that address
}

func (o owners) of(channel string) owner {
	slot := hashslot.Of(channel)
	for _, w := range o {
		if w.from <= slot && slot <= w.to {
			return w
		}
	}
	return owner{}
}

// lookOwners asks who has the slots of the channels. It asks the node that has one of them as far
// as the client knows, and if that node does not answer, the others. It returns nil if no node may
// be asked.
func (t *tree) lookOwners(ctx context.Context, channels []string) (owners, error) {
	found, err := t.askOwners(ctx, t.client, channels[0])
	if unanswered(err) && !errors.Is(err, rueidis.ErrClosing) {
		for _, node := range t.client.Nodes() {
			if found, err = t.askOwners(ctx, node, channels[0]); !unanswered(err) {
				break
			}
		}
	}
	if unanswered(err) && !errors.Is(err, errAnswer) {
		return nil, err
	}
	met := make(map[string]bool)
	for _, channel := range channels {
		if w := found.of(channel); w.addr != "" && w.node == nil && !met[w.addr] {
			// The client learns of a node when it is redirected there.
			met[w.addr] = true
			ctx, cancel := context.WithTimeout(ctx, giveUpTimeout)
			_ = t.client.Do(ctx, t.client.B().Exists().Key(channel).Build()).Error()
			cancel()
		}
	}
	if len(met) > 0 {
		found.know(t.client.Nodes())
	}
	return found, nil
}

// askOwners asks one node. The client chooses the one that has the channel.
func (t *tree) askOwners(ctx context.Context, client rueidis.Client, channel string) (owners, error) {
	ctx, cancel := context.WithTimeout(ctx, giveUpTimeout)
	defer cancel()
	list, err := client.Do(ctx, client.B().Arbitrary("CLUSTER", "SLOTS").Build().SetSlot(channel)).ToArray()
	if err != nil {
		return nil, err
	}
	var found owners
	for _, entry := range list {
		parts, err := entry.ToArray()
		if err != nil || len(parts) < 3 {
			return nil, errAnswer
		}
		from, err1 := parts[0].AsInt64()
		to, err2 := parts[1].AsInt64()
		primary, err3 := parts[2].ToArray()
		if err := cmp.Or(err1, err2, err3); err != nil || len(primary) < 2 {
			return nil, errAnswer
		}
		host, _ := primary[0].ToString() // there may be none
		port, err := primary[1].AsInt64()
		if err != nil || host == "" {
			continue
		}
		found = append(found, owner{from: uint16(from), to: uint16(to), addr: net.JoinHostPort(host, strconv.FormatInt(port, 10))})
	}
	found.know(t.client.Nodes())
	return found, nil
}

// know fills in the nodes that the client knows.
func (o owners) know(nodes map[string]rueidis.Client) {
	for i := range o {
		o[i].node = nodes[o[i].addr]
	}
}

// leftBehind reports whether the client has switched to another server than the hub's.
func (u *hub) leftBehind() bool { return u.server != "" && u.server != u.tree.server() }

// change notes that the server may have to be told about an audience.
func (u *hub) change(a *audience) {
	u.changed = append(u.changed, a)
	select {
	case u.news <- struct{}{}:
	default:
	}
}

// run keeps the hub's connection until it is lost or no longer needed.
func (u *hub) run(ctx context.Context) {
	err := u.serve(ctx)
	if u.node != nil && errors.Is(err, rueidis.ErrClosing) {
		// If the client as a whole is closed, it says so when it is asked for the node.
		err = errNodeClosed
	}
	h := &u.tree.hubs
	h.mu.Lock()
	defer h.mu.Unlock()
	h.end(u, exchangeError(err))
	u.cancel(nil)
}

func (u *hub) serve(ctx context.Context) error {
	l := &line{tree: u.tree}
	if err := u.open(ctx, l); err != nil {
		return err
	}
	// If it were given back, the connection could still be subscribed. A closed one cannot.
	defer l.drop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer l.whenLeftBehind(func() { cancel(errLeftBehind) })()
	closed := l.conn.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: u.deliver, OnSubscription: u.confirm})
	for {
		if err := u.tell(ctx, l); err != nil {
			return cmp.Or(context.Cause(ctx), err)
		}
		select {
		case <-u.news:
		case err := <-closed:
			return cmp.Or(err, errHubLost)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// open takes the connection.
func (u *hub) open(ctx context.Context, l *line) error {
	var err error
	if u.node == nil {
		err = l.open(ctx)
	} else {
		h := &u.tree.hubs
		h.mu.Lock()
		ls := h.lines[u.key]
		if ls == nil {
			ls = &lines{}
			h.lines[u.key] = ls
		}
		h.mu.Unlock()
		err = l.takeFrom(ctx, ls, u.node, nil)
	}
	if err != nil {
		return err
	}
	h := &u.tree.hubs
	h.mu.Lock()
	defer h.mu.Unlock()
	u.server = l.server
	return nil
}

// tell sends the server everything that it does not know yet, one thing after the other. Before a
// channel is subscribed to again, the server has confirmed that it was left.
func (u *hub) tell(ctx context.Context, l *line) error {
	for {
		joined, left := u.changes()
		if len(joined)+len(left) == 0 {
			return nil
		}
		if len(left) > 0 {
			for _, answer := range l.send(ctx, u.commands(l, left, false)...) {
				// If the server refuses to end a subscription, its messages keep coming and have no
				// receiver.
				if err := answer.Error(); unanswered(err) {
					return err
				}
			}
			u.left(left)
		}
		if len(joined) == 0 {
			continue
		}
		for i, answer := range l.send(ctx, u.commands(l, joined, true)...) {
			err := answer.Error()
			if unanswered(err) {
				return err
			}
			if err != nil {
				u.refused(joined[i], err)
			}
		}
	}
}

// commands builds one command for each audience, so that a refusal affects only one of them.
func (u *hub) commands(l *line, audiences []*audience, join bool) []rueidis.Completed {
	cmds := make([]rueidis.Completed, len(audiences))
	sharded := u.tree.client.Mode() == rueidis.ClientModeCluster
	for i, a := range audiences {
		switch b := l.conn.B(); {
		case sharded && join:
			cmds[i] = b.Ssubscribe().Channel(a.channel).Build()
		case sharded:
			cmds[i] = b.Sunsubscribe().Channel(a.channel).Build()
		case join:
			cmds[i] = b.Subscribe().Channel(a.channel).Build()
		default:
			cmds[i] = b.Unsubscribe().Channel(a.channel).Build()
		}
	}
	return cmds
}

// changes returns the audiences to subscribe and those to unsubscribe.
func (u *hub) changes() (joined, left []*audience) {
	h := &u.tree.hubs
	h.mu.Lock()
	defer h.mu.Unlock()
	changed := u.changed
	u.changed = nil
	for _, a := range changed {
		switch {
		case a.hub != u || u.audiences[a.channel] != a:
		case len(a.members) > 0 && a.phase == idle:
			a.phase = asked
			joined = append(joined, a)
		case len(a.members) == 0 && a.phase == idle:
			u.forget(a)
		case len(a.members) == 0:
			a.phase = leaving
			left = append(left, a)
		}
	}
	return joined, left
}

// left records that the server has ended subscriptions.
func (u *hub) left(audiences []*audience) {
	h := &u.tree.hubs
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range audiences {
		switch {
		case a.hub != u || u.audiences[a.channel] != a:
		case len(a.members) == 0:
			u.forget(a)
		default: // a subscription has joined in the meantime
			a.phase = idle
			u.change(a)
		}
	}
}

// forget drops an audience that has no members and about which the server knows nothing.
func (u *hub) forget(a *audience) {
	delete(u.audiences, a.channel)
	delete(u.tree.hubs.audiences, a.channel)
	a.hub = nil
}

// refused records that the server refuses a subscription.
func (u *hub) refused(a *audience, err error) {
	h := &u.tree.hubs
	h.mu.Lock()
	defer h.mu.Unlock()
	h.evict(u, a, exchangeError(err), whyUnexecuted(err) == slotMoves)
}

// confirm is called when the server has begun or ended a subscription. Like deliver, it is called
// by the goroutine that reads the connection, and never blocks.
func (u *hub) confirm(e rueidis.PubSubSubscription) {
	h := &u.tree.hubs
	h.mu.Lock()
	defer h.mu.Unlock()
	a := u.audiences[e.Channel]
	if a == nil {
		return
	}
	switch e.Kind {
	case "subscribe", "ssubscribe":
		if a.phase != asked {
			return
		}
		u.stood = true
		a.phase, a.failures, a.trouble = standing, 0, nil
		for s := range a.members {
			s.stand()
		}
	case "unsubscribe", "sunsubscribe":
		if a.phase == standing {
			h.evict(u, a, errUnsubscribed, true)
		}
	}
}

// deliver passes a message to every member of its audience.
func (u *hub) deliver(m rueidis.PubSubMessage) {
	h := &u.tree.hubs
	h.mu.Lock()
	defer h.mu.Unlock()
	a := u.audiences[m.Channel]
	if a == nil || a.phase != standing {
		return
	}
	for s := range a.members {
		s.box.put(letter{text: m.Message})
	}
}
