package nest

import (
	"context"
	"iter"
	"math"
	"reflect"
	"strconv"
)

// Scored is a member of a sorted set and its score.
type Scored[T any] struct {
	Member T
	Score  float64
}

// Ranked is the rank of a member of a sorted set, counted from 0, and its score.
type Ranked struct {
	Rank  int64
	Score float64
}

// SortedSetDef declares a key that holds a sorted set of Ts.
type SortedSetDef[T any] struct {
	Declaration
}

// SortedSet declares a key that holds a sorted set: distinct members of type T, ordered by their
// scores. Members with equal scores are ordered by their encoded bytes. A sorted set without
// members does not exist. Its [Default] is a []Scored[T], which [SortedSetRef.All] returns when
// there is no sorted set.
//
// The template is that of [Key], and SortedSet panics when Key does.
func SortedSet[T any](template string, opts ...KeyOption) *SortedSetDef[T] {
	d := &SortedSetDef[T]{}
	where := caller()
	constructor := d.declareFor(reflect.TypeFor[T](), d, KindSortedSet, "SortedSet", template, where, opts)
	fallback := sliceDefault[Scored[T]](&d.Declaration, constructor)
	d.bind = func(m *mounted) (any, error) { return bindSortedSet(m, fallback, d.config.hasDefault) }
	d.bindsAlike(reflect.TypeFor[zset[T]]())
	return d
}

// At returns the reference of the sorted set below s, as [KeyDef.At] does.
func (d *SortedSetDef[T]) At(s Scope, args ...any) SortedSetRef[T] {
	if d == nil {
		return SortedSetRef[T]{nilRef(s)}
	}
	return SortedSetRef[T]{d.ref(&s, args)}
}

// SortedSetRef is one sorted set, with all its parameters filled in.
//
// Add, Incr and similar operations start the declared TTL when they create the set and leave a
// running one alone. StoreUnion and similar operations replace the whole set and restart the TTL.
// With AutoRenew every operation restarts it. A score that is NaN is refused with [ErrArgument].
type SortedSetRef[T any] struct {
	Ref
}

// zset is what Open prepares for a key that holds a sorted set of Ts.
type zset[T any] struct {
	elements[T]
	scores []float64 // of the default

	all, rangeScored, randomScoredN, popMinN, popMaxN operation[[]Scored[T]]
	union, inter, diff, waitPopMinN, waitPopMaxN      operation[[]Scored[T]]
	popMin, popMax, waitPopMin, waitPopMax            operation[found[Scored[T]]]
	span, randomN                                     operation[[]T]
	random                                            operation[found[T]]
	loaded                                            operation[found[[]Scored[T]]]
}

func bindSortedSet[T any](m *mounted, fallback []Scored[T], hasDefault bool) (any, error) {
	several, poppedN := replyScored[T], replyScoredPoppedN[T]
	one, popped := replyOneScored[T], replyScoredPopped[T]
	plain := replyElements[T]
	members := make([]T, len(fallback))
	z := &zset[T]{scores: make([]float64, len(fallback))}
	for i, f := range fallback {
		members[i], z.scores[i] = f.Member, f.Score
	}
	var err error
	z.elements, err = bindElements(m, members, hasDefault)
	z.all = operation[[]Scored[T]]{"all", replyAllScored[T]}
	z.rangeScored = operation[[]Scored[T]]{"range scored", several}
	z.randomScoredN = operation[[]Scored[T]]{"random scored n", several}
	z.popMinN = operation[[]Scored[T]]{"pop min n", several}
	z.popMaxN = operation[[]Scored[T]]{"pop max n", several}
	z.union = operation[[]Scored[T]]{"union", several}
	z.inter = operation[[]Scored[T]]{"inter", several}
	z.diff = operation[[]Scored[T]]{"diff", several}
	z.waitPopMinN = operation[[]Scored[T]]{"wait pop min n", poppedN}
	z.waitPopMaxN = operation[[]Scored[T]]{"wait pop max n", poppedN}
	z.popMin = operation[found[Scored[T]]]{"pop min", one}
	z.popMax = operation[found[Scored[T]]]{"pop max", one}
	z.waitPopMin = operation[found[Scored[T]]]{"wait pop min", popped}
	z.waitPopMax = operation[found[Scored[T]]]{"wait pop max", popped}
	z.span = operation[[]T]{"range", plain}
	z.randomN = operation[[]T]{"random n", plain}
	z.random = operation[found[T]]{"random", replyElement[T]}
	z.loaded = nonEmpty(several, sizeOf[Scored[T]])
	return z, err
}

