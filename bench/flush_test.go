package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
)

// flushDelay is the REDIS_FLUSH_DELAY that is measured, and roundTrip how long the way to the
// server and back takes over the link.
const (
	flushDelay = 20 * time.Microsecond
	roundTrip  = time.Millisecond // a timer of Go's is no more exact than that
)

// BenchmarkRatioFlush compares reads by many goroutines on a client that waits a little after each
// flush (REDIS_FLUSH_DELAY) with the same reads on a client that does not: on the loopback
// interface, and over a link.
func BenchmarkRatioFlush(b *testing.B) {
	f := newRatios(b, false)
	far := delayed(b, realServer(b).Addr(), roundTrip)
	for _, place := range []struct {
		name, addr string
		each, most int // reads of one goroutine in a turn, and of all
	}{
		{"on loopback", realServer(b).Addr(), 1_000, 20_480},
		{"over a link of 1 ms", far, 100, 10_240},
	} {
		waits, plain := f.at(b, place.addr, flushDelay), f.at(b, place.addr, 0)
		for _, crowd := range []int{1, 4, 16, 64, 256} {
			b.Run(fmt.Sprintf("Get, %d/no delay, %s", crowd, place.name), func(b *testing.B) {
				n := min(place.each*crowd, place.most)
				ratio(b, inCrowd(b, crowd, alike(waits)), inCrowd(b, crowd, alike(plain)), n)
			})
		}
	}
}

// at returns Get on a client of its own, for the server at addr, with a delay after each flush.
func (f *ratios) at(b *testing.B, addr string, delay time.Duration) func(ctx context.Context) error {
	b.Helper()
	option := realServer(b).ClientOption()
	option.InitAddress, option.ForceSingleClient = []string{addr}, true
	option.DisableCache, option.RingScaleEachConn, option.MaxFlushDelay = true, 10, delay
	client, err := rueidis.NewClient(option)
	require.NoError(b, err)
	b.Cleanup(client.Close)
	root, err := nest.Open(client, ratioTree, nest.WithPrefix(strings.TrimSuffix(f.prefix, ":root:user:")), nest.WithOneConnection())
	require.NoError(b, err)
	return func(ctx context.Context) error { return same(ratioNote.At(root, f.user).Get(ctx)) }
}

// delayed returns the address of a link to addr whose way there and back takes d: what the server
// sends arrives d later. As on a long cable, what is under way holds nothing up.
func delayed(tb testing.TB, addr string, d time.Duration) string {
	tb.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(tb.Context(), "tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			var dialer net.Dialer
			far, err := dialer.DialContext(ctx, "tcp", addr)
			if err != nil {
				_ = near.Close()
				continue
			}
			all.Go(func() {
				<-ctx.Done()
				_, _ = near.Close(), far.Close()
			})
			all.Go(func() { cable(near, far, 0) })
			all.Go(func() { cable(far, near, d) })
		}
	})
	tb.Cleanup(func() {
		_ = listener.Close()
		cancel()
		all.Wait()
	})
	return listener.Addr().String()
}

// cable passes on what from sends, d later, until one of the two is closed.
func cable(from io.Reader, to io.WriteCloser, d time.Duration) {
	type piece struct {
		at   time.Time
		data []byte
	}
	pieces := make(chan piece, 1024)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(pieces)
		buf := make([]byte, 64<<10)
		for {
			n, err := from.Read(buf)
			if err != nil {
				return
			}
			pieces <- piece{time.Now().Add(d), append([]byte(nil), buf[:n]...)}
		}
	})
	var failed error
	for p := range pieces {
		time.Sleep(time.Until(p.at))
		if failed == nil {
			_, failed = to.Write(p.data)
		}
	}
	_ = to.Close() // so that the other direction ends too
	reading.Wait()
}

// TestDelayed checks that the link delays everything by the same time, however much is under way.
func TestDelayed(t *testing.T) {
	const d, pieces = 50 * time.Millisecond, 20
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	go func() {
		if conn, err := listener.Accept(); err == nil {
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}
	}()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", delayed(t, listener.Addr().String(), d))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	start := time.Now()
	for range pieces {
		_, err = conn.Write([]byte("x"))
		require.NoError(t, err)
		time.Sleep(2 * time.Millisecond) // so that each is a piece of its own
	}
	sent := time.Since(start)
	_, err = io.ReadFull(conn, make([]byte, pieces))
	require.NoError(t, err)
	took := time.Since(start)
	require.GreaterOrEqual(t, took, d, "it does not delay")
	require.Less(t, took-sent, 4*d, "one piece holds up the next")
}
