package nest

import (
	"context"
	"time"
)

const opTransact = "transact"

// maxTransactions is how many times Transact tries before it gives up.
const maxTransactions = 64

// Reference is the reference of any key, whatever its kind.
type Reference interface {
	Key() string
	Err() error
	String() string
	based
}

// Transact runs do and then applies what it wrote, all together, if nothing that it read has
// changed meanwhile; else do runs again on the newer state: it must be free of side effects.
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
// Everything that do reads in [Tx.Reads] is of one state, however many times it reads: a read that
// would show it a mixture of two ends the try with [ErrConflict] instead. What it puts into
// [Tx.Writes] is applied as one step, after do has returned nil, and is seen by nobody before. An
// error of do is returned as it is, and nothing is applied. refs are keys that do depends on
// without reading them in tx.Reads, but by ordinary calls, say: they are watched from before do
// begins. An ordinary read of a [Cached] key may come from before that.
//
// Keys in several slots of a Redis Cluster are refused with [ErrCrossSlot] before anything of them
// is sent, on a single server too. After 64 tries the error wraps [ErrConflict], or tells why the
// server could not be asked: a connection that is lost before the writes are sent, a key that moves
// between nodes, and a server that loads its data or is none to write to are tried again as well,
// after pauses of up to 50 milliseconds. When the connection is lost, or the context ends, after
// the writes were sent and before they were answered, the error wraps [ErrOutcomeUnknown]: they
// were applied whole or not at all, and are not sent again. When the server refuses them it wraps
// [ErrAborted]. A write that fails by itself, as on a key of another type, does not take back the
// others, as in an [Scope.Atomic] batch; its error is joined to what Transact returns.
//
// Observers see one operation, "transact". On a connection of its own, do costs one round trip for
// each batch of reads (WATCH of the keys that are new, the reads, EXISTS of what is watched and
// CLIENT INFO from the second read on), and one for the writes (MULTI, EXEC); refs cost one more
// before it begins. A transaction that only read needs none at its end. Without reads and refs it
// is an Atomic batch.
func Transact(ctx context.Context, s Scope, do func(tx *Tx) error, refs ...Reference) error {
	if err := s.ready(ctx, opTransact); err != nil {
		return err
	}
	if do == nil {
		return s.fail(opTransact, because(ErrArgument, "the function is nil"))
	}
	start := time.Now()
	err := transact(ctx, s, do, refs)
	s.observe(ctx, opTransact, start, err)
	return err
}

func transact(ctx context.Context, s Scope, do func(tx *Tx) error, refs []Reference) error {
	keys, slot, err := s.watchable(refs)
	if err != nil {
		return err
	}
	l := &line{client: s.at.tree.client}
	var last error
	for try := range maxTransactions {
		if err := ctx.Err(); err != nil {
			l.giveBack(false)
			return s.fail(opTransact, err)
		}
		tx := newTx(s, l, slot)
		var again bool
		if again, last = tx.run(ctx, do, keys); !again {
			return last
		}
		if l.conn == nil {
			try = max(try, lostPause)
		}
		if err := pause(ctx, try); err != nil {
			l.giveBack(false)
			return s.fail(opTransact, err)
		}
	}
	l.giveBack(false)
	return last
}

// lostPause is the try whose pause a try that lost its connection gets: the client needs some time
// to learn where the keys are.
const lostPause = 9

// watchable gives the keys of references, and their slot or -1.
func (s Scope) watchable(refs []Reference) (keys []string, slot int, err error) {
	slot = -1
	for _, ref := range refs {
		if ref == nil {
			return nil, slot, s.fail(opTransact, because(ErrArgument, "a reference is nil"))
		}
		r := ref.base()
		switch of := int(keySlot(r.key)); {
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
	}
	return keys, slot, nil
}
