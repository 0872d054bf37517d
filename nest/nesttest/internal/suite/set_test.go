package suite_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

func setOf[T any](t *testing.T, opts ...nest.KeyOption) nest.SetRef[T] {
	t.Helper()
	return setsOf[T](t, opts...)("a")
}

// setsOf returns a function that makes sets of one declaration, in one slot.
func setsOf[T any](t *testing.T, opts ...nest.KeyOption) func(name string, members ...T) nest.SetRef[T] {
	t.Helper()
	key := nest.Set[T]("set:<name>", opts...)
	s := alone(t, key)
	return func(name string, members ...T) nest.SetRef[T] {
		r := key.At(s, 1, name)
		_, err := r.Add(t.Context(), members...)
		require.NoError(t, err)
		return r
	}
}

func requireSet[T any](t *testing.T, r nest.SetRef[T], want ...T) {
	t.Helper()
	got, err := r.Members(t.Context())
	require.NoError(t, err)
	require.ElementsMatch(t, want, got)
}

func TestSet(t *testing.T) {
	t.Parallel()
	settings(t, func(t *testing.T, opts ...nest.KeyOption) {
		ctx := t.Context()
		r := setOf[point](t, opts...)
		requireSet(t, r)
		_, ok, err := r.Pop(ctx)
		require.NoError(t, err)
		require.False(t, ok)
		_, ok, err = r.Random(ctx)
		require.NoError(t, err)
		require.False(t, ok)

		n, err := r.Add(ctx, point{1, 2}, point{3, 4}, point{1, 2})
		require.NoError(t, err)
		require.Equal(t, int64(2), n)
		n, err = r.Add(ctx, point{1, 2}, point{5, 6})
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		n, err = r.Len(ctx)
		require.NoError(t, err)
		require.Equal(t, int64(3), n)
		requireSet(t, r, point{1, 2}, point{3, 4}, point{5, 6})

		has, err := r.Has(ctx, point{3, 4})
		require.NoError(t, err)
		require.True(t, has)
		has, err = r.Has(ctx, point{4, 3})
		require.NoError(t, err)
		require.False(t, has)
		flags, err := r.HasMany(ctx, point{5, 6}, point{7, 8}, point{1, 2})
		require.NoError(t, err)
		require.Equal(t, []bool{true, false, true}, flags)

		v, ok, err := r.Random(ctx)
		require.NoError(t, err)
		require.True(t, ok)
		some, err := r.RandomN(ctx, 2)
		require.NoError(t, err)
		require.Len(t, some, 2)
		require.NotEqual(t, some[0], some[1])
		some, err = r.RandomN(ctx, -20)
		require.NoError(t, err)
		require.Len(t, some, 20)

		n, err = r.Remove(ctx, v, point{9, 9})
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		popped, ok, err := r.Pop(ctx)
		require.NoError(t, err)
		require.True(t, ok)
		rest, err := r.PopN(ctx, 5)
		require.NoError(t, err)
		require.ElementsMatch(t, []point{{1, 2}, {3, 4}, {5, 6}}, append(rest, v, popped))
		there, err := r.Exists(ctx)
		require.NoError(t, err)
		require.False(t, there)
	})
}

func TestSetsTogether(t *testing.T) {
	t.Parallel()
	settings(t, func(t *testing.T, opts ...nest.KeyOption) {
		ctx := t.Context()
		at := setsOf[int](t, opts...)
		a, b, c, none := at("a", 1, 2, 3), at("b", 2, 3, 4), at("c", 3, 5), at("none")

		got, err := a.Union(ctx, b, c, none)
		require.NoError(t, err)
		require.ElementsMatch(t, []int{1, 2, 3, 4, 5}, got)
		got, err = a.Inter(ctx, b, c)
		require.NoError(t, err)
		require.Equal(t, []int{3}, got)
		got, err = a.Inter(ctx, none)
		require.NoError(t, err)
		require.Empty(t, got)
		got, err = a.Diff(ctx, b)
		require.NoError(t, err)
		require.Equal(t, []int{1}, got)
		got, err = a.Union(ctx)
		require.NoError(t, err)
		require.ElementsMatch(t, []int{1, 2, 3}, got)
		n, err := a.InterLen(ctx, 0, b)
		require.NoError(t, err)
		require.Equal(t, int64(2), n)
		n, err = a.InterLen(ctx, 1, b)
		require.NoError(t, err)
		require.Equal(t, int64(1), n)

		to := at("to", 99)
		n, err = to.StoreUnion(ctx, a, b)
		require.NoError(t, err)
		require.Equal(t, int64(4), n)
		requireSet(t, to, 1, 2, 3, 4)
		n, err = to.StoreInter(ctx, a, b)
		require.NoError(t, err)
		require.Equal(t, int64(2), n)
		requireSet(t, to, 2, 3)
		n, err = to.StoreDiff(ctx, a, c)
		require.NoError(t, err)
		require.Equal(t, int64(2), n)
		requireSet(t, to, 1, 2)
		if len(opts) > 0 {
			ttl, err := to.TTL(ctx)
			require.NoError(t, err)
			about(t, declaredTTL, ttl)
		}
		n, err = to.StoreInter(ctx, a, none)
		require.NoError(t, err)
		require.Zero(t, n)
		requireSet(t, to)

		moved, err := a.Move(ctx, 1, to)
		require.NoError(t, err)
		require.True(t, moved)
		moved, err = a.Move(ctx, 1, to)
		require.NoError(t, err)
		require.False(t, moved)
		requireSet(t, to, 1)
		if len(opts) > 0 {
			ttl, err := to.TTL(ctx)
			require.NoError(t, err)
			about(t, declaredTTL, ttl)
		}
		done, err := to.Rename(ctx, none)
		require.NoError(t, err)
		require.True(t, done)
		done, err = none.Copy(ctx, c, nest.Replace())
		require.NoError(t, err)
		require.True(t, done)
		requireSet(t, c, 1)
	})
}

