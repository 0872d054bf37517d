package nesttest

import (
	"errors"
	"os"
	"testing"

	"github.com/redisimnest/redisimnest/nest/nesttest/internal/engine"
)

// inHome starts a server that consists of several: in a container with that many ports if the tests
// may run in one and it is available, otherwise of processes from PATH. start owns the home, even
// if it returns an error.
func inHome(ports int, report func(error), start func(kind Kind, in engine.Home) (*Server, error)) (*Server, error) {
	chosen := Kind(os.Getenv("REDIS_TEST_SERVER"))
	wanted := chosen != KindPath && chosen != KindEmbedded && engine.Registered() != nil
	if wanted || chosen == KindDocker {
		s, err := inContainer(ports, start)
		if err == nil || chosen == KindDocker {
			return s, err
		}
		report(err)
	}
	if _, err := lookProgram(); err != nil {
		return nil, err
	}
	return start(KindPath, processes{})
}

func inContainer(ports int, start func(kind Kind, in engine.Home) (*Server, error)) (*Server, error) {
	containers := engine.Registered()
	if containers == nil {
		return nil, errNoContainers
	}
	in, err := containers.Home(ports)
	if err != nil {
		return nil, err
	}
	return start(KindDocker, in)
}

// mustHave makes a server the test's own. If neither a container nor the program is available, the
// test is skipped; in CI it fails.
func mustHave(s *Server, err error) func(t testing.TB) *Server {
	return func(t testing.TB) *Server {
		t.Helper()
		switch {
		case err == nil:
			return s.own(t)
		case inCI() || !errors.Is(err, errNoProgram):
			t.Fatalf("nesttest: %v", err)
		}
		t.Skipf("nesttest: SKIPPED, not passed: %v", err)
		return nil
	}
}

// reportTo returns what reports to a test why the next kind of server is tried.
func reportTo(t testing.TB) func(error) {
	return func(err error) { t.Logf("nesttest: %v", err) }
}
