package nest

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

func (r SortedSetRef[T]) popMin() command[found[Scored[T]]] {
	return command[found[Scored[T]]]{op: &r.zset().popMin, cmd: r.at.modify("ZPOPMIN")}
}

// PopMin takes the member with the smallest score out of the sorted set (ZPOPMIN). It is gone
// even when it is no T.
func (r SortedSetRef[T]) PopMin(ctx context.Context) (Scored[T], bool, error) {
	return both(call(ctx, r.at, r.popMin))
}

func (r SortedSetRef[T]) popMax() command[found[Scored[T]]] {
	return command[found[Scored[T]]]{op: &r.zset().popMax, cmd: r.at.modify("ZPOPMAX")}
}

// PopMax takes the member with the greatest score out of the sorted set (ZPOPMAX). It is gone
// even when it is no T.
func (r SortedSetRef[T]) PopMax(ctx context.Context) (Scored[T], bool, error) {
	return both(call(ctx, r.at, r.popMax))
}

// PopMinN takes up to n members out of the sorted set, smallest scores first (ZPOPMIN with a
// count).
func (r SortedSetRef[T]) PopMinN(ctx context.Context, n int64) ([]Scored[T], error) {
	return call(ctx, r.at, func() command[[]Scored[T]] { return r.popN(&r.zset().popMinN, "ZPOPMIN", n) })
}

// PopMaxN takes up to n members out of the sorted set, greatest scores first (ZPOPMAX with a
// count).
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

// WaitPopMin is [SortedSetRef.PopMin] that waits for a member for up to wait, or as long as ctx
// lives when wait is 0 (BZPOPMIN). It gives false when none came in time, and the context's
// error when that ended before; the least wait and what is lost are as in [ListRef.WaitPopLeft].
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
	if err := r.at.usable(); err != nil {
		return found[Scored[T]]{}, err
	}
	op, name := &r.zset().waitPopMin, "BZPOPMIN"
	if greatest {
		op, name = &r.zset().waitPopMax, "BZPOPMAX"
	}
	return waiting(ctx, r.at, op, wait, func(b rueidis.Builder, seconds string) rueidis.Completed {
		return b.Arbitrary(name).Keys(r.at.key).Args(seconds).Blocking()
	})
}

// WaitPopMinN is [SortedSetRef.PopMinN] that waits for a first member, as
// [SortedSetRef.WaitPopMin] does, and then gives up to n that are there (BZMPOP, Redis 7.0). No
// members mean that none came in time.
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
	if err := r.at.usable(); err != nil {
		return nil, err
	}
	op := &r.zset().waitPopMinN
	if which == "MAX" {
		op = &r.zset().waitPopMaxN
	}
	if err := r.at.ready(ctx, op.name); err != nil {
		return nil, err
	}
	switch {
	case n < 0:
		return nil, r.at.fail(op.name, errCount)
	case n == 0:
		return nil, nil
	}
	return waiting(ctx, r.at, op, wait, func(b rueidis.Builder, seconds string) rueidis.Completed {
		return b.Arbitrary("BZMPOP").Args(seconds, "1").Keys(r.at.key).Args(which, "COUNT", strconv.FormatInt(n, 10)).Blocking()
	})
}

func (r SortedSetRef[T]) random() command[found[T]] {
	return command[found[T]]{op: &r.zset().random, cmd: r.at.read("ZRANDMEMBER")}
}

// Random gives a member at random, and leaves it in the sorted set (ZRANDMEMBER, Redis 6.2).
func (r SortedSetRef[T]) Random(ctx context.Context) (T, bool, error) {
	return both(call(ctx, r.at, r.random))
}

// RandomN gives up to n different members at random or, when n is negative, -n members of which
// one can come several times (ZRANDMEMBER with a count, Redis 6.2).
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
