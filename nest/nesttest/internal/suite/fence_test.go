package suite_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// haltedConn is a connection of which nothing is read while the lock is held.
type haltedConn struct {
	net.Conn
	halted *sync.Mutex
}

func (c haltedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.halted.Lock()
	defer c.halted.Unlock()
	return n, err
}

// A write on a connection of its own was answered while the connection that caches stood still.
// The context ended before that had told which values are old, and a later read returned one of
// them.
func TestOwnWritesAreReadWhenTheirFenceIsLost(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	server.Need(t, nesttest.Tracking)
	var halted sync.Mutex
	option := server.ClientOption()
	option.ForceSingleClient = true
	first := true // the shared connection is dialed first
	option.DialCtxFn = func(ctx context.Context, addr string, dialer *net.Dialer, _ *tls.Config) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		if err == nil && first {
			first = false
			return haltedConn{conn, &halted}, nil
		}
		return conn, err
	}
	root, err := nest.Open(connect(t, option), strayCase)
	require.NoError(t, err)
	ref := strayValue.At(strayCase.At(root, 1))
	other := strayOther.At(strayCase.At(root, 1))
	require.NoError(t, ref.Set(t.Context(), 1))
	transact := func(ctx context.Context, v int) error {
		return nest.Transact(ctx, root, func(tx *nest.Tx) error {
			read := other.In(tx.Reads()).Get()
			if err := tx.Reads().Exec(ctx); err != nil {
				return err
			}
			if _, err := read.Value(); err != nil && !errors.Is(err, nest.ErrNotFound) {
				return err
			}
			other.In(tx.Writes()).Set(v)
			ref.In(tx.Writes()).Set(v)
			return nil
		})
	}
	require.NoError(t, transact(t.Context(), 2), "dials the other connection")
	got, err := ref.Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, got)

	halted.Lock()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err = transact(ctx, 3)
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	early, readErr := ref.Get(short)
	halted.Unlock()
	require.NoError(t, err)
	if readErr == nil {
		require.Equal(t, 3, early)
	}
	got, err = ref.Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, got)
}

// A wait without a deadline never ended when the server fell silent during it.
func TestAWaitEndsWhenTheServerIsSilent(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	relay := nesttest.NewRelay(t, server.Addr())
	option := server.ClientOption()
	option.InitAddress, option.ForceSingleClient = []string{relay.Addr()}, true
	root, err := nest.Open(connect(t, option), given)
	require.NoError(t, err)
	direct, err := nest.Open(server.Client(t), given)
	require.NoError(t, err)
	list := givenList.At(root)
	require.NoError(t, second(givenList.At(direct).PushRight(t.Context(), 1)))
	_, found, err := list.WaitPopLeft(t.Context(), time.Second)
	require.NoError(t, err)
	require.True(t, found)

	ended := make(chan error, 1)
	go func() {
		_, _, err := list.WaitPopLeft(context.WithoutCancel(t.Context()), 3*time.Second)
		ended <- err
	}()
	time.Sleep(time.Second) // the wait has begun, or its connection is not answered
	relay.Mute()
	select {
	case err := <-ended:
		require.Error(t, err)
	case <-time.After(time.Minute):
		t.Error("the wait does not end")
	}
}

// A read that waits for entries, and has to connect first, came back only when the connection was
// given up.
func TestAReadThatConnectsEndsWithItsContext(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	relay := nesttest.NewRelay(t, server.Addr())
	option := server.ClientOption()
	option.InitAddress, option.ForceSingleClient = []string{relay.Addr()}, true
	option.ConnWriteTimeout = 30 * time.Second
	root, err := nest.Open(connect(t, option), nest.Cluster("silent", nest.Sub(silentStream)))
	require.NoError(t, err)
	relay.Mute()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = silentStream.At(root).Read(ctx, "", nest.Block(time.Minute))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(start), 15*time.Second)
}

var silentStream = nest.Stream[int]("stream")
