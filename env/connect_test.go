package env

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
)

// listen accepts connections, answers the first bytes of each with answer, if any, and then stays
// silent. It returns the address and a function that returns how many connections are open.
func listen(t *testing.T, answer string) (addr string, open func() int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var mu sync.Mutex
	var wg sync.WaitGroup
	conns := make(map[net.Conn]bool)
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns[conn] = true
			mu.Unlock()
			wg.Go(func() {
				if answer != "" {
					_, _ = conn.Read(make([]byte, 1<<16))
					_, _ = conn.Write([]byte(answer))
				}
				_, _ = io.Copy(io.Discard, conn) // until the other side closes
				_ = conn.Close()
				mu.Lock()
				delete(conns, conn)
				mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for conn := range conns {
			_ = conn.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String(), func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(conns)
	}
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	return l.Addr().String()
}

func option(t *testing.T, c Config) rueidis.ClientOption {
	t.Helper()
	if c.URL.IsZero() {
		c.Password = Hide(sentinel)
	}
	o, err := c.ClientOption()
	require.NoError(t, err)
	return o
}

// requireQuiet requires that goroutines and connections end soon.
func requireQuiet(t *testing.T, goroutines int, open func() int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for open() > 0 || runtime.NumGoroutine() > goroutines {
		require.True(t, time.Now().Before(deadline), "leaked: %d connections, %d goroutines", open(), runtime.NumGoroutine()-goroutines)
		time.Sleep(5 * time.Millisecond)
	}
}

func none() int { return 0 }

func TestConnectClosedPort(t *testing.T) {
	one, two := closedPort(t), closedPort(t)
	for name, c := range map[string]Config{
		"one":       {Addrs: []string{one}},
		"cluster":   {Addrs: []string{one, two}},
		"sentinels": {Addrs: []string{one, two}, SentinelMaster: "m"},
		"URL":       {URL: Hide("redis://:" + sentinel + "@" + one)},
		"TLS":       {URL: Hide("rediss://:" + sentinel + "@" + one)},
		"socket":    {URL: Hide("unix://:" + sentinel + "@/nonexistent/redis.sock")},
	} {
		t.Run(name, func(t *testing.T) {
			o := option(t, c)
			before := runtime.NumGoroutine()
			client, _, err := connect(t.Context(), o)
			require.Nil(t, client)
			require.ErrorIs(t, err, ErrConnect)
			require.ErrorContains(t, err, o.InitAddress[0])
			_, isNet := errors.AsType[*net.OpError](err)
			require.True(t, isNet)
			require.NotContains(t, err.Error(), sentinel)
			requireQuiet(t, before, none)
		})
	}
}

// With ForceSingleClient rueidis returns a client along with the error.
func TestConnectClosesTheClientThatComesWithAnError(t *testing.T) {
	o := option(t, Config{Addrs: []string{closedPort(t)}})
	o.ForceSingleClient = true
	before := runtime.NumGoroutine()
	client, _, err := connect(t.Context(), o)
	require.Nil(t, client)
	require.ErrorIs(t, err, ErrConnect)
	requireQuiet(t, before, none)
}

func TestConnectContextEndsFirst(t *testing.T) {
	cause := errors.New("shutting down")
	for name, c := range map[string]func(addr string) Config{
		"one":       func(addr string) Config { return Config{Addrs: []string{addr}} },
		"cluster":   func(addr string) Config { return Config{Addrs: []string{addr, closedAddr}} },
		"sentinels": func(addr string) Config { return Config{Addrs: []string{addr}, SentinelMaster: "m"} },
		"TLS":       func(addr string) Config { return Config{Addrs: []string{addr}, TLS: true} },
	} {
		for end, test := range map[string]struct {
			context func() (context.Context, context.CancelFunc)
			is      []error
		}{
			"deadline": {func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(t.Context(), 100*time.Millisecond)
			}, []error{context.DeadlineExceeded}},
			"canceled": {func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(100*time.Millisecond, func() { cancel(cause) })
				return ctx, func() { cancel(nil) }
			}, []error{context.Canceled, cause}},
			"before it began": {func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				return ctx, cancel
			}, []error{context.Canceled}},
		} {
			t.Run(name+" "+end, func(t *testing.T) {
				addr, open := listen(t, "")
				o := option(t, c(addr))
				o.ConnWriteTimeout = time.Minute // the context, not the client, must end the wait
				o.Dialer.Timeout = time.Minute
				before := runtime.NumGoroutine()
				ctx, cancel := test.context()
				defer cancel()
				start := time.Now()
				client, _, err := connect(ctx, o)
				require.Less(t, time.Since(start), 10*time.Second)
				require.Nil(t, client)
				require.ErrorIs(t, err, ErrConnect)
				for _, is := range test.is {
					require.ErrorIs(t, err, is)
				}
				require.NotContains(t, err.Error(), sentinel)
				requireQuiet(t, before, open)
			})
		}
	}
}

// closedAddr has a port on which, by convention, nothing listens: discard.
const closedAddr = "127.0.0.1:9"

// A server that accepts and never answers does not block a caller without a deadline.
func TestConnectSilentServer(t *testing.T) {
	addr, open := listen(t, "")
	before := runtime.NumGoroutine()
	start := time.Now()
	_, _, err := connect(t.Context(), option(t, Config{Addrs: []string{addr}}))
	require.ErrorIs(t, err, ErrConnect)
	require.Less(t, time.Since(start), connectTimeout)
	requireQuiet(t, before, open)
}

// What answers is not a server, or it is one whose answers quote what was sent.
func TestConnectStrangeAnswers(t *testing.T) {
	const commands = 5 // PING, HELLO, CLIENT TRACKING and twice CLIENT SETINFO
	for name, answer := range map[string]string{
		"another protocol":     "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n",
		"quotes the password":  strings.Repeat("-ERR unknown command 'AUTH', with args beginning with: '"+sentinel+"'\r\n", commands),
		"quotes a part of it":  strings.Repeat("-ERR unknown command 'AUTH', with args beginning with: '"+sentinel[:8]+"\r\n", commands),
		"no HELLO":             strings.Repeat("-ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'default' '"+sentinel+"'\r\n", commands),
		"wrong password":       strings.Repeat("-WRONGPASS invalid username-password pair\r\n", commands),
		"a huge bulk, then no": "$2147483647\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			addr, open := listen(t, answer)
			before := runtime.NumGoroutine()
			client, _, err := connect(t.Context(), option(t, Config{Addrs: []string{addr}}))
			require.Nil(t, client)
			require.ErrorIs(t, err, ErrConnect)
			for how, out := range printed(t, err) {
				require.NotContains(t, out, sentinel[:8], how)
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				require.NotContains(t, e.Error(), sentinel[:8])
			}
			require.Equal(t, name == "wrong password", strings.Contains(err.Error(), "check REDIS_USERNAME"))
			requireQuiet(t, before, open)
		})
	}
}
