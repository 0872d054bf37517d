package nest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// maxPipeline is how many operations of a batch travel together. With the commands that may come
// before each of them, two at most, and the one after it they must stay below 2,000: from there on
// rueidis sends a pipeline over a connection of its own, where a fence is none.
const maxPipeline = 499

// Batch collects operations and sends them together: one round trip for each server, or for
// each 499 operations where there are more. A reference's In method puts it into a batch,
// where its operations have the same names and give futures:
//
//	b := root.Batch()
//	age := Age.At(root, 42).In(b).Get()
//	Name.At(root, 42).In(b).Set("Ali")
//	err := b.Exec(ctx)
//	v, err := age.Value()
//
// A batch is run once. It may be filled by several goroutines.
type Batch struct {
	tree *tree
	way  way
	tx   *Tx   // where the way is that of a transaction
	err  error // of the scope

	mu     sync.Mutex
	ran    bool
	items  []item
	guards []*Lease
	slab   any // where the next operation of the last one's type finds room
}

// way is how a batch is sent.
type way uint8

const (
	pipelined way = iota
	atomically
	inReads  // over the connection of a transaction, see [Tx.Reads]
	inWrites // with the end of a transaction, see [Tx.Writes]
)

// item is one operation of a batch.
type item struct {
	ref    address
	cmd    rueidis.Completed
	skip   bool    // there is nothing to send
	fenced bool    // it writes to a cached key
	more   *extras // nil for most
	pending
}

// extras is what few operations have beside their command.
type extras struct {
	unsent error               // why the operation cannot be sent
	before []rueidis.Completed // ends the loads of the keys that it writes
	uses   []use
}

// unsent tells why an operation cannot be sent.
func (i *item) unsent() error {
	if i.more == nil {
		return nil
	}
	return i.more.unsent
}

// uses gives all keys of an operation that takes several.
func (i *item) uses() []use {
	if i.more == nil {
		return nil
	}
	return i.more.uses
}

// pending is an operation whose future waits for its result.
type pending interface {
	// op is the operation's name, "" for one that was not even asked for.
	op() string
	// conclude gives the future what came back, and returns the operation's error.
	conclude(ctx context.Context, r address, answer rueidis.RedisMessage, err error) error
	// refuse gives the future an error without anything having been sent for it.
	refuse(err error)
}

func (i *item) settle(ctx context.Context, answer rueidis.RedisMessage, err error) error {
	return i.conclude(ctx, i.ref, answer, err)
}

// String gives the key with its sensitive parameters replaced by their templates.
func (q RefBatch) String() string { return q.ref.String() }

// Format prints what String gives, whatever the verb and the flags: sensitive parameters stay out of
// what package fmt shows of it.
func (q RefBatch) Format(s fmt.State, verb rune) { formatted(s, verb, q.String()) }

// Batch starts a batch. Its operations are sent in order, and each has a result and an error of
// its own; other clients' commands may come between them.
func (s Scope) Batch() *Batch { return s.batch("batch", pipelined) }

// Atomic starts a batch that is one transaction (MULTI, EXEC): no other client's command comes
// between its operations, and all are applied or none. A command that fails when it is executed,
// as on a key of another type, does not take back the others: Redis has no rollback.
//
// All keys must live in one slot of a Redis Cluster, as a [HashTag] makes them, else Exec
// returns [ErrCrossSlot] and sends nothing — on a single server too, so that tests find it.
func (s Scope) Atomic() *Batch { return s.batch("atomic", atomically) }

func (s Scope) batch(op string, w way) *Batch {
	b := &Batch{way: w, err: s.checkClient(op)}
	if s.at != nil {
		b.tree = s.at.tree
	}
	return b
}

// add puts an operation into a batch.
func add[R any](b *Batch, r address, build func() command[R]) *Future[R] {
	if b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
	}
	f := room[Future[R]](b)
	fill(b, r, build, f)
	return f
}

