package suite_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

type level int

type point struct{ X, Y int }

// stores is a row of the table of stored forms: a value, and the bytes that represent it.
func stores[T any](v T, text string) func(t *testing.T) {
	return func(t *testing.T) {
		key := nest.Key[T]("key")
		ref := key.At(nesttest.Open(t, nest.Cluster("values", nest.Sub(key))))
		require.NoError(t, ref.Set(t.Context(), v))

		raw, err := ref.Raw(t.Context())
		require.NoError(t, err)
		require.Equal(t, text, string(raw), "the stored form")
		got, err := ref.Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, v, got)
	}
}

func TestStoredForms(t *testing.T) {
	t.Parallel()
	half := time.FixedZone("", 19800)
	for name, row := range map[string]func(*testing.T){
		"string":             stores("a b\r\n\x00\xff", "a b\r\n\x00\xff"),
		"empty string":       stores("", ""),
		"bytes":              stores([]byte{0, 255, '\n'}, "\x00\xff\n"),
		"int":                stores(math.MinInt64, "-9223372036854775808"),
		"uint64":             stores(uint64(math.MaxUint64), "18446744073709551615"),
		"named int":          stores(level(3), "3"),
		"duration":           stores(time.Second, "1000000000"),
		"float":              stores(0.1, "0.1"),
		"large float":        stores(math.MaxFloat64, "1.7976931348623157e+308"),
		"float32":            stores(float32(0.1), "0.1"),
		"true":               stores(true, "1"),
		"false":              stores(false, "0"),
		"text marshaler":     stores(netip.MustParseAddr("2001:db8::1"), "2001:db8::1"),
		"struct":             stores(point{1, -2}, `{"X":1,"Y":-2}`),
		"slice":              stores([]string{"a", ""}, `["a",""]`),
		"map":                stores(map[string]int{"b": 2, "a": 1}, `{"a":1,"b":2}`),
		"nil map":            stores(map[string]int(nil), "null"),
		"nil pointer":        stores((*point)(nil), "null"),
		"pointer to struct":  stores(&point{3, 4}, `{"X":3,"Y":4}`),
		"time in UTC":        stores(time.Date(2024, 2, 29, 1, 2, 3, 4, time.UTC), "2024-02-29T01:02:03.000000004Z"),
		"whole second":       stores(time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC), "1999-12-31T23:59:59Z"),
		"slice of structs":   stores([]point{{1, 2}}, `[{"X":1,"Y":2}]`),
		"array":              stores([2]bool{true, false}, `[true,false]`),
		"map of named types": stores(map[level]string{1: "x"}, `{"1":"x"}`),
	} {
		t.Run(name, row)
	}

	t.Run("time with offset", func(t *testing.T) {
		key := nest.Key[time.Time]("key")
		ref := key.At(nesttest.Open(t, nest.Cluster("values", nest.Sub(key))))
		want := time.Date(2024, 2, 29, 1, 2, 3, 4, half)
		require.NoError(t, ref.Set(t.Context(), want))
		raw, err := ref.Raw(t.Context())
		require.NoError(t, err)
		require.Equal(t, "2024-02-29T01:02:03.000000004+05:30", string(raw))
		got, err := ref.Get(t.Context())
		require.NoError(t, err)
		require.True(t, want.Equal(got))
		_, offset := got.Zone()
		require.Equal(t, 19800, offset)
	})
}

func TestGet(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := open(t)

	t.Run("without the key and without a default", func(t *testing.T) {
		_, err := name.At(s, 1).Get(ctx)
		require.ErrorIs(t, err, nest.ErrNotFound)
		var e *nest.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "get", e.Op)
		require.Equal(t, name.At(s, 1).Key(), e.Key)
	})
	t.Run("the default is given and not written", func(t *testing.T) {
		got, err := age.At(s, 1).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, 18, got)
		require.False(t, db.exists(age.At(s, 1).Key()))
	})
	t.Run("a default belongs to who got it", func(t *testing.T) {
		first, err := tags.At(s, 1).Get(ctx)
		require.NoError(t, err)
		first[0] = "changed"
		second, err := tags.At(s, 1).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"new"}, second)
	})
	t.Run("what is stored wins", func(t *testing.T) {
		require.NoError(t, age.At(s, 1).Set(ctx, 7))
		got, err := age.At(s, 1).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, 7, got)
	})
}

