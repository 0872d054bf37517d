package nest

import (
	"context"
	"time"
)

const opTransact = "transact"

// Reference is a reference of a key of any kind.
type Reference interface {
	Key() string
	Err() error
	String() string
	based
}

// Transact runs do and then applies everything that do wrote, in one step, if nothing that do read
// has changed meanwhile. Otherwise do runs again on the newer state, so it must be free of side
// effects.
//
//	err := nest.Transact(ctx, root, func(tx *nest.Tx) error {
//		r := tx.Reads()
//		from, to := Balance.At(ali).In(r).Get(), Balance.At(bea).In(r).Get()
//		if err := r.Exec(ctx); err != nil {
//			return err
//		}
//		...
//		w := tx.Writes()
//		Balance.At(ali).In(w).Set(a - amount)
//		Balance.At(bea).In(w).Set(b + amount)
//		return nil
//	})
//
// Everything that do reads in [Tx.Reads] is of one state, however many times it reads. A read that
// would show it a mixture of two states ends the try with [ErrConflict] instead. The operations in
// [Tx.Writes] are applied as one step after do has returned nil. No other client sees any of them
// earlier. An error of do is returned as it is, and nothing is applied. refs are keys that do
// depends on without reading them in tx.Reads, for example because it reads them by ordinary calls.
// Transact watches them from before do begins. An ordinary read of a [Cached] key may be older than
// that.
//
// Keys in several slots are refused with [ErrCrossSlot] before any of their commands is sent, even
// on a single server, unless [SingleServer] says that slots do not matter.
//
// Transact tries again when another writer was faster, when a connection is lost before the writes
// are sent, when a key moves between nodes, and when the server is loading its data or does not
// accept writes. It pauses for up to 20 milliseconds between two tries. It tries until its context
// ends; without a deadline it gives up after 256 tries and 15 seconds, whichever is later. The
// error then wraps [ErrConflict], or says why the server could not be asked. It wraps the context's
// error too when the context has ended.
//
// When the connection is lost or the context ends after the writes were sent and before they were
// answered, the error wraps [ErrOutcomeUnknown]: the writes were applied as a whole or not at all,
// and are not sent again. The error wraps [ErrUnsent] when the client had no connection for the
// transaction until the context ended, and [ErrAborted] when the server refuses the writes. A write
// that fails by itself, such as one to a key of another type, does not undo the others, as in an
// [Scope.Atomic] batch. Its error is joined to the one that Transact returns.
//
// Observers see one operation, "transact". A transaction runs on a connection of its own. Each
// batch of reads costs one round trip (WATCH of the keys that are new, the reads, and from the
// second read on EXISTS of the watched keys and CLIENT INFO). The writes cost one (MULTI, EXEC).
// refs cost one more before do begins. A transaction that only reads needs no round trip at its
// end. A transaction without reads and refs is an Atomic batch.
func Transact(ctx context.Context, s Scope, do func(tx *Tx) error, refs ...Reference) error {
	if err := s.admit(ctx, opTransact); err != nil {
		return err
	}
	if do == nil {
		err := s.fail(opTransact, because(ErrArgument, "the function is nil"))
		s.observe(ctx, opTransact, time.Now(), err)
		return err
	}
	return s.observed(ctx, opTransact, func(ctx context.Context) error { return transact(ctx, s, do, refs) })
}

func transact(ctx context.Context, s Scope, do func(tx *Tx) error, refs []Reference) error {
	keys, slot, err := s.watchable(refs)
	if err != nil {
		return err
	}
	l := &line{tree: s.at.tree}
	if err := ctx.Err(); err != nil {
		return s.fail(opTransact, err)
	}
	for c := (contest{}); ; {
		tx := newTx(s, l, slot)
		if s.at.tree.observed() {
			tx.observation = observationOf(ctx)
		}
		again, err := tx.run(ctx, do, keys)
		if !again {
			return err
		}
		if l.conn == nil {
			c.tries = max(c.tries, lostPause)
		}
		if err := c.pause(ctx, bareReason(err)); err != nil {
			l.giveBack(false)
			return s.fail(opTransact, err)
		}
	}
}

// lostPause is how many lost tries a lost connection counts as, at least, when the next pause is
// chosen. The client needs some time to learn where the keys are.
const lostPause = 7

// watchable returns the keys of references, and their slot or -1.
func (s Scope) watchable(refs []Reference) (keys []string, slot int, err error) {
	slot = -1
	for _, ref := range refs {
		if ref == nil {
			return nil, slot, s.fail(opTransact, because(ErrArgument, "a reference is nil"))
		}
		r := ref.base()
		switch of := s.at.tree.slot(r.key); {
		case r.wrong() != nil:
			return nil, slot, r.wrong()
		case r.m.tree.client == nil || !sameClient(r.m.tree, s.at.tree):
			return nil, slot, r.fail(opTransact, because(ErrArgument, "the reference belongs to another client"))
		case slot >= 0 && of != slot:
			return nil, slot, r.fail(opTransact, errSlots)
		default:
			slot = of
		}
		keys = append(keys, r.key)
		if r.m.formers != nil && !r.m.formers.far {
			keys = append(keys, r.m.olds(r.key)...)
		}
	}
	return keys, slot, nil
}
