package nest

import (
	"context"
	"math"
	"strconv"
)

// Span selects members of a sorted set by rank, by score or by bytes. [ByRank], [ByScore] and
// [ByLex] make one.
type Span struct {
	by               spanBy
	first, last      int64
	min, max         float64
	minText, maxText string
	openMin, openMax bool
	reverse, limited bool
	offset, count    int64
}

type spanBy uint8

const (
	byNothing spanBy = iota
	byRank
	byScore
	byLex
)

// ByRank selects the members from rank first to rank last, both included. Ranks count from 0;
// negative ones count from the end.
func ByRank(first, last int64) Span { return Span{by: byRank, first: first, last: last} }

// ByScore selects the members whose scores lie between lowest and highest. Both bounds are included
// unless [Span.OpenMin] or [Span.OpenMax] excludes them. An infinite bound, made by [math.Inf],
// means no bound on that side.
func ByScore(lowest, highest float64) Span { return Span{by: byScore, min: lowest, max: highest} }

// ByLex selects the members whose stored bytes lie between first and last. Both bounds are included
// unless [Span.OpenMin] or [Span.OpenMax] excludes them. A bound of "" means no bound on that side.
// ByLex is useful only when all scores are equal. The bounds are compared with the encoded members
// as they are.
func ByLex(first, last string) Span { return Span{by: byLex, minText: first, maxText: last} }

// OpenMin excludes the lower bound itself.
func (s Span) OpenMin() Span {
	s.openMin = true
	return s
}

// OpenMax excludes the upper bound itself.
func (s Span) OpenMax() Span {
	s.openMax = true
	return s
}

// Reverse orders the members from the greatest to the smallest. ByRank then counts ranks from the
// greatest.
func (s Span) Reverse() Span {
	s.reverse = true
	return s
}

// Limit skips the first offset of the selected members and selects the next count, or all that
// follow when count is negative. It can be used with ByScore and ByLex.
func (s Span) Limit(offset, count int64) Span {
	s.limited, s.offset, s.count = true, offset, count
	return s
}

func (s Span) check() error {
	switch {
	case s.by == byNothing:
		return because(ErrArgument, "the zero Span selects nothing: make it with ByRank, ByScore or ByLex")
	case math.IsNaN(s.min) || math.IsNaN(s.max):
		return errNaN
	case s.by == byRank && (s.limited || s.openMin || s.openMax):
		return because(ErrArgument, "a Span by rank has no limit and no open ends")
	case s.limited && s.offset < 0:
		return because(ErrArgument, "the offset of a limit is not negative")
	}
	return nil
}

// bounds returns the lower and the upper bound as Redis reads them.
func (s Span) bounds() (from, to string) {
	switch s.by {
	case byRank:
		return strconv.FormatInt(s.first, 10), strconv.FormatInt(s.last, 10)
	case byScore:
		from, to = scoreText(s.min), scoreText(s.max)
		if s.openMin {
			from = "(" + from
		}
		if s.openMax {
			to = "(" + to
		}
		return from, to
	}
	from, to = "-", "+"
	if s.minText != "" {
		from = lexBound(s.minText, s.openMin)
	}
	if s.maxText != "" {
		to = lexBound(s.maxText, s.openMax)
	}
	return from, to
}

func lexBound(text string, open bool) string {
	if open {
		return "(" + text
	}
	return "[" + text
}

// words returns the arguments of ZRANGE.
func (s Span) words() []string {
	from, to := s.bounds()
	if s.reverse && s.by != byRank {
		from, to = to, from
	}
	words := []string{from, to}
	switch s.by {
	case byScore:
		words = append(words, "BYSCORE")
	case byLex:
		words = append(words, "BYLEX")
	}
	if s.reverse {
		words = append(words, "REV")
	}
	if s.limited {
		words = append(words, "LIMIT", strconv.FormatInt(s.offset, 10), strconv.FormatInt(s.count, 10))
	}
	return words
}

var (
	opZCount     = operation[int64]{"count", replyInt}
	opZRemove    = operation[int64]{"remove range", replyInt}
	opStoreRange = operation[int64]{"store range", replyInt}
)

func (r SortedSetRef[T]) all() command[[]Scored[T]] {
	return command[[]Scored[T]]{op: &r.zset().all, cmd: r.at.read("ZRANGE", "0", "-1", "WITHSCORES"), cacheable: true, fixed: true}
}

