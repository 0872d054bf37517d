package nestdocker

import (
	"cmp"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ory/dockertest/v3"
	"github.com/ory/dockertest/v3/docker"

	"github.com/redisimnest/redisimnest/nest/nesttest/internal/engine"
)

const (
	defaultImage = "redis:8"
	redisPort    = docker.Port("6379/tcp")
	// label marks the containers of tests.
	label = "redisimnest.nesttest"
)

// dockerEngine returns a pool for the Docker engine that this process uses, or an error if there is
// none. Creating a pool does not show that: an engine exists if it responds.
var dockerEngine = sync.OnceValues(func() (*dockertest.Pool, error) {
	pool, err := dockertest.NewPool("")
	if err != nil {
		return nil, fmt.Errorf("no Docker engine: %w", err)
	}
	if err := pool.Client.Ping(); err != nil {
		return nil, fmt.Errorf("no Docker engine answers: %w", err)
	}
	sweep(pool)
	return pool, nil
})

// start starts a container of REDIS_TEST_IMAGE with one server.
func start(restartable bool, args []string) (engine.Engine, string, error) {
	pool, err := dockerEngine()
	if err != nil {
		return nil, "", err
	}
	c, err := startContainer(pool, restartable, args, nil)
	if err != nil {
		return nil, "", err
	}
	return c, c.addr, nil
}

// serverCommand runs the server of any image, under the name that selects its mode.
const serverCommand = `exec "$(command -v redis-server || command -v valkey-server)" "$@"`

// container is an engine: a Docker container.
type container struct {
	pool     *dockertest.Pool
	resource *dockertest.Resource
	addr     string
	guard    *io.PipeWriter
}

// startContainer starts a container with a server in it, and publishes the given ports under the
// same numbers.
func startContainer(pool *dockertest.Pool, restartable bool, args, ports []string) (*container, error) {
	image := cmp.Or(os.Getenv("REDIS_TEST_IMAGE"), defaultImage)
	repository, tag := docker.ParseRepositoryTag(image)
	host, bind := engineHost(pool)
	run := &dockertest.RunOptions{
		Repository: repository,
		Tag:        cmp.Or(tag, "latest"),
		Cmd: append([]string{
			"sh", "-c", serverCommand, "sh",
			"--bind", "* -::*", "--protected-mode", "no",
		}, args...),
		ExposedPorts: []string{string(redisPort)},
		PortBindings: map[docker.Port][]docker.PortBinding{redisPort: {{HostIP: bind}}},
		Labels:       map[string]string{label: strconv.Itoa(os.Getpid())},
	}
	if restartable {
		// A container that is started again gets a different port, unless its port is fixed.
		port, err := engine.FreePort()
		if err != nil {
			return nil, err
		}
		run.PortBindings[redisPort][0].HostPort = strconv.Itoa(port)
	}
	for _, p := range ports {
		port := docker.Port(p + "/tcp")
		run.ExposedPorts = append(run.ExposedPorts, string(port))
		run.PortBindings[port] = []docker.PortBinding{{HostIP: bind, HostPort: p}}
	}
	run.Name = "redisimnest-" + rand.Text()
	resource, err := pool.RunWithOptions(run, func(host *docker.HostConfig) {
		host.AutoRemove = !restartable
	})
	if err != nil {
		// It may have been made and not started, because another program has its port.
		if _, made := pool.ContainerByName(run.Name); made {
			err = errors.Join(err, pool.RemoveContainerByName(run.Name))
		}
		return nil, fmt.Errorf("run a container of %s: %w", image, err)
	}
	c := &container{
		pool:     pool,
		resource: resource,
		addr:     net.JoinHostPort(host, resource.GetPort(string(redisPort))),
	}
	if err := c.ready(); err != nil {
		return nil, errors.Join(fmt.Errorf("a container of %s: %w", image, err), c.Close())
	}
	return c, nil
}

// ready makes a container that was just started end with this process, and waits for the server in
// it.
func (c *container) ready() error {
	if err := c.watch(); err != nil {
		return err
	}
	return engine.WaitFor(nil, func() error {
		_, err := engine.Ask(c.addr, "PING")
		return err
	})
}

