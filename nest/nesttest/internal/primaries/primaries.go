// Package primaries moves the slots of a Redis Cluster between its primaries, as whoever runs it
// does.
package primaries

import (
	"context"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// Primaries are the primaries of a Redis Cluster, in the order in which they were added. Methods
// take their indexes.
type Primaries struct {
	Clients []rueidis.Client // each uses its own primary only
	Addrs   []string
	IDs     []string

	t   testing.TB
	all []rueidis.Client // of the replicas, too
}

// began is how many primaries a Redis Cluster has that [nesttest.Cluster] starts.
const began = 3

// Of returns the primaries with which a Redis Cluster was started.
func Of(t testing.TB, server *nesttest.Server) *Primaries {
	t.Helper()
	p := &Primaries{t: t}
	for i, node := range server.Nodes() {
		if i < began {
			p.Add(node.Client(t), node.Addr())
			continue
		}
		p.all = append(p.all, node.Client(t))
	}
	return p
}

// Patient returns the primaries with which a Redis Cluster was started, and makes its nodes wait
// for a minute before they take another one for dead. On a busy machine, a replica that takes over
// while slots move would leave some of them without an owner.
func Patient(t testing.TB, server *nesttest.Server) *Primaries {
	t.Helper()
	for _, node := range server.Nodes() {
		client := node.Client(t)
		set := client.B().ConfigSet().ParameterValue().ParameterValue("cluster-node-timeout", "60000").Build()
		require.NoError(t, client.Do(t.Context(), set).Error())
	}
	return Of(t, server)
}

// Owner returns which primary has a slot at first.
func Owner(slot uint16) int { return int(slot) * began / 16384 }

// Add adds a primary that has joined.
func (p *Primaries) Add(client rueidis.Client, addr string) {
	p.t.Helper()
	p.Clients, p.Addrs, p.all = append(p.Clients, client), append(p.Addrs, addr), append(p.all, client)
	p.IDs = append(p.IDs, p.Text(len(p.IDs), "CLUSTER", "MYID"))
}

// Ask returns a primary's answer to a command.
func (p *Primaries) Ask(node int, words ...string) rueidis.RedisMessage {
	p.t.Helper()
	client := p.Clients[node]
	answer, err := client.Do(p.t.Context(), client.B().Arbitrary(words...).Build()).ToMessage()
	require.NoError(p.t, err, words)
	return answer
}

// Text returns a primary's answer that is a text.
func (p *Primaries) Text(node int, words ...string) string {
	p.t.Helper()
	answer := p.Ask(node, words...)
	text, err := answer.ToString()
	require.NoError(p.t, err, words)
	return text
}

// Open puts a slot on its way from one primary to another. Its keys stay where they are.
func (p *Primaries) Open(slot uint16, from, to int) {
	p.t.Helper()
	number := strconv.Itoa(int(slot))
	p.Ask(to, "CLUSTER", "SETSLOT", number, "IMPORTING", p.IDs[from])
	p.Ask(from, "CLUSTER", "SETSLOT", number, "MIGRATING", p.IDs[to])
}

// Begin puts a slot on its way, and moves up to that many of its keys.
func (p *Primaries) Begin(slot uint16, from, to, keys int) {
	p.t.Helper()
	p.Open(slot, from, to)
	list := p.Ask(from, "CLUSTER", "GETKEYSINSLOT", strconv.Itoa(int(slot)), strconv.Itoa(keys))
	its, err := list.AsStrSlice()
	require.NoError(p.t, err)
	if len(its) == 0 {
		return
	}
	host, port, err := net.SplitHostPort(p.Addrs[to])
	require.NoError(p.t, err)
	p.Ask(from, append([]string{"MIGRATE", host, port, "", "0", "5000", "KEYS"}, its...)...)
}

// End assigns a slot, whose keys have moved, to its new primary, and waits until all nodes know
// that. A replica that does not know it yet believes that its own primary has the slot. When that
// primary is given another slot and so a greater epoch, the replica makes all others believe it.
func (p *Primaries) End(slot uint16, from, to int) {
	p.t.Helper()
	order := []int{to, from}
	for node := range p.Clients {
		if node != to && node != from {
			order = append(order, node)
		}
	}
	for _, node := range order {
		p.Ask(node, "CLUSTER", "SETSLOT", strconv.Itoa(int(slot)), "NODE", p.IDs[to])
	}
	for _, client := range p.all {
		require.Eventually(p.t, func() bool { return owner(p.t.Context(), client, slot) == p.IDs[to] }, 20*time.Second, time.Millisecond)
	}
}

// owner returns the ID of the primary that a node says has a slot, or "".
func owner(ctx context.Context, client rueidis.Client, slot uint16) string {
	text, err := client.Do(ctx, client.B().ClusterNodes().Build()).ToString()
	if err != nil {
		return ""
	}
	nodes, _ := hashslot.ParseNodes(text)
	for i := range nodes {
		if nodes[i].Slots.Has(slot) {
			return nodes[i].ID
		}
	}
	return ""
}

// most is more keys than a test has in one slot.
const most = 1000

// Move moves a slot with its keys.
func (p *Primaries) Move(slot uint16, from, to int) {
	p.t.Helper()
	p.Begin(slot, from, to, most)
	p.End(slot, from, to)
}

// MoveKey moves the slot of a key, with all of its keys, from the primary that had it at first to
// the next one. It calls midway when the keys have moved and the slot has not.
func (p *Primaries) MoveKey(key string, midway func()) {
	p.t.Helper()
	client := p.Clients[0]
	get := client.B().Get().Key(key).Build()
	slot := get.Slot() & (1<<14 - 1)
	from := Owner(slot)
	to := (from + 1) % len(p.Clients)
	p.Begin(slot, from, to, most)
	midway()
	p.End(slot, from, to)
}
