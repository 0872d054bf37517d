package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// exporters are where spans and metrics go.
type exporters struct {
	spans   []trace.SpanExporter
	metrics []metric.Reader
}

// exporters returns what the environment asks for.
func (c config) exporters(ctx context.Context, out io.Writer) (exporters, error) {
	var all exporters
	if c.traces == "stdout" {
		spans, err := stdouttrace.New(stdouttrace.WithWriter(out))
		if err != nil {
			return all, fmt.Errorf("print spans: %w", err)
		}
		all.spans = append(all.spans, spans)
	}
	if !c.otlp {
		return all, nil
	}
	spans, err := otlptracehttp.New(ctx)
	if err != nil {
		return all, fmt.Errorf("export spans: %w", err)
	}
	metrics, err := otlpmetrichttp.New(ctx)
	if err != nil {
		return all, fmt.Errorf("export metrics: %w", err)
	}
	all.spans = append(all.spans, spans)
	all.metrics = append(all.metrics, metric.NewPeriodicReader(metrics))
	return all, nil
}

// telemetry is what makes spans and metrics.
type telemetry struct {
	traces  *trace.TracerProvider
	metrics *metric.MeterProvider
}

func newTelemetry(e exporters) telemetry {
	of := resource.NewWithAttributes(semconv.SchemaURL, semconv.ServiceName("shop"))
	traces := []trace.TracerProviderOption{trace.WithResource(of)}
	for _, spans := range e.spans {
		traces = append(traces, trace.WithBatcher(spans))
	}
	metrics := []metric.Option{metric.WithResource(of)}
	for _, reader := range e.metrics {
		metrics = append(metrics, metric.WithReader(reader))
	}
	return telemetry{trace.NewTracerProvider(traces...), metric.NewMeterProvider(metrics...)}
}

// shutdown sends what has not been sent yet.
func (t telemetry) shutdown(ctx context.Context) error {
	if err := errors.Join(t.traces.Shutdown(ctx), t.metrics.Shutdown(ctx)); err != nil {
		return fmt.Errorf("export the rest: %w", err)
	}
	return nil
}
