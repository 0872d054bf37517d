package nest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/rueidis"
)

// maxCommands is the maximum number of commands that are sent together. From 2,000 on, rueidis
// sends a pipeline over a connection of its own, where a fence has no effect.
const maxCommands = 1990

// maxPipeline is the maximum number of operations that are sent together where each may have up to
// two commands before it and one after it.
const maxPipeline = maxCommands / 4

// Batch collects operations and sends them together: one round trip for each server, or for each
// 1,990 commands if there are more. A write of a cached key counts for two, and on a Redis Cluster
// for up to four. The In method of a reference puts it into a batch, where its
// operations have the same names and return futures:
//
//	b := root.Batch()
//	age := Age.At(root, 42).In(b).Get()
//	Name.At(root, 42).In(b).Set("Ali")
//	err := b.Exec(ctx)
//	v, err := age.Value()
//
// A batch runs once. Several goroutines may add operations to it.
type Batch struct {
	tree *tree
	at   *mounted // of the scope
	way  way
	err  error // of the scope

	mu     sync.Mutex
	ran    bool
	items  []item
	guards []guard
	slab   any // room for more operations of the last one's type
}

// way is how a batch is sent.
type way interface {
	// op returns the name under which the observers are told of the batch, or "" if they are not.
	op() string
	// refuses returns why a command cannot be in the batch, or nil.
	refuses(cmd rueidis.Completed) error
	// mayRun returns why [Batch.Exec] cannot run the batch, or nil.
	mayRun() error
	// exec sends the operations. It returns the error of each and, if the batch failed as a whole,
	// that error.
	exec(ctx context.Context, b *Batch, items []item) (errs []error, whole error)
}

// pipelined is the way of [Scope.Batch].
type pipelined struct{}

func (pipelined) op() string                      { return "batch" }
func (pipelined) refuses(rueidis.Completed) error { return nil }
func (pipelined) mayRun() error                   { return nil }

func (pipelined) exec(ctx context.Context, b *Batch, items []item) (errs []error, _ error) {
	for rest := items; len(rest) > 0; {
		part := rest[:fitting(rest)]
		rest = rest[len(part):]
		errs = append(errs, b.pipeline(ctx, part)...)
		clear(part) // what was sent is no longer needed while the rest is sent
	}
	recycle(items)
	return errs, nil
}

// fitting returns how many of the items can be sent together, which is at least one.
func fitting(items []item) int {
	commands := 0
	for i := range items {
		if commands += items[i].commands(); commands > maxCommands && i > 0 {
			return i
		}
	}
	return len(items)
}

// item is one operation of a batch.
type item struct {
	ref    address
	cmd    rueidis.Completed
	skip   bool    // there is nothing to send
	fenced bool    // it writes to a cached key
	more   *extras // nil for most
	pending
}

// extras is what only a few operations have in addition to their command.
type extras struct {
	unsent error               // why the operation cannot be sent
	before []rueidis.Completed // ends the loads of the keys that it writes
	movers []address           // of the keys, those that may stand under a former name
	uses   []use
	late   func(ctx context.Context, it *item) // builds the command
}

// unsent returns the reason why the operation cannot be sent, or nil.
func (i *item) unsent() error {
	if i.more == nil {
		return nil
	}
	return i.more.unsent
}

// commands returns how many commands the operation takes at most, with those that end loads before
// it and the fences after it.
func (i *item) commands() int {
	n := 1
	if i.fenced {
		n += max(len(i.uses()), 1)
	}
	if i.more != nil {
		n += len(i.more.before)
	}
	return n
}

// uses returns all keys of an operation that takes several.
func (i *item) uses() []use {
	if i.more == nil {
		return nil
	}
	return i.more.uses
}

// pending is an operation whose future waits for its result.
type pending interface {
	// op returns the name of the operation, or "" if its command was never built.
	op() string
	// conclude settles the future with the server's answer, and returns the operation's error.
	conclude(ctx context.Context, r address, answer rueidis.RedisMessage, err error) error
	// degraded reports whether the result was made without Redis.
	degraded() bool
	// refused reports whether the result is that of a limiter that does not allow what was asked.
	refused() bool
	// refuse settles the future with err, without anything having been sent for it.
	refuse(err error)
}

func (i *item) settle(ctx context.Context, answer rueidis.RedisMessage, err error) error {
	return i.conclude(ctx, i.ref, answer, err)
}

// Batch returns a new batch. Its operations are sent in order, and each has its own result and
// error. Commands of other clients may run between them.
func (s Scope) Batch() *Batch { return s.batch("batch", pipelined{}) }

// Atomic returns a new batch that runs as one transaction (MULTI, EXEC): no other client's command
// runs between its operations, and either all of them are applied or none. A command that fails
// when it is executed, for example on a key of another type, does not undo the others: Redis has no
// rollback.
//
// All keys must be in one slot, which a [HashTag] ensures; otherwise Exec returns [ErrCrossSlot]
// and sends nothing. This holds on a single server too, so that tests find the mistake, unless
// [SingleServer] says that slots do not matter.
func (s Scope) Atomic() *Batch { return s.batch("atomic", atomically{}) }

