package nestotel_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nestotel"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

var (
	name    = nest.Key[string]("name:<n>", nest.TTL(60))
	held    = nest.Key[string]("held", nest.Cached(time.Minute))
	hall    = nest.Key[string]("hall", nest.Default("empty"), nest.WhenDown(nest.GiveDefault))
	session = nest.Hash[string]("session:<token>", nest.Params(nest.Param[string]("token", nest.Sensitive())))
	jobs    = nest.Stream[string]("jobs")
	gate    = nest.Lock("gate", nest.TTL(30))
	pace    = nest.Limiter("pace:<ip>", nest.Rate(1, time.Hour))
	seen    = nest.Cluster("seen", nest.Sub(name, held, hall, session, jobs, gate, pace))
)

// telemetry collects what is exported.
type telemetry struct {
	spans  *tracetest.SpanRecorder
	tracer oteltrace.Tracer
	reader *metric.ManualReader
	opts   []nestotel.Option
}

func collect(opts ...nestotel.Option) *telemetry {
	c := &telemetry{spans: tracetest.NewSpanRecorder(), reader: metric.NewManualReader()}
	tracers := trace.NewTracerProvider(trace.WithSpanProcessor(c.spans))
	c.tracer = tracers.Tracer("test")
	c.opts = append(slices.Clone(opts), nestotel.WithTracerProvider(tracers), nestotel.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(c.reader))), nil)
	return c
}

func (c *telemetry) observe() nest.OpenOption { return nestotel.Observe(c.opts...) }

// span returns the only ended span of which the name begins like this.
func (c *telemetry) span(t *testing.T, prefix string) trace.ReadOnlySpan {
	t.Helper()
	var found []trace.ReadOnlySpan
	for _, s := range c.spans.Ended() {
		if strings.HasPrefix(s.Name(), prefix) {
			found = append(found, s)
		}
	}
	require.Len(t, found, 1, "%q among %q", prefix, c.names())
	return found[0]
}

func (c *telemetry) names() (names []string) {
	for _, s := range c.spans.Ended() {
		names = append(names, s.Name())
	}
	return names
}

// attributes returns what a span says, by name.
func attributes(list []attribute.KeyValue) map[string]string {
	m := make(map[string]string, len(list))
	for _, a := range list {
		m[string(a.Key)] = a.Value.String()
	}
	return m
}

// metrics returns the data points of a metric.
func (c *telemetry) metrics(t *testing.T) map[string]metricdata.Aggregation {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, c.reader.Collect(t.Context(), &all))
	m := map[string]metricdata.Aggregation{}
	for _, scope := range all.ScopeMetrics {
		for _, one := range scope.Metrics {
			m[one.Name] = one.Data
		}
	}
	return m
}

// sum adds up the points of a counter that have all of these attributes.
func sum(of metricdata.Aggregation, with ...attribute.KeyValue) (n int64) {
	counter, _ := of.(metricdata.Sum[int64])
	for _, p := range counter.DataPoints {
		if hasAll(p.Attributes, with) {
			n += p.Value
		}
	}
	return n
}

// count adds up how many values a histogram has with all of these attributes.
func count(of metricdata.Aggregation, with ...attribute.KeyValue) (n uint64) {
	histogram, _ := of.(metricdata.Histogram[float64])
	for _, p := range histogram.DataPoints {
		if hasAll(p.Attributes, with) {
			n += p.Count
		}
	}
	return n
}

func hasAll(set attribute.Set, with []attribute.KeyValue) bool {
	return !slices.ContainsFunc(with, func(a attribute.KeyValue) bool {
		v, ok := set.Value(a.Key)
		return !ok || v.String() != a.Value.String()
	})
}

// ends returns the template of a key of the tree, below the prefix that the test has.
func ends(t *testing.T, s trace.ReadOnlySpan, template string) {
	t.Helper()
	require.True(t, strings.HasSuffix(s.Name(), ":seen"+template), s.Name())
}

