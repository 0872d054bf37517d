package kit_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/nesttest"
)

func ping(ctx context.Context, client rueidis.Client) error {
	return client.Do(ctx, client.B().Ping().Build()).Error()
}

func TestSentinelReplacesThePrimary(t *testing.T) {
	t.Parallel()
	server := nesttest.Sentinel(t)
	require.Len(t, server.Nodes(), 2)
	runsAsChosen(t, server)
	client := server.Client(t)
	set(t, client)
	first := keyOf(client.Nodes())
	replaced := func() bool { return keyOf(client.Nodes()) != first }
	server.Failover(t)
	require.Eventually(t, replaced, 20*time.Second, 10*time.Millisecond)
	there, err := exists(t.Context(), client)
	require.NoError(t, err)
	require.True(t, there)

	first = keyOf(client.Nodes())
	server.Kill(t)
	require.Eventually(t, replaced, 30*time.Second, 10*time.Millisecond)
	server.Restart(t)
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return client.Do(ctx, client.B().Set().Key("key").Value("y").Build()).Error() == nil
	}, 30*time.Second, 10*time.Millisecond)
}

// runsAsChosen holds that a server of several runs where REDIS_TEST_SERVER says, and not elsewhere.
func runsAsChosen(t *testing.T, server *nesttest.Server) {
	t.Helper()
	if chosen := nesttest.Kind(os.Getenv("REDIS_TEST_SERVER")); chosen == nesttest.KindDocker || chosen == nesttest.KindPath {
		for _, node := range server.Nodes() {
			require.Equal(t, chosen, node.Kind())
		}
	}
}

// Each of the servers can be killed, restarted and stopped alone, and stays what it was.
func TestReplicas(t *testing.T) {
	t.Parallel()
	primary := nesttest.Replicas(t, 2)
	nodes := primary.Nodes()
	require.Len(t, nodes, 3)
	runsAsChosen(t, primary)
	client := primary.Client(t)
	set(t, client)
	seen := func(node *nesttest.Server) func() bool {
		client := node.Client(t)
		return func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			there, err := exists(ctx, client)
			return err == nil && there
		}
	}
	for _, replica := range nodes[1:] {
		require.Eventually(t, seen(replica), 10*time.Second, 5*time.Millisecond)
		c := replica.Client(t)
		require.ErrorContains(t, c.Do(t.Context(), c.B().Set().Key("key").Value("x").Build()).Error(), "READONLY")
	}

	frozen := nodes[1].Client(t)
	thaw := nodes[1].Freeze(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	require.Error(t, ping(ctx, frozen))
	thaw()
	require.Eventually(t, seen(nodes[1]), 10*time.Second, 5*time.Millisecond)

	nodes[2].Kill(t)
	nodes[2].Restart(t)
	require.Eventually(t, seen(nodes[2]), 30*time.Second, 5*time.Millisecond)

	nodes[2].Kill(t)
	primary.Restart(t) // what was killed, and nothing else; it has caught up then
	there, err := exists(t.Context(), nodes[2].Client(t))
	require.NoError(t, err)
	require.True(t, there)
	require.Contains(t, fails(t, func(t testing.TB) { primary.Freeze(t) }), "Nodes")

	primary.Kill(t)
	primary.Restart(t) // empty, and so are its replicas
	require.NoError(t, ping(t.Context(), primary.Client(t)))
	there, err = exists(t.Context(), nodes[1].Client(t))
	require.NoError(t, err)
	require.False(t, there)
}

// keyOf returns the address of the only node.
func keyOf(nodes map[string]rueidis.Client) string {
	for addr := range nodes {
		return addr
	}
	return ""
}

func TestServerWithTLS(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t, nesttest.TLS())
	runsAsChosen(t, server)
	set(t, server.Client(t))
	for _, file := range fields(server.TLSFiles(t)) {
		require.FileExists(t, file)
	}
	user := server.ClientOf(t, []string{"+@connection", "+get", "~key"})
	require.NoError(t, user.Do(t.Context(), user.B().Get().Key("key").Build()).Error())
	require.ErrorContains(t, user.Do(t.Context(), user.B().Del().Key("key").Build()).Error(), "NOPERM")

	option := server.ClientOption()
	option.TLSConfig = option.TLSConfig.Clone()
	option.TLSConfig.Certificates = nil
	_, err := rueidis.NewClient(option)
	require.Error(t, err, "a client without a certificate")
	option.TLSConfig = nil
	_, err = rueidis.NewClient(option)
	require.Error(t, err, "a client without TLS")

	thaw := server.Freeze(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	require.Error(t, ping(ctx, user))
	thaw()

	server.Kill(t)
	server.Restart(t)
	require.NoError(t, ping(t.Context(), server.Client(t)))
	require.Eventually(t, func() bool { return ping(t.Context(), user) == nil }, 10*time.Second, 10*time.Millisecond)
}

func fields(ca, cert, key string) []string { return []string{ca, cert, key} }

func TestServerThatRefusesTracking(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t, nesttest.NoTracking())
	client := server.Client(t)
	set(t, client)
	require.Error(t, client.Do(t.Context(), client.B().ClientTracking().On().Build()).Error())
	require.False(t, server.Has(t, nesttest.Tracking))
	option := server.ClientOption()
	require.True(t, option.DisableCache)
	if server.Kind() == nesttest.KindEmbedded {
		return
	}
	option.DisableCache = false
	_, err := rueidis.NewClient(option)
	require.Error(t, err)
}

// What a server of several refuses, it still refuses after a restart, and its clients know.
func TestSentinelThatRefusesTracking(t *testing.T) {
	t.Parallel()
	server := nesttest.Sentinel(t, nesttest.NoTracking())
	client := server.Client(t)
	set(t, client)
	require.Error(t, client.Do(t.Context(), client.B().ClientTracking().On().Build()).Error())
	for _, node := range server.Nodes() {
		node.Kill(t)
		node.Restart(t)
		client := node.Client(t)
		require.ErrorContains(t, client.Do(t.Context(), client.B().ClientTracking().On().Build()).Error(), "NOPERM")
	}
	require.Contains(t, fails(t, func(t testing.TB) { nesttest.Replicas(t, 1, nesttest.TLS()) }), "TLS")
}

func TestServerWithMaxMemory(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t, nesttest.MaxMemory("1", "noeviction"))
	client := server.Client(t)
	require.ErrorContains(t, client.Do(t.Context(), client.B().Set().Key("key").Value("x").Build()).Error(), "OOM")
}

func TestKitLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	var files []string
	t.Run("tls", func(t *testing.T) {
		files = fields(nesttest.Start(t, nesttest.TLS()).TLSFiles(t))
	})
	for _, file := range files {
		_, err := os.Stat(file)
		require.ErrorIs(t, err, os.ErrNotExist)
	}
}
