package nest

import (
	"context"
	"reflect"
	"slices"
	"strconv"

	"github.com/redis/rueidis"
)

// ListDef declares a key that holds a list of Ts.
type ListDef[T any] struct {
	Declaration
}

// List declares a key that holds a list: ordered elements of type T, pushed and popped at both
// ends. A list without elements does not exist. Its [Default] is a []T, which [ListRef.All] returns
// when the list does not exist.
//
// The template is that of [Key]. List panics in the cases in which Key does.
func List[T any](template string, opts ...KeyOption) *ListDef[T] {
	d := &ListDef[T]{}
	where := caller()
	constructor := d.declareFor(reflect.TypeFor[T](), d, KindList, "List", template, where, opts)
	fallback := sliceDefault[T](&d.Declaration, constructor)
	d.bind = func(m *mounted) (any, error) { return bindList(m, fallback, d.config.hasDefault) }
	d.bindsAlike(reflect.TypeFor[list[T]]())
	return d
}

// At returns a reference to the list below s. See [KeyDef.At] for args.
func (d *ListDef[T]) At(s Scope, args ...any) ListRef[T] {
	if d == nil {
		return ListRef[T]{nilRef(s)}
	}
	return ListRef[T]{d.ref(&s, args)}
}

// ListRef is one list, with all its parameters filled in.
//
// Its left end is at index 0, its right end at index -1; negative indexes count from the right.
// Operations that may create the list start the declared TTL when they do so, and leave a running
// one alone. With AutoRenew every operation restarts it.
type ListRef[T any] struct {
	Ref
}

// End is an end of a list.
type End string

// The ends of a list.
const (
	Left  End = "LEFT"
	Right End = "RIGHT"
)

func (e End) valid() bool { return e == Left || e == Right }

var errEnd = because(ErrArgument, "an end of a list is Left or Right")

// list is what Open prepares for a key that holds a list of Ts.
type list[T any] struct {
	elements[T]

	all, span, popLeftN, popRightN operation[[]T]
	index, popLeft, popRight, move operation[found[T]]
	waitPopLeft, waitPopRight      operation[found[T]]
	waitPopLeftN, waitPopRightN    operation[[]T]
	loaded                         operation[found[[]T]]
}

func bindList[T any](m *mounted, fallback []T, hasDefault bool) (any, error) {
	several, poppedN := replyElements[T], replyPoppedN[T]
	one, popped := replyElement[T], replyPopped[T]
	e, err := bindElements(m, fallback, hasDefault)
	return &list[T]{
		elements:      e,
		all:           operation[[]T]{"all", replyWhole[T]},
		span:          operation[[]T]{"range", several},
		popLeftN:      operation[[]T]{"pop left n", several},
		popRightN:     operation[[]T]{"pop right n", several},
		index:         operation[found[T]]{"index", one},
		popLeft:       operation[found[T]]{"pop left", one},
		popRight:      operation[found[T]]{"pop right", one},
		move:          operation[found[T]]{"move", one},
		waitPopLeft:   operation[found[T]]{"wait pop left", popped},
		waitPopRight:  operation[found[T]]{"wait pop right", popped},
		waitPopLeftN:  operation[[]T]{"wait pop left n", poppedN},
		waitPopRightN: operation[[]T]{"wait pop right n", poppedN},
		loaded:        nonEmpty(several, sizeOf[T]),
	}, err
}

var (
	opPushLeft     = operation[int64]{"push left", replyInt}
	opPushRight    = operation[int64]{"push right", replyInt}
	opPushLeftIf   = operation[int64]{"push left if exists", replyInt}
	opPushRightIf  = operation[int64]{"push right if exists", replyInt}
	opInsertBefore = operation[found[int64]]{"insert before", replyInserted}
	opInsertAfter  = operation[found[int64]]{"insert after", replyInserted}
	opListSet      = operation[struct{}]{"set", replyNone}
	opTrim         = operation[struct{}]{"trim", replyNone}
	opRemoveCount  = operation[int64]{"remove", replyInt}
	opIndexOf      = operation[found[int64]]{"index of", replyFoundInt}
	opIndexesOf    = operation[[]int64]{"indexes of", replyInts}
	opLen          = operation[int64]{"len", replyInt}
)

