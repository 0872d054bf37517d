package suite_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

func listOf[T any](t *testing.T, opts ...nest.KeyOption) nest.ListRef[T] {
	t.Helper()
	key := nest.List[T]("list:<name>", opts...)
	return key.At(alone(t, key), 1, "a")
}

// twoLists returns two lists of one declaration, in one slot.
func twoLists(t *testing.T, opts ...nest.KeyOption) (a, b nest.ListRef[string]) {
	t.Helper()
	key := nest.List[string]("list:<name>", opts...)
	s := alone(t, key)
	return key.At(s, 1, "a"), key.At(s, 1, "b")
}

func requireList[T any](t *testing.T, r nest.ListRef[T], want ...T) {
	t.Helper()
	got, err := r.All(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// settings runs a test on a key for each setting that changes the commands which are sent.
func settings(t *testing.T, test func(t *testing.T, opts ...nest.KeyOption)) {
	t.Helper()
	for name, opts := range map[string][]nest.KeyOption{
		"plain":   nil,
		"ttl":     {nest.TTL(declaredTTL)},
		"renewed": {nest.TTL(declaredTTL), nest.AutoRenew()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, opts...)
		})
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	settings(t, func(t *testing.T, opts ...nest.KeyOption) {
		ctx := t.Context()
		r := listOf[point](t, opts...)
		p := func(x int) point { return point{x, -x} }

		_, ok, err := r.PopLeft(ctx)
		require.NoError(t, err)
		require.False(t, ok)
		n, err := r.PushRightIfExists(ctx, p(9))
		require.NoError(t, err)
		require.Zero(t, n)

		n, err = r.PushRight(ctx, p(3), p(4))
		require.NoError(t, err)
		require.Equal(t, int64(2), n)
		n, err = r.PushLeft(ctx, p(2), p(1))
		require.NoError(t, err)
		require.Equal(t, int64(4), n)
		n, err = r.PushLeftIfExists(ctx, p(0))
		require.NoError(t, err)
		require.Equal(t, int64(5), n)
		n, err = r.PushRightIfExists(ctx, p(3))
		require.NoError(t, err)
		require.Equal(t, int64(6), n)
		requireList(t, r, p(0), p(1), p(2), p(3), p(4), p(3))

		got, err := r.Range(ctx, 1, -3)
		require.NoError(t, err)
		require.Equal(t, []point{p(1), p(2), p(3)}, got)
		got, err = r.Range(ctx, 10, 20)
		require.NoError(t, err)
		require.Empty(t, got)
		v, ok, err := r.Index(ctx, -2)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, p(4), v)
		_, ok, err = r.Index(ctx, 6)
		require.NoError(t, err)
		require.False(t, ok)

		i, ok, err := r.IndexOf(ctx, p(3))
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, int64(3), i)
		i, _, err = r.IndexOf(ctx, p(3), nest.Nth(-1))
		require.NoError(t, err)
		require.Equal(t, int64(5), i)
		_, ok, err = r.IndexOf(ctx, p(3), nest.SearchLimit(2))
		require.NoError(t, err)
		require.False(t, ok)
		all, err := r.IndexesOf(ctx, p(3), 0)
		require.NoError(t, err)
		require.Equal(t, []int64{3, 5}, all)
		all, err = r.IndexesOf(ctx, p(7), 2)
		require.NoError(t, err)
		require.Empty(t, all)

		n, ok, err = r.InsertBefore(ctx, p(4), p(40))
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, int64(7), n)
		n, ok, err = r.InsertAfter(ctx, p(4), p(41))
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, int64(8), n)
		n, ok, err = r.InsertAfter(ctx, p(77), p(41))
		require.NoError(t, err)
		require.False(t, ok)
		require.Zero(t, n)
		requireList(t, r, p(0), p(1), p(2), p(3), p(40), p(4), p(41), p(3))

		require.NoError(t, r.Set(ctx, -1, p(5)))
		require.ErrorIs(t, r.Set(ctx, 8, p(5)), nest.ErrNotFound)
		n, err = r.Remove(ctx, p(40), 0)
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		require.NoError(t, r.Trim(ctx, 1, -2))
		requireList(t, r, p(1), p(2), p(3), p(4), p(41))
		n, err = r.Len(ctx)
		require.NoError(t, err)
		require.Equal(t, int64(5), n)

		v, ok, err = r.PopLeft(ctx)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, p(1), v)
		v, _, err = r.PopRight(ctx)
		require.NoError(t, err)
		require.Equal(t, p(41), v)
		got, err = r.PopRightN(ctx, 2)
		require.NoError(t, err)
		require.Equal(t, []point{p(4), p(3)}, got)
		got, err = r.PopLeftN(ctx, 5)
		require.NoError(t, err)
		require.Equal(t, []point{p(2)}, got)
		got, err = r.PopLeftN(ctx, 5)
		require.NoError(t, err)
		require.Empty(t, got)
		require.ErrorIs(t, r.Set(ctx, 0, p(5)), nest.ErrNotFound)
	})
}

