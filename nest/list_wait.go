package nest

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/redis/rueidis"
)

// WaitPopLeft is [ListRef.PopLeft], but waits for an element for up to wait, or until ctx ends when
// wait is 0 (BLPOP). It returns false when none came in time, and the context's error when ctx
// ended before. A wait of less than a millisecond counts as one millisecond: a time.Duration counts
// nanoseconds, and 5 seconds are 5*time.Second. An element is never lost because the context ends,
// unless the connection to the server is lost too. If the server stalled and removes the element
// later, it is put back at its end of the list, for up to 10 seconds.
//
// After a failover by Sentinel the wait continues on the new primary. When the connection is lost
// otherwise, or the server has not answered 5 seconds after the end of the wait, the error wraps
// [ErrOutcomeUnknown]: an element may have been removed and lost, and the command is not sent
// again.
//
// A wait occupies a dedicated connection. The error wraps [ErrUnsent] when the client had none free
// for the whole wait, or until ctx ended.
func (r ListRef[T]) WaitPopLeft(ctx context.Context, wait time.Duration) (T, bool, error) {
	return both(r.waitPop(ctx, Left, wait))
}

// WaitPopRight is [ListRef.PopRight], but waits for an element, as [ListRef.WaitPopLeft] does
// (BRPOP).
func (r ListRef[T]) WaitPopRight(ctx context.Context, wait time.Duration) (T, bool, error) {
	return both(r.waitPop(ctx, Right, wait))
}

//nest:ttl changes
func (r ListRef[T]) waitPop(ctx context.Context, from End, wait time.Duration) (found[T], error) {
	if err := r.at.admit(ctx, waitPopName(from)); err != nil {
		return found[T]{}, err
	}
	op, name := &r.list().waitPopLeft, "BLPOP"
	if from == Right {
		op, name = &r.list().waitPopRight, "BRPOP"
	}
	return waiting(ctx, r.at, op, wait, func(b rueidis.Builder, seconds string) rueidis.Completed {
		return b.Arbitrary(name).Keys(r.at.key).Args(seconds).Blocking()
	}, r.putBack(from))
}

// waitPopName returns the name of a pop that waits, even on a reference that belongs to no list.
func waitPopName(from End) string {
	if from == Right {
		return "wait pop right"
	}
	return "wait pop left"
}

// putBack returns the function that puts elements that were popped too late back at their end.
func (r ListRef[T]) putBack(from End) func(context.Context, rueidis.RedisMessage) {
	return func(ctx context.Context, answer rueidis.RedisMessage) {
		parts, err := answer.ToArray()
		if err != nil || len(parts) != 2 {
			return
		}
		texts, err := parts[1].AsStrSlice()
		if err != nil {
			one, err := parts[1].ToString()
			if err != nil {
				return
			}
			texts = []string{one}
		}
		slices.Reverse(texts)
		name := "LPUSH"
		if from == Right {
			name = "RPUSH"
		}
		r.at.putBack(ctx, r.at.writeMany(name, joinLast, nil, texts))
	}
}

// WaitPopLeftN is [ListRef.PopLeftN], but waits for a first element, as [ListRef.WaitPopLeft] does,
// and then returns up to n that are there (BLMPOP, Redis 7.0). An empty result means that none came
// in time.
func (r ListRef[T]) WaitPopLeftN(ctx context.Context, n int64, wait time.Duration) ([]T, error) {
	return r.waitPopN(ctx, Left, n, wait)
}

// WaitPopRightN is [ListRef.PopRightN], but waits for a first element, as [ListRef.WaitPopLeftN]
// does (BLMPOP, Redis 7.0).
func (r ListRef[T]) WaitPopRightN(ctx context.Context, n int64, wait time.Duration) ([]T, error) {
	return r.waitPopN(ctx, Right, n, wait)
}

