package nest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redisimnest/redisimnest/nest/internal/behind"
)

// Lease is a lock held for a limited time. It is safe for concurrent use.
type Lease struct {
	lock  LockRef
	owner string
	token int64
	valid time.Duration // from just before the command that granted or extended it
	ctx   leaseContext
	end   context.CancelCauseFunc

	releasing chan struct{} // holds one element while a release is under way

	mu    sync.Mutex
	since time.Time   // when the last command that the server granted was sent
	timer *time.Timer // ends the lease
	over  error       // why it has ended
	freed bool        // the server confirmed that this owner does not hold it
	tried bool        // a release was sent, and its reply was lost
}

// String returns the lock's key with its sensitive parameters replaced by their templates.
func (l *Lease) String() string {
	if l == nil {
		return ""
	}
	return l.lock.String()
}

// Format prints what String returns, for every verb and flag.
func (l *Lease) Format(s fmt.State, verb rune) { formatted(s, verb, l.String()) }

// drift is how much earlier a lease ends here than on the server: clocks run at different speeds,
// and the server rounds. Redlock allows for the same:
// https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/.
func drift(lease time.Duration) time.Duration { return lease/100 + 2*time.Millisecond }

func newLease(parent context.Context, r LockRef, c claimant, token int64, sent time.Time) *Lease {
	l := &Lease{
		lock: r, owner: c.owner, token: token, since: sent,
		valid:     r.lease() - drift(r.lease()),
		releasing: make(chan struct{}, 1),
	}
	ctx, cancel := context.WithCancelCause(parent)
	l.ctx, l.end = leaseContext{ctx, l}, cancel
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(l.valid-elapsed(sent, time.Now()), func() { _ = l.Err() })
	if c.keep {
		r.at.m.tree.behind.Go(behind.Lease, l.keep)
	}
	return l
}

// elapsed returns the time since t, by whichever clock shows more. The monotonic clock does not go
// back; the wall clock goes on while the machine, real or virtual, is suspended.
func elapsed(t, now time.Time) time.Duration {
	return max(now.Sub(t), now.Round(0).Sub(t.Round(0)))
}

// Token returns the fencing token. Of two leases of one lock, the later has the greater token,
// across all holders, expiries, releases and restarts. This holds even when the server has lost its
// data, as long as its clock is not set back by more than a day since the last token (which is the
// server's time in microseconds, or one more than the token before it).
//
// A system that is written to under the lock can store the greatest token it has seen and refuse
// smaller ones. It thus refuses a holder that was paused and does not know that its lease has
// ended.
func (l *Lease) Token() int64 { return l.orZero().token }

// orZero makes the nil lease of a failed [LockRef.TryAcquire] behave as one that was never granted.
func (l *Lease) orZero() *Lease {
	if l == nil {
		return new(Lease)
	}
	return l
}

// Context returns a context that ends when the lease does. Its cause is [ErrLockLost] when the
// lease could not be extended in time or the server no longer knows it, and [ErrLockReleased] when
// it was released. It has the values of the context that the lock was acquired with. In
// [LockRef.Run] and [LockRef.TryRun] only, it also ends when that context does. Its Err checks the
// clock, so that it is right even in a process that was stopped and has just resumed.
func (l *Lease) Context() context.Context {
	l = l.orZero()
	if l.ctx.lease == nil { // a zero Lease
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(errZeroRef)
		return ctx
	}
	return l.ctx
}

// Err returns nil while the lease is valid, by the clock. Afterwards its error wraps [ErrLockLost]
// or [ErrLockReleased].
func (l *Lease) Err() error {
	l = l.orZero()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.check()
}

// Left returns how long the lease still lasts if it is not extended; 0 when it has ended.
func (l *Lease) Left() time.Duration {
	l = l.orZero()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.check() != nil {
		return 0
	}
	return l.left()
}

func (l *Lease) left() time.Duration { return l.valid - elapsed(l.since, time.Now()) }