var (
	opZAdd         = operation[bool]{"add", replyBool}
	opZAddMany     = operation[int64]{"add many", replyInt}
	opZIncr        = operation[float64]{"incr", replyScore}
	opZIncrIf      = operation[found[float64]]{"incr if", replyFoundScore}
	opZScore       = operation[found[float64]]{"score", replyFoundScore}
	opZScores      = operation[[]Optional[float64]]{"scores", replyScores}
	opRank         = operation[found[int64]]{"rank", replyFoundInt}
	opRevRank      = operation[found[int64]]{"rev rank", replyFoundInt}
	opRankScore    = operation[found[Ranked]]{"rank with score", replyRanked}
	opRevRankScore = operation[found[Ranked]]{"rev rank with score", replyRanked}
)

func (r SortedSetRef[T]) zset() *zset[T] { return r.at.m.bound.(*zset[T]) }

// AddOption is an option of the operations that add members: a condition, or [CountChanged].
type AddOption interface {
	applyAdd(o *addOptions) error
}

// addOptions is a set of words of ZADD.
type addOptions struct{ isNew, present, greater, less, changed bool }

type addOption func(o *addOptions)

func (f addOption) applyAdd(o *addOptions) error {
	f(o)
	return nil
}

// IfNew adds new members and changes no score (NX). It cannot be combined with the other
// conditions.
func IfNew() AddOption { return addOption(func(o *addOptions) { o.isNew = true }) }

// IfPresent changes scores and adds no members (XX).
func IfPresent() AddOption { return addOption(func(o *addOptions) { o.present = true }) }

// IfGreater changes scores to greater ones only (GT, Redis 6.2). It adds new members all the same.
// It cannot be combined with [IfLess].
func IfGreater() AddOption { return addOption(func(o *addOptions) { o.greater = true }) }

// IfLess changes scores to smaller ones only (LT, Redis 6.2). It adds new members all the same. It
// cannot be combined with [IfGreater].
func IfLess() AddOption { return addOption(func(o *addOptions) { o.less = true }) }

// CountChanged counts changed scores as well as new members (CH).
func CountChanged() AddOption { return addOption(func(o *addOptions) { o.changed = true }) }

func addOptionsOf(opts []AddOption) (o addOptions, err error) {
	if err := eachOption(opts, func(opt AddOption) error { return opt.applyAdd(&o) }); err != nil {
		return o, err
	}
	if o.isNew && (o.present || o.greater || o.less) || o.greater && o.less {
		return o, because(ErrArgument, "conditions that exclude each other")
	}
	return o, nil
}

// words returns the words in the order that Redis wants.
func (o addOptions) words() (words []string) {
	add := func(given bool, word string) {
		if given {
			words = append(words, word)
		}
	}
	add(o.isNew, "NX")
	add(o.present, "XX")
	add(o.greater, "GT")
	add(o.less, "LT")
	add(o.changed, "CH")
	return words
}

var errNaN = because(ErrArgument, "a score is a number")

// scoreText returns a score as Redis reads it.
func scoreText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "+inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// Add adds a member with its score, or sets the score of an existing one, and reports whether the
// member is new (ZADD). With [CountChanged] it reports whether anything changed.
func (r SortedSetRef[T]) Add(ctx context.Context, member T, score float64, opts ...AddOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.add(member, score, opts) })
}

func (r SortedSetRef[T]) add(member T, score float64, opts []AddOption) command[bool] {
	words, texts, err := r.addition([]Scored[T]{{member, score}}, opts)
	if err != nil {
		return refuse(&opZAdd, err)
	}
	return command[bool]{op: &opZAdd, cmd: r.at.writeMany("ZADD", joinSum, words, texts)}
}

// AddMany adds members with their scores, or sets the scores of existing ones, and returns the
// number of new members (ZADD). With [CountChanged] it counts every member that changed. Without
// members nothing is sent.
func (r SortedSetRef[T]) AddMany(ctx context.Context, members []Scored[T], opts ...AddOption) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.addMany(members, opts) })
}

func (r SortedSetRef[T]) addMany(members []Scored[T], opts []AddOption) command[int64] {
	if len(members) == 0 {
		return skip(&opZAddMany)
	}
	words, texts, err := r.addition(members, opts)
	if err != nil {
		return refuse(&opZAddMany, err)
	}
	return command[int64]{op: &opZAddMany, cmd: r.at.writeMany("ZADD", joinSum, words, texts)}
}

