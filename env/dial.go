package env

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// patience is how long a dial holds its caller once the client is open. rueidis lets one caller
	// connect, with that caller's context, while all others wait without theirs. So however long
	// that one waits, every call can be delayed as long.
	patience = 60 * time.Millisecond
	// stuckDial is how old a dial must be before another one is started beside it. After the
	// network has come back, TCP takes seconds to resend what was lost.
	stuckDial = time.Second
	// maxDials bounds the dials to one address beyond those that callers wait for.
	maxDials = 8
	// keepDialed is how long a connection that nobody waits for any more is kept.
	keepDialed = 2 * time.Second
)

// connectingError is the error of a call that found no connection within [patience] while one is
// being made. Nothing has been sent. [errors.Is] matches it to a refused connection, and the call
// may likewise be retried at once. Dialed reports when a retry is worthwhile.
type connectingError struct {
	addr  string
	cause error           // of the caller's context, or nil
	dials <-chan struct{} // closed when one has ended
}

func (e *connectingError) Error() string {
	text := "still connecting to " + e.addr
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

func (e *connectingError) Unwrap() error { return e.cause }

// Is reports whether target is a refused connection.
func (e *connectingError) Is(target error) bool { return target == syscall.ECONNREFUSED }

// Dialed returns a channel that is closed when a dial has succeeded or failed.
func (e *connectingError) Dialed() <-chan struct{} { return e.dials }

// Timeout and Temporary make it a [net.Error].
func (e *connectingError) Timeout() bool   { return true }
func (e *connectingError) Temporary() bool { return true }

// dialer makes a client's connections. A dial runs in the background. Its caller waits for it until
// the client is open, and for no longer than [patience] afterwards; the result then goes to the
// next caller.
type dialer struct {
	dial dialFunc
	ctx  context.Context //nolint:containedctx // ends all dials
	end  context.CancelFunc
	runs sync.WaitGroup

	mu      sync.Mutex
	opened  bool
	ended   bool
	made    []net.Conn    // until it is opened
	took    time.Duration // by the last dial that succeeded
	last    string        // address
	targets map[string]*target
}

// target is the state of one address.
type target struct {
	waiting int // callers that wait
	dials   int // dials under way
	begun   time.Time
	ready   []net.Conn // not taken by any caller yet
	failed  []error    // not returned to any caller yet
	changed chan struct{}
}

func newDialer(dial dialFunc) *dialer {
	if dial == nil {
		dial = dialTCP
	}
	d := &dialer{dial: dial, targets: make(map[string]*target)}
	d.ctx, d.end = context.WithCancel(context.Background())
	return d
}

// dialTCP dials as rueidis does when it has no dial function.
func dialTCP(ctx context.Context, addr string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	if config == nil {
		return dialer.DialContext(ctx, "tcp", addr)
	}
	return dialTLS(ctx, addr, dialer, config)
}

// dialed returns the address that was dialed last.
func (d *dialer) dialed() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}

// open ends the long waits: from now on no dial holds its caller for longer than hold.
func (d *dialer) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened, d.made = true, nil
}

// shut ends all dials, refuses new ones, and closes every connection that the client has not taken.
// Before the dialer was opened, it closes the taken ones too. It returns when nothing is left.
func (d *dialer) shut() {
	d.mu.Lock()
	d.ended = true
	d.end()
	for _, conn := range d.made {
		_ = conn.Close()
	}
	d.made = nil
	for _, t := range d.targets {
		for _, conn := range t.ready {
			_ = conn.Close()
		}
		t.ready = nil
	}
	d.mu.Unlock()
	d.runs.Wait()
}

// hold returns how long a caller is held. It is longer where connecting itself takes long.
func (d *dialer) hold() time.Duration { return max(patience, d.took+d.took/2) }

