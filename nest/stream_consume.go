package nest

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// Delivery is an entry as [StreamRef.Consume] gives it to a handler.
type Delivery[T any] struct {
	Entry[T]
	// Attempt counts how many times the entry was given to a consumer, this time included.
	Attempt int64
	// Err, in a [DeadLetter] function only, is why the entry could not be decoded: it wraps
	// [ErrDecode], and Value is the zero T. Else it is nil.
	Err error
	// Fields are the entry's fields as they are stored, where Err is not nil.
	Fields map[string]string
}

// ConsumeOption is an option of [StreamRef.Consume].
type ConsumeOption interface {
	applyConsume(o *consumeOptions) error
}

type consumeOptions struct {
	count      int64
	idle       time.Duration
	startAt    string
	onError    func(error)
	attempts   int64
	deadLetter any // func(context.Context, Delivery[T]) error
}

type consumeOption func(o *consumeOptions) error

func (f consumeOption) applyConsume(o *consumeOptions) error { return f(o) }

// The defaults of [ClaimAfter] and of Consume's [Count].
const (
	DefaultClaimAfter   = time.Minute
	defaultConsumeCount = 16
)

// ClaimAfter sets how long an entry stays with a consumer that has neither acknowledged it nor
// asked for it again: then another one gives it to its handler, or the same one does so once
// more. It should be more than twice as long as a handler takes for one entry, or two consumers
// may handle it at once. The default is [DefaultClaimAfter].
func ClaimAfter(d time.Duration) ConsumeOption {
	return consumeOption(func(o *consumeOptions) error {
		o.idle = d
		if d < time.Millisecond {
			return because(ErrArgument, tooShort("ClaimAfter", d).Error())
		}
		return nil
	})
}

// StartAfter sets the ID after which a group begins that Consume has to make, [NewEntries] for
// what is added from then on. The default is all that the stream holds.
func StartAfter(id string) ConsumeOption {
	return consumeOption(func(o *consumeOptions) (err error) {
		o.startAt, err = startingID(id)
		return err
	})
}

// OnError is told of what Consume goes on after: what handlers return, entries that cannot be
// decoded, and a server that cannot be reached. It runs on Consume's own goroutine. The default
// is to tell nobody but the observers and the logger of the scope ([WithObserver], [WithLogger]).
func OnError(report func(error)) ConsumeOption {
	return consumeOption(func(o *consumeOptions) error {
		o.onError = report
		return nil
	})
}

// DeadLetter gives an entry that was given to handlers as often as attempts says, at least once,
// to handle instead, which stores it elsewhere, say. It is acknowledged when handle returns nil.
// T must be that of the stream. The default is to try for ever.
func DeadLetter[T any](attempts int64, handle func(context.Context, Delivery[T]) error) ConsumeOption {
	return consumeOption(func(o *consumeOptions) error {
		o.attempts, o.deadLetter = attempts, handle
		if attempts < 1 || handle == nil {
			return because(ErrArgument, "DeadLetter takes at least one attempt and a function")
		}
		return nil
	})
}

const opConsume = "consume"

