package env

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
)

var (
	nameKey = nest.Key[string]("name", nest.TTL(100))
	tree    = nest.Cluster("env-test", nest.Sub(nameKey))
)

// setenv replaces every variable that package env reads.
func setenv(t *testing.T, vars ...string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, name := range variables() {
		t.Setenv(name, "")
	}
	t.Setenv(fileVariable, "")
	for _, variable := range vars {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return port
}

func TestOpenFails(t *testing.T) {
	clash := nest.Cluster("root", nest.Sub(nest.Key[int]("a"), nest.Key[int]("a"))) //nest:ignore the error is what is tested
	port := freePort(t)
	for _, tt := range []struct {
		name string
		over bool // of the context
		root *nest.ClusterDef
		vars []string
		is   []error
	}{
		{"the variables first", false, clash, []string{"REDIS_PORT=x"}, []error{ErrConfig}},
		{"the tree before the server", false, clash, []string{"REDIS_PORT=" + port}, []error{nest.ErrDeclaration}},
		{"no tree", false, nil, []string{"REDIS_PORT=" + port}, []error{nest.ErrDeclaration}},
		{"no server", false, tree, []string{"REDIS_PORT=" + port, "REDIS_PASS=" + sentinel}, []error{ErrConnect}},
		{"a context that is over", true, tree, []string{"REDIS_PORT=" + port}, []error{ErrConnect, context.Canceled}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			setenv(t, tt.vars...)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tt.over {
				cancel()
			}
			scope, closeClient, err := Open(ctx, tt.root)
			for _, is := range tt.is {
				require.ErrorIs(t, err, is)
			}
			require.NotContains(t, err.Error(), sentinel)
			require.Error(t, scope.Err())
			closeClient()
			closeClient()
		})
	}
}

// server starts redis-server on a port and a socket of its own.
func server(t *testing.T) (port, socket string) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") == "true" {
			require.NoError(t, err, "CI has to have redis-server on PATH")
		}
		t.Skip("SKIPPED: needs redis-server on PATH")
	}
	dir := t.TempDir()
	port, socket = freePort(t), filepath.Join(dir, "redis.sock")
	cmd := exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--unixsocket", socket, "--save", "",
		"--appendonly", "no", "--dir", dir, "--requirepass", sentinel)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			err = conn.Close()
		}
		return err == nil
	}, 10*time.Second, 10*time.Millisecond, "redis-server does not start")
	return port, socket
}

func TestOpen(t *testing.T) {
	port, socket := server(t)
	for _, vars := range [][]string{
		{"REDIS_HOST=127.0.0.1", "REDIS_PORT=" + port, "REDIS_PASS=" + sentinel, "REDIS_DB=3"},
		{"REDIS_ADDRS=127.0.0.1:" + port, "REDIS_USERNAME=default", "REDIS_PASS=" + sentinel},
		{"REDIS_URL=redis://default:" + sentinel + "@127.0.0.1:" + port + "/5"},
		{"REDIS_URL=unix://" + socket + "?db=6", "REDIS_PASS=" + sentinel},
	} {
		t.Run(strings.SplitN(vars[0], ":", 2)[0], func(t *testing.T) {
			setenv(t, vars...)
			goroutines := runtime.NumGoroutine()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			scope, closeClient, err := Open(ctx, tree)
			require.NoError(t, err)
			cancel() // the scope does not depend on it

			ref := nameKey.At(scope)
			require.NoError(t, ref.Set(t.Context(), "Ali"))
			got, err := ref.Get(t.Context())
			require.NoError(t, err)
			require.Equal(t, "Ali", got)

			closeClient()
			closeClient()
			require.Error(t, ref.Set(t.Context(), "closed"))
			require.Eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines+1 }, 10*time.Second, 10*time.Millisecond)
		})
	}
}

