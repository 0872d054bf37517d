package nest

import (
	"context"
	"math"
	"strconv"
)

// CombineOption says what becomes of the scores when sorted sets are united or intersected.
type CombineOption struct {
	weights   []float64
	aggregate string
}

// Weights multiplies the scores of each set, in the order of the sets, before they are put
// together. There must be as many as sets. The default is 1 for each.
func Weights(weights ...float64) CombineOption { return CombineOption{weights: weights} }

// SmallestScore gives a member the smallest of its scores. The default is their sum.
func SmallestScore() CombineOption { return CombineOption{aggregate: "MIN"} }

// GreatestScore gives a member the greatest of its scores. The default is their sum.
func GreatestScore() CombineOption { return CombineOption{aggregate: "MAX"} }

// combineWords gives the words of options on so many sets.
func combineWords(opts []CombineOption, sets int) ([]string, error) {
	var weights, aggregate []string
	for _, o := range opts {
		if o.aggregate != "" {
			aggregate = []string{"AGGREGATE", o.aggregate}
			continue
		}
		if len(o.weights) != sets {
			return nil, because(ErrArgument, "there are "+strconv.Itoa(len(o.weights))+" weights for "+strconv.Itoa(sets)+" sorted sets")
		}
		weights = []string{"WEIGHTS"}
		for _, w := range o.weights {
			if math.IsNaN(w) {
				return nil, because(ErrArgument, "a weight is a number")
			}
			weights = append(weights, scoreText(w))
		}
	}
	return append(weights, aggregate...), nil
}

// Union gives the members of this sorted set and of all others with their scores, by ascending
// scores; a member of several has the sum of its scores (ZUNION, Redis 6.2). The sets must live
// in one slot of a Redis Cluster; else the error wraps [ErrCrossSlot]. Defaults are not used.
func (r SortedSetRef[T]) Union(ctx context.Context, others []SortedSetRef[T], opts ...CombineOption) ([]Scored[T], error) {
	return call(ctx, r.at, func() command[[]Scored[T]] { return r.combine(&r.zset().union, "ZUNION", others, opts) })
}

// Inter gives the members that this sorted set and all others have, with the sums of their
// scores (ZINTER, Redis 6.2), under the conditions of [SortedSetRef.Union].
func (r SortedSetRef[T]) Inter(ctx context.Context, others []SortedSetRef[T], opts ...CombineOption) ([]Scored[T], error) {
	return call(ctx, r.at, func() command[[]Scored[T]] { return r.combine(&r.zset().inter, "ZINTER", others, opts) })
}

// Diff gives the members of this sorted set that no other has, with their scores (ZDIFF, Redis
// 6.2), under the conditions of [SortedSetRef.Union].
func (r SortedSetRef[T]) Diff(ctx context.Context, others ...SortedSetRef[T]) ([]Scored[T], error) {
	return call(ctx, r.at, func() command[[]Scored[T]] { return r.combine(&r.zset().diff, "ZDIFF", others, nil) })
}

func (r SortedSetRef[T]) combine(op *operation[[]Scored[T]], name string, others []SortedSetRef[T], opts []CombineOption) command[[]Scored[T]] {
	words, err := combineWords(opts, 1+len(others))
	if err != nil {
		return refuse(op, err)
	}
	uses, err := usesOf(r.at, reads, others, reads)
	if err != nil {
		return refuse(op, err)
	}
	return command[[]Scored[T]]{op: op, cmd: joint([]string{name}, uses, 0, append(words, "WITHSCORES")...), uses: uses}
}

// InterLen is how many members this sorted set and all others have, counted up to limit, or to
// the end when limit is 0 (ZINTERCARD, Redis 7.0). The conditions are those of
// [SortedSetRef.Union].
func (r SortedSetRef[T]) InterLen(ctx context.Context, limit int64, others ...SortedSetRef[T]) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.interLen(limit, others) })
}

func (r SortedSetRef[T]) interLen(limit int64, others []SortedSetRef[T]) command[int64] {
	if limit < 0 {
		return refuse(&opInterLen, errCount)
	}
	uses, err := usesOf(r.at, reads, others, reads)
	if err != nil {
		return refuse(&opInterLen, err)
	}
	return command[int64]{op: &opInterLen, cmd: joint([]string{"ZINTERCARD"}, uses, 0, "LIMIT", strconv.FormatInt(limit, 10)), uses: uses}
}

// StoreUnion makes this sorted set the union of others, itself only if it is among them, starts
// the declared TTL and gives the number of members (ZUNIONSTORE). Without others nothing is sent
// and nothing changes. The sets must live in one slot of a Redis Cluster; else the error wraps
// [ErrCrossSlot].
func (r SortedSetRef[T]) StoreUnion(ctx context.Context, others []SortedSetRef[T], opts ...CombineOption) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.store(&opStoreUnion, "ZUNIONSTORE", others, opts) })
}

// StoreInter makes this sorted set the intersection of others (ZINTERSTORE), under the
// conditions of [SortedSetRef.StoreUnion]. An empty result removes it.
func (r SortedSetRef[T]) StoreInter(ctx context.Context, others []SortedSetRef[T], opts ...CombineOption) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.store(&opStoreInter, "ZINTERSTORE", others, opts) })
}

// StoreDiff makes this sorted set the members of the first of others that no later one has
// (ZDIFFSTORE, Redis 6.2), under the conditions of [SortedSetRef.StoreUnion]. An empty result
// removes it.
func (r SortedSetRef[T]) StoreDiff(ctx context.Context, others ...SortedSetRef[T]) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.store(&opStoreDiff, "ZDIFFSTORE", others, nil) })
}

func (r SortedSetRef[T]) store(op *operation[int64], name string, others []SortedSetRef[T], opts []CombineOption) command[int64] {
	if len(others) == 0 {
		return skip(op)
	}
	words, err := combineWords(opts, len(others))
	if err != nil {
		return refuse(op, err)
	}
	uses, err := usesOf(r.at, overwrites, others, reads)
	if err != nil {
		return refuse(op, err)
	}
	return command[int64]{op: op, cmd: joint([]string{name}, uses, 1, words...), uses: uses}
}
