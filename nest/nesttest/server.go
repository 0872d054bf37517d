package nesttest

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// Kind tells where a server comes from. Its values are those of REDIS_TEST_SERVER.
type Kind string

// The kinds of servers, in the order in which they are tried. Redis Cluster is never tried,
// only picked.
const (
	KindAddr     Kind = "addr"     // somebody else's, at REDIS_TEST_ADDR
	KindDocker   Kind = "docker"   // a container
	KindPath     Kind = "path"     // a process of redis-server or valkey-server
	KindEmbedded Kind = "embedded" // miniredis, in this process
	KindCluster  Kind = "cluster"  // a Redis Cluster, in a container or of processes
)

// Server is a Redis that tests run on: the one that all tests of a binary share ([Shared]), or
// one that a single test started for itself ([Start], [Cluster]). It is safe for concurrent use.
type Server struct {
	kind    Kind
	addrs   []string
	option  rueidis.ClientOption // beyond the addresses: credentials, what the kind needs
	engine  engine               // nil for a server that somebody else runs
	private bool
	picked  bool // by REDIS_TEST_SERVER or REDIS_TEST_ADDR, not because nothing else was there

	janitor func() (rueidis.Client, error) // for probes and for deleting keys
	probes  sync.Map                       // Capability to error
}

// engine is what runs a server.
type engine interface {
	// kill ends the server at once, as a crash would.
	kill() error
	// restart starts a killed server on the same address.
	restart() error
	// close ends the server for good. The engine is not used again.
	close() error
}

// newServer makes the Server that the engine runs at addrs.
func newServer(kind Kind, e engine, option rueidis.ClientOption, addrs ...string) *Server {
	s := &Server{kind: kind, addrs: addrs, option: option, engine: e}
	s.janitor = sync.OnceValues(func() (rueidis.Client, error) {
		return rueidis.NewClient(s.ClientOption())
	})
	return s
}

// Kind tells where the server comes from. It is for messages and for choosing a benchmark's
// title; a test that needs something of a server asks for it with [Server.Need].
func (s *Server) Kind() Kind { return s.kind }

// Addr is the host and port of the server, of a Redis Cluster's first node.
func (s *Server) Addr() string { return s.addrs[0] }

// Addrs are the hosts and ports of all nodes that the server was started with.
func (s *Server) Addrs() []string { return append([]string(nil), s.addrs...) }

// Nodes are the nodes of a Redis Cluster that the test started, each a server to be killed and
// restarted alone: at first three primaries, then their replicas in the same order. Any other
// server is its own only node.
func (s *Server) Nodes() []*Server {
	c, ok := s.engine.(*cluster)
	if !ok {
		return []*Server{s}
	}
	nodes := make([]*Server, len(c.nodes))
	for i, n := range c.nodes {
		nodes[i] = newServer(c.kind, n, rueidis.ClientOption{ForceSingleClient: true}, n.address())
		nodes[i].private = s.private
	}
	return nodes
}

// String names the server in messages: "path 127.0.0.1:40001".
func (s *Server) String() string { return string(s.kind) + " " + strings.Join(s.addrs, ",") }

// Kill ends the server at once, as kill -9 does. Clients lose their connections, and further
// ones are refused until [Server.Restart]. It fails the test on a server that the test did not
// start itself.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.mustOwn(t, "Kill")
	if err := s.engine.kill(); err != nil {
		t.Fatalf("nesttest: kill %s: %v", s, err)
	}
}

// Restart starts a killed server again on the same address, with the data that it had if it
// was started as [Persistent], else empty. It returns when the server answers.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.mustOwn(t, "Restart")
	if err := s.engine.restart(); err != nil {
		t.Fatalf("nesttest: restart %s: %v", s, err)
	}
}

// Advance lets d pass on the server's clock: the embedded server's is moved, for the others
// it waits. It fails the test on a server that the test did not start itself, because other
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

// own makes the server the test's own: it ends with the test.
func (s *Server) own(t testing.TB) *Server {
	s.private = true
	t.Cleanup(func() {
		if err := s.engine.close(); err != nil {
			t.Errorf("nesttest: stop %s: %v", s, err)
		}
	})
	return s
}
