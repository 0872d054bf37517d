package nesttest

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/redisimnest/redisimnest/nest/nesttest/internal/engine"
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
	return fromPath(startReplicas(o, n, ""))(t)
}

// fromPath returns what makes a server from PATH a test's own. Without the program the test is
// skipped; in CI it fails.
func fromPath(s *Server, err error) func(t testing.TB) *Server {
	return func(t testing.TB) *Server {
		t.Helper()
		switch {
		case err == nil:
			return s.own(t)
		case inCI() || !errors.Is(err, errNoProgram):
			t.Fatalf("nesttest: %v", err)
		}
		t.Skipf("nesttest: SKIPPED, not passed: %v", err)
		return nil
	}
}

// replicated is an engine: a primary and its replicas.
type replicated struct {
	primary  *process
	replicas []*process
}

// startReplicas starts a primary and n replicas. With a configuration file of the given name, each
// server remembers there whom it follows when that changes.
func startReplicas(o startOptions, n int, file string) (*Server, error) {
	args := append(o.serverArgs(), "--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0")
	r := &replicated{}
	fail := func(err error) (*Server, error) {
		return nil, errors.Join(fmt.Errorf("start a primary with %d replicas: %w", n, err), r.Close())
	}
	var err error
	if r.primary, err = startProcessWith(file, args); err != nil {
		return fail(err)
	}
	host, port, err := net.SplitHostPort(r.primary.addr)
	if err != nil {
		return fail(err)
	}
	for range n {
		p, err := startReplica(file, args, host, port)
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

func startReplica(file string, args []string, host, port string) (*process, error) {
	if file == "" {
		return startProcess(append(slices.Clip(args), "--replicaof", host+" "+port))
	}
	p, err := startProcessWith(file, args)
	if err != nil {
		return nil, err
	}
	for _, command := range [][]string{{"REPLICAOF", host, port}, {"CONFIG", "REWRITE"}} {
		if _, err := engine.Ask(p.addr, command...); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	return p, nil
}

// caughtUp waits until every replica has what its primary has.
func (r *replicated) caughtUp() error {
	for _, p := range r.replicas {
		err := engine.WaitFor(p.done, func() error { return engine.Expect(p.addr, "master_link_status", "up", "INFO", "replication") })
		if err != nil {
			return fmt.Errorf("replica %s: %w", p.addr, err)
		}
	}
	// A primary holds writes back from a replica until it has heard that it is ready. A message is
	// passed on like a write.
	if _, err := engine.Ask(r.primary.addr, "PUBLISH", "nesttest", ""); err != nil {
		return err
	}
	for _, p := range r.replicas {
		err := engine.WaitFor(p.done, func() error {
			info, err := engine.Ask(r.primary.addr, "INFO", "replication")
			if err != nil {
				return err
			}
			return engine.Expect(p.addr, "master_repl_offset", engine.Field(info, "master_repl_offset"), "INFO", "replication")
		})
		if err != nil {
			return fmt.Errorf("replica %s: %w", p.addr, err)
		}
	}
	return nil
}

// processes returns the servers, the primary first.
func (r *replicated) processes() []*process { return append([]*process{r.primary}, r.replicas...) }

func (r *replicated) Kill() error { return r.primary.Kill() }

func (r *replicated) Restart() error {
	if err := r.primary.Restart(); err != nil {
		return err
	}
	return r.caughtUp()
}

func (r *replicated) Close() error {
	var errs []error
	for _, p := range append(r.replicas, r.primary) {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	return errors.Join(errs...)
}
