package nesttest

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// StartOption is an option for how a test's own server is started.
type StartOption interface{ applyStart(o *startOptions) }

type startOptions struct {
	private    bool
	persistent bool
	untracked  bool
	tls        bool
	args       []string
}

type startOptionFunc func(o *startOptions)

func (f startOptionFunc) applyStart(o *startOptions) { f(o) }

// Persistent makes the server keep what was written across [Server.Kill] and [Server.Restart]:
// every write is in its append-only file before it is acknowledged. By default, the server keeps
// nothing.
func Persistent() StartOption {
	return startOptionFunc(func(o *startOptions) { o.persistent = true })
}

// Args adds options to redis-server's command line: Args("--maxmemory", "2mb"). The embedded server
// has no command line; a test that uses Args is skipped there, as with [Need].
func Args(args ...string) StartOption {
	return startOptionFunc(func(o *startOptions) { o.args = append(o.args, args...) })
}

// MaxMemory bounds the memory of the server, as maxmemory does: MaxMemory("4mb", "allkeys-lru").
// policy is what happens when it is full; "noeviction" refuses writes. With a limit of "1", it is
// full from the beginning. The embedded server knows no limit; a test that uses MaxMemory is
// skipped there.
func MaxMemory(limit, policy string) StartOption {
	return Args("--maxmemory", limit, "--maxmemory-policy", policy)
}

// NoTracking makes the server refuse CLIENT TRACKING, as some managed servers and proxies do. Its
// [Server.ClientOption] has DisableCache set: other clients cannot connect. The embedded server
// always refuses it.
func NoTracking() StartOption {
	return startOptionFunc(func(o *startOptions) { o.untracked = true })
}

// serverArgs returns the options of redis-server that do not depend on where it runs.
func (o startOptions) serverArgs() []string {
	args := []string{"--save", "", "--appendonly", "no"}
	if o.persistent {
		args = []string{"--save", "", "--appendonly", "yes", "--appendfsync", "always"}
	}
	if o.untracked {
		args = append(args, "--user", "default", "on", "nopass", "~*", "&*", "+@all", "-client|tracking")
	}
	return append(args, o.args...)
}

// Start starts a server for this test alone, of the same kind as the one that the other tests run
// on. If they run on a Redis Cluster, the new server is one from PATH; if they run on an existing
// server, it is the first kind that is available. The server ends with the test.
func Start(t testing.TB, opts ...StartOption) *Server {
	t.Helper()
	o := startOptions{private: true}
	for _, opt := range opts {
		opt.applyStart(&o)
	}
	if o.tls {
		return startTLS(t, o)
	}
	s, err := choose(o, reportTo(t))
	if err != nil {
		t.Fatal(err)
	}
	s.own(t)
	s.option.DisableCache = s.option.DisableCache || o.untracked
	if s.kind == KindEmbedded && len(o.args) > 0 {
		s.lacks(t, "options of redis-server's command line")
	}
	return s
}

// ofSeveral returns the options of a server that consists of several.
func ofSeveral(t testing.TB, opts []StartOption) startOptions {
	t.Helper()
	o := startOptions{private: true}
	for _, opt := range opts {
		opt.applyStart(&o)
	}
	if o.tls {
		t.Fatalf("nesttest: TLS is an option of Start, not of Replicas and Sentinel")
	}
	return o
}

// Embedded starts an embedded server for this test alone, whatever the other tests run on. The
// server ends with the test.
func Embedded(t testing.TB) *Server {
	t.Helper()
	s, err := startEmbedded(startOptions{private: true})
	if err != nil {
		t.Fatalf("nesttest: %v", err)
	}
	s.picked = true
	return s.own(t)
}

// shared starts the server that all tests of this binary share. Nothing stops it explicitly: it
// ends with this process.
var shared = sync.OnceValues(func() (*Server, error) {
	return choose(startOptions{}, func(err error) {
		fmt.Fprintf(os.Stderr, "nesttest: %v; trying the next kind of server\n", err)
	})
})

// Shared returns the server that all tests of this binary share, and starts it on the first call.
// It fails the test if no server is available.
func Shared(t testing.TB) *Server {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
