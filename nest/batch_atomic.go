package nest

import (
	"context"
	"errors"
	"net"

	"github.com/redis/rueidis"
)

// multi is the operations of a batch as one transaction: MULTI, their commands, EXEC.
type multi struct {
	items []item
	errs  []error // of the items
	sent  []int   // which of the items are sent
	cmds  []rueidis.Completed
	first int // where the items' commands begin
}

// newMulti begins a transaction: before are commands that belong to none of the items.
func newMulti(client rueidis.Client, items []item, before ...rueidis.Completed) *multi {
	before = append(before, endLoads(items)...)
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

// unrepeatable hides the reads of a transaction that also writes from the client. When a connection
// to a node of a Redis Cluster is lost, it repeats a read, and with it the transaction around it,
// which may have been applied already.
func (m *multi) unrepeatable(client rueidis.Client) {
	for i, cmd := range m.cmds {
		if cmd.IsRetryable() {
			m.cmds[i] = client.B().Arbitrary(cmd.Commands()...).Build()
		}
	}
}

// settle gives the items what came back. The error is that of the transaction as a whole, when it
// was not executed as one or is not known to have been.
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

// loose settles what ran without a transaction around it, because the server refused MULTI.
func (m *multi) loose(ctx context.Context, refused error, queued []rueidis.RedisResult) error {
	for n, i := range m.sent {
		answer, err := queued[n].ToMessage()
		m.errs[i] = m.items[i].settle(ctx, answer, err)
	}
	m.skipped()
	return &Error{Op: "atomic", Err: &declined{because(ErrUnsupported, "the server refused MULTI and ran each operation by itself"), serverError(refused)}}
}

// skipped settles the items that there was nothing to send for.
func (m *multi) skipped() {
	for i := range m.items {
		it := &m.items[i]
		if it.skip {
			it.refuse(nil)
		}
	}
}

// decline gives an item the reason why it has no result.
func (m *multi) decline(i int, reason error) {
	m.errs[i] = m.items[i].decline(reason)
}

// decline gives the item's future the reason why it has no result, or the item's own.
func (i *item) decline(reason error) error {
	err := i.unsent()
	if err == nil {
		err = i.ref.fail(i.op(), reason)
	}
	i.refuse(err)
	return err
}

// declineAll gives every item the reason why nothing was sent.
func declineAll(items []item, reason error) []error {
	errs := make([]error, len(items))
	for i := range items {
		it := &items[i]
		errs[i] = it.decline(reason)
	}
	return errs
}

// transact sends the items as one transaction. It gives each one's error and, when the
// transaction as a whole came to nothing, the reason.
func (b *Batch) transact(ctx context.Context, items []item) ([]error, error) {
	slot := -1
	bad := b.checkGuards(&slot)
	if bad == nil {
		bad = unsendable(items, &slot)
	}
	if bad != nil {
		return declineAll(items, unsentBecause(bad)), bad
	}
	m := newMulti(b.tree.client, items)
	if len(m.sent) == 0 {
		m.skipped()
		return m.errs, nil
	}
	answers, refused := b.submit(ctx, m.cmds)
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

// awaitFences ends a transaction with writes to cached keys. It may have travelled on a connection
// of its own: once it has been answered, the server has told the connection that caches, which a
// command after it waits for.
func (b *Batch) awaitFences(ctx context.Context, items []item) {
	if after := b.fences(items); len(after) > 0 {
		b.tree.client.DoMulti(ctx, after...)
	}
}

// bareReason is an error without the operation and the key that it was about.
func bareReason(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Err
	}
	return err
}

// unsentBecause is the error of an operation whose batch was not sent.
func unsentBecause(bad error) error {
	why := bareReason(bad)
	if errors.Is(why, ErrUnsent) {
		return why
	}
	return &declined{ErrUnsent, why}
}

// unsendable tells why items cannot be sent as one atomic step. slot is that of the keys before
// them, or -1, and becomes theirs.
func unsendable(items []item, slot *int) error {
	for i := range items {
		it := &items[i]
		if err := it.unsent(); err != nil {
			return err
		}
	}
	for i := range items {
		it := &items[i]
		for key := range it.keys {
			if !inSlot(slot, key) {
				return it.ref.fail(it.op(), errSlots)
			}
		}
	}
	return nil
}

// inSlot tells whether a key lives in the slot, which becomes its own where it is -1.
func inSlot(slot *int, key string) bool {
	s := int(keySlot(key))
	if *slot < 0 {
		*slot = s
	}
	return *slot == s
}

var errSlots = because(ErrCrossSlot, "a HashTag on a cluster above all keys puts them into one")

// keys gives the keys of an item's command.
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

// refusal is the error of an operation whose transaction was not executed, or not known to be:
// queued is what the server said to the operation, exec what it said to EXEC.
func refusal(queued, exec error) error {
	if _, answered := rueidis.IsRedisErr(queued); answered {
		return &declined{ErrAborted, serverError(queued)}
	}
	if rueidis.IsRedisNil(exec) {
		return &declined{ErrAborted, errors.New("a key that the connection watches has changed")}
	}
	if _, answered := rueidis.IsRedisErr(exec); !answered {
		if dial, ok := errors.AsType[*net.OpError](exec); ok && dial.Op == "dial" {
			return &declined{ErrUnsent, exec}
		}
		return &declined{ErrOutcomeUnknown, exec}
	}
	return &declined{ErrAborted, serverError(exec)}
}

// declined is a sentinel with its cause: "not sent: …".
type declined struct{ kind, cause error }

func (d *declined) Error() string   { return d.kind.Error() + ": " + d.cause.Error() }
func (d *declined) Unwrap() []error { return []error{d.kind, d.cause} }
