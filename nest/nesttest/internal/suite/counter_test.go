package suite_test

import (
	"context"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

func counterOf[N nest.Number](t *testing.T, opts ...nest.KeyOption) nest.CounterRef[N] {
	t.Helper()
	key := nest.Counter[N]("counter", opts...)
	return key.At(alone(t, key), 1)
}

func TestCounterCounts(t *testing.T) {
	t.Parallel()
	for _, opts := range [][]nest.KeyOption{nil, {nest.TTL(declaredTTL)}, {nest.TTL(declaredTTL), nest.AutoRenew()}} {
		ctx := t.Context()
		r := counterOf[int](t, opts...)
		for _, step := range []struct {
			do   func() (int, error)
			want int
		}{
			{func() (int, error) { return r.Get(ctx) }, 0},
			{func() (int, error) { return r.Incr(ctx) }, 1},
			{func() (int, error) { return r.Add(ctx, 9) }, 10},
			{func() (int, error) { return r.Add(ctx, -12) }, -2},
			{func() (int, error) { return r.Decr(ctx) }, -3},
			{func() (int, error) { return r.Sub(ctx, -5) }, 2},
			{func() (int, error) { return r.Get(ctx) }, 2},
			{func() (int, error) { return r.Reset(ctx) }, 2},
			{func() (int, error) { return r.Reset(ctx) }, 0},
			{func() (int, error) { return 1 << 60, r.Set(ctx, 1<<60) }, 1 << 60},
			{func() (int, error) { return r.Incr(ctx) }, 1<<60 + 1},
			{func() (int, error) { return r.Sub(ctx, 2) }, 1<<60 - 1},
		} {
			got, err := step.do()
			require.NoError(t, err)
			require.Equal(t, step.want, got)
		}
	}
}

func TestCounterWithoutAKey(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := counterOf[uint8](t, nest.Default(7))
	n, err := r.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, uint8(7), n)
	_, there, err := r.Lookup(ctx)
	require.NoError(t, err)
	require.False(t, there, "a default is not written")
	n, err = r.Reset(ctx)
	require.NoError(t, err)
	require.Equal(t, uint8(7), n)
	n, err = r.Incr(ctx)
	require.NoError(t, err)
	require.Equal(t, uint8(1), n, "counting starts from 0, not from the default")
	n, there, err = r.Lookup(ctx)
	require.NoError(t, err)
	require.True(t, there)
	require.Equal(t, uint8(1), n)
}

// overflows is a row of the table of limits. A counter at start, which op would take out of its
// range, is tried with and without a TTL, and once without a key when start is 0.
func overflows[N nest.Number](start N, op func(context.Context, nest.CounterRef[N]) (N, error)) func(t *testing.T) {
	return func(t *testing.T) {
		for _, opts := range [][]nest.KeyOption{nil, {nest.TTL(declaredTTL)}} {
			ctx := t.Context()
			r := counterOf[N](t, opts...)
			if start != 0 {
				require.NoError(t, r.Set(ctx, start))
			}
			n, err := op(ctx, r)
			require.ErrorIs(t, err, nest.ErrOverflow)
			require.Zero(t, n)
			n, there, err := r.Lookup(ctx)
			require.NoError(t, err)
			require.Equal(t, start, n, "the counter is unchanged")
			require.Equal(t, start != 0, there)
			if there && len(opts) > 0 {
				ttl, err := r.TTL(ctx)
				require.NoError(t, err)
				about(t, declaredTTL, ttl)
			}
		}
	}
}

func TestCounterOverflow(t *testing.T) {
	t.Parallel()
	type level int8
	for name, row := range map[string]func(*testing.T){
		"int64 up":     overflows(int64(math.MaxInt64), func(ctx context.Context, r nest.CounterRef[int64]) (int64, error) { return r.Incr(ctx) }),
		"int64 down":   overflows(int64(math.MinInt64), func(ctx context.Context, r nest.CounterRef[int64]) (int64, error) { return r.Decr(ctx) }),
		"int up":       overflows(math.MaxInt-1, func(ctx context.Context, r nest.CounterRef[int]) (int, error) { return r.Add(ctx, 2) }),
		"int lowest":   overflows(0, func(ctx context.Context, r nest.CounterRef[int]) (int, error) { return r.Sub(ctx, math.MinInt) }),
		"int32 down":   overflows(int32(math.MinInt32), func(ctx context.Context, r nest.CounterRef[int32]) (int32, error) { return r.Add(ctx, -1) }),
		"int16 up":     overflows(int16(math.MaxInt16), func(ctx context.Context, r nest.CounterRef[int16]) (int16, error) { return r.Add(ctx, 1) }),
		"named up":     overflows(level(127), func(ctx context.Context, r nest.CounterRef[level]) (level, error) { return r.Incr(ctx) }),
		"named down":   overflows(level(-128), func(ctx context.Context, r nest.CounterRef[level]) (level, error) { return r.Sub(ctx, 1) }),
		"uint8 up":     overflows(uint8(200), func(ctx context.Context, r nest.CounterRef[uint8]) (uint8, error) { return r.Add(ctx, 56) }),
		"uint8 down":   overflows(uint8(1), func(ctx context.Context, r nest.CounterRef[uint8]) (uint8, error) { return r.Sub(ctx, 2) }),
		"uint missing": overflows(uint(0), func(ctx context.Context, r nest.CounterRef[uint]) (uint, error) { return r.Decr(ctx) }),
		"uint64 down": overflows(uint64(1<<60), func(ctx context.Context, r nest.CounterRef[uint64]) (uint64, error) {
			return r.Sub(ctx, 1<<60+1)
		}),
		"uint64 up": overflows(uint64(math.MaxInt64), func(ctx context.Context, r nest.CounterRef[uint64]) (uint64, error) { return r.Incr(ctx) }),
		"uint64 beyond": overflows(uint64(0), func(ctx context.Context, r nest.CounterRef[uint64]) (uint64, error) {
			return r.Add(ctx, math.MaxInt64+1)
		}),
		"float64 up": overflows(math.MaxFloat64, func(ctx context.Context, r nest.CounterRef[float64]) (float64, error) {
			return r.Add(ctx, math.MaxFloat64)
		}),
		"float32 down": overflows(float32(-math.MaxFloat32), func(ctx context.Context, r nest.CounterRef[float32]) (float32, error) {
			return r.Sub(ctx, math.MaxFloat32)
		}),
	} {
		t.Run(name, row)
	}
}