func (r ListRef[T]) list() *list[T] { return r.at.m.bound.(*list[T]) }

// PushLeft pushes elements to the left end one after the other, so that the last one is at index 0,
// and returns the new length (LPUSH). Without elements nothing is sent and the result is 0.
func (r ListRef[T]) PushLeft(ctx context.Context, vs ...T) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.push(&opPushLeft, "LPUSH", vs) })
}

// PushRight pushes elements to the right end, in order, and returns the new length (RPUSH). Without
// elements nothing is sent and the result is 0.
func (r ListRef[T]) PushRight(ctx context.Context, vs ...T) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.push(&opPushRight, "RPUSH", vs) })
}

// PushLeftIfExists is [ListRef.PushLeft] for a list that exists. Otherwise nothing is written and
// the result is 0 (LPUSHX).
func (r ListRef[T]) PushLeftIfExists(ctx context.Context, vs ...T) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.push(&opPushLeftIf, "LPUSHX", vs) })
}

// PushRightIfExists is [ListRef.PushRight] for a list that exists. Otherwise nothing is written and
// the result is 0 (RPUSHX).
func (r ListRef[T]) PushRightIfExists(ctx context.Context, vs ...T) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.push(&opPushRightIf, "RPUSHX", vs) })
}

func (r ListRef[T]) push(op *operation[int64], name string, vs []T) command[int64] {
	if len(vs) == 0 {
		return skip(op)
	}
	var few [8]string
	texts, err := r.list().encodeAll(r.at.m, few[:0], vs)
	if err != nil {
		return refuse(op, err)
	}
	return command[int64]{op: op, cmd: r.at.writeMany(name, joinLast, nil, texts)}
}

func (r ListRef[T]) popLeft() command[found[T]] {
	return command[found[T]]{op: &r.list().popLeft, cmd: r.at.modify("LPOP")}
}

// PopLeft removes the element at the left end and returns it, and whether there was one (LPOP). It
// is removed even when it is not a T.
func (r ListRef[T]) PopLeft(ctx context.Context) (T, bool, error) {
	return both(call(ctx, r.at, r.popLeft))
}

func (r ListRef[T]) popRight() command[found[T]] {
	return command[found[T]]{op: &r.list().popRight, cmd: r.at.modify("RPOP")}
}

// PopRight removes the element at the right end and returns it, and whether there was one (RPOP).
// It is removed even when it is not a T.
func (r ListRef[T]) PopRight(ctx context.Context) (T, bool, error) {
	return both(call(ctx, r.at, r.popRight))
}

// PopLeftN removes up to n elements at the left end and returns them, from the left (LPOP with a
// count, Redis 6.2).
func (r ListRef[T]) PopLeftN(ctx context.Context, n int64) ([]T, error) {
	return call(ctx, r.at, func() command[[]T] { return r.popN(&r.list().popLeftN, "LPOP", n) })
}

// PopRightN removes up to n elements at the right end and returns them, from the right (RPOP with a
// count, Redis 6.2).
func (r ListRef[T]) PopRightN(ctx context.Context, n int64) ([]T, error) {
	return call(ctx, r.at, func() command[[]T] { return r.popN(&r.list().popRightN, "RPOP", n) })
}

func (r ListRef[T]) popN(op *operation[[]T], name string, n int64) command[[]T] {
	switch {
	case n < 0:
		return refuse(op, errCount)
	case n == 0:
		return skip(op)
	}
	return command[[]T]{op: op, cmd: r.at.modify(name, strconv.FormatInt(n, 10))}
}

func (r ListRef[T]) all() command[[]T] {
	return command[[]T]{op: &r.list().all, cmd: r.at.read("LRANGE", "0", "-1"), cacheable: true, fixed: true}
}

// All returns the whole list, from the left, else the declared default (LRANGE 0 -1).
// [ListRef.Iterate] does not hold it all in memory.
func (r ListRef[T]) All(ctx context.Context) ([]T, error) { return call(ctx, r.at, r.all) }

// Range returns the elements from index first to index last, both included, from the left (LRANGE).
// Indexes outside the list are no error. The default is not used.
func (r ListRef[T]) Range(ctx context.Context, first, last int64) ([]T, error) {
	return call(ctx, r.at, func() command[[]T] { return r.span(first, last) })
}