func (r SortedSetRef[T]) addition(members []Scored[T], opts []AddOption) (words, texts []string, err error) {
	o, err := addOptionsOf(opts)
	if err != nil {
		return nil, nil, err
	}
	texts = make([]string, 0, 2*len(members))
	for i, s := range members {
		text, err := r.zset().encode(r.at.m, s.Member)
		if err == nil && math.IsNaN(s.Score) {
			err = errNaN
		}
		if err != nil {
			return nil, nil, locate("element "+strconv.Itoa(i), err)
		}
		texts = append(texts, scoreText(s.Score), text)
	}
	return o.words(), texts, nil
}

// Incr adds by to the score of a member, which is 0 before it is added, and returns the new score
// (ZINCRBY). The error wraps [ErrOverflow] when the sum is not a number.
func (r SortedSetRef[T]) Incr(ctx context.Context, member T, by float64) (float64, error) {
	return call(ctx, r.at, func() command[float64] { return r.incr(member, by) })
}

func (r SortedSetRef[T]) incr(member T, by float64) command[float64] {
	text, err := r.zset().encode(r.at.m, member)
	if err == nil && math.IsNaN(by) {
		err = errNaN
	}
	if err != nil {
		return refuse(&opZIncr, err)
	}
	return command[float64]{op: &opZIncr, cmd: r.at.write("ZINCRBY", scoreText(by), text)}
}

// IncrIf is [SortedSetRef.Incr] under conditions, and reports whether they held (ZADD INCR).
func (r SortedSetRef[T]) IncrIf(ctx context.Context, member T, by float64, opts ...AddOption) (float64, bool, error) {
	return both(call(ctx, r.at, func() command[found[float64]] { return r.incrIf(member, by, opts) }))
}

func (r SortedSetRef[T]) incrIf(member T, by float64, opts []AddOption) command[found[float64]] {
	words, texts, err := r.addition([]Scored[T]{{member, by}}, opts)
	if err != nil {
		return refuse(&opZIncrIf, err)
	}
	return command[found[float64]]{op: &opZIncrIf, cmd: r.at.write("ZADD", append(append(words, "INCR"), texts...)...)}
}

// Remove removes members and returns how many of them existed (ZREM). Without members nothing is
// sent.
func (r SortedSetRef[T]) Remove(ctx context.Context, members ...T) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.remove(members) })
}

func (r SortedSetRef[T]) remove(members []T) command[int64] { return removeSorted(r.at, members) }

// removeSorted removes members from a key that is stored as a sorted set.
func removeSorted[T any](r address, members []T) command[int64] {
	if len(members) == 0 {
		return skip(&opRemove)
	}
	var few [8]string
	texts, err := elementsIn[T](r.m).encodeAll(r.m, few[:0], members)
	if err != nil {
		return refuse(&opRemove, err)
	}
	return command[int64]{op: &opRemove, cmd: r.modifyMany("ZREM", joinSum, nil, texts)}
}

// Score returns the score of a member and reports whether it exists (ZSCORE).
func (r SortedSetRef[T]) Score(ctx context.Context, member T) (float64, bool, error) {
	return both(call(ctx, r.at, func() command[found[float64]] { return askMember(r, &opZScore, "ZSCORE", member) }))
}

// Rank returns the rank of a member by ascending scores, counted from 0, and reports whether it
// exists (ZRANK).
func (r SortedSetRef[T]) Rank(ctx context.Context, member T) (int64, bool, error) {
	return both(call(ctx, r.at, func() command[found[int64]] { return askMember(r, &opRank, "ZRANK", member) }))
}

// RevRank returns the rank of a member by descending scores, counted from 0, and reports whether it
// exists (ZREVRANK).
func (r SortedSetRef[T]) RevRank(ctx context.Context, member T) (int64, bool, error) {
	return both(call(ctx, r.at, func() command[found[int64]] { return askMember(r, &opRevRank, "ZREVRANK", member) }))
}

func askMember[T, R any](r SortedSetRef[T], op *operation[R], name string, member T) command[R] {
	text, err := r.zset().encode(r.at.m, member)
	if err != nil {
		return refuse(op, err)
	}
	return command[R]{op: op, cmd: r.at.read(name, text), cacheable: true}
}

