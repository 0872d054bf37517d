package nest

import (
	"context"
	"iter"
	"reflect"
	"strconv"
)

// SetDef declares a key that holds a set of Ts.
type SetDef[T any] struct {
	Declaration
}

// Set declares a key that holds a set: members of type T, each once, in no order. Two members are
// the same if they are encoded to the same bytes. A set without members does not exist. Its
// [Default] is a []T, which [SetRef.Members] returns if there is no set.
//
// The template is that of [Key], and Set panics as Key does.
func Set[T any](template string, opts ...KeyOption) *SetDef[T] {
	d := &SetDef[T]{}
	where := caller()
	constructor := d.declareFor(reflect.TypeFor[T](), d, KindSet, "Set", template, where, opts)
	fallback := sliceDefault[T](&d.Declaration, constructor)
	d.bind = func(m *mounted) (any, error) { return bindSet(m, fallback, d.config.hasDefault) }
	d.bindsAlike(reflect.TypeFor[set[T]]())
	return d
}

// At returns the reference of the set below s; see [KeyDef.At] for args.
func (d *SetDef[T]) At(s Scope, args ...any) SetRef[T] {
	if d == nil {
		return SetRef[T]{nilRef(s)}
	}
	return SetRef[T]{d.ref(&s, args)}
}

// SetRef is one set, with all its parameters filled in.
//
// Add and Move start the declared TTL when they create a set, and let a running TTL go on.
// StoreUnion, StoreInter and StoreDiff, which replace a whole set, restart it. With AutoRenew every
// operation restarts it.
type SetRef[T any] struct {
	Ref
}

// set is what Open prepares for a key that holds a set of Ts.
type set[T any] struct {
	elements[T]

	members, randomN, popN operation[[]T]
	union, inter, diff     operation[[]T]
	random, pop            operation[found[T]]
	loaded                 operation[found[[]T]]
}

func bindSet[T any](m *mounted, fallback []T, hasDefault bool) (any, error) {
	several, one := replyElements[T], replyElement[T]
	e, err := bindElements(m, fallback, hasDefault)
	return &set[T]{
		elements: e,
		members:  operation[[]T]{"members", replyWhole[T]},
		randomN:  operation[[]T]{"random n", several},
		popN:     operation[[]T]{"pop n", several},
		union:    operation[[]T]{"union", several},
		inter:    operation[[]T]{"inter", several},
		diff:     operation[[]T]{"diff", several},
		random:   operation[found[T]]{"random", one},
		pop:      operation[found[T]]{"pop", one},
		loaded:   nonEmpty(several, sizeOf[T]),
	}, err
}

var (
	opAdd        = operation[int64]{"add", replyInt}
	opRemove     = operation[int64]{"remove", replyInt}
	opHas        = operation[bool]{"has", replyBool}
	opHasMany    = operation[[]bool]{"has many", replyFlags}
	opSetMove    = operation[bool]{"move", replyBool}
	opStoreUnion = operation[int64]{"store union", replyInt}
	opStoreInter = operation[int64]{"store inter", replyInt}
	opStoreDiff  = operation[int64]{"store diff", replyInt}
	opInterLen   = operation[int64]{"inter len", replyInt}
	opIterate    = operation[page]{"iterate", replyPage}
)

func (r SetRef[T]) bound() *set[T] { return r.at.m.bound.(*set[T]) }

// Add adds members and returns the number of those that were new (SADD). Without members nothing is
// sent.
func (r SetRef[T]) Add(ctx context.Context, members ...T) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.add(members) })
}

func (r SetRef[T]) add(members []T) command[int64] {
	if len(members) == 0 {
		return skip(&opAdd)
	}
	var few [8]string
	texts, err := r.bound().encodeAll(r.at.m, few[:0], members)
	if err != nil {
		return refuse(&opAdd, err)
	}
	return command[int64]{op: &opAdd, cmd: r.at.writeMany("SADD", joinSum, nil, texts)}
}

// Remove removes members and returns the number of those that existed (SREM). Without members
// nothing is sent.
func (r SetRef[T]) Remove(ctx context.Context, members ...T) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.remove(members) })
}

func (r SetRef[T]) remove(members []T) command[int64] {
	if len(members) == 0 {
		return skip(&opRemove)
	}
	var few [8]string
	texts, err := r.bound().encodeAll(r.at.m, few[:0], members)
	if err != nil {
		return refuse(&opRemove, err)
	}
	return command[int64]{op: &opRemove, cmd: r.at.modifyMany("SREM", joinSum, nil, texts)}
}

// Has reports whether v is a member (SISMEMBER).
func (r SetRef[T]) Has(ctx context.Context, v T) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.has(v) })
}

