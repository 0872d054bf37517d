package nest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/redis/rueidis"
)

// Tx is one try of a transaction, see [Transact]. It ends when the function that it was passed to
// returns. It is safe for concurrent use.
type Tx struct {
	scope  Scope
	writes *Batch

	observation *observation // of the transaction, if there are observers

	mu      sync.Mutex
	line    *line
	slot    int                 // of all keys, or -1
	watched map[string]struct{} // keys that may not change
	renew   map[string]address  // keys that were read and whose TTL every read restarts
	reads   *Batch              // the next one to run
	count   int                 // how many operations were read
	over    bool
	// unproven says that only an EXEC can show whether everything that was read is of one state.
	unproven bool
	// broken is why this try failed. again says whether another try may succeed.
	broken error
	again  bool
}

// String says which scope the transaction belongs to, and nothing about its keys.
func (tx *Tx) String() string {
	if tx == nil {
		return ""
	}
	return "transaction of " + tx.scope.String()
}

// Format prints what String returns, for every verb and flag.
func (tx *Tx) Format(s fmt.State, verb rune) { formatted(s, verb, tx.String()) }

// txReads is the way of [Tx.Reads]: over the connection of the transaction.
type txReads struct{ tx *Tx }

func (txReads) refuses(cmd rueidis.Completed) error {
	if cmd.IsReadOnly() {
		return nil
	}
	return errNoRead
}

func (txReads) op() string    { return "" } // the transaction is told of as a whole
func (txReads) mayRun() error { return nil }

func (w txReads) exec(ctx context.Context, _ *Batch, items []item) ([]error, error) {
	if w.tx.observation != nil { // ctx is the caller's own
		ctx = context.WithValue(ctx, observationKey{}, w.tx.observation)
	}
	return w.tx.read(ctx, items)
}

// txWrites is the way of [Tx.Writes], which [Transact] sends with the end of the transaction.
type txWrites struct{}

func (txWrites) op() string                      { return "" }
func (txWrites) refuses(rueidis.Completed) error { return nil }
func (txWrites) mayRun() error                   { return errTxWrites }

func (txWrites) exec(context.Context, *Batch, []item) ([]error, error) {
	return nil, errTxWrites
}

func newTx(s Scope, l *line, slot int) *Tx {
	tx := &Tx{scope: s, line: l, slot: slot, watched: make(map[string]struct{})}
	tx.writes = s.batch(opTransact, txWrites{})
	return tx
}

// Reads returns a batch whose Exec reads over the transaction's connection, and watches the keys
// that it reads from then on. Reads returns the same batch until that is run, then a new one. The
// batch takes operations that Redis counts as reads. Anything else, [Ref.Do] included, is refused
// with [ErrBatch], and then nothing is sent. A TTL that [AutoRenew] restarts on a read is restarted
// at the end of the transaction. Reads of keys that are declared [Cached] go to the server.
//
// Exec returns [ErrConflict] when something that was read before has changed. The function should
// return that error. Transact runs the function again whatever it returns.
func (tx *Tx) Reads() *Batch {
	if tx == nil {
		return nil
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.reads == nil || tx.reads.spent() {
		tx.reads = tx.scope.batch(opTransact, txReads{tx})
	}
	return tx.reads
}

// Writes returns the batch that is applied when the function has returned nil. Each call returns
// the same one. Do not run it: its futures have their results when [Transact] has returned. It
// takes operations of all kinds; a read among them returns what is there after the writes before
// it.
func (tx *Tx) Writes() *Batch {
	if tx == nil {
		return nil
	}
	return tx.writes
}

var (
	errNoRead   = because(ErrBatch, "it is no read: what a transaction writes goes into its Writes")
	errTxWrites = &Error{Op: opTransact, Err: because(ErrBatch, "a transaction's Writes are applied when its function returns nil")}
	errTxOver   = &Error{Op: opTransact, Err: because(ErrBatch, "the transaction is over")}
)

// run performs the try. It reports whether there should be another one, and returns the result of
// this one.
func (tx *Tx) run(ctx context.Context, do func(*Tx) error, refs []string) (again bool, err error) {
	ended := false
	defer func() {
		if !ended { // do panicked, or ended its goroutine
			tx.end()
			tx.line.drop()
			tx.discard(errTxOver)
		}
	}()
	if len(refs) > 0 {
		tx.watch(ctx, refs)
	}
	if tx.broken == nil {
		err = do(tx)
	}
	ended = true
	tx.end()
	return tx.finish(ctx, err)
}

// end keeps anything more from being read. It waits for a read that is in progress.
func (tx *Tx) end() {
	tx.mu.Lock()
	tx.over = true
	tx.mu.Unlock()
}

// watch begins the transaction with keys that are to be watched without being read.
func (tx *Tx) watch(ctx context.Context, keys []string) {
	if err := tx.open(ctx); err != nil {
		tx.fail(ctx, err)
		return
	}
	tx.unproven = true
	if err := tx.line.send(ctx, tx.watching(keys))[0].Error(); err != nil {
		tx.fail(ctx, err)
	}
}

// open takes the connection, unless nothing is to be sent to its server. A server that is away
// would keep the call waiting for one, and the client's guard is asked only when there is one.
func (tx *Tx) open(ctx context.Context) error {
	if tx.line.conn == nil {
		if err := tx.line.tree.heldBack(tx.slot); err != nil {
			return err
		}
	}
	return tx.line.open(ctx)
}

func (tx *Tx) watching(keys []string) rueidis.Completed {
	for _, k := range keys {
		tx.watched[k] = struct{}{}
	}
	return tx.line.conn.B().Watch().Key(keys...).Build()
}

// fail notes that the try has failed because of err, which a command returned.
func (tx *Tx) fail(ctx context.Context, err error) {
	tx.again = elsewhere(err)
	if tx.broken = err; unanswered(err) {
		tx.broken = ended(ctx, err)
		tx.again = ctx.Err() == nil && !errors.Is(err, rueidis.ErrClosing) && whyUnexecuted(err) != heldBack
	}
	tx.line.drop()
}

// read runs a batch of Reads.
func (tx *Tx) read(ctx context.Context, items []item) ([]error, error) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	slot := tx.slot
	switch bad := tx.writes.unsendable(items, &slot); {
	case tx.over:
		return declineAll(items, errTxOver), errTxOver
	case bad != nil:
		return declineAll(items, &declined{ErrUnsent, bareReason(bad)}), bad
	case tx.broken != nil:
		return tx.declined(items)
	}
	tx.slot = slot
	if err := tx.open(ctx); err != nil {
		tx.fail(ctx, err)
		return tx.declined(items)
	}
	cmds, begin := tx.reading(items)
	if len(cmds) == 0 {
		return make([]error, len(items)), nil
	}
	return tx.settle(ctx, items, tx.line.send(ctx, cmds...), begin)
}

