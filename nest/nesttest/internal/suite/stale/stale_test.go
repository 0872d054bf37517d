package stale_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

var (
	held   = nest.Key[int]("held", nest.Cached(time.Minute))
	loaded = nest.Key[int]("loaded", nest.ReadThrough())
	root   = nest.Cluster("stale", nest.HashTag(), nest.TTL(time.Hour), nest.Sub(held, loaded))
)

// lateConn is a connection that, once it is armed, delivers what follows the next status later than
// the status itself: the server's word that a value is old comes after the answer to the write.
type lateConn struct {
	net.Conn
	armed *atomic.Bool
	later bool   // the next bytes are late
	rest  []byte // they were read already
}

const late = 200 * time.Millisecond

func (c *lateConn) Read(p []byte) (int, error) {
	if c.later {
		c.later = false
		time.Sleep(late)
	}
	if len(c.rest) > 0 {
		n := copy(p, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	}
	n, err := c.Conn.Read(p)
	if end := bytes.Index(p[:n], []byte("+OK\r\n")); end >= 0 && c.armed.CompareAndSwap(true, false) {
		end += len("+OK\r\n")
		c.later, c.rest = true, bytes.Clone(p[end:n])
		return end, err
	}
	return n, err
}

// A write returns only once the client has dropped the old value, however late the server's word
// of it comes.
func TestAWriteReturnsAfterTheOldValueIsDropped(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	server.Need(t, nesttest.Tracking)
	var armed atomic.Bool
	option := server.ClientOption()
	option.ForceSingleClient = true
	option.DialCtxFn = func(ctx context.Context, addr string, dialer *net.Dialer, _ *tls.Config) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		return &lateConn{Conn: conn, armed: &armed}, nil
	}
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	scope, err := nest.Open(client, root, nest.WithOneConnection())
	require.NoError(t, err)
	ref := held.At(scope)
	for name, write := range map[string]func(ctx context.Context, v int) error{
		"a call": func(ctx context.Context, v int) error { return ref.Set(ctx, v) },
		"a batch": func(ctx context.Context, v int) error {
			b := scope.Batch()
			ref.In(b).Set(v)
			return b.Exec(ctx)
		},
	} {
		require.NoError(t, ref.Set(t.Context(), 1))
		got, err := ref.Get(t.Context()) // from now on the client remembers it
		require.NoError(t, err)
		require.Equal(t, 1, got)

		armed.Store(true)
		began := time.Now()
		require.NoError(t, write(t.Context(), 2), name)
		got, err = ref.Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, got, "%s, %v after it was sent", name, time.Since(began))
		require.False(t, armed.Load(), name)
	}
}

// A load that began before a write stores nothing after it. That holds for every kind of write, by
// this client, by another one, and without this package.
func TestALoadStoresNothingOlderThanAWrite(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	prefix := server.Prefix(t)
	open := func() nest.Scope {
		s, err := nest.Open(server.Client(t), root, nest.WithPrefix(prefix), nest.WithOneConnection())
		require.NoError(t, err)
		return s
	}
	loading, other := open(), open()
	raw := server.Client(t)
	key := loaded.At(loading).Key()
	for name, c := range map[string]struct {
		write func(ctx context.Context, s nest.Scope) error
		want  int // 0: there is nothing
	}{
		"set": {func(ctx context.Context, s nest.Scope) error { return loaded.At(s).Set(ctx, 2) }, 2},
		"set and deleted": {func(ctx context.Context, s nest.Scope) error {
			if err := loaded.At(s).Set(ctx, 2); err != nil {
				return err
			}
			_, err := loaded.At(s).Delete(ctx)
			return err
		}, 0},
		"set and deleted in a batch": {func(ctx context.Context, s nest.Scope) error {
			b := s.Batch()
			loaded.At(s).In(b).Set(2)
			loaded.At(s).In(b).Delete()
			return b.Exec(ctx)
		}, 0},
		"set without this package": {func(ctx context.Context, _ nest.Scope) error {
			return raw.Do(ctx, raw.B().Set().Key(key).Value("2").Build()).Error()
		}, 2},
	} {
		for who, s := range map[string]nest.Scope{"who loads": loading, "another": other} {
			t.Run(name+" by "+who, func(t *testing.T) {
				ctx := t.Context()
				_, err := loaded.At(loading).Delete(ctx)
				require.NoError(t, err)
				_, err = loaded.At(loading).GetOrLoad(ctx, func(ctx context.Context) (int, error) {
					return 1, c.write(ctx, s) // 1 was read before the write
				})
				require.NoError(t, err)
				got, err := loaded.At(other).Get(ctx)
				if c.want == 0 {
					require.ErrorIs(t, err, nest.ErrNotFound)
					return
				}
				require.NoError(t, err)
				require.Equal(t, c.want, got)
			})
		}
	}
}
