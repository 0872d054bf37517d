package nest

import (
	"context"
	"errors"
	"sync"
)

// Ping reports whether every primary answers, for health checks (PING; INFO or ROLE, and CLUSTER
// NODES on a Redis Cluster, say which servers those are). On a Redis Cluster it also fails if a
// slot that keys below the scope can have is on no node. Give it a context with a deadline: it
// waits as long as the context lasts.
func (s Scope) Ping(ctx context.Context) error {
	const op = "ping"
	if err := s.admit(ctx, op); err != nil {
		return err
	}
	return s.observed(ctx, op, func(ctx context.Context) error {
		if err := s.ping(ctx); err != nil {
			return s.fail(op, err)
		}
		return nil
	})
}

func (s Scope) ping(ctx context.Context) error {
	o := s.at.tree.options.scan
	w := s.walk(s.plan(nil, &o, false), &o)
	seen, err := w.look(ctx)
	if err != nil {
		return err
	}
	errs := make([]error, len(seen.holders))
	var wg sync.WaitGroup
	for i, h := range seen.holders {
		wg.Go(func() { errs[i] = h.client.Do(ctx, h.client.B().Ping().Build().ToRetryable()).Error() })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil || !seen.clustered {
		return err
	}
	missing := w.reach.Without(&seen.covered)
	if missing.Empty() {
		return nil
	}
	return &incompleteError{"no node of the Redis Cluster that answers has " + missing.String(), seen.missing}
}
