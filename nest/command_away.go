package nest

import (
	"context"
	"errors"
	"time"

	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
)

// bounded returns the context for what a load asks of Redis: half of the time that ctx has left, at
// most [WithTimeout]. It has to be given back with release.
func (r address) bounded(ctx context.Context) *exchangeContext {
	t := r.m.tree
	limit, by := t.options.timeout, byTimeout
	if deadline, ok := ctx.Deadline(); ok {
		if half := max(time.Until(deadline)/2, time.Millisecond); limit == 0 || half < limit {
			limit, by = half, byHalf
		}
	}
	e := newExchange(ctx, limit, by, t.client, hashslot.Count)
	e.key, e.behind = r.key, t.behind
	return e
}

// within marks the error of what was asked of Redis in a bounded context, if the bound has ended
// it.
func (r address) within(e *exchangeContext, err error) error {
	if err == nil || errors.Is(err, ErrAway) || !e.own() {
		return err
	}
	return r.fail(failedOp(err), away(e.explain(bareReason(err)), false))
}

// deliverOrDown is deliver for a command that has a result while Redis is away.
func deliverOrDown[R any](ctx context.Context, r address, c *command[R]) (v R, from provenance, err error) {
	down := c.down
	c.down = nil
	e := r.bounded(ctx)
	v, from, err = deliver(e, r, c)
	err = r.within(e, err)
	e.release()
	if ctx.Err() == nil && errors.Is(err, ErrAway) {
		var aside bool
		if v, err, aside = whileAway(r, c.op.name, down); aside {
			from = withoutRedis
		}
	}
	return v, from, err
}

// whileAway returns the result of an operation while Redis is away, and reports whether there is
// one. Without one, it returns the error of the operation.
func whileAway[R any](r address, op string, down func() (R, error)) (R, error, bool) { //nolint:revive // the error is the result's
	v, failed := down()
	if failed != nil {
		return v, r.fail(op, failed), false
	}
	return v, nil, true
}