// All returns all members with their scores, by ascending scores, or the declared default (ZRANGE 0
// -1 WITHSCORES). [SortedSetRef.Iterate] does not hold all of them in memory.
func (r SortedSetRef[T]) All(ctx context.Context) ([]Scored[T], error) {
	return call(ctx, r.at, r.all)
}

// Range returns the members of a span, by ascending scores unless the span is reversed (ZRANGE; by
// score and by bytes, and reversed, Redis 6.2). The default is not used.
func (r SortedSetRef[T]) Range(ctx context.Context, span Span) ([]T, error) {
	return call(ctx, r.at, func() command[[]T] { return r.span(span) })
}

func (r SortedSetRef[T]) span(span Span) command[[]T] {
	if err := span.check(); err != nil {
		return refuse(&r.zset().span, err)
	}
	return command[[]T]{op: &r.zset().span, cmd: r.at.read("ZRANGE", span.words()...), cacheable: true}
}

// RangeScored is [SortedSetRef.Range] with the scores (ZRANGE WITHSCORES). Redis returns no scores
// for a range by bytes, so a span made by [ByLex] is refused with [ErrArgument].
func (r SortedSetRef[T]) RangeScored(ctx context.Context, span Span) ([]Scored[T], error) {
	return call(ctx, r.at, func() command[[]Scored[T]] { return r.rangeScored(span) })
}

func (r SortedSetRef[T]) rangeScored(span Span) command[[]Scored[T]] {
	op, err := &r.zset().rangeScored, span.check()
	if err == nil && span.by == byLex {
		err = because(ErrArgument, "Redis gives no scores of a range by bytes")
	}
	if err != nil {
		return refuse(op, err)
	}
	return command[[]Scored[T]]{op: op, cmd: r.at.read("ZRANGE", append(span.words(), "WITHSCORES")...), cacheable: true}
}

// Count returns the number of members of a span by score or by bytes (ZCOUNT, ZLEXCOUNT). A span
// with a limit or by rank is refused with [ErrArgument].
func (r SortedSetRef[T]) Count(ctx context.Context, span Span) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.count(span) })
}

func (r SortedSetRef[T]) count(span Span) command[int64] {
	err := span.check()
	if err == nil && (span.by == byRank || span.limited) {
		err = because(ErrArgument, "Redis counts spans by score or bytes without a limit")
	}
	if err != nil {
		return refuse(&opZCount, err)
	}
	name := "ZCOUNT"
	if span.by == byLex {
		name = "ZLEXCOUNT"
	}
	from, to := span.bounds()
	return command[int64]{op: &opZCount, cmd: r.at.read(name, from, to), cacheable: true}
}

// RemoveRange removes the members of a span and returns their number (ZREMRANGEBYRANK,
// ZREMRANGEBYSCORE, ZREMRANGEBYLEX). A span with a limit is refused with [ErrArgument].
func (r SortedSetRef[T]) RemoveRange(ctx context.Context, span Span) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.removeRange(span) })
}

func (r SortedSetRef[T]) removeRange(span Span) command[int64] {
	err := span.check()
	if err == nil && span.limited {
		err = because(ErrArgument, "Redis removes spans without a limit")
	}
	if err != nil {
		return refuse(&opZRemove, err)
	}
	if span.by == byRank && span.reverse {
		// Rank n from the greatest is rank -n-1 from the smallest, and the other way round.
		span.first, span.last = -span.last-1, -span.first-1
	}
	name := [...]string{byRank: "ZREMRANGEBYRANK", byScore: "ZREMRANGEBYSCORE", byLex: "ZREMRANGEBYLEX"}[span.by]
	from, to := span.bounds()
	return command[int64]{op: &opZRemove, cmd: r.at.modify(name, from, to)}
}

// StoreRange replaces this sorted set with the members of another one that span selects, starts the
// declared TTL and returns the number of members (ZRANGESTORE, Redis 6.2). An empty result removes
// this set. Both must live in one slot, see [HashTag]; otherwise the error wraps [ErrCrossSlot].
func (r SortedSetRef[T]) StoreRange(ctx context.Context, from SortedSetRef[T], span Span) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.storeRange(from, span) })
}

func (r SortedSetRef[T]) storeRange(from SortedSetRef[T], span Span) command[int64] {
	if err := span.check(); err != nil {
		return refuse(&opStoreRange, err)
	}
	uses, err := usesOf(r.at, overwrites, []SortedSetRef[T]{from}, reads)
	if err != nil {
		return refuse(&opStoreRange, err)
	}
	return command[int64]{op: &opStoreRange, cmd: joint([]string{"ZRANGESTORE"}, uses, -1, span.words()...), uses: uses}
}
