package suite_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// An update of a value that is in the client's memory takes one round trip. An update that loses
// learns the newer value from its own answer.
func TestUpdateBeginsWithTheCachedValue(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Tracking)
	ctx := t.Context()
	server := nesttest.Start(t)
	client := server.Client(t)
	root, err := nest.Open(client, cachedTree)
	require.NoError(t, err)
	r := cachedCount.At(root, 1)
	require.NoError(t, r.Set(ctx, 5))
	_, err = r.Get(ctx)
	require.NoError(t, err)
	add := func(n int, _ bool) (int, error) { return n + 1, nil }
	got, err := r.Update(ctx, add)
	require.NoError(t, err)
	require.Equal(t, 6, got)
	info, err := client.Do(ctx, client.B().Info().Section("commandstats").Build()).ToString()
	require.NoError(t, err)
	// One GET filled the memory; the other is in the script.
	require.Contains(t, info, "cmdstat_get:calls=2,")
	require.Contains(t, info, "cmdstat_eval:calls=1,")
	fresh, err := r.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, 6, fresh)
}

// An error about a cached value that another client has already replaced does not count.
func TestUpdateDoesNotFailOnAnOldValue(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Tracking)
	ctx := t.Context()
	root := nesttest.Open(t, cachedTree)
	other := nesttest.Client(t)
	r := cachedCount.At(root, 1)
	for i := 1; i < 500; i++ {
		_, err := r.Get(ctx)
		require.NoError(t, err)
		require.NoError(t, other.Do(ctx, other.B().Set().Key(r.Key()).Value(fmt.Sprint(i)).Build()).Error())
		got, err := r.Update(ctx, func(n int, _ bool) (int, error) {
			if n < i {
				return 0, errPoor
			}
			return n, nil
		})
		require.NoError(t, err)
		require.Equal(t, i, got)
	}
	got, err := r.Update(ctx, func(int, bool) (int, error) { return 0, errPoor })
	require.Equal(t, errPoor, err)
	assert.Zero(t, got)
}

// Scripts that the server has forgotten do no harm, not even in a transaction.
func TestScriptsSurviveTheServersMemory(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := nesttest.Start(t)
	root := server.Open(t, txRoot)
	bank := txBank.At(root, 1)
	admin := server.Client(t)
	for _, forget := range []func(){
		func() {},
		func() {
			require.NoError(t, admin.Do(ctx, admin.B().Arbitrary("SCRIPT", "FLUSH").Build()).Error())
		},
		func() {
			server.Kill(t)
			server.Restart(t)
			require.Eventually(t, func() bool {
				_, err := txBalance.At(bank, 1).Exists(ctx)
				return err == nil
			}, 10*time.Second, time.Millisecond)
		},
	} {
		forget()
		_, err := txBalance.At(bank, 1).Update(ctx, func(n int, _ bool) (int, error) { return n + 1, nil })
		require.NoError(t, err)
		forget()
		b := bank.Atomic()
		txTags.At(bank, 1).In(b).Add("x")
		require.NoError(t, b.Exec(ctx))
		forget()
		require.NoError(t, nest.Transact(ctx, bank, func(tx *nest.Tx) error {
			txTags.At(bank, 1).In(tx.Reads()).Has("x")
			txTags.At(bank, 1).In(tx.Writes()).Add("y")
			return tx.Reads().Exec(ctx)
		}))
	}
}

const updaters, updatesEach = 64, 20

// updateAsMany adds to a number from many goroutines, and returns the longest time that one of them
// took.
func updateAsMany(t *testing.T, r nest.KeyRef[int]) time.Duration {
	t.Helper()
	var slowest atomic.Int64
	together(updaters, func(int) {
		for range updatesEach {
			began := time.Now()
			if _, err := r.Update(t.Context(), func(n int, _ bool) (int, error) { return n + 1, nil }); !assert.NoError(t, err) {
				return
			}
			for d := int64(time.Since(began)); ; {
				if was := slowest.Load(); was >= d || slowest.CompareAndSwap(was, d) {
					break
				}
			}
		}
	})
	return time.Duration(slowest.Load())
}

