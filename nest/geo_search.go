package nest

import (
	"context"
	"slices"
	"strconv"

	"github.com/redis/rueidis"
)

// Area is an area around the starting point of a search. [Circle] and [Box] make one.
type Area struct {
	words  []string
	unit   LengthUnit
	bad    bool
	order  string
	limit  int64
	anyOf  bool
	limits bool
}

// Circle returns the area of all points within radius of the starting point.
func Circle(radius float64, unit LengthUnit) Area {
	return Area{words: []string{"BYRADIUS", degrees(radius), string(unit)}, unit: unit, bad: !(radius >= 0)}
}

// Box returns a rectangle centered on the starting point, width from west to east and height from
// north to south.
func Box(width, height float64, unit LengthUnit) Area {
	return Area{
		words: []string{"BYBOX", degrees(width), degrees(height), string(unit)},
		unit:  unit, bad: !(width >= 0 && height >= 0),
	}
}

// Nearest sorts the results, nearest first. The default is no order.
func (a Area) Nearest() Area {
	a.order = "ASC"
	return a
}

// Farthest sorts the results, farthest first. The default is no order.
func (a Area) Farthest() Area {
	a.order = "DESC"
	return a
}

// Limit limits the results to the n nearest, or with [Area.Farthest] to the n farthest. n is at
// least 1.
func (a Area) Limit(n int64) Area {
	a.limit, a.limits, a.anyOf = n, true, false
	return a
}

// AnyOf limits the results to the first n that are found, which need not be the nearest, and ends
// the search there. n is at least 1.
func (a Area) AnyOf(n int64) Area {
	a.limit, a.limits, a.anyOf = n, true, true
	return a
}

func (a Area) check() error {
	switch {
	case a.words == nil:
		return because(ErrArgument, "the zero Area holds nothing: make it with Circle or Box")
	case a.bad:
		return because(ErrArgument, "a length is a number and not negative")
	case a.limits && a.limit < 1:
		return because(ErrArgument, "a limit is at least 1")
	}
	return a.unit.check()
}

func (a Area) search(from []string) []string {
	words := slices.Concat(from, a.words)
	if a.order != "" {
		words = append(words, a.order)
	}
	if a.limits {
		words = append(words, "COUNT", strconv.FormatInt(a.limit, 10))
		if a.anyOf {
			words = append(words, "ANY")
		}
	}
	return words
}

// Near is a member that a search found.
type Near[T any] struct {
	Member   T
	Point    Point
	Distance float64 // from the starting point, in the unit of the area
}

var (
	opStoreSearch     = operation[int64]{"store search", replyInt}
	opStoreSearchFrom = operation[int64]{"store search from", replyInt}
)

// Search returns the members in an area around a point (GEOSEARCH, Redis 6.2).
func (r GeoRef[T]) Search(ctx context.Context, around Point, area Area) ([]Near[T], error) {
	return call(ctx, r.at, func() command[[]Near[T]] { return r.search(around, area) })
}

func (r GeoRef[T]) search(around Point, area Area) command[[]Near[T]] {
	words, err := wordsAround(around, area)
	if err != nil {
		return refuse(&r.geo().search, err)
	}
	return command[[]Near[T]]{op: &r.geo().search, cmd: r.at.read("GEOSEARCH", append(words, "WITHCOORD", "WITHDIST")...), cacheable: true}
}

// SearchFrom returns the members in an area around one of them, including that one (GEOSEARCH,
// Redis 6.2). The error wraps [ErrNotFound] when there are members but not this one.
func (r GeoRef[T]) SearchFrom(ctx context.Context, member T, area Area) ([]Near[T], error) {
	return call(ctx, r.at, func() command[[]Near[T]] { return r.searchFrom(member, area) })
}

func (r GeoRef[T]) searchFrom(member T, area Area) command[[]Near[T]] {
	words, err := r.wordsFrom(member, area)
	if err != nil {
		return refuse(&r.geo().searchFrom, err)
	}
	return command[[]Near[T]]{op: &r.geo().searchFrom, cmd: r.at.read("GEOSEARCH", append(words, "WITHCOORD", "WITHDIST")...), cacheable: true}
}

// StoreSearch replaces this key with what [GeoRef.Search] finds in another one, restarts the
// declared TTL and returns the number of members (GEOSEARCHSTORE, Redis 6.2). An empty result
// removes the key. Both keys must be in one slot, see [HashTag]; else the error wraps
// [ErrCrossSlot].
func (r GeoRef[T]) StoreSearch(ctx context.Context, from GeoRef[T], around Point, area Area) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.storeSearch(from, around, area) })
}

func (r GeoRef[T]) storeSearch(from GeoRef[T], around Point, area Area) command[int64] {
	words, err := wordsAround(around, area)
	if err != nil {
		return refuse(&opStoreSearch, err)
	}
	return r.store(&opStoreSearch, from, words)
}

// StoreSearchFrom replaces this key with what [GeoRef.SearchFrom] finds in another one
// (GEOSEARCHSTORE, Redis 6.2). The conditions of [GeoRef.StoreSearch] apply.
func (r GeoRef[T]) StoreSearchFrom(ctx context.Context, from GeoRef[T], member T, area Area) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.storeSearchFrom(from, member, area) })
}

func (r GeoRef[T]) storeSearchFrom(from GeoRef[T], member T, area Area) command[int64] {
	words, err := r.wordsFrom(member, area)
	if err != nil {
		return refuse(&opStoreSearchFrom, err)
	}
	return r.store(&opStoreSearchFrom, from, words)
}

func (r GeoRef[T]) store(op *operation[int64], from GeoRef[T], words []string) command[int64] {
	uses, err := usesOf(r.at, overwrites, []GeoRef[T]{from}, reads)
	if err != nil {
		return refuse(op, err)
	}
	return command[int64]{op: op, cmd: joint([]string{"GEOSEARCHSTORE"}, uses, -1, words...), uses: uses}
}

func wordsAround(around Point, area Area) ([]string, error) {
	if err := area.check(); err != nil {
		return nil, err
	}
	if err := around.check(); err != nil {
		return nil, err
	}
	return area.search([]string{"FROMLONLAT", degrees(around.Longitude), degrees(around.Latitude)}), nil
}

func (r GeoRef[T]) wordsFrom(member T, area Area) ([]string, error) {
	if err := area.check(); err != nil {
		return nil, err
	}
	text, err := r.geo().encode(r.at.m, member)
	if err != nil {
		return nil, err
	}
	return area.search([]string{"FROMMEMBER", text}), nil
}

// replyNear reads members with their distances and points, in this order.
func replyNear[T any](m *mounted, a rueidis.RedisMessage) ([]Near[T], error) {
	answers, err := a.ToArray()
	if err != nil {
		return nil, errAnswer
	}
	var all []Near[T]
	for i, answer := range answers {
		parts, err := answer.ToArray()
		if err != nil || len(parts) != 3 {
			return nil, errAnswer
		}
		var n Near[T]
		if n.Member, err = elementsIn[T](m).decode(m, parts[0]); err != nil {
			return nil, locate("element "+strconv.Itoa(i), err)
		}
		if n.Distance, err = replyScore(m, parts[1]); err != nil {
			return nil, err
		}
		if n.Point, err = readPoint(m, parts[2]); err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}
