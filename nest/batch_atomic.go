package nest

import (
	"context"
	"errors"

	"github.com/redis/rueidis"
)

// atomically is the way of [Scope.Atomic].
type atomically struct{}

func (atomically) op() string                      { return "atomic" }
func (atomically) refuses(rueidis.Completed) error { return nil }
func (atomically) mayRun() error                   { return nil }

func (atomically) exec(ctx context.Context, b *Batch, items []item) (errs []error, whole error) {
	errs, whole = b.transact(ctx, items)
	recycle(items)
	return errs, whole
}

// guard is a condition of an atomic batch. The batch is applied only if all of its guards hold on
// the server at that moment, see [Lease.Guard].
type guard interface {
	// ended returns why the condition cannot hold any more, as far as it is known without asking.
	ended() error
	// key returns the address of the key that decides, which the connection watches.
	key() address
	// holds returns why the condition does not hold if the key has this value; "" stands for a
	// missing key.
	holds(value string) error
}

// multi is a batch sent as one transaction: MULTI, the commands of its operations, EXEC.
type multi struct {
	items []item
	errs  []error // one for each item
	sent  []int   // the indexes of the items that are sent
	cmds  []rueidis.Completed
	first int // the index of the items' first command
}

// newMulti prepares a transaction. The commands in before belong to none of the items.
func newMulti(client rueidis.Client, items []item, before ...rueidis.Completed) *multi {
	before = endLoads(before, items)
	m := &multi{items: items, errs: make([]error, len(items)), first: 1 + len(before)}
	m.cmds = make([]rueidis.Completed, 0, len(items)+len(before)+2)
	m.cmds = append(append(m.cmds, client.B().Multi().Build()), before...)
	writes := len(before) > 0
	for i := range items {
		it := &items[i]
		if !it.skip {
			m.sent, m.cmds = append(m.sent, i), append(m.cmds, it.cmd)
			writes = writes || !it.cmd.IsReadOnly()
		}
	}
	m.cmds = append(m.cmds, client.B().Exec().Build())
	if writes && client.Mode() == rueidis.ClientModeCluster {
		m.unrepeatable(client)
	}
	return m
}

// unrepeatable hides from the client which commands of a writing transaction are reads. When a
// connection to a node of a Redis Cluster is lost, the client repeats a read, and with it the
// transaction around it, which may have been applied already.
func (m *multi) unrepeatable(client rueidis.Client) {
	for i, cmd := range m.cmds {
		if cmd.IsRetryable() {
			m.cmds[i] = client.B().Arbitrary(cmd.Commands()...).Build()
		}
	}
}

// settle passes the answers to the items. The error is that of the transaction as a whole: it was
// not executed as one, or is not known to have been.
func (m *multi) settle(ctx context.Context, answers []rueidis.RedisResult) error {
	queued := answers[m.first : len(answers)-1]
	results, err := answers[len(answers)-1].ToArray()
	if first := m.first - 1; err == nil {
		if results = results[min(first, len(results)):]; len(results) != len(m.sent) {
			err = errors.New("unexpected answer to EXEC")
		}
	}
	if refused := answers[0].Error(); err != nil && refused != nil {
		if _, answered := rueidis.IsRedisErr(refused); answered {
			return m.loose(ctx, refused, queued)
		}
	}
	var whole error
	for n, i := range m.sent {
		if err != nil {
			own := queued[n].Error()
			m.decline(i, refusal(own, err))
			if _, answered := rueidis.IsRedisErr(own); answered || whole == nil {
				whole = m.errs[i]
			}
			continue
		}
		m.errs[i] = m.items[i].settle(ctx, results[n], results[n].Error())
	}
	if whole == nil && err != nil {
		whole = refusal(nil, err)
	}
	m.skipped()
	return whole
}

// loose settles commands that ran without a transaction around them, because the server refused
// MULTI.
func (m *multi) loose(ctx context.Context, refused error, queued []rueidis.RedisResult) error {
	for n, i := range m.sent {
		answer, err := queued[n].ToMessage()
		m.errs[i] = m.items[i].settle(ctx, answer, err)
	}
	m.skipped()
	return &Error{Op: "atomic", Err: &declined{because(ErrUnsupported, "the server refused MULTI and ran each operation by itself"), exchangeError(refused)}}
}