func TestListArguments(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := listOf[string](t, nest.TTL(declaredTTL))
	n, err := r.PushLeft(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
	got, err := r.PopLeftN(ctx, 0)
	require.NoError(t, err)
	require.Empty(t, got)
	_, err = r.PopRightN(ctx, -1)
	require.ErrorIs(t, err, nest.ErrArgument)
	_, _, err = r.IndexOf(ctx, "x", nest.Nth(0))
	require.ErrorIs(t, err, nest.ErrArgument)
	_, err = r.IndexesOf(ctx, "x", -1)
	require.ErrorIs(t, err, nest.ErrArgument)
	_, _, err = r.Move(ctx, "TOP", r, nest.Left)
	require.ErrorIs(t, err, nest.ErrArgument)
	_, _, err = r.Move(ctx, nest.Left, nest.ListRef[string]{}, nest.Left)
	require.ErrorIs(t, err, nest.ErrNoClient)
	_, _, err = r.WaitPopLeft(ctx, -time.Second)
	require.ErrorIs(t, err, nest.ErrArgument)
	_, err = r.WaitPopLeftN(ctx, -1, 0)
	require.ErrorIs(t, err, nest.ErrArgument)
	there, err := r.Exists(ctx)
	require.NoError(t, err)
	require.False(t, there)
}

func TestListDefault(t *testing.T) {
	t.Parallel()
	r := listOf[[]int](t, nest.Default([][]int{{1}, {2}}))
	first, err := r.All(t.Context())
	require.NoError(t, err)
	require.Equal(t, [][]int{{1}, {2}}, first)
	first[0][0] = 9
	requireList(t, r, []int{1}, []int{2})
	n, err := r.Len(t.Context())
	require.NoError(t, err)
	require.Zero(t, n, "a default is not written")
	_, err = r.PushLeft(t.Context(), []int{3})
	require.NoError(t, err)
	requireList(t, r, []int{3})
}

// An element that is not a T is named by its index and not quoted.
func TestListOfSomethingElse(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	client := nesttest.Client(t)
	r := listOf[int](t)
	require.NoError(t, client.Do(ctx, client.B().Rpush().Key(r.Key()).Element("1", "sesame").Build()).Error())
	_, err := r.All(ctx)
	require.ErrorIs(t, err, nest.ErrDecode)
	require.ErrorContains(t, err, "element 1")
	require.NotContains(t, err.Error(), "sesame")
	_, _, err = r.Index(ctx, 1)
	require.ErrorIs(t, err, nest.ErrDecode)

	require.NoError(t, client.Do(ctx, client.B().Set().Key(r.Key()).Value("x").Build()).Error())
	for _, opts := range [][]nest.KeyOption{nil, {nest.TTL(declaredTTL)}} {
		r := listOf[int](t, opts...)
		require.NoError(t, client.Do(ctx, client.B().Set().Key(r.Key()).Value("x").Build()).Error())
		_, err = r.PushLeft(ctx, 1)
		require.ErrorIs(t, err, nest.ErrWrongType)
		require.ErrorContains(t, err, "holds a string")
		_, err = r.All(ctx)
		require.ErrorIs(t, err, nest.ErrWrongType)
		_, _, err = r.WaitPopLeft(ctx, time.Second)
		require.ErrorIs(t, err, nest.ErrWrongType)
	}
}

func TestListMove(t *testing.T) {
	t.Parallel()
	settings(t, func(t *testing.T, opts ...nest.KeyOption) {
		ctx := t.Context()
		a, b := twoLists(t, opts...)
		_, ok, err := a.Move(ctx, nest.Left, b, nest.Right)
		require.NoError(t, err)
		require.False(t, ok)
		_, err = a.PushRight(ctx, "1", "2", "3")
		require.NoError(t, err)
		v, ok, err := a.Move(ctx, nest.Left, b, nest.Right)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, "1", v)
		v, ok, err = a.WaitMove(ctx, nest.Right, b, nest.Right, time.Second)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, "3", v)
		requireList(t, a, "2")
		requireList(t, b, "1", "3")
		_, _, err = b.Move(ctx, nest.Left, b, nest.Right)
		require.NoError(t, err)
		requireList(t, b, "3", "1")
		if len(opts) > 0 {
			ttl, err := b.TTL(ctx)
			require.NoError(t, err)
			about(t, declaredTTL, ttl)
		}
		done, err := b.Rename(ctx, a)
		require.NoError(t, err)
		require.False(t, done)
		done, err = b.Copy(ctx, a, nest.Replace())
		require.NoError(t, err)
		require.True(t, done)
		requireList(t, a, "3", "1")
	})
}

