package nest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// Delivery is an entry as [StreamRef.Consume] passes it to a handler.
type Delivery[T any] struct {
	Entry[T]
	// Attempt is the number of times that the entry was delivered to a consumer, including this
	// time.
	Attempt int64
	// Err is the reason why the entry could not be decoded, in a [DeadLetter] function only: it
	// wraps [ErrDecode], and Value is the zero T. Otherwise it is nil.
	Err error
	// Fields holds the entry's fields as they are stored, if Err is not nil. [Forward] adds them to
	// another stream.
	Fields map[string]string

	fields []string // as Fields, in their order, and with those that occur twice
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
	workers    int
	removeIdle time.Duration
	deadLetter any // func(context.Context, Delivery[T]) error
}

type consumeOption func(o *consumeOptions) error

func (f consumeOption) applyConsume(o *consumeOptions) error { return f(o) }

// The defaults of [ClaimAfter] and of Consume's [Count].
const (
	DefaultClaimAfter   = time.Minute
	defaultConsumeCount = 16
)

// ClaimAfter sets how long an entry stays with a consumer that neither acknowledges it nor asks for
// it again. After that another consumer, or the same one, passes the entry to its handler again.
// The duration should be more than twice the time that a handler takes for one entry; otherwise two
// consumers may handle the entry at the same time. The default is [DefaultClaimAfter].
func ClaimAfter(d time.Duration) ConsumeOption {
	return consumeOption(func(o *consumeOptions) error {
		o.idle = d
		if d < time.Millisecond {
			return because(ErrArgument, tooShort("ClaimAfter", d).Error())
		}
		return nil
	})
}

// StartAfter sets the ID after which a group begins if Consume has to create it. With [NewEntries]
// the group gets the entries that are added from then on. The default is all entries of the stream.
// StartAfter applies to a group that did not exist when Consume began: if a group is destroyed
// meanwhile, with its stream or alone, it is created again from the beginning, so that no entry is
// missed that was added since.
func StartAfter(id string) ConsumeOption {
	return consumeOption(func(o *consumeOptions) (err error) {
		o.startAt, err = startingID(id)
		return err
	})
}

// OnError sets a function that Consume calls with each error after which it continues: the errors
// that handlers return, entries that cannot be decoded, and a server that cannot be reached. The
// function is called once at a time. By default only the observers and the logger of the
// scope are notified ([WithObserver], [WithLogger]).
func OnError(report func(error)) ConsumeOption {
	return consumeOption(func(o *consumeOptions) error {
		o.onError = report
		return nil
	})
}

// DeadLetter sets how many times, at least once, an entry is passed to the handler of Consume.
// After that many attempts the entry is passed to handle instead, which may store it elsewhere, as
// [Forward] does, and is acknowledged when handle returns nil. New entries are then read one at a
// time (with [Workers] one for each), whatever [Count] says, so that an attempt counts only if a
// handler got the entry. T must be that of the stream. The default is to try forever.
func DeadLetter[T any](attempts int64, handle func(context.Context, Delivery[T]) error) ConsumeOption {
	return consumeOption(func(o *consumeOptions) error {
		o.attempts, o.deadLetter = attempts, handle
		if attempts < 1 || handle == nil {
			return because(ErrArgument, "DeadLetter takes at least one attempt and a function")
		}
		return nil
	})
}

const (
	opConsume      = "consume"
	opConsumeRetry = "consume retry" // an error after which Consume begins again
)

