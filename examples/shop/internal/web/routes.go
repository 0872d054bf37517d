// Package web has what the handlers of all packages share: routes, JSON and the status of an error.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"
)

// Func handles a request. What it returns is answered, and logged if it is the service's fault.
type Func func(w http.ResponseWriter, r *http.Request) error

// Middleware wraps a handler.
type Middleware func(http.Handler) http.Handler

// Routes adds handlers to a mux, all below one prefix.
type Routes struct {
	Mux     *http.ServeMux
	Prefix  string // such as "/shops/acme"
	Log     *slog.Logger
	Timeout time.Duration // of a request
}

// Handle adds a handler whose context ends after the timeout. The first middleware is the
// outermost.
func (rs Routes) Handle(method, path string, f Func, through ...Middleware) {
	rs.Stream(method, path, func(w http.ResponseWriter, r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), rs.Timeout)
		defer cancel()
		return f(w, r.WithContext(ctx))
	}, through...)
}

// Stream adds a handler whose response lasts as long as the client wants it.
func (rs Routes) Stream(method, path string, f Func, through ...Middleware) {
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := f(w, r); err != nil {
			rs.fail(w, r, err)
		}
	})
	for _, middleware := range slices.Backward(through) {
		h = middleware(h)
	}
	rs.Mux.Handle(method+" "+rs.Prefix+path, h)
}
