// Package faults drives a keyspace while its server fails, and counts what became of everything
// that was done: what is there, what is lost, what is there twice. The tests of it hold the
// promises; the programs nest/nesttest/faults and nest/nesttest/soak print them.
package faults

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/nest/nesttest/internal/primaries"
)

// Fault is a way in which a server, or the way to it, fails.
type Fault struct {
	Name string
	// Keeps says that the server which acknowledged a write still has its data afterwards. Then
	// nothing that was acknowledged may be lost.
	Keeps bool
	// Refuses says that the server answers and refuses, so that the loads of a key fail too.
	Refuses bool
	start   func(t testing.TB) *nesttest.Server
	// inject makes the fault and ends it again. It takes about d.
	inject func(e *environment, d time.Duration)
}

// environment is what a fault works on.
type environment struct {
	t      testing.TB
	server *nesttest.Server
	relay  *nesttest.Relay // between the client and the server; nil for several servers
	admin  rueidis.Client  // past the relay
	key    string          // of the first writer
	// primaries of a Redis Cluster; nil otherwise
	primaries *primaries.Primaries
}

func (e *environment) do(words ...string) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(e.t, e.admin.Do(ctx, e.admin.B().Arbitrary(words...).Build()).Error(), words)
}

// often does something several times.
func often(d time.Duration, n int, do func()) {
	for range n {
		do()
		time.Sleep(d / time.Duration(n))
	}
}

func alone(opts ...nesttest.StartOption) func(t testing.TB) *nesttest.Server {
	return func(t testing.TB) *nesttest.Server { return nesttest.Start(t, opts...) }
}

func sentinel(t testing.TB) *nesttest.Server { return nesttest.Sentinel(t) }

// All are the faults, in the order of the table.
var All = []Fault{
	{Name: "answers lost after execution", Keeps: true, start: alone(), inject: func(e *environment, d time.Duration) {
		often(d, 10, e.relay.LoseAnswers)
	}},
	{Name: "connections cut in a pipeline", Keeps: true, start: alone(), inject: func(e *environment, d time.Duration) {
		e.relay.Sever(0.02)
		time.Sleep(d)
		e.relay.Sever(0)
	}},
	{Name: "latency of 30 ms", Keeps: true, start: alone(), inject: func(e *environment, d time.Duration) {
		often(d, int(d/(60*time.Millisecond))+1, func() { e.relay.Hold(30 * time.Millisecond) })
	}},
	{Name: "bandwidth of 50 kB/s", Keeps: true, start: alone(), inject: func(e *environment, d time.Duration) {
		e.relay.Slow(50_000)
		time.Sleep(d)
		e.relay.Slow(0)
	}},
	{Name: "silent partition", Keeps: true, start: alone(), inject: func(e *environment, d time.Duration) {
		e.relay.Hold(d)
		time.Sleep(d)
	}},
	{Name: "server stands still (SIGSTOP)", Keeps: true, start: alone(), inject: func(e *environment, d time.Duration) {
		thaw := e.server.Freeze(e.t)
		time.Sleep(d)
		thaw()
	}},
	{Name: "kill -9, restart, appendfsync always", Keeps: true, start: alone(nesttest.Persistent()), inject: func(e *environment, d time.Duration) {
		e.server.Kill(e.t)
		time.Sleep(d / 2)
		e.server.Restart(e.t)
		time.Sleep(d / 2)
	}},
	{Name: "restart that loads for long (LOADING)", Keeps: true,
		start: alone(nesttest.Persistent(), nesttest.Args("--key-load-delay", "500", "--loading-process-events-interval-bytes", "1024")),
		inject: func(e *environment, _ time.Duration) {
			e.server.Kill(e.t)
			e.server.Restart(e.t)
		}},
	{Name: "kill -9, restart, empty", start: alone(), inject: func(e *environment, d time.Duration) {
		e.server.Kill(e.t)
		time.Sleep(d / 2)
		e.server.Restart(e.t)
		time.Sleep(d / 2)
	}},
	{Name: "SCRIPT FLUSH", Keeps: true, start: alone(), inject: func(e *environment, d time.Duration) {
		often(d, 20, func() { e.do("SCRIPT", "FLUSH") })
	}},
	{Name: "memory full (OOM)", Keeps: true, start: alone(), inject: func(e *environment, d time.Duration) {
		e.do("CONFIG", "SET", "maxmemory", "1")
		time.Sleep(d)
		e.do("CONFIG", "SET", "maxmemory", "0")
	}},
	{Name: "READONLY", Keeps: true, start: alone(), inject: func(e *environment, d time.Duration) {
		e.do("REPLICAOF", "127.0.0.1", "1")
		time.Sleep(d)
		e.do("REPLICAOF", "NO", "ONE")
	}},
	{Name: "right to write taken away", Keeps: true, Refuses: true, start: alone(), inject: func(e *environment, d time.Duration) {
		e.do("ACL", "SETUSER", "default", "-@write")
		time.Sleep(d)
		e.do("ACL", "SETUSER", "default", "+@all")
	}},
	{Name: "requested failover (Sentinel)", start: sentinel, inject: func(e *environment, d time.Duration) {
		e.server.Failover(e.t)
		time.Sleep(d)
	}},
	{Name: "kill -9 of the primary (Sentinel)", start: sentinel, inject: func(e *environment, d time.Duration) {
		e.server.Kill(e.t)
		time.Sleep(3*time.Second + d) // until the replica has taken over
		e.server.Restart(e.t)
	}},
	{Name: "slots that move (Redis Cluster)", Keeps: true, start: nesttest.Cluster,
		inject: func(e *environment, d time.Duration) {
			e.primaries.MoveKey(e.key, func() { time.Sleep(d / 2) })
			time.Sleep(d / 2)
		}},
	{Name: "kill -9 of a primary (Redis Cluster)", start: nesttest.Cluster,
		inject: func(e *environment, d time.Duration) {
			get := e.admin.B().Get().Key(e.key).Build()
			e.server.Nodes()[primaries.Owner(get.Slot()&(1<<14-1))].Kill(e.t)
			time.Sleep(6*time.Second + d) // until its replica has taken over
		}},
}

// itoa is for keys and members.
func itoa(n int64) string { return strconv.FormatInt(n, 10) }
