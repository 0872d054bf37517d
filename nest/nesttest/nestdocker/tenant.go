package nestdocker

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ory/dockertest/v3/docker"

	"github.com/redisimnest/redisimnest/nest/nesttest/internal/engine"
)

// home is a container in which several servers run. Each announces to the others and to clients the
// loopback address and a port that is the same inside and outside the container. So both can reach
// it over any network between this machine and its containers.
type home struct {
	*container

	mu    sync.Mutex
	ports []string // free ones
}

// newHome starts a container that publishes that many ports.
func newHome(ports int) (engine.Home, error) {
	pool, err := dockerEngine()
	if err != nil {
		return nil, err
	}
	if host, _ := engineHost(pool); host != "127.0.0.1" {
		return nil, errors.New("the Docker engine is on another machine, where the nodes have other addresses")
	}
	// Another program may take a port after it was found free and before the engine binds it.
	var failed []error
	for range 5 {
		h := &home{}
		for len(h.ports) < ports {
			port, err := engine.FreePort()
			if err != nil {
				return nil, err
			}
			if p := strconv.Itoa(port); !slices.Contains(h.ports, p) { // nothing holds it yet
				h.ports = append(h.ports, p)
			}
		}
		if h.container, err = startContainer(pool, false, []string{"--save", "", "--appendonly", "no"}, h.ports); err == nil {
			return h, nil
		}
		failed = append(failed, err)
		if !strings.Contains(err.Error(), "already allocated") && !strings.Contains(err.Error(), "already in use") {
			break
		}
	}
	return nil, errors.Join(failed...)
}

func (h *home) Port() (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ports) == 0 {
		return "", errors.New("the container has no port for one more node")
	}
	port := h.ports[0]
	h.ports = h.ports[1:]
	return port, nil
}

// Put writes the file to the container, which needs no program but the shell for it.
func (h *home) Put(file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	name := "/tmp/" + filepath.Base(file)
	return name, h.sh(`printf %s "$2" >"$1"`, name, string(content))
}

func (h *home) Start(c engine.Command) (engine.Node, error) {
	port, err := h.Port()
	if err != nil {
		return nil, err
	}
	n := &tenant{home: h, port: port}
	if c.Config {
		config := "/tmp/" + port + ".conf"
		if err := h.sh(`: >"$1"`, config); err != nil {
			return nil, err
		}
		n.args = append(n.args, config)
	}
	n.args = append(n.args,
		"--port", port, "--bind", "* -::*", "--protected-mode", "no", "--cluster-announce-ip", "127.0.0.1",
		"--dir", "/tmp", "--cluster-config-file", port+".nodes", "--dbfilename", port+".rdb", "--appenddirname", port+".aof",
		"--logfile", "/tmp/"+port+".log", "--daemonize", "yes")
	n.args = append(n.args, c.Args...)
	if err := n.Restart(); err != nil {
		return nil, err
	}
	return n, nil
}

// sh runs a shell in the container.
func (h *home) sh(script string, args ...string) error {
	_, err := h.output(script, args...)
	return err
}

// output runs a shell in the container, and returns what it printed.
func (h *home) output(script string, args ...string) (string, error) {
	client := h.pool.Client
	exec, err := client.CreateExec(docker.CreateExecOptions{
		Container:    h.resource.Container.ID,
		Cmd:          append([]string{"sh", "-c", script, "sh"}, args...),
		AttachStdout: true,
		AttachStderr: true,
	})
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	if err := client.StartExec(exec.ID, docker.StartExecOptions{OutputStream: &out, ErrorStream: &out}); err != nil {
		return "", err
	}
	done, err := client.InspectExec(exec.ID)
	if err != nil {
		return "", err
	}
	printed := strings.TrimSpace(out.String())
	if done.ExitCode != 0 {
		return "", fmt.Errorf("in the container: exit code %d: %s", done.ExitCode, printed)
	}
	return printed, nil
}

// tenant is an engine: one of several servers in a container. The image needs no programs other
// than the server and a shell.
type tenant struct {
	home  *home
	port  string
	args  []string
	users []string // more of args: users that were made since it was started

	pid    string        // in the container
	killed chan struct{} // closed by Kill
}

func (n *tenant) Address() string { return net.JoinHostPort("127.0.0.1", n.port) }

// Ended is closed when the server was killed. It starts as a daemon, which hides any other end.
func (n *tenant) Ended() <-chan struct{} { return n.killed }

func (n *tenant) Restart() error {
	// A killed process may hold the lock on its node's file for a moment longer than its port. The
	// new one then ends at once, which nothing tells from a server that is slow to start: another
	// start does no harm beside it.
	var started time.Time
	err := engine.WaitFor(nil, func() error {
		if time.Since(started) > 2*time.Second {
			if err := n.home.sh(serverCommand, slices.Concat(n.args, n.users)...); err != nil {
				return err
			}
			started = time.Now()
		}
		info, err := engine.Ask(n.Address(), "INFO", "server")
		if err != nil {
			return err
		}
		n.pid = engine.Field(info, "process_id")
		_, err = engine.Ask(n.Address(), "PING") // PING fails until the data are loaded; INFO does not
		return err
	})
	if err != nil {
		return fmt.Errorf("start a server at %s: %w; it wrote: %s", n.Address(), err, n.lastWords())
	}
	n.killed = make(chan struct{})
	return nil
}

// lastWords returns the end of what the server wrote to its log.
func (n *tenant) lastWords() string {
	words, err := n.home.output(`while IFS= read -r line || [ "$line" ]; do a=$b b=$c c=$line; done <"$1"; printf '%s\n' "$a" "$b" "$c"`, "/tmp/"+n.port+".log")
	if err != nil {
		return err.Error()
	}
	return words
}

// Remember makes the server begin with a user when it is restarted.
func (n *tenant) Remember(setUser []string) {
	n.users = slices.Concat(n.users, []string{"--user"}, setUser[2:])
}

func (n *tenant) Kill() error {
	select {
	case <-n.killed:
		return nil
	default:
	}
	if err := n.signal("KILL"); err != nil {
		return err
	}
	close(n.killed)
	return engine.WaitFor(nil, func() error {
		if _, err := engine.Ask(n.Address(), "PING"); err == nil {
			return errors.New("a killed server answers")
		}
		return nil
	})
}

// Close does nothing: the servers end with the container.
func (n *tenant) Close() error { return nil }

// signal sends a signal to the server, if it has not ended.
func (n *tenant) signal(name string) error {
	return n.home.sh(`kill -s "$1" "$2" || ! kill -s 0 "$2"`, name, n.pid)
}

func (n *tenant) Freeze() error { return n.signal("STOP") }

// Thaw leaves a server alone that was killed meanwhile.
func (n *tenant) Thaw() error {
	select {
	case <-n.killed:
		return nil
	default:
		return n.signal("CONT")
	}
}