// Consume passes the entries of the stream to handle, one after the other, as a consumer of a
// group. It runs until the context ends, and then returns nil. Each entry is delivered to one
// consumer of the group. To handle several entries at once, set [Workers], or run Consume for
// several consumers, each with a name that no other uses at the same time. Consume creates a group
// that does not exist, and its stream. It has to wait for that while the server's memory is full,
// but it consumes an existing group even then. It removes consumers that are gone from the group
// ([RemoveIdle]).
//
// An entry is acknowledged after handle has returned nil, and not before. handle gets the next
// entry meanwhile, and one XACK acknowledges all that were handled until it is sent. If the
// process, the connection or the server dies, the entry is delivered again: to this consumer when
// it restarts, or to another one after [ClaimAfter]. So every entry is handled at least once, and
// possibly twice after a failure. Entries that are removed by trimming or by the stream's TTL are
// lost to the group.
//
// If handle returns an error, or the entry cannot be decoded, the entry stays pending and is
// delivered again after ClaimAfter, forever or as often as [DeadLetter] says. Only the [OnError]
// function, the observers and the logger of the scope are notified. If handle panics, the panic
// reaches the caller of Consume, and the entry stays pending too. When the context ends, handle
// should return soon; if it returns nil, the entry is still acknowledged.
//
// Consume returns an error only when it makes no sense to continue: for bad arguments, a key of
// another Redis type, a command that the server does not know or forbids, or a closed client. After
// any other error it tries again, above all while the server cannot be reached. Commands: XGROUP
// CREATE MKSTREAM, XREADGROUP on a connection of its own, XACK, XPENDING with IDLE and XCLAIM,
// XINFO CONSUMERS and XGROUP DELCONSUMER, Redis 6.2.
func (r StreamRef[T]) Consume(ctx context.Context, group, consumer string, handle func(context.Context, Delivery[T]) error, opts ...ConsumeOption) error {
	if err := r.at.admit(ctx, opConsume); err != nil {
		return err
	}
	c := &consuming[T]{ref: r, group: group, name: consumer, handle: handle}
	c.o = consumeOptions{count: defaultConsumeCount, idle: DefaultClaimAfter, startAt: "0-0", workers: 1, removeIdle: DefaultRemoveIdle}
	if err := c.configure(opts); err != nil {
		return r.at.reject(ctx, opConsume, err)
	}
	c.acks.tally = r.at.m.tree.behind
	c.acks.send = c.acknowledge
	defer c.acks.finish(ctx)
	for failures := 0; ; failures++ {
		began := time.Now()
		err := c.session(ctx)
		switch {
		case ctx.Err() != nil: // the caller's own wish
			return nil
		case groupGone(err):
			// It is gone with the stream or alone. The next session creates it again, at once.
			failures = 0
			if errors.Is(err, ErrNotFound) {
				c.acks.forget()
			}
		case !passing(err):
			return err
		}
		c.report(ctx, began, err)
		if time.Since(began) > time.Minute {
			failures = 0
		}
		if rest(ctx, min(2*time.Millisecond<<min(failures, 10), time.Second)) != nil {
			return nil
		}
	}
}

// consuming is the state of a running Consume.
type consuming[T any] struct {
	ref         StreamRef[T]
	group, name string
	handle      func(context.Context, Delivery[T]) error
	dead        func(context.Context, Delivery[T]) error
	o           consumeOptions
	tidies      time.Time  // when to look for idle consumers next
	reporting   sync.Mutex // held while an error is reported
	acks        acks
}

