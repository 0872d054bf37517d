package nest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// operation is what can be done with a key, told once: direct calls, batches and observers all
// run it. It is a static value; what differs from call to call stands in a command.
type operation[R any] struct {
	name string // "get"
	// reply turns the server's answer into the result. A nil answer is handed on as such;
	// errors of the client or the server never get here.
	reply func(m *mounted, answer rueidis.RedisMessage) (R, error)
}

// command is one operation on one key, ready to be sent.
type command[R any] struct {
	op  *operation[R]
	cmd rueidis.Completed
	err error // the operation cannot be sent
	// keyed, if there is one, reads the answer in place of the operation's reply: where the
	// result depends on the key's name or on what the caller gave.
	keyed func(ctx context.Context, r address, answer rueidis.RedisMessage) (R, error)
	// uses are all keys of a command that takes several.
	uses []use
	// cacheable tells that the answer can be served from the client's cache, where the key
	// is declared so: it depends on nothing but what the key holds.
	cacheable bool
	// fixed tells that the words of a cacheable command are the same for every call.
	fixed bool
	// skip tells that there is nothing to send: the result is the zero R.
	skip bool
}

func refuse[R any](op *operation[R], err error) command[R] { return command[R]{op: op, err: err} }

// skip makes the command of an operation that was given nothing to do.
func skip[R any](op *operation[R]) command[R] { return command[R]{op: op, skip: true} }

// call runs the command that build makes, if the reference can be used. Nearly every call goes
// straight to the client and comes back with a result; what is decided here costs two branches.
func call[R any](ctx context.Context, r address, build func() command[R]) (R, error) {
	if r.err != nil || r.m == nil || !r.m.direct || ctx == nil {
		return callWatched(ctx, r, build)
	}
	c := build()
	if c.err != nil || c.skip || c.uses != nil || r.m.loads.Load() && !c.cacheable {
		return send(ctx, r, c)
	}
	answer, err := r.m.tree.do(ctx, c.cmd)
	return finish(ctx, r, &c, &answer, err)
}

// callWatched is call for every reference: one that cannot be used, a key that is cached, a tree
// that has observers.
func callWatched[R any](ctx context.Context, r address, build func() command[R]) (R, error) {
	err := r.usable()
	if err == nil && ctx != nil {
		return run(ctx, r, build())
	}
	if err == nil {
		err = r.ready(ctx, build().op.name)
	}
	var zero R
	return zero, err
}

// run sends a command and gives its result.
func run[R any](ctx context.Context, r address, c command[R]) (R, error) {
	if len(r.m.tree.options.observers) > 0 {
		return runObserved(ctx, r, c)
	}
	return send(ctx, r, c)
}

func runObserved[R any](ctx context.Context, r address, c command[R]) (R, error) {
	start := time.Now()
	v, hit, err := deliver(ctx, r, c)
	r.tell(ctx, Event{Op: c.op.name, Start: start, CacheHit: hit, Err: err})
	return v, err
}

func (r address) observe(ctx context.Context, op string, start time.Time, err error) {
	r.tell(ctx, Event{Op: op, Start: start, Err: err})
}

// tell completes an event and hands it to the observers.
func (r address) tell(ctx context.Context, e Event) {
	e.Template, e.Key, e.Duration = r.m.template, r.m.redact(r.key), time.Since(e.Start)
	for _, o := range r.m.tree.options.observers {
		o.Observe(ctx, e)
	}
}

func send[R any](ctx context.Context, r address, c command[R]) (R, error) {
	v, _, err := deliver(ctx, r, c)
	return v, err
}

// deliver sends a command and gives its result, and whether the client's cache gave it.
func deliver[R any](ctx context.Context, r address, c command[R]) (v R, hit bool, err error) {
	if c.err != nil || c.skip {
		v, err = unsent(r, c)
		return v, false, err
	}
	answer, err := exchange(ctx, r, &c)
	hit = answer.IsCacheHit()
	v, err = finish(ctx, r, &c, &answer, err)
	return v, hit, err
}

// finish turns what came back for a command that was sent alone into the operation's result.
func finish[R any](ctx context.Context, r address, c *command[R], answer *rueidis.RedisMessage, err error) (R, error) {
	v, err := settle(ctx, r, c, answer, err)
	if err != nil {
		err = r.explain(ctx, err)
	}
	return v, err
}

// exchange sends a command and gives the server's answer, or the cache's.
func exchange[R any](ctx context.Context, r address, c *command[R]) (rueidis.RedisMessage, error) {
	cached := r.m.settings.cached
	if c.cacheable {
		if cached > 0 {
			if cmd, ok := r.cacheForm(c.cmd, c.fixed); ok {
				return r.m.tree.client.DoCache(ctx, cmd, cached).ToMessage()
			}
		}
		return r.m.tree.do(ctx, c.cmd)
	}
	if cached == 0 && c.uses == nil && !r.m.loads.Load() {
		return r.m.tree.do(ctx, c.cmd)
	}
	return r.sendWrite(ctx, c.endLoads(r), c.cmd, c.writesCached(r))
}