func TestSetArguments(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	at := setsOf[string](t, nest.TTL(declaredTTL))
	r := at("a", "kept")
	n, err := r.Add(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
	n, err = r.Remove(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
	flags, err := r.HasMany(ctx)
	require.NoError(t, err)
	require.Empty(t, flags)
	some, err := r.RandomN(ctx, 0)
	require.NoError(t, err)
	require.Empty(t, some)
	n, err = r.StoreUnion(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = r.PopN(ctx, -1)
	require.ErrorIs(t, err, nest.ErrArgument)
	_, err = r.InterLen(ctx, -1)
	require.ErrorIs(t, err, nest.ErrArgument)
	_, err = r.Union(ctx, nest.SetRef[string]{})
	require.ErrorIs(t, err, nest.ErrNoClient)
	requireSet(t, r, "kept")
}

func TestSetDefault(t *testing.T) {
	t.Parallel()
	r := setOf[string](t, nest.Default([]string{"x"}))
	requireSet(t, r, "x")
	has, err := r.Has(t.Context(), "x")
	require.NoError(t, err)
	require.False(t, has, "a default is not written")
}

func TestSetOfSomethingElse(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	client := nesttest.Client(t)
	r := setOf[int](t)
	require.NoError(t, client.Do(ctx, client.B().Sadd().Key(r.Key()).Member("sesame").Build()).Error())
	_, err := r.Members(ctx)
	require.ErrorIs(t, err, nest.ErrDecode)
	require.ErrorContains(t, err, "element 0")
	require.NotContains(t, err.Error(), "sesame")
	for _, err := range r.Iterate(ctx) {
		require.ErrorIs(t, err, nest.ErrDecode)
	}
	list := setOf[int](t, nest.TTL(declaredTTL))
	require.NoError(t, client.Do(ctx, client.B().Rpush().Key(list.Key()).Element("1").Build()).Error())
	_, err = list.Add(ctx, 1)
	require.ErrorIs(t, err, nest.ErrWrongType)
	_, err = list.Union(ctx)
	require.ErrorIs(t, err, nest.ErrWrongType)
	for _, err := range list.Iterate(ctx) {
		require.ErrorIs(t, err, nest.ErrWrongType)
	}
}

func TestSetOfMany(t *testing.T) {
	t.Parallel()
	settings(t, func(t *testing.T, opts ...nest.KeyOption) {
		ctx := t.Context()
		r := setOf[string](t, opts...)
		many := manyTexts(t)
		n, err := r.Add(ctx, many...)
		require.NoError(t, err)
		require.Equal(t, int64(len(many)), n)
		flags, err := r.HasMany(ctx, append(many, "none")...)
		require.NoError(t, err)
		require.Len(t, flags, len(many)+1)
		require.True(t, flags[0] && flags[len(many)-1])
		require.False(t, flags[len(many)])
		seen := make(map[string]bool)
		for v, err := range r.Iterate(ctx) {
			require.NoError(t, err)
			seen[v] = true
		}
		require.Len(t, seen, len(many))
		for _, err := range r.Iterate(ctx) {
			require.NoError(t, err)
			break
		}
		n, err = r.Remove(ctx, many...)
		require.NoError(t, err)
		require.Equal(t, int64(len(many)), n)
	})
}

func TestSetExpiry(t *testing.T) {
	t.Parallel()
	type ref = nest.SetRef[string]
	requireExpiry(t, setOf[string], func(ctx context.Context, r ref) error { _, err := r.Add(ctx, "a", "b", "c"); return err },
		map[string]func(context.Context, ref) error{
			"Add":        func(ctx context.Context, r ref) error { _, err := r.Add(ctx, "x"); return err },
			"Remove":     func(ctx context.Context, r ref) error { _, err := r.Remove(ctx, "a"); return err },
			"Pop":        func(ctx context.Context, r ref) error { _, _, err := r.Pop(ctx); return err },
			"PopN":       func(ctx context.Context, r ref) error { _, err := r.PopN(ctx, 2); return err },
			"Move":       func(ctx context.Context, r ref) error { _, err := r.Move(ctx, "a", r); return err },
			"StoreUnion": func(ctx context.Context, r ref) error { _, err := r.StoreUnion(ctx, r); return err },
			"StoreInter": func(ctx context.Context, r ref) error { _, err := r.StoreInter(ctx, r); return err },
			"StoreDiff":  func(ctx context.Context, r ref) error { _, err := r.StoreDiff(ctx, r); return err },
			"Members":    func(ctx context.Context, r ref) error { _, err := r.Members(ctx); return err },
			"HasMany":    func(ctx context.Context, r ref) error { _, err := r.HasMany(ctx, "a"); return err },
			"Union":      func(ctx context.Context, r ref) error { _, err := r.Union(ctx, r); return err },
			"InterLen":   func(ctx context.Context, r ref) error { _, err := r.InterLen(ctx, 0, r); return err },
		}, "StoreUnion", "StoreInter", "StoreDiff")
}
