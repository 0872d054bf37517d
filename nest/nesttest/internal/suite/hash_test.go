package suite_test

import (
	"context"
	"maps"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec/gob"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// openHash opens a tree that contains only a hash.
func openHash[V any](t *testing.T, opts ...nest.KeyOption) (nest.HashRef[V], redis) {
	t.Helper()
	def := nest.Hash[V]("hash", opts...)
	return def.At(nesttest.Open(t, nest.Cluster("hashes", nest.Sub(def)))), redis{t, nesttest.Client(t)}
}

// fields returns the stored fields, without using the library.
func (r redis) fields(key string) map[string]string {
	r.t.Helper()
	fields, err := r.do("HGETALL", key).AsStrMap()
	require.NoError(r.t, err)
	return fields
}

func TestHashReads(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ref, db := openHash[int](t)

	t.Run("without the key", func(t *testing.T) {
		_, err := ref.Get(ctx, "a")
		require.ErrorIs(t, err, nest.ErrNotFound)
		_, found, err := ref.Lookup(ctx, "a")
		require.NoError(t, err)
		require.False(t, found)
		many, err := ref.GetMany(ctx, "a", "b")
		require.NoError(t, err)
		require.Equal(t, make([]nest.Optional[int], 2), many)
		all, err := ref.All(ctx)
		require.NoError(t, err)
		require.Empty(t, all)
		require.NotNil(t, all, "the caller may write into it")
		names, err := ref.Fields(ctx)
		require.NoError(t, err)
		require.Empty(t, names)
		values, err := ref.Values(ctx)
		require.NoError(t, err)
		require.Empty(t, values)
		some, err := ref.Random(ctx, 3)
		require.NoError(t, err)
		require.Empty(t, some)
		n, err := ref.Len(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = ref.StrLen(ctx, "a")
		require.NoError(t, err)
		require.Zero(t, n)
		has, err := ref.Has(ctx, "a")
		require.NoError(t, err)
		require.False(t, has)
		for _, err := range ref.Iterate(ctx) {
			t.Fatal("there must be nothing to iterate", err)
		}
	})

	require.NoError(t, db.do("HSET", ref.Key(), "a", "1", "b", "-2", "zero", "0").Error())
	want := map[string]int{"a": 1, "b": -2, "zero": 0}
	t.Run("with three fields", func(t *testing.T) {
		got, err := ref.Get(ctx, "b")
		require.NoError(t, err)
		require.Equal(t, -2, got)
		got, found, err := ref.Lookup(ctx, "zero")
		require.NoError(t, err)
		require.True(t, found)
		require.Zero(t, got)
		many, err := ref.GetMany(ctx, "zero", "none", "a")
		require.NoError(t, err)
		require.Equal(t, []nest.Optional[int]{{Value: 0, Found: true}, {}, {Value: 1, Found: true}}, many)
		all, err := ref.All(ctx)
		require.NoError(t, err)
		require.Equal(t, want, all)
		names, err := ref.Fields(ctx)
		require.NoError(t, err)
		require.ElementsMatch(t, []string{"a", "b", "zero"}, names)
		values, err := ref.Values(ctx)
		require.NoError(t, err)
		require.ElementsMatch(t, []int{1, -2, 0}, values)
		n, err := ref.Len(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
		n, err = ref.StrLen(ctx, "b")
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		has, err := ref.Has(ctx, "zero")
		require.NoError(t, err)
		require.True(t, has)
		some, err := ref.Random(ctx, 2)
		require.NoError(t, err)
		require.Len(t, some, 2)
		for name, v := range some {
			require.Equal(t, want[name], v)
		}
		some, err = ref.Random(ctx, 10)
		require.NoError(t, err)
		require.Equal(t, want, some)
		require.Equal(t, want, iterated(t, ref))
	})
	t.Run("arguments", func(t *testing.T) {
		_, err := ref.Random(ctx, -1)
		require.ErrorIs(t, err, nest.ErrArgument)
		some, err := ref.Random(ctx, 0)
		require.NoError(t, err)
		require.Empty(t, some)
		many, err := ref.GetMany(ctx)
		require.NoError(t, err)
		require.Empty(t, many)
	})
}

func iterated[V any](t *testing.T, ref nest.HashRef[V], opts ...nest.ScanCountOption) map[string]V {
	t.Helper()
	got := make(map[string]V)
	for f, err := range ref.Iterate(t.Context(), opts...) {
		require.NoError(t, err)
		got[f.Name] = f.Value
	}
	return got
}

func TestHashWrites(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ref, db := openHash[point](t)

	require.NoError(t, ref.Set(ctx, "a", point{1, 2}))
	require.NoError(t, ref.SetMany(ctx, map[string]point{"a": {3, 4}, "b": {5, 6}}))
	require.NoError(t, ref.SetMany(ctx, nil))
	done, err := ref.SetIfAbsent(ctx, "b", point{7, 8})
	require.NoError(t, err)
	require.False(t, done)
	done, err = ref.SetIfAbsent(ctx, "c", point{7, 8})
	require.NoError(t, err)
	require.True(t, done)
	require.Equal(t, map[string]string{"a": `{"X":3,"Y":4}`, "b": `{"X":5,"Y":6}`, "c": `{"X":7,"Y":8}`}, db.fields(ref.Key()))

	v, found, err := ref.Take(ctx, "a")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, point{3, 4}, v)
	_, found, err = ref.Take(ctx, "a")
	require.NoError(t, err)
	require.False(t, found)
	taken, err := ref.TakeMany(ctx, "none", "b")
	require.NoError(t, err)
	require.Equal(t, []nest.Optional[point]{{}, {Value: point{5, 6}, Found: true}}, taken)
	taken, err = ref.TakeMany(ctx)
	require.NoError(t, err)
	require.Empty(t, taken)

	n, err := ref.DeleteFields(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
	n, err = ref.DeleteFields(ctx, "c", "none")
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	require.False(t, db.exists(ref.Key()), "a hash without fields is no key")
}

func TestHashDefaults(t *testing.T) {
	t.Parallel()
	ctx := t.Context()

	t.Run("of a field", func(t *testing.T) {
		ref, db := openHash[float64](t, nest.Default(1))
		got, err := ref.Get(ctx, "a")
		require.NoError(t, err)
		require.Equal(t, 1.0, got)
		_, found, err := ref.Lookup(ctx, "a")
		require.NoError(t, err)
		require.False(t, found)
		all, err := ref.All(ctx)
		require.NoError(t, err)
		require.Empty(t, all)
		require.False(t, db.exists(ref.Key()))
	})
	t.Run("of the whole", func(t *testing.T) {
		ref, db := openHash[[]int](t, nest.Default(map[string][]int{"a": {1}, "b": nil}))
		all, err := ref.All(ctx)
		require.NoError(t, err)
		require.Equal(t, map[string][]int{"a": {1}, "b": nil}, all)
		all["a"][0] = 5
		all, err = ref.All(ctx)
		require.NoError(t, err)
		require.Equal(t, []int{1}, all["a"], "each caller has a copy of its own")
		_, err = ref.Get(ctx, "a")
		require.ErrorIs(t, err, nest.ErrNotFound)
		require.False(t, db.exists(ref.Key()))

		require.NoError(t, ref.Set(ctx, "c", []int{}))
		all, err = ref.All(ctx)
		require.NoError(t, err)
		require.Equal(t, map[string][]int{"c": {}}, all, "the default is for a key that does not exist")
	})
}

func TestHashIncrInt(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	// The results are the same with and without a TTL: one is a command, the other a script.
	for name, opts := range map[string][]nest.KeyOption{"plain": nil, "with a TTL": {nest.TTL(60)}} {
		t.Run(name, func(t *testing.T) {
			ref, db := openHash[int64](t, opts...)
			got, err := ref.Incr(ctx, "n", 5)
			require.NoError(t, err)
			require.EqualValues(t, 5, got)
			got, err = ref.Decr(ctx, "n", 7)
			require.NoError(t, err)
			require.EqualValues(t, -2, got)

			const big = int64(1)<<53 + 1 // a float64 cannot represent it
			require.NoError(t, ref.Set(ctx, "n", big))
			got, err = ref.Incr(ctx, "n", 2)
			require.NoError(t, err)
			require.Equal(t, big+2, got)

			if nesttest.Shared(t).Kind() != nesttest.KindEmbedded { // its HINCRBY wraps around
				require.NoError(t, ref.Set(ctx, "n", math.MaxInt64-1))
				_, err = ref.Incr(ctx, "n", 2)
				require.ErrorIs(t, err, nest.ErrOverflow)
				require.Equal(t, "9223372036854775806", db.fields(ref.Key())["n"])
			}

			require.NoError(t, db.do("HSET", ref.Key(), "text", "abc").Error())
			_, err = ref.Incr(ctx, "text", 1)
			require.ErrorIs(t, err, nest.ErrDecode)
			require.NotContains(t, err.Error(), "abc")
		})
	}
}

func TestHashIncrKeepsToTheType(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	t.Run("int8", func(t *testing.T) {
		ref, db := openHash[int8](t)
		_, err := ref.Incr(ctx, "n", 100)
		require.NoError(t, err)
		_, err = ref.Incr(ctx, "n", 28)
		require.ErrorIs(t, err, nest.ErrOverflow)
		got, err := ref.Decr(ctx, "n", -27)
		require.NoError(t, err)
		require.EqualValues(t, 127, got)
		require.Equal(t, "127", db.fields(ref.Key())["n"])
	})
	t.Run("uint64", func(t *testing.T) {
		ref, db := openHash[uint64](t)
		_, err := ref.Decr(ctx, "n", 1)
		require.ErrorIs(t, err, nest.ErrOverflow)
		require.False(t, db.exists(ref.Key()), "a failed write leaves no key behind")
		_, err = ref.Incr(ctx, "n", 1<<60+1)
		require.NoError(t, err)
		_, err = ref.Decr(ctx, "n", 1<<60+2)
		require.ErrorIs(t, err, nest.ErrOverflow)
		got, err := ref.Decr(ctx, "n", 1<<60)
		require.NoError(t, err)
		require.EqualValues(t, 1, got)
		_, err = ref.Incr(ctx, "n", math.MaxUint64)
		require.ErrorIs(t, err, nest.ErrOverflow, "Redis counts in 64 bits with a sign")
	})
	t.Run("float64", func(t *testing.T) {
		ref, db := openHash[float64](t)
		_, err := ref.Incr(ctx, "x", 10.5)
		require.NoError(t, err)
		got, err := ref.Decr(ctx, "x", 0.25)
		require.NoError(t, err)
		require.Equal(t, 10.25, got)
		for _, by := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			_, err = ref.Incr(ctx, "x", by)
			require.ErrorIs(t, err, nest.ErrArgument)
		}
		require.NoError(t, ref.Set(ctx, "x", math.MaxFloat64))
		_, err = ref.Incr(ctx, "x", math.MaxFloat64)
		require.ErrorIs(t, err, nest.ErrOverflow)
		require.Equal(t, "1.7976931348623157e+308", db.fields(ref.Key())["x"])
	})
	t.Run("what is no number", func(t *testing.T) {
		ref, _ := openHash[string](t)
		_, err := ref.Incr(ctx, "n", "1")
		require.ErrorIs(t, err, nest.ErrArgument)
		boxed, _ := openHash[int](t, nest.Codec(gob.Codec))
		_, err = boxed.Incr(ctx, "n", 1)
		require.ErrorIs(t, err, nest.ErrArgument, "the codec does not store decimals")
	})
}

func TestHashBadContent(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ref, db := openHash[int](t)
	require.NoError(t, db.do("HSET", ref.Key(), "good", "1", "bad", "secret-content").Error())

	reads := map[string]func() error{
		"get":      func() error { _, err := ref.Get(ctx, "bad"); return err },
		"get many": func() error { _, err := ref.GetMany(ctx, "good", "bad"); return err },
		"all":      func() error { _, err := ref.All(ctx); return err },
		"values":   func() error { _, err := ref.Values(ctx); return err },
		"random":   func() error { _, err := ref.Random(ctx, 2); return err },
		"iterate": func() error {
			for _, err := range ref.Iterate(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	for op, read := range reads {
		err := read()
		require.ErrorIs(t, err, nest.ErrDecode, op)
		require.NotContains(t, err.Error(), "secret-content")
		var e *nest.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, op, e.Op)
	}
	_, err := ref.All(ctx)
	require.ErrorContains(t, err, `field "bad"`)
	_, err = ref.GetMany(ctx, "good", "bad")
	require.ErrorContains(t, err, "field 2 of 2")
	_, _, err = ref.Take(ctx, "bad")
	require.ErrorIs(t, err, nest.ErrDecode)
	require.Equal(t, map[string]string{"good": "1"}, db.fields(ref.Key()), "the fields that were taken are gone")

	list, db := openHash[int](t, nest.TTL(60))
	require.NoError(t, db.do("RPUSH", list.Key(), "x").Error())
	_, err = list.Get(ctx, "a")
	require.ErrorIs(t, err, nest.ErrWrongType)
	require.ErrorContains(t, err, "holds a list")
	require.ErrorIs(t, list.Set(ctx, "a", 1), nest.ErrWrongType)
	_, err = list.Incr(ctx, "a", 1)
	require.ErrorIs(t, err, nest.ErrWrongType)
}

// TestHashTTL runs every write on a new key and on a key with a running TTL, declared without and
// with AutoRenew.
func TestHashTTL(t *testing.T) {
	t.Parallel()
	type write = func(ctx context.Context, ref nest.HashRef[int]) error
	writes := map[string]write{
		"set": func(ctx context.Context, ref nest.HashRef[int]) error { return ref.Set(ctx, "a", 1) },
		"set many": func(ctx context.Context, ref nest.HashRef[int]) error {
			return ref.SetMany(ctx, map[string]int{"a": 1, "b": 2})
		},
		"set if absent": func(ctx context.Context, ref nest.HashRef[int]) error {
			_, err := ref.SetIfAbsent(ctx, "a", 1)
			return err
		},
		"incr": func(ctx context.Context, ref nest.HashRef[int]) error { _, err := ref.Incr(ctx, "a", 1); return err },
		"decr": func(ctx context.Context, ref nest.HashRef[int]) error { _, err := ref.Decr(ctx, "a", 1); return err },
	}
	touches := map[string]write{
		"delete fields": func(ctx context.Context, ref nest.HashRef[int]) error {
			_, err := ref.DeleteFields(ctx, "x")
			return err
		},
		"take":      func(ctx context.Context, ref nest.HashRef[int]) error { _, _, err := ref.Take(ctx, "x"); return err },
		"take many": func(ctx context.Context, ref nest.HashRef[int]) error { _, err := ref.TakeMany(ctx, "x"); return err },
	}
	reads := map[string]write{
		"get": func(ctx context.Context, ref nest.HashRef[int]) error {
			_, _, err := ref.Lookup(ctx, "kept")
			return err
		},
		"get many": func(ctx context.Context, ref nest.HashRef[int]) error { _, err := ref.GetMany(ctx, "kept"); return err },
		"all":      func(ctx context.Context, ref nest.HashRef[int]) error { _, err := ref.All(ctx); return err },
		"fields":   func(ctx context.Context, ref nest.HashRef[int]) error { _, err := ref.Fields(ctx); return err },
		"values":   func(ctx context.Context, ref nest.HashRef[int]) error { _, err := ref.Values(ctx); return err },
		"len":      func(ctx context.Context, ref nest.HashRef[int]) error { _, err := ref.Len(ctx); return err },
		"has":      func(ctx context.Context, ref nest.HashRef[int]) error { _, err := ref.Has(ctx, "kept"); return err },
		"random":   func(ctx context.Context, ref nest.HashRef[int]) error { _, err := ref.Random(ctx, 1); return err },
		"iterate": func(ctx context.Context, ref nest.HashRef[int]) error {
			for _, err := range ref.Iterate(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	const running = 20 * time.Second
	check := func(name string, run write, creates bool, kept, renewed time.Duration) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, renew := range []bool{false, true} {
				ref, db := openHash[int](t, nest.TTL(declaredTTL), nest.AutoRenew(renew))
				if creates {
					require.NoError(t, run(t.Context(), ref))
					about(t, declaredTTL, db.ttl(ref.Key()))
				}
				require.NoError(t, db.do("HSET", ref.Key(), "kept", "1", "x", "2").Error())
				require.NoError(t, db.do("PEXPIRE", ref.Key(), strconv.Itoa(int(running.Milliseconds()))).Error())
				require.NoError(t, run(t.Context(), ref))
				want := kept
				if renew {
					want = renewed
				}
				got := db.ttl(ref.Key())
				require.LessOrEqual(t, got, want)
				require.Greater(t, got, want-10*time.Second)
			}
		})
	}
	for name, run := range writes {
		check(name, run, true, running, declaredTTL)
	}
	for name, run := range touches {
		check(name, run, false, running, declaredTTL)
	}
	for name, run := range reads {
		check(name, run, false, running, declaredTTL)
	}
}

func TestHashOfManyFields(t *testing.T) {
	t.Parallel()
	const size = 100_000
	all := make(map[string]int, size)
	names := make([]string, 0, size)
	for i := range size {
		name := "f" + strconv.Itoa(i)
		all[name] = i
		names = append(names, name)
	}
	for name, opts := range map[string][]nest.KeyOption{"plain": nil, "renewed": {nest.TTL(60), nest.AutoRenew()}} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			ref, db := openHash[int](t, opts...)
			require.NoError(t, ref.SetMany(ctx, all))
			n, err := ref.Len(ctx)
			require.NoError(t, err)
			require.EqualValues(t, size, n)
			many, err := ref.GetMany(ctx, names...)
			require.NoError(t, err)
			require.Len(t, many, size)
			for i := range many {
				require.Equal(t, nest.Optional[int]{Value: i, Found: true}, many[i])
			}
			require.Equal(t, all, iterated(t, ref, nest.ScanCount(500)))

			// A caller that stops early reads no more fields.
			seen := 0
			for _, err := range ref.Iterate(ctx) {
				require.NoError(t, err)
				if seen++; seen == 3 {
					break
				}
			}
			require.Equal(t, 3, seen)

			taken, err := ref.TakeMany(ctx, names[:size/2]...)
			require.NoError(t, err)
			require.Equal(t, nest.Optional[int]{Value: size/2 - 1, Found: true}, taken[size/2-1])
			n, err = ref.DeleteFields(ctx, names...)
			require.NoError(t, err)
			require.EqualValues(t, size/2, n)
			require.False(t, db.exists(ref.Key()))
		})
	}
}

func TestHashMoves(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	from, to := nest.Hash[int]("from"), nest.Hash[int]("to", nest.TTL(declaredTTL))
	s := nesttest.Open(t, nest.Cluster("pair", nest.HashTag(), nest.Sub(from, to)))
	require.NoError(t, from.At(s).Set(ctx, "a", 1))
	done, err := from.At(s).Copy(ctx, to.At(s))
	require.NoError(t, err)
	require.True(t, done)
	left, err := to.At(s).TTL(ctx)
	require.NoError(t, err)
	about(t, declaredTTL, left)
	done, err = from.At(s).Rename(ctx, to.At(s), nest.Replace())
	require.NoError(t, err)
	require.True(t, done)
	got, err := to.At(s).All(ctx)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"a": 1}, got)
}

