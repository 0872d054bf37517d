package nesttest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Docker is there for who imports nestdocker; this package does not.
func TestDockerNeedsItsPackage(t *testing.T) {
	t.Setenv("REDIS_TEST_ADDR", "")
	t.Setenv("REDIS_TEST_SERVER", "docker")
	_, err := choose(startOptions{}, func(error) {})
	require.ErrorContains(t, err, "nest/nesttest/nestdocker")
	_, err = startCluster(startOptions{}, func(error) {})
	require.ErrorContains(t, err, "nest/nesttest/nestdocker")
	t.Setenv("REDIS_TEST_SERVER", "")
	s, err := choose(startOptions{}, func(err error) { require.NotContains(t, err.Error(), "docker") })
	require.NoError(t, err)
	require.NotEqual(t, KindDocker, s.Kind())
	require.NoError(t, s.engine.Close())
}
