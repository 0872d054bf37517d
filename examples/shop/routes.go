package main

import (
	"context"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/redisimnest/redisimnest/examples/shop/internal/web"
	"github.com/redisimnest/redisimnest/nest/keyadmin"
)

// handler returns all routes. Streams end when closing does.
func (s *service) handler(closing context.Context) http.Handler {
	mux := http.NewServeMux()
	for _, t := range s.shops {
		front := web.Routes{Mux: mux, Prefix: "/shops/" + t.name, Log: s.log, Timeout: requestTime}
		t.accounts.Routes(front)
		t.catalog.Routes(front)
		t.orders.Routes(closing, front, t.accounts.LoggedIn, t.accounts.Required)

		office := front
		office.Prefix = "/office/" + t.name
		t.catalog.OperatorRoutes(office, s.operators)
		office.Handle("DELETE", "/data", s.deleteTenant(t.name), s.operators)
	}
	whole := web.Routes{Mux: mux, Prefix: "/office", Log: s.log, Timeout: requestTime}
	whole.Handle("POST", "/reseal", s.postReseal, s.operators)
	mux.Handle("/office/keys/", s.operators(keyadmin.Handler(s.keys.root, keyadmin.Allow(s.isOperator), keyadmin.Until(closing))))

	traced := otelhttp.NewHandler(http.NewCrossOriginProtection().Handler(mux), "shop",
		otelhttp.WithTracerProvider(s.told.traces), otelhttp.WithMeterProvider(s.told.metrics))
	outer := http.NewServeMux() // probes are in no trace
	outer.HandleFunc("GET /healthz", s.getHealth)
	outer.HandleFunc("GET /readyz", s.getReady)
	outer.Handle("/", traced)
	return outer
}
