package nesttest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/nesttest/internal/engine"
)

// A Redis Cluster here has as many primaries as are needed to agree that one of them failed, and a
// replica for each.
const (
	clusterPrimaries = 3
	clusterNodes     = 2 * clusterPrimaries
	clusterSlots     = 16384
)

// How long a node may be silent before the others consider it dead, in milliseconds. Tests that
// kill nodes want the replica to take over soon. On the server that all tests share, a busy machine
// must not look like a dead node.
const (
	impatient = 3_000
	patient   = 60_000
)

// Cluster starts a Redis Cluster of three primaries and three replicas for this test alone. It
// returns when every node knows all slots and the replicas follow their primaries, which takes
// about three seconds. The cluster ends with the test.
//
// If the test imports package nestdocker, a Docker engine on this machine is available and it has
// the image REDIS_TEST_IMAGE, the nodes run in a container. Otherwise they are processes of
// redis-server or valkey-server from PATH. REDIS_TEST_SERVER=docker or path chooses one of the two.
// If neither is available, the test is skipped; in CI (CI=true) it fails. It is skipped with
// REDIS_TEST_SERVER=embedded as well, since the embedded server is no Redis Cluster.
func Cluster(t testing.TB) *Server {
	t.Helper()
	if Kind(os.Getenv("REDIS_TEST_SERVER")) == KindEmbedded {
		t.Skip("nesttest: SKIPPED, not passed: the embedded server is no Redis Cluster")
	}
	s, err := startCluster(startOptions{private: true}, func(err error) { t.Logf("nesttest: %v", err) })
	switch {
	case err == nil:
		return s.own(t)
	case inCI() || !errors.Is(err, errNoProgram):
		t.Fatalf("nesttest: %v", err)
	}
	t.Skipf("nesttest: SKIPPED, not passed: %v", err)
	return nil
}

// cluster is an engine: a Redis Cluster, primaries first.
type cluster struct {
	kind  Kind // of the nodes
	nodes []engine.Node
	home  engine.Engine // where the nodes run, or nil
}

// startCluster starts a Redis Cluster in Docker or, if that is not possible, from PATH.
func startCluster(o startOptions, report func(error)) (*Server, error) {
	timeout := patient
	if o.private {
		timeout = impatient
	}
	o.args = append(o.args, "--cluster-enabled", "yes", "--repl-diskless-sync-delay", "0", "--cluster-node-timeout", strconv.Itoa(timeout))
	kind := Kind(os.Getenv("REDIS_TEST_SERVER"))
	if kind == KindDocker || kind != KindPath && engine.Registered() != nil {
		s, err := formed(startDockerCluster(o))
		if err == nil || kind == KindDocker {
			return s, err
		}
		report(err)
	}
	return formed(startPathCluster(o))
}