func TestLookup(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	ref := age.At(s, 1)
	got, found, err := ref.Lookup(t.Context())
	require.NoError(t, err)
	require.False(t, found)
	require.Zero(t, got, "Lookup ignores the default")

	require.NoError(t, ref.Set(t.Context(), 0))
	_, found, err = ref.Lookup(t.Context())
	require.NoError(t, err)
	require.True(t, found)
}

func TestConditionalWrites(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := open(t)
	ref := name.At(s, 1)

	done, err := ref.SetIfPresent(ctx, "no")
	require.NoError(t, err)
	require.False(t, done)
	require.False(t, db.exists(ref.Key()))

	done, err = ref.SetIfAbsent(ctx, "first")
	require.NoError(t, err)
	require.True(t, done)
	done, err = ref.SetIfAbsent(ctx, "second")
	require.NoError(t, err)
	require.False(t, done)
	require.Equal(t, "first", db.text(ref.Key()))

	done, err = ref.SetIfPresent(ctx, "third")
	require.NoError(t, err)
	require.True(t, done)
	require.Equal(t, "third", db.text(ref.Key()))
}

func TestSwapAndTake(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := open(t)
	ref := age.At(s, 1)

	_, found, err := ref.Take(ctx)
	require.NoError(t, err)
	require.False(t, found)
	_, found, err = ref.Swap(ctx, 1)
	require.NoError(t, err)
	require.False(t, found, "Swap reports that there was nothing, not the default")
	old, found, err := ref.Swap(ctx, 2)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, 1, old)

	old, found, err = ref.Take(ctx)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, 2, old)
	require.False(t, db.exists(ref.Key()))
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := open(t)
	ref := age.At(s, 1)

	got, err := ref.Update(ctx, func(n int, found bool) (int, error) {
		require.False(t, found)
		require.Equal(t, 18, n, "the default stands in for a missing key")
		return n + 1, nil
	})
	require.NoError(t, err)
	require.Equal(t, 19, got)
	require.Equal(t, "19", db.text(ref.Key()))

	// Another client writes between the read and the write. The change runs again on the newer
	// value.
	calls := 0
	got, err = ref.Update(ctx, func(n int, found bool) (int, error) {
		if calls++; calls == 1 {
			db.set(ref.Key(), "100")
		}
		require.True(t, found)
		return n + 1, nil
	})
	require.NoError(t, err)
	require.Equal(t, 101, got)
	require.Equal(t, 2, calls)

	// Another client deletes the key meanwhile.
	calls = 0
	_, err = ref.Update(ctx, func(n int, found bool) (int, error) {
		if calls++; calls == 1 {
			require.NoError(t, db.do("DEL", ref.Key()).Error())
			return n, nil
		}
		require.False(t, found)
		return 1, nil
	})
	require.NoError(t, err)
	require.Equal(t, "1", db.text(ref.Key()))

	refused := errors.New("refused")
	_, err = ref.Update(ctx, func(int, bool) (int, error) { return 0, refused })
	require.Equal(t, refused, err)
	require.Equal(t, "1", db.text(ref.Key()))

	// Another client is always faster.
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	_, err = ref.Update(short, func(n int, _ bool) (int, error) {
		db.do("INCR", ref.Key())
		return n, nil
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestGetOrLoad(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := open(t)
	ref := age.At(s, 1)

	failed := errors.New("no luck")
	_, err := ref.GetOrLoad(ctx, func(context.Context) (int, error) { return 5, failed })
	require.ErrorIs(t, err, failed)
	require.False(t, db.exists(ref.Key()), "the result of a failed loader is not stored")

	got, err := ref.GetOrLoad(ctx, func(context.Context) (int, error) { return 7, nil })
	require.NoError(t, err)
	require.Equal(t, 7, got, "loaded, not the default")
	require.Equal(t, "7", db.text(ref.Key()))
	about(t, declaredTTL, db.ttl(ref.Key()))

	got, err = ref.GetOrLoad(ctx, func(context.Context) (int, error) {
		t.Error("loaded although it is stored")
		return 0, nil
	})
	require.NoError(t, err)
	require.Equal(t, 7, got)

	// A write during a load is newer than the value that was loaded.
	other := age.At(s, 2)
	got, err = other.GetOrLoad(ctx, func(context.Context) (int, error) {
		db.set(other.Key(), "30")
		return 20, nil
	})
	require.NoError(t, err)
	require.Equal(t, 30, got)
	require.Equal(t, "30", db.text(other.Key()))

	// A loader's panic reaches its caller and leaves the key free for the next call.
	third := age.At(s, 3)
	require.Panics(t, func() {
		_, _ = third.GetOrLoad(ctx, func(context.Context) (int, error) { panic("loader") })
	})
	got, err = third.GetOrLoad(ctx, func(context.Context) (int, error) { return 3, nil })
	require.NoError(t, err)
	require.Equal(t, 3, got)
}

func TestRawAndStoredType(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	ref := age.At(s, 1)
	_, err := ref.Raw(t.Context())
	require.ErrorIs(t, err, nest.ErrNotFound)
	_, err = ref.StoredType(t.Context())
	require.ErrorIs(t, err, nest.ErrNotFound)

	db.set(ref.Key(), "0042")
	raw, err := ref.Raw(t.Context())
	require.NoError(t, err)
	require.Equal(t, "0042", string(raw))

	require.NoError(t, ref.Set(t.Context(), 1))
	kind, err := ref.StoredType(t.Context())
	require.NoError(t, err)
	require.Equal(t, "int", kind)
}

// Large values arrive whole. They are larger than every buffer on the way.
func TestLargeValue(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	large := make([]byte, 4<<20)
	for i := range large {
		large[i] = byte(i * i >> 3)
	}
	ref := name.At(s, 1)
	require.NoError(t, ref.Set(t.Context(), string(large)))
	got, err := ref.Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, sha256.Sum256(large), sha256.Sum256([]byte(got)))
}

func TestGetAndExpire(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	key := nest.Key[string]("key", nest.TTL(120), nest.Default("default"))
	ref := key.At(nesttest.Open(t, nest.Cluster("reads", nest.Sub(key))))

	_, found, err := ref.GetAndExpire(ctx, time.Hour)
	require.NoError(t, err)
	require.False(t, found, "the default is not used")
	require.NoError(t, ref.Set(ctx, "x"))
	v, found, err := ref.GetAndExpire(ctx, time.Hour)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "x", v)
	left, err := ref.TTL(ctx)
	require.NoError(t, err)
	require.InDelta(t, time.Hour.Seconds(), left.Seconds(), 20)
	_, _, err = ref.GetAndExpire(ctx, 0)
	require.ErrorIs(t, err, nest.ErrArgument)
}

