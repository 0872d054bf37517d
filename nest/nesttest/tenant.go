package nesttest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/ory/dockertest/v3/docker"
)

// startDockerCluster starts the nodes of a Redis Cluster in one container. Each node announces to
// the others and to clients the loopback address and a port that is the same inside and outside the
// container. So both can reach it, whatever the network between this machine and its containers
// looks like.
func startDockerCluster(o startOptions) (*cluster, error) {
	pool, err := dockerEngine()
	if err != nil {
		return nil, err
	}
	if host, _ := engineHost(pool); host != "127.0.0.1" {
		return nil, errors.New("the Docker engine is on another machine, where the nodes have other addresses")
	}
	ports := make([]string, clusterNodes)
	for i := range ports {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		ports[i] = strconv.Itoa(port)
	}
	home, err := startContainer(pool, startOptions{}, ports)
	if err != nil {
		return nil, err
	}
	return startNodes(&cluster{kind: KindDocker, home: home}, func(i int) (node, error) {
		n := &tenant{home: home, port: ports[i], args: o.serverArgs()}
		return n, n.restart()
	})
}

// tenant is an engine: one of several servers in a container. The image needs no programs other
// than the server and a shell.
type tenant struct {
	home *container
	port string
	args []string
}

func (n *tenant) address() string { return net.JoinHostPort("127.0.0.1", n.port) }

// ended returns nil: the server starts as a daemon, which hides its end.
func (n *tenant) ended() <-chan struct{} { return nil }

func (n *tenant) pidFile() string { return "/tmp/" + n.port + ".pid" }

func (n *tenant) restart() error {
	args := append([]string{
		"--port", n.port, "--bind", "* -::*", "--protected-mode", "no", "--cluster-announce-ip", "127.0.0.1",
		"--dir", "/tmp", "--cluster-config-file", n.port + ".nodes", "--dbfilename", n.port + ".rdb", "--appenddirname", n.port + ".aof",
		"--pidfile", n.pidFile(), "--logfile", "/tmp/" + n.port + ".log", "--daemonize", "yes",
	}, n.args...)
	// A killed process may hold the lock on its node's file for a moment longer than its port. The
	// new one then ends at once, which nothing tells from a server that is slow to start: another
	// start does no harm beside it.
	var started time.Time
	return waitFor(nil, func() error {
		if time.Since(started) > 2*time.Second {
			if err := n.sh(serverCommand, args...); err != nil {
				return err
			}
			started = time.Now()
		}
		_, err := ask(n.address(), "PING")
		return err
	})
}

func (n *tenant) kill() error {
	if err := n.sh(`if [ -e "$1" ] && read -r pid <"$1"; then kill -9 "$pid" && : >"$1"; fi`, n.pidFile()); err != nil {
		return err
	}
	return waitFor(nil, func() error {
		if _, err := ask(n.address(), "PING"); err == nil {
			return errors.New("a killed server answers")
		}
		return nil
	})
}

// close does nothing: the servers end with the container.
func (n *tenant) close() error { return nil }

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