// formed joins nodes that were just started into one Redis Cluster.
func formed(c *cluster, err error) (*Server, error) {
	if err == nil {
		if err = c.form(); err != nil {
			err = errors.Join(err, c.Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("start a Redis Cluster: %w", err)
	}
	addrs := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		addrs[i] = n.Address()
	}
	return newServer(KindCluster, c, rueidis.ClientOption{}, addrs...), nil
}

func startDockerCluster(o startOptions) (*cluster, error) {
	containers := engine.Registered()
	if containers == nil {
		return nil, errNoContainers
	}
	home, nodes, err := containers.StartNodes(clusterNodes, o.serverArgs())
	if err != nil {
		return nil, err
	}
	return &cluster{kind: KindDocker, nodes: nodes, home: home}, nil
}

func startPathCluster(o startOptions) (*cluster, error) {
	if _, err := lookProgram(); err != nil {
		return nil, err
	}
	var (
		c      = &cluster{kind: KindPath, nodes: make([]engine.Node, clusterNodes)}
		failed = make([]error, clusterNodes)
		wg     sync.WaitGroup
	)
	for i := range c.nodes {
		wg.Go(func() {
			p, err := startProcess(o.serverArgs())
			if err != nil {
				failed[i] = err
				return // c.nodes[i] stays a nil interface, not a nil process
			}
			c.nodes[i] = p
		})
	}
	wg.Wait()
	if err := errors.Join(failed...); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *cluster) Kill() error { return c.each(engine.Node.Kill) }

// Restart starts the nodes again. Each still has the file that records its slots and the other
// nodes.
func (c *cluster) Restart() error {
	if err := c.each(engine.Node.Restart); err != nil {
		return err
	}
	return c.settled()
}

func (c *cluster) Close() error {
	err := c.each(engine.Node.Close)
	if c.home != nil {
		err = errors.Join(err, c.home.Close())
	}
	return err
}

func (c *cluster) each(do func(engine.Node) error) error {
	var errs []error
	for _, n := range c.nodes {
		if n != nil {
			errs = append(errs, do(n))
		}
	}
	return errors.Join(errs...)
}

// form joins the nodes into one Redis Cluster with the same commands as redis-cli --cluster create,
// but without its pauses.
func (c *cluster) form() error {
	for i, p := range c.nodes {
		// Different epochs settle at once which node is right about a slot.
		if _, err := engine.Ask(p.Address(), "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1)); err != nil {
			return err
		}
		if i < clusterPrimaries {
			first, end := clusterSlots*i/clusterPrimaries, clusterSlots*(i+1)/clusterPrimaries
			if _, err := engine.Ask(p.Address(), "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(end-1)); err != nil {
				return err
			}
		}
	}
	for _, pair := range introductions(len(c.nodes)) {
		host, port, err := net.SplitHostPort(c.nodes[pair[1]].Address())
		if err != nil {
			return err
		}
		if _, err := engine.Ask(c.nodes[pair[0]].Address(), "CLUSTER", "MEET", host, port); err != nil {
			return err
		}
	}
	for i, p := range c.nodes[clusterPrimaries:] {
		id, err := engine.Ask(c.nodes[i].Address(), "CLUSTER", "MYID")
		if err != nil {
			return err
		}
		// The command fails until the replica has heard of its primary.
		err = engine.WaitFor(p.Ended(), func() error {
			_, err := engine.Ask(p.Address(), "CLUSTER", "REPLICATE", id)
			return err
		})
		if err != nil {
			return err
		}
	}
	return c.settled()
}

// introductions returns the pairs of n nodes, each pair once. The first node of a pair is told to
// meet the second; then both know each other. Waiting for gossip instead takes seconds.
//
// No node may meet itself. A node believes what others say of their role, itself included. Suppose
// that it is made a replica while its own greeting, sent as a primary, is on its way to it: the
// node then considers itself a primary again, and stays one.
func introductions(n int) [][2]int {
	var pairs [][2]int
	for i := range n {
		for j := range i {
			pairs = append(pairs, [2]int{i, j})
		}
	}
	return pairs
}

// settled waits until all nodes agree on the set of nodes, on who has which slots, and on who
// replicates whom.
func (c *cluster) settled() error {
	for _, p := range c.nodes {
		if err := engine.WaitFor(p.Ended(), func() error { return c.agrees(p) }); err != nil {
			return fmt.Errorf("node %s: %w", p.Address(), err)
		}
	}
	return nil
}

// agrees returns nil if this node sees the whole Redis Cluster.
func (c *cluster) agrees(p engine.Node) error {
	if err := engine.Expect(p.Address(), "cluster_state", "ok", "CLUSTER", "INFO"); err != nil {
		return err
	}
	if err := engine.Expect(p.Address(), "cluster_slots_ok", strconv.Itoa(clusterSlots), "CLUSTER", "INFO"); err != nil {
		return err
	}
	nodes, err := engine.Ask(p.Address(), "CLUSTER", "NODES")
	if err != nil {
		return err
	}
	var primaries, replicas int
	for line := range strings.Lines(nodes) {
		switch flags := strings.Fields(line)[2]; strings.TrimPrefix(flags, "myself,") {
		case "master":
			primaries++
		case "slave":
			replicas++
		}
	}
	if primaries != clusterPrimaries || replicas != clusterNodes-clusterPrimaries {
		return fmt.Errorf("it sees %d primaries and %d replicas", primaries, replicas)
	}
	info, err := engine.Ask(p.Address(), "INFO", "replication")
	if err != nil {
		return err
	}
	if engine.Field(info, "role") == "slave" && engine.Field(info, "master_link_status") != "up" {
		return errors.New("the replica has not caught up with its primary")
	}
	return nil
}