// settle turns what came back for a command into the operation's result.
func settle[R any](ctx context.Context, r address, c *command[R], answer *rueidis.RedisMessage, err error) (v R, _ error) {
	if err != nil && !rueidis.IsRedisNil(err) {
		told := serverError(err)
		if c.op.name == opDo.name && errors.Is(told, ErrDecode) {
			told = err // which says of some words of the command that they are no integer
		}
		return v, r.fail(c.op.name, told)
	}
	if c.keyed != nil {
		v, err = c.keyed(ctx, r, *answer)
	} else {
		v, err = c.op.reply(r.m, *answer)
	}
	if err != nil {
		return v, r.fail(c.op.name, err)
	}
	return v, nil
}

// unsent gives the result of a command that is not sent.
func unsent[R any](r address, c command[R]) (zero R, err error) { //nolint:unparam // the result of operations
	if c.err != nil {
		return zero, r.fail(c.op.name, c.err)
	}
	return zero, nil
}

// fail makes the error of an operation.
func (r address) fail(op string, err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e // of another reference, which the operation was given
	}
	shown := r.m.redact(r.key)
	if text := err.Error(); shown != r.key && strings.Contains(text, r.key) {
		err = &masked{strings.ReplaceAll(text, r.key, shown), err}
	}
	return &Error{Op: op, Template: r.m.template, Key: shown, Err: err}
}

// masked is an error of the server that repeats a key with what is sensitive in it.
type masked struct {
	text string
	err  error
}

func (m *masked) Error() string { return m.text }
func (m *masked) Unwrap() error { return m.err }

// Format prints what Error gives, whatever the verb and the flags.
func (m *masked) Format(s fmt.State, verb rune) { formatted(s, verb, m.text) }

// explain completes the error of an operation: of a key of another type than the declared one
// it asks the server what it really holds.
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

// typeNoun names what the TYPE command answered, without repeating what is no answer to it.
func typeNoun(t string) string {
	switch t {
	case "string", "list", "set", "hash", "stream":
		return article(t)
	case "zset":
		return "a sorted set"
	case "none":
		return "nothing any more"
	case "":
		return "something else"
	}
	return "the type of a module"
}

// serverError gives the sentinel for an answer of the server that has one. Other answers are
// wrapped, without the arguments that some of them repeat. What a script's command answers is
// worded around it in several ways: older servers and the embedded one put words before it.
func serverError(err error) error {
	answer, ok := rueidis.IsRedisErr(err)
	if !ok {
		return err
	}
	text := strings.TrimPrefix(answer.Error(), "ERR ")
	lower := strings.ToLower(text)
	switch {
	case strings.Contains(text, "WRONGTYPE "):
		return ErrWrongType
	case strings.HasPrefix(text, "BUSYKEY"):
		return ErrExists
	case strings.Contains(text, "NOGROUP "), strings.Contains(text, "requires the key to exist"):
		return because(ErrNotFound, "the stream or its group does not exist")
	case strings.HasPrefix(text, "no such key"):
		return ErrNotFound
	case strings.Contains(text, "equal or smaller than"), strings.Contains(text, "is smaller than"):
		return because(ErrArgument, "the ID is not greater than the stream's last one")
	case strings.Contains(text, "' not supported"), strings.HasPrefix(text, "unknown command"):
		return unsupported(text)
	case strings.HasPrefix(text, "unknown subcommand"):
		return because(ErrUnsupported, "the server does not know the subcommand, or the command's second word is missing")
	case strings.Contains(lower, "unknown redis command called from script"):
		return because(ErrUnsupported, "a command of the operation is unknown to it")
	case strings.Contains(text, "no such key"):
		return ErrNotFound
	case strings.Contains(text, "could not decode requested zset member"):
		return because(ErrNotFound, "no such member to search from")
	case strings.Contains(text, "index out of range"):
		return because(ErrNotFound, "no element at this index")
	case strings.Contains(text, "string exceeds maximum allowed size"):
		return because(ErrArgument, "the value would be longer than the server allows")
	case strings.Contains(text, "would overflow"), strings.Contains(text, "would produce NaN or Infinity"), strings.Contains(text, "not a number (NaN)"):
		return ErrOverflow
	case strings.Contains(text, "is not an integer"), strings.Contains(text, "is not a valid float"), strings.Contains(text, "value is not a float"):
		return because(ErrDecode, "no number that the server can add to")
	}
	return err
}
