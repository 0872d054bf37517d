package suite_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

var (
	overList    = nest.List[int]("list:<n>")
	overZset    = nest.SortedSet[int]("zset")
	overStream  = nest.Stream[int]("stream")
	overLock    = nest.Lock("lock", nest.TTL(time.Minute))
	overChannel = nest.Channel[int]("channel")
	over        = nest.Cluster("over", nest.HashTag(), nest.Sub(overList, overZset, overStream, overLock, overChannel))
)

// withSentinel starts a primary, a replica and a sentinel. It returns clients of the sentinel and
// of the primary.
func withSentinel(t *testing.T) (sentinel, client rueidis.Client) {
	t.Helper()
	if nesttest.Shared(t).Kind() != nesttest.KindPath {
		t.Skip("nesttest: SKIPPED, not passed: sentinels are started from PATH only")
	}
	primary, replica := nesttest.Start(t), nesttest.Start(t)
	host, port, err := net.SplitHostPort(primary.Addr())
	require.NoError(t, err)
	ctx, r := t.Context(), replica.Client(t)
	require.NoError(t, r.Do(ctx, r.B().Arbitrary("REPLICAOF", host, port).Build()).Error())

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, own, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	dir := t.TempDir()
	file := filepath.Join(dir, "sentinel.conf")
	text := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nsentinel monitor main %s %s 1\n", own, dir, host, port)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	process := exec.CommandContext(ctx, "redis-server", file, "--sentinel")
	require.NoError(t, process.Start())
	t.Cleanup(func() { _ = process.Wait() })

	option := rueidis.ClientOption{InitAddress: []string{"127.0.0.1:" + own}, DisableCache: true, ForceSingleClient: true, AlwaysRESP2: true}
	require.Eventually(t, func() bool {
		if sentinel, err = rueidis.NewClient(option); err != nil {
			return false
		}
		known, err := sentinel.Do(ctx, sentinel.B().Arbitrary("SENTINEL", "REPLICAS", "main").Build()).ToArray()
		if err != nil || len(known) != 1 {
			sentinel.Close()
			return false
		}
		about, err := known[0].AsStrMap()
		if err == nil && about["flags"] == "slave" && about["master-link-status"] == "ok" {
			return true
		}
		sentinel.Close()
		return false
	}, 30*time.Second, 50*time.Millisecond, "the sentinel knows the replica")
	t.Cleanup(sentinel.Close)
	client, err = rueidis.NewClient(rueidis.ClientOption{InitAddress: option.InitAddress, Sentinel: rueidis.SentinelOption{MasterSet: "main"}, PipelineMultiplex: -1})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return sentinel, client
}

// After a requested failover the old primary serves its connections for seconds. Waits and
// subscriptions move to the new primary soon.
func TestWaitsFollowAFailover(t *testing.T) {
	t.Parallel()
	sentinel, client := withSentinel(t)
	root, err := nest.Open(client, over)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	lease, err := overLock.At(root).Acquire(ctx)
	require.NoError(t, err)
	_, err = overStream.At(root).Add(ctx, 1)
	require.NoError(t, err)
	_, err = overStream.At(root).CreateGroup(ctx, "group", nest.NewEntries)
	require.NoError(t, err)

	waits := map[string]func() error{
		"pop": func() error {
			v, ok, err := overList.At(root, 1).WaitPopLeft(ctx, 20*time.Second)
			if err == nil && (!ok || v != 1) {
				err = errors.New("nothing came")
			}
			return err
		},
		"pop n": func() error {
			vs, err := overList.At(root, 2).WaitPopRightN(ctx, 5, 0)
			if err == nil && len(vs) != 1 {
				err = errors.New("nothing came")
			}
			return err
		},
		"pop min": func() error {
			m, _, err := overZset.At(root).WaitPopMin(ctx, 0)
			if err == nil && m.Member != 3 {
				err = errors.New("nothing came")
			}
			return err
		},
		"read": func() error {
			es, err := overStream.At(root).Read(ctx, nest.NewEntries, nest.Block(20*time.Second))
			if err == nil && len(es) == 0 {
				err = errors.New("nothing came")
			}
			return err
		},
		"read group": func() error {
			es, err := overStream.At(root).ReadGroup(ctx, "group", "me", nest.Block(20*time.Second))
			if err == nil && len(es) == 0 {
				err = errors.New("nothing came")
			}
			return err
		},
		"acquire": func() error { _, err := overLock.At(root).Acquire(ctx); return err },
		"subscribe": func() error {
			gap := false
			for v, err := range overChannel.At(root).Subscribe(ctx) {
				switch {
				case errors.Is(err, nest.ErrGap):
					gap = true
				case err != nil:
					return err
				case v == 2 && gap:
					return nil
				case v == 2:
					return errors.New("the gap was not reported")
				}
			}
			return ctx.Err()
		},
	}
	type end struct {
		name string
		err  error
	}
	ends := make(chan end, len(waits))
	for name, wait := range waits {
		go func() { ends <- end{name, wait()} }()
	}
	time.Sleep(500 * time.Millisecond)
	before := fmt.Sprint(keysOf(client.Nodes()))
	require.NoError(t, sentinel.Do(ctx, sentinel.B().Arbitrary("SENTINEL", "FAILOVER", "main").Build()).Error())
	require.Eventually(t, func() bool { return fmt.Sprint(keysOf(client.Nodes())) != before }, 20*time.Second, 5*time.Millisecond)
	switched := time.Now()
	require.Eventually(t, func() bool {
		_, err := overList.At(root, 1).PushRight(ctx, 1)
		return err == nil
	}, 10*time.Second, 5*time.Millisecond)
	_, err = overList.At(root, 2).PushRight(ctx, 2)
	require.NoError(t, err)
	_, err = overZset.At(root).Add(ctx, 3, 1)
	require.NoError(t, err)
	_, err = overStream.At(root).Add(ctx, 4)
	require.NoError(t, err)
	require.NoError(t, lease.Release(ctx))
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	for left := len(waits); left > 0; {
		select {
		case e := <-ends:
			left--
			require.NoError(t, e.err, e.name)
			require.Less(t, time.Since(switched), 5*time.Second, e.name)
		case <-ticks.C:
			_, err = overChannel.At(root).Publish(ctx, 2)
			require.NoError(t, err)
		}
	}
}

func keysOf(nodes map[string]rueidis.Client) string {
	var addrs []string
	for addr := range nodes {
		addrs = append(addrs, addr)
	}
	return strings.Join(addrs, ",")
}