func TestSpansOfOperations(t *testing.T) {
	t.Parallel()
	c := collect()
	root := nesttest.Open(t, seen, c.observe())
	ctx, parent := c.tracer.Start(t.Context(), "request")
	require.NoError(t, name.At(root, 1).Set(ctx, "Ali"))
	_, err := name.At(root, 2).Get(ctx)
	require.ErrorIs(t, err, nest.ErrNotFound)
	parent.End()

	set := c.span(t, "SET ")
	ends(t, set, ":name:<n>")
	require.Equal(t, oteltrace.SpanKindClient, set.SpanKind())
	require.Equal(t, parent.SpanContext().SpanID(), set.Parent().SpanID())
	says := attributes(set.Attributes())
	require.Equal(t, "redis", says["db.system.name"])
	require.Equal(t, "SET", says["db.operation.name"])
	require.Equal(t, set.Name(), says["db.query.summary"])
	require.Equal(t, "SET "+says["redisimnest.template"], set.Name())
	require.Equal(t, "set", says["redisimnest.operation"])
	require.Equal(t, "value", says["redisimnest.kind"])
	require.NotContains(t, says, "redisimnest.key")
	require.NotContains(t, says, "db.operation.batch.size")
	require.Equal(t, codes.Unset, c.span(t, "GET ").Status().Code, "a missing key is no failure")
	for _, s := range c.spans.Ended() {
		if nodes := root.Client().Nodes(); len(nodes) == 1 && s.Name() != "request" {
			says := attributes(s.Attributes())
			require.Contains(t, nodes, says["server.address"]+":"+says["server.port"])
		}
	}

	m := c.metrics(t)
	histogram := m["db.client.operation.duration"].(metricdata.Histogram[float64])
	require.Len(t, histogram.DataPoints, 2)
	require.Equal(t, []float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10}, histogram.DataPoints[0].Bounds)
	took := set.EndTime().Sub(set.StartTime()).Seconds()
	require.InDelta(t, took, sumOf(histogram, "SET"), 1e-6, "the duration is that of the span")
	require.Equal(t, int64(2), sum(m["redisimnest.operations"]))
	out := sum(m["redisimnest.io"], attribute.String("network.io.direction", "transmit"))
	require.Positive(t, out)
}

func sumOf(h metricdata.Histogram[float64], command string) float64 {
	for _, p := range h.DataPoints {
		if v, _ := p.Attributes.Value("db.operation.name"); v.AsString() == command {
			return p.Sum
		}
	}
	return -1
}

// What the loader calls is below the loader's span, which is below that of GetOrLoad.
func TestSpansOfLoaders(t *testing.T) {
	t.Parallel()
	c := collect()
	root := nesttest.Open(t, seen, c.observe())
	_, err := name.At(root, 1).GetOrLoad(t.Context(), func(ctx context.Context) (string, error) {
		_, err := hall.At(root).Get(ctx)
		return "loaded", err
	})
	require.NoError(t, err)
	_, err = name.At(root, 2).GetOrLoad(t.Context(), func(context.Context) (string, error) { return "", errors.New("the source fails") })
	require.ErrorContains(t, err, "the source fails")

	var outer, inner []trace.ReadOnlySpan
	for _, s := range c.spans.Ended() {
		switch says := attributes(s.Attributes()); says["redisimnest.operation"] {
		case "get or load":
			outer = append(outer, s)
		case "load":
			inner = append(inner, s)
			require.Equal(t, oteltrace.SpanKindInternal, s.SpanKind())
			require.NotContains(t, says, "db.system.name")
		}
	}
	require.Len(t, outer, 2)
	require.Len(t, inner, 2)
	for i := range inner {
		require.Equal(t, outer[i].SpanContext().SpanID(), inner[i].Parent().SpanID())
	}
	require.Equal(t, inner[0].SpanContext().SpanID(), c.span(t, "GET ").Parent().SpanID())
	require.Equal(t, codes.Error, inner[1].Status().Code)
	require.Equal(t, "_OTHER", attributes(inner[1].Attributes())["error.type"])
	m := c.metrics(t)
	require.Equal(t, uint64(2), count(m["redisimnest.load.duration"]))
	require.Equal(t, uint64(1), count(m["redisimnest.load.duration"], attribute.String("error.type", "_OTHER")))
	require.Zero(t, count(m["db.client.operation.duration"], attribute.String("redisimnest.operation", "load")))
}