func TestFieldTTL(t *testing.T) {
	t.Parallel()
	ctx := t.Context()

	t.Run("a server without it", func(t *testing.T) {
		if nesttest.Shared(t).Has(t, nesttest.HashFieldTTL) {
			return // this half of the test needs a server that lacks the command
		}
		ref, db := openHash[int](t, nest.FieldTTL(10))
		writes := map[string]error{"set": ref.Set(ctx, "a", 1), "set many": ref.SetMany(ctx, map[string]int{"a": 1})}
		_, writes["set if absent"] = ref.SetIfAbsent(ctx, "a", 1)
		_, writes["incr"] = ref.Incr(ctx, "a", 1)
		_, writes["expire fields"] = ref.ExpireFields(ctx, time.Second, "a")
		for op, err := range writes {
			require.ErrorIs(t, err, nest.ErrUnsupported, op)
			require.ErrorContains(t, err, "needs HPEXPIRE: redis 7.4, valkey 9", op)
		}
		require.False(t, db.exists(ref.Key()), "nothing is written without its expiry")
	})

	t.Run("a server with it", func(t *testing.T) {
		nesttest.Need(t, nesttest.HashFieldTTL)
		ref, db := openHash[int](t, nest.FieldTTL(declaredTTL), nest.TTL(time.Hour))
		left := func(field string) time.Duration {
			d, err := ref.FieldTTL(ctx, field)
			require.NoError(t, err)
			return d
		}
		require.NoError(t, ref.Set(ctx, "a", 1))
		about(t, declaredTTL, left("a"))
		require.Greater(t, db.ttl(ref.Key()), declaredTTL, "the key has a TTL of its own")
		require.NoError(t, ref.SetMany(ctx, map[string]int{"b": 1, "c": 1}, nest.FieldTTL(40)))
		about(t, 40*time.Second, left("b"))
		about(t, 40*time.Second, left("c"))
		done, err := ref.SetIfAbsent(ctx, "b", 9)
		require.NoError(t, err)
		require.False(t, done)
		about(t, 40*time.Second, left("b"))
		done, err = ref.SetIfAbsent(ctx, "d", 9)
		require.NoError(t, err)
		require.True(t, done)
		about(t, declaredTTL, left("d"))
		_, err = ref.Incr(ctx, "e", 1)
		require.NoError(t, err)
		about(t, declaredTTL, left("e"))
		_, err = ref.Incr(ctx, "b", 1)
		require.NoError(t, err)
		about(t, 40*time.Second, left("b"))

		n, err := ref.ExpireFields(ctx, 30*time.Second, "a", "none")
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		about(t, 30*time.Second, left("a"))
		n, err = ref.PersistFields(ctx, "a", "none")
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		require.Equal(t, nest.Forever, left("a"))
		n, err = ref.ExpireFieldsAt(ctx, time.Now().Add(-time.Second), "a", "b")
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		_, err = ref.FieldTTL(ctx, "a")
		require.ErrorIs(t, err, nest.ErrNotFound)

		many := make(map[string]int)
		for i := range 20_000 {
			many[strconv.Itoa(i)] = i
		}
		require.NoError(t, ref.SetMany(ctx, many))
		about(t, declaredTTL, left("19999"))
		n, err = ref.ExpireFields(ctx, 10*time.Second, slices.Collect(maps.Keys(many))...)
		require.NoError(t, err)
		require.EqualValues(t, 20_000, n)
	})

	t.Run("reading and renewing", func(t *testing.T) {
		ref, _ := openHash[int](t)
		require.NoError(t, ref.Set(ctx, "a", 1))
		got, err := ref.GetAndExpire(ctx, 30*time.Second, "a", "b")
		if !nesttest.Shared(t).Has(t, nesttest.HashFieldGetEx) {
			require.ErrorIs(t, err, nest.ErrUnsupported)
			require.ErrorContains(t, err, "needs HGETEX: redis 8.0, valkey 9")
			return
		}
		require.NoError(t, err)
		require.Equal(t, []nest.Optional[int]{{Value: 1, Found: true}, {}}, got)
		left, err := ref.FieldTTL(ctx, "a")
		require.NoError(t, err)
		about(t, 30*time.Second, left)
	})

	t.Run("arguments", func(t *testing.T) {
		ref, _ := openHash[int](t)
		_, err := ref.ExpireFields(ctx, 0, "a")
		require.ErrorIs(t, err, nest.ErrArgument)
		_, err = ref.ExpireFieldsAt(ctx, time.UnixMilli(-1), "a")
		require.ErrorIs(t, err, nest.ErrArgument)
		require.ErrorContains(t, err, "before 1970")
		_, err = ref.ExpireFieldsAt(ctx, time.Unix(math.MaxInt64, 0), "a")
		require.ErrorIs(t, err, nest.ErrArgument)
		_, err = ref.ExpireFieldsAt(ctx, time.Time{}, "a")
		require.ErrorIs(t, err, nest.ErrArgument)
		_, err = ref.GetAndExpire(ctx, 0, "a")
		require.ErrorIs(t, err, nest.ErrArgument)
		require.ErrorIs(t, ref.Set(ctx, "a", 1, nest.FieldTTL(-1)), nest.ErrArgument)
		n, err := ref.ExpireFields(ctx, time.Second)
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

func TestHashFieldExpiryUnderConditions(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	prices := nest.Hash[int]("prices")
	ref := prices.At(nesttest.Open(t, nest.Cluster("fields", nest.Sub(prices))))
	require.NoError(t, ref.SetMany(ctx, map[string]int{"a": 1, "b": 2}))

	_, err := ref.ExpireFieldsIf(ctx, time.Hour, 0, "a")
	require.ErrorIs(t, err, nest.ErrArgument)
	_, err = ref.ExpireFieldsIf(ctx, 0, nest.IfNoExpiry, "a")
	require.ErrorIs(t, err, nest.ErrArgument)
	if !nesttest.Shared(t).Has(t, nesttest.HashFieldTTL) {
		_, err = ref.ExpireFieldsIf(ctx, time.Hour, nest.IfNoExpiry, "a")
		require.ErrorIs(t, err, nest.ErrUnsupported)
		_, err = ref.FieldExpireTime(ctx, "a")
		require.ErrorIs(t, err, nest.ErrUnsupported)
		return
	}
	n, err := ref.ExpireFieldsIf(ctx, time.Hour, nest.IfNoExpiry, "a", "missing")
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	n, err = ref.ExpireFieldsIf(ctx, time.Minute, nest.IfLonger, "a", "b")
	require.NoError(t, err)
	require.Zero(t, n)
	at, err := ref.FieldExpireTime(ctx, "a")
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(time.Hour), at, 20*time.Second)
	at, err = ref.FieldExpireTime(ctx, "b")
	require.NoError(t, err)
	require.True(t, at.IsZero())
	_, err = ref.FieldExpireTime(ctx, "missing")
	require.ErrorIs(t, err, nest.ErrNotFound)
}
