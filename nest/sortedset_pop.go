package nest

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

func (r SortedSetRef[T]) popMin() command[found[Scored[T]]] {
	return command[found[Scored[T]]]{op: &r.zset().popMin, cmd: r.at.modify("ZPOPMIN")}
}

// PopMin removes and returns the member with the smallest score (ZPOPMIN). The member is removed
// even if it cannot be decoded as a T.
func (r SortedSetRef[T]) PopMin(ctx context.Context) (Scored[T], bool, error) {
	return both(call(ctx, r.at, r.popMin))
}

func (r SortedSetRef[T]) popMax() command[found[Scored[T]]] {
	return command[found[Scored[T]]]{op: &r.zset().popMax, cmd: r.at.modify("ZPOPMAX")}
}

// PopMax removes and returns the member with the greatest score (ZPOPMAX). The member is removed
// even if it cannot be decoded as a T.
func (r SortedSetRef[T]) PopMax(ctx context.Context) (Scored[T], bool, error) {
	return both(call(ctx, r.at, r.popMax))
}

// PopMinN removes and returns up to n members, smallest scores first (ZPOPMIN with a count).
func (r SortedSetRef[T]) PopMinN(ctx context.Context, n int64) ([]Scored[T], error) {
	return call(ctx, r.at, func() command[[]Scored[T]] { return r.popN(&r.zset().popMinN, "ZPOPMIN", n) })
}

// PopMaxN removes and returns up to n members, greatest scores first (ZPOPMAX with a count).
func (r SortedSetRef[T]) PopMaxN(ctx context.Context, n int64) ([]Scored[T], error) {
	return call(ctx, r.at, func() command[[]Scored[T]] { return r.popN(&r.zset().popMaxN, "ZPOPMAX", n) })
}

func (r SortedSetRef[T]) popN(op *operation[[]Scored[T]], name string, n int64) command[[]Scored[T]] {
	switch {
	case n < 0:
		return refuse(op, errCount)
	case n == 0:
		return skip(op)
	}
	return command[[]Scored[T]]{op: op, cmd: r.at.modify(name, strconv.FormatInt(n, 10))}
}

// WaitPopMin is [SortedSetRef.PopMin] that waits for a member (BZPOPMIN). It waits up to wait, or
// as long as ctx lasts when wait is 0. It returns false when no member came in time, and the
// context's error when the context ended first. See [ListRef.WaitPopLeft] for the shortest wait and
// for what can be lost.
func (r SortedSetRef[T]) WaitPopMin(ctx context.Context, wait time.Duration) (Scored[T], bool, error) {
	return both(r.waitPop(ctx, false, wait))
}

// WaitPopMax is [SortedSetRef.PopMax] that waits for a member, as [SortedSetRef.WaitPopMin] does
// (BZPOPMAX).
func (r SortedSetRef[T]) WaitPopMax(ctx context.Context, wait time.Duration) (Scored[T], bool, error) {
	return both(r.waitPop(ctx, true, wait))
}

//nest:ttl changes
func (r SortedSetRef[T]) waitPop(ctx context.Context, greatest bool, wait time.Duration) (found[Scored[T]], error) {
	verb := "wait pop min"
	if greatest {
		verb = "wait pop max"
	}
	if err := r.at.admit(ctx, verb); err != nil {
		return found[Scored[T]]{}, err
	}
	op, name := &r.zset().waitPopMin, "BZPOPMIN"
	if greatest {
		op, name = &r.zset().waitPopMax, "BZPOPMAX"
	}
	return waiting(ctx, r.at, op, wait, func(b rueidis.Builder, seconds string) rueidis.Completed {
		return b.Arbitrary(name).Keys(r.at.key).Args(seconds).Blocking()
	}, r.putBack)
}

