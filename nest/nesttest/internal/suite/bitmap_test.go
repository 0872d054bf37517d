package suite_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

func bitmapOf(t *testing.T, opts ...nest.KeyOption) nest.BitmapRef {
	t.Helper()
	key := nest.Bitmap("bits:<name>", opts...)
	return key.At(alone(t, key), 1, "a")
}

func requireBits(t *testing.T, r nest.BitmapRef, want ...byte) {
	t.Helper()
	got, err := r.Bytes(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestBitmap(t *testing.T) {
	t.Parallel()
	settings(t, func(t *testing.T, opts ...nest.KeyOption) {
		ctx := t.Context()
		r := bitmapOf(t, opts...)
		requireBits(t, r)
		was, err := r.SetBit(ctx, 3, true)
		require.NoError(t, err)
		require.False(t, was)
		was, err = r.SetBit(ctx, 3, true)
		require.NoError(t, err)
		require.True(t, was)
		_, err = r.SetBit(ctx, 15, true)
		require.NoError(t, err)
		requireBits(t, r, 0b0001_0000, 1)
		on, err := r.Bit(ctx, 15)
		require.NoError(t, err)
		require.True(t, on)
		on, err = r.Bit(ctx, 1<<32-1)
		require.NoError(t, err)
		require.False(t, on)

		n, err := r.Count(ctx)
		require.NoError(t, err)
		require.Equal(t, int64(2), n)
		n, err = r.CountRange(ctx, -1, -1, nest.InBytes)
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		n, err = r.Len(ctx)
		require.NoError(t, err)
		require.Equal(t, int64(2), n)

		at, ok, err := r.First(ctx, true)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, int64(3), at)
		at, ok, err = r.First(ctx, false)
		require.NoError(t, err)
		require.True(t, ok)
		require.Zero(t, at)
		at, ok, err = r.FirstIn(ctx, true, 1, -1, nest.InBytes)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, int64(15), at)

		require.NoError(t, r.Set(ctx, []byte{0xff, 0}))
		requireBits(t, r, 0xff, 0)
		_, ok, err = r.FirstIn(ctx, true, 1, 1, nest.InBytes)
		require.NoError(t, err)
		require.False(t, ok)

		if nesttest.Shared(t).Kind() == nesttest.KindEmbedded {
			return // it always counts in bytes
		}
		n, err = r.CountRange(ctx, 6, 9, nest.InBits)
		require.NoError(t, err)
		require.Equal(t, int64(2), n)
		at, _, err = r.FirstIn(ctx, false, 4, -1, nest.InBits)
		require.NoError(t, err)
		require.Equal(t, int64(8), at)
	})
}

func TestBitmapsTogether(t *testing.T) {
	t.Parallel()
	settings(t, func(t *testing.T, opts ...nest.KeyOption) {
		ctx := t.Context()
		key := nest.Bitmap("bits:<name>", opts...)
		s := alone(t, key)
		a, b, to := key.At(s, 1, "a"), key.At(s, 1, "b"), key.At(s, 1, "to")
		require.NoError(t, a.Set(ctx, []byte{0b1100}))
		require.NoError(t, b.Set(ctx, []byte{0b1010}))
		for name, c := range map[string]struct {
			store func() (int64, error)
			want  byte
		}{
			"and": {func() (int64, error) { return to.StoreAnd(ctx, a, b) }, 0b1000},
			"or":  {func() (int64, error) { return to.StoreOr(ctx, a, b) }, 0b1110},
			"xor": {func() (int64, error) { return to.StoreXor(ctx, a, b) }, 0b0110},
			"not": {func() (int64, error) { return to.StoreNot(ctx, a) }, 0b1111_0011},
		} {
			n, err := c.store()
			require.NoError(t, err)
			require.Equal(t, int64(1), n)
			got, err := to.Bytes(ctx)
			require.NoError(t, err)
			require.Equal(t, []byte{c.want}, got, name)
			if len(opts) > 0 {
				ttl, err := to.TTL(ctx)
				require.NoError(t, err)
				about(t, declaredTTL, ttl)
			}
		}
		n, err := to.StoreAnd(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		requireBits(t, to, mustBytes(t, to)...)
		done, err := to.Rename(ctx, a, nest.Replace())
		require.NoError(t, err)
		require.True(t, done)
		done, err = a.Copy(ctx, b)
		require.NoError(t, err)
		require.False(t, done)
	})
}

func mustBytes(t *testing.T, r nest.BitmapRef) []byte {
	t.Helper()
	got, err := r.Bytes(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, got)
	return got
}

// Fields of every width make the round trip, both through the plain command and through a script,
// whose numbers have 53 bits.
func TestBitmapFields(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.BitFields)
	settings(t, func(t *testing.T, opts ...nest.KeyOption) {
		ctx := t.Context()
		r := bitmapOf(t, opts...)
		for _, c := range []struct {
			field    nest.BitField
			min, max int64
		}{
			{nest.Unsigned(1, 3), 0, 1},
			{nest.Unsigned(8, 0), 0, 255},
			{nest.Signed(8, 13), -128, 127},
			{nest.Unsigned(53, 5), 0, 1<<53 - 1},
			{nest.Unsigned(54, 5), 0, 1<<54 - 1},
			{nest.Signed(54, 7), -1 << 53, 1<<53 - 1},
			{nest.Unsigned(63, 1), 0, math.MaxInt64},
			{nest.Signed(64, 100), math.MinInt64, math.MaxInt64},
		} {
			for _, v := range []int64{c.min, c.max, c.max / 3, c.min + 1} {
				was, err := r.Field(ctx, c.field)
				require.NoError(t, err)
				old, err := r.SetField(ctx, c.field, v)
				require.NoError(t, err)
				require.Equal(t, was, old, "%+v", c)
				got, err := r.Field(ctx, c.field)
				require.NoError(t, err)
				require.Equal(t, v, got, "%+v", c)
			}
			_, err := r.SetField(ctx, c.field, c.max)
			require.NoError(t, err)
			_, ok, err := r.IncrField(ctx, c.field, 1, nest.Refuse)
			require.NoError(t, err)
			require.False(t, ok)
			got, ok, err := r.IncrField(ctx, c.field, 1, nest.Saturate)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, c.max, got)
			got, _, err = r.IncrField(ctx, c.field, 1, nest.Wrap)
			require.NoError(t, err)
			require.Equal(t, c.min, got)
			if c.max < math.MaxInt64 {
				_, err = r.SetField(ctx, c.field, c.max+1)
				require.ErrorIs(t, err, nest.ErrOverflow)
				_, err = r.SetField(ctx, c.field, c.min-1)
				require.ErrorIs(t, err, nest.ErrOverflow)
			}
			_, err = r.Delete(ctx)
			require.NoError(t, err)
		}

		wide, small := nest.Signed(64, 0), nest.Unsigned(4, 64)
		results, err := r.Fields(ctx, wide.Set(-5), small.Set(15), wide.Incr(math.MinInt64, nest.Refuse), small.Incr(1, nest.Refuse), wide.Get(), wide.Incr(4, nest.Wrap))
		require.NoError(t, err)
		require.Equal(t, []nest.Optional[int64]{
			{Found: true}, {Found: true}, {}, {}, {Value: -5, Found: true}, {Value: -1, Found: true},
		}, results)
		results, err = r.Fields(ctx)
		require.NoError(t, err)
		require.Empty(t, results)
	})
}