func TestSpansOfHandlers(t *testing.T) {
	t.Parallel()
	c := collect()
	root := nesttest.Open(t, seen, c.observe())
	ref := jobs.At(root)
	_, err := ref.Add(t.Context(), "one")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	require.NoError(t, ref.Consume(ctx, "g", "a", func(ctx context.Context, _ nest.Delivery[string]) error {
		defer cancel()
		return name.At(root, 1).Set(ctx, "handled")
	}))
	handler := c.span(t, "consume ")
	require.Equal(t, oteltrace.SpanKindConsumer, handler.SpanKind())
	require.Equal(t, handler.SpanContext().SpanID(), c.span(t, "SET ").Parent().SpanID())
	require.Equal(t, handler.SpanContext().SpanID(), c.span(t, "XACK ").Parent().SpanID())
	m := c.metrics(t)
	require.Equal(t, uint64(1), count(m["redisimnest.handler.duration"]))
	require.Equal(t, uint64(1), count(m["redisimnest.consumer.lag"]))
}

func TestSpansOfBatches(t *testing.T) {
	t.Parallel()
	c := collect()
	root := nesttest.Open(t, nest.Cluster("seen", nest.HashTag(), nest.Sub(name, hall)), c.observe())
	run := func(b *nest.Batch, fill func(*nest.Batch)) {
		fill(b)
		require.NoError(t, b.Exec(t.Context()))
	}
	run(root.Batch(), func(b *nest.Batch) { name.At(root, 1).In(b).Set("a"); hall.At(root).In(b).Get() })
	run(root.Batch(), func(b *nest.Batch) { name.At(root, 1).In(b).Get(); hall.At(root).In(b).Get() })
	run(root.Atomic(), func(b *nest.Batch) { name.At(root, 1).In(b).Set("b"); name.At(root, 2).In(b).Set("b") })
	run(root.Batch(), func(b *nest.Batch) { name.At(root, 1).In(b).Set("c") })
	names := c.names()
	require.Len(t, names, 4)
	for i, want := range []string{"PIPELINE ", "PIPELINE GET ", "MULTI SET ", "SET "} {
		require.True(t, strings.HasPrefix(names[i], want), names[i])
		size := attributes(c.spans.Ended()[i].Attributes())["db.operation.batch.size"]
		require.Equal(t, []string{"2", "2", "2", ""}[i], size, "one operation is no batch")
	}
	m := c.metrics(t)
	require.Equal(t, uint64(4), count(m["db.client.operation.duration"]), "a batch is one operation")
	require.Equal(t, int64(7), sum(m["redisimnest.operations"]))
	require.Equal(t, int64(4), sum(m["redisimnest.operations"], attribute.String("redisimnest.operation", "set")))

	_, err := nest.LoadMany(t.Context(), []int{7, 8}, func(id int) nest.KeyRef[string] { return name.At(root, id) },
		func(context.Context, []int) (map[int]string, error) { return map[int]string{7: "seven"}, nil })
	require.NoError(t, err)
	many := c.span(t, "load many ")
	require.Equal(t, "2", attributes(many.Attributes())["db.operation.batch.size"])
	require.Equal(t, many.SpanContext().SpanID(), c.span(t, "load "+strings.TrimPrefix(many.Name(), "load many ")).Parent().SpanID())
	require.Equal(t, int64(2), sum(c.metrics(t)["redisimnest.operations"], attribute.String("redisimnest.operation", "load many")))
}

