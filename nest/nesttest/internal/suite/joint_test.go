package suite_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// many is more arguments than a script can pass to a command: Lua has room for 8,000 words.
const many = 9000

var (
	manySets      = nest.Set[int]("set:<i>", nest.Params(nest.Param[int]("i")))
	manySetTo     = nest.Set[int]("set_to", nest.TTL(declaredTTL))
	manySetPlain  = nest.Set[int]("set_plain")
	manySorted    = nest.SortedSet[int]("sorted:<i>", nest.Params(nest.Param[int]("i")))
	manySortedTo  = nest.SortedSet[int]("sorted_to", nest.TTL(declaredTTL))
	manySortedOld = nest.SortedSet[int]("sorted_plain")
	manyBits      = nest.Bitmap("bits:<i>", nest.Params(nest.Param[int]("i")))
	manyBitsTo    = nest.Bitmap("bits_to", nest.TTL(declaredTTL))
	manyBitsPlain = nest.Bitmap("bits_plain")
	manyLogs      = nest.HyperLogLog[int]("log:<i>", nest.Params(nest.Param[int]("i")))
	manyLogTo     = nest.HyperLogLog[int]("log_to", nest.TTL(declaredTTL))
	manyLogPlain  = nest.HyperLogLog[int]("log_plain")
	manyRenewed   = nest.Set[int]("renewed:<i>", nest.Params(nest.Param[int]("i")), nest.TTL(declaredTTL), nest.AutoRenew())
	manyTree      = nest.Cluster("many", nest.HashTag(), nest.Sub(manySets, manySetTo, manySetPlain, manySorted, manySortedTo,
		manySortedOld, manyBits, manyBitsTo, manyBitsPlain, manyLogs, manyLogTo, manyLogPlain, manyRenewed))
)

func manyOf[R any](at func(i int) R) []R {
	refs := make([]R, many)
	for i := range refs {
		refs[i] = at(i)
	}
	return refs
}

// wrong replaces the source with a list while during runs, and then restores it.
func wrong(t *testing.T, db redis, key string, during func()) {
	t.Helper()
	require.NoError(t, db.do("RENAME", key, key+"aside").Error())
	require.NoError(t, db.do("RPUSH", key, "x").Error())
	during()
	require.NoError(t, db.do("RENAME", key+"aside", key).Error())
}

