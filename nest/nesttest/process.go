package nesttest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/nesttest/internal/engine"
)

// programs are the servers to look for on PATH. They are started under these names, because
// Debian's redis-server is a link whose name selects the mode.
var programs = []string{"redis-server", "valkey-server"}

// startPath starts a server from PATH on a free port.
func startPath(o startOptions) (*Server, error) {
	p, err := startProcess(engine.Command{Args: o.serverArgs()})
	if err != nil {
		return nil, err
	}
	return newServer(KindPath, p, rueidis.ClientOption{}, p.addr), nil
}

// processes is a home: this machine.
type processes struct{}

func (processes) Port() (string, error) {
	port, err := engine.FreePort()
	return strconv.Itoa(port), err
}

func (processes) Put(file string) (string, error) { return file, nil }

func (processes) Start(c engine.Command) (engine.Node, error) {
	p, err := startProcess(c)
	if err != nil {
		return nil, err // not a nil process in an interface that is not nil
	}
	return p, nil
}

// Close does nothing: each process is closed by itself.
func (processes) Close() error { return nil }

// process is an engine: a child process, in a folder of its own.
type process struct {
	program string
	args    []string
	users   []string // more of args: users that were made since it was started
	addr    string
	dir     string

	cmd    *exec.Cmd
	output tail
	done   chan struct{} // closed when the process has ended
}

// startProcess starts a server on a free port. Another program may take the port after it was found
// free and before the server binds it, so startProcess tries several.
func startProcess(c engine.Command) (*process, error) {
	program, err := lookProgram()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "nesttest-")
	if err != nil {
		return nil, err
	}
	var first []string
	if c.Config {
		first = []string{filepath.Join(dir, "server.conf")}
		if err := os.WriteFile(first[0], nil, 0o600); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
	}
	var failed []error
	for range 5 {
		port, err := engine.FreePort()
		if err != nil {
			failed = append(failed, err)
			break
		}
		p := &process{
			program: program,
			args:    slices.Concat(first, []string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir}, c.Args),
			addr:    net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
			dir:     dir,
		}
		if err = p.Restart(); err == nil {
			return p, nil
		}
		failed = append(failed, err)
	}
	return nil, errors.Join(append(failed, os.RemoveAll(dir))...)
}

var errNoProgram = fmt.Errorf("none of %v is on PATH", programs)

func lookProgram() (string, error) {
	for _, name := range programs {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errNoProgram
}

func (p *process) Address() string { return p.addr }

func (p *process) Ended() <-chan struct{} { return p.done }

func (p *process) Restart() error {
	p.output.reset()
	p.cmd = exec.Command(p.program, slices.Concat(p.args, p.users)...)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	if err := p.cmd.Start(); err != nil {
		return err
	}
	dismiss, err := guard(p.cmd.Process.Pid, p.dir)
	if err != nil {
		return errors.Join(err, p.cmd.Process.Kill(), p.cmd.Wait())
	}
	done := make(chan struct{})
	p.done = done
	go func() {
		// How it ended does not matter: usually it was killed.
		_ = p.cmd.Wait()
		dismiss()
		close(done)
	}()

	// Only a reply from this very process counts. If another program took the port, another server
	// may reply.
	pid := strconv.Itoa(p.cmd.Process.Pid)
	err = engine.WaitFor(done, func() error {
		if err := engine.Expect(p.addr, "process_id", pid, "INFO", "server"); err != nil {
			return err
		}
		_, err := engine.Ask(p.addr, "PING") // PING fails until the data are loaded; INFO does not
		return err
	})
	if err != nil {
		return errors.Join(fmt.Errorf("start %s at %s: %w; it printed: %s", p.program, p.addr, err, p.output.String()), p.Kill())
	}
	return nil
}

// Remember makes the server begin with a user when it is restarted.
func (p *process) Remember(setUser []string) {
	p.users = slices.Concat(p.users, []string{"--user"}, setUser[2:])
}

func (p *process) Kill() error {
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	<-p.done
	return nil
}

func (p *process) Close() error {
	return errors.Join(p.Kill(), os.RemoveAll(p.dir))
}

// guard starts a shell that kills process pid and removes its folder when this process is gone, for
// whatever reason. The shell waits for the end of its standard input, which only this process holds
// open. It ignores signals that a terminal sends to all its processes. The returned function ends
// the guard. Call it when pid is gone, because its number may then be reused.
func guard(pid int, dir string) (dismiss func(), err error) {
	const script = `trap "" HUP INT TERM; read _; kill -9 "$1"; rm -rf "$2"`
	cmd := exec.Command("sh", "-c", script, "nesttest-guard", strconv.Itoa(pid), dir)
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("guard the server: %w", err)
	}
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}, nil
}

// tail is a writer that keeps the end of what was written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailSize = 2 << 10

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = append(w.buf, p...)
	if over := len(w.buf) - tailSize; over > 0 {
		w.buf = slices.Delete(w.buf, 0, over)
	}
	return len(p), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(bytes.TrimSpace(w.buf))
}

func (w *tail) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = w.buf[:0]
}