// Consume gives the entries of the stream to handle, one after the other, as a consumer of a
// group, until the context ends; then it returns nil. Each entry is given to one consumer of the
// group; to handle several at once, several consumers run Consume, each under a name that no
// other uses at the same time. A group that does not exist is made, and so is the stream.
//
// An entry is acknowledged after handle has returned nil, and not before: when the process, the
// connection or the server dies at any point, the entry is given again, to this consumer when it
// starts anew or to another one after [ClaimAfter]. So every entry is handled at least once, and
// after a failure possibly twice. What trimming removes, or the stream's TTL, is lost to the
// group.
//
// When handle returns an error, or the entry cannot be decoded, the entry stays pending and is
// given again after ClaimAfter, for ever or as often as [DeadLetter] says; [OnError], the observers
// and the logger of the scope are told, and nobody else. When handle panics, the panic goes
// through to the caller of Consume, and the entry is pending likewise. When the
// context ends, handle should return soon; what it has then handled is still acknowledged.
//
// Consume returns an error only when going on makes no sense: bad arguments, a key of another
// Redis type, a command that the server does not know or forbids, a closed client. It waits out
// everything else, a server that is away above all. Commands: XGROUP CREATE MKSTREAM, XREADGROUP
// on a connection of its own, XACK, XPENDING with IDLE and XCLAIM, Redis 6.2.
func (r StreamRef[T]) Consume(ctx context.Context, group, consumer string, handle func(context.Context, Delivery[T]) error, opts ...ConsumeOption) error {
	if err := r.at.ready(ctx, opConsume); err != nil {
		return err
	}
	c := &consuming[T]{ref: r, group: group, name: consumer, handle: handle}
	c.o = consumeOptions{count: defaultConsumeCount, idle: DefaultClaimAfter, startAt: "0-0"}
	if err := c.configure(opts); err != nil {
		return r.at.fail(opConsume, err)
	}
	for failures := 0; ; failures++ {
		began := time.Now()
		err := c.session(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the caller's own wish
		case errors.Is(err, ErrNotFound):
			// The group is gone, with the stream or alone. What was added since then
			// must not be missed.
			c.o.startAt = "0-0"
		case !passing(err):
			return err
		}
		c.report(ctx, began, err)
		if time.Since(began) > time.Minute {
			failures = 0
		}
		if rest(ctx, min(2*time.Millisecond<<min(failures, 10), time.Second)) != nil {
			return nil //nolint:nilerr // the caller's own wish
		}
	}
}

// consuming is a running Consume.
type consuming[T any] struct {
	ref         StreamRef[T]
	group, name string
	handle      func(context.Context, Delivery[T]) error
	dead        func(context.Context, Delivery[T]) error
	o           consumeOptions
}

func (c *consuming[T]) configure(opts []ConsumeOption) error {
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt.applyConsume(&c.o); err != nil {
			return err
		}
	}
	if c.o.deadLetter != nil {
		var ok bool
		if c.dead, ok = c.o.deadLetter.(func(context.Context, Delivery[T]) error); !ok {
			return because(ErrArgument, "the DeadLetter function is for entries of another type than "+c.ref.at.m.def.goType)
		}
	}
	switch {
	case c.handle == nil:
		return because(ErrArgument, "the handler is nil")
	case c.group == "" || c.name == "":
		return errNoName
	}
	return nil
}

// report tells of an error that Consume goes on after.
func (c *consuming[T]) report(ctx context.Context, began time.Time, err error) {
	if err == nil {
		return
	}
	c.ref.at.tell(ctx, Event{Op: opConsume, Start: began, Err: err, Unreturned: true})
	if c.o.onError != nil {
		c.o.onError(err)
	}
}