func (r ListRef[T]) span(first, last int64) command[[]T] {
	return command[[]T]{op: &r.list().span, cmd: r.at.read("LRANGE", strconv.FormatInt(first, 10), strconv.FormatInt(last, 10)), cacheable: true}
}

// Index returns the element at index i, and whether there is one (LINDEX).
func (r ListRef[T]) Index(ctx context.Context, i int64) (T, bool, error) {
	return both(call(ctx, r.at, func() command[found[T]] { return r.index(i) }))
}

func (r ListRef[T]) index(i int64) command[found[T]] {
	return command[found[T]]{op: &r.list().index, cmd: r.at.read("LINDEX", strconv.FormatInt(i, 10)), cacheable: true}
}

// InsertBefore inserts v to the left of the first element equal to pivot, and returns the new
// length and whether there is such an element (LINSERT).
func (r ListRef[T]) InsertBefore(ctx context.Context, pivot, v T) (int64, bool, error) {
	return both(call(ctx, r.at, func() command[found[int64]] { return r.insert(&opInsertBefore, "BEFORE", pivot, v) }))
}

// InsertAfter inserts v to the right of the first element equal to pivot, and returns the new
// length and whether there is such an element (LINSERT).
func (r ListRef[T]) InsertAfter(ctx context.Context, pivot, v T) (int64, bool, error) {
	return both(call(ctx, r.at, func() command[found[int64]] { return r.insert(&opInsertAfter, "AFTER", pivot, v) }))
}

func (r ListRef[T]) insert(op *operation[found[int64]], side string, pivot, v T) command[found[int64]] {
	var few [2]string
	texts, err := r.list().encodeAll(r.at.m, few[:0], []T{pivot, v})
	if err != nil {
		return refuse(op, err)
	}
	return command[found[int64]]{op: op, cmd: r.at.modify("LINSERT", side, texts[0], texts[1])}
}

// Set replaces the element at index i (LSET). The error wraps [ErrNotFound] when there is none.
func (r ListRef[T]) Set(ctx context.Context, i int64, v T) error {
	_, err := call(ctx, r.at, func() command[struct{}] { return r.set(i, v) })
	return err
}

func (r ListRef[T]) set(i int64, v T) command[struct{}] {
	text, err := r.list().encode(r.at.m, v)
	if err != nil {
		return refuse(&opListSet, err)
	}
	return command[struct{}]{op: &opListSet, cmd: r.at.modify("LSET", strconv.FormatInt(i, 10), text)}
}

// Trim keeps the elements from index first to index last, both included, and removes the others
// (LTRIM).
func (r ListRef[T]) Trim(ctx context.Context, first, last int64) error {
	_, err := call(ctx, r.at, func() command[struct{}] { return r.trim(first, last) })
	return err
}

func (r ListRef[T]) trim(first, last int64) command[struct{}] {
	return command[struct{}]{op: &opTrim, cmd: r.at.modify("LTRIM", strconv.FormatInt(first, 10), strconv.FormatInt(last, 10))}
}

// Remove removes elements equal to v and returns their number: the first n from the left, the first
// -n from the right when n is negative, all when n is 0 (LREM). Equal means encoded to the same
// bytes.
func (r ListRef[T]) Remove(ctx context.Context, v T, n int64) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.remove(v, n) })
}

func (r ListRef[T]) remove(v T, n int64) command[int64] {
	text, err := r.list().encode(r.at.m, v)
	if err != nil {
		return refuse(&opRemoveCount, err)
	}
	return command[int64]{op: &opRemoveCount, cmd: r.at.modify("LREM", strconv.FormatInt(n, 10), text)}
}

// Move moves the element at one end of this list to an end of another list, or of this one, in one
// step (LMOVE, Redis 6.2). It returns the element, and false when this list is empty. Both lists
// must be in one slot, see [HashTag]; else the error wraps [ErrCrossSlot].
func (r ListRef[T]) Move(ctx context.Context, from End, to ListRef[T], at End) (T, bool, error) {
	return both(call(ctx, r.at, func() command[found[T]] { return r.move(from, to, at) }))
}

