package main

import (
	"context"
	"net/http"
	"time"
)

// pingTime is how long Redis may take to say that it is there.
const pingTime = time.Second

// getHealth answers as long as the process lives. It asks nobody: a process that is restarted
// because Redis is away helps nobody.
func (s *service) getHealth(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

// getReady reports whether requests should come here.
func (s *service) getReady(w http.ResponseWriter, r *http.Request) {
	if s.leaving.Load() {
		http.Error(w, "shutting down", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), pingTime)
	defer cancel()
	if err := s.keys.root.Ping(ctx); err != nil {
		s.log.WarnContext(ctx, "not ready", "error", err)
		http.Error(w, "Redis is away", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusOK)
}
