package nest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/behind"
	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
)

// holder is a server with its own keys, as one look found it.
type holder struct {
	id     string // of a node of a Redis Cluster
	addr   string // the client's name of it
	client rueidis.Client
	// run identifies one life of the server as a primary. It changes at a restart, a promotion and
	// a demotion. It is "" if the server does not say.
	run string
	// pinned says that the server may not be asked for its run. Its commands then stay on one
	// connection, which never belongs to another life of the server.
	pinned bool
	epoch  uint64       // of the node's slots
	slots  hashslot.Set // those that it says are its own
	open   hashslot.Set // those that it says are moving from it or to it
}

// same reports whether nothing has happened to a server between two looks.
func (h *holder) same(later *holder) bool {
	return h.id == later.id && h.run == later.run && h.epoch == later.epoch && (h.id != "" || h.addr == later.addr)
}

// topology says which server has which keys, as one look found it. A server that is not part of a
// Redis Cluster has all slots.
type topology struct {
	clustered bool
	holders   []*holder // ordered by name
	owner     [hashslot.Count]*holder
	open      hashslot.Set
	covered   hashslot.Set
	missing   error // why a server could not be asked
}

// settled returns the slots that have stayed on one server from this look to a later one.
func (t *topology) settled(later *topology) (s hashslot.Set) {
	for slot, owner := range t.owner {
		if owner == nil || later.owner[slot] == nil || !owner.same(later.owner[slot]) {
			continue
		}
		if !t.open.Has(uint16(slot)) && !later.open.Has(uint16(slot)) {
			s.Add(uint16(slot))
		}
	}
	return s
}

// own fills in who has each slot: of the nodes that claim it, the one with the greatest epoch.
func (t *topology) own() {
	slices.SortFunc(t.holders, func(a, b *holder) int { return cmp.Or(cmp.Compare(a.addr, b.addr), cmp.Compare(a.id, b.id)) })
	for _, h := range t.holders {
		t.open = t.open.Or(&h.open)
		t.covered = t.covered.Or(&h.slots)
		for slot := range h.slots.All {
			if owner := t.owner[slot]; owner == nil || owner.epoch < h.epoch {
				t.owner[slot] = h
			}
		}
	}
}

// owned returns the slots that a server has.
func (t *topology) owned(h *holder) (s hashslot.Set) {
	for slot := range h.slots.All {
		if t.owner[slot] == h {
			s.Add(slot)
		}
	}
	return s
}

// lookTimeout bounds the wait for one server's answer about what it has.
const lookTimeout = 3 * time.Second

// look asks the servers which keys they have. What the client knows may be out of date, because it
// learns only from redirections. On a Redis Cluster only the nodes with some of the slots matter.
// name makes the name of a key in one of the given slots.
func (t *tree) look(ctx context.Context, slots *hashslot.Set, name func(*hashslot.Set) string) (*topology, error) {
	if t.client.Mode() == rueidis.ClientModeCluster {
		return t.lookCluster(ctx, slots, name)
	}
	h, err := t.lookServer(ctx)
	if err != nil {
		return nil, err
	}
	h.slots = hashslot.Every()
	found := &topology{holders: []*holder{h}}
	found.own()
	return found, nil
}

