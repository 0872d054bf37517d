package env

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
)

// In a silent partition rueidis lets one caller connect with its own context, while all others wait
// for that one without theirs. Beside a call with more time, those with 500 ms took 5 s.
func TestNoCallIsLateInASilentPartition(t *testing.T) {
	const (
		limit   = 500 * time.Millisecond
		late    = 100 * time.Millisecond
		silence = 4 * time.Second
	)
	port, _ := server(t)
	relay := newSilentRelay(t, "127.0.0.1:"+port)
	value, cached := nest.Key[string]("value:<id>", nest.TTL(60)), nest.Key[string]("cached:<id>", nest.TTL(60), nest.Cached(time.Minute))
	lock, long := nest.Lock("lock:<id>", nest.TTL(30)), nest.Lock("long", nest.TTL(30))
	root := nest.Cluster("partition", nest.Sub(value, cached, lock, long))

	before := runtime.NumGoroutine()
	config := Config{Addrs: []string{relay.addr}, Password: Hide(sentinel)}
	scope, closeClient, err := config.Open(t.Context(), root)
	require.NoError(t, err)
	defer closeClient()
	require.NoError(t, value.At(scope, 0).Set(t.Context(), "before"))

	kinds := map[string]func(ctx context.Context, id int) error{
		"get": func(ctx context.Context, id int) error {
			_, err := value.At(scope, id).Get(ctx)
			return err
		},
		"cached get": func(ctx context.Context, id int) error {
			_, err := cached.At(scope, id).Get(ctx)
			return err
		},
		"set": func(ctx context.Context, id int) error { return value.At(scope, id).Set(ctx, "x") },
		"batch": func(ctx context.Context, id int) error {
			b := scope.Batch()
			value.At(scope, id).In(b).Set("x")
			value.At(scope, id).In(b).Get()
			return b.Exec(ctx)
		},
		"lock": func(ctx context.Context, id int) error {
			return lock.At(scope, id).Run(ctx, func(context.Context, *nest.Lease) error { return nil })
		},
	}
	ctx, stop := context.WithTimeout(t.Context(), silence+4*time.Second)
	defer stop()
	var wg sync.WaitGroup
	for range 3 { // with as much time as the test has
		wg.Go(func() {
			for ctx.Err() == nil {
				_ = long.At(scope).Run(ctx, func(ctx context.Context, _ *nest.Lease) error {
					select {
					case <-ctx.Done():
					case <-time.After(20 * time.Millisecond):
					}
					return nil
				})
			}
		})
	}
	var stall time.Duration // of this machine, which may be shared
	wg.Go(func() {
		for ctx.Err() == nil {
			start := time.Now()
			time.Sleep(time.Millisecond)
			stall = max(stall, time.Since(start)-time.Millisecond)
		}
	})
	relay.hold(silence)
	var mu sync.Mutex
	slowest := make(map[string]time.Duration)
	for name, do := range kinds {
		for _, canceled := range []bool{false, true} {
			for worker := range 4 {
				wg.Go(func() {
					for i := 0; ctx.Err() == nil; i++ {
						within, cancel := context.WithTimeout(context.Background(), limit)
						if canceled {
							within, cancel = context.WithCancel(context.Background())
							time.AfterFunc(limit, cancel)
						}
						start := time.Now()
						_ = do(within, worker*1000+i%1000)
						took := time.Since(start)
						cancel()
						mu.Lock()
						kind := name + ", canceled " + strconv.FormatBool(canceled)
						slowest[kind] = max(slowest[kind], took)
						mu.Unlock()
						time.Sleep(rand.N(20 * time.Millisecond))
					}
				})
			}
		}
	}
	wg.Wait()
	for kind, took := range slowest {
		t.Log(kind, took)
	}
	for kind, took := range slowest {
		require.LessOrEqual(t, took, limit+late+stall, kind)
	}

	// Everything works again.
	for id := 10_000; id < 10_100; id++ {
		for name, do := range kinds {
			within, cancel := context.WithTimeout(t.Context(), 10*limit)
			if err := do(within, id); !errors.Is(err, nest.ErrNotFound) {
				require.NoError(t, err, name)
			}
			cancel()
		}
	}
	closeClient()
	requireQuiet(t, before, relay.open)
}

// silentRelay is between a client and a server. For a while it holds everything back, as a network
// that loses packets does: TCP sends them again.
type silentRelay struct {
	addr  string
	until atomic.Int64 // in nanoseconds since 1970
	conns atomic.Int64
}

func newSilentRelay(t *testing.T, addr string) *silentRelay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &silentRelay{addr: l.Addr().String()}
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
			wg.Go(func() { r.pass(client, server) })
			wg.Go(func() { r.pass(server, client) })
		}
	})
	t.Cleanup(func() {
		require.NoError(t, l.Close())
		wg.Wait()
	})
	return r
}

func (r *silentRelay) hold(d time.Duration) { r.until.Store(time.Now().Add(d).UnixNano()) }

func (r *silentRelay) open() int { return int(r.conns.Load()) }

func (r *silentRelay) pass(from, to net.Conn) {
	r.conns.Add(1)
	defer r.conns.Add(-1)
	defer func() { _ = from.Close() }()
	defer func() { _ = to.Close() }()
	b := make([]byte, 4096)
	for {
		n, err := from.Read(b)
		time.Sleep(time.Until(time.Unix(0, r.until.Load())))
		if err == nil {
			_, err = to.Write(b[:n])
		}
		if err != nil {
			return
		}
	}
}