func (r ListRef[T]) move(from End, to ListRef[T], at End) command[found[T]] {
	op := &r.list().move
	if !from.valid() || !at.valid() {
		return refuse(op, errEnd)
	}
	uses, err := usesOf(r.at, changes, []ListRef[T]{to}, creates)
	if err != nil {
		return refuse(op, err)
	}
	return command[found[T]]{op: op, cmd: joint([]string{"LMOVE"}, uses, -1, string(from), string(at)), uses: uses}
}

// IndexOption is an option of [ListRef.IndexOf] and [ListRef.IndexesOf].
type IndexOption interface {
	applyIndex(o *indexOptions) error
}

// indexOptions are words of LPOS.
type indexOptions struct{ rank, limit []string }

type indexOption func(o *indexOptions) error

func (f indexOption) applyIndex(o *indexOptions) error { return f(o) }

// Nth starts at the n-th match from the left, or at the -n-th from the right when n is negative.
// The default is 1. 0 is [ErrArgument].
func Nth(n int64) IndexOption {
	return indexOption(func(o *indexOptions) error {
		if n == 0 {
			return because(ErrArgument, "Nth counts from 1, or from -1 at the right")
		}
		o.rank = []string{"RANK", strconv.FormatInt(n, 10)}
		return nil
	})
}

// SearchLimit limits the search to n comparisons. The default, 0, is no limit.
func SearchLimit(n int64) IndexOption {
	return indexOption(func(o *indexOptions) error {
		if n < 0 {
			return because(ErrArgument, "a SearchLimit is not negative")
		}
		o.limit = []string{"MAXLEN", strconv.FormatInt(n, 10)}
		return nil
	})
}

// IndexOf returns the index of the first element equal to v, and whether there is one (LPOS, Redis
// 6.0.6). Equal means encoded to the same bytes.
func (r ListRef[T]) IndexOf(ctx context.Context, v T, opts ...IndexOption) (int64, bool, error) {
	return both(call(ctx, r.at, func() command[found[int64]] { return indexCommand(r, &opIndexOf, v, opts) }))
}

// IndexesOf returns the indexes of up to n elements equal to v, of all when n is 0 (LPOS with
// COUNT, Redis 6.0.6).
func (r ListRef[T]) IndexesOf(ctx context.Context, v T, n int64, opts ...IndexOption) ([]int64, error) {
	return call(ctx, r.at, func() command[[]int64] {
		if n < 0 {
			return refuse(&opIndexesOf, errCount)
		}
		return indexCommand(r, &opIndexesOf, v, opts, "COUNT", strconv.FormatInt(n, 10))
	})
}

func indexCommand[T, R any](r ListRef[T], op *operation[R], v T, opts []IndexOption, words ...string) command[R] {
	var o indexOptions
	text, err := r.list().encode(r.at.m, v)
	if err == nil {
		err = eachOption(opts, func(opt IndexOption) error { return opt.applyIndex(&o) })
	}
	if err != nil {
		return refuse(op, err)
	}
	args := slices.Concat([]string{text}, words, o.rank, o.limit)
	return command[R]{op: op, cmd: r.at.read("LPOS", args...), cacheable: true}
}

func (r ListRef[T]) length() command[int64] {
	return command[int64]{op: &opLen, cmd: r.at.read("LLEN"), cacheable: true}
}

// Len returns the number of elements, 0 when the list does not exist (LLEN).
func (r ListRef[T]) Len(ctx context.Context) (int64, error) { return call(ctx, r.at, r.length) }

// Rename renames the list, with its remaining TTL, to another key, as [KeyRef.Rename] does
// (RENAMENX or RENAME).
func (r ListRef[T]) Rename(ctx context.Context, to ListRef[T], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opRename, to.at, opts) })
}

// Copy copies the list, with its remaining TTL, to another key, as [KeyRef.Copy] does (COPY, Redis
// 6.2).
func (r ListRef[T]) Copy(ctx context.Context, to ListRef[T], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opCopy, to.at, opts) })
}

// replyInserted reads the reply of LINSERT: -1 means no pivot, 0 no list.
func replyInserted(m *mounted, a rueidis.RedisMessage) (found[int64], error) {
	n, err := replyInt(m, a)
	if err != nil || n <= 0 {
		return found[int64]{}, err
	}
	return found[int64]{n, true}, nil
}
