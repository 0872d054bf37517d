package nest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// operation describes what can be done with a key. Direct calls, batches and observers all use the
// same description. It is a static value; what differs between calls is in a command.
type operation[R any] struct {
	name string // "get"
	// reply turns the server's answer into the result. A nil answer is passed on; errors of the
	// client or the server never get here.
	reply func(m *mounted, answer rueidis.RedisMessage) (R, error)
}

// replyFunc turns the server's answer into the result of one call.
type replyFunc[R any] = func(ctx context.Context, r address, answer rueidis.RedisMessage) (R, error)

// command is one operation on one key, ready to be sent.
type command[R any] struct {
	op  *operation[R]
	cmd rueidis.Completed
	err error // why the operation cannot be sent
	// keyed, if it is set, reads the answer instead of the operation's reply. It is for results
	// that depend on the key's name or on the caller's arguments.
	keyed replyFunc[R]
	// down, if it is set, makes the result while Redis is away, see [WhenDown].
	down func() (R, error)
	// uses lists all keys of a command that takes several.
	uses []use
	// cacheable reports whether the client's cache can serve the answer if the key is declared so:
	// it depends only on what the key holds.
	cacheable bool
	// reading is what reads returned before the command was sent.
	reading bool
	// fixed reports whether the words of a cacheable command are the same for every call.
	fixed bool
	// skip reports that there is nothing to send: the result is the zero R.
	skip bool
}

func refuse[R any](op *operation[R], err error) command[R] { return command[R]{op: op, err: err} }

// skip returns the command of an operation that was given nothing to do.
func skip[R any](op *operation[R]) command[R] { return command[R]{op: op, skip: true} }

// call runs the command that build makes, if the reference can be used. Nearly every call goes
// straight to the client and returns a result; the decisions here cost two branches. A value that
// the client's cache has takes the shortest way: there is no error of the server to look at.
func call[R any](ctx context.Context, r address, build func() command[R]) (R, error) {
	if r.err != nil || r.m == nil || !r.m.direct || ctx == nil {
		return callWatched(ctx, r, build)
	}
	c := build()
	if c.err != nil || c.skip || c.uses != nil || c.down != nil || !c.cacheable && (r.m.settings.cached > 0 || r.m.loads.Load()) {
		return send(ctx, r, c)
	}
	if c.cacheable && r.servedAsIs(&c.cmd) {
		v, _, err := deliverAsIs(ctx, r, &c)
		return v, err
	}
	c.reading = c.reads()
	answer, err := r.fetchAnswer(ctx, c.cmd, c.fixed, c.cacheable)
	return finish(ctx, r, &c, &answer, err)
}

// callWatched is like call, for the other references: one that cannot be used, a key with former
// names, a tree that has observers.
func callWatched[R any](ctx context.Context, r address, build func() command[R]) (R, error) {
	if err := r.callable(ctx, func() string { return build().op.name }); err != nil {
		var zero R
		return zero, err
	}
	c := build()
	return runBuilt(ctx, r, &c)
}

// callable returns an error if an operation cannot be called, and notifies the observers of it. op
// returns the operation's name. If the reference is not even to a key of its kind, the event has
// the name of what failed instead.
func (r address) callable(ctx context.Context, op func() string) error {
	err := r.usable()
	if err == nil && ctx != nil {
		return nil
	}
	if err == nil {
		err = r.ready(ctx, op())
	}
	if r.m != nil && r.m.tree.observed() {
		name := failedOp(err)
		if r.m.bound != nil && !r.m.def.isCluster() && r.m.tree.client != nil {
			name = op()
		}
		r.observe(ctx, name, time.Now(), err)
	}
	return err
}

// failedOp returns the name of the operation that err is about.
func failedOp(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Op
	}
	return "batch"
}

// run sends a command and returns its result.
func run[R any](ctx context.Context, r address, c command[R]) (R, error) {
	return runBuilt(ctx, r, &c)
}

// runBuilt is run for a command that is not copied once more.
func runBuilt[R any](ctx context.Context, r address, c *command[R]) (R, error) {
	if r.m.tree.observed() {
		return runObserved(ctx, r, c)
	}
	v, _, err := deliver(ctx, r, c)
	return v, err
}

func runObserved[R any](ctx context.Context, r address, c *command[R]) (R, error) {
	ctx, o := r.beginCommand(ctx, c.op.name, &c.cmd)
	defer o.end()
	v, from, err := deliver(ctx, r, c)
	o.ended(from, err)
	o.event.Refused = isRefusal(v)
	return v, err
}

