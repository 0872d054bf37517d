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
	Key      string        // "root:user:42:age"
	Start    time.Time     // when the operation was handed to the client
	Duration time.Duration // until its result was decoded
	Err      error         // what the caller got
}

// logObserver logs events at the debug level.
type logObserver struct{ log *slog.Logger }

func (o logObserver) Observe(ctx context.Context, e Event) {
	if !o.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{slog.String("op", e.Op), slog.String("key", e.Key), slog.Duration("duration", e.Duration)}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	o.log.LogAttrs(ctx, slog.LevelDebug, "redis", attrs...)
}
