package nest

import (
	"context"
	"reflect"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/codec"
)

// HyperLogLogDef declares a key that counts distinct Ts.
type HyperLogLogDef[T any] struct {
	Declaration
}

// HyperLogLog declares a key that counts distinct elements of type T, in 12 KiB whatever their
// number and with a standard error of 0.81 %. Two elements are the same if they are encoded to the
// same bytes. Its [Default] is a number, which [HyperLogLogRef.Count] returns in place of 0.
//
// The template is that of [Key]. HyperLogLog panics in the cases in which Key does.
func HyperLogLog[T any](template string, opts ...KeyOption) *HyperLogLogDef[T] {
	d := &HyperLogLogDef[T]{}
	where := caller()
	constructor := d.declareFor(reflect.TypeFor[T](), d, KindHyperLogLog, "HyperLogLog", template, where, opts)
	var fallback int64
	if d.config.hasDefault {
		var err error
		if fallback, err = fitDefault[int64](d.config.def()); err != nil {
			where.refuse(constructor, template, err)
		}
	}
	d.bind = func(m *mounted) (any, error) {
		typed, err := codec.For[T](m.settings.codec)
		return &hyperLogLog[T]{elements[T]{typed: typed}, operation[int64]{"count", replyDistinct[T]}, fallback}, err
	}
	return d
}

// At returns a reference to the HyperLogLog below s. See [KeyDef.At] for args.
func (d *HyperLogLogDef[T]) At(s Scope, args ...any) HyperLogLogRef[T] {
	if d == nil {
		return HyperLogLogRef[T]{nilRef(s)}
	}
	return HyperLogLogRef[T]{d.ref(&s, args)}
}

// HyperLogLogRef is one HyperLogLog, with all its parameters filled in.
//
// Add and Merge start the declared TTL when they create it and leave a running one alone; with
// AutoRenew every operation restarts it.
type HyperLogLogRef[T any] struct {
	Ref
}

// hyperLogLog is what Open prepares for a key that counts distinct Ts.
type hyperLogLog[T any] struct {
	elements[T]
	count    operation[int64]
	fallback int64
}

var (
	opCountIn    = operation[bool]{"add", replyBool}
	opCountUnion = operation[int64]{"count union", replyInt}
	opMerge      = operation[struct{}]{"merge", replyNone}
)

func (r HyperLogLogRef[T]) bound() *hyperLogLog[T] { return r.at.m.bound.(*hyperLogLog[T]) }

// Add counts elements and reports whether the estimate may have changed (PFADD). Without elements
// nothing is sent.
func (r HyperLogLogRef[T]) Add(ctx context.Context, vs ...T) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.add(vs) })
}

func (r HyperLogLogRef[T]) add(vs []T) command[bool] {
	if len(vs) == 0 {
		return skip(&opCountIn)
	}
	var few [8]string
	texts, err := r.bound().encodeAll(r.at.m, few[:0], vs)
	if err != nil {
		return refuse(&opCountIn, err)
	}
	return command[bool]{op: &opCountIn, cmd: r.at.writeMany("PFADD", joinSum, nil, texts)}
}

func (r HyperLogLogRef[T]) count() command[int64] {
	return command[int64]{op: &r.bound().count, cmd: r.at.read("PFCOUNT")}
}

// Count returns the approximate number of distinct elements that were added, else the declared
// default, else 0 (PFCOUNT).
func (r HyperLogLogRef[T]) Count(ctx context.Context) (int64, error) {
	return call(ctx, r.at, r.count)
}

// CountUnion returns the approximate number of distinct elements in the union of this one and the
// others (PFCOUNT). All of them must be in one slot, see [HashTag]; else the error wraps
// [ErrCrossSlot]. Defaults are not used.
func (r HyperLogLogRef[T]) CountUnion(ctx context.Context, others ...HyperLogLogRef[T]) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.countUnion(others) })
}

func (r HyperLogLogRef[T]) countUnion(others []HyperLogLogRef[T]) command[int64] {
	uses, err := usesOf(r.at, reads, others, reads)
	if err != nil {
		return refuse(&opCountUnion, err)
	}
	return command[int64]{op: &opCountUnion, cmd: joint([]string{"PFCOUNT"}, uses, -1), uses: uses}
}

// Merge adds the elements of the others to this one (PFMERGE). Without others nothing is sent. All
// of them must be in one slot, see [HashTag]; else the error wraps [ErrCrossSlot].
func (r HyperLogLogRef[T]) Merge(ctx context.Context, others ...HyperLogLogRef[T]) error {
	_, err := call(ctx, r.at, func() command[struct{}] { return r.merge(others) })
	return err
}

func (r HyperLogLogRef[T]) merge(others []HyperLogLogRef[T]) command[struct{}] {
	if len(others) == 0 {
		return skip(&opMerge)
	}
	uses, err := usesOf(r.at, creates, others, reads)
	if err != nil {
		return refuse(&opMerge, err)
	}
	return command[struct{}]{op: &opMerge, cmd: joint([]string{"PFMERGE"}, uses, -1), uses: uses}
}

// Rename renames the HyperLogLog, with its remaining TTL, to another key, as [KeyRef.Rename] does
// (RENAMENX or RENAME).
func (r HyperLogLogRef[T]) Rename(ctx context.Context, to HyperLogLogRef[T], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opRename, to.at, opts) })
}

// Copy copies the HyperLogLog, with its remaining TTL, to another key, as [KeyRef.Copy] does (COPY,
// Redis 6.2).
func (r HyperLogLogRef[T]) Copy(ctx context.Context, to HyperLogLogRef[T], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opCopy, to.at, opts) })
}

// replyDistinct reads the reply of PFCOUNT. 0 means that nothing was added, for which the default
// stands.
func replyDistinct[T any](m *mounted, a rueidis.RedisMessage) (int64, error) {
	n, err := replyInt(m, a)
	if err == nil && n == 0 {
		return m.bound.(*hyperLogLog[T]).fallback, nil
	}
	return n, err
}