// lookServer asks the server or, if the client reads from several, the primary among them, to which
// the client sends everything that is not a read. It waits for a replica that does not answer only
// if it is not clear which server is the primary.
func (t *tree) lookServer(ctx context.Context) (*holder, error) {
	told := &holder{client: t.client}
	role, err := told.askRun(ctx)
	nodes := t.client.Nodes()
	if err != nil || len(nodes) <= 1 {
		return told, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	type answer struct {
		h    *holder
		role string
		err  error
	}
	answers := make(chan answer, len(nodes))
	for addr, node := range nodes {
		go func() {
			h := &holder{addr: addr, client: node}
			role, err := h.askRole(ctx)
			answers <- answer{h, role, err}
		}()
	}
	var failed error
	var same, primary *holder
	primaries := 0
	for range nodes {
		a := <-answers
		switch {
		case a.err != nil:
			failed = cmp.Or(failed, a.err)
			continue
		case a.h.run != "" && a.h.run == told.run:
			if same = a.h; role == rolePrimary {
				return same, nil
			}
		}
		if a.role == rolePrimary {
			primary = a.h
			primaries++
		}
	}
	switch {
	case primaries == 1:
		return primary, nil
	case primaries > 1:
		return nil, errors.New("several of the client's servers say that they are the primary")
	case same != nil:
		return same, nil // the client was given only replicas
	}
	return nil, cmp.Or(failed, errors.New("none of the client's servers is a primary"))
}

// rolePrimary is what INFO and ROLE call a primary.
const rolePrimary = "master"

// askRole asks for a server's run, and whether the server is a primary.
func (h *holder) askRole(ctx context.Context) (string, error) {
	role, err := h.askRun(ctx)
	if err != nil || role != "" {
		return role, err
	}
	answer, err := h.client.Do(ctx, h.client.B().Role().Build().ToRetryable()).ToArray()
	if err == nil && len(answer) > 0 {
		return answer[0].ToString()
	}
	if refused(err) {
		err = because(ErrUnsupported, "the user may not call INFO, nor ROLE in its place: they say which server is the primary")
	}
	return "", cmp.Or(err, errAnswer)
}

// askRun asks for the run of a server. It returns the server's role, or "" if it may not be asked.
func (h *holder) askRun(ctx context.Context) (role string, err error) {
	answers := h.client.DoMulti(ctx, h.infos()...)
	return h.readRun(answers)
}

// infos builds the commands whose answers readRun reads. They are not marked as reads, because the
// client may send reads to a replica.
func (h *holder) infos() []rueidis.Completed {
	b := h.client.B()
	return []rueidis.Completed{
		b.Arbitrary("INFO", "server").Build().ToRetryable(),
		b.Arbitrary("INFO", "replication").Build().ToRetryable(),
	}
}

func (h *holder) readRun(answers []rueidis.RedisResult) (role string, err error) {
	var run strings.Builder
	for _, answer := range answers {
		text, err := answer.ToString()
		if refused(err) {
			h.pinned = true
			return "", nil
		}
		if _, answered := rueidis.IsRedisErr(err); answered && whyUnexecuted(err) == noObstacle {
			continue // the embedded server knows neither
		}
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(text) {
			switch name, value, _ := strings.Cut(strings.TrimSpace(line), ":"); name {
			case "role":
				role = value
			case "run_id", "master_replid":
				run.WriteString(value + " ")
			}
		}
	}
	h.run = run.String()
	return role, nil
}

// refused reports whether the user may not send a command.
func refused(err error) bool {
	answer, ok := rueidis.IsRedisErr(err)
	return ok && strings.HasPrefix(answer.Error(), "NOPERM")
}

// view is what one node of a Redis Cluster says about it.
type view struct {
	h       *holder
	primary bool
	lines   []hashslot.Node
	err     error
}

// askNode asks a node of a Redis Cluster.
func askNode(ctx context.Context, addr string, node rueidis.Client) view {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	v := view{h: &holder{addr: addr, client: node}}
	cmds := append(v.h.infos(), node.B().Arbitrary("CLUSTER", "NODES").Build().ToRetryable())
	answers := node.DoMulti(ctx, cmds...)
	nodes := answers[len(answers)-1]
	text, err := nodes.ToString()
	if refused(err) {
		err = because(ErrUnsupported, "the user may not call CLUSTER NODES: it says which node has which slots, and which are on their way")
	}
	if err == nil {
		var ok bool
		if v.lines, ok = hashslot.ParseNodes(text); !ok {
			err = errAnswer
		}
	}
	if err == nil {
		_, err = v.h.readRun(answers[:len(answers)-1])
	}
	for _, l := range v.lines {
		if l.Myself {
			v.h.id, v.h.epoch, v.h.slots, v.h.open, v.primary = l.ID, l.Epoch, l.Slots, l.Open, l.Primary
		}
	}
	if err == nil && v.h.id == "" {
		err = errAnswer
	}
	v.err = err
	return v
}

// views collects what the nodes of a Redis Cluster say.
type views struct {
	said   map[string]view          // by the node's id
	listed map[string]hashslot.Node // primaries that some node lists
	asked  map[string]bool          // by the client's name of it
	failed error
	slots  *hashslot.Set
}

// add adds what a node said.
func (v *views) add(said view) {
	if said.err != nil {
		// A missing right explains more than a node that does not answer.
		if v.failed == nil || errors.Is(said.err, ErrUnsupported) {
			v.failed = said.err
		}
		return
	}
	v.said[said.h.id] = said
	for _, l := range said.lines {
		mine := l.Slots.And(v.slots)
		if l.Primary && !l.Gone && !mine.Empty() && (v.listed[l.ID].ID == "" || l.Epoch > v.listed[l.ID].Epoch) {
			v.listed[l.ID] = l
		}
	}
}

// unheard returns the primaries that have not answered.
func (v *views) unheard() (lines []hashslot.Node) {
	for id, l := range v.listed {
		if _, ok := v.said[id]; !ok {
			lines = append(lines, l)
		}
	}
	return lines
}

// ask asks those of the client's nodes that were not asked before, until all primaries or all nodes
// have answered.
func (v *views) ask(ctx context.Context, t *tree) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers, waiting := make(chan view), 0
	for addr, node := range t.client.Nodes() {
		if v.asked[addr] {
			continue
		}
		v.asked[addr] = true
		waiting++
		t.behind.Go(behind.Command, func() {
			select {
			case answers <- askNode(ctx, addr, node):
			case <-ctx.Done():
			}
		})
	}
	for ; waiting > 0 && (len(v.said) == 0 || len(v.unheard()) > 0); waiting-- {
		select {
		case said := <-answers:
			v.add(said)
		case <-ctx.Done():
			v.failed = cmp.Or(v.failed, ctx.Err())
			return
		}
	}
}

