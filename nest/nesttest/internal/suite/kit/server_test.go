package kit_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/nesttest"
)

func set(t *testing.T, client rueidis.Client) {
	t.Helper()
	require.NoError(t, client.Do(t.Context(), client.B().Set().Key("key").Value("x").ExSeconds(60).Build()).Error())
}

func exists(ctx context.Context, client rueidis.Client) (bool, error) {
	n, err := client.Do(ctx, client.B().Exists().Key("key").Build()).AsInt64()
	return n == 1, err
}

// A killed server refuses connections. When it is restarted, it answers at the same address, with
// its data if it was asked to keep them.
func TestKillAndRestart(t *testing.T) {
	t.Parallel()
	for _, persistent := range []bool{false, true} {
		t.Run(fmt.Sprintf("persistent %t", persistent), func(t *testing.T) {
			var opts []nesttest.StartOption
			if persistent {
				opts = append(opts, nesttest.Persistent())
			}
			server := nesttest.Start(t, opts...)
			client := server.Client(t)
			set(t, client)

			server.Kill(t)
			server.Kill(t) // a dead server stays dead
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			_, err := exists(ctx, client)
			require.Error(t, err)

			server.Restart(t)
			var there bool
			require.Eventually(t, func() bool {
				there, err = exists(t.Context(), client)
				return err == nil
			}, 10*time.Second, 10*time.Millisecond)
			require.Equal(t, persistent, there)
		})
	}
}

func TestAdvance(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	client := server.Client(t)
	require.NoError(t, client.Do(t.Context(), client.B().Set().Key("key").Value("x").PxMilliseconds(200).Build()).Error())
	there, err := exists(t.Context(), client)
	require.NoError(t, err)
	require.True(t, there)
	server.Advance(t, 250*time.Millisecond)
	there, err = exists(t.Context(), client)
	require.NoError(t, err)
	require.False(t, there)
}

func TestArgs(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t, nesttest.Args("--maxmemory", "7654321"))
	client := server.Client(t)
	settings, err := client.Do(t.Context(), client.B().ConfigGet().Parameter("maxmemory").Build()).AsStrMap()
	require.NoError(t, err)
	require.Equal(t, "7654321", settings["maxmemory"])
}

func TestEmbeddedIsEmbedded(t *testing.T) {
	t.Parallel()
	server := nesttest.Embedded(t)
	require.Equal(t, nesttest.KindEmbedded, server.Kind())
	set(t, server.Client(t))
	require.False(t, server.Has(t, nesttest.Tracking))
}

// Operations that would spoil the shared server for other tests fail the test that tries them.
func TestSharedServerIsNobodysOwn(t *testing.T) {
	t.Parallel()
	server := nesttest.Shared(t)
	for what, spoil := range map[string]func(testing.TB){
		"Kill":    server.Kill,
		"Restart": server.Restart,
		"Advance": func(t testing.TB) { server.Advance(t, time.Hour) },
	} {
		require.Contains(t, fails(t, spoil), what)
	}
	_, err := exists(t.Context(), nesttest.Client(t))
	require.NoError(t, err)
}

// failing is a test that records how it ended.
type failing struct {
	testing.TB
	message string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// fails returns the message with which do fails its test.
func fails(t *testing.T, do func(testing.TB)) string {
	t.Helper()
	f := &failing{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(f)
	}()
	<-done
	require.NotEmpty(t, f.message, "the test did not fail")
	return f.message
}

func TestCluster(t *testing.T) {
	t.Parallel()
	server := nesttest.Cluster(t)
	client := server.Client(t)
	require.Equal(t, rueidis.ClientModeCluster, client.Mode())
	require.Len(t, server.Addrs(), 6)
	require.Len(t, server.Nodes(), 6)

	scope := server.Open(t, root)
	for id := range 100 {
		require.NoError(t, visits.At(scope, id).Set(t.Context(), id))
	}
	names, err := scope.Subkeys(t.Context())
	require.NoError(t, err)
	require.Len(t, names, 100)

	joins := server.Join(t)
	require.Len(t, server.Nodes(), 7)
	require.Equal(t, joins.Addr(), server.Nodes()[6].Addr())
	require.NotEmpty(t, fails(t, func(t testing.TB) { joins.Join(t) }))

	// A replica takes over when its primary dies.
	server.Nodes()[0].Kill(t)
	require.Eventually(t, func() bool {
		for id := range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := visits.At(scope, id).Set(ctx, id+1)
			cancel()
			if err != nil {
				return false
			}
		}
		return true
	}, 30*time.Second, 50*time.Millisecond)
	server.Nodes()[0].Restart(t)
}