// A program that opens several trees makes the client once.
func TestClientAndOptions(t *testing.T) {
	port, _ := server(t)
	setenv(t, "REDIS_ADDRS=127.0.0.1:"+port, "REDIS_USERNAME=default", "REDIS_PASS="+sentinel)
	c, err := Load()
	require.NoError(t, err)
	client, closeClient, err := c.Client(t.Context(), tree)
	require.NoError(t, err)
	defer closeClient()
	for _, prefix := range []string{"a", "b"} {
		opts, err := c.OpenOptions()
		require.NoError(t, err)
		scope, err := nest.Open(client, tree, append(opts, nest.WithPrefix(prefix))...)
		require.NoError(t, err)
		require.NoError(t, scope.Ping(t.Context()))
		require.NoError(t, nameKey.At(scope).Set(t.Context(), prefix))
	}
	var broken *nest.ClusterDef
	_, closeNothing, err := c.Client(t.Context(), broken)
	require.ErrorIs(t, err, nest.ErrDeclaration)
	closeNothing()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = c.Client(ended, tree)
	require.ErrorIs(t, err, ErrConnect)
}

// A connection that breaks after Open has returned is reestablished.
func TestOpenReconnects(t *testing.T) {
	port, _ := server(t)
	setenv(t, "REDIS_HOST=127.0.0.1", "REDIS_PORT="+port, "REDIS_PASS="+sentinel)
	ctx, cancel := context.WithCancel(t.Context())
	scope, closeClient, err := Open(ctx, tree)
	require.NoError(t, err)
	defer closeClient()
	cancel()
	ref := nameKey.At(scope)
	require.NoError(t, ref.Set(t.Context(), "Ali"))

	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	require.NoError(t, err)
	_, err = fmt.Fprintf(conn, "AUTH %s\r\nCLIENT KILL TYPE normal\r\n", sentinel)
	require.NoError(t, err)
	reply := make([]byte, 64)
	for sum := 0; !bytes.Contains(reply[:sum], []byte(":1\r\n")); {
		n, err := conn.Read(reply[sum:])
		require.NoError(t, err, "%q", reply[:sum])
		sum += n
	}
	require.NoError(t, conn.Close())

	require.EventuallyWithT(t, func(c *assert.CollectT) {
		got, err := ref.Get(t.Context())
		require.NoError(c, err)
		require.Equal(c, "Ali", got)
	}, 10*time.Second, 10*time.Millisecond)
}

// A context that ends while NewClient returns still yields an error, and leaves nothing behind.
func TestConnectContextEndsLast(t *testing.T) {
	_, socket := server(t)
	o := option(t, Config{URL: Hide("unix://:" + sentinel + "@" + socket)})
	ctx, cancel := context.WithCancel(t.Context())
	dial := o.DialCtxFn
	o.DialCtxFn = func(ctx context.Context, addr string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
		conn, err := dial(ctx, addr, dialer, config)
		return &lastReply{Conn: conn, seen: cancel}, err
	}
	before := runtime.NumGoroutine()
	client, _, err := connect(ctx, o)
	require.Nil(t, client)
	require.ErrorIs(t, err, context.Canceled)
	requireQuiet(t, before, none)
}

// lastReply calls seen when it reads the answer to the last command of NewClient, which a server
// refuses unless it is a Redis Cluster.
type lastReply struct {
	net.Conn
	seen func()
}

func (c *lastReply) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if bytes.Contains(p[:n], []byte("cluster support disabled")) {
		c.seen()
	}
	return n, err
}

func TestOpenWrongPassword(t *testing.T) {
	port, _ := server(t)
	for _, vars := range [][]string{
		{"REDIS_PASS=" + sentinel + "x"},
		{"REDIS_USERNAME=nobody", "REDIS_PASS=" + sentinel},
		{},
	} {
		setenv(t, append(vars, "REDIS_HOST=127.0.0.1", "REDIS_PORT="+port)...)
		_, _, err := Open(t.Context(), tree)
		require.ErrorIs(t, err, ErrConnect)
		require.ErrorContains(t, err, "check REDIS_USERNAME and REDIS_PASS")
		require.NotContains(t, err.Error(), sentinel)
	}
}

