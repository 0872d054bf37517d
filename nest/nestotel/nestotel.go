// Package nestotel reports the operations of package nest to OpenTelemetry, as spans and metrics.
//
//	root, err := nest.Open(client, keys.Root, nestotel.Observe())
//
// # Spans
//
// Each operation is a span of the kind CLIENT with the Redis command and the template as its name:
// "GET root:user:<user_id>:age". An operation of several commands has its own name there: "update
// root:user:<user_id>:age". So the names are bounded by what the program declares. Its parent is
// the span of the context that was passed to the operation. The context goes on to the client, so
// that the spans of an instrumented client are children of the operation's.
//
// A loader of GetOrLoad or LoadMany has a span of its own ("load", INTERNAL) below the one of the
// operation, and what the loader calls with its context is below that. Each call of a handler of
// Consume is a span too ("consume", CONSUMER). A batch is one span with its size: "PIPELINE" or
// "MULTI", with the command if all operations have the same one, and the template of the scope.
//
// # Metrics
//
// Durations are in seconds, and all but the first say redisimnest.template.
//
//   - db.client.operation.duration: how long operations take, by db.operation.name,
//     db.query.summary, redisimnest.template and redisimnest.operation, and by error.type if they
//     fail. A batch is one operation. Answers from the client's memory are not in it.
//   - redisimnest.operations: how many operations there were, those of batches one by one, by
//     redisimnest.operation, by redisimnest.cache.hit and, if they failed, redisimnest.error.kind.
//     The hit ratio is the share of those with a hit.
//   - redisimnest.io: bytes of words sent and received, by network.io.direction.
//   - redisimnest.degraded: results that were made while Redis was away.
//   - redisimnest.load.duration: calls of loaders, by error.type if they fail.
//   - redisimnest.lock.wait.duration: how long Acquire and Run took to get the lock, or to give up.
//   - redisimnest.limiter.refused: requests that a limiter did not allow.
//   - redisimnest.consumer.lag: how long after it was added an entry is passed to a handler of
//     Consume, by the time in its ID and this process's clock.
//   - redisimnest.handler.duration: calls of handlers of Consume, by error.type if they fail.
//
// # Conventions
//
// The names are those of OpenTelemetry's database conventions, version 1.43, whose common part is
// stable, as is db.client.operation.duration. Redis' own page there is still in development: that
// db.system.name is "redis", that pipelines are called PIPELINE and MULTI, and that
// db.response.status_code is the first word of an error. What begins with "redisimnest." is of this
// package. db.namespace is not reported: a client does not say which database it has selected.
//
// error.type is the first word of the server's error if there is one, "WRONGTYPE" for example, and
// otherwise the kind of the error, which redisimnest.error.kind is in any case: the name of the
// sentinel that it wraps, such as "away", "decode" or "lock_lost", or "timeout", "canceled" or
// "_OTHER". [nest.ErrNotFound] is no error here: it is what a missing key returns.
//
// server.address and server.port are those of [nest.Event.Server]. On a Redis Cluster that is the
// node that has the key, and nothing for a batch.
//
// # What is not reported
//
// Values, keys and sensitive parameters are in no span and no metric, and neither are the texts of
// errors, which may repeat what a loader, a handler or a server says. [WithKeys] adds the names of
// keys to spans; sensitive parameters stay hidden in them.
package nestotel

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/redisimnest/redisimnest/nest"
)

// scopeName is the name of the instrumentation scope.
const scopeName = "github.com/redisimnest/redisimnest/nest/nestotel"

// Option is an option of [Observe].
type Option interface {
	apply(c *config)
}

type config struct {
	tracers trace.TracerProvider
	meters  metric.MeterProvider
	keys    bool
}

type option func(c *config)

func (o option) apply(c *config) { o(c) }

// WithTracerProvider sets where spans go. The default is OpenTelemetry's global provider.
func WithTracerProvider(p trace.TracerProvider) Option {
	return option(func(c *config) { c.tracers = p })
}

// WithMeterProvider sets where metrics go. The default is OpenTelemetry's global provider.
func WithMeterProvider(p metric.MeterProvider) Option {
	return option(func(c *config) { c.meters = p })
}

// WithKeys adds redisimnest.key to spans, the name of the key in Redis, in which sensitive
// parameters are replaced by their templates. It is never in metrics. By default it is not in spans
// either: the parameters of a key often identify a person.
func WithKeys() Option { return option(func(c *config) { c.keys = true }) }

// Observe returns the option of [nest.Open] that reports every operation to OpenTelemetry. A nil
// option is ignored, and so is a nil provider.
func Observe(opts ...Option) nest.OpenOption {
	var c config
	for _, o := range opts {
		if o != nil {
			o.apply(&c)
		}
	}
	if c.tracers == nil {
		c.tracers = otel.GetTracerProvider()
	}
	if c.meters == nil {
		c.meters = otel.GetMeterProvider()
	}
	return nest.WithObserver(&observer{
		tracer:      c.tracers.Tracer(scopeName, trace.WithSchemaURL(semconv.SchemaURL)),
		instruments: newInstruments(c.meters.Meter(scopeName, metric.WithSchemaURL(semconv.SchemaURL))),
		keys:        c.keys,
	})
}

// observer is a [nest.Starter].
type observer struct {
	instruments

	tracer trace.Tracer
	keys   bool
}

// running is an operation that has begun. It is in the context of the operation.
type running struct {
	span  trace.Span
	op    string
	start time.Time
	ended bool
}

// runningKey is the key of the operation in the context. A tree may have several observers.
type runningKey struct{ of *observer }

func (o *observer) Start(ctx context.Context, e nest.Event) context.Context {
	ctx, span := o.tracer.Start(ctx, summary(&e), trace.WithTimestamp(e.Start), trace.WithSpanKind(kindOf(&e)), //nolint:spancheck // Observe ends it
		trace.WithAttributes(o.atStart(&e)...))
	return context.WithValue(ctx, runningKey{o}, &running{span: span, op: e.Op, start: e.Start}) //nolint:spancheck // likewise
}

func (o *observer) Observe(ctx context.Context, e nest.Event) {
	r, ok := ctx.Value(runningKey{o}).(*running)
	alone := ok && !r.ended && r.op == e.Op && r.start.Equal(e.Start)
	if alone {
		r.ended = true
		o.finish(r.span, &e)
	}
	o.record(ctx, &e, alone)
}

// finish ends a span.
func (o *observer) finish(span trace.Span, e *nest.Event) {
	if span.IsRecording() {
		var attrs []attribute.KeyValue
		if f := failureOf(e.Err); f.kind != "" {
			attrs = f.appendTo(attrs)
			span.SetStatus(codes.Error, f.kind)
		}
		if e.CacheHit {
			attrs = append(attrs, cacheHitKey.Bool(true))
		}
		if e.Degraded {
			attrs = append(attrs, degradedKey.Bool(true))
		}
		if e.Refused {
			attrs = append(attrs, refusedKey.Bool(true))
		}
		if e.BytesOut > 0 {
			attrs = append(attrs, bytesOutKey.Int64(e.BytesOut), bytesInKey.Int64(e.BytesIn))
		}
		span.SetAttributes(attrs...)
	}
	span.End(trace.WithTimestamp(e.Start.Add(e.Duration)))
}

// kindOf returns the kind of an operation's span.
func kindOf(e *nest.Event) trace.SpanKind {
	switch e.Op {
	case opLoad, opRetry:
		return trace.SpanKindInternal
	case opConsume:
		return trace.SpanKindConsumer
	}
	return trace.SpanKindClient
}