// reading returns the commands of a batch of Reads: first the WATCH of the keys that are new, then,
// from index begin on, those of the items. Unless the transaction has read only one thing, an
// EXISTS of all watched keys follows, and then a CLIENT INFO, which shows whether any of them has
// changed.
func (tx *Tx) reading(items []item) (cmds []rueidis.Completed, begin int) {
	var fresh []string
	for i := range items {
		it := &items[i]
		if it.skip {
			it.refuse(nil)
			continue
		}
		cmds = append(cmds, it.cmd)
		for key := range it.watches {
			if _, ok := tx.watched[key]; !ok {
				tx.watched[key] = struct{}{}
				fresh = append(fresh, key)
			}
		}
		tx.renewing(it.ref)
		for _, u := range it.uses() {
			tx.renewing(u.address)
		}
	}
	if len(cmds) == 0 {
		return nil, 0
	}
	tx.count += len(cmds)
	if len(fresh) > 0 {
		cmds, begin = append([]rueidis.Completed{tx.watching(fresh)}, cmds...), 1
	}
	if tx.count > 1 {
		// An expired key does not count as changed until a command looks it up.
		b, watched := tx.line.conn.B(), slices.Collect(maps.Keys(tx.watched))
		cmds = append(cmds, b.Exists().Key(watched...).Build(), b.Arbitrary("CLIENT", "INFO").Build())
	}
	return cmds, begin
}

// settle hands the answers to a batch of Reads.
func (tx *Tx) settle(ctx context.Context, items []item, answers []rueidis.RedisResult, begin int) ([]error, error) {
	for _, a := range answers {
		if err := a.Error(); unanswered(err) || elsewhere(err) {
			tx.fail(ctx, err)
			return tx.declined(items)
		}
	}
	if begin > 0 && answers[0].Error() != nil {
		tx.fail(ctx, answers[0].Error())
		return tx.declined(items)
	}
	answers = answers[begin:]
	for _, a := range answers {
		if standsUnderFormer(a.Error()) {
			// Another program has moved a sealed value back. The next try moves it first.
			tx.broken, tx.again = tx.scope.fail(opTransact, ErrConflict), true
			return tx.declined(items)
		}
	}
	if tx.count > 1 {
		switch changed, known := changedSince(answers[len(answers)-1]); {
		case changed:
			tx.broken, tx.again = tx.scope.fail(opTransact, ErrConflict), true
			return tx.declined(items)
		case !known:
			tx.unproven = true
		}
	}
	errs := make([]error, len(items))
	for i := range items {
		it := &items[i]
		if !it.skip {
			answer, err := answers[0].ToMessage()
			errs[i] = it.settle(ctx, answer, err)
			answers = answers[1:]
		}
	}
	return errs, nil
}

// declined hands the items the reason why the try failed.
func (tx *Tx) declined(items []item) ([]error, error) {
	for i := range items {
		it := &items[i]
		if it.skip {
			it.refuse(nil)
		}
	}
	whole := tx.failed()
	return declineAll(items, bareReason(whole)), whole
}

// failed returns the error of a try that failed.
func (tx *Tx) failed() error {
	if e, ok := errors.AsType[*Error](tx.broken); ok {
		return e
	}
	err := tx.broken
	if elsewhere(err) {
		err = &declined{errors.New("the server cannot serve these keys now"), err}
	}
	return tx.scope.fail(opTransact, err)
}

