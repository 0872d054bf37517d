package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/redisimnest/redisimnest/examples/shop/accounts"
	"github.com/redisimnest/redisimnest/examples/shop/orders"
	"github.com/redisimnest/redisimnest/examples/shop/tenant"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nestotel"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

const (
	patience = 30 * time.Second // with a busy machine
	operator = "operator's password"
	customer = "wendelin"
	login    = `{"name":"wendelin","password":"correct horse"}`
)

// running is a service that runs, seen by a customer.
type running struct {
	*service

	t      *testing.T
	first  secure.Key // of the keyring
	url    string
	client *http.Client
	spans  *tracetest.InMemoryExporter
	reader *metric.ManualReader
	stop   func() error
}

// start runs the service on a server, as main would.
func start(t *testing.T, server *nesttest.Server) *running {
	t.Helper()
	conf, err := loadConfig(func(name string) string {
		return map[string]string{"SHOP_OPERATOR_PASSWORD": operator, "SHOP_RETRY": "50ms", "REDIS_URL": "the test's"}[name]
	})
	require.NoError(t, err)
	r := &running{t: t, first: secure.GenerateKey(), spans: tracetest.NewInMemoryExporter(), reader: metric.NewManualReader()}
	told := newTelemetry(exporters{spans: []trace.SpanExporter{kept{r.spans}}, metrics: []metric.Reader{r.reader}})
	log := newLogger(io.Discard, slog.LevelDebug)
	ring, err := secure.NewKeyring(r.first)
	require.NoError(t, err)
	hasher, err := secure.NewPasswords(secure.Policy{Memory: 16, Time: 1, Threads: 1}, secure.AllowWeak(t))
	require.NoError(t, err)
	k, err := openOn(server.Client(t), secure.NewHolder(ring), []nest.OpenOption{
		nest.WithPasswords(hasher), nest.WithLogger(log), nestotel.Observe(nestotel.WithTracerProvider(told.traces), nestotel.WithMeterProvider(told.metrics)),
	})
	require.NoError(t, err)
	r.service = newService(conf, k, told, log)
	require.NoError(t, r.prepare(t.Context()))

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r.url = "http://" + listener.Addr().String()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	r.client = &http.Client{Jar: jar, Transport: &http.Transport{}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.serve(ctx, listener) }()
	r.stop = func() error {
		cancel()
		return <-done
	}
	return r
}

// kept keeps the spans that were exported at the shutdown, too.
type kept struct{ *tracetest.InMemoryExporter }

func (kept) Shutdown(context.Context) error { return nil }

// ask sends a request, and returns the status and the body of the answer.
func (r *running) ask(method, path, body string, header ...string) (int, string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	require.NoError(r.t, err)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	if strings.HasPrefix(path, "/office/") {
		request.SetBasicAuth("operator", operator)
	}
	response, err := r.client.Do(request)
	require.NoError(r.t, err)
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	require.NoError(r.t, err)
	return response.StatusCode, string(answer)
}

// must sends a request, and returns the body of the answer.
func (r *running) must(status int, method, path, body string, header ...string) string {
	r.t.Helper()
	got, answer := r.ask(method, path, body, header...)
	require.Equal(r.t, status, got, "%s %s: %s", method, path, answer)
	return answer
}

func (r *running) eventually(condition func() bool) {
	r.t.Helper()
	require.Eventually(r.t, condition, patience, 5*time.Millisecond)
}

// login registers a customer and logs in.
func (r *running) login() {
	r.t.Helper()
	r.must(http.StatusCreated, "POST", "/shops/acme/accounts", login)
	r.must(http.StatusUnauthorized, "GET", "/shops/acme/cart", "")
	r.must(http.StatusOK, "POST", "/shops/acme/session", login)
}