// TestBytesAreTheCallersOwn: whatever a caller does to bytes that were read, nobody else sees it.
func TestBytesAreTheCallersOwn(t *testing.T) {
	t.Parallel()
	never := func(context.Context) ([]byte, error) { return nil, errors.New("a hit that loads") }
	reads := map[string]func(ctx context.Context, b *nest.Batch, r nest.KeyRef[[]byte]) ([]byte, error){
		"get": func(ctx context.Context, _ *nest.Batch, r nest.KeyRef[[]byte]) ([]byte, error) { return r.Get(ctx) },
		"get or load": func(ctx context.Context, _ *nest.Batch, r nest.KeyRef[[]byte]) ([]byte, error) {
			return r.GetOrLoad(ctx, never)
		},
		"lookup": func(ctx context.Context, _ *nest.Batch, r nest.KeyRef[[]byte]) ([]byte, error) {
			v, _, err := r.Lookup(ctx)
			return v, err
		},
		"twice in a batch": func(ctx context.Context, b *nest.Batch, r nest.KeyRef[[]byte]) ([]byte, error) {
			first, second := r.In(b).Get(), r.In(b).Get()
			if err := b.Exec(ctx); err != nil {
				return nil, err
			}
			v, err := first.Value()
			if err != nil {
				return nil, err
			}
			clear(v)
			return second.Value()
		},
		"update": func(ctx context.Context, _ *nest.Batch, r nest.KeyRef[[]byte]) ([]byte, error) {
			return r.Update(ctx, func(now []byte, _ bool) ([]byte, error) {
				kept := append([]byte{}, now...)
				clear(now)
				return kept, nil
			})
		},
	}
	reads["load many"] = func(ctx context.Context, _ *nest.Batch, r nest.KeyRef[[]byte]) ([]byte, error) {
		at := func(int) nest.KeyRef[[]byte] { return r }
		all, err := nest.LoadMany(ctx, []int{1}, at, func(context.Context, []int) (map[int][]byte, error) {
			return nil, errors.New("a hit that loads")
		})
		if err != nil {
			return nil, err
		}
		return all[0].Value, nil
	}
	// All in one tree: what keys of one type have in common does not know their options.
	keys := map[string]*nest.KeyDef[[]byte]{
		"plain":      nest.Key[[]byte]("plain"),
		"cached":     nest.Key[[]byte]("cached", nest.Cached(time.Minute)),
		"remembered": nest.Key[[]byte]("remembered", nest.Cached(time.Minute, nest.LocalFor(time.Minute))),
		"a default":  nest.Key[[]byte]("default", nest.Default([]byte("text"))),
	}
	for declared, key := range keys {
		for name, read := range reads {
			t.Run(declared+"/"+name, func(t *testing.T) {
				t.Parallel()
				root := nesttest.Open(t, nest.Cluster("bytes", nest.Sub(keys["plain"], keys["cached"], keys["remembered"], keys["a default"])))
				ref := key.At(root)
				if declared != "a default" || name != "get" {
					require.NoError(t, ref.Set(t.Context(), []byte("text")))
				}
				for range 4 {
					got, err := read(t.Context(), root.Batch(), ref)
					require.NoError(t, err)
					require.Equal(t, "text", string(got))
					_ = append(got[:0], "----"...)
					_ = append(got, '-')
				}
			})
		}
	}
}