func (r SetRef[T]) has(v T) command[bool] {
	text, err := r.bound().encode(r.at.m, v)
	if err != nil {
		return refuse(&opHas, err)
	}
	return command[bool]{op: &opHas, cmd: r.at.read("SISMEMBER", text), cacheable: true}
}

// HasMany reports, for each of vs, whether it is a member (SMISMEMBER, Redis 6.2). Without vs
// nothing is sent.
func (r SetRef[T]) HasMany(ctx context.Context, vs ...T) ([]bool, error) {
	return call(ctx, r.at, func() command[[]bool] { return r.hasMany(vs) })
}

func (r SetRef[T]) hasMany(vs []T) command[[]bool] {
	if len(vs) == 0 {
		return skip(&opHasMany)
	}
	var few [8]string
	texts, err := r.bound().encodeAll(r.at.m, few[:0], vs)
	if err != nil {
		return refuse(&opHasMany, err)
	}
	return command[[]bool]{op: &opHasMany, cmd: r.at.readMany("SMISMEMBER", texts), cacheable: true}
}

func (r SetRef[T]) members() command[[]T] {
	return command[[]T]{op: &r.bound().members, cmd: r.at.read("SMEMBERS"), cacheable: true}
}

// Members returns all members in the server's order, else the declared default (SMEMBERS).
// [SetRef.Iterate] does not hold them all in memory.
func (r SetRef[T]) Members(ctx context.Context) ([]T, error) { return call(ctx, r.at, r.members) }

func (r SetRef[T]) length() command[int64] {
	return command[int64]{op: &opLen, cmd: r.at.read("SCARD"), cacheable: true}
}

// Len returns the number of members, 0 if there is no set (SCARD).
func (r SetRef[T]) Len(ctx context.Context) (int64, error) { return call(ctx, r.at, r.length) }

func (r SetRef[T]) random() command[found[T]] {
	return command[found[T]]{op: &r.bound().random, cmd: r.at.read("SRANDMEMBER")}
}

// Random returns a random member and leaves it in the set (SRANDMEMBER).
func (r SetRef[T]) Random(ctx context.Context) (T, bool, error) {
	return both(call(ctx, r.at, r.random))
}

// RandomN returns up to n different random members. If n is negative, it returns -n members, which
// may repeat (SRANDMEMBER with a count).
func (r SetRef[T]) RandomN(ctx context.Context, n int64) ([]T, error) {
	return call(ctx, r.at, func() command[[]T] { return r.randomN(n) })
}

func (r SetRef[T]) randomN(n int64) command[[]T] {
	op := &r.bound().randomN
	if n == 0 {
		return skip(op)
	}
	return command[[]T]{op: op, cmd: r.at.read("SRANDMEMBER", strconv.FormatInt(n, 10))}
}

func (r SetRef[T]) pop() command[found[T]] {
	return command[found[T]]{op: &r.bound().pop, cmd: r.at.modify("SPOP")}
}

// Pop removes a random member from the set and returns it (SPOP). The member is removed even if it
// is not a T.
func (r SetRef[T]) Pop(ctx context.Context) (T, bool, error) { return both(call(ctx, r.at, r.pop)) }

// PopN removes up to n random members from the set and returns them (SPOP with a count).
func (r SetRef[T]) PopN(ctx context.Context, n int64) ([]T, error) {
	return call(ctx, r.at, func() command[[]T] { return r.popN(n) })
}

func (r SetRef[T]) popN(n int64) command[[]T] {
	op := &r.bound().popN
	switch {
	case n < 0:
		return refuse(op, errCount)
	case n == 0:
		return skip(op)
	}
	return command[[]T]{op: op, cmd: r.at.modify("SPOP", strconv.FormatInt(n, 10))}
}

// Iterate streams the members in pages of about [ScanCount] (SSCAN), so that a set of any size
// takes little memory. All pages come from the primary; a set of more than one page is read on its
// own connection. The order is the server's. A member that is added or removed meanwhile may be
// missing. A member may appear twice: while the server resizes its table, and when the iteration
// begins again because the set moved to another node of a Redis Cluster or the connection was lost.
// An error, of decoding too, ends the stream. The default is not used.
func (r SetRef[T]) Iterate(ctx context.Context, opts ...ScanCountOption) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		for page, err := range r.at.scanPages(ctx, &opIterate, "SSCAN", opts) {
			if err != nil {
				yield(zero, err)
				return
			}
			for _, text := range page.texts {
				v, err := r.bound().decodeText(r.at.m, text)
				if err != nil {
					yield(zero, r.at.fail(opIterate.name, err))
					return
				}
				if !yield(v, nil) {
					return
				}
			}
		}
	}
}

// Move removes v from this set and adds it to another one, in one step, and reports whether it was
// a member (SMOVE). Both sets must live in one slot, see [HashTag]; else the error wraps
// [ErrCrossSlot].
func (r SetRef[T]) Move(ctx context.Context, v T, to SetRef[T]) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.move(v, to) })
}

