package suite_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

func hyperLogLogOf[T any](t *testing.T, opts ...nest.KeyOption) nest.HyperLogLogRef[T] {
	t.Helper()
	key := nest.HyperLogLog[T]("visitors:<name>", opts...)
	return key.At(alone(t, key), 1, "a")
}

func TestHyperLogLog(t *testing.T) {
	t.Parallel()
	settings(t, func(t *testing.T, opts ...nest.KeyOption) {
		ctx := t.Context()
		key := nest.HyperLogLog[int]("visitors:<name>", opts...)
		s := alone(t, key)
		a, b, to := key.At(s, 1, "a"), key.At(s, 1, "b"), key.At(s, 1, "to")
		n, err := a.Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		changed, err := a.Add(ctx, 1, 2, 3, 2)
		require.NoError(t, err)
		require.True(t, changed)
		changed, err = a.Add(ctx, 1, 2)
		require.NoError(t, err)
		require.False(t, changed)
		changed, err = a.Add(ctx)
		require.NoError(t, err)
		require.False(t, changed)
		n, err = a.Count(ctx)
		require.NoError(t, err)
		require.Equal(t, int64(3), n)

		_, err = b.Add(ctx, 3, 4)
		require.NoError(t, err)
		n, err = a.CountUnion(ctx, b, to)
		require.NoError(t, err)
		if nesttest.Shared(t).Kind() == nesttest.KindEmbedded {
			require.InDelta(t, 4, n, 1) // it adds up the counts
		} else {
			require.Equal(t, int64(4), n)
		}
		require.NoError(t, to.Merge(ctx))
		there, err := to.Exists(ctx)
		require.NoError(t, err)
		require.False(t, there)
		require.NoError(t, to.Merge(ctx, a, b))
		n, err = to.Count(ctx)
		require.NoError(t, err)
		require.Equal(t, int64(4), n)
		if len(opts) > 0 {
			ttl, err := to.TTL(ctx)
			require.NoError(t, err)
			about(t, declaredTTL, ttl)
		}
		done, err := to.Rename(ctx, a, nest.Replace())
		require.NoError(t, err)
		require.True(t, done)
		done, err = a.Copy(ctx, b)
		require.NoError(t, err)
		require.False(t, done)
	})
}

func TestHyperLogLogDefault(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := hyperLogLogOf[string](t, nest.Default(7))
	n, err := r.Count(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(7), n)
	_, err = r.Add(ctx, "a")
	require.NoError(t, err)
	n, err = r.Count(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
}

func TestHyperLogLogOfMany(t *testing.T) {
	t.Parallel()
	settings(t, func(t *testing.T, opts ...nest.KeyOption) {
		ctx := t.Context()
		r := hyperLogLogOf[string](t, opts...)
		many := manyTexts(t)
		changed, err := r.Add(ctx, many...)
		require.NoError(t, err)
		require.True(t, changed)
		n, err := r.Count(ctx)
		require.NoError(t, err)
		require.InEpsilon(t, len(many), n, 0.05)
	})
}

func TestHyperLogLogOverSomethingElse(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	client := nesttest.Client(t)
	r := hyperLogLogOf[int](t, nest.TTL(declaredTTL))
	require.NoError(t, client.Do(ctx, client.B().Rpush().Key(r.Key()).Element("1").Build()).Error())
	_, err := r.Add(ctx, 1)
	require.ErrorIs(t, err, nest.ErrWrongType)
	_, err = r.Count(ctx)
	require.ErrorIs(t, err, nest.ErrWrongType)
}

func TestHyperLogLogExpiry(t *testing.T) {
	t.Parallel()
	type ref = nest.HyperLogLogRef[string]
	requireExpiry(t, hyperLogLogOf[string], func(ctx context.Context, r ref) error { _, err := r.Add(ctx, "a"); return err },
		map[string]func(context.Context, ref) error{
			"Add":        func(ctx context.Context, r ref) error { _, err := r.Add(ctx, "x"); return err },
			"Merge":      func(ctx context.Context, r ref) error { return r.Merge(ctx, r) },
			"Count":      func(ctx context.Context, r ref) error { _, err := r.Count(ctx); return err },
			"CountUnion": func(ctx context.Context, r ref) error { _, err := r.CountUnion(ctx, r); return err },
		})
}