func TestFailures(t *testing.T) {
	t.Parallel()
	c := collect()
	root := nesttest.Open(t, seen, c.observe())
	ctx := t.Context()
	client := root.Client()
	_, err := name.At(root, 1).Do(ctx, "INCRBY", "x")
	require.Error(t, err)
	require.NoError(t, client.Do(ctx, client.B().Hset().Key(name.At(root, 2).Key()).FieldValue().FieldValue("f", "v").Build()).Error())
	_, err = name.At(root, 2).Get(ctx)
	require.ErrorIs(t, err, nest.ErrWrongType)
	_, err = name.At(root).Get(ctx) //nest:ignore the error is what is tested
	require.ErrorIs(t, err, nest.ErrMissingParam)

	wrong := c.span(t, "GET ")
	require.Equal(t, codes.Error, wrong.Status().Code)
	require.Equal(t, "wrong_type", wrong.Status().Description)
	says := attributes(wrong.Attributes())
	require.Equal(t, "wrong_type", says["redisimnest.error.kind"])
	require.Equal(t, "WRONGTYPE", says["error.type"])
	says = attributes(c.span(t, "INCRBY ").Attributes())
	require.Equal(t, "ERR", says["error.type"])
	require.Equal(t, "_OTHER", says["redisimnest.error.kind"])
	require.Equal(t, "ERR", says["db.response.status_code"])
	require.Equal(t, "missing_param", attributes(c.span(t, "get ").Attributes())["error.type"], "what sends nothing is a span too")
	m := c.metrics(t)
	require.Equal(t, int64(1), sum(m["redisimnest.operations"], attribute.String("redisimnest.error.kind", "missing_param")))
	require.Equal(t, uint64(1), count(m["db.client.operation.duration"], attribute.String("error.type", "missing_param")))
}

func TestCacheHits(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Tracking)
	c := collect()
	root := nesttest.Open(t, seen, c.observe())
	require.NoError(t, held.At(root).Set(t.Context(), "x"))
	for range 4 {
		_, err := held.At(root).Get(t.Context())
		require.NoError(t, err)
	}
	m := c.metrics(t)
	get := attribute.String("redisimnest.operation", "get")
	hits := sum(m["redisimnest.operations"], get, attribute.Bool("redisimnest.cache.hit", true))
	require.Equal(t, int64(3), hits)
	require.Equal(t, int64(1), sum(m["redisimnest.operations"], get, attribute.Bool("redisimnest.cache.hit", false)))
	require.Equal(t, uint64(1), count(m["db.client.operation.duration"], get), "a hit does not ask the database")
	var marked int
	for _, s := range c.spans.Ended() {
		if attributes(s.Attributes())["redisimnest.cache.hit"] == "true" {
			marked++
		}
	}
	require.Equal(t, 3, marked)
}

func TestDegradedCalls(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	option := server.ClientOption()
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	c := collect()
	root, err := nest.Open(client, seen, nest.WithPrefix(server.Prefix(t)), nest.WithTimeout(300*time.Millisecond), c.observe())
	require.NoError(t, err)
	thaw := server.Freeze(t)
	got, err := hall.At(root).Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, "empty", got)
	require.ErrorIs(t, name.At(root, 1).Set(t.Context(), "x"), nest.ErrAway)
	thaw()
	require.Equal(t, "true", attributes(c.span(t, "GET ").Attributes())["redisimnest.degraded"])
	m := c.metrics(t)
	require.Equal(t, int64(1), sum(m["redisimnest.degraded"]))
	away := attribute.String("redisimnest.operation", "set")
	require.Equal(t, int64(1), sum(m["redisimnest.operations"], away))
}

func TestLocksAndLimiters(t *testing.T) {
	t.Parallel()
	c := collect()
	root := nesttest.Open(t, seen, c.observe())
	ctx, parent := c.tracer.Start(t.Context(), "request")
	require.NoError(t, gate.At(root).Run(ctx, func(ctx context.Context, _ *nest.Lease) error { return name.At(root, 1).Set(ctx, "x") }))
	require.Equal(t, parent.SpanContext().SpanID(), c.span(t, "SET ").Parent().SpanID(), "what runs under a lock is not below Acquire")
	for _, allowed := range []bool{true, false, false} {
		d, err := pace.At(root, "::1").Allow(ctx)
		require.NoError(t, err)
		require.Equal(t, allowed, d.Allowed)
	}
	_, err := pace.At(root, "::1").Peek(ctx)
	require.NoError(t, err)
	b := root.Batch()
	pace.At(root, "::1").In(b).Allow()
	require.NoError(t, b.Exec(ctx))
	m := c.metrics(t)
	require.Equal(t, uint64(1), count(m["redisimnest.lock.wait.duration"]))
	require.Equal(t, int64(3), sum(m["redisimnest.limiter.refused"]))
}

