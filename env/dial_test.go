package env

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// slowNetwork dials a server that answers every line with answer. A dial that is told to wait goes
// on when hold is closed.
type slowNetwork struct {
	addr  string
	hold  atomic.Pointer[chan struct{}]
	dials atomic.Int64
}

func newSlowNetwork(t *testing.T, answer string) *slowNetwork {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer func() { _ = conn.Close() }()
				lines := bufio.NewScanner(conn)
				for i := 1; lines.Scan(); i++ {
					if i%3 == 0 { // a command of one word
						_, _ = io.WriteString(conn, answer)
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		require.NoError(t, l.Close())
		wg.Wait()
	})
	return &slowNetwork{addr: l.Addr().String()}
}

// stop makes dials wait until the function that it returns is called.
func (n *slowNetwork) stop() (resume func()) {
	hold := make(chan struct{})
	n.hold.Store(&hold)
	return func() {
		n.hold.Store(nil)
		close(hold)
	}
}

func (n *slowNetwork) dial(ctx context.Context, addr string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	n.dials.Add(1)
	if hold := n.hold.Load(); hold != nil {
		select {
		case <-*hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return dialTCP(ctx, addr, dialer, config)
}

func (n *slowNetwork) connect(ctx context.Context, d *dialer) (net.Conn, error) {
	return d.dialContext(ctx, n.addr, &net.Dialer{}, nil)
}

func TestDialHoldsNobodyForLong(t *testing.T) {
	n := newSlowNetwork(t, "+PONG\r\n")
	before := runtime.NumGoroutine()
	d := newDialer(n.dial)
	d.open()
	resume := n.stop()
	var pending *connectingError
	for range 5 {
		start := time.Now()
		_, err := n.connect(context.Background(), d)
		require.Less(t, time.Since(start), time.Second)
		require.ErrorAs(t, err, &pending)
		require.ErrorIs(t, err, syscall.ECONNREFUSED, "nothing was sent")
		var timeout net.Error
		require.True(t, errors.As(err, &timeout) && timeout.Timeout())
		require.NotErrorIs(t, err, context.DeadlineExceeded)
	}
	require.EqualValues(t, 1, n.dials.Load(), "one goes on, for all of them")

	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := n.connect(ctx, d)
	require.ErrorAs(t, err, &pending)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	resume()
	<-pending.Dialed()
	conn, err := n.connect(t.Context(), d)
	require.NoError(t, err)
	require.EqualValues(t, 1, n.dials.Load())
	require.NoError(t, conn.Close())
	d.shut()
	requireQuiet(t, before, none)
}

// Each of several callers gets a connection of its own, and callers do not wait for each other.
func TestDialsAtTheSameTime(t *testing.T) {
	n := newSlowNetwork(t, "+PONG\r\n")
	d := newDialer(n.dial)
	defer d.shut()
	resume := n.stop()
	var wg sync.WaitGroup
	var mu sync.Mutex
	conns := make(map[net.Conn]bool)
	for range 20 {
		wg.Go(func() {
			conn, err := n.connect(t.Context(), d)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			conns[conn] = true
		})
	}
	require.Eventually(t, func() bool { return n.dials.Load() == 20 }, 10*time.Second, time.Millisecond)
	resume()
	wg.Wait()
	require.Len(t, conns, 20)
	for conn := range conns {
		require.NoError(t, conn.Close())
	}
}

// A dial that is stuck does not keep others from trying the address; nor do they pile up.
func TestDialBesideOneThatIsStuck(t *testing.T) {
	n := newSlowNetwork(t, "+PONG\r\n")
	before := runtime.NumGoroutine()
	d := newDialer(n.dial)
	d.open()
	n.stop()
	for range 100 {
		_, err := n.connect(t.Context(), d)
		require.Error(t, err)
		d.mu.Lock()
		d.targets[n.addr].begun = time.Now().Add(-2 * stuckDial)
		d.mu.Unlock()
		if n.dials.Load() == maxDials {
			break
		}
	}
	_, err := n.connect(t.Context(), d)
	require.Error(t, err)
	require.EqualValues(t, maxDials, n.dials.Load())
	d.shut()
	requireQuiet(t, before, none)
	_, err = n.connect(t.Context(), d)
	require.ErrorIs(t, err, context.Canceled)
}

// A connection that nobody takes is closed.
func TestDialedForNobody(t *testing.T) {
	addr, open := listen(t, "+PONG\r\n")
	before := runtime.NumGoroutine()
	n := &slowNetwork{addr: addr}
	d := newDialer(n.dial)
	d.open()
	resume := n.stop()
	_, err := n.connect(t.Context(), d)
	var pending *connectingError
	require.ErrorAs(t, err, &pending)
	resume()
	<-pending.Dialed()
	require.Equal(t, 1, open())
	requireQuiet(t, before+1, open)
	d.shut()
}

// Callers wait for a connection whose dials always take long.
func TestDialOverASlowLink(t *testing.T) {
	n := newSlowNetwork(t, "+PONG\r\n")
	slow := func(ctx context.Context, addr string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
		time.Sleep(4 * patience)
		return n.dial(ctx, addr, dialer, config)
	}
	d := newDialer(slow)
	defer d.shut()
	for range 2 {
		conn, err := n.connect(t.Context(), d)
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		d.open()
	}
}

// The error of a failed dial goes to one caller, at once.
func TestDialFails(t *testing.T) {
	d := newDialer(nil)
	defer d.shut()
	addr := closedPort(t)
	for range 3 {
		start := time.Now()
		_, err := d.dialContext(t.Context(), addr, &net.Dialer{}, nil)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		require.NotErrorAs(t, err, new(*connectingError))
		require.Less(t, time.Since(start), time.Second)
		d.open()
	}
}

// If a server says something unasked, that is the reason why there is no connection. Nothing of its
// answer to a PING is left over for the next command.
func TestFirstAnswer(t *testing.T) {
	for answer, refuses := range map[string]string{
		"+PONG\r\n":                                      "",
		"-NOAUTH Authentication required\r\n":            "",
		"-LOADING Redis is loading\r\n":                  "",
		"-ERR max number of clients reached\r\n":         "refuses the connection: ERR max number of clients reached",
		"-DENIED Redis is running in protected mode\r\n": "refuses the connection: DENIED Redis is running",
		"HTTP/1.1 400 Bad Request\r\n":                   "no Redis server",
		"$2147483647\r\n":                                "no Redis server",
	} {
		n := newSlowNetwork(t, answer)
		d := newDialer(nil)
		conn, err := n.connect(t.Context(), d)
		if refuses != "" {
			require.ErrorContains(t, err, refuses)
			continue
		}
		require.NoError(t, err)
		_, err = io.WriteString(conn, "*1\r\n$4\r\nPING\r\n")
		require.NoError(t, err)
		got := make([]byte, len(answer))
		_, err = io.ReadFull(conn, got)
		require.NoError(t, err)
		require.Equal(t, answer, string(got))
		require.NoError(t, conn.Close())
		d.shut()
	}
}

// The error for a full server quotes the server, and does not say that the connection was lost.
func TestConnectToAFullServer(t *testing.T) {
	port, _ := server(t)
	addr := "127.0.0.1:" + port
	o := option(t, Config{Addrs: []string{addr}})
	client, closeClient, err := connect(t.Context(), o)
	require.NoError(t, err)
	defer closeClient()
	require.NoError(t, client.Do(t.Context(), client.B().ConfigSet().ParameterValue().ParameterValue("maxclients", "1").Build()).Error())
	_, _, err = connect(t.Context(), o)
	require.ErrorContains(t, err, "max number of clients")
	require.ErrorContains(t, err, "maxclients")
}
