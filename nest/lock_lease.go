package nest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Lease is a lock that its holder has for a while. It is safe for concurrent use.
type Lease struct {
	lock  LockRef
	owner string
	token int64
	valid time.Duration // from before a command was sent that granted or extended it
	ctx   leaseContext
	end   context.CancelCauseFunc

	releasing chan struct{} // holds one while a release is on its way

	mu    sync.Mutex
	since time.Time   // when the last command that the server granted was sent
	timer *time.Timer // ends the lease
	over  error       // why it has ended
	freed bool        // the server has confirmed that it is not held by this owner
	tried bool        // a release was sent, and its answer lost
}

// String gives the lock's key with its sensitive parameters replaced by their templates.
func (l *Lease) String() string {
	if l == nil {
		return ""
	}
	return l.lock.String()
}

// Format prints what String gives, whatever the verb and the flags.
func (l *Lease) Format(s fmt.State, verb rune) { formatted(s, verb, l.String()) }

// drift is by how much a lease ends before the server lets go: clocks go differently fast, and
// the server rounds. Redlock allows for the same: https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/.
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
		go l.keep()
	}
	return l
}

// elapsed is how long ago t was, on the clock that says more. The monotonic clock does not go
// back; the wall clock goes on while the machine, or the virtual one, is suspended.
func elapsed(t, now time.Time) time.Duration {
	return max(now.Sub(t), now.Round(0).Sub(t.Round(0)))
}

// Token is the fencing token. Of two leases of one lock the later has the greater one, across
// all holders, expiries, releases and restarts, also when the server has lost what it held, as
// long as its clock is not set back by more than a day since the last one (it is the server's
// time in microseconds, or one more than the last token).
//
// A system that stores the greatest token it has seen with what it stores, and refuses smaller
// ones, refuses a holder that was paused and does not know that its lease is over.
func (l *Lease) Token() int64 { return l.orZero().token }

// orZero lets the lease that [LockRef.TryAcquire] did not get answer as one that never stood.
func (l *Lease) orZero() *Lease {
	if l == nil {
		return new(Lease)
	}
	return l
}

// Context ends when the lease does: with [ErrLockLost] as its cause when it could not be
// extended in time or the server says that it is held no more, with [ErrLockReleased] when it was
// released. It has the values of the context that the lock was acquired with and, from
// [LockRef.Run] only, its end. Its Err looks at the clock, so that it tells the truth to a
// process that was stopped and has just gone on.
func (l *Lease) Context() context.Context {
	l = l.orZero()
	if l.ctx.lease == nil { // a zero Lease
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(errZeroRef)
		return ctx
	}
	return l.ctx
}

// Err is nil while the lease stands, and looks at the clock to tell: afterwards it wraps
// [ErrLockLost] or [ErrLockReleased].
func (l *Lease) Err() error {
	l = l.orZero()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.check()
}

// Left is how long the lease still lasts if it is not extended; 0 when it has ended.
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

// check ends a lease whose time is over. It needs the mutex, as do the two below.
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

// keep extends the lease, each time a third of it has passed, until it ends.
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

// Extend lets the lease last for the whole declared TTL from now (EVAL). The background does so
// by itself unless [NoExtend] was given. The error wraps [ErrLockLost] or [ErrLockReleased] when
// the lease has ended; another one leaves it as it was.
func (l *Lease) Extend(ctx context.Context) error {
	l = l.orZero()
	if err := l.lock.at.ready(ctx, opExtend.name); err != nil {
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
	if err := l.check(); err != nil { // the answer came too late
		return err
	}
	if sent.After(l.since) {
		l.since = sent
		l.timer.Reset(l.left())
	}
	return nil
}

// Release gives the lock back and wakes one who waits for it (EVAL). The lease has ended when
// Release is called, whatever it returns. The error wraps [ErrLockLost] when it had ended before,
// since somebody else may have held the lock meanwhile. Further calls give what the first one
// gave; after another error, such as a lost connection, a further call sends the release again.
//
// With a context that has ended, Release returns its error, and the lock is released in the
// background.
func (l *Lease) Release(ctx context.Context) error {
	l = l.orZero()
	if err := l.lock.at.ready(ctx, opRelease.name); err != nil {
		return err
	}
	l.mu.Lock()
	_ = l.check()
	err := l.finish(l.lock.at.fail("lease", ErrLockReleased))
	l.mu.Unlock()
	select {
	case l.releasing <- struct{}{}:
	default: // somebody else is about it
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
		l.lock.abandon(ctx, l.owner)
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

// lost ends the lease, which the server does not know any more.
func (l *Lease) lost(op string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.freed = true
	return l.lose(op, "the server does not know the lease any more")
}

// leaseContext is a context that looks at the lease's clock before it says that it goes on.
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
