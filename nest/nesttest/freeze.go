package nesttest

import (
	"errors"
	"sync"
	"testing"

	"github.com/redisimnest/redisimnest/nest/nesttest/internal/engine"
)

// Freeze makes the server stand still, as SIGSTOP does: connections stay open and are accepted, and
// nothing answers. It returns a function that lets the server go on, which may be called more than
// once and from any goroutine. The end of the test calls it too. The test is skipped on the
// embedded server, which has no process of its own. Freeze fails the test if the test did not start
// the server itself, and if the server consists of several: of [Cluster], [Replicas] and
// [Sentinel], freeze one of [Server.Nodes].
func (s *Server) Freeze(t testing.TB) (thaw func()) {
	t.Helper()
	s.mustOwn(t, "Freeze")
	e, ok := s.engine.(engine.Freezer)
	if !ok && s.kind != KindEmbedded {
		t.Fatalf("nesttest: Freeze of %s: it consists of several servers: freeze one of Nodes", s)
	}
	if !ok {
		s.lacks(t, "a process that can be stopped")
	}
	err := e.Freeze()
	if errors.Is(err, errors.ErrUnsupported) {
		s.lacks(t, "a process that can be stopped")
	}
	if err != nil {
		t.Fatalf("nesttest: freeze %s: %v", s, err)
	}
	thaw = sync.OnceFunc(func() {
		if err := e.Thaw(); err != nil {
			t.Errorf("nesttest: let %s go on: %v", s, err)
		}
	})
	t.Cleanup(thaw)
	return thaw
}
