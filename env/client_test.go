package env

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestClientOptionBounds(t *testing.T) {
	for _, c := range []Config{
		{}, {Addrs: []string{"a", "b"}}, {Addrs: []string{"a", "b"}, SentinelMaster: "m"}, {URL: Hide("redis://h")}, {URL: Hide("unix:///s")},
	} {
		o, err := c.ClientOption()
		require.NoError(t, err)
		require.Equal(t, -1, o.PipelineMultiplex)
		require.Equal(t, 5*time.Second, o.Dialer.Timeout)
		require.Equal(t, time.Second, o.ConnWriteTimeout)
		require.Equal(t, 300*time.Millisecond, o.Dialer.KeepAlive)
		require.Equal(t, 32<<20, o.CacheSizeEachConn)
		require.Equal(t, 64<<10, o.ReadBufferEachConn)
		require.Equal(t, 64<<10, o.WriteBufferEachConn)
		require.Equal(t, time.Minute, o.BlockingPoolCleanup)
		require.False(t, o.ForceSingleClient, "a single address may be a Redis Cluster")
	}
}

func TestFlushDelay(t *testing.T) {
	for delay, want := range map[time.Duration]time.Duration{0: 0, -1: 0, 20 * time.Microsecond: 20 * time.Microsecond} {
		o, err := Config{FlushDelay: delay}.ClientOption()
		require.NoError(t, err)
		require.Equal(t, want, o.MaxFlushDelay)
	}
	_, err := Config{FlushDelay: time.Millisecond}.ClientOption()
	require.ErrorContains(t, err, "REDIS_FLUSH_DELAY: must be a duration from 1us to 50us")
}

func TestClientOption(t *testing.T) {
	o, err := Config{}.ClientOption()
	require.NoError(t, err)
	require.Equal(t, []string{"localhost:6379"}, o.InitAddress)
	require.Nil(t, o.TLSConfig)

	o, err = Config{Host: "::1", Port: 7, Username: "u", Password: Hide("p"), DB: 3, TLS: true}.ClientOption()
	require.NoError(t, err)
	require.Equal(t, []string{"[::1]:7"}, o.InitAddress)
	require.Equal(t, "u", o.Username)
	require.Equal(t, "p", o.Password)
	require.Equal(t, 3, o.SelectDB)
	require.Equal(t, uint16(tls.VersionTLS12), o.TLSConfig.MinVersion)
	require.Equal(t, "::1", o.TLSConfig.ServerName)

	o, err = Config{Host: "[::1]"}.ClientOption()
	require.NoError(t, err)
	require.Equal(t, []string{"[::1]:6379"}, o.InitAddress)

	o, err = Config{Addrs: []string{"a", "b:2"}, TLS: true}.ClientOption()
	require.NoError(t, err)
	require.Equal(t, []string{"a:6379", "b:2"}, o.InitAddress)
	require.Empty(t, o.TLSConfig.ServerName, "each node shows a certificate of its own")

	o, err = Config{URL: Hide("redis://h?write_timeout=9s&dial_timeout=8s"), Username: "u", Password: Hide("p")}.ClientOption()
	require.NoError(t, err)
	require.Equal(t, 9*time.Second, o.ConnWriteTimeout)
	require.Equal(t, 8*time.Second, o.Dialer.Timeout)
	require.Equal(t, "u", o.Username)
	require.Equal(t, "p", o.Password)
}

func TestClientOptionForSentinels(t *testing.T) {
	for _, c := range []Config{
		{Addrs: []string{"a", "b:2"}, SentinelMaster: "m", TLS: true, Username: "u", Password: Hide("p"), DB: 4},
		{URL: Hide("rediss://u:p@a/4?addr=b:2&master_set=m")},
	} {
		o, err := c.ClientOption()
		require.NoError(t, err)
		require.Equal(t, []string{"a:26379", "b:2"}, o.InitAddress)
		require.Equal(t, "m", o.Sentinel.MasterSet)
		require.Equal(t, 4, o.SelectDB)
		require.Equal(t, o.Dialer, o.Sentinel.Dialer)
		require.NotNil(t, o.Sentinel.TLSConfig)
		require.Empty(t, o.Sentinel.TLSConfig.ServerName, "the sentinels and the server have names of their own")
		require.Equal(t, 5*time.Second, o.Sentinel.TopologyRefreshInterval)
		require.Equal(t, "p", o.Password)
		require.Empty(t, o.Sentinel.Password, "the server's password is not the sentinels' business")
	}
}

// A Config written by hand is checked as Load checks variables.
func TestClientOptionRefuses(t *testing.T) {
	for _, tt := range []struct {
		c    Config
		want []string
	}{
		{Config{Port: -1, DB: -1, DeleteChunk: -1, ScanCount: -1}, []string{
			"REDIS_PORT: ", "REDIS_DB: ", "REDIS_DELETE_CHUNK_SIZE: ", "REDIS_SCAN_COUNT: ",
		}},
		{Config{URL: Hide("redis://h"), Host: "h", TLS: true}, []string{"REDIS_HOST: contradicts", "REDIS_TLS: contradicts"}},
		{Config{Addrs: []string{"a", ""}, Host: "b"}, []string{"REDIS_HOST: contradicts", "REDIS_ADDRS: entry 2"}},
		{Config{Keyring: Hide(","), EncryptionKey: Hide(sentinel)}, []string{"MY_ENCRYPTION_KEY: ", "NEST_KEYRING: entry 1", "NEST_KEYRING: entry 2"}},
	} {
		_, err := tt.c.ClientOption()
		requireProblems(t, err, tt.want...)
		require.NotContains(t, err.Error(), sentinel)
	}
}