// addFound puts an operation that may find nothing into a batch.
func addFound[T any](b *Batch, r address, build func() command[found[T]]) *FoundFuture[T] {
	if b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
	}
	f := room[FoundFuture[T]](b)
	fill(b, r, build, &f.Future)
	return f
}

func fill[R any](b *Batch, r address, build func() command[R], f *Future[R]) {
	if b == nil || b.tree == nil && b.err == nil {
		f.refuse(errNoBatch)
		return
	}
	if b.ran {
		f.refuse(&Error{Op: "batch", Err: because(ErrBatch, "the batch was run already")})
		return
	}
	if b.items == nil {
		b.items = *itemPool.Get().(*[]item)
	}
	it := item{ref: r, pending: f}
	if err := b.admits(&r); err != nil {
		it.more = &extras{unsent: err}
	} else {
		prepare(b, &it, build(), f) // whose encoder may panic: nothing is in the batch then
	}
	b.items = append(b.items, it)
}

// prepare makes an item of a command.
func prepare[R any](b *Batch, it *item, c command[R], f *Future[R]) {
	r := it.ref
	f.does, f.keyed = c.op, c.keyed
	it.fenced, it.skip = c.writesCached(r), c.skip
	switch before := c.endLoads(r); {
	case c.err != nil:
		it.more = &extras{unsent: r.fail(c.op.name, c.err)}
	case c.skip:
	case b.way == inReads && !c.cmd.IsReadOnly():
		it.more = &extras{unsent: r.fail(c.op.name, errNoRead)}
	default:
		it.cmd = b.tree.inFull(c.cmd)
		if before != nil || c.uses != nil {
			it.more = &extras{before: before, uses: c.uses}
		}
	}
}

// admits tells why a reference cannot be in the batch.
func (b *Batch) admits(r *address) error {
	switch {
	case b.err == nil && r.err == nil && r.m != nil && r.m.tree == b.tree && b.tree.client != nil:
		return nil
	case b.err != nil:
		return b.err
	case r.wrong() != nil:
		return r.wrong()
	case r.m.tree.client == nil || !sameClient(b.tree, r.m.tree):
		return r.fail("batch", because(ErrBatch, "the batch belongs to another client"))
	}
	return nil
}

// String says how many operations the batch holds, and nothing of them.
func (b *Batch) String() string { return fmt.Sprintf("batch of %d operations", b.Len()) }

// Format prints what String gives, whatever the verb and the flags: the names of keys, with what is
// sensitive in them, stay out of what package fmt shows of it.
func (b *Batch) Format(s fmt.State, verb rune) { formatted(s, verb, b.String()) }

// Len is how many operations the batch holds: 0 once it has been run.
func (b *Batch) Len() int {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.items)
}

// Exec sends the batch and waits for its results. The error joins those of the operations that
// failed; that a key does not exist is told by its future alone. A second call returns
// [ErrBatch] and sends nothing.
//
// When an operation of an [Scope.Atomic] batch cannot be sent, nothing is, and the futures of
// the others wrap [ErrUnsent]. When the server refuses the transaction they wrap [ErrAborted],
// when the connection is lost or the context ends on the way [ErrOutcomeUnknown]. A server that
// refuses MULTI alone, because the user has no right to it, has run each operation by itself: then
// the futures tell what came of each, and the error wraps [ErrUnsupported].
func (b *Batch) Exec(ctx context.Context) error {
	switch {
	case b == nil || b.tree == nil && b.err == nil:
		return errNoBatch
	case b.way == inWrites:
		return errTxWrites
	}
	items, ok := b.take()
	if !ok {
		return &Error{Op: "batch", Err: because(ErrBatch, "the batch was run already")}
	}
	if err := b.ready(ctx); err != nil {
		for i := range items {
			items[i].refuse(err)
		}
		return err
	}
	start := time.Now()
	var errs []error
	var whole error // of the transaction, not of an operation
	switch b.way {
	case atomically:
		errs, whole = b.transact(ctx, items)
		b.observe(ctx, items, start, errs)
		recycle(items)
	case inReads:
		errs, whole = b.tx.read(ctx, items)
	default:
		for part := range slices.Chunk(items, maxPipeline) {
			done := b.pipeline(ctx, part)
			b.observe(ctx, part, start, done)
			errs = append(errs, done...)
			clear(part) // what was sent is not needed while the rest is
		}
		recycle(items)
	}
	if whole != nil {
		return whole
	}
	return failures(errs)
}

