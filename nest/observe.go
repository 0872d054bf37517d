package nest

import (
	"context"
	"log/slog"
	"time"
)

// Observer is called for every operation once it has ended, even if the operation sent nothing. For
// example, a reference that At refused is reported with its template and without a key. (A zero
// Scope has no tree, and so no observers.) An Observer must be safe for concurrent use, and fast:
// the caller of the operation waits for it.
type Observer interface {
	Observe(ctx context.Context, e Event)
}

// Event describes an operation that has ended. It holds no value, and sensitive parameters only as
// their templates.
type Event struct {
	Op       string        // "get"
	Template string        // "root:user:<user_id>:age"
	Key      string        // "root:user:42:age"; a scope's prefix; "" if At failed
	Start    time.Time     // when the operation was handed to the client
	Duration time.Duration // until the result was decoded
	// Err is the error that the caller got. It has no values, except in errors from a handler of
	// Consume.
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
}

// logObserver logs events at the debug level, and those that no caller sees as warnings.
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
	if e.Degraded {
		attrs = append(attrs, slog.Bool("degraded", true))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	o.log.LogAttrs(ctx, level, "redis", attrs...)
}