// A blocking pop gets an element that is pushed later. Neither the pop nor its end delays others.
func TestListWaits(t *testing.T) {
	t.Parallel()
	settings(t, func(t *testing.T, opts ...nest.KeyOption) {
		ctx := t.Context()
		a, b := twoLists(t, opts...)
		for name, wait := range map[string]func() (string, bool, error){
			"left":  func() (string, bool, error) { return a.WaitPopLeft(ctx, 0) },
			"right": func() (string, bool, error) { return a.WaitPopRight(ctx, 10*time.Second) },
			"left n": func() (string, bool, error) {
				vs, err := a.WaitPopLeftN(ctx, 5, 0)
				return vs[0], len(vs) == 1, err
			},
			"right n": func() (string, bool, error) {
				vs, err := a.WaitPopRightN(ctx, 5, 10*time.Second)
				return vs[0], len(vs) == 1, err
			},
			"move": func() (string, bool, error) { return a.WaitMove(ctx, nest.Left, b, nest.Left, 0) },
		} {
			if (name == "left n" || name == "right n") && !nesttest.Shared(t).Has(t, "BLMPOP 0.001 1 {nesttest} LEFT") {
				continue
			}
			var got string
			var ok bool
			var err error
			var waits sync.WaitGroup
			waits.Go(func() { got, ok, err = wait() })
			time.Sleep(20 * time.Millisecond)
			_, pushErr := a.PushRight(ctx, name)
			require.NoError(t, pushErr)
			waits.Wait()
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, name, got)
		}
		requireList(t, b, "move")
		if len(opts) > 0 {
			ttl, err := b.TTL(ctx)
			require.NoError(t, err)
			about(t, declaredTTL, ttl)
		}
		_, ok, err := a.WaitPopLeft(ctx, 50*time.Millisecond)
		require.NoError(t, err)
		require.False(t, ok)
		_, ok, err = a.WaitMove(ctx, nest.Left, b, nest.Left, 50*time.Millisecond)
		require.NoError(t, err)
		require.False(t, ok)
		short, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
		defer cancel()
		_, _, err = a.WaitPopRight(short, 0)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, _, err = a.WaitPopRight(short, 0)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// Pops whose contexts keep ending lose nothing.
func TestListWaitLosesNothing(t *testing.T) {
	t.Parallel()
	if nesttest.Shared(t).Kind() == nesttest.KindEmbedded {
		nesttest.Need(t, "CLIENT ID")
	}
	ctx := t.Context()
	const all = 300
	r := listOf[int](t, nest.TTL(declaredTTL))
	var mu sync.Mutex
	var got []int
	var pushed atomic.Bool
	var workers sync.WaitGroup
	for range 3 {
		workers.Go(func() {
			for !pushed.Load() {
				short, cancel := context.WithTimeout(ctx, 3*time.Millisecond)
				v, ok, err := r.WaitPopLeft(short, 0)
				cancel()
				if ok {
					mu.Lock()
					got = append(got, v)
					mu.Unlock()
				} else {
					require.ErrorIs(t, err, context.DeadlineExceeded)
				}
			}
		})
	}
	for i := range all {
		_, err := r.PushRight(ctx, i)
		require.NoError(t, err)
		time.Sleep(time.Duration(i%4) * time.Millisecond)
	}
	pushed.Store(true)
	workers.Wait()
	rest, err := r.All(ctx)
	require.NoError(t, err)
	got = append(got, rest...)
	slices.Sort(got)
	require.Len(t, got, all)
	require.Len(t, slices.Compact(got), all)
}

func TestListOfMany(t *testing.T) {
	t.Parallel()
	settings(t, func(t *testing.T, opts ...nest.KeyOption) {
		ctx := t.Context()
		r := listOf[string](t, opts...)
		many := manyTexts(t)
		n, err := r.PushRight(ctx, many...)
		require.NoError(t, err)
		require.Equal(t, int64(len(many)), n)
		requireList(t, r, many...)
		i := 0
		for v, err := range r.Iterate(ctx) {
			require.NoError(t, err)
			require.Equal(t, many[i], v)
			i++
		}
		require.Equal(t, len(many), i)
		for _, err := range r.Iterate(ctx, nest.ScanCount(10)) {
			require.NoError(t, err)
			break
		}
	})
}

func TestListExpiry(t *testing.T) {
	t.Parallel()
	type ref = nest.ListRef[string]
	requireExpiry(t, listOf[string], func(ctx context.Context, r ref) error { _, err := r.PushRight(ctx, "a", "b", "c"); return err },
		map[string]func(context.Context, ref) error{
			"PushLeft":          func(ctx context.Context, r ref) error { _, err := r.PushLeft(ctx, "x"); return err },
			"PushRight":         func(ctx context.Context, r ref) error { _, err := r.PushRight(ctx, "x"); return err },
			"PushLeftIfExists":  func(ctx context.Context, r ref) error { _, err := r.PushLeftIfExists(ctx, "x"); return err },
			"PushRightIfExists": func(ctx context.Context, r ref) error { _, err := r.PushRightIfExists(ctx, "x"); return err },
			"PopLeft":           func(ctx context.Context, r ref) error { _, _, err := r.PopLeft(ctx); return err },
			"PopRight":          func(ctx context.Context, r ref) error { _, _, err := r.PopRight(ctx); return err },
			"PopLeftN":          func(ctx context.Context, r ref) error { _, err := r.PopLeftN(ctx, 2); return err },
			"PopRightN":         func(ctx context.Context, r ref) error { _, err := r.PopRightN(ctx, 2); return err },
			"WaitPopLeft":       func(ctx context.Context, r ref) error { _, _, err := r.WaitPopLeft(ctx, time.Millisecond); return err },
			"WaitPopRight":      func(ctx context.Context, r ref) error { _, _, err := r.WaitPopRight(ctx, time.Millisecond); return err },
			"InsertBefore":      func(ctx context.Context, r ref) error { _, _, err := r.InsertBefore(ctx, "b", "x"); return err },
			"InsertAfter":       func(ctx context.Context, r ref) error { _, _, err := r.InsertAfter(ctx, "b", "x"); return err },
			"Set":               func(ctx context.Context, r ref) error { return r.Set(ctx, 1, "x") },
			"Trim":              func(ctx context.Context, r ref) error { return r.Trim(ctx, 1, -1) },
			"Remove":            func(ctx context.Context, r ref) error { _, err := r.Remove(ctx, "b", 0); return err },
			"Move":              func(ctx context.Context, r ref) error { _, _, err := r.Move(ctx, nest.Left, r, nest.Right); return err },
			"WaitMove": func(ctx context.Context, r ref) error {
				_, _, err := r.WaitMove(ctx, nest.Left, r, nest.Right, time.Millisecond)
				return err
			},
			"All":     func(ctx context.Context, r ref) error { _, err := r.All(ctx); return err },
			"Len":     func(ctx context.Context, r ref) error { _, err := r.Len(ctx); return err },
			"IndexOf": func(ctx context.Context, r ref) error { _, _, err := r.IndexOf(ctx, "b"); return err },
		})
}