// skipped settles the items that had nothing to send.
func (m *multi) skipped() {
	for i := range m.items {
		it := &m.items[i]
		if it.skip {
			it.refuse(nil)
		}
	}
}

// decline settles an item with the reason why it has no result.
func (m *multi) decline(i int, reason error) {
	m.errs[i] = m.items[i].decline(reason)
}

// decline settles the item's future with the reason why it has no result: the item's own reason if
// it has one, else the given one.
func (i *item) decline(reason error) error {
	err := i.unsent()
	if err == nil {
		err = i.ref.fail(i.op(), reason)
	}
	i.refuse(err)
	return err
}

// declineAll settles every item with the reason why nothing was sent.
func declineAll(items []item, reason error) []error {
	errs := make([]error, len(items))
	for i := range items {
		it := &items[i]
		errs[i] = it.decline(reason)
	}
	return errs
}

// transact sends the items as one transaction. It returns the error of each item, and the reason if
// the transaction as a whole failed.
func (b *Batch) transact(ctx context.Context, items []item) ([]error, error) {
	slot := -1
	bad := b.checkGuards(&slot)
	if bad == nil {
		bad = b.unsendable(items, &slot)
	}
	if bad != nil {
		return declineAll(items, unsentBecause(bad)), bad
	}
	m := newMulti(b.tree.client, items)
	if len(m.sent) == 0 {
		m.skipped()
		return m.errs, nil
	}
	answers, refused := b.submitUntilExecuted(ctx, m)
	if refused != nil {
		kind := ErrUnsent
		if errors.Is(refused, ErrLockLost) || errors.Is(refused, ErrConflict) {
			kind = ErrAborted
		}
		for _, i := range m.sent {
			m.decline(i, &declined{kind, bareReason(refused)})
		}
		m.skipped()
		return m.errs, m.errs[m.sent[0]]
	}
	b.awaitFences(ctx, items)
	whole := m.settle(ctx, answers)
	return m.errs, whole
}

// awaitFences ends a transaction that wrote to cached keys. The transaction may have travelled on a
// connection of its own. By the time it is answered, the server has sent its messages to the
// connection that caches; a command on that connection waits for them.
func (b *Batch) awaitFences(ctx context.Context, items []item) {
	b.wrote(items)
	if changed := b.changed(items, false); len(changed) > 0 {
		_, lost := b.tree.fenced(ctx, nil, changed)
		b.doubt(items, lost)
	}
}

// submitUntilExecuted sends the transaction. It sends it again if its slot was moving to another
// node or no server could execute it.
func (b *Batch) submitUntilExecuted(ctx context.Context, m *multi) ([]rueidis.RedisResult, error) {
	if b.tree.client.Mode() == rueidis.ClientModeCluster {
		for i := range m.cmds {
			m.cmds[i] = m.cmds[i].Pin() // they may be sent again
		}
	}
	for p := (persistence{asks: b.tree}); ; {
		answers, refused := b.submit(ctx, m.cmds)
		why := refused
		if refused == nil {
			why = b.tree.unexecutedWhole(ctx, answers)
		}
		if answered := len(answers) > 0 && answers[0].NonRedisError() == nil; answered && b.tree.client.Mode() != rueidis.ClientModeCluster {
			return answers, refused // and the client has not kept the commands
		}
		if !p.again(ctx, why) {
			return answers, refused
		}
	}
}

// unexecutedWhole returns why a transaction was not executed, or nil if some part of it may have
// been.
func (t *tree) unexecutedWhole(ctx context.Context, answers []rueidis.RedisResult) error {
	if at := misdirected(answers); at != nil && !unanswered(answers[len(answers)-1].Error()) && answers[len(answers)-1].Error() != nil {
		return at
	}
	for _, a := range answers {
		if t.whyUnexecuted(ctx, a.Error()) == noObstacle {
			return nil
		}
	}
	return answers[0].Error()
}

// bareReason returns an error without the operation and the key that it was about.
func bareReason(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Err
	}
	return err
}

// unsentBecause returns the error of an operation whose batch was not sent.
func unsentBecause(bad error) error {
	why := bareReason(bad)
	if errors.Is(why, ErrUnsent) {
		return why
	}
	return &declined{ErrUnsent, why}
}