// Scores returns the score of each member, in the order of members (ZMSCORE, Redis 6.2). Without
// members nothing is sent.
func (r SortedSetRef[T]) Scores(ctx context.Context, members ...T) ([]Optional[float64], error) {
	return call(ctx, r.at, func() command[[]Optional[float64]] { return r.scores(members) })
}

func (r SortedSetRef[T]) scores(members []T) command[[]Optional[float64]] {
	if len(members) == 0 {
		return skip(&opZScores)
	}
	var few [8]string
	texts, err := r.zset().encodeAll(r.at.m, few[:0], members)
	if err != nil {
		return refuse(&opZScores, err)
	}
	return command[[]Optional[float64]]{op: &opZScores, cmd: r.at.readMany("ZMSCORE", texts), cacheable: true}
}

// ranking asks for a rank and a score in one step. It works before Redis 7.2 too, where ZRANK has
// no WITHSCORE.
var ranking = newScript(`local rank, score = redis.call(ARGV[1], KEYS[1], ARGV[2]), redis.call('ZSCORE', KEYS[1], ARGV[2])
if ARGV[3] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return rank and {rank, score}`)

// RankWithScore returns the rank of a member by ascending scores, counted from 0, and its score
// (ZRANK and ZSCORE in one script).
func (r SortedSetRef[T]) RankWithScore(ctx context.Context, member T) (Ranked, bool, error) {
	return both(call(ctx, r.at, func() command[found[Ranked]] { return r.ranked(&opRankScore, "ZRANK", member) }))
}

// RevRankWithScore returns the rank of a member by descending scores, counted from 0, and its score
// (ZREVRANK and ZSCORE in one script).
func (r SortedSetRef[T]) RevRankWithScore(ctx context.Context, member T) (Ranked, bool, error) {
	return both(call(ctx, r.at, func() command[found[Ranked]] { return r.ranked(&opRevRankScore, "ZREVRANK", member) }))
}

//nest:ttl renews
func (r SortedSetRef[T]) ranked(op *operation[found[Ranked]], name string, member T) command[found[Ranked]] {
	text, err := r.zset().encode(r.at.m, member)
	if err != nil {
		return refuse(op, err)
	}
	renewal := "0"
	if r.at.readsRenew() {
		renewal = millis(r.at.m.ttl())
	}
	return command[found[Ranked]]{op: op, cmd: ranking.command(r.at.b(), []string{r.at.key}, name, text, renewal), cacheable: true}
}

func (r SortedSetRef[T]) length() command[int64] {
	return command[int64]{op: &opLen, cmd: r.at.read("ZCARD"), cacheable: true}
}

// Len returns the number of members, 0 when there is no sorted set (ZCARD).
func (r SortedSetRef[T]) Len(ctx context.Context) (int64, error) {
	return call(ctx, r.at, r.length)
}

// Iterate streams the members with their scores in pages of about [ScanCount] (ZSCAN), so that a
// sorted set of any size takes little memory. All pages come from the primary. If there is more
// than one, they come over a separate connection. The order is that of the server, not that of the
// scores. A member that is added or removed meanwhile may be missing. A member may come twice while
// the server resizes its table. It may also come twice when the iteration begins again, because the
// sorted set moved to another node of a Redis Cluster or the connection was lost. An error,
// including one of decoding, ends the stream. The default is not used.
func (r SortedSetRef[T]) Iterate(ctx context.Context, opts ...ScanCountOption) iter.Seq2[Scored[T], error] {
	return func(yield func(Scored[T], error) bool) {
		for page, err := range r.at.scanPages(ctx, &opIterate, "ZSCAN", opts) {
			if err != nil {
				yield(Scored[T]{}, err)
				return
			}
			for member, score := range page.pairs() {
				s, err := scoredText[T](r.at.m, member, score)
				if err != nil {
					yield(Scored[T]{}, r.at.fail(opIterate.name, err))
					return
				}
				if !yield(s, nil) {
					return
				}
			}
		}
	}
}

// Rename moves the sorted set, with its remaining TTL, to another key, as [KeyRef.Rename] does
// (RENAMENX or RENAME).
func (r SortedSetRef[T]) Rename(ctx context.Context, to SortedSetRef[T], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opRename, to.at, opts) })
}

// Copy copies the sorted set, with its remaining TTL, to another key, as [KeyRef.Copy] does (COPY,
// Redis 6.2).
func (r SortedSetRef[T]) Copy(ctx context.Context, to SortedSetRef[T], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opCopy, to.at, opts) })
}
