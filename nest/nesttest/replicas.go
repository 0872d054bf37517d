package nesttest

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
)

// Replicas starts a primary with n replicas for this test alone, and returns when the replicas have
// caught up with the primary. They are processes of redis-server or valkey-server from PATH,
// whatever the other tests run on, and end with the test. If neither program is on PATH, the test
// is skipped; in CI (CI=true) it fails.
//
// [Server.Nodes] of the primary returns all of the servers: first the primary, then its replicas. A
// client of the primary sends nothing to the replicas, unless its options say so:
//
//	option := primary.ClientOption()
//	for _, replica := range primary.Nodes()[1:] {
//		option.Standalone.ReplicaAddress = append(option.Standalone.ReplicaAddress, replica.Addr())
//	}
//	option.SendToReplicas = func(cmd rueidis.Completed) bool { return cmd.IsReadOnly() }
//	client, err := rueidis.NewClient(option)
func Replicas(t testing.TB, n int, opts ...StartOption) (primary *Server) {
	t.Helper()
	o := startOptions{private: true}
	for _, opt := range opts {
		opt.applyStart(&o)
	}
	s, err := startReplicas(o, n)
	switch {
	case err == nil:
		return s.own(t)
	case inCI() || !errors.Is(err, errNoProgram):
		t.Fatalf("nesttest: %v", err)
	}
	t.Skipf("nesttest: SKIPPED, not passed: %v", err)
	return nil
}

// replicated is an engine: a primary and its replicas.
type replicated struct {
	primary  *process
	replicas []*process
}

func startReplicas(o startOptions, n int) (*Server, error) {
	args := append(o.serverArgs(), "--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0")
	r := &replicated{}
	fail := func(err error) (*Server, error) {
		return nil, errors.Join(fmt.Errorf("start a primary with %d replicas: %w", n, err), r.close())
	}
	var err error
	if r.primary, err = startProcess(args); err != nil {
		return fail(err)
	}
	host, port, err := net.SplitHostPort(r.primary.addr)
	if err != nil {
		return fail(err)
	}
	for range n {
		p, err := startProcess(append(slices.Clip(args), "--replicaof", host+" "+port))
		if err != nil {
			return fail(err)
		}
		r.replicas = append(r.replicas, p)
	}
	if err := r.caughtUp(); err != nil {
		return fail(err)
	}
	return newServer(KindPath, r, clientOptionOfOne, r.primary.addr), nil
}

// caughtUp waits until every replica has what its primary has.
func (r *replicated) caughtUp() error {
	for _, p := range r.replicas {
		err := waitFor(p.done, func() error { return expect(p.addr, "master_link_status", "up", "INFO", "replication") })
		if err != nil {
			return fmt.Errorf("replica %s: %w", p.addr, err)
		}
	}
	return nil
}

func (r *replicated) kill() error { return r.primary.kill() }

func (r *replicated) restart() error {
	if err := r.primary.restart(); err != nil {
		return err
	}
	return r.caughtUp()
}

func (r *replicated) close() error {
	var errs []error
	for _, p := range append(r.replicas, r.primary) {
		if p != nil {
			errs = append(errs, p.close())
		}
	}
	return errors.Join(errs...)
}