// watch makes the container end when this process is gone, for whatever reason. A shell in the
// container waits for the end of its standard input, which is a connection of this process. The
// shell reports that it is running, because the engine may never start it. If watch fails, the
// engine ends the container when no test can be running any more.
func (c *container) watch() error {
	id := c.resource.Container.ID
	exec, err := c.pool.Client.CreateExec(docker.CreateExecOptions{
		Container:    id,
		Cmd:          []string{"sh", "-c", "echo; read _; kill 1"},
		AttachStdin:  true,
		AttachStdout: true,
	})
	if err != nil {
		return fmt.Errorf("guard the container: %w", err)
	}
	in, out := io.Pipe()
	stands := signal{make(chan struct{}, 1)}
	if _, err := c.pool.Client.StartExecNonBlocking(exec.ID, docker.StartExecOptions{InputStream: in, OutputStream: stands, RawTerminal: true}); err != nil {
		return fmt.Errorf("guard the container: %w", err)
	}
	c.guard = out
	select {
	case <-stands.came:
	case <-time.After(engine.StartTimeout):
		return fmt.Errorf("guard the container: no word of the guard within %v", engine.StartTimeout)
	}
	return c.resource.Expire(uint(lifetime().Seconds()))
}

// signal is a writer that signals the first bytes written to it.
type signal struct{ came chan struct{} }

func (w signal) Write(p []byte) (int, error) {
	select {
	case w.came <- struct{}{}:
	default:
	}
	return len(p), nil
}

// lifetime is how long the tests of this binary can run.
func lifetime() time.Duration {
	if f := flag.Lookup("test.timeout"); f != nil {
		if d, err := time.ParseDuration(f.Value.String()); err == nil && d > 0 {
			return d + time.Minute
		}
	}
	return 24 * time.Hour // -timeout 0
}

// engineHost returns the host on which containers' ports are reachable and the address to bind them
// to, which is the loopback address for an engine on this machine.
func engineHost(pool *dockertest.Pool) (host, bind string) {
	u, err := url.Parse(pool.Client.Endpoint())
	if err != nil || u.Hostname() == "" || u.Scheme == "unix" || u.Hostname() == "localhost" {
		return "127.0.0.1", "127.0.0.1"
	}
	return u.Hostname(), "0.0.0.0"
}

func (c *container) Kill() error {
	id := c.resource.Container.ID
	err := c.pool.Client.KillContainer(docker.KillContainerOptions{ID: id, Signal: docker.SIGKILL})
	if stopped := (*docker.ContainerNotRunning)(nil); err != nil && !errors.As(err, &stopped) {
		return err
	}
	_, err = c.pool.Client.WaitContainer(id)
	return errors.Join(err, c.guard.Close())
}

func (c *container) Restart() error {
	if err := c.pool.Client.StartContainer(c.resource.Container.ID, nil); err != nil {
		return err
	}
	return c.ready()
}

func (c *container) signal(with docker.Signal) error {
	return c.pool.Client.KillContainer(docker.KillContainerOptions{ID: c.resource.Container.ID, Signal: with})
}

func (c *container) Freeze() error { return c.signal(docker.SIGSTOP) }

// Thaw leaves a container alone that was killed meanwhile.
func (c *container) Thaw() error {
	err := c.signal(docker.SIGCONT)
	if stopped := (*docker.ContainerNotRunning)(nil); errors.As(err, &stopped) {
		return nil
	}
	return err
}

func (c *container) Close() error {
	if c.guard != nil {
		_ = c.guard.Close()
	}
	err := c.resource.Close()
	if gone := (*docker.NoSuchContainer)(nil); errors.As(err, &gone) {
		return nil
	}
	// The engine removes some containers by itself once they have ended, and that may have begun.
	if e := (*docker.Error)(nil); errors.As(err, &e) && e.Status == http.StatusConflict && strings.Contains(e.Message, "already in progress") {
		return nil
	}
	return err
}

// sweep removes containers that tests left behind when they were killed: containers of this package
// that have ended and are older than any test. It ignores errors, because it is only a courtesy.
func sweep(pool *dockertest.Pool) {
	old, err := pool.Client.ListContainers(docker.ListContainersOptions{
		All:     true,
		Filters: map[string][]string{"label": {label}, "status": {"exited", "dead", "created"}},
	})
	if err != nil {
		return
	}
	for _, c := range old {
		if time.Since(time.Unix(c.Created, 0)) > time.Hour {
			_ = pool.Client.RemoveContainer(docker.RemoveContainerOptions{ID: c.ID, Force: true, RemoveVolumes: true})
		}
	}
}
