package suite_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// proxy passes connections on to a server, holds back what they carry, and cuts them.
type proxy struct {
	addr string
	mu   sync.Mutex
	live map[*passage]struct{}

	stall time.Time // nothing moves before
}

// passage is one connection through the proxy.
type passage struct {
	client, server net.Conn
	swallow        atomic.Bool // what the server answers gets lost
}

func (p *passage) close() {
	_ = p.client.Close()
	_ = p.server.Close()
}

func newProxy(t *testing.T, addr string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{addr: l.Addr().String(), live: make(map[*passage]struct{})}
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
			c := &passage{client: client, server: server}
			p.mu.Lock()
			p.live[c] = struct{}{}
			p.mu.Unlock()
			wg.Go(func() { p.pass(c, server, client, false) })
			wg.Go(func() { p.pass(c, client, server, true) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.cut(false)
		wg.Wait()
	})
	return p
}

func (p *proxy) pass(c *passage, to, from net.Conn, answers bool) {
	defer func() {
		c.close()
		p.mu.Lock()
		delete(p.live, c)
		p.mu.Unlock()
	}()
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		wait := time.Until(p.stall)
		p.mu.Unlock()
		time.Sleep(wait)
		if answers && c.swallow.Load() {
			return // the server has done something, which its client does not get to know
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// cut ends the connections: at once, or after the server has got one more command and before its
// client has got the answer.
func (p *proxy) cut(answers bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.live {
		if answers {
			c.swallow.Store(true)
		} else {
			c.close()
		}
	}
}

// hold keeps everything back for a while, in both directions, and lets it go late.
func (p *proxy) hold(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stall = time.Now().Add(d)
}