// take ends the filling of the batch and gives its items, to the first who asks.
func (b *Batch) take() ([]item, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	items, ok := b.items, !b.ran
	b.items, b.slab, b.ran = nil, nil, true
	return items, ok
}

// spent tells whether the batch was run.
func (b *Batch) spent() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ran
}

// failures joins the errors of operations. That a key does not exist is none.
func failures(errs []error) error {
	var failed []error
	for _, err := range errs {
		if err != nil && !errors.Is(err, ErrNotFound) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func (b *Batch) ready(ctx context.Context) error {
	if b.err != nil {
		return b.err
	}
	if ctx == nil {
		return &Error{Op: "batch", Err: because(ErrArgument, "the context is nil")}
	}
	if err := ctx.Err(); err != nil {
		return &Error{Op: "batch", Err: err}
	}
	return nil
}

// observe tells the observers of every operation, each with the time until it was answered.
func (b *Batch) observe(ctx context.Context, items []item, start time.Time, errs []error) {
	if len(b.tree.options.observers) == 0 {
		return
	}
	for i := range items {
		it := &items[i]
		if op := it.op(); it.ref.m != nil && op != "" {
			var err error
			if errs != nil {
				err = errs[i]
			}
			it.ref.observe(ctx, op, start, err)
		}
	}
}

// pipeline sends the items and gives each one's error, or nil where none has one.
func (b *Batch) pipeline(ctx context.Context, items []item) (errs []error) {
	failed := func(i int, err error) {
		if err != nil && errs == nil {
			errs = make([]error, len(items))
		}
		if err != nil {
			errs[i] = err
		}
	}
	cmds := endLoads(items)
	before := len(cmds)
	for i := range items {
		switch it := &items[i]; {
		case it.unsent() != nil:
			it.refuse(it.unsent())
			failed(i, it.unsent())
		case it.skip:
			it.refuse(nil)
		default:
			cmds = append(cmds, it.cmd)
		}
	}
	if len(cmds) == before {
		return errs
	}
	fences := b.fences(items)
	if !b.tree.options.broadcast {
		cmds = append(cmds, fences...)
	}
	answers := b.tree.client.DoMulti(ctx, cmds...)[before:]
	if b.tree.options.broadcast && len(fences) > 0 {
		b.tree.client.DoMulti(ctx, fences...)
	}
	for i := range items {
		if it := &items[i]; it.unsent() == nil && !it.skip {
			answer, err := answers[0].ToMessage()
			failed(i, it.settle(ctx, answer, err))
			answers = answers[1:]
		}
	}
	return errs
}

// endLoads gives the commands that end the loads of the keys which the items write.
func endLoads(items []item) []rueidis.Completed {
	cmds := make([]rueidis.Completed, 0, len(items))
	for i := range items {
		it := &items[i]
		if !it.skip && it.more != nil && it.more.unsent == nil {
			cmds = append(cmds, it.more.before...)
		}
	}
	return cmds
}

// fences gives the commands that end a batch with writes to cached keys: one for a server, which
// is one for each key of a Redis Cluster.
func (b *Batch) fences(items []item) []rueidis.Completed {
	var cmds []rueidis.Completed
	single := b.tree.client.Mode() != rueidis.ClientModeCluster
	for i := range items {
		if it := &items[i]; it.fenced && it.unsent() == nil && !it.skip {
			if cmds = append(cmds, fence(it.ref)); single {
				break
			}
		}
	}
	return cmds
}
