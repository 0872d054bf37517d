package nest

import (
	"context"
	"log/slog"
	"time"
)

// Observer is told of every operation once it has ended. It must be safe for concurrent use,
// and fast: the operation's caller waits for it.
type Observer interface {
	Observe(ctx context.Context, e Event)
}

// Event is an operation that has ended. It holds no value, and sensitive parameters only as
// their template.
type Event struct {
	Op       string        // "get"
	Template string        // "root:user:<user_id>:age"
	Key      string        // "root:user:42:age"; the prefix for an operation on a scope
	Start    time.Time     // when the operation was handed to the client
	Duration time.Duration // until its result was decoded
	Err      error         // what the caller got: no value, but for what a handler of Consume says
	// CacheHit tells that the result came from the client's memory ([Cached]) and the server
	// was not asked.
	CacheHit bool
	// Unreturned tells that no caller got Err, since what has met it goes on: [StreamRef.Consume],
	// after a handler that has failed, say.
	Unreturned bool
}

// watched runs an operation that takes several commands, and tells the observers of it once.
func watched[R any](ctx context.Context, r address, op string, do func() (R, error)) (R, error) {
	if r.m == nil || len(r.m.tree.options.observers) == 0 {
		return do()
	}
	start := time.Now()
	v, err := do()
	r.observe(ctx, op, start, err)
	return v, err
}

// observe tells the observers of an operation on the scope.
func (s Scope) observe(ctx context.Context, op string, start time.Time, err error) {
	observers := s.at.tree.options.observers
	if len(observers) == 0 {
		return
	}
	e := Event{Op: op, Template: s.at.template, Key: s.redactedPrefix(), Start: start, Duration: time.Since(start), Err: err}
	for _, o := range observers {
		o.Observe(ctx, e)
	}
}

// logObserver logs events at the debug level, and as warnings what nobody else is told.
type logObserver struct{ log *slog.Logger }

func (o logObserver) Observe(ctx context.Context, e Event) {
	level := slog.LevelDebug
	if e.Unreturned {
		level = slog.LevelWarn
	}
	if !o.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.String("op", e.Op), slog.String("key", e.Key), slog.Duration("duration", e.Duration)}
	if e.CacheHit {
		attrs = append(attrs, slog.Bool("cache_hit", true))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	o.log.LogAttrs(ctx, level, "redis", attrs...)
}
