package nesttest

import (
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/redisimnest/redisimnest/nest/nesttest/internal/engine"
)

// Replicas starts a primary with n replicas for this test alone, and returns when the replicas have
// caught up with the primary. They end with the test.
//
// If the test imports package nestdocker, a Docker engine on this machine is available and it has
// the image REDIS_TEST_IMAGE, the servers run in a container. Otherwise they are processes of
// redis-server or valkey-server from PATH, as they are with REDIS_TEST_SERVER=path or embedded.
// With REDIS_TEST_SERVER=docker there must be a container. If nothing is available, the test is
// skipped; in CI (CI=true) it fails.
//
// [Server.Nodes] of the primary returns all of the servers: first the primary, then its replicas.
// [Server.Kill] kills the primary, which nothing replaces, and [Server.Restart] starts again what
// was killed. A primary that comes back without [Persistent] is empty, and so are its replicas
// then. A client of the primary sends nothing to the replicas, unless its options say so:
//
//	option := primary.ClientOption()
//	for _, replica := range primary.Nodes()[1:] {
//		option.Standalone.ReplicaAddress = append(option.Standalone.ReplicaAddress, replica.Addr())
//	}
//	option.SendToReplicas = func(cmd rueidis.Completed) bool { return cmd.IsReadOnly() }
//	client, err := rueidis.NewClient(option)
func Replicas(t testing.TB, n int, opts ...StartOption) (primary *Server) {
	t.Helper()
	o := ofSeveral(t, opts)
	return mustHave(inHome(n+1, reportTo(t), func(kind Kind, in engine.Home) (*Server, error) {
		r, err := startReplicas(in, kind, o, n, false)
		if err != nil {
			return nil, err
		}
		option := clientOptionOfOne
		option.DisableCache = o.untracked
		return newServer(kind, r, option, r.primary.Address()), nil
	}))(t)
}

// replicated is an engine: a primary and its replicas.
type replicated struct {
	kind     Kind
	home     engine.Home
	primary  engine.Node
	replicas []engine.Node
}

// startReplicas starts a primary and n replicas. If they remember, each server writes down whom it
// follows when that changes.
func startReplicas(in engine.Home, kind Kind, o startOptions, n int, remember bool) (*replicated, error) {
	r := &replicated{kind: kind, home: in}
	fail := func(err error) (*replicated, error) {
		return nil, errors.Join(fmt.Errorf("start a primary with %d replicas: %w", n, err), r.Close())
	}
	var later [][]string // commands
	if remember && o.untracked {
		// A user of the command line is written down too, and one who is given twice is refused.
		o.untracked = false
		later = append(later, []string{"ACL", "SETUSER", "default", "-client|tracking"}, []string{"CONFIG", "REWRITE"})
	}
	c := engine.Command{Config: remember, Args: append(o.serverArgs(), "--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0")}
	var err error
	if r.primary, err = startTold(in, c, later); err != nil {
		return fail(err)
	}
	host, port, err := net.SplitHostPort(r.primary.Address())
	if err != nil {
		return fail(err)
	}
	if remember {
		later = append(later, []string{"REPLICAOF", host, port}, []string{"CONFIG", "REWRITE"})
	} else {
		c.Args = append(c.Args, "--replicaof", host+" "+port)
	}
	for range n {
		p, err := startTold(in, c, later)
		if err != nil {
			return fail(err)
		}
		r.replicas = append(r.replicas, p)
	}
	if err := r.caughtUp(); err != nil {
		return fail(err)
	}
	return r, nil
}

// startTold starts a server and sends it commands.
func startTold(in engine.Home, c engine.Command, commands [][]string) (engine.Node, error) {
	p, err := in.Start(c)
	if err != nil {
		return nil, err
	}
	for _, command := range commands {
		if _, err := engine.Ask(p.Address(), command...); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	return p, nil
}

// caughtUp waits until every replica has what its primary has.
func (r *replicated) caughtUp() error {
	for _, p := range r.replicas {
		err := engine.WaitFor(p.Ended(), func() error { return engine.Expect(p.Address(), "master_link_status", "up", "INFO", "replication") })
		if err != nil {
			return fmt.Errorf("replica %s: %w", p.Address(), err)
		}
	}
	// A primary holds writes back from a replica until it has heard that it is ready. A message is
	// passed on like a write.
	if _, err := engine.Ask(r.primary.Address(), "PUBLISH", "nesttest", ""); err != nil {
		return err
	}
	for _, p := range r.replicas {
		err := engine.WaitFor(p.Ended(), func() error {
			info, err := engine.Ask(r.primary.Address(), "INFO", "replication")
			if err != nil {
				return err
			}
			return engine.Expect(p.Address(), "master_repl_offset", engine.Field(info, "master_repl_offset"), "INFO", "replication")
		})
		if err != nil {
			return fmt.Errorf("replica %s: %w", p.Address(), err)
		}
	}
	return nil
}

// all returns the servers, the primary first.
func (r *replicated) all() []engine.Node { return append([]engine.Node{r.primary}, r.replicas...) }

func (r *replicated) Kill() error { return r.primary.Kill() }

func (r *replicated) Restart() error {
	if err := restartEnded(r.all()); err != nil {
		return err
	}
	return r.caughtUp()
}

// restartEnded starts the servers again that were killed.
func restartEnded(nodes []engine.Node) error {
	for _, n := range nodes {
		if !ended(n) {
			continue
		}
		if err := n.Restart(); err != nil {
			return err
		}
	}
	return nil
}

func (r *replicated) Close() error {
	var errs []error
	for _, p := range append(r.replicas, r.primary) {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	return errors.Join(append(errs, r.home.Close())...)
}
