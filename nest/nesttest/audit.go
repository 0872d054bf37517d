package nesttest

import (
	"context"
	"testing"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/audit"
)

// NoKeyWithoutTTL fails the test if a key below the scope is declared with a TTL and has no expiry
// in Redis. The failure names such keys, redacted as in errors, with their declarations and the
// places of these. It looks at all keys below the scope, which is meant for the end of a test that
// has used them:
//
//	root := nesttest.Open(t, app.Root)
//	runTheService(t, root)
//	nesttest.NoKeyWithoutTTL(t, root)
//
// Keys that are declared without a TTL may live forever. See [audit.Run] for more that can be
// checked.
func NoKeyWithoutTTL(t testing.TB, scope nest.Scope) {
	t.Helper()
	audited(t, scope, nest.MissingTTL)
}

// NothingUndeclared fails the test if there is a name below the scope that nothing declares, or
// something that package nest keeps beside a key and whose key is gone. The failure names examples
// of each shape of names. The scope says where the names are looked for: a name outside of it does
// not matter.
func NothingUndeclared(t testing.TB, scope nest.Scope) {
	t.Helper()
	audited(t, scope, audit.Undeclared, audit.Orphan)
}

// audited fails the test if an audit has findings of these kinds.
func audited(t testing.TB, scope nest.Scope, kinds ...nest.ProblemKind) {
	t.Helper()
	// In a cleanup, the context of the test has ended.
	report, err := audit.Run(context.WithoutCancel(t.Context()), scope, audit.SampleMemory(0), audit.Examples(10))
	if err == nil {
		err = report.Err(kinds...)
	}
	if err != nil {
		t.Errorf("nesttest: %v", err)
	}
}
