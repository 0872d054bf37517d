package nesttest

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/nesttest/internal/engine"
)

// sentinelName is the name under which the sentinel knows the primary.
const sentinelName = "main"

// Sentinel starts a primary with a replica and a sentinel that watches them, for this test alone,
// and returns when the sentinel could replace the primary. They run where those of [Replicas] do,
// and end with the test.
//
// A client of the server asks the sentinel for the primary. [Server.Addr] is the sentinel's
// address, and [Server.ClientOption] has the name of the set, Sentinel.MasterSet. [Server.Nodes]
// returns the first primary and its replica. [Server.Kill] kills the server that is the primary at
// that moment; about two seconds later the sentinel begins to replace it. [Server.Restart] starts
// again what was killed. [Server.Failover] asks for a new primary while the old one is alive.
func Sentinel(t testing.TB, opts ...StartOption) *Server {
	t.Helper()
	o := ofSeveral(t, opts)
	return mustHave(inHome(3, reportTo(t), func(kind Kind, in engine.Home) (*Server, error) { return startSentinel(in, kind, o) }))(t)
}

// Failover makes the replica the primary, while the old primary is alive. It returns when the
// sentinel names the new one. It fails the test if the server is not one of [Sentinel].
func (s *Server) Failover(t testing.TB) {
	t.Helper()
	e, ok := s.engine.(*watched)
	if !ok {
		t.Fatalf("nesttest: Failover of %s: only a server of nesttest.Sentinel has a sentinel", s)
	}
	if err := e.failover(); err != nil {
		t.Fatalf("nesttest: Failover of %s: %v", s, err)
	}
}

// watched is an engine: a primary with replicas that a sentinel watches.
type watched struct {
	*replicated
	sentinel engine.Node
}

func startSentinel(in engine.Home, kind Kind, o startOptions) (*Server, error) {
	r, err := startReplicas(in, kind, o, 1, true)
	if err != nil {
		return nil, err
	}
	w := &watched{replicated: r}
	fail := func(err error) (*Server, error) {
		return nil, errors.Join(fmt.Errorf("start a sentinel: %w", err), w.Close())
	}
	if w.sentinel, err = in.Start(engine.Command{Config: true, Args: []string{"--sentinel"}}); err != nil {
		return fail(err)
	}
	host, port, err := net.SplitHostPort(w.primary.Address())
	if err != nil {
		return fail(err)
	}
	for _, command := range [][]string{
		{"SENTINEL", "MONITOR", sentinelName, host, port, "1"},
		{"SENTINEL", "SET", sentinelName, "down-after-milliseconds", "2000", "failover-timeout", "3000"},
	} {
		if _, err := engine.Ask(w.sentinel.Address(), command...); err != nil {
			return fail(err)
		}
	}
	if err := w.settled(); err != nil {
		return fail(err)
	}
	option := rueidis.ClientOption{DisableCache: o.untracked, Sentinel: rueidis.SentinelOption{
		MasterSet: sentinelName, TopologyRefreshInterval: time.Second, // an announcement can be lost
	}}
	return newServer(kind, w, option, w.sentinel.Address()), nil
}

// settled waits until the sentinel knows the replicas.
func (w *watched) settled() error {
	return engine.WaitFor(w.sentinel.Ended(), func() error {
		_, replicas, err := w.asSeen()
		if err == nil && replicas != len(w.replicas) {
			err = fmt.Errorf("the sentinel knows of %d replicas", replicas)
		}
		return err
	})
}

// asSeen returns the primary that the sentinel names, and how many replicas it knows.
func (w *watched) asSeen() (primary engine.Node, replicas int, err error) {
	info, err := engine.Ask(w.sentinel.Address(), "INFO", "sentinel")
	if err != nil {
		return nil, 0, err
	}
	_, line, _ := strings.Cut(engine.Field(info, "master0"), "address=")
	addr, line, _ := strings.Cut(line, ",")
	if _, err := fmt.Sscanf(line, "slaves=%d", &replicas); err != nil {
		return nil, 0, fmt.Errorf("the sentinel says %q: %w", line, err)
	}
	for _, p := range w.all() {
		if p.Address() == addr {
			return p, replicas, nil
		}
	}
	return nil, 0, fmt.Errorf("the sentinel names %q as the primary", addr)
}

func (w *watched) failover() error {
	before, _, err := w.asSeen()
	if err != nil {
		return err
	}
	// The sentinel has to know how the replica is, and looks at it from time to time.
	if err := engine.WaitFor(w.sentinel.Ended(), func() error {
		_, err := engine.Ask(w.sentinel.Address(), "SENTINEL", "FAILOVER", sentinelName)
		return err
	}); err != nil {
		return err
	}
	return engine.WaitFor(w.sentinel.Ended(), func() error {
		now, _, err := w.asSeen()
		if err == nil && now == before {
			err = errors.New("the sentinel names the old primary")
		}
		return err
	})
}

// Kill kills the present primary.
func (w *watched) Kill() error {
	primary, _, err := w.asSeen()
	if err != nil {
		return err
	}
	return primary.Kill()
}

// Restart starts again what was killed. The sentinel makes it a replica if there is another
// primary.
func (w *watched) Restart() error { return restartEnded(w.all()) }

func (w *watched) Close() error {
	if w.sentinel == nil {
		return w.replicated.Close()
	}
	return errors.Join(w.sentinel.Close(), w.replicated.Close())
}