// order puts tea into the cart and orders it twice with one idempotency key.
func (r *running) order() orders.Order {
	r.t.Helper()
	r.must(http.StatusNoContent, "PUT", "/shops/acme/cart/tea", `{"pieces":2}`)
	r.must(http.StatusNotFound, "PUT", "/shops/acme/cart/gold", `{"pieces":2}`)
	r.must(http.StatusBadRequest, "POST", "/shops/acme/orders", "")
	var first, second orders.Order
	for _, order := range []*orders.Order{&first, &second} {
		answer := r.must(http.StatusCreated, "POST", "/shops/acme/orders", "", "Idempotency-Key", "once")
		require.NoError(r.t, json.Unmarshal([]byte(answer), order))
	}
	require.Equal(r.t, first.ID, second.ID)
	require.JSONEq(r.t, `{}`, r.must(http.StatusOK, "GET", "/shops/acme/cart", ""))
	return first
}

// events returns the server-sent events of a customer, from now on.
func (r *running) events() <-chan string {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.url+"/shops/acme/orders", nil)
	require.NoError(r.t, err)
	response, err := r.client.Do(request) //nolint:bodyclose // below
	require.NoError(r.t, err)
	lines := make(chan string, 64)
	go func() {
		defer close(lines)
		defer func() { _ = response.Body.Close() }()
		for scanner := bufio.NewScanner(response.Body); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	require.Equal(r.t, ": listening", <-lines)
	return lines
}

// collect returns the metrics so far.
func (r *running) collect() metricdata.ResourceMetrics {
	r.t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(r.t, r.reader.Collect(r.t.Context(), &all))
	return all
}

func TestTheWholeShop(t *testing.T) { //nolint:paralleltest // it counts goroutines
	server := nesttest.Start(t)
	before := len(goroutines())
	r := start(t, server)

	r.login()
	events := r.events()
	order := r.order()
	for line := range events {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			var told orders.Order
			require.NoError(t, json.Unmarshal([]byte(data), &told))
			require.Equal(t, order.ID, told.ID)
			require.Equal(t, orders.Paid, told.Status)
			break
		}
	}
	require.Contains(t, r.must(http.StatusOK, "GET", "/shops/acme/orders/"+order.ID, ""), `"status":"paid"`)
	require.JSONEq(t, `[{"product":"tea","sold":2}]`, r.must(http.StatusOK, "GET", "/shops/acme/bestsellers", ""))
	require.JSONEq(t, `[]`, r.must(http.StatusOK, "GET", "/shops/globex/bestsellers", ""), "another tenant's")
	r.must(http.StatusUnauthorized, "POST", "/shops/globex/session", login)
	r.must(http.StatusNotFound, "GET", "/shops/initech/bestsellers", "")

	r.deadLetter()
	r.rotate()
	r.guess()
	r.withoutRedis(server)
	dashboardFits(t, r.collect())
	require.NoError(t, r.stop())
	for range events { // the shutdown has ended the stream
	}
	r.traced()
	r.client.CloseIdleConnections()
	for end := time.Now().Add(patience); len(goroutines()) > before; time.Sleep(5 * time.Millisecond) {
		require.True(t, time.Now().Before(end), "goroutines are left:\n%s", strings.Join(goroutines(), "\n\n"))
	}
}

// goroutines returns the stacks of all goroutines but two that begin once and never end:
// os/signal's own, and that of the store which scs.New begins with.
func goroutines() []string {
	stacks := make([]byte, 1<<22)
	all := strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n")
	return slices.DeleteFunc(all, func(stack string) bool {
		return strings.Contains(stack, "os/signal.loop(") || strings.Contains(stack, "memstore.(*MemStore).startCleanup(")
	})
}

// deadLetter adds an entry that is no order, and waits until it has been set aside.
func (r *running) deadLetter() {
	r.t.Helper()
	ctx, of := r.t.Context(), orders.Cluster.At(r.keys.root, "acme")
	_, err := orders.Placed.At(of).Do(ctx, "XADD", "*", "value", "no JSON")
	require.NoError(r.t, err)
	r.eventually(func() bool {
		n, err := orders.Dead.At(of).Len(ctx)
		require.NoError(r.t, err)
		return n == 1
	})
}

// rotate replaces the key of all secrets while the service runs.
func (r *running) rotate() {
	r.t.Helper()
	ring, err := secure.NewKeyring(secure.GenerateKey(), secure.AcceptOnly(r.first))
	require.NoError(r.t, err)
	r.keys.ring.Store(ring)
	require.Contains(r.t, r.must(http.StatusOK, "POST", "/office/reseal", ""), `"resealed":3`) // two payment keys and a password
	require.Contains(r.t, r.must(http.StatusOK, "POST", "/office/reseal", ""), `"clean":true`)
}

