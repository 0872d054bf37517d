package suite_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/nest/nesttest/internal/primaries"
)

// When several goroutines run a batch at once, only one of them runs it.
func TestABatchIsRunByOneOfManyGoroutines(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := nesttest.Open(t, linearTree)
	for _, b := range []*nest.Batch{root.Batch(), root.Atomic()} {
		f := linearPlain.At(root, 1).In(b).Set(1)
		var ran atomic.Int64
		together(8, func(int) {
			if err := b.Exec(ctx); err == nil {
				ran.Add(1)
			} else {
				assert.ErrorIs(t, err, nest.ErrBatch)
			}
		})
		require.Equal(t, int64(1), ran.Load())
		require.NoError(t, f.Err())
	}
}

// A transaction whose answer is lost may have been applied. The error says so, and it is never
// reported as a success.
func TestALostAnswerIsAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := nesttest.Start(t)
	p := nesttest.NewRelay(t, server.Addr())
	option := server.ClientOption()
	option.InitAddress, option.ForceSingleClient = []string{p.Addr()}, true
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	root, err := nest.Open(client, linearTree)
	require.NoError(t, err)
	a, b := linearPlain.At(root, 1), linearPlain.At(root, 2)
	check := func(want int) {
		seen, err := nest.Open(server.Client(t), linearTree)
		require.NoError(t, err)
		for n := 1; n <= 2; n++ {
			got, err := linearPlain.At(seen, n).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, want, got, "this one was applied")
		}
	}

	batch := root.Atomic()
	f, g := a.In(batch).Set(1), b.In(batch).Set(1)
	p.LoseAnswers()
	err = batch.Exec(ctx)
	require.ErrorIs(t, err, nest.ErrOutcomeUnknown)
	shaped(t, err)
	require.ErrorIs(t, f.Err(), nest.ErrOutcomeUnknown)
	require.ErrorIs(t, g.Err(), nest.ErrOutcomeUnknown)
	check(1)

	tries := 0
	err = nest.Transact(ctx, root, func(tx *nest.Tx) error {
		tries++
		a.In(tx.Reads()).Get()
		if err := tx.Reads().Exec(ctx); err != nil {
			return err
		}
		f, g = a.In(tx.Writes()).Set(2), b.In(tx.Writes()).Set(2)
		p.LoseAnswers()
		return nil
	})
	require.ErrorIs(t, err, nest.ErrOutcomeUnknown)
	shaped(t, err)
	require.Equal(t, 1, tries, "never sent again")
	require.ErrorIs(t, f.Err(), nest.ErrOutcomeUnknown)
	require.ErrorIs(t, g.Err(), nest.ErrOutcomeUnknown)
	check(2)

	// Before anything is written, a lost connection is only a reason to try again.
	tries = 0
	require.NoError(t, nest.Transact(ctx, root, func(tx *nest.Tx) error {
		if tries++; tries == 1 {
			p.Cut()
		}
		a.In(tx.Reads()).Get()
		if err := tx.Reads().Exec(ctx); err != nil {
			return err
		}
		a.In(tx.Writes()).Set(3)
		b.In(tx.Writes()).Set(3)
		return nil
	}, a))
	require.Equal(t, 2, tries)
	check(3)

	// A context that ends is obeyed even when the server is silent.
	if server.Kind() != nesttest.KindEmbedded {
		server.Freeze(t)
		short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		err = nest.Transact(short, root, func(tx *nest.Tx) error {
			a.In(tx.Reads()).Get()
			return tx.Reads().Exec(short)
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(start), 3*time.Second)
	}
}

// When the user lacks a right, the transaction is refused as a whole, even if the right is to
// MULTI.
func TestATransactionThatTheServerRefuses(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.ACL)
	ctx := t.Context()
	server := nesttest.Start(t)
	admin := server.Client(t)
	for _, rights := range []string{"-multi", "-set", "-exec", "-watch", "-client"} {
		words := strings.Fields("ACL SETUSER limited reset on >secret ~* &* +@all " + rights)
		require.NoError(t, admin.Do(ctx, admin.B().Arbitrary(words...).Build()).Error())
		require.NoError(t, admin.Do(ctx, admin.B().Arbitrary("FLUSHALL").Build()).Error())
		option := server.ClientOption()
		option.Username, option.Password = "limited", "secret"
		option.ForceSingleClient, option.DisableCache = true, true
		option.ClientSetInfo = rueidis.DisableClientSetInfo
		client, err := rueidis.NewClient(option)
		require.NoError(t, err)
		root, err := nest.Open(client, linearTree)
		require.NoError(t, err)
		a := linearPlain.At(root, 1)

		b := root.Atomic()
		f := a.In(b).Set(1)
		err = b.Exec(ctx)
		there, existsErr := a.Exists(ctx)
		require.NoError(t, existsErr)
		switch rights {
		case "-multi":
			require.ErrorIs(t, err, nest.ErrUnsupported, "it was no transaction")
			require.NoError(t, f.Err(), "though this one ran")
			require.True(t, there)
		case "-set", "-exec":
			require.ErrorIs(t, err, nest.ErrAborted, rights)
			require.ErrorIs(t, f.Err(), nest.ErrAborted, rights)
			require.False(t, there, rights)
		default:
			require.NoError(t, err, rights)
		}

		tries := 0
		err = nest.Transact(ctx, root, func(tx *nest.Tx) error {
			tries++
			for n := range 3 {
				linearPlain.At(root, n).In(tx.Reads()).Get()
				if err := tx.Reads().Exec(ctx); err != nil {
					return err
				}
			}
			linearPlain.At(root, 2).In(tx.Writes()).Set(2)
			return nil
		})
		require.Equal(t, 1, tries, rights)
		if rights == "-client" {
			require.NoError(t, err, "EXEC reports it, too")
		} else {
			require.Error(t, err, rights)
			shaped(t, err)
		}
		client.Close()
	}
}

