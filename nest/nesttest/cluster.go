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
)

// A Redis Cluster here has as many primaries as it needs to agree that one of them failed, and
// a replica for each.
const (
	clusterPrimaries = 3
	clusterNodes     = 2 * clusterPrimaries
	clusterSlots     = 16384
)

// How long a node may be silent before the others take it for dead, in milliseconds. Tests that
// kill nodes want to see the replica take over soon; on the server that all tests share a busy
// machine must not look like a dead node.
const (
	impatient = 3_000
	patient   = 60_000
)

// Cluster starts a Redis Cluster of three primaries and three replicas for this test alone, and
// returns when every node knows all slots and the replicas follow their primaries; that takes
// about three seconds. It ends with the test.
//
// Its nodes run in a container of REDIS_TEST_IMAGE where a Docker engine on this machine answers
// and has the image, else they are processes of redis-server or valkey-server from PATH.
// REDIS_TEST_SERVER=docker or path picks one of the two. Where neither can be had the test is
// skipped; in CI (CI=true) it fails.
func Cluster(t testing.TB) *Server {
	t.Helper()
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

// node is an engine that is one node of a Redis Cluster.
type node interface {
	engine
	address() string
	// ended is closed when the node has ended, nil where that is not known.
	ended() <-chan struct{}
}

// cluster is an engine: a Redis Cluster, primaries first.
type cluster struct {
	kind  Kind // of the nodes
	nodes []node
	home  engine // what the nodes live in, or nil
}

// startCluster starts a Redis Cluster in Docker or, where that cannot be, from PATH.
func startCluster(o startOptions, report func(error)) (*Server, error) {
	timeout := patient
	if o.private {
		timeout = impatient
	}
	o.args = append(o.args, "--cluster-enabled", "yes", "--repl-diskless-sync-delay", "0", "--cluster-node-timeout", strconv.Itoa(timeout))
	kind := Kind(os.Getenv("REDIS_TEST_SERVER"))
	if kind != KindPath {
		s, err := formed(startDockerCluster(o))
		if err == nil || kind == KindDocker {
			return s, err
		}
		report(err)
	}
	return formed(startPathCluster(o))
}

// formed makes one Redis Cluster of nodes that were just started.
func formed(c *cluster, err error) (*Server, error) {
	if err == nil {
		if err = c.form(); err != nil {
			err = errors.Join(err, c.close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("start a Redis Cluster: %w", err)
	}
	addrs := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		addrs[i] = n.address()
	}
	return newServer(KindCluster, c, rueidis.ClientOption{}, addrs...), nil
}

func startPathCluster(o startOptions) (*cluster, error) {
	if _, err := lookProgram(); err != nil {
		return nil, err
	}
	return startNodes(&cluster{kind: KindPath}, func(int) (node, error) {
		p, err := startProcess(o.serverArgs())
		if err != nil {
			return nil, err // and no node that is a nil process
		}
		return p, nil
	})
}

// startNodes fills a cluster with nodes that are started at the same time.
func startNodes(c *cluster, start func(i int) (node, error)) (*cluster, error) {
	var (
		failed = make([]error, clusterNodes)
		wg     sync.WaitGroup
	)
	c.nodes = make([]node, clusterNodes)
	for i := range c.nodes {
		wg.Go(func() { c.nodes[i], failed[i] = start(i) })
	}
	wg.Wait()
	if err := errors.Join(failed...); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *cluster) kill() error { return c.each(node.kill) }

// restart starts the nodes again. Each still has the file that names the others and its slots.
func (c *cluster) restart() error {
	if err := c.each(node.restart); err != nil {
		return err
	}
	return c.settled()
}

func (c *cluster) close() error {
	err := c.each(node.close)
	if c.home != nil {
		err = errors.Join(err, c.home.close())
	}
	return err
}

func (c *cluster) each(do func(node) error) error {
	var errs []error
	for _, n := range c.nodes {
		if n != nil {
			errs = append(errs, do(n))
		}
	}
	return errors.Join(errs...)
}

// form makes one Redis Cluster of the nodes, by the same commands as redis-cli --cluster create,
// but without its pauses.
func (c *cluster) form() error {
	for i, p := range c.nodes {
		// Different epochs settle at once who is right about a slot.
		if _, err := ask(p.address(), "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1)); err != nil {
			return err
		}
		if i < clusterPrimaries {
			first, end := clusterSlots*i/clusterPrimaries, clusterSlots*(i+1)/clusterPrimaries
			if _, err := ask(p.address(), "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(end-1)); err != nil {
				return err
			}
		}
	}
	// Everybody introduces everybody: waiting for gossip takes seconds.
	for _, p := range c.nodes {
		for _, other := range c.nodes {
			host, port, err := net.SplitHostPort(other.address())
			if err != nil {
				return err
			}
			if _, err := ask(p.address(), "CLUSTER", "MEET", host, port); err != nil {
				return err
			}
		}
	}
	for i, p := range c.nodes[clusterPrimaries:] {
		id, err := ask(c.nodes[i].address(), "CLUSTER", "MYID")
		if err != nil {
			return err
		}
		// Refused until the replica has heard of its primary.
		err = waitFor(p.ended(), func() error {
			_, err := ask(p.address(), "CLUSTER", "REPLICATE", id)
			return err
		})
		if err != nil {
			return err
		}
	}
	return c.settled()
}

// settled waits until all nodes agree: on all nodes, on who has which slots, and on who
// replicates whom.
func (c *cluster) settled() error {
	for _, p := range c.nodes {
		if err := waitFor(p.ended(), func() error { return c.agrees(p) }); err != nil {
			return fmt.Errorf("node %s: %w", p.address(), err)
		}
	}
	return nil
}

// agrees tells if this node sees the whole Redis Cluster.
func (c *cluster) agrees(p node) error {
	if err := expect(p.address(), "cluster_state", "ok", "CLUSTER", "INFO"); err != nil {
		return err
	}
	if err := expect(p.address(), "cluster_slots_ok", strconv.Itoa(clusterSlots), "CLUSTER", "INFO"); err != nil {
		return err
	}
	nodes, err := ask(p.address(), "CLUSTER", "NODES")
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
	info, err := ask(p.address(), "INFO", "replication")
	if err != nil {
		return err
	}
	if field(info, "role") == "slave" && field(info, "master_link_status") != "up" {
		return errors.New("the replica has not caught up with its primary")
	}
	return nil
}
