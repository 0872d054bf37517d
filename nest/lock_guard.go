package nest

// Guard makes a [Scope.Atomic] batch depend on the lease, and returns the batch. Its operations are
// applied only if this lease holds the lock at that very moment on the server, else none is. So a
// holder that was paused cannot write after its lock has passed to another one.
//
//	b := lease.Guard(root.Atomic())
//	Balance.At(account).In(b).Set(balance)
//	err := b.Exec(ctx) // with nest.ErrLockLost or ErrLockReleased, nothing was written
//
// The lock and all keys of the batch must be in one slot, see [HashTag]; else the error wraps
// [ErrCrossSlot]. When the lock is no longer held, the lease has ended, and the error, like that of
// each future, wraps [ErrLockLost]. It also wraps [ErrUnsent], when the lease was known to have
// ended and nothing was sent, or else [ErrAborted]. Exec takes two round trips on a dedicated
// connection (WATCH and GET, then MULTI and EXEC), and tries again when only the lease was extended
// meanwhile.
//
// A batch can have several guards. A batch that is not atomic, has already run, or belongs to
// another client is refused: its Exec returns [ErrBatch]. For the Writes of a transaction,
// [Transact] returns it.
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
	case b.way != atomically{}:
		refuse(l.lock.at.fail("guard", because(ErrBatch, "only an atomic batch can be guarded: make it with Atomic")))
	case b.ran: // its Exec reports it
	case !sameClient(b.tree, l.lock.at.m.tree):
		refuse(l.lock.at.fail("guard", because(ErrBatch, "the batch belongs to another client")))
	default:
		b.guards = append(b.guards, l)
	}
	return b
}

func (l *Lease) ended() error { return l.Err() }

func (l *Lease) key() address { return l.lock.at }

func (l *Lease) holds(value string) error {
	if len(value) <= ownerLen || value[:ownerLen] != l.owner {
		return l.lost("guard")
	}
	return nil
}