// TestUpdateChild is the other process of TestUpdatesOfTwoProcesses.
func TestUpdateChild(t *testing.T) {
	prefix := os.Getenv("SUITE_UPDATE_PREFIX")
	if prefix == "" {
		t.Skip("it is the other process of TestUpdatesOfTwoProcesses")
	}
	s, err := nest.Open(nesttest.Client(t), root, nest.WithPrefix(prefix))
	require.NoError(t, err)
	t.Logf("slowest %v", updateAsMany(t, age.At(s, 1)))
}

// An update that lost used to pause and then compare with the value from before the pause. With
// many writers, one update in ten thousand gave up.
func TestUpdatesOfTwoProcesses(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Tracking) // another process cannot reach the embedded server
	server := nesttest.Shared(t)
	prefix := server.Prefix(t)
	s, err := nest.Open(nesttest.Client(t), root, nest.WithPrefix(prefix))
	require.NoError(t, err)
	require.NoError(t, age.At(s, 1).Set(t.Context(), 0))
	var child sync.WaitGroup
	child.Go(func() {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestUpdateChild$", "-test.v", "-test.timeout=60s")
		cmd.Env = append(os.Environ(), "SUITE_UPDATE_PREFIX="+prefix, "REDIS_TEST_SERVER=", "REDIS_TEST_ADDR="+strings.Join(server.Addrs(), ","))
		out, err := cmd.CombinedOutput()
		assert.NoError(t, err, string(out))
		assert.Contains(t, string(out), "PASS: TestUpdateChild")
		t.Log(string(out))
	})
	t.Logf("slowest %v", updateAsMany(t, age.At(s, 1)))
	child.Wait()
	got, err := age.At(s, 1).Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2*updaters*updatesEach, got)
}

// An update that loses must not pause between reading and comparing. Beside a writer that does not
// compare, five updates took six seconds.
func TestUpdatesBesideABusyWriter(t *testing.T) {
	t.Parallel()
	s, _ := openSafe(t)
	number, secret := safeSum.At(s), apiKey.At(s, 1)
	for name, test := range map[string]struct {
		write func(context.Context) error
		// update runs lose between its read and its write.
		update func(ctx context.Context, lose func()) error
	}{
		"value": {
			func(ctx context.Context) error { return number.Set(ctx, int(rand.Int32())) },
			func(ctx context.Context, lose func()) error {
				_, err := number.Update(ctx, func(n int, _ bool) (int, error) { lose(); return n + 1, nil })
				return err
			},
		},
		"secret": {
			func(ctx context.Context) error { return secret.Set(ctx, "x") },
			func(ctx context.Context, lose func()) error {
				_, err := secret.Update(ctx, func(s string, _ bool) (string, error) { lose(); return s + "z", nil })
				return err
			},
		},
		"transaction": {
			func(ctx context.Context) error { return number.Set(ctx, int(rand.Int32())) },
			func(ctx context.Context, lose func()) error {
				return nest.Transact(ctx, s, func(tx *nest.Tx) error {
					v := number.In(tx.Reads()).Get()
					if err := tx.Reads().Exec(ctx); err != nil {
						return err
					}
					lose()
					n, err := v.Value()
					number.In(tx.Writes()).Set(n + 1)
					return err
				})
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			require.NoError(t, test.write(ctx))
			var writer sync.WaitGroup
			writes := 0
			writer.Go(func() {
				for next := time.Now(); ctx.Err() == nil && test.write(ctx) == nil; writes++ {
					next = next.Add(500 * time.Microsecond)
					time.Sleep(time.Until(next))
				}
			})
			defer writer.Wait()
			defer cancel()
			began := time.Now()
			for range 100 {
				lost := false
				require.NoError(t, test.update(ctx, func() {
					if !lost {
						lost = true
						assert.NoError(t, test.write(ctx))
					}
				}))
			}
			took := time.Since(began)
			cancel()
			writer.Wait()
			t.Logf("100 updates in %v beside %d writes", took, writes)
		})
	}
}