// check ends a lease whose time is over. The caller holds the mutex, as for the two functions
// below.
func (l *Lease) check() error {
	if l.over != nil {
		return l.over
	}
	if l.lock.at.m == nil {
		return errZeroRef
	}
	if l.left() <= 0 {
		return l.lose("lease", "its time is over, and it was not extended")
	}
	return nil
}

func (l *Lease) lose(op, why string) error {
	return l.finish(l.lock.at.fail(op, because(ErrLockLost, why)))
}

func (l *Lease) finish(err error) error {
	if l.over == nil {
		l.over = err
		l.timer.Stop()
		l.end(err)
	}
	return l.over
}

// keep extends the lease each time a third of it has passed, until it ends.
func (l *Lease) keep() {
	lease := l.lock.lease()
	timer := time.NewTimer(lease / 3)
	defer timer.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-timer.C:
		}
		ctx, cancel := context.WithTimeout(l.ctx, lease/3)
		err := l.extend(ctx)
		cancel()
		if err == nil {
			timer.Reset(lease / 3)
		} else {
			timer.Reset(lease / 12)
		}
	}
}

// Extend makes the lease last for the whole declared TTL from now (EVAL). This happens in the
// background unless [NoExtend] was given. The error wraps [ErrLockLost] or [ErrLockReleased] when
// the lease has ended; any other error leaves it as it was.
func (l *Lease) Extend(ctx context.Context) error {
	l = l.orZero()
	if err := l.lock.at.admit(ctx, opExtend.name); err != nil {
		return err
	}
	if err := l.Err(); err != nil {
		return err
	}
	return l.extend(ctx)
}

func (l *Lease) extend(ctx context.Context) error {
	sent := time.Now()
	held, err := run(ctx, l.lock.at, l.lock.extend(l.owner))
	if err != nil {
		return err
	}
	if !held {
		return l.lost("extend")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.check(); err != nil { // the reply came too late
		return err
	}
	if sent.After(l.since) {
		l.since = sent
		l.timer.Reset(l.left())
	}
	return nil
}

// Release releases the lock and wakes one waiter (EVAL). The lease has ended when Release is
// called, whatever it returns. The error wraps [ErrLockLost] when the lease had ended before, since
// another client may have held the lock meanwhile. Further calls return what the first one
// returned. After another error, such as a lost connection, a further call sends the release again.
//
// If ctx has ended, Release returns its error, and the lock is released in the background.
func (l *Lease) Release(ctx context.Context) error {
	l = l.orZero()
	if err := l.lock.at.admit(ctx, opRelease.name); err != nil {
		return err
	}
	l.mu.Lock()
	_ = l.check()
	err := l.finish(l.lock.at.fail("lease", ErrLockReleased))
	l.mu.Unlock()
	select {
	case l.releasing <- struct{}{}:
	default: // another call is releasing it
		select {
		case l.releasing <- struct{}{}:
		case <-ctx.Done():
			return l.lock.at.fail("release", ctx.Err())
		}
	}
	defer func() { <-l.releasing }()
	if errors.Is(err, ErrLockReleased) {
		err = nil
	}
	if l.isFreed() {
		return err
	}
	held, failed := run(ctx, l.lock.at, l.lock.release(&opRelease, l.owner))
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case failed != nil:
		l.tried = true
		l.lock.abandon(ctx, l.owner, false)
		return failed
	case !held && err == nil && !l.tried:
		l.over = l.lock.at.fail("release", because(ErrLockLost, "it was held no more"))
		err = l.over
	}
	l.freed = true
	return err
}

func (l *Lease) isFreed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.freed
}

// lost ends the lease, which the server no longer knows.
func (l *Lease) lost(op string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.freed = true
	return l.lose(op, "the server does not know the lease any more")
}

// leaseContext is a context that checks the lease's clock before it reports that it has not ended.
type leaseContext struct {
	context.Context //nolint:containedctx // it is one
	lease           *Lease
}

func (c leaseContext) Err() error {
	if err := c.Context.Err(); err != nil {
		return err
	}
	_ = c.lease.Err()
	return c.Context.Err()
}
