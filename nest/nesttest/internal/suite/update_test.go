package suite_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// An update of a value that is in the client's memory is one round trip, and one that lost learns
// of the newer value by its own answer.
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
	// One GET filled the memory, the other is the script's.
	require.Contains(t, info, "cmdstat_get:calls=2,")
	require.Contains(t, info, "cmdstat_eval:calls=1,")
	fresh, err := r.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, 6, fresh)
}

// An error that comes of a value in memory which somebody else has replaced is none.
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

// Scripts that the server has forgotten are no matter, in a transaction neither.
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