// session consumes until something fails or the context ends.
func (c *consuming[T]) session(ctx context.Context) error {
	if _, err := run(ctx, c.ref.at, c.ref.at.createGroup(c.group, c.o.startAt)); err != nil {
		return err
	}
	// What this consumer was given in an earlier life, or by an answer that was lost.
	if err := c.redeliver(ctx, PendingQuery{Consumer: c.name}); err != nil {
		return err
	}
	every := max(c.o.idle/2, time.Millisecond)
	for next := time.Now(); ctx.Err() == nil; {
		if wait := time.Until(next); wait <= 0 {
			if err := c.redeliver(ctx, PendingQuery{Idle: c.o.idle}); err != nil {
				return err
			}
			next = time.Now().Add(every)
		}
		if err := c.deliverNew(ctx, time.Until(next)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// deliverNew reads entries that nobody was given yet, and waits for some for a while.
func (c *consuming[T]) deliverNew(ctx context.Context, wait time.Duration) error {
	o := readOptions{count: c.o.count, block: min(max(wait, time.Millisecond), maxBlock)}
	entries, err := readStream(ctx, c.ref.at, &opConsumeRead, o, ">", "XREADGROUP", "GROUP", c.group, c.name)
	if err != nil {
		return err
	}
	given := time.Now()
	for _, e := range entries {
		// The handler was slow with those before: somebody may have claimed this one.
		if time.Since(given) > c.o.idle/2 {
			mine, err := run(ctx, c.ref.at, c.hold(e.id))
			if err != nil {
				return err
			}
			if !mine {
				continue
			}
		}
		if err := c.deliver(ctx, e, 1); err != nil {
			return err
		}
	}
	return nil
}

// redeliver gives pending entries to the handler once more.
func (c *consuming[T]) redeliver(ctx context.Context, q PendingQuery) error {
	q.Limit = c.o.count
	for {
		page, err := run(ctx, c.ref.at, c.ref.at.pending(c.group, q))
		if err != nil {
			return err
		}
		for _, p := range page {
			// Who claims it in between resets its idle time, and keeps it.
			raw, err := run(ctx, c.ref.at, claim(c.ref.at, &opConsumeClaim, c.group, c.name, p.Idle, []string{p.ID}))
			if err != nil {
				return err
			}
			for _, e := range raw {
				if err := c.deliver(ctx, e, p.Deliveries+1); err != nil {
					return err
				}
			}
		}
		if int64(len(page)) < q.Limit {
			return nil
		}
		last, err := parseID(page[len(page)-1].ID)
		if err != nil {
			return errAnswer
		}
		next, ok := last.next()
		if !ok {
			return nil
		}
		q.From = next.String()
	}
}

// deliver hands an entry to the handler and acknowledges it when that is content.
func (c *consuming[T]) deliver(ctx context.Context, e rawEntry, attempt int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if e.gone {
		return c.ack(ctx, e.id)
	}
	began := time.Now()
	v, err := c.ref.stream().decodeEntry(c.ref.at.m, e)
	d := Delivery[T]{Entry: Entry[T]{e.id, v}, Attempt: attempt}
	switch {
	case c.dead != nil && attempt > c.o.attempts:
		if d.Err = err; err != nil {
			d.Fields = make(map[string]string, len(e.fields)/2)
			for i := 0; i+1 < len(e.fields); i += 2 {
				d.Fields[e.fields[i]] = e.fields[i+1]
			}
		}
		err = c.dead(ctx, d)
	case err == nil:
		err = c.handle(ctx, d)
	}
	if err == nil {
		return c.ack(ctx, e.id)
	}
	if ctx.Err() == nil {
		// A handler's own error stays as it is, also where an Error of this package is its reason.
		at := c.ref.at
		c.report(ctx, began, &Error{Op: opConsume, Template: at.m.template, Key: at.redacted(), Err: atEntry(e.id, err)})
	}
	return nil
}

// ackTimeout bounds how long an acknowledgement may outlive the context.
const ackTimeout = 5 * time.Second

// ack acknowledges what was handled, also when the context has ended meanwhile. It may be sent
// twice: acknowledging has no other effect the second time.
func (c *consuming[T]) ack(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ackTimeout)
	defer cancel()
	command := c.ref.at.ack(c.group, []string{id})
	command.cmd = command.cmd.ToRetryable()
	_, err := run(ctx, c.ref.at, command)
	return err
}

// holding tells whether an entry (ARGV[3]) is still pending for the consumer (ARGV[2]) and, if
// it is, lets its idle time begin anew.
var holding = newScript(`if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2]) == 0 then return 0 end
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], 'JUSTID')
return 1`)

//nest:ttl changes
func (c *consuming[T]) hold(id string) command[bool] {
	return command[bool]{op: &opHold, cmd: holding.command(c.ref.at.b(), []string{c.ref.at.key}, c.group, c.name, id)}
}

var (
	opConsumeRead  = operation[[]rawEntry]{"consume read", func(_ *mounted, a rueidis.RedisMessage) ([]rawEntry, error) { return rawRead(a) }}
	opConsumeClaim = operation[[]rawEntry]{"consume claim", func(_ *mounted, a rueidis.RedisMessage) ([]rawEntry, error) { return rawEntries(a) }}
	opHold         = operation[bool]{"consume hold", replyBool}
)

// passing tells whether an error is one of those that time mends.
func passing(err error) bool {
	if errors.Is(err, rueidis.ErrClosing) || errors.Is(err, errAnswer) {
		return false
	}
	for _, kind := range []error{ErrWrongType, ErrUnsupported, ErrArgument, ErrDecode, ErrNoClient} {
		if errors.Is(err, kind) {
			return false
		}
	}
	answer, ok := errors.AsType[*rueidis.RedisError](err)
	if !ok {
		return true // the connection's
	}
	first, _, _ := strings.Cut(answer.Error(), " ")
	switch first {
	case "LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK", "BUSY", "OOM", "MISCONF", "NOREPLICAS", "UNBLOCKED":
		return true
	}
	return false
}
