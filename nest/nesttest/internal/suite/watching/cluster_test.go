package watching_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/nest/nesttest/internal/primaries"
)

// nodes are a Redis Cluster and its primaries.
type nodes struct {
	*primaries.Primaries

	server *nesttest.Server
}

func newNodes(t *testing.T) nodes {
	t.Helper()
	ownUser(t)
	server := nesttest.Cluster(t)
	return nodes{primaries.Of(t, server), server}
}

var (
	part  = nest.Counter[int64]("part:<n>")
	field = nest.Cluster("field:<f>", nest.HashTag(), nest.Sub(part))
	farm  = nest.Cluster("farm", nest.Sub(field))
)

func slotOf(n nodes, s nest.Scope, f int) uint16 {
	client := n.Clients[0]
	get := client.B().Get().Key(part.At(s, f, 0).Key()).Build()
	return get.Slot() & (1<<14 - 1)
}

// collect takes what comes until there are n events, and counts each.
func collect(t *testing.T, all <-chan heard, n int) map[string]int {
	t.Helper()
	counts := make(map[string]int)
	for range n {
		counts[next(t, all)]++
	}
	return counts
}

func TestAllPrimariesAreWatched(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	n := newNodes(t)
	s := n.server.Open(t, farm)
	all, _ := listen(t, enabled, s)
	const fields = 60
	b := s.Batch()
	owners := map[int]bool{}
	for f := range fields {
		part.At(s, f, 0).In(b).Incr()
		owners[primaries.Owner(slotOf(n, s, f))] = true
	}
	require.Len(t, owners, 3)
	require.NoError(t, b.Exec(ctx))
	counts := collect(t, all, fields)
	require.Len(t, counts, fields)
	for f := range fields {
		require.Equal(t, 1, counts["incrby {field:"+strconv.Itoa(f)+"}:part:0"], f)
	}
	require.Empty(t, all)
}

// Keys that move with their slot are deleted here and restored there, which is nothing that happens
// to them. What a client deletes and restores meanwhile is.
func TestKeysThatMoveAreLeftOut(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	n := newNodes(t)
	s := n.server.Open(t, farm)
	const keys = 20
	for k := range keys {
		require.NoError(t, part.At(s, 1, k).Set(ctx, 1))
	}
	all, _ := listen(t, enabled, s)
	slot := slotOf(n, s, 1)
	from := primaries.Owner(slot)
	to := (from + 1) % 3
	name := func(event string, k int) string { return event + " {field:1}:part:" + strconv.Itoa(k) }

	n.Begin(slot, from, to, 1000)
	_, err := part.At(s, 1, 0).Delete(ctx) // on the new node
	require.NoError(t, err)
	_, err = part.At(s, 1, 100).Incr(ctx) // made there
	require.NoError(t, err)
	// The key may be gone before the watch can tell that it moved first.
	deleted := 0
	for h := next(t, all); h != name("incrby", 100); h = next(t, all) {
		require.Equal(t, name("del", 0), h)
		deleted++
	}
	require.LessOrEqual(t, deleted, 2)
	require.Positive(t, deleted)
	n.End(slot, from, to)
	_, err = part.At(s, 1, 1).Delete(ctx)
	require.NoError(t, err)
	require.Equal(t, name("del", 1), next(t, all))
	require.Empty(t, all)

	// Once more, on, and then a real RESTORE.
	third := (to + 1) % 3
	n.Begin(slot, to, third, 1000)
	n.End(slot, to, third)
	time.Sleep(3 * time.Second) // it is known who has the slot
	dump, err := part.At(s, 1, 2).Dump(ctx)
	require.NoError(t, err)
	_, err = part.At(s, 1, 2).Delete(ctx)
	require.NoError(t, err)
	require.NoError(t, part.At(s, 1, 2).Restore(ctx, dump))
	require.Equal(t, name("del", 2), next(t, all))
	require.Equal(t, name("restore", 2), next(t, all))
	require.Empty(t, all)
}

// A key that is deleted on the old node while its slot is on its way was not moved.
func TestADeletionOnTheOldNodeIsNoMove(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	n := newNodes(t)
	s := n.server.Open(t, farm)
	require.NoError(t, part.At(s, 1, 0).Set(ctx, 1))
	all, _ := listen(t, enabled, s)
	slot := slotOf(n, s, 1)
	from := primaries.Owner(slot)
	to := (from + 1) % 3
	n.Open(slot, from, to)
	_, err := part.At(s, 1, 0).Delete(ctx)
	require.NoError(t, err)
	require.Equal(t, "del {field:1}:part:0", next(t, all))
	require.Empty(t, all)
}

// A primary that dies is replaced, and the new one watched. That something may be missing is said.
func TestAFailoverIsFollowed(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	n := newNodes(t)
	s := n.server.Open(t, farm)
	all, _ := listen(t, enabled, s)
	var f int
	for primaries.Owner(slotOf(n, s, f)) != 0 {
		f++
	}
	n.server.Nodes()[0].Kill(t)
	err := nextError(t, all)
	require.ErrorIs(t, err, nest.ErrGap)
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	require.Eventually(t, func() bool { _, err := part.At(s, f, 0).Incr(ctx); return err == nil }, 30*time.Second, 50*time.Millisecond)
	for {
		h := <-all
		if h.err == nil {
			require.Equal(t, "incrby {field:"+strconv.Itoa(f)+"}:part:0", h.what)
			return
		}
		require.ErrorIs(t, h.err, nest.ErrGap)
	}
}

// A node that joins is watched before it has a slot, or the watch says that events may be missing.
func TestANewPrimaryIsFound(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	n := newNodes(t)
	s := n.server.Open(t, farm)
	all, _ := listen(t, enabled, s)
	joins := n.server.Join(t)
	n.Add(joins.Client(t), joins.Addr())
	f := 0
	for primaries.Owner(slotOf(n, s, f)) != 0 {
		f++
	}
	require.NoError(t, part.At(s, f, 0).Set(ctx, 1))
	require.Equal(t, "set {field:"+strconv.Itoa(f)+"}:part:0", next(t, all))
	slot := slotOf(n, s, f)
	n.Begin(slot, 0, 3, 1000)
	n.End(slot, 0, 3)
	require.ErrorIs(t, nextError(t, all), nest.ErrGap)
	_, err := part.At(s, f, 0).Incr(ctx)
	require.NoError(t, err)
	require.Equal(t, "incrby {field:"+strconv.Itoa(f)+"}:part:0", next(t, all))
}
