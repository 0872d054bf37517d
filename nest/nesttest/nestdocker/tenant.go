package nestdocker

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ory/dockertest/v3/docker"

	"github.com/redisimnest/redisimnest/nest/nesttest/internal/engine"
)

// startNodes starts n servers in one container. Each announces to the others and to clients the
// loopback address and a port that is the same inside and outside the container. So both can reach
// it over any network between this machine and its containers.
func startNodes(n int, args []string) (engine.Engine, []engine.Node, error) {
	pool, err := dockerEngine()
	if err != nil {
		return nil, nil, err
	}
	if host, _ := engineHost(pool); host != "127.0.0.1" {
		return nil, nil, errors.New("the Docker engine is on another machine, where the nodes have other addresses")
	}
	ports := make([]string, n)
	for i := range ports {
		port, err := engine.FreePort()
		if err != nil {
			return nil, nil, err
		}
		ports[i] = strconv.Itoa(port)
	}
	home, err := startContainer(pool, false, []string{"--save", "", "--appendonly", "no"}, ports)
	if err != nil {
		return nil, nil, err
	}
	var (
		nodes  = make([]engine.Node, n)
		failed = make([]error, n)
		all    sync.WaitGroup
	)
	for i, port := range ports {
		t := &tenant{home: home, port: port, args: args}
		nodes[i] = t
		all.Go(func() { failed[i] = t.Restart() })
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		return nil, nil, errors.Join(err, home.Close())
	}
	return home, nodes, nil
}

// tenant is an engine: one of several servers in a container. The image needs no programs other
// than the server and a shell.
type tenant struct {
	home *container
	port string
	args []string
}

func (n *tenant) Address() string { return net.JoinHostPort("127.0.0.1", n.port) }

// Ended returns nil: the server starts as a daemon, which hides its end.
func (n *tenant) Ended() <-chan struct{} { return nil }

func (n *tenant) pidFile() string { return "/tmp/" + n.port + ".pid" }

func (n *tenant) Restart() error {
	args := append([]string{
		"--port", n.port, "--bind", "* -::*", "--protected-mode", "no", "--cluster-announce-ip", "127.0.0.1",
		"--dir", "/tmp", "--cluster-config-file", n.port + ".nodes", "--dbfilename", n.port + ".rdb", "--appenddirname", n.port + ".aof",
		"--pidfile", n.pidFile(), "--logfile", "/tmp/" + n.port + ".log", "--daemonize", "yes",
	}, n.args...)
	// A killed process may hold the lock on its node's file for a moment longer than its port. The
	// new one then ends at once, which nothing tells from a server that is slow to start: another
	// start does no harm beside it.
	var started time.Time
	return engine.WaitFor(nil, func() error {
		if time.Since(started) > 2*time.Second {
			if err := n.sh(serverCommand, args...); err != nil {
				return err
			}
			started = time.Now()
		}
		_, err := engine.Ask(n.Address(), "PING")
		return err
	})
}

func (n *tenant) Kill() error {
	if err := n.sh(`if [ -e "$1" ] && read -r pid <"$1"; then kill -9 "$pid" && : >"$1"; fi`, n.pidFile()); err != nil {
		return err
	}
	return engine.WaitFor(nil, func() error {
		if _, err := engine.Ask(n.Address(), "PING"); err == nil {
			return errors.New("a killed server answers")
		}
		return nil
	})
}

// Close does nothing: the servers end with the container.
func (n *tenant) Close() error { return nil }

// sh runs a shell in the container.
func (n *tenant) sh(script string, args ...string) error {
	client := n.home.pool.Client
	exec, err := client.CreateExec(docker.CreateExecOptions{
		Container:    n.home.resource.Container.ID,
		Cmd:          append([]string{"sh", "-c", script, "sh"}, args...),
		AttachStdout: true,
		AttachStderr: true,
	})
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := client.StartExec(exec.ID, docker.StartExecOptions{OutputStream: &out, ErrorStream: &out}); err != nil {
		return err
	}
	done, err := client.InspectExec(exec.ID)
	if err != nil {
		return err
	}
	if done.ExitCode != 0 {
		return fmt.Errorf("in the container: exit code %d: %s", done.ExitCode, strings.TrimSpace(out.String()))
	}
	return nil
}

func (n *tenant) Freeze() error {
	return n.sh(`read -r pid <"$1" && kill -STOP "$pid"`, n.pidFile())
}

// Thaw leaves a server alone that was killed meanwhile.
func (n *tenant) Thaw() error {
	return n.sh(`if read -r pid <"$1"; then kill -CONT "$pid"; fi`, n.pidFile())
}