func (s Scope) batch(op string, w way) *Batch {
	b := &Batch{way: w, err: s.checkClient(op)}
	if s.at != nil {
		b.tree, b.at = s.at.tree, s.at
	}
	return b
}

// add adds an operation to a batch. It builds the command before it locks the batch, because an
// encoder may be slow, or use the batch itself.
func add[R any](b *Batch, r address, build func() command[R]) *Future[R] {
	c := built(b, r, build)
	if b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
	}
	f := room[Future[R]](b)
	fill(b, r, &c, f)
	return f
}

// addLate is like add, for an operation whose command can be built only with the context that is
// passed to Exec.
func addLate[R any](b *Batch, r address, build func(ctx context.Context) command[R]) *Future[R] {
	if b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
	}
	f := room[Future[R]](b)
	if it := enter(b, r, f); it != nil && it.more == nil {
		it.more = &extras{late: func(ctx context.Context, it *item) {
			it.more = nil
			c := build(ctx)
			prepare(b, it, &c, f)
		}}
	}
	return f
}

// late builds the commands that need the context.
func late(ctx context.Context, items []item) {
	for i := range items {
		if it := &items[i]; it.more != nil && it.more.late != nil {
			it.more.late(ctx, it)
		}
	}
}

// built builds a command, if the batch and the reference allow it.
func built[R any](b *Batch, r address, build func() command[R]) (c command[R]) {
	if b != nil && b.tree != nil && r.err == nil && r.m != nil && r.m.tree.client != nil {
		c = build()
	}
	return c
}

// addFound is like add, for an operation that may find nothing.
func addFound[T any](b *Batch, r address, build func() command[found[T]]) *FoundFuture[T] {
	c := built(b, r, build)
	if b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
	}
	f := room[FoundFuture[T]](b)
	fill(b, r, &c, &f.Future)
	return f
}

func fill[R any](b *Batch, r address, c *command[R], f *Future[R]) {
	if it := enter(b, r, f); it != nil && it.more == nil {
		prepare(b, it, c, f)
	}
}

// enter appends an operation to a batch. If the batch takes no operations, enter settles the future
// with the reason and returns nil. An operation that cannot be sent is appended too.
func enter(b *Batch, r address, f pending) *item {
	if b == nil || b.tree == nil && b.err == nil {
		f.refuse(errNoBatch)
		return nil
	}
	if b.ran {
		f.refuse(&Error{Op: "batch", Err: because(ErrBatch, "the batch was run already")})
		return nil
	}
	if b.items == nil {
		b.items = *itemPool.Get().(*[]item)
	}
	it := item{ref: r, pending: f}
	if err := b.admits(&r); err != nil {
		it.more = &extras{unsent: err}
	}
	b.items = append(b.items, it)
	return &b.items[len(b.items)-1]
}

// prepare fills in an item from a command.
func prepare[R any](b *Batch, it *item, c *command[R], f *Future[R]) {
	f.does, f.keyed, f.down, f.reads = c.op, c.keyed, c.down, c.reads()
	it.skip = c.skip
	it.take(b, c.op.name, c.err, c.shipment())
}

// take fills in an item from what its command sends.
func (i *item) take(b *Batch, op string, err error, c shipment) {
	r := i.ref
	i.fenced = c.writesCached(r)
	switch before := c.endLoads(r); {
	case err != nil:
		i.more = &extras{unsent: r.fail(op, err)}
	case c.unsent:
	default:
		if err := b.way.refuses(c.cmd); err != nil {
			i.more = &extras{unsent: r.fail(op, err)}
			return
		}
		i.cmd = b.tree.inFull(c.cmd)
		if before != nil || c.uses != nil {
			i.more = &extras{before: before, uses: c.uses}
		}
		if c.mayMove(r) {
			if mv, ok := c.moves(r); ok {
				i.move(mv)
			}
		}
	}
}

// admits returns an error if the reference cannot be in the batch.
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

// String returns how many operations the batch holds, and nothing about them.
func (b *Batch) String() string { return fmt.Sprintf("batch of %d operations", b.Len()) }

// Format prints what String returns, for every verb and flag, so that package fmt does not show the
// names of keys, which may hold sensitive parameters.
func (b *Batch) Format(s fmt.State, verb rune) { formatted(s, verb, b.String()) }

// Len returns the number of operations in the batch, which is 0 once it has run.
func (b *Batch) Len() int {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.items)
}