// guess tries to log in until the limiter says no.
func (r *running) guess() {
	r.t.Helper()
	r.eventually(func() bool {
		status, _ := r.ask("POST", "/shops/acme/session", `{"name":"wendelin","password":"wrong"}`)
		return status == http.StatusTooManyRequests
	})
}

// withoutRedis kills the server: the service is not ready and lives, and prices are still there.
func (r *running) withoutRedis(server *nesttest.Server) {
	r.t.Helper()
	r.must(http.StatusOK, "GET", "/readyz", "")
	server.Kill(r.t)
	r.must(http.StatusServiceUnavailable, "GET", "/readyz", "")
	r.must(http.StatusOK, "GET", "/healthz", "")
	require.Contains(r.t, r.must(http.StatusOK, "GET", "/shops/acme/products/pot", ""), `"cents":2900`)
	r.must(http.StatusServiceUnavailable, "GET", "/shops/acme/bestsellers", "")
	server.Restart(r.t)
	r.eventually(func() bool {
		status, _ := r.ask("GET", "/readyz", "")
		return status == http.StatusOK
	})
}

// traced looks for the spans of a request, and for what must not be in any.
func (r *running) traced() {
	r.t.Helper()
	byID, names := make(map[string]string), make(map[string]bool)
	for _, span := range r.spans.GetSpans() {
		byID[span.SpanContext.SpanID().String()] = span.Name
	}
	for _, span := range r.spans.GetSpans() {
		names[byID[span.Parent.SpanID().String()]+" > "+span.Name] = true
		require.NotContains(r.t, span.Name, customer)
		for _, a := range span.Attributes {
			require.NotContains(r.t, a.Value.String(), customer, "%s: %s", span.Name, a.Key)
		}
	}
	const product = "shop:catalog:prices:<tenant>:<gen>:product:<id>"
	for _, name := range []string{
		"GET /shops/acme/products/{id} > get or load " + product,
		"get or load " + product + " > load " + product,
		"POST /shops/acme/orders > transact shop:{orders:<tenant>}",
		"consume shop:{orders:<tenant>}:placed > update shop:{orders:<tenant>}:order:<order>",
		"PUT /shops/acme/cart/{product} > GET shop:accounts:<tenant>:session:<token>",
	} {
		require.Contains(r.t, names, name)
	}
	for name := range names {
		require.NotContains(r.t, name, "z > ", "probes are in no trace")
	}
}

func TestOperatorsOnly(t *testing.T) {
	t.Parallel()
	r := start(t, nesttest.Start(t))
	for _, route := range []string{"GET /office/keys/", "POST /office/reseal", "DELETE /office/acme/prices", "DELETE /office/acme/data", "GET /office/acme/sales/2026-01-02"} {
		method, path, _ := strings.Cut(route, " ")
		request := httptest.NewRequest(method, path, nil)
		for _, password := range []string{"", "operator's passwor"} {
			if password != "" {
				request.SetBasicAuth("operator", password)
			}
			w := httptest.NewRecorder()
			r.handler(t.Context()).ServeHTTP(w, request)
			require.Equal(t, http.StatusUnauthorized, w.Code, route)
			require.NotEmpty(t, w.Header().Get("WWW-Authenticate"))
		}
	}
	r.login()
	require.Contains(t, r.must(http.StatusOK, "GET", "/office/keys/", ""), "bestsellers")
	r.must(http.StatusNoContent, "DELETE", "/office/acme/prices", "")
	require.NotEqual(t, `{"deleted":0}`, strings.TrimSpace(r.must(http.StatusOK, "DELETE", "/office/acme/data", "")))
	r.must(http.StatusUnauthorized, "GET", "/shops/acme/cart", "")
	for name, left := range map[string]int64{"acme": 0, "globex": 1} {
		n, err := r.keys.root.Count(t.Context(), nest.Where(tenant.ID.Of(name)), nest.Only(accounts.Cluster, orders.PaymentKey))
		require.NoError(t, err)
		require.Equal(t, left, n, name)
	}
	require.NoError(t, r.stop())
}
