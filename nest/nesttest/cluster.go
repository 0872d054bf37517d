package nesttest

import (
	"errors"
	"fmt"
	"net"
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

// Cluster starts a Redis Cluster of three primaries and three replicas for this test alone, of
// redis-server or valkey-server from PATH, and returns when every node knows all slots and the
// replicas follow their primaries; that takes about two seconds. It ends with the test.
//
// Without such a program the test is skipped; in CI (CI=true) it fails.
func Cluster(t testing.TB) *Server {
	t.Helper()
	if _, err := lookProgram(); err != nil {
		if inCI() {
			t.Fatalf("nesttest: a Redis Cluster is needed: %v", err)
		}
		t.Skipf("nesttest: SKIPPED, not passed: a Redis Cluster is needed: %v", err)
	}
	s, err := startCluster()
	if err != nil {
		t.Fatalf("nesttest: %v", err)
	}
	return s.own(t)
}

// cluster is an engine: the processes of a Redis Cluster, primaries first.
type cluster []*process

func startCluster() (*Server, error) {
	c, err := startClusterNodes()
	if err == nil {
		err = c.form()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start a Redis Cluster: %w", err), c.close())
	}
	addrs := make([]string, len(c))
	for i, p := range c {
		addrs[i] = p.addr
	}
	return newServer(KindCluster, c, rueidis.ClientOption{}, addrs...), nil
}

func startClusterNodes() (cluster, error) {
	var (
		nodes  = make(cluster, clusterNodes)
		failed = make([]error, clusterNodes)
		wg     sync.WaitGroup
	)
	for i := range nodes {
		wg.Go(func() {
			args := startOptions{}.serverArgs()
			args = append(args, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--repl-diskless-sync-delay", "0")
			nodes[i], failed[i] = startProcess(args)
		})
	}
	wg.Wait()
	return nodes, errors.Join(failed...)
}

func (c cluster) kill() error { return c.each((*process).kill) }

// restart starts the nodes again. Each still has the file that names the others and its slots.
func (c cluster) restart() error {
	if err := c.each((*process).restart); err != nil {
		return err
	}
	return c.settled()
}

func (c cluster) close() error { return c.each((*process).close) }

func (c cluster) each(do func(*process) error) error {
	var errs []error
	for _, p := range c {
		if p != nil {
			errs = append(errs, do(p))
		}
	}
	return errors.Join(errs...)
}

// form makes one Redis Cluster of the nodes, by the same commands as redis-cli --cluster create,
// but without its pauses.
func (c cluster) form() error {
	for i, p := range c {
		// Different epochs settle at once who is right about a slot.
		if _, err := ask(p.addr, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1)); err != nil {
			return err
		}
		if i < clusterPrimaries {
			first, end := clusterSlots*i/clusterPrimaries, clusterSlots*(i+1)/clusterPrimaries
			if _, err := ask(p.addr, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(end-1)); err != nil {
				return err
			}
		}
	}
	// Everybody introduces everybody: waiting for gossip takes seconds.
	for _, p := range c {
		for _, other := range c {
			host, port, err := net.SplitHostPort(other.addr)
			if err != nil {
				return err
			}
			if _, err := ask(p.addr, "CLUSTER", "MEET", host, port); err != nil {
				return err
			}
		}
	}
	for i, p := range c[clusterPrimaries:] {
		id, err := ask(c[i].addr, "CLUSTER", "MYID")
		if err != nil {
			return err
		}
		// Refused until the replica has heard of its primary.
		err = waitFor(p.done, func() error {
			_, err := ask(p.addr, "CLUSTER", "REPLICATE", id)
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
func (c cluster) settled() error {
	for _, p := range c {
		if err := waitFor(p.done, func() error { return c.agrees(p) }); err != nil {
			return fmt.Errorf("node %s: %w", p.addr, err)
		}
	}
	return nil
}

// agrees tells if this node sees the whole Redis Cluster.
func (c cluster) agrees(p *process) error {
	if err := expect(p.addr, "cluster_state", "ok", "CLUSTER", "INFO"); err != nil {
		return err
	}
	if err := expect(p.addr, "cluster_slots_ok", strconv.Itoa(clusterSlots), "CLUSTER", "INFO"); err != nil {
		return err
	}
	nodes, err := ask(p.addr, "CLUSTER", "NODES")
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
	info, err := ask(p.addr, "INFO", "replication")
	if err != nil {
		return err
	}
	if field(info, "role") == "slave" && field(info, "master_link_status") != "up" {
		return errors.New("the replica has not caught up with its primary")
	}
	return nil
}