// dialContext is the dial function of rueidis.
func (d *dialer) dialContext(ctx context.Context, addr string, how *net.Dialer, config *tls.Config) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = addr
	t := d.targets[addr]
	if t == nil {
		t = &target{changed: make(chan struct{})}
		d.targets[addr] = t
	}
	var held <-chan time.Time
	if d.opened {
		timer := time.NewTimer(d.hold())
		defer timer.Stop()
		held = timer.C
	}
	t.waiting++
	defer func() { t.waiting-- }()
	for {
		switch {
		case d.ended:
			return nil, context.Canceled
		case len(t.ready) > 0:
			conn := t.ready[0]
			t.ready = t.ready[1:]
			return conn, nil
		case len(t.failed) > 0:
			err := t.failed[0]
			t.failed = t.failed[1:]
			return nil, err
		}
		if t.dials < t.waiting || t.dials < maxDials && time.Since(t.begun) > stuckDial {
			t.dials, t.begun = t.dials+1, time.Now()
			d.runs.Go(func() { d.run(t, addr, how, config) })
		}
		changed := t.changed
		d.mu.Unlock()
		var late *connectingError
		select {
		case <-changed:
		case <-d.ctx.Done():
		case <-ctx.Done():
			late = &connectingError{addr, ctx.Err(), changed}
		case <-held:
			late = &connectingError{addr, nil, changed}
		}
		d.mu.Lock()
		if late != nil && len(t.ready) == 0 {
			return nil, late
		}
	}
}

// run makes one connection, for whichever caller waits for it by then.
func (d *dialer) run(t *target, addr string, how *net.Dialer, config *tls.Config) {
	ctx, cancel := context.WithTimeout(d.ctx, cmp.Or(max(how.Timeout, 0), dialTimeout))
	defer cancel()
	start := time.Now()
	conn, err := d.dial(ctx, addr, how, config)
	if err == nil {
		err = awake(ctx, conn)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	t.dials--
	switch {
	case err != nil:
		if t.waiting > t.dials+len(t.ready)+len(t.failed) {
			t.failed = append(t.failed, err)
		}
	case d.ended:
		_ = conn.Close()
	default:
		d.took = time.Since(start)
		t.ready = append(t.ready, conn)
		if d.opened {
			time.AfterFunc(keepDialed, func() { d.drop(t, conn) })
		} else {
			d.made = append(d.made, conn)
		}
	}
	close(t.changed)
	t.changed = make(chan struct{})
}

// drop closes a connection if nobody has taken it.
func (d *dialer) drop(t *target, conn net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, ready := range t.ready {
		if ready == conn {
			t.ready = append(t.ready[:i:i], t.ready[i+1:]...)
			_ = conn.Close()
			return
		}
	}
}

// maxAnswer bounds the answer to the first PING.
const maxAnswer = 4096

// awake sends a PING and waits for any answer. After it, rueidis sends commands whose answers it
// awaits without its callers' contexts, so that a server that hangs would block all callers. A
// server that has too many connections says so before it is asked.
func awake(ctx context.Context, conn net.Conn) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	answer, err := ping(conn)
	if !stop() {
		err = ctx.Err()
	}
	if err == nil {
		err = refusalOf(answer)
	}
	if err != nil {
		_ = conn.Close()
		return &net.OpError{Op: "dial", Net: conn.RemoteAddr().Network(), Addr: conn.RemoteAddr(), Err: err}
	}
	return nil
}

// errNoServer is the error for an answer that no Redis server would send.
var errNoServer = errors.New("what answers there is no Redis server")

// refusal is an answer by which a server refuses a connection. Nothing has been sent.
type refusal struct{ answer string }

func (r *refusal) Error() string { return "the server refuses the connection: " + r.answer }

// Is reports whether target is a refused connection.
func (r *refusal) Is(target error) bool { return target == syscall.ECONNREFUSED }

// refusalOf returns the error that a server's first answer stands for. It returns nil if the server
// only wants a password or is still loading.
func refusalOf(answer []byte) error {
	text := strings.TrimSpace(strings.ToValidUTF8(string(answer), "?"))
	switch {
	case strings.HasPrefix(text, "-ERR "), strings.HasPrefix(text, "-DENIED "):
		return &refusal{text[1:]}
	case strings.HasPrefix(text, "+"), strings.HasPrefix(text, "-"):
		return nil
	}
	return errNoServer
}

// ping returns the first line of the answer to a PING. A server that refuses a connection answers
// unasked and closes it, so an answer counts even if the PING failed.
func ping(conn net.Conn) (answer []byte, err error) {
	_, sent := conn.Write([]byte("*1\r\n$4\r\nPING\r\n"))
	b := make([]byte, 1)
	for len(answer) < maxAnswer && !bytes.HasSuffix(answer, []byte("\n")) {
		n, err := conn.Read(b)
		answer = append(answer, b[:n]...)
		switch {
		case err == nil:
		case len(answer) > 0:
			return answer, nil
		default:
			return nil, cmp.Or(sent, err)
		}
	}
	return answer, nil
}
