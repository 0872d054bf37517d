package suite_test

import (
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

func TestTrackingOptions(t *testing.T) {
	t.Parallel()
	cached := nest.Cached(time.Minute)
	for _, c := range []struct {
		root *nest.ClusterDef
		opts []nest.OpenOption
		want []string
	}{
		{nest.Cluster("a", nest.Sub(nest.Key[int]("k"))), nil, nil},
		{nest.Cluster("a", cached, nest.Sub(nest.Key[int]("k"), nest.Key[int]("kk"), nest.Key[int]("b:<x>", nest.Cached(0)))), nil,
			[]string{"PREFIX", "a:k", "BCAST"}},
		{nest.Cluster("a", nest.Sub(nest.Key[int]("k"), nest.Cluster("u:<id>", cached, nest.Sub(nest.Key[int]("x"), nest.List[int]("y"))),
			nest.Set[int]("s", cached))), []nest.OpenOption{nest.WithPrefix("p")}, []string{"PREFIX", "p:a:s", "PREFIX", "p:a:u:", "BCAST"}},
		{nest.Cluster("u:<id>", nest.HashTag(), cached, nest.Sub(nest.Key[int]("x"))), nil, []string{"PREFIX", "{u:", "BCAST"}},
		{nest.Cluster("<tenant>", cached, nest.Sub(nest.Key[int]("x"))), nil, []string{"BCAST"}},
		{nest.Cluster("a", nest.Sub(nest.Key[int]("k"))), []nest.OpenOption{nest.WithDefaults(cached)}, []string{"PREFIX", "a:k", "BCAST"}},
	} {
		got, err := nest.TrackingOptions(c.root, c.opts...)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
	_, err := nest.TrackingOptions(nil)
	require.ErrorIs(t, err, nest.ErrDeclaration)
}

func TestBroadcast(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Tracking)
	server := nesttest.Shared(t)
	prefix := nest.WithPrefix(server.Prefix(t))
	option := server.ClientOption()
	var err error
	option.ClientTrackingOptions, err = nest.TrackingOptions(cachedTree, prefix)
	require.NoError(t, err)
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	seen := &eventLog{}
	root, err := nest.Open(client, cachedTree, prefix, nest.WithBroadcast(), nest.WithObserver(seen))
	require.NoError(t, err)

	info, err := client.Do(t.Context(), client.B().ClientTrackinginfo().Build()).AsMap()
	require.NoError(t, err)
	flags, prefixes := info["flags"], info["prefixes"]
	names, err := flags.AsStrSlice()
	require.NoError(t, err)
	require.Contains(t, names, "bcast")
	names, err = prefixes.AsStrSlice()
	require.NoError(t, err)
	require.NotEmpty(t, names)

	neverStale(t, root, 2_000)
	for i := range 2_000 {
		c := cachedCount.At(root, i%100)
		require.NoError(t, c.Set(t.Context(), i))
		_, err := c.Get(t.Context())
		require.NoError(t, err)
		_, err = root.Clear(t.Context())
		require.NoError(t, err)
		got, err := c.Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, -1, got, "read after Clear")
	}

	r, other := cachedCount.At(root, "x"), cachedCount.At(server.Open(t, cachedTree, prefix), "x")
	for i := range 20 {
		require.NoError(t, other.Set(t.Context(), i))
		require.Eventually(t, func() bool {
			got, err := r.Get(t.Context())
			return err == nil && got == i
		}, 5*time.Second, time.Millisecond)
		_, err := r.Get(t.Context())
		require.NoError(t, err)
		require.True(t, seen.last().CacheHit)
	}
}
