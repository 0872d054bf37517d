package nest

import (
	"context"
	"fmt"
	"time"
)

// Close waits for what this package does behind the calls of its users, and returns nil once
// nothing of that is left. It is called at shutdown, after the program's own work has ended and
// before the client is closed, which Close does not do:
//
//	err := server.Shutdown(ctx)          // no more requests
//	err = errors.Join(err, root.Close(ctx)) // what they left behind
//	client.Close()
//
// It waits for loads in the background ([RefreshBefore], [StaleFor]), for loaders that ignore the
// end of their context, for the release of locks whose caller has gone, for acknowledgements of
// [StreamRef.Consume], for commands and waits that go on after their context has ended, and for
// connections on their way back to the client. A lease that is still extended and a subscription
// that has not ended count too, so release leases and leave subscriptions first.
//
// If the context ends first, the error wraps that of the context and says what is left, such as "2
// loads and 1 release still run". Nothing is stopped; Close can be called again.
//
// Close concerns all scopes that stem from the same [Open]. Calls still work during and after it,
// as the client does, for whoever has yet to finish something. Only loads in the background do not
// begin any more once Close has been called, so that readers cannot keep it waiting. What later
// calls leave behind is for another Close to wait for. Close sends nothing.
func (s Scope) Close(ctx context.Context) error {
	const op = "close"
	start := time.Now()
	err := s.check(op)
	switch {
	case err != nil:
	case ctx == nil:
		err = s.fail(op, errNilContext)
	default:
		if left, failed := s.at.tree.behind.Close(ctx); failed != nil {
			err = s.fail(op, fmt.Errorf("%s: %w", left, failed))
		}
	}
	if s.at != nil {
		s.observe(ctx, op, start, err)
	}
	return err
}
