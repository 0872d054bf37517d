package nest

import (
	"context"
	"sync"
	"time"

	"github.com/redisimnest/redisimnest/nest/internal/behind"
)

// ackTimeout bounds how long an acknowledgement may outlive the context.
const ackTimeout = 5 * time.Second

// mostUnacked is how many entries may gather while an XACK is on its way before the next entry has
// to wait.
const mostUnacked = 1000

// acks acknowledges entries behind the handler: while one XACK is on its way, those that are
// handled gather, and the next XACK takes all of them. What could not be acknowledged is kept, so
// that the handler is not given it again.
type acks struct {
	tally *behind.Tally
	send  func(ctx context.Context, ids []string) error // ends by itself

	mu      sync.Mutex
	ids     []string        // handled, and not acknowledged
	of      context.Context //nolint:containedctx // the first one's handler got it: XACK's span is below
	running chan struct{}   // closed when nothing is on its way any more; nil: nothing is
	err     error           // why the last XACK failed
}

// add takes an entry that was handled, with the context that its handler got. Its error is that of
// an earlier entry.
func (a *acks) add(ctx context.Context, id string) error {
	a.mu.Lock()
	if len(a.ids) == 0 {
		a.of = ctx
	}
	a.ids = append(a.ids, id)
	a.start()
	wait := a.err != nil || len(a.ids) > mostUnacked
	a.mu.Unlock()
	if wait {
		return a.wait(ctx)
	}
	return nil
}

// start begins to acknowledge, if that has not begun. The lock is held.
func (a *acks) start() {
	if a.running == nil && a.err == nil && len(a.ids) > 0 {
		a.running = make(chan struct{})
		a.tally.Go(behind.Ack, a.run)
	}
}

// run acknowledges until there is nothing left or an XACK fails.
func (a *acks) run() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.ids) > 0 && a.err == nil {
		ids, of := a.ids, a.of
		a.ids, a.of = nil, nil
		a.mu.Unlock()
		err := a.send(of, ids)
		a.mu.Lock()
		if a.err = err; err != nil {
			a.ids, a.of = append(ids, a.ids...), of
		}
	}
	close(a.running)
	a.running = nil
}

// flush acknowledges what an earlier XACK left, and waits like wait.
func (a *acks) flush(ctx context.Context) error {
	a.mu.Lock()
	a.err = nil
	a.start()
	a.mu.Unlock()
	return a.wait(ctx)
}

// finish is the last flush. It waits for at most [giveUpWait] however Consume ends: the caller has
// to see a handler's panic soon, too.
func (a *acks) finish(ctx context.Context) {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_ = a.flush(ended)
}

// wait waits until nothing is on its way, for at most [giveUpWait] after the end of ctx. Its error
// is that of the last XACK, if it has not been returned before.
func (a *acks) wait(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if running := a.running; running != nil {
		a.mu.Unlock()
		gone, stop := soonAfter(ctx)
		select {
		case <-running:
		case <-gone:
		}
		stop()
		a.mu.Lock()
		if a.running == running {
			return ctx.Err()
		}
	}
	err := a.err
	a.err = nil
	return err
}

// forget drops what could not be acknowledged.
func (a *acks) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ids, a.err = nil, nil
}
