package secure

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"
)

// The test binary runs itself as a child that may take only childMemory bytes more than it has at
// the start. A test could not catch a Go process that runs out of memory.
const (
	childRole   = "SECURE_TEST_CHILD"
	childMemory = 384 << 20
	raceShadow  = 5 // times the memory: the race detector takes its own
)

func TestMain(m *testing.M) {
	switch role := os.Getenv(childRole); role {
	case "":
		os.Exit(m.Run())
	case "poisoned":
		limitMemory()
		verifyPoisoned()
		_, _ = fmt.Fprintln(os.Stdout, "survived")
	case "control":
		limitMemory()
		// This takes 1 GiB.
		_, _ = fmt.Fprintln(os.Stdout, len(argon2.IDKey([]byte("password"), []byte("somesalt"), 1, 1<<20, 1, 32)))
	case "crowd":
		verifyCrowd()
	default:
		panic(role)
	}
}

// limitMemory limits the address space to its current size plus childMemory.
func limitMemory() {
	limit := processMemory("VmSize:") + childMemory
	if raceEnabled {
		limit += raceShadow * childMemory
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		panic(err)
	}
}

// processMemory returns the value, in bytes, of a line of the kernel's status of this process.
func processMemory(line string) uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	_, rest, _ := strings.Cut(string(status), line)
	kib, err := strconv.ParseUint(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		panic(err)
	}
	return kib << 10
}

func verifyPoisoned() {
	passwords, err := NewPasswords(Minimum())
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	for _, s := range poisoned() {
		if ok, _, err := passwords.Verify(ctx, s, "password"); ok || err == nil {
			panic("taken: " + s)
		}
		if ok, err := Verify(s, "password"); ok || err == nil {
			panic("taken: " + s)
		}
		if passwords.Validate(s) == nil {
			panic("valid: " + s)
		}
	}
}

// verifyCrowd verifies 64 passwords of 64 MiB at once, which is 4 GiB, and prints the most memory
// in MiB that the process had.
func verifyCrowd() {
	runtime.GOMAXPROCS(2)
	passwords, err := NewPasswords(Policy{Memory: 64 << 10, Time: 1, Threads: 4})
	if err != nil {
		panic(err)
	}
	crowd := 64
	if raceEnabled {
		crowd = 16 // each takes ten times as long
	}
	encoded := newHash(passwords.want, []byte("password"), random(saltSize)).encoded
	var wg sync.WaitGroup
	for range crowd {
		wg.Go(func() {
			if ok, _, err := passwords.Verify(context.Background(), encoded, "password"); !ok || err != nil {
				panic(fmt.Sprint(ok, err))
			}
		})
	}
	wg.Wait()
	_, _ = fmt.Fprintln(os.Stdout, "peak", processMemory("VmHWM:")>>20)
}

func child(t *testing.T, role string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"="+role, "GOTRACEBACK=none")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestMemoryOfACrowdInAChild(t *testing.T) {
	t.Parallel()
	out, err := child(t, "crowd")
	require.NoError(t, err, out)
	var peak int
	_, err = fmt.Sscanf(out, "peak %d", &peak)
	require.NoError(t, err, out)
	require.Greater(t, peak, 64, "it computes")
	t.Logf("%d MiB", peak)
	if !raceEnabled { // the race detector's own memory is added
		require.Less(t, peak, 300, "MiB")
	}
}

func TestAttackPoisonedParametersInAChild(t *testing.T) {
	out, err := child(t, "poisoned")
	require.NoError(t, err, out)
	require.Contains(t, out, "survived")

	out, err = child(t, "control")
	require.Error(t, err, "the limit limits nothing")
	require.Regexp(t, "fatal error: |failed to allocate", out) // with the race detector
}