func send[R any](ctx context.Context, r address, c command[R]) (R, error) {
	v, _, err := deliver(ctx, r, &c)
	return v, err
}

// provenance is where a result comes from.
type provenance uint8

const (
	fromRedis    provenance = iota // or from a loader, under the lock
	fromMemory                     // the client's
	withoutRedis                   // made without Redis, which is away
)

// deliver sends a command and returns its result, and where that comes from.
func deliver[R any](ctx context.Context, r address, c *command[R]) (v R, from provenance, err error) {
	if c.err != nil || c.skip {
		return v, fromRedis, r.unsent(c.op.name, c.err)
	}
	if c.down != nil {
		return deliverOrDown(ctx, r, c)
	}
	if c.cacheable && c.uses == nil && r.m.formers == nil && r.servedAsIs(&c.cmd) {
		c.reading = true
		return deliverAsIs(ctx, r, c)
	}
	c.reading = c.reads()
	answer, from, err := answerTo(ctx, r, c.shipment())
	v, err = finish(ctx, r, c, &answer, err)
	return v, from, err
}

// deliverAsIs is deliver for a command of which [address.servedAsIs] is true.
func deliverAsIs[R any](ctx context.Context, r address, c *command[R]) (v R, from provenance, err error) {
	answer, err := r.m.tree.client.DoCache(ctx, rueidis.Cacheable(c.cmd), r.m.settings.cached).ToMessage()
	if err == nil && c.keyed == nil && answer.IsCacheHit() {
		if v, err = c.op.reply(r.m, answer); err != nil {
			err = r.explain(ctx, r.fail(c.op.name, err))
		}
		return v, fromMemory, err
	}
	r.m.tree.doubtTracking(ctx, &answer, err)
	if answer.IsCacheHit() {
		from = fromMemory
	}
	v, err = finish(ctx, r, c, &answer, err)
	return v, from, err
}

// finish turns the answer to a command that was sent alone into the operation's result.
func finish[R any](ctx context.Context, r address, c *command[R], answer *rueidis.RedisMessage, err error) (R, error) {
	v, err := settle(ctx, r, c.op, c.keyed, c.reading || c.cacheable, answer, err)
	if err != nil {
		err = r.explain(ctx, err)
	}
	return v, err
}

// shipment is what a command is without its result type. The functions on the way to the server
// take it, so that a program has them once and not for each type.
type shipment struct {
	cmd              rueidis.Completed
	uses             []use
	cacheable, fixed bool
	unsent           bool
}

func (c *command[R]) shipment() shipment {
	return shipment{c.cmd, c.uses, c.cacheable, c.fixed, c.err != nil || c.skip}
}

// answerTo is exchange, and also returns where the answer comes from.
func answerTo(ctx context.Context, r address, c shipment) (answer rueidis.RedisMessage, from provenance, err error) {
	if answer, err = exchange(ctx, r, c); answer.IsCacheHit() {
		from = fromMemory
	}
	return answer, from, err
}

// exchange sends a command and returns the answer of the server or of the cache.
func exchange(ctx context.Context, r address, c shipment) (rueidis.RedisMessage, error) {
	if c.mayMove(r) {
		if move := theMover.Load(); move != nil {
			if answer, done, err := (*move)(ctx, r, c); done {
				return answer, err
			}
		}
	}
	if c.cacheable || r.m.settings.cached == 0 && c.uses == nil && !r.m.loads.Load() {
		return r.fetchAnswer(ctx, c.cmd, c.fixed, c.cacheable)
	}
	var changed []address
	if c.writesCached(r) {
		changed = cachedAmong(r, c.uses)
	}
	return r.sendWrite(ctx, c.endLoads(r), c.cmd, changed)
}

// fetchAnswer returns the answer to a command that changes nothing in the client's memory: from
// there, if the command is cacheable and the key is declared so, or from the server.
func (r address) fetchAnswer(ctx context.Context, cmd rueidis.Completed, fixed, cacheable bool) (answer rueidis.RedisMessage, err error) {
	cached := r.m.settings.cached
	if cached == 0 || !cacheable {
		return r.m.tree.do(ctx, cmd)
	}
	if r.m.tree.strays.any() {
		if m, ok := r.m.tree.strays.find(r.key); ok {
			return r.readStray(ctx, m, cmd)
		}
	}
	if r.m.settings.local > 0 && r.m.tree.untracked.Load() {
		return r.readRemembered(ctx, cmd)
	}
	form, ok := r.cacheForm(cmd, fixed)
	if !ok {
		return r.m.tree.do(ctx, cmd)
	}
	answer, err = r.m.tree.client.DoCache(ctx, form, cached).ToMessage()
	r.m.tree.doubtTracking(ctx, &answer, err)
	return answer, err
}

