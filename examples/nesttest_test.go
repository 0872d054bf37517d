package examples_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/examples/quickstart/users"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

// TestWithATreeOfItsOwn shows how a service tests its use of its keyspace.
func TestWithATreeOfItsOwn(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ring, err := secure.ParseKeyring(keys)
	require.NoError(t, err)
	hasher, err := secure.NewPasswords(secure.Policy{Memory: 16, Time: 1, Threads: 1}, secure.AllowWeak(t)) // fast
	require.NoError(t, err)

	root := nesttest.Open(t, Root, nest.WithKeyring(ring), nest.WithPasswords(hasher))

	require.NoError(t, users.APIKey.At(root, 42).Set(ctx, "sk-123"))
	got, err := users.APIKey.At(root, 42).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, "sk-123", got)
}
