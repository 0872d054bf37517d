package nest

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// begin tells the observers that an operation begins. It is called only if there are any.
func (r address) begin(ctx context.Context, e Event) (context.Context, *observation) {
	return observing(ctx, r.m.tree.options.observers, r.described(e))
}

// beginCommand is begin for a command that is to be sent.
func (r address) beginCommand(ctx context.Context, op string, cmd *rueidis.Completed) (context.Context, *observation) {
	return r.begin(ctx, Event{Op: op, Command: nameOfCommand(cmd)})
}

// described adds to an event what the reference says of the key.
func (r address) described(e Event) Event {
	e.Template, e.Key = r.m.name.Text, r.m.name.Redact(r.key)
	if r.err != nil && r.err.Template != "" {
		e.Template = r.err.Template
	}
	if r.m.def != nil && e.Template == r.m.name.Text {
		e.Kind = r.m.def.kind
	}
	if r.key != "" {
		e.Server = r.m.tree.whereabouts.of(r.key)
	}
	return e
}

// tell tells the observers of an operation that has ended, or of an error.
func (r address) tell(ctx context.Context, e Event) {
	if r.m.tree.observed() {
		err := e.Err
		_, o := r.begin(ctx, e)
		defer o.end()
		o.event.Err = err
	}
}

func (r address) observe(ctx context.Context, op string, start time.Time, err error) {
	r.tell(ctx, Event{Op: op, Start: start, Err: err})
}

// ended notes how the operation ended.
func (o *observation) ended(from provenance, err error) {
	o.event.Err, o.event.CacheHit, o.event.Degraded = err, from == fromMemory, from == withoutRedis
}

// nameOfCommand returns the first word of a command that is to be sent, or "".
func nameOfCommand(cmd *rueidis.Completed) string {
	if cmd.IsEmpty() {
		return ""
	}
	return cmd.Commands()[0]
}

// isRefusal reports whether a result is that of a limiter that does not allow what was asked for.
func isRefusal(result any) bool {
	r, ok := result.(interface{ refuses() bool })
	return ok && r.refuses()
}
