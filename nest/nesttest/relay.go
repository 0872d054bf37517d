package nesttest

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Relay sits between clients and a server, and fails as networks do. It lets a test see how its
// code handles a connection that is cut, slow or silent. It passes bytes on unchanged, so it works
// for any TCP server. It is safe for concurrent use.
//
//	relay := nesttest.NewRelay(t, server.Addr())
//	option := server.ClientOption()
//	option.InitAddress, option.ForceSingleClient = []string{relay.Addr()}, true
//	client, err := rueidis.NewClient(option)
//	...
//	relay.Cut()
//
// The relay accepts connections while the server is killed, and then ends them: a client behind it
// sees lost connections, never refused ones.
//
// A client of a Redis Cluster learns the addresses of the nodes from the nodes themselves, and one
// of Sentinel from the sentinel. Both bypass the relay unless ForceSingleClient restricts the
// client to one node.
type Relay struct {
	addr   string
	muted  atomic.Bool
	severs atomic.Int64

	mu     sync.Mutex
	live   map[*passage]struct{}
	closed bool
	stall  time.Time // nothing moves before this time
	chance float64   // of being cut, for each piece
	rate   float64   // bytes per second and direction; 0: as many as there are
}

// passage is one connection through a relay.
type passage struct {
	client, server net.Conn
	swallow        atomic.Bool // discard what the server replies
}

func (p *passage) close() {
	_ = p.client.Close()
	_ = p.server.Close()
}

// NewRelay starts a relay to the server at addr, a host:port, on a free port of the loopback
// address. The relay and its connections end with the test.
func NewRelay(t testing.TB, addr string) *Relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{addr: l.Addr().String(), live: make(map[*passage]struct{})}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", addr)
			if err != nil {
				_ = client.Close()
				continue
			}
			p := &passage{client: client, server: server}
			if !r.enter(p) {
				return
			}
			wg.Go(func() { r.pass(p, server, client, false) })
			wg.Go(func() { r.pass(p, client, server, true) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		r.mu.Lock()
		r.closed = true
		r.mu.Unlock()
		r.Cut()
		wg.Wait()
	})
	return r
}

// Addr returns the address for clients to connect to, as host:port.
func (r *Relay) Addr() string { return r.addr }

// Cut ends all connections at once. New connections pass.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p := range r.live {
		p.close()
	}
}

// LoseAnswers ends each connection when the server next sends something, which is discarded. The
// server executes everything that it was sent, but its client does not learn of that. New
// connections pass.
func (r *Relay) LoseAnswers() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p := range r.live {
		p.swallow.Store(true)
	}
}

// Mute stops passing on what the server sends, on existing connections and on new ones, for good.
// All of them stay open.
func (r *Relay) Mute() { r.muted.Store(true) }

// Hold holds back everything for d, in both directions, and then lets it go.
func (r *Relay) Hold(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stall = time.Now().Add(d)
}

// Slow lets up to that many bytes a second through each connection in each direction. 0 ends that.
func (r *Relay) Slow(bytesPerSecond int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rate = float64(max(bytesPerSecond, 0))
}

// Sever cuts connections in the middle of what they carry: each piece of up to 4 KiB, in either
// direction, is cut with the given chance. A chance of 1 cuts every piece; 0 stops the cutting.
func (r *Relay) Sever(chance float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.chance = chance
}

// Severed returns the number of connections that [Relay.Sever] has cut.
func (r *Relay) Severed() int64 { return r.severs.Load() }

// enter records a connection, unless the relay has ended.
func (r *Relay) enter(p *passage) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		p.close()
		return false
	}
	r.live[p] = struct{}{}
	return true
}

// pass passes on what comes from one end until something ends the connection.
func (r *Relay) pass(p *passage, to, from net.Conn, answers bool) {
	defer func() {
		p.close()
		r.mu.Lock()
		delete(r.live, p)
		r.mu.Unlock()
	}()
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		r.mu.Lock()
		wait, severed := time.Until(r.stall), rand.Float64() < r.chance
		if r.rate > 0 {
			wait = max(wait, 0) + time.Duration(float64(n)/r.rate*float64(time.Second))
		}
		r.mu.Unlock()
		time.Sleep(wait)
		switch {
		case answers && r.muted.Load():
			continue
		case answers && p.swallow.Load():
			if server, ok := p.server.(*net.TCPConn); ok {
				_ = server.CloseWrite() // it executes what it received, and then closes
				_, _ = io.Copy(io.Discard, server)
			}
			return
		case severed:
			n = rand.IntN(n + 1)
			r.severs.Add(1)
		}
		if _, err := to.Write(buf[:n]); err != nil || severed {
			return
		}
	}
}