func TestOpenSettings(t *testing.T) {
	port, _ := server(t)
	setenv(t, "REDIS_HOST=127.0.0.1", "REDIS_PORT="+port, "REDIS_PASS="+sentinel, "TTL_AUTO_RENEW=true", "SHOW_METHOD_DISPATCH_LOGS=true")
	var log safeBuffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil))) // it does not show the debug level
	defer slog.SetDefault(before)

	for _, tt := range []struct {
		opts  []nest.OpenOption
		renew bool
	}{
		{nil, true},
		{[]nest.OpenOption{nest.WithDefaults(nest.AutoRenew(false))}, false}, // the program wins
	} {
		scope, closeClient, err := Open(t.Context(), tree, tt.opts...)
		require.NoError(t, err)
		defer closeClient()
		ref := nameKey.At(scope)
		require.NoError(t, ref.Set(t.Context(), sentinel, nest.ExpireIn(10*time.Second)))
		_, err = ref.Get(t.Context())
		require.NoError(t, err)
		ttl, err := ref.TTL(t.Context())
		require.NoError(t, err)
		require.Equal(t, tt.renew, ttl > 10*time.Second, ttl)
	}
	require.Contains(t, log.String(), "level=DEBUG")
	require.Contains(t, log.String(), "op=get")
	require.Contains(t, log.String(), "env-test:name")
	require.NotContains(t, log.String(), sentinel)
}

var (
	secretKey = nest.Secret[string]("secret")
	passKey   = nest.Password("password")
	sealed    = nest.Cluster("env-sealed", nest.Sub(secretKey, passKey))
)

func TestOpenKeyring(t *testing.T) {
	port, _ := server(t)
	ctx := t.Context()
	address := []string{"REDIS_HOST=127.0.0.1", "REDIS_PORT=" + port, "REDIS_PASS=" + sentinel}
	openWith := func(vars ...string) nest.Scope {
		t.Helper()
		setenv(t, append(vars, address...)...)
		scope, closeClient, err := Open(ctx, sealed)
		require.NoError(t, err)
		t.Cleanup(closeClient)
		return scope
	}

	setenv(t, address...)
	_, _, err := Open(ctx, sealed)
	require.ErrorIs(t, err, nest.ErrNoKeyring)
	require.ErrorContains(t, err, "NEST_KEYRING")

	// What Python stored under its key, and what that key sealed.
	const token = `{"__type__": "str", "value": "gAAAAABrA4HdLxc-do_fd69BTLGH0AHRp4MxXtvuBzZqjAUr_KNPeLfRtzAGIziZIw2Pf8H1g6CwMriO30wiRfpKBQt7PoUGHA=="}`
	const pythonKey = "RORUVoR8JULqcbt3vvH1Exd_c5MEEyX6BdE0FSJLKX0="
	python := openWith("MY_ENCRYPTION_KEY=" + pythonKey)
	_, err = secretKey.At(python).Do(ctx, "SET", token)
	require.NoError(t, err)
	got, err := secretKey.At(python).Get(ctx)
	require.NoError(t, err)
	require.Empty(t, got)
	require.NoError(t, secretKey.At(python).Set(ctx, "sealed"))

	// The next keyring opens what the key sealed, and seals new values.
	next := openWith("NEST_KEYRING=" + keyA + "," + pythonKey)
	got, err = secretKey.At(next).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, "sealed", got)
	report, err := nest.Rotate(ctx, next)
	require.NoError(t, err)
	require.EqualValues(t, 1, report.Resealed)
	_, err = secretKey.At(python).Get(ctx)
	require.ErrorIs(t, err, nest.ErrOpen)
	got, err = secretKey.At(openWith("NEST_KEYRING=" + keyA)).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, "sealed", got)

	// Beside a keyring, Python's key opens but does not seal.
	both := openWith("NEST_KEYRING="+keyB, "MY_ENCRYPTION_KEY="+pythonKey)
	_, err = secretKey.At(both).Do(ctx, "SET", token)
	require.NoError(t, err)
	done, err := secretKey.At(both).Rotate(ctx)
	require.NoError(t, err)
	require.True(t, done)
	_, err = secretKey.At(openWith("NEST_KEYRING=" + keyB)).Get(ctx)
	require.NoError(t, err)

	require.NoError(t, passKey.At(both).Set(ctx, sentinel))
	ok, err := passKey.At(both).Verify(ctx, sentinel)
	require.NoError(t, err)
	require.True(t, ok)
	hash, err := passKey.At(both).Reveal(ctx)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(hash, "$argon2id$v=19$m=65536,t=3,p=4$"), "the recommended policy")
}

type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