func (c *consuming[T]) configure(opts []ConsumeOption) error {
	if err := eachOption(opts, func(opt ConsumeOption) error { return opt.applyConsume(&c.o) }); err != nil {
		return err
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
	c.o.count = max(c.o.count, int64(c.o.workers))
	return nil
}

// report reports an error after which Consume continues.
func (c *consuming[T]) report(ctx context.Context, began time.Time, err error) {
	if err == nil {
		return
	}
	c.ref.at.tell(ctx, Event{Op: opConsumeRetry, Start: began, Err: err, Unreturned: true})
	c.failed(err)
}

// failed passes an error to the caller's function, one at a time.
func (c *consuming[T]) failed(err error) {
	if c.o.onError == nil {
		return
	}
	c.reporting.Lock()
	defer c.reporting.Unlock()
	c.o.onError(err)
}

// create creates the group: the first time where the caller said, and later at the beginning of the
// stream. Otherwise the entries that were added since the group was destroyed would be missed.
func (c *consuming[T]) create(ctx context.Context) error {
	_, err := run(ctx, c.ref.at, c.ref.at.createGroup(c.group, c.o.startAt))
	if err == nil {
		c.o.startAt = "0-0"
	}
	return err
}

// groupGone reports whether an error says that the group does not exist, alone or with its stream.
func groupGone(err error) bool {
	if errors.Is(err, ErrNotFound) {
		return true
	}
	// Redis 7.0 unblocks the clients that wait for a stream when the stream is removed.
	answer, ok := errors.AsType[*rueidis.RedisError](err)
	return ok && strings.HasPrefix(answer.Error(), "UNBLOCKED ")
}

// session consumes until something fails or the context ends.
func (c *consuming[T]) session(ctx context.Context) error {
	err := c.consume(ctx)
	if unacked := c.acks.wait(ctx); err == nil {
		err = unacked
	}
	return err
}

// consume is session without its end.
func (c *consuming[T]) consume(ctx context.Context) error {
	if err := c.acks.flush(ctx); err != nil {
		return err
	}
	// First come the entries that this consumer was given in an earlier life, or in an answer that
	// was lost. This also shows whether the group exists: if memory is full, the server refuses to
	// create one, but not to read.
	err := c.redeliver(ctx, PendingQuery{Consumer: c.name})
	if err != nil && !groupGone(err) {
		return err
	}
	// This also starts the TTL of a stream that has none, where the group exists: full memory does
	// not matter then.
	if failed := c.create(ctx); failed != nil && err != nil {
		return failed
	}
	every := max(c.o.idle/2, time.Millisecond)
	for next := time.Now(); ctx.Err() == nil; {
		if wait := time.Until(next); wait <= 0 {
			// What was handled must not be found pending.
			if err := c.acks.wait(ctx); err != nil {
				return err
			}
			if err := c.redeliver(ctx, PendingQuery{Idle: c.o.idle}); err != nil {
				return err
			}
			next = time.Now().Add(every)
		}
		if err := c.tidy(ctx); err != nil {
			return err
		}
		wait := next
		if c.o.removeIdle > 0 && c.tidies.Before(next) {
			wait = c.tidies
		}
		if err := c.deliverNew(ctx, time.Until(wait)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// deliverNew reads entries that no consumer was given yet, and waits a while for some.
func (c *consuming[T]) deliverNew(ctx context.Context, wait time.Duration) error {
	count := c.o.count
	if c.dead != nil {
		count = int64(c.o.workers) // what is read counts as delivered, even if the process ends first
	}
	o := readOptions{count: count, block: min(max(wait, time.Millisecond), maxBlock)}
	entries, err := readStream(ctx, c.ref.at, &opConsumeRead, o, ">", "XREADGROUP", "GROUP", c.group, c.name)
	if err != nil {
		return err
	}
	given := time.Now()
	return c.each(ctx, len(entries), func(ctx context.Context, i int) error {
		e := entries[i]
		// The handler was slow with the entries before: another consumer may have claimed this one.
		if time.Since(given) > c.o.idle/2 {
			mine, err := run(ctx, c.ref.at, c.hold(e.id))
			if err != nil || !mine {
				return err
			}
		}
		return c.deliver(ctx, e, 1)
	})
}

// redeliver passes pending entries to the handler again.
func (c *consuming[T]) redeliver(ctx context.Context, q PendingQuery) error {
	q.Limit = c.o.count
	for {
		page, err := run(ctx, c.ref.at, c.ref.at.pending(c.group, q))
		if err != nil {
			return err
		}
		c.o.startAt = "0-0" // the group exists
		err = c.each(ctx, len(page), func(ctx context.Context, i int) error {
			p := page[i]
			// A consumer that claims it in between resets its idle time, and keeps it.
			raw, err := run(ctx, c.ref.at, claim(c.ref.at, &opConsumeClaim, c.group, c.name, p.Idle, []string{p.ID}))
			if err != nil {
				return err
			}
			for _, e := range raw {
				if err := c.deliver(ctx, e, p.Deliveries+1); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
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

// takeBack sets the delivery count of an entry back to given, if that count decides what happens to
// the entry. If takeBack fails, the only effect is that the entry has one attempt fewer.
func (c *consuming[T]) takeBack(ctx context.Context, id string, given int64) {
	if c.dead == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ackTimeout)
	defer cancel()
	_, _ = run(ctx, c.ref.at, c.hold(id, "RETRYCOUNT", strconv.FormatInt(given, 10)))
}

// deliver passes an entry to the handler, and acknowledges it if the handler succeeds.
func (c *consuming[T]) deliver(ctx context.Context, e rawEntry, attempt int64) error {
	if err := ctx.Err(); err != nil {
		c.takeBack(ctx, e.id, attempt-1)
		return err
	}
	if e.gone {
		return c.acks.add(ctx, e.id)
	}
	ctx, err := c.pass(ctx, e, attempt)
	if err == nil {
		return c.acks.add(ctx, e.id)
	}
	if ctx.Err() == nil {
		c.failed(err)
	}
	return nil
}

// pass passes an entry to the handler, and tells the observers of that. It returns the context that
// the handler got.
func (c *consuming[T]) pass(ctx context.Context, e rawEntry, attempt int64) (context.Context, error) {
	if !c.ref.at.m.tree.observed() {
		return ctx, c.handled(ctx, e, attempt)
	}
	ctx, o := c.ref.at.begin(ctx, Event{Op: opConsume, Lag: lagOf(e.id)})
	defer o.end()
	o.event.Unreturned = true
	err := c.handled(ctx, e, attempt)
	o.event.Err, o.event.Unreturned = err, err != nil
	return ctx, err
}

// handled calls the handler, and returns why the entry is not to be acknowledged.
func (c *consuming[T]) handled(ctx context.Context, e rawEntry, attempt int64) error {
	v, err := c.ref.stream().decodeEntry(c.ref.at.m, e)
	d := Delivery[T]{Entry: Entry[T]{e.id, v}, Attempt: attempt}
	switch {
	case c.dead != nil && attempt > c.o.attempts:
		if d.Err = err; err != nil {
			d.fields = slices.Clone(e.fields)
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
		return nil
	}
	// A handler's own error stays as it is, even if it wraps an Error of this package.
	at := c.ref.at
	return &Error{Op: opConsume, Template: at.m.name.Text, Key: at.redacted(), Err: atEntry(e.id, err)}
}

// lagOf returns how long ago an entry was added, by its ID, or 0 for an ID that is no time.
func lagOf(id string) time.Duration {
	at, err := parseID(id)
	if err != nil || at.ms < leastTime {
		return 0
	}
	return max(time.Since(time.UnixMilli(int64(at.ms))), 0)
}

// leastTime is the lowest ID that is taken for a time, in milliseconds: that of September 2001.
const leastTime = 1_000_000_000_000

// acknowledge acknowledges entries that were handled, even if the context has ended meanwhile. The
// command may be sent twice: the second time it has no effect.
func (c *consuming[T]) acknowledge(ctx context.Context, ids []string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ackTimeout)
	defer cancel()
	command := c.ref.at.ack(c.group, ids)
	command.cmd = command.cmd.ToRetryable()
	_, err := run(ctx, c.ref.at, command)
	return err
}

// holding reports whether an entry (ARGV[3]) is still pending for the consumer (ARGV[2]) and, if
// so, resets its idle time. More options of XCLAIM follow.
var holding = newScript(`if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2]) == 0 then return 0 end
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], 'JUSTID', unpack(ARGV, 4))
return 1`)

//nest:ttl changes
func (c *consuming[T]) hold(id string, options ...string) command[bool] {
	return command[bool]{op: &opHold, cmd: holding.command(c.ref.at.b(), []string{c.ref.at.key},
		append([]string{c.group, c.name, id}, options...)...)}
}

var (
	opConsumeRead  = operation[[]rawEntry]{"consume read", func(_ *mounted, a rueidis.RedisMessage) ([]rawEntry, error) { return rawRead(a) }}
	opConsumeClaim = operation[[]rawEntry]{"consume claim", func(_ *mounted, a rueidis.RedisMessage) ([]rawEntry, error) { return rawEntries(a) }}
	opHold         = operation[bool]{"consume hold", replyBool}
)

// passing reports whether an error is one that goes away with time.
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
		return true // an error of the connection
	}
	first, _, _ := strings.Cut(answer.Error(), " ")
	switch first {
	case "LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK", "BUSY", "OOM", "MISCONF", "NOREPLICAS", "UNBLOCKED":
		return true
	}
	return false
}