// Exec sends the batch and waits for its results. It returns the joined errors of the operations
// that failed; the text shows the first eight. A missing key is not among them: only the
// operation's future returns [ErrNotFound]. A second call returns [ErrBatch] and sends nothing.
//
// If an operation of a [Scope.Atomic] batch cannot be sent, nothing is sent, and the errors of the
// other futures wrap [ErrUnsent]. If the server refuses the transaction, the errors wrap
// [ErrAborted]. If the connection is lost or the context ends on the way, they wrap
// [ErrOutcomeUnknown]. A server that refuses only MULTI, because the user lacks permission for it,
// has run each operation by itself: then each future has the result of its operation, and the error
// of Exec wraps [ErrUnsupported].
//
// The operations of a [Scope.Batch] run in their order, but on a Redis Cluster one that was not
// executed, because its slot was moving or no node could serve it, is sent again and then runs
// after the others; so are the reads of the same slot that follow it. A write that may have been
// executed is never sent twice.
func (b *Batch) Exec(ctx context.Context) error {
	if b == nil || b.tree == nil && b.err == nil {
		return errNoBatch
	}
	if err := b.way.mayRun(); err != nil {
		return err
	}
	items, ok := b.take()
	if !ok {
		return &Error{Op: "batch", Err: because(ErrBatch, "the batch was run already")}
	}
	if b.err == nil {
		late(ctx, items)
	}
	if b.tree != nil && b.tree.observed() && b.way.op() != "" {
		return b.runObserved(ctx, items)
	}
	return b.run(ctx, items)
}

// run sends the items and waits for their results.
func (b *Batch) run(ctx context.Context, items []item) error {
	err := b.ready(ctx)
	if err == nil {
		err = reseatItems(ctx, items)
	}
	if err != nil {
		for i := range items {
			items[i].refuse(err)
		}
		return err
	}
	errs, whole := b.way.exec(ctx, b, items)
	if whole != nil {
		return whole
	}
	return failures(errs)
}

// take closes the batch to further operations and returns its items. Only the first call gets them.
func (b *Batch) take() ([]item, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	items, ok := b.items, !b.ran
	b.items, b.slab, b.ran = nil, nil, true
	return items, ok
}

// spent reports whether the batch has run.
func (b *Batch) spent() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ran
}

// failures joins the errors of operations, except those that wrap ErrNotFound.
func failures(errs []error) error {
	var failed []error
	for _, err := range errs {
		if err != nil && !errors.Is(err, ErrNotFound) {
			failed = append(failed, err)
		}
	}
	return allErrors(failed)
}

// allErrors joins errors like errors.Join, but bounds the length of the text.
func allErrors(errs []error) error {
	if len(errs) <= mostErrors {
		return errors.Join(errs...)
	}
	return &batchError{errs}
}

// mostErrors is the maximum number of joined errors whose text is shown.
const mostErrors = 8

// batchError joins errors and shows the text of only the first ones.
type batchError struct{ errs []error }

func (m *batchError) Error() string {
	var b strings.Builder
	for _, err := range m.errs[:mostErrors] {
		b.WriteString(err.Error())
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "and %d more errors", len(m.errs)-mostErrors)
	return b.String()
}

// Unwrap returns all of the errors.
func (m *batchError) Unwrap() []error { return m.errs }

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

// pipeline sends the items and returns the error of each, or nil if there are none.
func (b *Batch) pipeline(ctx context.Context, items []item) (errs []error) {
	failed := func(i int, err error) {
		if err != nil && errs == nil {
			errs = make([]error, len(items))
		}
		if err != nil {
			errs[i] = err
		}
	}
	cmds := endLoads(make([]rueidis.Completed, 0, len(items)), items)
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
	answers, lost := b.tree.doMulti(ctx, cmds, b.changed(items, false))
	b.doubt(items, lost)
	b.wrote(items)
	answers = answers[before:]
	for i := range items {
		if it := &items[i]; it.unsent() == nil && !it.skip {
			answer, err := answers[0].ToMessage()
			failed(i, it.settle(ctx, answer, err))
			answers = answers[1:]
		}
	}
	return errs
}

// endLoads appends the commands that end the loads of the keys that the items write.
func endLoads(cmds []rueidis.Completed, items []item) []rueidis.Completed {
	for i := range items {
		it := &items[i]
		if !it.skip && it.more != nil && it.more.unsent == nil {
			cmds = append(cmds, it.more.before...)
		}
	}
	return cmds
}

// doubt makes reads of all cached keys that a batch writes go to the server, if a fence was lost.
func (b *Batch) doubt(items []item, lost error) {
	if lost != nil {
		b.tree.strays.note(b.changed(items, true), []bool{false})
	}
}

// wrote notes that the items have been sent.
func (b *Batch) wrote(items []item) {
	b.tree.downs.Written()
	for i := range items {
		it := &items[i]
		if !it.fenced || it.unsent() != nil || it.skip {
			continue
		}
		if it.uses() == nil {
			it.ref.forget()
		}
		for _, u := range it.uses() {
			u.forget()
		}
	}
}

// changed returns cached keys that a batch writes: all of them if that is asked for and on a Redis
// Cluster, otherwise one, since a fence for one is enough for each server.
func (b *Batch) changed(items []item, all bool) []address {
	var changed []address
	single := !all && b.tree.client.Mode() != rueidis.ClientModeCluster
	for i := range items {
		if it := &items[i]; it.fenced && it.unsent() == nil && !it.skip {
			if changed = append(changed, cachedAmong(it.ref, it.uses())...); single {
				break
			}
		}
	}
	return changed
}