// TestCodecsReadTheirOwnBytes: a codec whose short values look like []byte themselves decodes the
// long ones.
func TestCodecsReadTheirOwnBytes(t *testing.T) {
	t.Parallel()
	key := nest.Key[[]byte]("key", nest.Codec(longReversed{codec.Raw}))
	ref := key.At(nesttest.Open(t, nest.Cluster("bytes", nest.Sub(key))))
	require.NoError(t, ref.Set(t.Context(), []byte("a long value")))
	raw, err := ref.Raw(t.Context())
	require.NoError(t, err)
	require.Equal(t, "eulav gnol a", string(raw))
	got, err := ref.Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, "a long value", string(got))
}

// longReversed stores values of more than eight bytes backwards.
type longReversed struct{ codec.Codec }

func (c longReversed) Append(dst []byte, v any) ([]byte, error) {
	n := len(dst)
	dst, err := c.Codec.Append(dst, v)
	if len(dst)-n > 8 {
		slices.Reverse(dst[n:])
	}
	return dst, err
}

func (c longReversed) Decode(data []byte, v any) error {
	if data = slices.Clone(data); len(data) > 8 {
		slices.Reverse(data)
	}
	return c.Codec.Decode(data, v)
}

func TestEmptyBytes(t *testing.T) {
	t.Parallel()
	for _, opts := range [][]nest.KeyOption{nil, {nest.Cached(time.Minute)}} {
		key := nest.Key[[]byte]("key", opts...)
		ref := key.At(nesttest.Open(t, nest.Cluster("bytes", nest.Sub(key))))
		require.NoError(t, ref.Set(t.Context(), nil))
		got, err := ref.Get(t.Context())
		require.NoError(t, err)
		require.NotNil(t, got)
		require.Empty(t, got)
	}
}
