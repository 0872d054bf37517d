//go:build unix

package suite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// A process is stopped in the middle. It continues after its lease has ended and another client has
// the lock. It knows that when it first checks.
func TestLockOfAStoppedProcess(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	prefix := server.Prefix(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHoldsUntilStopped$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), "LOCK_SERVER="+server.Addr(), "LOCK_PREFIX="+prefix)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	says := func() string {
		require.True(t, lines.Scan(), "the process has ended")
		return lines.Text()
	}
	require.Equal(t, "held", says())
	require.NoError(t, cmd.Process.Signal(syscall.SIGSTOP))
	s := server.Open(t, work, nest.WithPrefix(prefix))
	lapse(t, server, 2*shortLease)
	l := acquired(t, brief.At(s), nest.NoExtend())
	require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
	require.Equal(t, "lost true, context over true, cause true, write refused true", says())
	_ = l.Release(t.Context())
	n, found, err := tally.At(s).Lookup(t.Context())
	require.NoError(t, err)
	require.False(t, found, "%d", n)
}

// TestHoldsUntilStopped is the other process.
func TestHoldsUntilStopped(t *testing.T) {
	addr := os.Getenv("LOCK_SERVER")
	if addr == "" {
		t.Skip("it is started by another test")
	}
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{addr}, DisableCache: true, ForceSingleClient: true, AlwaysRESP2: true,
	})
	require.NoError(t, err)
	defer client.Close()
	s, err := nest.Open(client, work, nest.WithPrefix(os.Getenv("LOCK_PREFIX")))
	require.NoError(t, err)
	l, err := brief.At(s).Acquire(t.Context()) // extended in the background, as long as it runs
	require.NoError(t, err)
	last := time.Now() // it may be stopped right after it has printed this
	fmt.Println("held")
	for now := time.Now(); now.Sub(last) < shortLease; now = time.Now() { // no lease outlives that
		last = now
	}
	over := l.Context().Err() // the very first check
	lost := l.Err()
	b := l.Guard(s.Atomic())
	tally.At(s).In(b).Set(1)
	refused := b.Exec(t.Context())
	fmt.Printf("lost %v, context over %v, cause %v, write refused %v\n", errors.Is(lost, nest.ErrLockLost), errors.Is(over, context.Canceled),
		errors.Is(context.Cause(l.Context()), nest.ErrLockLost), errors.Is(refused, nest.ErrLockLost))
}

// This test does not run in parallel, because it would see the other tests' goroutines.
func TestLockLeavesNoGoroutine(t *testing.T) {
	s := nesttest.Open(t, work)
	ref, short := job.At(s, "x"), brief.At(s)
	l := acquired(t, ref) // this opens the connections
	waits, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	_, err := ref.Acquire(waits)
	cancel()
	require.Error(t, err)
	require.NoError(t, l.Release(t.Context()))
	before := goleak.IgnoreCurrent()

	l = acquired(t, ref)
	for range 5 {
		waits, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		_, err := ref.Acquire(waits)
		require.Error(t, err)
		_, _, err = ref.TryAcquire(waits)
		require.Error(t, err)
		cancel()
	}
	require.NoError(t, l.Release(t.Context()))
	for range 5 {
		acquired(t, short, nest.NoExtend()) // lost because its time is over
		_, err := short.ForceRelease(t.Context())
		require.NoError(t, err)
		l := acquired(t, short) // lost because it is released by force
		_, err = short.ForceRelease(t.Context())
		require.NoError(t, err)
		<-l.Context().Done()
		require.NoError(t, short.Run(t.Context(), func(context.Context, *nest.Lease) error { return nil }))
	}
	const peer = "github.com/alicebob/miniredis/v2/server.(*Server).servePeer" // in this process
	goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction(peer), goleak.IgnoreAnyFunction(peer+".func2"))
}
