package nesttest

import (
	"testing"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

// Open opens the tree on the server that all tests of this binary share, under a prefix that no
// other test has. What is written there is deleted when the test ends. Options that the tree
// needs (a keyring, say) follow it as they do in [nest.Open]; a [nest.WithPrefix] among them
// replaces the prefix, and then the keys are the test's own to delete.
func Open(t testing.TB, root *nest.ClusterDef, opts ...nest.OpenOption) nest.Scope {
	t.Helper()
	return Shared(t).Open(t, root, opts...)
}

// Client connects to the server that all tests of this binary share. The client is closed when
// the test ends. Keys written with it are not deleted, unless they lie below [Prefix].
func Client(t testing.TB) rueidis.Client {
	t.Helper()
	return Shared(t).Client(t)
}

// Open opens the tree on this server, as the function [Open] does on the shared one.
func (s *Server) Open(t testing.TB, root *nest.ClusterDef, opts ...nest.OpenOption) nest.Scope {
	t.Helper()
	opts = append([]nest.OpenOption{nest.WithPrefix(s.Prefix(t))}, opts...)
	opts = append([]nest.OpenOption{nest.WithOneConnection()}, opts...) // see ClientOption
	scope, err := nest.Open(s.Client(t), root, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return scope
}
