package nesttest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
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
	clusterSpare     = 2 // nodes that can join one in a container
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
	return mustHave(startCluster(startOptions{private: true}, reportTo(t)))(t)
}

// Join starts one more node, which joins the Redis Cluster as a primary without slots, and returns
// it when all nodes know each other. It ends with the Redis Cluster. In a container there is room
// for two nodes that join. Join fails the test if the server is not one of [Cluster].
func (s *Server) Join(t testing.TB) *Server {
	t.Helper()
	s.mustOwn(t, "Join")
	c, ok := s.engine.(*cluster)
	if !ok {
		t.Fatalf("nesttest: Join of %s: only a server of nesttest.Cluster has nodes that know each other", s)
	}
	n, err := c.join()
	if err == nil {
		err = s.users.makeAgain([]string{n.Address()})
	}
	if err != nil {
		t.Fatalf("nesttest: Join of %s: %v", s, err)
	}
	nodes := s.Nodes()
	return nodes[len(nodes)-1]
}

// cluster is an engine: a Redis Cluster.
type cluster struct {
	kind    Kind // of the nodes
	home    engine.Home
	command engine.Command
	nodes   []engine.Node // primaries first

	mu     sync.Mutex
	joined []engine.Node // later, as primaries
}

// startCluster starts a Redis Cluster in Docker or, if that is not possible, from PATH.
func startCluster(o startOptions, report func(error)) (*Server, error) {
	timeout, ports := patient, clusterNodes
	if o.private {
		timeout, ports = impatient, clusterNodes+clusterSpare
	}
	o.args = append(o.args, "--cluster-enabled", "yes", "--repl-diskless-sync-delay", "0", "--cluster-node-timeout", strconv.Itoa(timeout))
	s, err := inHome(ports, report, func(kind Kind, in engine.Home) (*Server, error) {
		c := &cluster{kind: kind, home: in, command: engine.Command{Args: o.serverArgs()}, nodes: make([]engine.Node, clusterNodes)}
		err := c.startNodes()
		if err == nil {
			err = c.form()
		}
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		return newServer(KindCluster, c, rueidis.ClientOption{}, addresses(c.nodes)...), nil
	})
	if err != nil {
		return nil, fmt.Errorf("start a Redis Cluster: %w", err)
	}
	return s, nil
}

func (c *cluster) startNodes() error {
	var (
		failed = make([]error, len(c.nodes))
		wg     sync.WaitGroup
	)
	for i := range c.nodes {
		wg.Go(func() { c.nodes[i], failed[i] = c.home.Start(c.command) })
	}
	wg.Wait()
	return errors.Join(failed...)
}

// all returns all nodes.
func (c *cluster) all() []engine.Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Concat(c.nodes, c.joined)
}

// join starts one more node.
func (c *cluster) join() (engine.Node, error) {
	n, err := c.home.Start(c.command)
	if err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(c.all(), ended)
	c.mu.Lock()
	c.joined = append(c.joined, n)
	c.mu.Unlock()
	for _, other := range others {
		if err := meet(n, other); err != nil {
			return nil, err
		}
	}
	for _, other := range others {
		if err := errors.Join(knows(n, other), knows(other, n)); err != nil {
			return nil, err
		}
	}
	return n, engine.WaitFor(n.Ended(), func() error {
		return engine.Expect(n.Address(), "cluster_state", "ok", "CLUSTER", "INFO")
	})
}

// ended reports whether a node was killed.
func ended(n engine.Node) bool {
	select {
	case <-n.Ended():
		return true
	default:
		return false
	}
}

// knows waits until a node knows another one under its name, which it learns when they have met.
func knows(n, other engine.Node) error {
	id, err := engine.Ask(other.Address(), "CLUSTER", "MYID")
	if err != nil {
		return err
	}
	return engine.WaitFor(n.Ended(), func() error {
		nodes, err := engine.Ask(n.Address(), "CLUSTER", "NODES")
		if err == nil && !strings.Contains(nodes, id) {
			err = fmt.Errorf("node %s does not know %s", n.Address(), other.Address())
		}
		return err
	})
}

// meet makes two nodes know each other.
func meet(n, other engine.Node) error {
	host, port, err := net.SplitHostPort(other.Address())
	if err != nil {
		return err
	}
	_, err = engine.Ask(n.Address(), "CLUSTER", "MEET", host, port)
	return err
}

func (c *cluster) Kill() error { return c.each(engine.Node.Kill) }

// Restart starts the nodes again that were killed. Each still has the file that records its slots
// and the other nodes.
func (c *cluster) Restart() error {
	if err := restartEnded(c.all()); err != nil {
		return err
	}
	return c.settled()
}

func (c *cluster) Close() error {
	return errors.Join(c.each(engine.Node.Close), c.home.Close())
}

func (c *cluster) each(do func(engine.Node) error) error {
	var errs []error
	for _, n := range c.all() {
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
		if err := meet(c.nodes[pair[0]], c.nodes[pair[1]]); err != nil {
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
	for _, p := range c.all() {
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
	all := len(c.all())
	if primaries+replicas != all || replicas != clusterNodes-clusterPrimaries {
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