// A store from more keys than a script can name at once has the same result as a single command.
// With a TTL it is done in parts, without one in one command.
func TestStoresOfManyKeys(t *testing.T) {
	t.Parallel()
	embedded := nesttest.Shared(t).Kind() == nesttest.KindEmbedded
	t.Run("sets", func(t *testing.T) {
		t.Parallel()
		ctx, s := t.Context(), nesttest.Open(t, manyTree)
		db := redis{t, nesttest.Client(t)}
		sources := manyOf(func(i int) nest.SetRef[int] { return manySets.At(s, i) })
		b := s.Batch()
		for i, r := range sources {
			if r.In(b).Add(10_001, 10_002, i); i == 0 {
				r.In(b).Add(20_001, 20_002, 20_003, 4000, many-1)
			}
		}
		require.NoError(t, b.Exec(ctx))
		_, err := sources[many-5].Remove(ctx, 10_002)
		require.NoError(t, err)
		to, plain := manySetTo.At(s), manySetPlain.At(s)
		for among, size := range map[int][3]int64{-1: {many + 5, 1, 4}, 0: {many + 5, 1, 0}, many: {many + 5, 1, 3}} {
			for i, store := range []func(r nest.SetRef[int], of ...nest.SetRef[int]) (int64, error){
				func(r nest.SetRef[int], of ...nest.SetRef[int]) (int64, error) { return r.StoreUnion(ctx, of...) },
				func(r nest.SetRef[int], of ...nest.SetRef[int]) (int64, error) { return r.StoreInter(ctx, of...) },
				func(r nest.SetRef[int], of ...nest.SetRef[int]) (int64, error) { return r.StoreDiff(ctx, of...) },
			} {
				var got [2][]int
				for j, r := range []nest.SetRef[int]{to, plain} {
					_, err := r.Delete(ctx)
					require.NoError(t, err)
					_, err = r.Add(ctx, 10_001, 20_001)
					require.NoError(t, err)
					n, err := store(r, with(sources, r, among)...)
					require.NoError(t, err)
					got[j], err = r.Members(ctx)
					require.NoError(t, err)
					require.Equal(t, size[i], n, "%d %d %d", among, i, j)
					require.Len(t, got[j], int(n))
					slices.Sort(got[j])
				}
				require.True(t, slices.Equal(got[1], got[0]), "%d %d", among, i)
				if len(got[0]) > 0 {
					about(t, declaredTTL, db.ttl(to.Key()))
				}
			}
		}
		wrong(t, db, sources[many-2].Key(), func() {
			before, err := to.Members(ctx)
			require.NoError(t, err)
			_, err = to.StoreUnion(ctx, sources...)
			require.ErrorIs(t, err, nest.ErrWrongType)
			after, err := to.Members(ctx)
			require.NoError(t, err)
			slices.Sort(before)
			slices.Sort(after)
			require.True(t, slices.Equal(before, after), "nothing is written")
		})
		for _, b := range []*nest.Batch{s.Batch(), s.Atomic()} {
			n := to.In(b).StoreUnion(sources...)
			require.NoError(t, b.Exec(ctx))
			got, err := n.Value()
			require.NoError(t, err)
			require.EqualValues(t, many+5, got)
		}
		// An operation that renews them accepts no more than that, and says so.
		renewed := manyOf(func(i int) nest.SetRef[int] { return manyRenewed.At(s, i) })
		_, err = renewed[0].Union(ctx, renewed[1:]...)
		require.ErrorContains(t, err, "renew fewer at once")
	})
	t.Run("sorted sets", func(t *testing.T) {
		t.Parallel()
		type ref = nest.SortedSetRef[int]
		ctx, s := t.Context(), nesttest.Open(t, manyTree)
		db := redis{t, nesttest.Client(t)}
		sources := manyOf(func(i int) ref { return manySorted.At(s, i) })
		b := s.Batch()
		for i, r := range sources {
			add := func(member int, score float64) { r.In(b).Add(member, score) }
			add(10_001, float64(i%11-3))
			add(i, float64(i))
			if i == 0 {
				add(20_001, 3)
				add(20_002, 4)
				add(many-1, 5)
			}
		}
		require.NoError(t, b.Exec(ctx))
		to, plain := manySortedTo.At(s), manySortedOld.At(s)
		weights := func(n int) nest.CombineOption {
			w := make([]float64, n)
			for i := range w {
				w[i] = float64(i%5 + 2)
			}
			return nest.Weights(w...)
		}
		stores := map[string]func(r ref, of []ref) (int64, error){
			"union":          func(r ref, of []ref) (int64, error) { return r.StoreUnion(ctx, of) },
			"weighted union": func(r ref, of []ref) (int64, error) { return r.StoreUnion(ctx, of, weights(len(of))) },
			"least": func(r ref, of []ref) (int64, error) {
				return r.StoreUnion(ctx, of, nest.SmallestScore(), weights(len(of)))
			},
			"inter": func(r ref, of []ref) (int64, error) {
				return r.StoreInter(ctx, of, weights(len(of)), nest.GreatestScore())
			},
			"inter's sum": func(r ref, of []ref) (int64, error) { return r.StoreInter(ctx, of, weights(len(of))) },
			"diff":        func(r ref, of []ref) (int64, error) { return r.StoreDiff(ctx, of...) },
		}
		if embedded {
			delete(stores, "diff")
		}
		for among := range map[int]bool{-1: true, many / 2: true, many: true} {
			for what, store := range stores {
				var got [2][]nest.Scored[int]
				var size [2]int64
				for j, r := range []ref{to, plain} {
					_, err := r.Delete(ctx)
					require.NoError(t, err)
					_, err = r.AddMany(ctx, []nest.Scored[int]{{Member: 10_001, Score: 7}, {Member: 20_001, Score: 8}})
					require.NoError(t, err)
					size[j], err = store(r, with(sources, r, among))
					require.NoError(t, err)
					got[j], err = r.All(ctx)
					require.NoError(t, err)
				}
				require.True(t, slices.Equal(got[1], got[0]), "%s %d", what, among)
				require.Equal(t, size[1], size[0])
				require.Len(t, got[0], int(size[0]))
				require.Positive(t, size[0])
				about(t, declaredTTL, db.ttl(to.Key()))
			}
		}
		wrong(t, db, sources[many-2].Key(), func() {
			before, err := to.All(ctx)
			require.NoError(t, err)
			_, err = to.StoreUnion(ctx, sources)
			require.ErrorIs(t, err, nest.ErrWrongType)
			after, err := to.All(ctx)
			require.NoError(t, err)
			require.True(t, slices.Equal(before, after))
		})
	})
	t.Run("bitmaps", func(t *testing.T) {
		t.Parallel()
		type ref = nest.BitmapRef
		ctx, s := t.Context(), nesttest.Open(t, manyTree)
		db := redis{t, nesttest.Client(t)}
		sources := manyOf(func(i int) ref { return manyBits.At(s, i) })
		b := s.Batch()
		for i, r := range sources {
			r.In(b).SetBit(3, true)
			r.In(b).SetBit(int64(i+8), true)
			r.In(b).SetBit(4, i != many-7)
		}
		require.NoError(t, b.Exec(ctx))
		to, plain := manyBitsTo.At(s), manyBitsPlain.At(s)
		for among := range map[int]bool{-1: true, many / 2: true, many: true} {
			for what, store := range map[string]func(r ref, of ...ref) (int64, error){
				"and": func(r ref, of ...ref) (int64, error) { return r.StoreAnd(ctx, of...) },
				"or":  func(r ref, of ...ref) (int64, error) { return r.StoreOr(ctx, of...) },
				"xor": func(r ref, of ...ref) (int64, error) { return r.StoreXor(ctx, of...) },
			} {
				var got [2]string
				for j, r := range []ref{to, plain} {
					_, err := r.Delete(ctx)
					require.NoError(t, err)
					for _, bit := range []int64{3, 5, 20_000} {
						_, err = r.SetBit(ctx, bit, true)
						require.NoError(t, err)
					}
					n, err := store(r, with(sources, r, among)...)
					require.NoError(t, err)
					got[j] = db.text(r.Key())
					require.Len(t, got[j], int(n))
				}
				require.Equal(t, got[1], got[0], "%s %d", what, among)
				about(t, declaredTTL, db.ttl(to.Key()))
			}
		}
		wrong(t, db, sources[many-2].Key(), func() {
			before := db.text(to.Key())
			_, err := to.StoreOr(ctx, sources...)
			require.ErrorIs(t, err, nest.ErrWrongType)
			require.Equal(t, before, db.text(to.Key()))
		})
	})
	t.Run("HyperLogLogs", func(t *testing.T) {
		t.Parallel()
		type ref = nest.HyperLogLogRef[int]
		ctx, s := t.Context(), nesttest.Open(t, manyTree)
		db := redis{t, nesttest.Client(t)}
		sources := manyOf(func(i int) ref { return manyLogs.At(s, i) })
		b := s.Batch()
		for i, r := range sources {
			r.In(b).Add(i)
		}
		require.NoError(t, b.Exec(ctx))
		var counts [2]int64
		for j, r := range []ref{manyLogTo.At(s), manyLogPlain.At(s)} {
			_, err := r.Add(ctx, -1)
			require.NoError(t, err)
			require.NoError(t, r.Merge(ctx, sources...))
			counts[j], err = r.Count(ctx)
			require.NoError(t, err)
		}
		require.Equal(t, counts[1], counts[0])
		require.Greater(t, counts[0], int64(many*9/10))
		about(t, declaredTTL, db.ttl(manyLogTo.At(s).Key()))
		wrong(t, db, sources[many-2].Key(), func() {
			_, err := manyLogTo.At(s).Delete(ctx)
			require.NoError(t, err)
			require.Error(t, manyLogTo.At(s).Merge(ctx, sources...))
			require.False(t, db.exists(manyLogTo.At(s).Key()))
		})
	})
}

// with returns the sources, with the target in place of the one at index among, if there is one.
func with[R any](sources []R, target R, among int) []R {
	of := append([]R(nil), sources...)
	if among >= 0 {
		of = append(of[:among:among], append([]R{target}, of[among:]...)...)
	}
	return of
}