// putBack puts back members that were popped too late, unless they have been added again since.
func (r SortedSetRef[T]) putBack(ctx context.Context, answer rueidis.RedisMessage) {
	parts, err := answer.ToArray()
	if err != nil || len(parts) < 2 {
		return
	}
	pairs := [][]rueidis.RedisMessage{parts[1:]} // of BZPOPMIN
	if len(parts) == 2 {                         // of BZMPOP
		members, _ := parts[1].ToArray()
		pairs = pairs[:0]
		for _, m := range members {
			pair, _ := m.ToArray()
			pairs = append(pairs, pair)
		}
	}
	var texts []string
	for _, pair := range pairs {
		if len(pair) != 2 {
			return
		}
		member, err := pair[0].ToString()
		if err != nil {
			return
		}
		score, err := pair[1].AsFloat64()
		if err != nil {
			return
		}
		texts = append(texts, scoreText(score), member)
	}
	if len(texts) > 0 {
		r.at.putBack(ctx, r.at.writeMany("ZADD", joinSum, []string{"NX"}, texts))
	}
}

// WaitPopMinN is [SortedSetRef.PopMinN] that waits for a first member, as [SortedSetRef.WaitPopMin]
// does, and then returns up to n members that are there (BZMPOP, Redis 7.0). It returns none when
// none came in time.
func (r SortedSetRef[T]) WaitPopMinN(ctx context.Context, n int64, wait time.Duration) ([]Scored[T], error) {
	return r.waitPopN(ctx, "MIN", n, wait)
}

// WaitPopMaxN is [SortedSetRef.PopMaxN] that waits for a first member, as
// [SortedSetRef.WaitPopMinN] does (BZMPOP, Redis 7.0).
func (r SortedSetRef[T]) WaitPopMaxN(ctx context.Context, n int64, wait time.Duration) ([]Scored[T], error) {
	return r.waitPopN(ctx, "MAX", n, wait)
}

//nest:ttl changes
func (r SortedSetRef[T]) waitPopN(ctx context.Context, which string, n int64, wait time.Duration) ([]Scored[T], error) {
	return waitMany(ctx, r.at, "wait pop "+strings.ToLower(which)+" n", func() *operation[[]Scored[T]] {
		if which == "MAX" {
			return &r.zset().waitPopMaxN
		}
		return &r.zset().waitPopMinN
	}, "BZMPOP", which, n, wait, r.putBack)
}

func (r SortedSetRef[T]) random() command[found[T]] {
	return command[found[T]]{op: &r.zset().random, cmd: r.at.read("ZRANDMEMBER")}
}

// Random returns a random member and leaves it in the sorted set (ZRANDMEMBER, Redis 6.2).
func (r SortedSetRef[T]) Random(ctx context.Context) (T, bool, error) {
	return both(call(ctx, r.at, r.random))
}

// RandomN returns up to n distinct random members (ZRANDMEMBER with a count, Redis 6.2). If n is
// negative, it returns -n members, among which one may occur several times.
func (r SortedSetRef[T]) RandomN(ctx context.Context, n int64) ([]T, error) {
	return call(ctx, r.at, func() command[[]T] { return r.randomN(n) })
}

func (r SortedSetRef[T]) randomN(n int64) command[[]T] {
	if n == 0 {
		return skip(&r.zset().randomN)
	}
	return command[[]T]{op: &r.zset().randomN, cmd: r.at.read("ZRANDMEMBER", strconv.FormatInt(n, 10))}
}

// RandomScoredN is [SortedSetRef.RandomN] with the scores (ZRANDMEMBER WITHSCORES, Redis 6.2).
func (r SortedSetRef[T]) RandomScoredN(ctx context.Context, n int64) ([]Scored[T], error) {
	return call(ctx, r.at, func() command[[]Scored[T]] { return r.randomScoredN(n) })
}

func (r SortedSetRef[T]) randomScoredN(n int64) command[[]Scored[T]] {
	op := &r.zset().randomScoredN
	if n == 0 {
		return skip(op)
	}
	return command[[]Scored[T]]{op: op, cmd: r.at.read("ZRANDMEMBER", strconv.FormatInt(n, 10), "WITHSCORES")}
}