// On a Redis Cluster a batch takes one round trip to each node and keeps its order. Transactions
// keep their promises while slots move and connections are lost.
func TestBatchesOnARedisCluster(t *testing.T) {
	t.Parallel()
	server := nesttest.Cluster(t)
	ctx := t.Context()
	client := server.Client(t)
	root, err := nest.Open(client, batchUsers)
	require.NoError(t, err)
	nodes := primaries.Patient(t, server)

	t.Run("one round trip for each node", func(t *testing.T) {
		warm := root.Batch()
		for id := range 100 {
			batchAge.At(root, id).In(warm).Set(id)
		}
		require.NoError(t, warm.Exec(ctx))
		before := make([]int, len(nodes.Clients))
		for i, node := range nodes.Clients {
			before[i] = stat(t, node, "total_reads_processed")
		}
		b := root.Batch()
		ages := make([]*nest.Future[int], 100)
		for id := range ages {
			ages[id] = batchAge.At(root, id).In(b).Get()
		}
		require.NoError(t, b.Exec(ctx))
		for i, node := range nodes.Clients {
			// The count includes the query itself, and traffic from replicas and the client's
			// keep-alive.
			require.LessOrEqual(t, stat(t, node, "total_reads_processed")-before[i], 6)
		}
		for id, f := range ages {
			got, err := f.Value()
			require.NoError(t, err)
			require.Equal(t, id, got)
		}
	})

	t.Run("nothing is applied twice", func(t *testing.T) {
		// The connection is lost after part of the answers, so the transaction was applied.
		var clip atomic.Bool
		option := server.ClientOption()
		option.DialCtxFn = func(ctx context.Context, addr string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
			conn, err := d.DialContext(ctx, "tcp", addr)
			return &clipped{Conn: conn, clip: &clip}, err
		}
		client, err := rueidis.NewClient(option)
		require.NoError(t, err)
		defer client.Close()
		root, err := nest.Open(client, batchUsers)
		require.NoError(t, err)
		u := batchUser.At(root, "twice")
		_, err = batchAge.At(u).Get(ctx)
		require.NoError(t, err)

		b := u.Atomic()
		push := batchItem.At(u, 1).In(b).Do("RPUSH", "x")
		batchAge.At(u).In(b).Get()
		clip.Store(true)
		require.ErrorIs(t, b.Exec(ctx), nest.ErrOutcomeUnknown)
		require.ErrorIs(t, push.Err(), nest.ErrOutcomeUnknown)
		require.False(t, clip.Load())
		other := server.Client(t) // its connections are still open
		n, err := other.Do(ctx, other.B().Llen().Key(batchItem.At(u, 1).Key()).Build()).AsInt64()
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
	})

	t.Run("a slot that moves", func(t *testing.T) {
		u := batchUser.At(root, "moving")
		require.NoError(t, batchAge.At(u).Set(ctx, 1))
		add := func() error {
			return nest.Transact(ctx, u, func(tx *nest.Tx) error {
				f := batchAge.At(u).In(tx.Reads()).Get()
				if err := tx.Reads().Exec(ctx); err != nil {
					return err
				}
				n, err := f.Value()
				batchAge.At(u).In(tx.Writes()).Set(n + 1)
				batchName.At(u).In(tx.Writes()).Set(fmt.Sprint(n + 1))
				return err
			})
		}
		require.NoError(t, add())
		nodes.MoveKey(batchAge.At(u).Key(), func() {
			err := add()
			require.ErrorContains(t, err, "ASK", "while the keys are moving")
			shaped(t, err)
		})
		require.NoError(t, add(), "on the new node")
		got, err := batchAge.At(u).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, 3, got)
	})
}

// clipped is a connection that ends, when told to, after the first two answers to a transaction.
type clipped struct {
	net.Conn
	clip *atomic.Bool
}

func (c *clipped) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	// Meanwhile other connections receive the list of nodes.
	if begin := "+OK\r\n+QUEUED\r\n"; bytes.HasPrefix(p[:n], []byte(begin)) && c.clip.CompareAndSwap(true, false) {
		_ = c.Close()
		return len(begin), nil
	}
	return n, err
}

// stat returns a number from a server's INFO.
func stat(t *testing.T, client rueidis.Client, name string) int {
	t.Helper()
	info, err := client.Do(t.Context(), client.B().Info().Section("stats").Build()).ToString()
	require.NoError(t, err)
	_, rest, _ := strings.Cut(info, name+":")
	line, _, _ := strings.Cut(rest, "\r\n")
	n, err := strconv.Atoi(line)
	require.NoError(t, err)
	return n
}
