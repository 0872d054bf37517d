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

	server.Kill(t)
	server.Restart(t)
	require.NoError(t, ping(t.Context(), server.Client(t)))
}

func fields(ca, cert, key string) []string { return []string{ca, cert, key} }

func TestServerThatRefusesTracking(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t, nesttest.NoTracking())
	client := server.Client(t)
	set(t, client)
	require.Error(t, client.Do(t.Context(), client.B().ClientTracking().On().Build()).Error())
	option := server.ClientOption()
	require.True(t, option.DisableCache)
	if server.Kind() == nesttest.KindEmbedded {
		return
	}
	option.DisableCache = false
	_, err := rueidis.NewClient(option)
	require.Error(t, err)
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