// unsendable returns why the items cannot be sent as one atomic step, or nil. slot is the slot of
// the keys before them, or -1; it becomes the slot of the items.
func (b *Batch) unsendable(items []item, slot *int) error {
	for i := range items {
		it := &items[i]
		if err := it.unsent(); err != nil {
			return err
		}
	}
	for i := range items {
		it := &items[i]
		for key := range it.keys {
			if !b.tree.inSlot(slot, key) {
				return it.ref.fail(it.op(), errSlots)
			}
		}
	}
	return nil
}

// keys yields the keys of an item's command.
func (i *item) keys(yield func(string) bool) {
	if !yield(i.ref.key) {
		return
	}
	for _, u := range i.uses() {
		if u.key != i.ref.key && !yield(u.key) {
			return
		}
	}
}

// refusal returns the error of an operation whose transaction was not executed, or not known to be.
// queued is the server's answer to the operation, exec its answer to EXEC.
func refusal(queued, exec error) error {
	if _, answered := rueidis.IsRedisErr(queued); answered {
		return &declined{ErrAborted, exchangeError(queued)}
	}
	if rueidis.IsRedisNil(exec) {
		return &declined{ErrAborted, errors.New("a key that the connection watches has changed")}
	}
	if _, answered := rueidis.IsRedisErr(exec); !answered {
		if whyUnexecuted(exec) != noObstacle {
			return &declined{ErrUnsent, away(exec, false)}
		}
		return &declined{ErrOutcomeUnknown, away(exec, false)}
	}
	return &declined{ErrAborted, exchangeError(exec)}
}

// declined is a sentinel with its cause: "not sent: …".
type declined struct{ kind, cause error }

func (d *declined) Error() string   { return d.kind.Error() + ": " + d.cause.Error() }
func (d *declined) Unwrap() []error { return []error{d.kind, d.cause} }

// checkGuards returns the error of a guard that keeps the batch from being sent. It sets slot to
// that of the guards' keys. The error wraps ErrUnsent, as those of the futures do.
func (b *Batch) checkGuards(slot *int) error {
	for _, g := range b.guards {
		err := g.ended()
		if at := g.key(); err == nil && !b.tree.inSlot(slot, at.key) {
			err = at.fail("guard", errSlots)
		}
		if e, ok := errors.AsType[*Error](err); ok {
			told := *e
			told.Err = &declined{ErrUnsent, e.Err}
			err = &told
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// submit sends a transaction and returns the replies, or why a guard prevented it.
func (b *Batch) submit(ctx context.Context, cmds []rueidis.Completed) ([]rueidis.RedisResult, error) {
	if len(b.guards) == 0 {
		return b.tree.client.DoMulti(ctx, cmds...), nil
	}
	// A dedicated connection, which follows no redirection: the guard and what it guards must not
	// end up on different servers.
	l := &line{tree: b.tree}
	if err := l.open(ctx); err != nil {
		return nil, err
	}
	defer l.giveBackWithin(ctx)
	conn := l.conn
	for i := range cmds {
		cmds[i] = cmds[i].Pin() // they may be sent again
	}
	for c := (contest{}); ; {
		if err := b.watch(ctx, l); err != nil {
			if l.conn != nil && conn.Do(ctx, conn.B().Unwatch().Build()).Error() != nil {
				l.drop()
			}
			return nil, err
		}
		answers := conn.DoMulti(ctx, cmds...)
		if !rueidis.IsRedisNil(answers[len(answers)-1].Error()) {
			return answers, nil
		}
		// One of the guards' keys was changed: a lock was lost, extended, or waited for.
		if err := c.pause(ctx, ErrConflict); err != nil {
			return nil, err
		}
	}
}

// watch makes the next transaction on the connection fail if the key of one of the guards changes
// or ends, and checks that all guards hold.
func (b *Batch) watch(ctx context.Context, l *line) error {
	conn, cmds := l.conn, make([]rueidis.Completed, 0, 2*len(b.guards))
	for _, g := range b.guards {
		key := g.key().key
		cmds = append(cmds, conn.B().Watch().Key(key).Build(), conn.B().Get().Key(key).Build())
	}
	answers := l.send(ctx, cmds...)
	for i, g := range b.guards {
		if err := answers[2*i].Error(); err != nil {
			return exchangeError(err)
		}
		value, err := answers[2*i+1].ToString()
		if err != nil && !rueidis.IsRedisNil(err) {
			return exchangeError(err)
		}
		if err := g.holds(value); err != nil {
			return err
		}
	}
	return nil
}
