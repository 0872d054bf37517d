package nest

import (
	"context"
	"errors"

	"github.com/redis/rueidis"
)

// Guard makes an [Scope.Atomic] batch depend on the lease, and gives it back: its operations are
// applied only if the lock is held by this lease at that very moment on the server, else none is.
// So a holder that was paused, and whose lock has passed to another one meanwhile, cannot write.
//
//	b := lease.Guard(root.Atomic())
//	Balance.At(account).In(b).Set(balance)
//	err := b.Exec(ctx) // errors.Is(err, nest.ErrLockLost), or ErrLockReleased: nothing was written
//
// The lock and all keys of the batch must live in one slot, see [HashTag]. When the lock is held
// no more the error, and that of each future, wraps [ErrLockLost] beside [ErrUnsent], when the lease
// was known to have ended and nothing was sent, or [ErrAborted]; and the lease has ended. Exec takes
// two round trips on a connection of its own (WATCH and GET, then MULTI and EXEC), and tries again
// when only the lease was extended meanwhile.
//
// A batch can have several guards. One that is not atomic, was run, or belongs to another client
// is refused: its Exec returns [ErrBatch], and of the Writes of a transaction [Transact] does.
func (l *Lease) Guard(b *Batch) *Batch {
	if b == nil {
		return nil
	}
	l = l.orZero()
	b.mu.Lock()
	defer b.mu.Unlock()
	refuse := func(err error) {
		if b.err == nil {
			b.err = err
		}
	}
	switch {
	case b.err != nil || b.tree == nil:
	case l.lock.Err() != nil:
		refuse(l.lock.Err())
	case b.way != atomically:
		refuse(l.lock.at.fail("guard", because(ErrBatch, "only an atomic batch can be guarded: make it with Atomic")))
	case b.ran: // which its Exec tells
	case !sameClient(b.tree, l.lock.at.m.tree):
		refuse(l.lock.at.fail("guard", because(ErrBatch, "the batch belongs to another client")))
	default:
		b.guards = append(b.guards, l)
	}
	return b
}

// checkGuards tells why a lease does not let the batch be sent. slot becomes that of the locks. The
// error wraps ErrUnsent, as those of the futures do.
func (b *Batch) checkGuards(slot *int) error {
	for _, l := range b.guards {
		err := l.Err()
		if err == nil && !inSlot(slot, l.lock.at.key) {
			err = l.lock.at.fail("guard", errSlots)
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

// submit sends a transaction and gives the answers, or tells why a guard did not let it.
func (b *Batch) submit(ctx context.Context, cmds []rueidis.Completed) ([]rueidis.RedisResult, error) {
	if len(b.guards) == 0 {
		return b.tree.client.DoMulti(ctx, cmds...), nil
	}
	// A connection of its own, which follows no redirection: the guard and what it guards must
	// not come to different servers.
	l := &line{client: b.tree.client}
	if err := l.open(ctx); err != nil {
		return nil, err
	}
	defer l.giveBackWithin(ctx)
	conn := l.conn
	for i := range cmds {
		cmds[i] = cmds[i].Pin() // they may be sent again
	}
	for try := range maxUpdates {
		if err := b.watch(ctx, conn); err != nil {
			if conn.Do(ctx, conn.B().Unwatch().Build()).Error() != nil {
				l.drop()
			}
			return nil, err
		}
		answers := conn.DoMulti(ctx, cmds...)
		if !rueidis.IsRedisNil(answers[len(answers)-1].Error()) {
			return answers, nil
		}
		// A lock was touched: lost, or extended, or waited for.
		if err := pause(ctx, try); err != nil {
			return nil, err
		}
	}
	return nil, ErrConflict
}

// watch lets the next transaction on conn fail if one of the locks changes or ends, and looks
// whether all are held.
func (b *Batch) watch(ctx context.Context, conn rueidis.DedicatedClient) error {
	cmds := make([]rueidis.Completed, 0, 2*len(b.guards))
	for _, l := range b.guards {
		cmds = append(cmds,
			conn.B().Watch().Key(l.lock.at.key).Build(),
			conn.B().Get().Key(l.lock.at.key).Build())
	}
	answers := conn.DoMulti(ctx, cmds...)
	for i, l := range b.guards {
		if err := answers[2*i].Error(); err != nil {
			return serverError(err)
		}
		held, err := answers[2*i+1].ToString()
		if err != nil && !rueidis.IsRedisNil(err) {
			return serverError(err)
		}
		if len(held) <= ownerLen || held[:ownerLen] != l.owner {
			return l.lost("guard")
		}
	}
	return nil
}
