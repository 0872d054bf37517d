package nesttest

import (
	"context"
	"os"
	"testing"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/acl"
)

// Open opens the tree on the server that all tests of this binary share, under a prefix that no
// other test has. Keys below the prefix are deleted when the test ends. Options that the tree needs
// (a keyring, for example) follow the tree, as in [nest.Open]. If one of them is [nest.WithPrefix],
// it replaces the prefix, and the test has to delete the keys itself.
//
// If REDIS_TEST_ACL is set, the scope's client is logged in as a user who has the rights that
// [acl.Rules] lists for the tree, and no others. So tests show that a service can do with them.
func Open(t testing.TB, root *nest.ClusterDef, opts ...nest.OpenOption) nest.Scope {
	t.Helper()
	return Shared(t).Open(t, root, opts...)
}

// Client connects to the server that all tests of this binary share. The client is closed when the
// test ends. Keys written with it are not deleted, unless they are below [Server.Prefix].
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
	if os.Getenv("REDIS_TEST_ACL") == "" {
		return scope
	}
	s.Need(t, ACL)
	rules, err := acl.Rules(scope, acl.ReadWrite, acl.On(context.Background(), s.Client(t)))
	if err != nil {
		t.Fatal(err)
	}
	scope, err = nest.Open(s.ClientOf(t, rules), root, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return scope
}