//nest:ttl changes
func (r ListRef[T]) waitPopN(ctx context.Context, from End, n int64, wait time.Duration) ([]T, error) {
	return waitMany(ctx, r.at, waitPopName(from)+" n", func() *operation[[]T] {
		if from == Right {
			return &r.list().waitPopRightN
		}
		return &r.list().waitPopLeftN
	}, "BLMPOP", string(from), n, wait, r.putBack(from))
}

// WaitMove is [ListRef.Move], but waits for an element, as [ListRef.WaitPopLeft] does (BLMOVE, or
// LMOVE in a script once BLMOVE has found something, Redis 6.2). A target that is declared with a
// TTL gets it in the same step as the element; several waiters on one list are then not served in
// the order in which they came.
func (r ListRef[T]) WaitMove(ctx context.Context, from End, to ListRef[T], at End, wait time.Duration) (T, bool, error) {
	var zero T
	if err := r.at.admit(ctx, "move"); err != nil {
		return zero, false, err
	}
	c := r.move(from, to, at)
	if c.err != nil {
		return zero, false, r.at.fail(c.op.name, c.err)
	}
	op := c.op
	if to.at.m.settings.ttl == 0 && !r.at.renews() {
		return both(waiting(ctx, r.at, op, wait, r.blmove(from, to.at.key, at), nil, to.at))
	}
	// A script cannot wait, and BLMOVE cannot set an expiry. So the command that waits moves an
	// element from an end to the same end, which changes nothing, and a script makes the move after
	// it. A waiter that comes too late for that waits again.
	if wait > 0 {
		wait = max(wait, time.Millisecond)
	}
	for end := time.Now().Add(wait); ; {
		f, err := run(ctx, r.at, c)
		if err != nil || f.ok {
			return both(f, err)
		}
		left := time.Duration(0)
		if wait != 0 {
			if left = time.Until(end); left <= 0 && wait > 0 {
				return zero, false, nil
			}
		}
		if f, err = waiting(ctx, r.at, op, left, r.blmove(from, r.at.key, from), nil); err != nil || !f.ok {
			return both(found[T]{}, err)
		}
		c = r.move(from, to, at)
	}
}

func (r ListRef[T]) blmove(from End, to string, at End) func(rueidis.Builder, string) rueidis.Completed {
	return func(b rueidis.Builder, seconds string) rueidis.Completed {
		return b.Arbitrary("BLMOVE").Keys(r.at.key, to).Args(string(from), string(at), seconds).Blocking()
	}
}

// replyPopped reads the key and the element that BLPOP returns, or nil.
func replyPopped[T any](m *mounted, a rueidis.RedisMessage) (found[T], error) {
	if a.IsNil() {
		return found[T]{}, nil
	}
	parts, err := a.ToArray()
	if err != nil || len(parts) != 2 {
		return found[T]{}, errAnswer
	}
	return replyElement[T](m, parts[1])
}

// replyPoppedN reads the key and the elements that BLMPOP returns, or nil.
func replyPoppedN[T any](m *mounted, a rueidis.RedisMessage) ([]T, error) {
	if a.IsNil() {
		return nil, nil
	}
	parts, err := a.ToArray()
	if err != nil || len(parts) != 2 {
		return nil, errAnswer
	}
	return replyElements[T](m, parts[1])
}

// Iterate streams the list from the left, in pages of [ScanCount] elements (LRANGE). A push or
// removal on the left meanwhile shifts the pages: elements may come twice or not at all. An error
// ends the stream. The default is not used.
func (r ListRef[T]) Iterate(ctx context.Context, opts ...ScanCountOption) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		count, err := r.at.scanning(ctx, "range", opts)
		if err != nil {
			yield(zero, err)
			return
		}
		size := int64(count)
		for first := int64(0); ; first += size {
			c := r.span(first, first+size-1)
			c.cacheable = false // a long list would drive everything else out of the cache
			page, err := run(ctx, r.at, c)
			if err != nil {
				yield(zero, err)
				return
			}
			for _, v := range page {
				if !yield(v, nil) {
					return
				}
			}
			if int64(len(page)) < size {
				return
			}
		}
	}
}