// Nothing of what is stored, and no parameter of a key, is in anything that is exported.
func TestNothingSecretIsExported(t *testing.T) {
	t.Parallel()
	const value, param, token = "planted-value", "planted-param", "planted-token"
	for _, keys := range []bool{false, true} {
		opts := []nestotel.Option(nil)
		if keys {
			opts = append(opts, nestotel.WithKeys())
		}
		c := collect(opts...)
		root := nesttest.Open(t, seen, c.observe())
		ctx := t.Context()
		n, s := name.At(root, param), session.At(root, token)
		require.NoError(t, n.Set(ctx, value))
		require.NoError(t, s.Set(ctx, value, value))
		for i := range 20 {
			_, err := name.At(root, param+strconv.Itoa(i)).Get(ctx)
			require.ErrorIs(t, err, nest.ErrNotFound)
		}
		_, err := s.Do(ctx, "INCRBY", value)
		require.Error(t, err)
		_, err = n.Do(ctx, "NOSUCH", value)
		require.Error(t, err)
		_, err = n.Update(ctx, func(string, bool) (string, error) { return "", errors.New(value) })
		require.Error(t, err)
		_, err = name.At(root, param, token).Get(ctx) //nest:ignore the extra argument is what is tested
		require.Error(t, err)
		_, err = name.At(root, param+"x").GetOrLoad(ctx, func(context.Context) (string, error) { return "", fmt.Errorf("%s of %s", value, param) })
		require.ErrorContains(t, err, value)
		b := root.Batch()
		n.In(b).Set(value)
		s.In(b).Set(value, value)
		s.In(b).Do("INCRBY", value)
		assert.Error(t, b.Exec(ctx))
		assert.Panics(t, func() {
			_, _ = n.Update(ctx, func(string, bool) (string, error) { panic(value) })
		})
		require.NoError(t, nest.Transact(ctx, root, func(tx *nest.Tx) error { n.In(tx.Writes()).Set(value); return nil }))
		_, err = root.Count(ctx)
		require.NoError(t, err)
		consumed, cancel := context.WithCancel(ctx)
		_, err = jobs.At(root).Add(ctx, value)
		require.NoError(t, err)
		require.NoError(t, jobs.At(root).Consume(consumed, "g", "a", func(_ context.Context, d nest.Delivery[string]) error {
			defer cancel()
			return errors.New(d.Value + param)
		}))

		var all metricdata.ResourceMetrics
		require.NoError(t, c.reader.Collect(ctx, &all))
		spans, err := json.Marshal(tracetest.SpanStubsFromReadOnlySpans(c.spans.Ended()))
		require.NoError(t, err)
		metrics, err := json.Marshal(all)
		require.NoError(t, err)
		require.Contains(t, string(spans), "SET ")
		require.Contains(t, string(metrics), "redisimnest.operations")
		for _, export := range []string{string(spans), string(metrics)} {
			require.NotContains(t, export, value)
			require.NotContains(t, export, token)
		}
		require.NotContains(t, string(metrics), param)
		require.Equal(t, keys, strings.Contains(string(spans), param), "WithKeys")
		require.Len(t, c.spans.Started(), len(c.spans.Ended()), "what began has ended")

		names := c.names()
		slices.Sort(names)
		names = slices.Compact(names)
		for _, n := range names {
			require.NotContains(t, n, "planted")
		}
		require.Less(t, len(names), 25, "%q", names)
	}
}
