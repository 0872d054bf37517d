package suite_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// A HashTag can begin below the scope's prefix. Clear left the companions of such keys: a load that
// was running stored its old value afterwards, and a key that was noted as missing stayed noted.
func TestClearTakesWhatStandsBesideKeysBelowAHashTag(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	seat := nest.Key[int]("seat:<id>", nest.ReadThrough(nest.NegativeTTL(time.Minute)))
	turn := nest.Lock("turn", nest.TTL(60))
	tenant := nest.Cluster("tenant:<t>", nest.HashTag(), nest.Sub(seat, turn))
	group := nest.Cluster("", nest.Sub(tenant))
	for _, c := range []struct {
		what  string
		root  *nest.ClusterDef
		scope func(top nest.Scope) nest.Scope
	}{
		{"the root has the tag", tenant, func(top nest.Scope) nest.Scope { return top }},
		{"the root has no prefix", group, func(top nest.Scope) nest.Scope { return top }},
		{"a cluster has no prefix", nest.Cluster("shop", nest.Sub(group)), func(top nest.Scope) nest.Scope { return group.At(top) }},
		{"its parent has a prefix", nest.Cluster("shop", nest.Sub(tenant)), func(top nest.Scope) nest.Scope { return top }},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			client := nesttest.Start(t).Client(t)
			top, err := nest.Open(client, c.root)
			require.NoError(t, err)
			_, err = seat.At(top, "a", 1).GetOrLoad(ctx, func(context.Context) (int, error) { return 0, nest.ErrNotFound })
			require.ErrorIs(t, err, nest.ErrNotFound)
			_, err = turn.At(top, "a").Acquire(ctx, nest.NoExtend())
			require.NoError(t, err)

			_, err = seat.At(top, "a", 2).GetOrLoad(ctx, func(context.Context) (int, error) {
				n, err := c.scope(top).Clear(ctx, nest.Force())
				require.Equal(t, int64(1), n, "the lock is the only key")
				return 2, err
			})
			require.NoError(t, err)
			_, found, err := seat.At(top, "a", 2).Lookup(ctx)
			require.NoError(t, err)
			require.False(t, found, "it was loaded before the scope was cleared")
			size, err := client.Do(ctx, client.B().Dbsize().Build()).AsInt64()
			require.NoError(t, err)
			require.Zero(t, size, "nothing is left beside keys")
		})
	}
}

// Clear of user:<id> with "me" ended the loads and the lock of its neighbour user:me, and counted a
// held lock twice.
func TestClearLeavesWhatStandsBesideANeighboursKeys(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for what, opts := range map[string][]nest.ClusterOption{"plain": nil, "tagged": {nest.HashTag()}} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			mine, theirs := nest.Lock("door", nest.TTL(60)), nest.Lock("gate", nest.TTL(60))
			loaded := nest.Key[int]("page", nest.ReadThrough(nest.NegativeTTL(time.Minute)))
			me := nest.Cluster("user:me", append(opts, nest.Sub(mine, loaded))...)
			user := nest.Cluster("user:<id>", append(opts, nest.Sub(theirs))...)
			top := nesttest.Open(t, nest.Cluster("root", nest.Sub(me, user)))
			own, err := mine.At(top).Acquire(ctx, nest.NoExtend())
			require.NoError(t, err)
			_, err = theirs.At(top, "me").Acquire(ctx, nest.NoExtend())
			require.NoError(t, err)
			got, err := loaded.At(top).GetOrLoad(ctx, func(context.Context) (int, error) {
				n, err := user.At(top, "me").Clear(ctx)
				require.Equal(t, int64(1), n)
				return 7, err
			})
			require.NoError(t, err)
			require.Equal(t, 7, got)
			got, err = loaded.At(top).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, 7, got, "the neighbour's load went on")
			require.NoError(t, own.Release(ctx))
			held, err := theirs.At(top, "me").Held(ctx)
			require.NoError(t, err)
			require.False(t, held)
			client := nesttest.Client(t)
			n, err := client.Do(ctx, client.B().Exists().Key(beside(mine.At(top).Key(), "token")).Build()).AsInt64()
			require.NoError(t, err)
			require.Equal(t, int64(1), n, "the neighbour's tokens go on")
		})
	}
}

// beside returns the name of what this package keeps beside a key.
func beside(key, role string) string {
	if strings.Contains(key, "{") {
		return key + "%" + role
	}
	return key + "%" + role + "{" + key + "}"
}

// A user with a right only to the names of the tree could take no lock and load nothing, since the
// names of companions began with a brace.
func TestLocksAndLoadsWithARightToTheirNamesOnly(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := nesttest.Shared(t)
	server.Need(t, nesttest.ACL)
	root := nesttest.Open(t, companions)
	name := "limited-" + root.Prefix()
	words := strings.Fields("ACL SETUSER " + name + " reset on >secret ~" + root.Prefix() + ":* &* +@all")
	everyNode(t, server, words...)
	t.Cleanup(func() { everyNode(t, server, "ACL", "DELUSER", name) })
	option := server.ClientOption()
	option.Username, option.Password = name, "secret"
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	prefix, ok := strings.CutSuffix(root.Prefix(), ":companions")
	require.True(t, ok)
	s, err := nest.Open(client, companions, nest.WithPrefix(prefix))
	require.NoError(t, err)

	held, err := guarded.At(s, 1).Acquire(ctx)
	require.NoError(t, err)
	waiting := make(chan error, 1)
	go func() {
		next, err := guarded.At(s, 1).Acquire(ctx)
		if err == nil {
			err = next.Release(ctx)
		}
		waiting <- err
	}()
	require.NoError(t, held.Extend(ctx))
	require.NoError(t, held.Release(ctx))
	require.NoError(t, <-waiting)
	got, err := lazy.At(s, 1).GetOrLoad(ctx, func(context.Context) (int, error) { return 7, nil })
	require.NoError(t, err)
	require.Equal(t, 7, got)
	_, err = lazy.At(s, 2).GetOrLoad(ctx, func(context.Context) (int, error) { return 0, nest.ErrNotFound })
	require.ErrorIs(t, err, nest.ErrNotFound)
	require.NoError(t, lazy.At(s, 2).Set(ctx, 1))
	n, err := s.Clear(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(2), n)
}

var (
	guarded    = nest.Lock("guarded:<id>", nest.TTL(60))
	lazy       = nest.Key[int]("lazy:<id>", nest.ReadThrough(nest.NegativeTTL(time.Minute)))
	companions = nest.Cluster("companions", nest.TTL(time.Minute), nest.Sub(guarded, lazy))
)

// everyNode sends a command to every node of the server.
func everyNode(t *testing.T, server *nesttest.Server, words ...string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	option := server.ClientOption()
	option.ForceSingleClient = true
	for _, addr := range server.Addrs() {
		option.InitAddress = []string{addr}
		client, err := rueidis.NewClient(option)
		require.NoError(t, err)
		require.NoError(t, client.Do(ctx, client.B().Arbitrary(words...).Build()).Error())
		client.Close()
	}
}