func TestCounterOfFloats(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for _, opts := range [][]nest.KeyOption{nil, {nest.TTL(declaredTTL)}} {
		r := counterOf[float64](t, opts...)
		n, err := r.Add(ctx, 0.5)
		require.NoError(t, err)
		require.InDelta(t, 0.5, n, 0)
		n, err = r.Sub(ctx, 2.25)
		require.NoError(t, err)
		require.InDelta(t, -1.75, n, 0)
		n, err = r.Incr(ctx)
		require.NoError(t, err)
		require.InDelta(t, -0.75, n, 0)
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			_, err = r.Add(ctx, bad)
			require.ErrorIs(t, err, nest.ErrArgument)
			require.ErrorIs(t, r.Set(ctx, bad), nest.ErrArgument)
		}
		n, err = r.Get(ctx)
		require.NoError(t, err)
		require.InDelta(t, -0.75, n, 0)
	}
}

// A value that is not a number of the counter's type is an error that does not quote the value.
func TestCounterOverSomethingElse(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	client := nesttest.Client(t)
	r := counterOf[int8](t)
	for _, stored := range []string{"sesame", "1.5", "128", "", " 1"} {
		require.NoError(t, client.Do(ctx, client.B().Set().Key(r.Key()).Value(stored).Build()).Error())
		_, err := r.Get(ctx)
		require.ErrorIs(t, err, nest.ErrDecode)
		require.NotContains(t, err.Error(), "sesame")
	}
	require.NoError(t, client.Do(ctx, client.B().Set().Key(r.Key()).Value("sesame").Build()).Error())
	_, err := r.Incr(ctx)
	require.ErrorIs(t, err, nest.ErrDecode)
	require.NotContains(t, err.Error(), "sesame")

	list := counterOf[int](t, nest.TTL(declaredTTL))
	require.NoError(t, client.Do(ctx, client.B().Rpush().Key(list.Key()).Element("x").Build()).Error())
	_, err = list.Incr(ctx)
	require.ErrorIs(t, err, nest.ErrWrongType)
	_, err = list.Get(ctx)
	require.ErrorIs(t, err, nest.ErrWrongType)
}

func TestCounterOfManyWriters(t *testing.T) {
	t.Parallel()
	r := counterOf[uint16](t, nest.TTL(declaredTTL))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				_, err := r.Incr(t.Context())
				require.NoError(t, err)
			}
		})
	}
	all.Wait()
	n, err := r.Reset(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint16(400), n)
}

func TestCounterExpiry(t *testing.T) {
	t.Parallel()
	type ref = nest.CounterRef[int64]
	requireExpiry(t, counterOf[int64], func(ctx context.Context, r ref) error { return r.Set(ctx, 3) },
		map[string]func(context.Context, ref) error{
			"Incr":  func(ctx context.Context, r ref) error { _, err := r.Incr(ctx); return err },
			"Decr":  func(ctx context.Context, r ref) error { _, err := r.Decr(ctx); return err },
			"Add":   func(ctx context.Context, r ref) error { _, err := r.Add(ctx, 2); return err },
			"Sub":   func(ctx context.Context, r ref) error { _, err := r.Sub(ctx, 2); return err },
			"Set":   func(ctx context.Context, r ref) error { return r.Set(ctx, 9) },
			"Reset": func(ctx context.Context, r ref) error { _, err := r.Reset(ctx); return err },
			"Get":   func(ctx context.Context, r ref) error { _, err := r.Get(ctx); return err },
		}, "Set")
}

func TestCounterSetIfAbsentAndSwap(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	visits := nest.Counter[uint8]("visits", nest.TTL(120), nest.Default(7))
	ref := visits.At(nesttest.Open(t, nest.Cluster("counters", nest.Sub(visits))))

	old, existed, err := ref.Swap(ctx, 3)
	require.NoError(t, err)
	require.False(t, existed, "the default is not used")
	require.Zero(t, old)
	done, err := ref.SetIfAbsent(ctx, 200)
	require.NoError(t, err)
	require.False(t, done)
	old, existed, err = ref.Swap(ctx, 250)
	require.NoError(t, err)
	require.True(t, existed)
	require.EqualValues(t, 3, old)
	_, err = ref.Delete(ctx)
	require.NoError(t, err)
	done, err = ref.SetIfAbsent(ctx, 200)
	require.NoError(t, err)
	require.True(t, done)
	_, err = ref.Add(ctx, 56)
	require.ErrorIs(t, err, nest.ErrOverflow)
	got, err := ref.Get(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 200, got)
}
