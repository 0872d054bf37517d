package nest

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// runObserved is run for a batch of which the observers are told.
func (b *Batch) runObserved(ctx context.Context, items []item) error {
	start := time.Now()
	list := make([]observedItem, len(items))
	for i := range items {
		list[i].begin(&items[i], start)
	}
	ctx, o := observing(ctx, b.tree.options.observers, Event{
		Op: b.way.op(), Kind: KindCluster, Command: commonCommand(list), Template: b.at.name.Text,
		Start: start, Batch: len(items), Server: b.tree.whereabouts.of(""),
	})
	defer func() {
		o.end()
		for i := range list {
			list[i].end(o)
		}
	}()
	err := b.run(ctx, items)
	o.event.Err = err
	return err
}

// commonCommand returns the command that all operations of a batch have, or "".
func commonCommand(list []observedItem) string {
	if len(list) == 0 {
		return ""
	}
	first := list[0].event.Command
	for i := range list {
		if list[i].event.Command != first {
			return ""
		}
	}
	return first
}

// observedItem is an operation of a batch of which the observers are told once the batch has ended.
type observedItem struct {
	pending

	ref   address
	event Event
}

// begin puts itself in the place of an item's future.
func (i *observedItem) begin(it *item, start time.Time) {
	i.pending, i.ref = it.pending, it.ref
	i.event = Event{Op: it.op(), Start: start, Err: errUnended}
	if it.unsent() == nil && !it.skip && !it.cmd.IsEmpty() {
		i.event.Command, i.event.BytesOut = nameOfCommand(&it.cmd), sizeOfWords(it.cmd.Commands())
	}
	it.pending = i
}

func (i *observedItem) conclude(ctx context.Context, r address, answer rueidis.RedisMessage, err error) error {
	if err == nil {
		i.event.BytesIn = sizeOfAnswer(&answer)
	}
	err = i.pending.conclude(ctx, r, answer, err)
	i.concluded(err)
	return err
}

func (i *observedItem) refuse(err error) {
	i.event.BytesOut = 0
	i.pending.refuse(err)
	i.concluded(err)
}

func (i *observedItem) concluded(err error) {
	i.event.Err, i.event.Duration = err, time.Since(i.event.Start)
	i.event.Degraded = err == nil && i.degraded()
	i.event.Refused = err == nil && i.refused()
}

// end tells the observers of the operation.
func (i *observedItem) end(o *observation) {
	if i.ref.m == nil {
		return
	}
	if i.event.Op == "" { // its command was never built
		i.event.Op = failedOp(i.event.Err)
	}
	o.tell(i.ref.described(i.event))
}
