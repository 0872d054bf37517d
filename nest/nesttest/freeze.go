package nesttest

import (
	"errors"
	"sync"
	"testing"

	"github.com/ory/dockertest/v3/docker"
)

// freezer is an engine whose server can be stopped and go on, as SIGSTOP and SIGCONT do.
type freezer interface {
	freeze() error
	thaw() error
}

// Freeze makes the server stand still, as SIGSTOP does: connections stay open and are accepted, and
// nothing answers. It returns a function that lets the server go on, which may be called more than
// once and from any goroutine. The end of the test calls it too. Freeze fails the test if the test
// did not start the server itself. The test is skipped if the server has no process of its own that
// can be stopped: the embedded one has none. Of a Redis Cluster and of [Replicas], freeze one of
// [Server.Nodes].
func (s *Server) Freeze(t testing.TB) (thaw func()) {
	t.Helper()
	s.mustOwn(t, "Freeze")
	e, ok := s.engine.(freezer)
	if !ok {
		s.lacks(t, "a process that can be stopped")
	}
	if err := e.freeze(); err != nil {
		t.Fatalf("nesttest: freeze %s: %v", s, err)
	}
	thaw = sync.OnceFunc(func() {
		if err := e.thaw(); err != nil {
			t.Errorf("nesttest: let %s go on: %v", s, err)
		}
	})
	t.Cleanup(thaw)
	return thaw
}

func (c *container) signal(with docker.Signal) error {
	return c.pool.Client.KillContainer(docker.KillContainerOptions{ID: c.resource.Container.ID, Signal: with})
}

func (c *container) freeze() error { return c.signal(docker.SIGSTOP) }

// thaw leaves a container alone that was killed meanwhile.
func (c *container) thaw() error {
	err := c.signal(docker.SIGCONT)
	if stopped := (*docker.ContainerNotRunning)(nil); errors.As(err, &stopped) {
		return nil
	}
	return err
}

func (n *tenant) freeze() error {
	return n.sh(`read -r pid <"$1" && kill -STOP "$pid"`, n.pidFile())
}

// thaw leaves a server alone that was killed meanwhile.
func (n *tenant) thaw() error {
	return n.sh(`if read -r pid <"$1"; then kill -CONT "$pid"; fi`, n.pidFile())
}
