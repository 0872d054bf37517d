package watching_test

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// nodes are the primaries of a Redis Cluster, each with a client that uses only that primary.
type nodes struct {
	t       *testing.T
	server  *nesttest.Server
	clients []rueidis.Client
	addrs   []string
	ids     []string
}

func newNodes(t *testing.T) *nodes {
	t.Helper()
	ownUser(t)
	if nesttest.Shared(t).Kind() == nesttest.KindEmbedded {
		t.Skip("nesttest: SKIPPED, not passed: the embedded server is no Redis Cluster")
	}
	n := &nodes{t: t, server: nesttest.Cluster(t)}
	for _, node := range n.server.Nodes()[:3] {
		n.add(node.Client(t), node.Addr())
	}
	return n
}

func (n *nodes) add(client rueidis.Client, addr string) {
	n.clients, n.addrs = append(n.clients, client), append(n.addrs, addr)
	id := n.ask(len(n.ids), "CLUSTER", "MYID")
	text, err := id.ToString()
	require.NoError(n.t, err)
	n.ids = append(n.ids, text)
}

func (n *nodes) ask(node int, words ...string) rueidis.RedisMessage {
	n.t.Helper()
	client := n.clients[node]
	answer, err := client.Do(n.t.Context(), client.B().Arbitrary(words...).Build()).ToMessage()
	require.NoError(n.t, err, words)
	return answer
}

func (n *nodes) begin(slot uint16, from, to int) {
	n.t.Helper()
	number := strconv.Itoa(int(slot))
	n.ask(to, "CLUSTER", "SETSLOT", number, "IMPORTING", n.ids[from])
	n.ask(from, "CLUSTER", "SETSLOT", number, "MIGRATING", n.ids[to])
	list := n.ask(from, "CLUSTER", "GETKEYSINSLOT", number, "1000")
	keys, err := list.AsStrSlice()
	require.NoError(n.t, err)
	host, port, err := net.SplitHostPort(n.addrs[to])
	require.NoError(n.t, err)
	n.ask(from, append([]string{"MIGRATE", host, port, "", "0", "5000", "KEYS"}, keys...)...)
}

func (n *nodes) end(slot uint16, from, to int) {
	n.t.Helper()
	order := []int{to, from}
	for node := range n.clients {
		if node != to && node != from {
			order = append(order, node)
		}
	}
	for _, node := range order {
		n.ask(node, "CLUSTER", "SETSLOT", strconv.Itoa(int(slot)), "NODE", n.ids[to])
	}
}

// owner returns which of the three first nodes had a slot in the beginning.
func owner(slot uint16) int { return int(slot) * 3 / 16384 }

var (
	part  = nest.Counter[int64]("part:<n>")
	field = nest.Cluster("field:<f>", nest.HashTag(), nest.Sub(part))
	farm  = nest.Cluster("farm", nest.Sub(field))
)

func slotOf(n *nodes, s nest.Scope, f int) uint16 {
	client := n.server.Client(n.t)
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
		owners[owner(slotOf(n, s, f))] = true
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
	from := owner(slot)
	to := (from + 1) % 3
	name := func(event string, k int) string { return event + " {field:1}:part:" + strconv.Itoa(k) }

	n.begin(slot, from, to)
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
	n.end(slot, from, to)
	_, err = part.At(s, 1, 1).Delete(ctx)
	require.NoError(t, err)
	require.Equal(t, name("del", 1), next(t, all))
	require.Empty(t, all)

	// Once more, on, and then a real RESTORE.
	third := (to + 1) % 3
	n.begin(slot, to, third)
	n.end(slot, to, third)
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
	from := owner(slot)
	to := (from + 1) % 3
	number := strconv.Itoa(int(slot))
	n.ask(to, "CLUSTER", "SETSLOT", number, "IMPORTING", n.ids[from])
	n.ask(from, "CLUSTER", "SETSLOT", number, "MIGRATING", n.ids[to])
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
	for owner(slotOf(n, s, f)) != 0 {
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
	if n.server.Nodes()[0].Kind() != nesttest.KindPath {
		t.Skip("nesttest: SKIPPED, not passed: nodes in a container cannot be joined by one outside of it")
	}
	s := n.server.Open(t, farm)
	all, _ := listen(t, enabled, s)
	joins := nesttest.Start(t, nesttest.Args("--cluster-enabled", "yes", "--cluster-node-timeout", "3000"))
	option := joins.ClientOption()
	option.ForceSingleClient = true
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	n.add(client, joins.Addr())
	for _, addr := range n.server.Addrs() {
		host, port, err := net.SplitHostPort(addr)
		require.NoError(t, err)
		n.ask(3, "CLUSTER", "MEET", host, port)
	}
	text := func(node int, words ...string) string {
		answer := n.ask(node, words...)
		text, err := answer.ToString()
		require.NoError(t, err)
		return text
	}
	for node := range 3 {
		require.Eventually(t, func() bool {
			return strings.Contains(text(node, "CLUSTER", "NODES"), n.ids[3]) && strings.Contains(text(3, "CLUSTER", "NODES"), n.ids[node]) &&
				strings.Contains(text(3, "CLUSTER", "INFO"), "cluster_state:ok")
		}, 20*time.Second, 10*time.Millisecond)
	}
	f := 0
	for owner(slotOf(n, s, f)) != 0 {
		f++
	}
	require.NoError(t, part.At(s, f, 0).Set(ctx, 1))
	require.Equal(t, "set {field:"+strconv.Itoa(f)+"}:part:0", next(t, all))
	slot := slotOf(n, s, f)
	n.begin(slot, 0, 3)
	n.end(slot, 0, 3)
	err = nextError(t, all)
	require.ErrorIs(t, err, nest.ErrGap)
	_, err = part.At(s, f, 0).Incr(ctx)
	require.NoError(t, err)
	require.Equal(t, "incrby {field:"+strconv.Itoa(f)+"}:part:0", next(t, all))
}
