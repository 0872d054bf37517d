package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"

	"github.com/redisimnest/redisimnest/examples/shop/internal/web"
	"github.com/redisimnest/redisimnest/examples/shop/tenant"
	"github.com/redisimnest/redisimnest/nest"
)

// isOperator reports whether a request has the operator's password. How long it takes says nothing
// about the password.
func (s *service) isOperator(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	given, want := sha256.Sum256([]byte(password)), sha256.Sum256([]byte(s.conf.operator.Reveal()))
	return ok && user == "operator" && subtle.ConstantTimeCompare(given[:], want[:]) == 1
}

// operators is a middleware that asks for the operator's password.
func (s *service) operators(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.isOperator(r) {
			w.Header().Set("WWW-Authenticate", `Basic realm="office", charset="UTF-8"`)
			http.Error(w, "for operators", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// deleteTenant deletes all that belongs to a tenant, wherever it stands.
func (s *service) deleteTenant(name string) web.Func {
	return func(w http.ResponseWriter, r *http.Request) error {
		n, err := s.keys.root.Clear(r.Context(), nest.Where(tenant.ID.Of(name)))
		if err != nil {
			return fmt.Errorf("delete a tenant: %w", err)
		}
		return web.Write(w, http.StatusOK, map[string]int64{"deleted": n})
	}
}

func (s *service) postReseal(w http.ResponseWriter, r *http.Request) error {
	report, err := s.reseal(r.Context())
	if errors.Is(err, errResealing) {
		return web.Status(http.StatusConflict, err)
	}
	if err != nil {
		return err
	}
	return web.Write(w, http.StatusOK, map[string]any{"resealed": report.Resealed, "current": report.Current, "failed": report.Failed, "clean": report.Clean()})
}
