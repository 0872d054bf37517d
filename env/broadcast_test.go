package env

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
)

// The environment switches broadcasting on. Without it, or without a cached key, the client tracks
// as usual.
func TestOpenBroadcast(t *testing.T) {
	port, _ := server(t)
	cachedKey := nest.Key[int]("cached", nest.Cached(time.Minute))
	option := rueidis.ClientOption{InitAddress: []string{"127.0.0.1:" + port}, Password: sentinel, DisableCache: true, PipelineMultiplex: -1, ForceSingleClient: true}
	other, err := rueidis.NewClient(option)
	require.NoError(t, err)
	defer other.Close()
	for _, tt := range []struct {
		vars      []string
		root      *nest.ClusterDef
		broadcast bool
	}{
		{[]string{"REDIS_CACHE_BROADCAST=true"}, nest.Cluster("env-test", nest.Sub(cachedKey)), true},
		{nil, nest.Cluster("env-test", nest.Sub(cachedKey)), false},
		{[]string{"REDIS_CACHE_BROADCAST=true"}, tree, false},
	} {
		setenv(t, append(tt.vars, "REDIS_HOST=127.0.0.1", "REDIS_PORT="+port, "REDIS_PASS="+sentinel)...)
		scope, closeClient, err := Open(t.Context(), tt.root)
		require.NoError(t, err)
		list, err := other.Do(t.Context(), other.B().Arbitrary("CLIENT", "LIST").Build()).ToString()
		require.NoError(t, err)
		if tt.broadcast {
			require.Regexp(t, `flags=t?B`, list)
			ref := cachedKey.At(scope)
			for i := range 200 {
				require.NoError(t, ref.Set(t.Context(), i))
				got, err := ref.Get(t.Context())
				require.NoError(t, err)
				require.Equal(t, i, got)
			}
		} else {
			require.NotRegexp(t, `flags=\w*B`, list)
		}
		closeClient()
		require.Eventually(t, func() bool { // so that the next case sees only its own client
			list, err := other.Do(t.Context(), other.B().Arbitrary("CLIENT", "LIST").Build()).ToString()
			return err == nil && strings.Count(list, "flags=") == 1
		}, 5*time.Second, time.Millisecond)
	}
}
