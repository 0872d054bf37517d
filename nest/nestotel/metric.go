package nestotel

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/redisimnest/redisimnest/nest"
)

// The boundaries of histograms, in seconds: those of the conventions, and those of what may wait.
var (
	durations = []float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10}
	waits     = []float64{0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 86400}
)

type instruments struct {
	duration, load, lockWait, lag, handler metric.Float64Histogram
	operations, io, degraded, refused      metric.Int64Counter
}

func newInstruments(m metric.Meter) instruments {
	histogram := func(name, description string, bounds []float64) metric.Float64Histogram {
		h, err := m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description), metric.WithExplicitBucketBoundaries(bounds...))
		handle(err)
		return h
	}
	counter := func(name, unit, description string) metric.Int64Counter {
		c, err := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
		handle(err)
		return c
	}
	return instruments{
		duration:   histogram("db.client.operation.duration", "Duration of database client operations.", durations),
		load:       histogram("redisimnest.load.duration", "Duration of calls of loaders.", durations),
		lockWait:   histogram("redisimnest.lock.wait.duration", "How long it took to get a lock, or to give up.", waits),
		lag:        histogram("redisimnest.consumer.lag", "How long after it was added an entry is passed to a handler.", waits),
		handler:    histogram("redisimnest.handler.duration", "Duration of calls of handlers.", durations),
		operations: counter("redisimnest.operations", "{operation}", "Operations, those of batches one by one."),
		io:         counter("redisimnest.io", "By", "Bytes of words sent and received."),
		degraded:   counter("redisimnest.degraded", "{operation}", "Results that were made while Redis was away."),
		refused:    counter("redisimnest.limiter.refused", "{request}", "Requests that a limiter did not allow."),
	}
}

// handle reports an instrument that cannot be made. The meter then returns one that does nothing.
func handle(err error) {
	if err != nil {
		otel.Handle(err)
	}
}

// record adds an operation to the metrics. It is alone if it is not one of the operations of a
// batch.
func (o *observer) record(ctx context.Context, e *nest.Event, alone bool) {
	failed := failureOf(e.Err)
	template := templateKey.String(e.Template)
	seconds := e.Duration.Seconds()
	switch e.Op {
	case opLoad:
		o.load.Record(ctx, seconds, with(failed, template))
		return
	case opConsume:
		o.handler.Record(ctx, seconds, with(failed, template))
		if e.Lag > 0 {
			o.lag.Record(ctx, e.Lag.Seconds(), metric.WithAttributes(template))
		}
		return
	case opAcquire:
		o.lockWait.Record(ctx, seconds, with(failed, template))
	}
	operation := operationKey.String(e.Op)
	if alone && !e.CacheHit && e.Op != opRetry {
		attrs := database(append(make([]attribute.KeyValue, 0, 12), template, operation), e)
		if failed.kind != "" {
			attrs = failed.appendTo(attrs)
		}
		o.duration.Record(ctx, seconds, metric.WithAttributes(attrs...))
	}
	whole := alone && e.Batch > 0 // its operations follow
	if !whole {
		attrs := append(make([]attribute.KeyValue, 0, 4), template, operation, cacheHitKey.Bool(e.CacheHit))
		if failed.kind != "" {
			attrs = append(attrs, errorKindKey.String(failed.kind))
		}
		o.operations.Add(ctx, 1, metric.WithAttributes(attrs...))
	}
	if !whole || e.Op != opBatch && e.Op != opAtomic {
		o.bytes(ctx, template, e)
	}
	if e.Degraded {
		o.degraded.Add(ctx, 1, metric.WithAttributes(template, operation))
	}
	if e.Refused && e.Op != opPeek {
		o.refused.Add(ctx, 1, metric.WithAttributes(template))
	}
}

func (o *observer) bytes(ctx context.Context, template attribute.KeyValue, e *nest.Event) {
	if e.BytesOut > 0 {
		o.io.Add(ctx, e.BytesOut, metric.WithAttributes(template, semconv.NetworkIODirectionTransmit))
	}
	if e.BytesIn > 0 {
		o.io.Add(ctx, e.BytesIn, metric.WithAttributes(template, semconv.NetworkIODirectionReceive))
	}
}

// with returns attributes with the error.type of what failed.
func with(f failure, attrs ...attribute.KeyValue) metric.MeasurementOption {
	if f.kind != "" {
		attrs = append(attrs, f.class())
	}
	return metric.WithAttributes(attrs...)
}