// changedSince reports, from CLIENT INFO, whether a key has changed since this connection began to
// watch it: "d" among the flags (CLIENT LIST, "EXEC will fail"). known is false if the server does
// not know the command or does not allow it.
func changedSince(answer rueidis.RedisResult) (changed, known bool) {
	info, err := answer.ToString()
	_, rest, ok := strings.Cut(info, " flags=")
	if err != nil || !ok {
		return false, false
	}
	flags, _, _ := strings.Cut(rest, " ")
	return strings.Contains(flags, "d"), true
}

// renewing notes a key that was read and whose TTL every read restarts.
func (tx *Tx) renewing(r address) {
	if r.m.renewed == nil {
		return
	}
	if tx.renew == nil {
		tx.renew = make(map[string]address)
	}
	tx.renew[r.key] = address{m: r.m.renewed, key: r.key}
}

// finish ends the try after do has returned the error failed, which may be nil.
func (tx *Tx) finish(ctx context.Context, failed error) (again bool, err error) {
	watching := len(tx.watched) > 0
	items, _ := tx.writes.take()
	switch {
	case tx.broken != nil:
		declineAll(items, bareReason(tx.failed()))
		if tx.line.conn != nil {
			tx.unwatch(ctx)
		}
		if !tx.again && failed != nil {
			return false, failed
		}
		return tx.again, tx.failed()
	case failed != nil:
		declineAll(items, &declined{ErrUnsent, errors.New("the transaction's function returned an error")})
		items = nil
	case tx.writes.err != nil: // it was to be guarded
		declineAll(items, &declined{ErrUnsent, bareReason(tx.writes.err)})
		tx.line.giveBack(watching)
		return false, tx.writes.err
	}
	late(ctx, items)
	if !watching && failed == nil && len(items) > 0 {
		tx.line.giveBack(false) // the connection of an earlier try
		errs, whole := tx.writes.transact(ctx, items)
		if whole == nil {
			whole = failures(errs)
		}
		return false, whole
	}
	if len(items) == 0 && len(tx.renew) == 0 && !tx.unproven || !watching {
		tx.line.giveBack(watching)
		return false, failed
	}
	if bad := tx.writes.unsendable(items, &tx.slot); bad != nil {
		declineAll(items, &declined{ErrUnsent, bareReason(bad)})
		tx.line.giveBack(watching)
		return false, bad
	}
	if err := ctx.Err(); err != nil {
		declineAll(items, err)
		tx.line.giveBack(watching)
		return false, tx.scope.fail(opTransact, err)
	}
	return tx.commit(ctx, items, failed)
}

// commit applies the items if nothing watched has changed.
func (tx *Tx) commit(ctx context.Context, items []item, failed error) (again bool, err error) {
	m := newMulti(tx.scope.at.tree.client, items, tx.renewals()...)
	answers := tx.line.conn.DoMulti(ctx, m.cmds...)
	exec := answers[len(answers)-1].Error()
	switch {
	case rueidis.IsRedisNil(exec):
		declineAll(items, ErrConflict)
		return true, tx.scope.fail(opTransact, ErrConflict)
	case unanswered(exec) && len(m.sent) == 0 && len(tx.renew) == 0:
		// There was nothing to apply.
		tx.fail(ctx, exec)
		return tx.again, tx.failed()
	case exec != nil:
		if at := misdirected(answers); at != nil && !unanswered(exec) {
			tx.fail(ctx, at)
			declineAll(items, bareReason(tx.failed()))
			return tx.again, tx.failed()
		}
		tx.line.drop()
	}
	whole := m.settle(ctx, answers)
	tx.writes.awaitFences(ctx, items)
	tx.line.giveBack(false)
	switch {
	case failed != nil:
		return false, failed
	case errors.Is(whole, ErrOutcomeUnknown):
		return false, tx.scope.fail(opTransact, bareReason(whole))
	case whole != nil:
		return false, whole
	}
	return false, failures(m.errs)
}

// renewals returns the commands that restart the TTLs which the reads did not restart.
func (tx *Tx) renewals() []rueidis.Completed {
	cmds := make([]rueidis.Completed, 0, len(tx.renew))
	for key, r := range tx.renew {
		cmds = append(cmds, r.b().Pexpire().Key(key).Milliseconds(r.m.ttl()).Build())
	}
	return cmds
}

// unwatch makes the connection ready for another try.
func (tx *Tx) unwatch(ctx context.Context) {
	if tx.line.conn.Do(ctx, tx.line.conn.B().Unwatch().Build()).Error() != nil {
		tx.line.drop()
	}
}

// discard hands the futures of the writes a reason why there is no result.
func (tx *Tx) discard(reason error) {
	items, _ := tx.writes.take()
	declineAll(items, reason)
}

// takes returns the reference as it is used in the batch. In a transaction's Reads, reading does
// not renew the TTL, because that would change the key that the transaction watches.
func (b *Batch) takes(r address) address {
	if b == nil || r.m == nil {
		return r
	}
	if _, reading := b.way.(txReads); !reading {
		return r
	}
	return r.plain()
}
