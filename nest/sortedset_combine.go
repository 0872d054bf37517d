package nest

import (
	"context"
	"math"
	"strconv"
)

// CombineOption says how scores are combined when sorted sets are united or intersected.
type CombineOption interface {
	applyCombine(o *combineOptions) error
}

type combineOptions struct {
	sets      int
	weights   []string
	aggregate string // "" stands for the sum
}

type combineOption func(o *combineOptions) error

func (f combineOption) applyCombine(o *combineOptions) error { return f(o) }

// Weights multiplies the scores of each set by its weight before they are combined. The weights are
// in the order of the sets, one for each. The default is 1 for each.
func Weights(weights ...float64) CombineOption {
	return combineOption(func(o *combineOptions) error {
		if len(weights) != o.sets {
			return because(ErrArgument, "there are "+strconv.Itoa(len(weights))+" weights for "+strconv.Itoa(o.sets)+" sorted sets")
		}
		o.weights = []string{"WEIGHTS"}
		for _, w := range weights {
			if math.IsNaN(w) {
				return because(ErrArgument, "a weight is a number")
			}
			o.weights = append(o.weights, scoreText(w))
		}
		return nil
	})
}

// SmallestScore gives a member the smallest of its scores. The default is their sum.
func SmallestScore() CombineOption { return aggregate("MIN") }

// GreatestScore gives a member the greatest of its scores. The default is their sum.
func GreatestScore() CombineOption { return aggregate("MAX") }

func aggregate(how string) CombineOption {
	return combineOption(func(o *combineOptions) error {
		o.aggregate = how
		return nil
	})
}

// combineWords returns the words of options for the given number of sets.
func combineWords(opts []CombineOption, sets int) ([]string, error) {
	o := combineOptions{sets: sets}
	err := eachOption(opts, func(opt CombineOption) error { return opt.applyCombine(&o) })
	if err != nil || o.aggregate == "" {
		return o.weights, err
	}
	return append(o.weights, "AGGREGATE", o.aggregate), nil
}

// Union returns the members of this sorted set and of all others with their scores, by ascending
// scores (ZUNION, Redis 6.2). By default, a member of several sets has the sum of its scores. The
// sets must live in one slot, see [HashTag]; otherwise the error wraps [ErrCrossSlot]. Defaults are
// not used.
func (r SortedSetRef[T]) Union(ctx context.Context, others []SortedSetRef[T], opts ...CombineOption) ([]Scored[T], error) {
	return call(ctx, r.at, func() command[[]Scored[T]] { return r.combine(&r.zset().union, "ZUNION", others, opts) })
}

// Inter returns the members that this sorted set and all others have, with the sums of their scores
// (ZINTER, Redis 6.2), under the conditions of [SortedSetRef.Union].
func (r SortedSetRef[T]) Inter(ctx context.Context, others []SortedSetRef[T], opts ...CombineOption) ([]Scored[T], error) {
	return call(ctx, r.at, func() command[[]Scored[T]] { return r.combine(&r.zset().inter, "ZINTER", others, opts) })
}

// Diff returns the members of this sorted set that no other has, with their scores (ZDIFF, Redis
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

// InterLen returns how many members this sorted set and all others have in common (ZINTERCARD,
// Redis 7.0). It stops counting at limit; a limit of 0 means no limit. The conditions are those of
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

// StoreUnion replaces this sorted set with the union of others, starts the declared TTL and returns
// the number of members (ZUNIONSTORE). The old members count only if this set is among others.
// Without others nothing is sent and nothing changes. The sets must live in one slot, see
// [HashTag]; otherwise the error wraps [ErrCrossSlot].
func (r SortedSetRef[T]) StoreUnion(ctx context.Context, others []SortedSetRef[T], opts ...CombineOption) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.store(&opStoreUnion, "ZUNIONSTORE", others, opts) })
}

// StoreInter replaces this sorted set with the intersection of others (ZINTERSTORE), under the
// conditions of [SortedSetRef.StoreUnion]. An empty result removes it.
func (r SortedSetRef[T]) StoreInter(ctx context.Context, others []SortedSetRef[T], opts ...CombineOption) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.store(&opStoreInter, "ZINTERSTORE", others, opts) })
}

// StoreDiff replaces this sorted set with the members of the first of others that no later one has
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
