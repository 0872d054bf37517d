package suite_test

import (
	"context"
	"math"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

type scored = nest.Scored[string]

func sortedSetOf[T any](t *testing.T, opts ...nest.KeyOption) nest.SortedSetRef[T] {
	t.Helper()
	key := nest.SortedSet[T]("ranking:<name>", opts...)
	return key.At(alone(t, key), 1, "a")
}

// sortedSetsOf returns a function that makes sorted sets of one declaration, in one slot.
func sortedSetsOf(t *testing.T, opts ...nest.KeyOption) func(name string, members ...scored) nest.SortedSetRef[string] {
	t.Helper()
	key := nest.SortedSet[string]("ranking:<name>", opts...)
	s := alone(t, key)
	return func(name string, members ...scored) nest.SortedSetRef[string] {
		r := key.At(s, 1, name)
		_, err := r.AddMany(t.Context(), members)
		require.NoError(t, err)
		return r
	}
}

func requireSorted[T any](t *testing.T, r nest.SortedSetRef[T], want ...nest.Scored[T]) {
	t.Helper()
	got, err := r.All(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestSortedSetAdd(t *testing.T) {
	t.Parallel()
	settings(t, func(t *testing.T, opts ...nest.KeyOption) {
		ctx := t.Context()
		r := sortedSetOf[string](t, opts...)
		for _, c := range []struct {
			member string
			score  float64
			opts   []nest.AddOption
			want   bool
			after  float64
		}{
			{"a", 5, []nest.AddOption{nest.IfPresent()}, false, math.NaN()},
			{"a", 5, nil, true, 5},
			{"a", 6, nil, false, 6},
			{"a", 7, []nest.AddOption{nest.IfNew()}, false, 6},
			{"a", 7, []nest.AddOption{nest.CountChanged()}, true, 7},
			{"a", 3, []nest.AddOption{nest.IfGreater(), nest.CountChanged()}, false, 7},
			{"a", 8, []nest.AddOption{nest.IfGreater(), nest.CountChanged(), nest.IfPresent()}, true, 8},
			{"a", 9, []nest.AddOption{nest.IfLess()}, false, 8},
			{"a", -2.5, []nest.AddOption{nest.IfLess(), nest.CountChanged()}, true, -2.5},
			{"a", math.Inf(1), nil, false, math.Inf(1)},
			{"a", 1e300, nil, false, 1e300},
		} {
			added, err := r.Add(ctx, c.member, c.score, c.opts...)
			require.NoError(t, err)
			require.Equal(t, c.want, added, "%+v", c)
			score, there, err := r.Score(ctx, c.member)
			require.NoError(t, err)
			require.Equal(t, !math.IsNaN(c.after), there)
			if there {
				require.InDelta(t, c.after, score, 0)
			}
		}
		n, err := r.AddMany(ctx, []scored{{Member: "a", Score: 1}, {Member: "b", Score: 2}, {Member: "c", Score: 2}})
		require.NoError(t, err)
		require.Equal(t, int64(2), n)
		requireSorted(t, r, scored{Member: "a", Score: 1}, scored{Member: "b", Score: 2}, scored{Member: "c", Score: 2})

		score, err := r.Incr(ctx, "a", 2.5)
		require.NoError(t, err)
		require.InDelta(t, 3.5, score, 0)
		score, there, err := r.IncrIf(ctx, "d", 1, nest.IfPresent())
		require.NoError(t, err)
		require.False(t, there)
		require.Zero(t, score)
		score, there, err = r.IncrIf(ctx, "a", 1, nest.IfPresent())
		require.NoError(t, err)
		require.True(t, there)
		require.InDelta(t, 4.5, score, 0)

		scores, err := r.Scores(ctx, "a", "none", "b")
		require.NoError(t, err)
		require.Equal(t, []nest.Optional[float64]{{Value: 4.5, Found: true}, {}, {Value: 2, Found: true}}, scores)
		rank, there, err := r.Rank(ctx, "a")
		require.NoError(t, err)
		require.True(t, there)
		require.Equal(t, int64(2), rank)
		rank, _, err = r.RevRank(ctx, "a")
		require.NoError(t, err)
		require.Zero(t, rank)
		_, there, err = r.Rank(ctx, "none")
		require.NoError(t, err)
		require.False(t, there)
		ranked, there, err := r.RankWithScore(ctx, "a")
		require.NoError(t, err)
		require.True(t, there)
		require.Equal(t, nest.Ranked{Rank: 2, Score: 4.5}, ranked)
		ranked, _, err = r.RevRankWithScore(ctx, "c")
		require.NoError(t, err)
		require.Equal(t, nest.Ranked{Rank: 1, Score: 2}, ranked)
		_, there, err = r.RankWithScore(ctx, "none")
		require.NoError(t, err)
		require.False(t, there)

		n, err = r.Remove(ctx, "a", "none")
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		n, err = r.Len(ctx)
		require.NoError(t, err)
		require.Equal(t, int64(2), n)
	})
}

func TestSortedSetArguments(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := sortedSetOf[string](t, nest.TTL(declaredTTL))
	n, err := r.AddMany(ctx, nil)
	require.NoError(t, err)
	require.Zero(t, n)
	n, err = r.Remove(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
	scores, err := r.Scores(ctx)
	require.NoError(t, err)
	require.Empty(t, scores)
	n, err = r.StoreUnion(ctx, nil)
	require.NoError(t, err)
	require.Zero(t, n)
	for name, do := range map[string]func() error{
		"NaN": func() error { _, err := r.Add(ctx, "a", math.NaN()); return err },
		"NaN among many": func() error {
			_, err := r.AddMany(ctx, []scored{{Member: "a", Score: 1}, {Member: "b", Score: math.NaN()}})
			return err
		},
		"incr NaN":         func() error { _, err := r.Incr(ctx, "a", math.NaN()); return err },
		"incr if NaN":      func() error { _, _, err := r.IncrIf(ctx, "a", math.NaN()); return err },
		"new and present":  func() error { _, err := r.Add(ctx, "a", 1, nest.IfNew(), nest.IfPresent()); return err },
		"greater and less": func() error { _, err := r.Add(ctx, "a", 1, nest.IfLess(), nest.IfGreater()); return err },
		"zero span":        func() error { _, err := r.Range(ctx, nest.Span{}); return err },
		"NaN span":         func() error { _, err := r.Range(ctx, nest.ByScore(0, math.NaN())); return err },
		"rank limit":       func() error { _, err := r.Range(ctx, nest.ByRank(0, 1).Limit(0, 1)); return err },
		"rank open":        func() error { _, err := r.Range(ctx, nest.ByRank(0, 1).OpenMin()); return err },
		"offset":           func() error { _, err := r.Range(ctx, nest.ByScore(0, 1).Limit(-1, 1)); return err },
		"lex scores":       func() error { _, err := r.RangeScored(ctx, nest.ByLex("", "")); return err },
		"count rank":       func() error { _, err := r.Count(ctx, nest.ByRank(0, 1)); return err },
		"count limit":      func() error { _, err := r.Count(ctx, nest.ByScore(0, 1).Limit(0, 1)); return err },
		"remove limit":     func() error { _, err := r.RemoveRange(ctx, nest.ByScore(0, 1).Limit(0, 1)); return err },
		"store span":       func() error { _, err := r.StoreRange(ctx, r, nest.Span{}); return err },
		"weights":          func() error { _, err := r.Union(ctx, nil, nest.Weights(1, 2)); return err },
		"NaN weight":       func() error { _, err := r.Union(ctx, nil, nest.Weights(math.NaN())); return err },
		"pop":              func() error { _, err := r.PopMinN(ctx, -1); return err },
		"wait pop":         func() error { _, err := r.WaitPopMaxN(ctx, -1, 0); return err },
		"limit of inter":   func() error { _, err := r.InterLen(ctx, -1); return err },
	} {
		require.ErrorIs(t, do(), nest.ErrArgument, name)
	}
	there, err := r.Exists(ctx)
	require.NoError(t, err)
	require.False(t, there)

	_, err = r.Add(ctx, "a", math.Inf(1))
	require.NoError(t, err)
	if nesttest.Shared(t).Kind() != nesttest.KindEmbedded { // it stores the NaN
		_, err = r.Incr(ctx, "a", math.Inf(-1))
		require.ErrorIs(t, err, nest.ErrOverflow)
	}
}

func TestSortedSetRanges(t *testing.T) {
	t.Parallel()
	settings(t, func(t *testing.T, opts ...nest.KeyOption) {
		ctx := t.Context()
		at := sortedSetsOf(t, opts...)
		byScore := at("score", scored{Member: "a", Score: 1}, scored{Member: "b", Score: 2}, scored{Member: "c", Score: 3}, scored{Member: "d", Score: 4})
		byLex := at("lex", scored{Member: "a", Score: 0}, scored{Member: "aa", Score: 0}, scored{Member: "b", Score: 0}, scored{Member: "c", Score: 0})
		inf := math.Inf(1)
		for _, c := range []struct {
			r     nest.SortedSetRef[string]
			span  nest.Span
			want  []string
			count int64 // -1: not counted
		}{
			{byScore, nest.ByRank(0, -1), []string{"a", "b", "c", "d"}, -1},
			{byScore, nest.ByRank(1, 2), []string{"b", "c"}, -1},
			{byScore, nest.ByRank(0, 1).Reverse(), []string{"d", "c"}, -1},
			{byScore, nest.ByRank(7, 9), nil, -1},
			{byScore, nest.ByScore(2, 3), []string{"b", "c"}, 2},
			{byScore, nest.ByScore(2, 4).OpenMin().OpenMax(), []string{"c"}, 1},
			{byScore, nest.ByScore(-inf, inf).Reverse(), []string{"d", "c", "b", "a"}, 4},
			{byScore, nest.ByScore(1, 3).OpenMin().Reverse(), []string{"c", "b"}, 2},
			{byScore, nest.ByScore(-inf, inf).Limit(1, 2), []string{"b", "c"}, -1},
			{byScore, nest.ByScore(-inf, inf).Limit(2, -1), []string{"c", "d"}, -1},
			{byScore, nest.ByScore(9, inf), nil, 0},
			{byLex, nest.ByLex("", ""), []string{"a", "aa", "b", "c"}, 4},
			{byLex, nest.ByLex("a", "b"), []string{"a", "aa", "b"}, 3},
			{byLex, nest.ByLex("a", "b").OpenMin().OpenMax(), []string{"aa"}, 1},
			{byLex, nest.ByLex("aa", "").Reverse(), []string{"c", "b", "aa"}, 3},
			{byLex, nest.ByLex("", "").Limit(1, 1), []string{"aa"}, -1},
		} {
			got, err := c.r.Range(ctx, c.span)
			require.NoError(t, err)
			require.Equal(t, c.want, got, "%+v", c.span)
			if c.r.Key() == byScore.Key() {
				pairs, err := c.r.RangeScored(ctx, c.span)
				require.NoError(t, err)
				require.Len(t, pairs, len(c.want))
				for i, p := range pairs {
					require.Equal(t, c.want[i], p.Member)
					require.InDelta(t, float64(p.Member[0]-'a'+1), p.Score, 0)
				}
			}
			if c.count >= 0 {
				n, err := c.r.Count(ctx, c.span)
				require.NoError(t, err)
				require.Equal(t, c.count, n, "%+v", c.span)
			}
		}

		n, err := byScore.RemoveRange(ctx, nest.ByRank(0, 0).Reverse())
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		requireSorted(t, byScore, scored{Member: "a", Score: 1}, scored{Member: "b", Score: 2}, scored{Member: "c", Score: 3})
		n, err = byScore.RemoveRange(ctx, nest.ByScore(1, 2).OpenMax())
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		n, err = byScore.RemoveRange(ctx, nest.ByRank(-1, -1))
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		requireSorted(t, byScore, scored{Member: "b", Score: 2})
		n, err = byLex.RemoveRange(ctx, nest.ByLex("a", "b").OpenMin())
		require.NoError(t, err)
		require.Equal(t, int64(2), n)
		requireSorted(t, byLex, scored{Member: "a", Score: 0}, scored{Member: "c", Score: 0})
	})
}

func TestSortedSetStoreRange(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.ZRangeStore)
	settings(t, func(t *testing.T, opts ...nest.KeyOption) {
		at := sortedSetsOf(t, opts...)
		from, to := at("from", scored{Member: "a", Score: 1}, scored{Member: "b", Score: 2}, scored{Member: "c", Score: 3}), at("to", scored{Member: "z", Score: 9})
		n, err := to.StoreRange(t.Context(), from, nest.ByScore(2, math.Inf(1)).Limit(0, 1))
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		requireSorted(t, to, scored{Member: "b", Score: 2})
		if len(opts) > 0 {
			ttl, err := to.TTL(t.Context())
			require.NoError(t, err)
			about(t, declaredTTL, ttl)
		}
	})
}

func TestSortedSetPops(t *testing.T) {
	t.Parallel()
	settings(t, func(t *testing.T, opts ...nest.KeyOption) {
		ctx := t.Context()
		r := sortedSetOf[string](t, opts...)
		_, ok, err := r.PopMin(ctx)
		require.NoError(t, err)
		require.False(t, ok)
		_, ok, err = r.Random(ctx)
		require.NoError(t, err)
		require.False(t, ok)
		_, ok, err = r.WaitPopMin(ctx, 20*time.Millisecond)
		require.NoError(t, err)
		require.False(t, ok)

		_, err = r.AddMany(ctx, []scored{{Member: "a", Score: 1}, {Member: "b", Score: 2}, {Member: "c", Score: 3}, {Member: "d", Score: 4}, {Member: "e", Score: 5}, {Member: "f", Score: 6}})
		require.NoError(t, err)
		v, ok, err := r.Random(ctx)
		require.NoError(t, err)
		require.True(t, ok)
		require.NotEmpty(t, v)
		some, err := r.RandomN(ctx, 3)
		require.NoError(t, err)
		require.Len(t, some, 3)
		pairs, err := r.RandomScoredN(ctx, -9)
		require.NoError(t, err)
		require.Len(t, pairs, 9)
		require.InDelta(t, float64(pairs[0].Member[0]-'a'+1), pairs[0].Score, 0)

		lowest, ok, err := r.PopMin(ctx)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, scored{Member: "a", Score: 1}, lowest)
		highest, _, err := r.PopMax(ctx)
		require.NoError(t, err)
		require.Equal(t, scored{Member: "f", Score: 6}, highest)
		lowest, ok, err = r.WaitPopMin(ctx, time.Second)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, scored{Member: "b", Score: 2}, lowest)
		highest, _, err = r.WaitPopMax(ctx, time.Second)
		require.NoError(t, err)
		require.Equal(t, scored{Member: "e", Score: 5}, highest)
		pairs, err = r.PopMaxN(ctx, 1)
		require.NoError(t, err)
		require.Equal(t, []scored{{Member: "d", Score: 4}}, pairs)
		pairs, err = r.PopMinN(ctx, 9)
		require.NoError(t, err)
		require.Equal(t, []scored{{Member: "c", Score: 3}}, pairs)

		var waits sync.WaitGroup
		waits.Go(func() { pairs, err = r.WaitPopMinN(ctx, 2, 0) })
		time.Sleep(20 * time.Millisecond)
		_, addErr := r.AddMany(ctx, []scored{{Member: "x", Score: 1.5}, {Member: "y", Score: 2}, {Member: "z", Score: 3}})
		require.NoError(t, addErr)
		waits.Wait()
		require.NoError(t, err)
		require.Equal(t, []scored{{Member: "x", Score: 1.5}, {Member: "y", Score: 2}}, pairs)
		pairs, err = r.WaitPopMaxN(ctx, 5, time.Second)
		require.NoError(t, err)
		require.Equal(t, []scored{{Member: "z", Score: 3}}, pairs)
		pairs, err = r.WaitPopMaxN(ctx, 5, 20*time.Millisecond)
		require.NoError(t, err)
		require.Empty(t, pairs)
	})
}

func TestSortedSetsTogether(t *testing.T) {
	t.Parallel()
	settings(t, func(t *testing.T, opts ...nest.KeyOption) {
		ctx := t.Context()
		at := sortedSetsOf(t, opts...)
		a, b, to := at("a", scored{Member: "x", Score: 1}, scored{Member: "y", Score: 2}), at("b", scored{Member: "y", Score: 3}, scored{Member: "z", Score: 5}), at("to", scored{Member: "old", Score: 1})
		others := []nest.SortedSetRef[string]{b}
		both := []nest.SortedSetRef[string]{a, b}

		got, err := a.Union(ctx, others)
		require.NoError(t, err)
		require.Equal(t, []scored{{Member: "x", Score: 1}, {Member: "y", Score: 5}, {Member: "z", Score: 5}}, got)
		got, err = a.Union(ctx, others, nest.Weights(10, 1), nest.GreatestScore())
		require.NoError(t, err)
		require.Equal(t, []scored{{Member: "z", Score: 5}, {Member: "x", Score: 10}, {Member: "y", Score: 20}}, got)
		got, err = a.Inter(ctx, others, nest.SmallestScore())
		require.NoError(t, err)
		require.Equal(t, []scored{{Member: "y", Score: 2}}, got)

		n, err := to.StoreUnion(ctx, both)
		require.NoError(t, err)
		require.Equal(t, int64(3), n)
		requireSorted(t, to, scored{Member: "x", Score: 1}, scored{Member: "y", Score: 5}, scored{Member: "z", Score: 5})
		n, err = to.StoreInter(ctx, both, nest.Weights(1, 0.5))
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		requireSorted(t, to, scored{Member: "y", Score: 3.5})
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

		if !nesttest.Shared(t).Has(t, "ZDIFF 1 {nesttest}") {
			_, err = a.Diff(ctx, b)
			require.ErrorIs(t, err, nest.ErrUnsupported)
			return
		}
		got, err = b.Diff(ctx, a)
		require.NoError(t, err)
		require.Equal(t, []scored{{Member: "z", Score: 5}}, got)
		n, err = to.StoreDiff(ctx, b, a)
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		requireSorted(t, to, scored{Member: "z", Score: 5})
		n, err = a.InterLen(ctx, 0, b)
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
	})
}

func TestSortedSetDefault(t *testing.T) {
	t.Parallel()
	r := sortedSetOf[string](t, nest.Default([]scored{{Member: "x", Score: 1.5}}))
	requireSorted(t, r, scored{Member: "x", Score: 1.5})
	n, err := r.Len(t.Context())
	require.NoError(t, err)
	require.Zero(t, n, "a default is not written")
}

func TestSortedSetOfSomethingElse(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	client := nesttest.Client(t)
	r := sortedSetOf[int](t)
	require.NoError(t, client.Do(ctx, client.B().Zadd().Key(r.Key()).ScoreMember().ScoreMember(1, "7").ScoreMember(2, "sesame").Build()).Error())
	_, err := r.All(ctx)
	require.ErrorIs(t, err, nest.ErrDecode)
	require.ErrorContains(t, err, "element 1")
	require.NotContains(t, err.Error(), "sesame")
	list := sortedSetOf[int](t, nest.TTL(declaredTTL))
	require.NoError(t, client.Do(ctx, client.B().Rpush().Key(list.Key()).Element("1").Build()).Error())
	_, err = list.Add(ctx, 1, 1)
	require.ErrorIs(t, err, nest.ErrWrongType)
	_, _, err = list.RankWithScore(ctx, 1)
	require.ErrorIs(t, err, nest.ErrWrongType)
}

func TestSortedSetOfMany(t *testing.T) {
	t.Parallel()
	settings(t, func(t *testing.T, opts ...nest.KeyOption) {
		ctx := t.Context()
		r := sortedSetOf[string](t, opts...)
		texts := manyTexts(t)
		many := make([]scored, len(texts))
		for i, text := range texts {
			many[i] = scored{Member: text, Score: float64(i) / 4}
		}
		n, err := r.AddMany(ctx, many, nest.IfNew())
		require.NoError(t, err)
		require.Equal(t, int64(len(many)), n)
		scores, err := r.Scores(ctx, texts...)
		require.NoError(t, err)
		require.Len(t, scores, len(many))
		require.InDelta(t, many[len(many)-1].Score, scores[len(many)-1].Value, 0)
		seen := make(map[string]bool)
		for s, err := range r.Iterate(ctx) {
			require.NoError(t, err)
			i, err := strconv.Atoi(s.Member)
			require.NoError(t, err)
			require.InDelta(t, float64(i)/4, s.Score, 0)
			seen[s.Member] = true
		}
		require.Len(t, seen, len(many))
		n, err = r.Remove(ctx, texts...)
		require.NoError(t, err)
		require.Equal(t, int64(len(many)), n)
	})
}

func TestSortedSetExpiry(t *testing.T) {
	t.Parallel()
	type ref = nest.SortedSetRef[string]
	self := func(r ref) []ref { return []ref{r} }
	writes := map[string]func(context.Context, ref) error{
		"Add": func(ctx context.Context, r ref) error { _, err := r.Add(ctx, "x", 1); return err },
		"AddMany": func(ctx context.Context, r ref) error {
			_, err := r.AddMany(ctx, []scored{{Member: "x", Score: 1}})
			return err
		},
		"Incr":          func(ctx context.Context, r ref) error { _, err := r.Incr(ctx, "x", 1); return err },
		"IncrIf":        func(ctx context.Context, r ref) error { _, _, err := r.IncrIf(ctx, "x", 1); return err },
		"Remove":        func(ctx context.Context, r ref) error { _, err := r.Remove(ctx, "a"); return err },
		"RemoveRange":   func(ctx context.Context, r ref) error { _, err := r.RemoveRange(ctx, nest.ByRank(0, 0)); return err },
		"PopMin":        func(ctx context.Context, r ref) error { _, _, err := r.PopMin(ctx); return err },
		"PopMax":        func(ctx context.Context, r ref) error { _, _, err := r.PopMax(ctx); return err },
		"PopMinN":       func(ctx context.Context, r ref) error { _, err := r.PopMinN(ctx, 2); return err },
		"PopMaxN":       func(ctx context.Context, r ref) error { _, err := r.PopMaxN(ctx, 2); return err },
		"WaitPopMin":    func(ctx context.Context, r ref) error { _, _, err := r.WaitPopMin(ctx, time.Millisecond); return err },
		"WaitPopMax":    func(ctx context.Context, r ref) error { _, _, err := r.WaitPopMax(ctx, time.Millisecond); return err },
		"WaitPopMinN":   func(ctx context.Context, r ref) error { _, err := r.WaitPopMinN(ctx, 2, time.Millisecond); return err },
		"WaitPopMaxN":   func(ctx context.Context, r ref) error { _, err := r.WaitPopMaxN(ctx, 2, time.Millisecond); return err },
		"StoreUnion":    func(ctx context.Context, r ref) error { _, err := r.StoreUnion(ctx, self(r)); return err },
		"StoreInter":    func(ctx context.Context, r ref) error { _, err := r.StoreInter(ctx, self(r)); return err },
		"All":           func(ctx context.Context, r ref) error { _, err := r.All(ctx); return err },
		"RankWithScore": func(ctx context.Context, r ref) error { _, _, err := r.RankWithScore(ctx, "a"); return err },
		"Union":         func(ctx context.Context, r ref) error { _, err := r.Union(ctx, nil); return err },
	}
	if nesttest.Shared(t).Has(t, nesttest.ZRangeStore) {
		writes["StoreRange"] = func(ctx context.Context, r ref) error { _, err := r.StoreRange(ctx, r, nest.ByRank(0, -1)); return err }
		writes["StoreDiff"] = func(ctx context.Context, r ref) error { _, err := r.StoreDiff(ctx, r); return err }
	}
	requireExpiry(t, sortedSetOf[string], func(ctx context.Context, r ref) error {
		_, err := r.AddMany(ctx, []scored{{Member: "a", Score: 1}, {Member: "b", Score: 2}, {Member: "c", Score: 3}})
		return err
	}, writes, "StoreUnion", "StoreInter", "StoreRange", "StoreDiff")
}