func (r SetRef[T]) move(v T, to SetRef[T]) command[bool] {
	text, err := r.bound().encode(r.at.m, v)
	if err != nil {
		return refuse(&opSetMove, err)
	}
	uses, err := usesOf(r.at, changes, []SetRef[T]{to}, creates)
	if err != nil {
		return refuse(&opSetMove, err)
	}
	return command[bool]{op: &opSetMove, cmd: joint([]string{"SMOVE"}, uses, -1, text), uses: uses}
}

// Union returns the members of this set and of all others, each once (SUNION). The sets must live
// in one slot, see [HashTag]; else the error wraps [ErrCrossSlot]. Defaults are not used.
func (r SetRef[T]) Union(ctx context.Context, others ...SetRef[T]) ([]T, error) {
	return call(ctx, r.at, func() command[[]T] { return r.combine(&r.bound().union, "SUNION", others) })
}

// Inter returns the members that this set and all others have in common (SINTER), under the
// conditions of [SetRef.Union].
func (r SetRef[T]) Inter(ctx context.Context, others ...SetRef[T]) ([]T, error) {
	return call(ctx, r.at, func() command[[]T] { return r.combine(&r.bound().inter, "SINTER", others) })
}

// Diff returns the members of this set that no other has (SDIFF), under the conditions of
// [SetRef.Union].
func (r SetRef[T]) Diff(ctx context.Context, others ...SetRef[T]) ([]T, error) {
	return call(ctx, r.at, func() command[[]T] { return r.combine(&r.bound().diff, "SDIFF", others) })
}

func (r SetRef[T]) combine(op *operation[[]T], name string, others []SetRef[T]) command[[]T] {
	uses, err := usesOf(r.at, reads, others, reads)
	if err != nil {
		return refuse(op, err)
	}
	return command[[]T]{op: op, cmd: joint([]string{name}, uses, -1), uses: uses}
}

// InterLen returns how many members this set and all others have in common, counted up to limit, or
// to the end if limit is 0 (SINTERCARD, Redis 7.0). The conditions are those of [SetRef.Union].
func (r SetRef[T]) InterLen(ctx context.Context, limit int64, others ...SetRef[T]) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.interLen(limit, others) })
}

func (r SetRef[T]) interLen(limit int64, others []SetRef[T]) command[int64] {
	if limit < 0 {
		return refuse(&opInterLen, errCount)
	}
	uses, err := usesOf(r.at, reads, others, reads)
	if err != nil {
		return refuse(&opInterLen, err)
	}
	return command[int64]{op: &opInterLen, cmd: joint([]string{"SINTERCARD"}, uses, 0, "LIMIT", strconv.FormatInt(limit, 10)), uses: uses}
}

// StoreUnion replaces this set with the union of others, starts the declared TTL and returns the
// number of members (SUNIONSTORE). The present members of this set count only if it is among
// others. Without others nothing is sent and nothing changes. The sets must live in one slot, see
// [HashTag]; else the error wraps [ErrCrossSlot].
func (r SetRef[T]) StoreUnion(ctx context.Context, others ...SetRef[T]) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.store(&opStoreUnion, "SUNIONSTORE", others) })
}

// StoreInter replaces this set with the intersection of others (SINTERSTORE), under the conditions
// of [SetRef.StoreUnion]. An empty result removes the set.
func (r SetRef[T]) StoreInter(ctx context.Context, others ...SetRef[T]) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.store(&opStoreInter, "SINTERSTORE", others) })
}

// StoreDiff replaces this set with the members of the first of others that no later one has
// (SDIFFSTORE), under the conditions of [SetRef.StoreUnion]. An empty result removes the set.
func (r SetRef[T]) StoreDiff(ctx context.Context, others ...SetRef[T]) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.store(&opStoreDiff, "SDIFFSTORE", others) })
}

func (r SetRef[T]) store(op *operation[int64], name string, others []SetRef[T]) command[int64] {
	if len(others) == 0 {
		return skip(op)
	}
	uses, err := usesOf(r.at, overwrites, others, reads)
	if err != nil {
		return refuse(op, err)
	}
	return command[int64]{op: op, cmd: joint([]string{name}, uses, -1), uses: uses}
}

// Rename moves the set, with its remaining TTL, to another key, as [KeyRef.Rename] does (RENAMENX
// or RENAME).
func (r SetRef[T]) Rename(ctx context.Context, to SetRef[T], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opRename, to.at, opts) })
}

// Copy copies the set, with its remaining TTL, to another key, as [KeyRef.Copy] does (COPY, Redis
// 6.2).
func (r SetRef[T]) Copy(ctx context.Context, to SetRef[T], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opCopy, to.at, opts) })
}