func (t *tree) lookCluster(ctx context.Context, slots *hashslot.Set, name func(*hashslot.Set) string) (*topology, error) {
	v := &views{said: make(map[string]view), listed: make(map[string]hashslot.Node), asked: make(map[string]bool), slots: slots}
	v.ask(ctx, t)
	if len(v.said) > 0 && ctx.Err() == nil {
		for _, l := range v.unheard() {
			if err := t.meet(ctx, slots, &l, name); err != nil {
				v.failed = cmp.Or(v.failed, err)
			}
		}
		v.ask(ctx, t)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if len(v.said) == 0 || errors.Is(v.failed, ErrUnsupported) {
		return nil, cmp.Or(v.failed, rueidis.ErrNoSlot)
	}
	found := &topology{clustered: true, missing: v.failed}
	for _, said := range v.said {
		if said.primary {
			found.holders = append(found.holders, said.h)
		}
	}
	found.own()
	return found, nil
}

// meet makes the client know a node of a Redis Cluster that it has not met. It sends a command for
// one of the node's keys, which is redirected there.
func (t *tree) meet(ctx context.Context, slots *hashslot.Set, l *hashslot.Node, name func(*hashslot.Set) string) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	its := l.Slots.And(slots)
	err := t.client.Do(ctx, t.client.B().Arbitrary("EXISTS").Keys(name(&its)).Build().ToRetryable()).Error()
	if refused(err) {
		return because(ErrUnsupported, "the user may not call EXISTS: its answer makes the client know a node that has joined the Redis Cluster")
	}
	return err
}
