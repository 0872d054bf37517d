package kit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

var (
	visits = nest.Key[int]("visits", nest.Default(0))
	users  = nest.Cluster("user:<user_id>", nest.Sub(visits))
	root   = nest.Cluster("root", nest.Sub(users))
)

// Two tests that open one tree do not see each other's keys, and leave no keys behind.
func TestOpenGivesEachTestItsOwnKeyspace(t *testing.T) {
	t.Parallel()
	client := nesttest.Client(t)
	var prefixes []string
	for range 2 {
		t.Run("", func(t *testing.T) {
			scope := nesttest.Open(t, root)
			prefixes = append(prefixes, scope.Prefix())
			n, err := visits.At(scope, 42).Get(t.Context())
			require.NoError(t, err)
			require.Zero(t, n)
			require.NoError(t, visits.At(scope, 42).Set(t.Context(), 7))
		})
	}
	require.Len(t, prefixes, 2)
	require.NotEqual(t, prefixes[0], prefixes[1])
	for _, prefix := range prefixes {
		key := prefix + ":user:42:visits"
		n, err := client.Do(t.Context(), client.B().Exists().Key(key).Build()).ToInt64()
		require.NoError(t, err)
		require.Zero(t, n, "the key of a test that ended is still there")
	}
}