// servedAsIs reports whether a cacheable command goes to the client's cache in the form that it
// has: what [address.fetchAnswer] otherwise looks at does not matter to it.
func (r address) servedAsIs(cmd *rueidis.Completed) bool {
	return r.m.settings.cached > 0 && r.m.settings.local == 0 && len(cmd.Commands()) == 2 && !r.m.tree.strays.any()
}

// reads reports whether the command changes nothing, but for a TTL that is renewed. It cannot be
// asked once the command was sent: the client then uses its memory for another one.
func (c *command[R]) reads() bool { return c.cacheable || !c.cmd.IsEmpty() && c.cmd.IsReadOnly() }

// settle turns the answer to an operation's command into its result. keyed, if it is set, takes the
// place of the operation's reply. reading reports whether the command changed nothing.
func settle[R any](ctx context.Context, r address, op *operation[R], keyed replyFunc[R], reading bool, answer *rueidis.RedisMessage, err error) (v R, _ error) {
	if err != nil && !rueidis.IsRedisNil(err) {
		return v, r.refused(op.name, err, !reading)
	}
	if keyed != nil {
		v, err = keyed(ctx, r, *answer)
	} else {
		v, err = op.reply(r.m, *answer)
	}
	if err != nil {
		return v, r.fail(op.name, err)
	}
	return v, nil
}

// refused returns the error of an operation that the server or the client answered with err.
func (r address) refused(op string, err error, writes bool) error {
	told := away(serverError(err), writes)
	if errors.Is(told, ErrDecode) && (op == opDo.name || r.m.def.kind == KindCustom) {
		told = err // some words of the command are not integers
	}
	return r.fail(op, told)
}

// unsent returns the error of a command that is not sent: because of err or, if that is nil, since
// there is nothing to do.
func (r address) unsent(op string, err error) error {
	if err == nil {
		return nil
	}
	return r.fail(op, err)
}

// fail returns the error of an operation.
func (r address) fail(op string, err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e // of another reference that was passed to the operation
	}
	shown := r.m.name.Redact(r.key)
	if text := err.Error(); shown != r.key && strings.Contains(text, r.key) {
		err = &masked{strings.ReplaceAll(text, r.key, shown), err}
	}
	return &Error{Op: op, Template: r.m.name.Text, Key: shown, Err: err}
}

func (m *masked) Error() string { return m.text }
func (m *masked) Unwrap() error { return m.err }

// Format prints what Error returns, for every verb and flag.
func (m *masked) Format(s fmt.State, verb rune) { formatted(s, verb, m.text) }

// explain completes the error of an operation. If the key has another type than the declared one,
// it asks the server for the actual type.
//
//nest:ttl keeps
func (r address) explain(ctx context.Context, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || !errors.Is(err, ErrWrongType) {
		return err
	}
	holds, typeErr := r.m.tree.client.Do(ctx, r.b().Type().Key(r.key).Build()).ToString()
	if typeErr != nil {
		return err
	}
	told := *e
	told.Err = because(ErrWrongType, "holds "+typeNoun(holds))
	return &told
}

// typeNoun describes the type that the TYPE command answered. It does not repeat an answer that is
// not a type.
func typeNoun(t string) string {
	switch t {
	case "string", "list", "set", "hash", "stream":
		return names.Article(t)
	case "zset":
		return "a sorted set"
	case "none":
		return "nothing any more"
	case "":
		return "something else"
	}
	return "the type of a module"
}

// watched runs an operation that takes several commands, and reports it to the observers once.
func watched[R any](ctx context.Context, r address, op string, do func(context.Context) (R, error)) (R, error) {
	if r.m == nil || !r.m.tree.observed() {
		return do(ctx)
	}
	ctx, o := r.begin(ctx, Event{Op: op})
	defer o.end()
	v, err := do(ctx)
	o.event.Err = err
	return v, err
}

var opDo = operation[rueidis.RedisMessage]{"do", replyMessage}
