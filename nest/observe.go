package nest

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

// Observer is called for every operation once it has ended, even if the operation sent nothing. For
// example, a reference that At refused is reported with its template and without a key. (A zero
// Scope has no tree, and so no observers.) An Observer must be safe for concurrent use, and fast:
// the caller of the operation waits for it.
//
// A batch is one event, with the number of its operations in Batch, and then one for each of them.
// LoadMany is reported in the same way.
type Observer interface {
	Observe(ctx context.Context, e Event)
}

// Starter is an [Observer] that is also called before an operation begins. The context that Start
// returns replaces the operation's: the client gets it, the loader of GetOrLoad, the handler of
// [StreamRef.Consume], and Observe at the end. Each Starter gets the context of the one before it,
// and every Observer that of the last one. Of the event, what the result says is not known yet:
// Start can see Op, Kind, Command, Template, Key, Start, Batch, Lag and Server.
//
// Each call of Start is followed by one of Observe with the same Op and Start, also if a function
// of the caller panics. The operations of a batch have no Start of their own.
type Starter interface {
	Observer
	Start(ctx context.Context, e Event) context.Context
}

// Event describes an operation that has ended. It holds no value, and sensitive parameters only as
// their templates.
type Event struct {
	// Op is the name of the operation, "get". The call of a loader is "load", the call of a handler
	// of Consume "consume", and an error after which Consume begins again "consume retry".
	Op string
	// Kind is what the key is declared as, or [KindCluster] for an operation on a scope and a
	// batch.
	Kind Kind
	// Command is the name of the Redis command as it is sent, "GET", or EVALSHA for a script. It is
	// empty if there is none to send, and for an operation that may take several commands, such as
	// Update or GetOrLoad. That of a batch is the one of all its operations, if they have the same.
	Command  string
	Template string // "root:user:<user_id>:age"
	// Key is the name in Redis, "root:user:42:age", or a scope's prefix. It is empty if At failed,
	// and for a batch.
	Key      string
	Start    time.Time     // when the operation was handed to the client
	Duration time.Duration // until the result was decoded
	// Err is the error that the caller got. It has no values, except in errors from a loader or
	// from a handler of Consume.
	Err error
	// CacheHit reports whether the result came from the client's memory ([Cached]) without asking
	// the server.
	CacheHit bool
	// Degraded reports that the result was made without Redis, because it is away: by a loader
	// ([LoadWhenDown]) or as [WhenDown] says.
	Degraded bool
	// Unreturned reports that no caller got Err, because the operation continues after it:
	// [StreamRef.Consume] does, for example, after a handler failed.
	Unreturned bool
	// Refused reports that a limiter did not allow what was asked for.
	Refused bool
	// Batch is how many operations a batch has. It is 0 for everything else, and for the operations
	// of the batch too.
	Batch int
	// BytesIn and BytesOut are the lengths of the words that were received and sent, without what
	// the protocol puts around them. They include everything that the operation did, such as taking
	// the lock of a load. Those of the loader and of the caller's other operations are not counted,
	// and neither is an answer from the client's memory.
	BytesIn, BytesOut int64
	// Lag is how long ago the entry that Consume passes to a handler was added, by its ID. It is 0
	// for everything else, and for IDs that are no times.
	Lag time.Duration
	// Server is the address of the server: the only one, the primary that Sentinel names, or the
	// owner of the key's slot as last learned. It is empty if it is not known, and for what several
	// servers are asked for.
	Server string
}

// observation is an operation of which the observers are told. It is the context of what the
// operation does, in which the client finds it to count bytes.
type observation struct {
	context.Context //nolint:containedctx // it is a context

	observers []Observer
	event     Event
	in, out   atomic.Int64
}

type observationKey struct{}

func (o *observation) Value(key any) any {
	if key == (observationKey{}) {
		return o
	}
	return o.Context.Value(key)
}

// errUnended is the error of an operation that did not come to its end.
var errUnended = errors.New("a function that the operation called panicked or ended its goroutine")

// observing tells the Starters that an operation begins. The operation is to use the returned
// context, and ends with end, after Err was set. A nil context stays one: the operation refuses it.
func observing(ctx context.Context, observers []Observer, e Event) (context.Context, *observation) {
	o := &observation{Context: ctx, observers: observers}
	if ctx == nil {
		o.Context = context.Background()
	}
	if e.Start.IsZero() {
		e.Start = time.Now()
	}
	told := e
	told.Err, told.CacheHit, told.Degraded, told.Unreturned, told.Refused = nil, false, false, false, false
	for _, ob := range observers {
		if s, ok := ob.(Starter); ok {
			if next := s.Start(o.Context, told); next != nil {
				o.Context = next //nolint:fatcontext // there are few, and each gets that of the one before
			}
		}
	}
	if e.Err == nil {
		e.Err = errUnended
	}
	o.event = e
	if ctx == nil {
		return nil, o
	}
	return o, o
}

// end tells the observers that the operation has ended. It is to be deferred.
func (o *observation) end() {
	e := &o.event
	e.Duration, e.BytesIn, e.BytesOut = time.Since(e.Start), o.in.Load(), o.out.Load()
	o.tell(*e)
}

// tell tells the observers of an operation within this one.
func (o *observation) tell(e Event) {
	for _, ob := range o.observers {
		ob.Observe(o.Context, e)
	}
}

// logObserver logs what failed, and the rest at the debug level.
type logObserver struct{ log *slog.Logger }

func (o logObserver) Observe(ctx context.Context, e Event) {
	level := levelOf(&e)
	if !o.log.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 8)
	attrs = append(attrs, slog.String("op", e.Op), slog.String("template", e.Template), slog.String("key", e.Key), slog.Duration("duration", e.Duration))
	if e.Batch > 0 {
		attrs = append(attrs, slog.Int("batch", e.Batch))
	}
	if e.CacheHit {
		attrs = append(attrs, slog.Bool("cache_hit", true))
	}
	if e.Degraded {
		attrs = append(attrs, slog.Bool("degraded", true))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	o.log.LogAttrs(ctx, level, "redis", attrs...)
}

func (o logObserver) cannotTrack(fromServer, fromMemory int) {
	o.log.LogAttrs(context.Background(), slog.LevelWarn,
		"redis: the client cannot track what it reads, so that keys declared Cached are read from the server, or from memory for their LocalFor",
		slog.Int("from_server", fromServer), slog.Int("from_memory", fromMemory))
}

// levelOf returns the level at which an event is logged. The failures of a batch are those of its
// operations, which are events of their own.
func levelOf(e *Event) slog.Level {
	is := func(kind error) bool { return errors.Is(e.Err, kind) }
	switch {
	case e.Err == nil || e.Batch > 0 || is(context.Canceled):
		return slog.LevelDebug
	case is(ErrAway) || is(ErrOutcomeUnknown):
		return slog.LevelError
	case e.Unreturned:
		return slog.LevelWarn
	case is(ErrNotFound) || is(ErrLimited):
		return slog.LevelDebug
	}
	return slog.LevelWarn
}
