package env

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// connectTimeout bounds [Open] where its context has no deadline. It covers two rounds of
// connecting and asking, which sentinels need: for the master, then for the master itself.
const connectTimeout = 15 * time.Second

type dialFunc func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error)

// connect makes a client. When ctx ends first, or on any other error, it leaves no connection
// and nothing that would make one.
func connect(ctx context.Context, option rueidis.ClientOption) (rueidis.Client, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, connectTimeout)
		defer cancel()
	}
	if ctx.Err() != nil {
		return nil, connectError(ctx, option, nil)
	}
	g := newGate(option.DialCtxFn)
	option.DialCtxFn = g.dialContext
	stop := context.AfterFunc(ctx, g.shut)
	client, err := rueidis.NewClient(option)
	if stop() && err == nil {
		g.open()
		return client, nil
	}
	g.shut()
	if client != nil {
		client.Close()
	}
	return nil, connectError(ctx, option, err)
}

// gate stands between rueidis, whose NewClient knows no context, and the network. Until it is
// opened it can be shut, which ends every dial and every connection, and so NewClient.
type gate struct {
	dial   dialFunc
	closed chan struct{} // closed by shut

	mu     sync.Mutex
	opened bool
	conns  []net.Conn // made so far, until the gate is opened
}

func newGate(dial dialFunc) *gate {
	if dial == nil {
		dial = dialTCP
	}
	return &gate{dial: dial, closed: make(chan struct{})}
}

// dialTCP is what rueidis does when it has no dial function.
func dialTCP(ctx context.Context, addr string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	if config == nil {
		return dialer.DialContext(ctx, "tcp", addr)
	}
	d := tls.Dialer{NetDialer: dialer, Config: config}
	return d.DialContext(ctx, "tcp", addr)
}

// open lets everything pass from now on.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened, g.conns = true, nil
}

// shut closes every connection and refuses every dial from now on.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isShut() {
		return
	}
	close(g.closed)
	for _, conn := range g.conns {
		_ = conn.Close()
	}
	g.conns = nil
}

func (g *gate) isShut() bool {
	select {
	case <-g.closed:
		return true
	default:
		return false
	}
}

// dialContext is what rueidis dials with.
func (g *gate) dialContext(ctx context.Context, addr string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-g.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	conn, err := g.dial(ctx, addr, dialer, config)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isShut() {
		_ = conn.Close()
		return nil, context.Canceled
	}
	if !g.opened {
		g.conns = append(g.conns, conn)
	}
	return conn, nil
}

// connectError says why there is no client, and what to do. err is nil when ctx ended before
// anything was tried.
func connectError(ctx context.Context, option rueidis.ClientOption, err error) error {
	where := strings.Join(option.InitAddress, ", ")
	if ctx.Err() != nil {
		err = ctx.Err()
		if cause := context.Cause(ctx); !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", err, cause)
		}
		return fmt.Errorf("env: %w to %s: %w", ErrConnect, where, err)
	}
	hint := "check the address, and that a server runs there"
	refused, answered := errors.AsType[*rueidis.RedisError](err)
	switch {
	case errors.Is(err, rueidis.ErrNoCache):
		answered = true
		hint = "client-side caching needs Redis 6 and a user who may CLIENT TRACKING: without it, write client_cache=0 into REDIS_URL, and protocol=2 for an older server"
	case answered:
		hint = "the server answered, but does not take the connection"
		switch code, _, _ := strings.Cut(refused.Error(), " "); code {
		case "NOAUTH", "WRONGPASS", "NOPERM":
			hint = "check REDIS_USERNAME and REDIS_PASS, or what REDIS_URL says of them, and the user's rights"
		case "No": // "No such master with that name"
			hint = "check REDIS_SENTINEL_MASTER, or master_set in REDIS_URL"
		}
	}
	if answered && repeats(err.Error(), option.Password) {
		return fmt.Errorf("env: %w to %s: the answer repeats a part of the password and is withheld; %s", ErrConnect, where, hint)
	}
	return fmt.Errorf("env: %w to %s: %w; %s", ErrConnect, where, err, hint)
}

// repeats tells whether a server's answer quotes a secret or, since such quotes are cut, the
// beginning of it.
func repeats(answer, secret string) bool {
	const enough = 4
	return secret != "" && strings.Contains(answer, secret[:min(len(secret), enough)])
}