func TestBitmapArguments(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := bitmapOf(t, nest.TTL(declaredTTL))
	for name, do := range map[string]func() error{
		"negative":     func() error { _, err := r.SetBit(ctx, -1, true); return err },
		"far":          func() error { _, err := r.Bit(ctx, 1<<32); return err },
		"unit":         func() error { _, err := r.CountRange(ctx, 0, 1, "MILE"); return err },
		"no bits":      func() error { _, err := r.Field(ctx, nest.Unsigned(0, 0)); return err },
		"u64":          func() error { _, err := r.Field(ctx, nest.Unsigned(64, 0)); return err },
		"i65":          func() error { _, err := r.Field(ctx, nest.Signed(65, 0)); return err },
		"field offset": func() error { _, err := r.Field(ctx, nest.Signed(8, 1<<32-7)); return err },
		"overflow":     func() error { _, _, err := r.IncrField(ctx, nest.Signed(8, 0), 1, "BURST"); return err },
		"zero op":      func() error { _, err := r.Fields(ctx, nest.FieldOp{}); return err },
		"many ops":     func() error { _, err := r.Fields(ctx, make([]nest.FieldOp, 501)...); return err },
	} {
		require.ErrorIs(t, do(), nest.ErrArgument, name)
	}
	there, err := r.Exists(ctx)
	require.NoError(t, err)
	require.False(t, there)
}

func TestBitmapDefault(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := bitmapOf(t, nest.Default([]byte{1, 2}))
	first, err := r.Bytes(ctx)
	require.NoError(t, err)
	first[0] = 9
	requireBits(t, r, 1, 2)
	on, err := r.Bit(ctx, 7)
	require.NoError(t, err)
	require.False(t, on, "a default is not written")
}

func TestBitmapExpiry(t *testing.T) {
	t.Parallel()
	type ref = nest.BitmapRef
	writes := map[string]func(context.Context, ref) error{
		"SetBit":   func(ctx context.Context, r ref) error { _, err := r.SetBit(ctx, 1, true); return err },
		"Set":      func(ctx context.Context, r ref) error { return r.Set(ctx, []byte{1}) },
		"StoreAnd": func(ctx context.Context, r ref) error { _, err := r.StoreAnd(ctx, r); return err },
		"StoreOr":  func(ctx context.Context, r ref) error { _, err := r.StoreOr(ctx, r); return err },
		"StoreXor": func(ctx context.Context, r ref) error { _, err := r.StoreXor(ctx, r); return err },
		"StoreNot": func(ctx context.Context, r ref) error { _, err := r.StoreNot(ctx, r); return err },
		"Count":    func(ctx context.Context, r ref) error { _, err := r.Count(ctx); return err },
		"Bytes":    func(ctx context.Context, r ref) error { _, err := r.Bytes(ctx); return err },
	}
	if nesttest.Shared(t).Has(t, nesttest.BitFields) {
		writes["SetField"] = func(ctx context.Context, r ref) error { _, err := r.SetField(ctx, nest.Signed(60, 2), 1); return err }
		writes["IncrField"] = func(ctx context.Context, r ref) error {
			_, _, err := r.IncrField(ctx, nest.Signed(6, 2), 1, nest.Wrap)
			return err
		}
		writes["Field"] = func(ctx context.Context, r ref) error { _, err := r.Field(ctx, nest.Signed(60, 2)); return err }
	}
	requireExpiry(t, bitmapOf, func(ctx context.Context, r ref) error { return r.Set(ctx, []byte{5, 6}) },
		writes, "Set", "StoreAnd", "StoreOr", "StoreXor", "StoreNot")
}
