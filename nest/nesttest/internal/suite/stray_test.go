package suite_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/nest/nesttest/internal/primaries"
)

var (
	strayValue = nest.Key[int]("value", nest.Cached(time.Minute))
	strayOther = nest.Key[int]("other")
	strayNew   = nest.Key[int]("new", nest.Cached(time.Minute))
	strayCase  = nest.Cluster("stray:<n>", nest.HashTag(), nest.Sub(strayValue, strayOther, strayNew))
)

// A process reads what it has written, even when the key's slot has just moved to another node or
// is moving. The client remembered that the old node had no such key, and kept reading that until
// it learned of the new node.
func TestOwnWritesAreReadWhileSlotsMove(t *testing.T) {
	t.Parallel()
	server := nesttest.Cluster(t)
	option := server.ClientOption()
	option.PipelineMultiplex = -1
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	top, err := nest.Open(client, strayCase, nest.WithPrefix(server.Prefix(t)))
	require.NoError(t, err)
	nodes := primaries.Patient(t, server)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	stale, reads := 0, 0
	for n := range 8 {
		root := strayCase.At(top, n)
		value := strayValue.At(root)
		require.NoError(t, strayOther.At(root).Set(ctx, 1)) // this key's slot moves
		_, found, err := value.Lookup(ctx)
		require.NoError(t, err)
		require.False(t, found)
		write := func() {
			require.NoError(t, value.Set(ctx, n))
			for range 100 {
				got, err := value.Get(ctx)
				if reads++; errors.Is(err, nest.ErrNotFound) {
					stale++
					continue
				}
				require.NoError(t, err)
				require.Equal(t, n, got)
			}
		}
		if n%2 == 0 {
			nodes.MoveKey(value.Key(), write)
		} else {
			nodes.MoveKey(value.Key(), func() {})
			write()
		}
	}
	require.Zero(t, stale, "of %d reads", reads)

	// Once the slot has moved, reads are cached again.
	value := strayValue.At(strayCase.At(top, 1))
	require.Eventually(t, func() bool {
		_, err := value.Get(ctx)
		require.NoError(t, err)
		cmd := client.B().Get().Key(value.Key()).Cache()
		return client.DoCache(ctx, cmd, time.Minute).IsCacheHit()
	}, 10*time.Second, 100*time.Millisecond)
}

// What an operation on several keys wrote is read, too. Only the first of its keys was known to
// have moved: another one, which did not exist before, went on being missing.
func TestOwnWritesOfSeveralKeysAreReadWhileSlotsMove(t *testing.T) {
	t.Parallel()
	server := nesttest.Cluster(t)
	top := server.Open(t, strayCase)
	nodes := primaries.Patient(t, server)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	n := 0
	for name, rename := range map[string]func(from, to nest.KeyRef[int], in nest.Scope) error{
		"call": func(from, to nest.KeyRef[int], _ nest.Scope) error {
			_, err := from.Rename(ctx, to)
			return err
		},
		"batch": func(from, to nest.KeyRef[int], in nest.Scope) error {
			b := in.Batch()
			from.In(b).Rename(to)
			return b.Exec(ctx)
		},
		"atomic": func(from, to nest.KeyRef[int], in nest.Scope) error {
			b := in.Atomic()
			from.In(b).Rename(to)
			return b.Exec(ctx)
		},
	} {
		stale := 0
		for range 3 {
			n++
			root := strayCase.At(top, n)
			value, renamed := strayValue.At(root), strayNew.At(root)
			require.NoError(t, value.Set(ctx, n))
			_, found, err := renamed.Lookup(ctx)
			require.NoError(t, err)
			require.False(t, found)
			nodes.MoveKey(value.Key(), func() {})
			require.NoError(t, rename(value, renamed, root))
			for range 100 {
				_, found, err := renamed.Lookup(ctx)
				require.NoError(t, err)
				if !found {
					stale++
				}
			}
		}
		require.Zero(t, stale, "of 300 reads after a rename by %s", name)
	}
}
