package nesttest

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/nesttest/internal/engine"
)

// Kind is where a server comes from. Its values are those of REDIS_TEST_SERVER.
type Kind string

// The kinds of servers, in the order in which they are tried. A Redis Cluster is never tried, only
// chosen.
const (
	KindAddr     Kind = "addr"     // an existing server, at REDIS_TEST_ADDR
	KindDocker   Kind = "docker"   // a container, which package nestdocker starts
	KindPath     Kind = "path"     // a process of redis-server or valkey-server
	KindEmbedded Kind = "embedded" // miniredis, in this process
	KindCluster  Kind = "cluster"  // a Redis Cluster, in a container or of processes
)

// Server is a Redis server that tests run on: the one that all tests of a binary share ([Shared]),
// or one that a single test started for itself ([Start], [Cluster]). It is safe for concurrent use.
type Server struct {
	kind    Kind
	addrs   []string
	option  rueidis.ClientOption // in addition to the addresses: credentials, what the kind needs
	engine  engine.Engine        // nil for an existing server
	private bool
	picked  bool // chosen by REDIS_TEST_SERVER or REDIS_TEST_ADDR, not for lack of others

	janitor func() (rueidis.Client, error) // for probes and for deleting keys
	probes  sync.Map                       // Capability to error
	users   *users

	certificates string // the folder with those of a server with TLS
}

// newServer returns a Server that the engine runs at addrs.
func newServer(kind Kind, e engine.Engine, option rueidis.ClientOption, addrs ...string) *Server {
	s := &Server{kind: kind, addrs: addrs, option: option, engine: e, users: &users{}}
	s.janitor = sync.OnceValues(func() (rueidis.Client, error) {
		return rueidis.NewClient(s.ClientOption())
	})
	return s
}

// Kind returns where the server comes from. Use it in messages and to choose a benchmark's title.
// If a test needs a capability of the server, use [Server.Need].
func (s *Server) Kind() Kind { return s.kind }

// Addr returns the host and port of the server. For a Redis Cluster, they are those of the first
// node.
func (s *Server) Addr() string { return s.addrs[0] }

// Addrs returns the hosts and ports of all nodes with which the server was started.
func (s *Server) Addrs() []string { return append([]string(nil), s.addrs...) }

// Nodes returns the nodes of a Redis Cluster that the test started, each as a server that can be
// killed and restarted alone: at first three primaries, then their replicas in the same order, then
// those that joined ([Server.Join]). For [Replicas] and [Sentinel] it returns the primary and its
// replicas. Any other server is its own only node.
func (s *Server) Nodes() []*Server {
	var nodes []*Server
	add := func(kind Kind, e engine.Engine, addr string) {
		n := newServer(kind, e, clientOptionOfOne, addr)
		n.option.DisableCache = s.option.DisableCache
		n.private, n.users = s.private, s.users
		nodes = append(nodes, n)
	}
	switch e := s.engine.(type) {
	case *cluster:
		for _, n := range e.all() {
			add(e.kind, n, n.Address())
		}
	case *replicated:
		for _, n := range e.all() {
			add(e.kind, n, n.Address())
		}
	case *watched:
		for _, n := range e.all() {
			add(e.kind, n, n.Address())
		}
	default:
		nodes = append(nodes, s)
	}
	return nodes
}

// asked returns the addresses at which the servers are asked without a client.
func (s *Server) asked() []string {
	switch e := s.engine.(type) {
	case *cluster:
		return addresses(e.all())
	case *watched:
		return addresses(e.all())
	case engine.Node: // without TLS
		return []string{e.Address()}
	}
	return s.addrs
}

func addresses(nodes []engine.Node) []string {
	addrs := make([]string, len(nodes))
	for i, n := range nodes {
		addrs[i] = n.Address()
	}
	return addrs
}

// clientOptionOfOne is the option for a client of one server among several.
var clientOptionOfOne = rueidis.ClientOption{ForceSingleClient: true}

// String returns the server's name for messages: "path 127.0.0.1:40001".
func (s *Server) String() string { return string(s.kind) + " " + strings.Join(s.addrs, ",") }

// Kill ends the server at once, as kill -9 does. Clients lose their connections, and new
// connections are refused until [Server.Restart]. It kills all nodes of a [Cluster], and the
// primary of [Replicas] and [Sentinel]; kill one of [Server.Nodes] to kill another one. Kill fails
// the test if the test did not start the server itself.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.mustOwn(t, "Kill")
	if err := s.engine.Kill(); err != nil {
		t.Fatalf("nesttest: kill %s: %v", s, err)
	}
}

// Restart starts a killed server again on the same address, or those of several that were killed.
// If the server was started as [Persistent], it has the data that it had; otherwise it is empty.
// Restart returns when the server responds.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.mustOwn(t, "Restart")
	if err := s.engine.Restart(); err != nil {
		t.Fatalf("nesttest: restart %s: %v", s, err)
	}
	if err := s.users.makeAgain(s.asked()); err != nil {
		t.Fatalf("nesttest: restart %s: %v", s, err)
	}
}

// Advance lets d pass on the server's clock. It moves the clock of the embedded server; for other
// servers, it waits. It fails the test if the test did not start the server itself, because other
// tests' keys would expire too.
func (s *Server) Advance(t testing.TB, d time.Duration) {
	t.Helper()
	s.mustOwn(t, "Advance")
	if e, ok := s.engine.(*embedded); ok {
		e.mini.FastForward(d)
		return
	}
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatalf("nesttest: advance %s: %v", s, context.Cause(t.Context()))
	}
}

func (s *Server) mustOwn(t testing.TB, op string) {
	t.Helper()
	if !s.private {
		t.Fatalf("nesttest: %s on the server that all tests share; a test that needs this starts its own with nesttest.Start", op)
	}
}

// own makes the server the test's own: the server ends with the test.
func (s *Server) own(t testing.TB) *Server {
	s.private = true
	t.Cleanup(func() {
		if err := s.engine.Close(); err != nil {
			t.Errorf("nesttest: stop %s: %v", s, err)
		}
	})
	return s
}
