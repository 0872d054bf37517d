package nest

import (
	"context"
	"iter"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// WaitPopLeft is [ListRef.PopLeft] that waits for an element for up to wait, or as long as ctx
// lives when wait is 0 (BLPOP). It gives false when none came in time, and the context's error
// when that ended before. A wait of less than a millisecond is one of a millisecond: a
// time.Duration counts nanoseconds, and 5 seconds are 5*time.Second. An element is never lost to a
// context that ends meanwhile, unless the connection to the server is.
func (r ListRef[T]) WaitPopLeft(ctx context.Context, wait time.Duration) (T, bool, error) {
	return both(r.waitPop(ctx, Left, wait))
}

// WaitPopRight is [ListRef.PopRight] that waits for an element, as [ListRef.WaitPopLeft] does
// (BRPOP).
func (r ListRef[T]) WaitPopRight(ctx context.Context, wait time.Duration) (T, bool, error) {
	return both(r.waitPop(ctx, Right, wait))
}

//nest:ttl changes
func (r ListRef[T]) waitPop(ctx context.Context, from End, wait time.Duration) (found[T], error) {
	if err := r.at.usable(); err != nil {
		return found[T]{}, err
	}
	op, name := &r.list().waitPopLeft, "BLPOP"
	if from == Right {
		op, name = &r.list().waitPopRight, "BRPOP"
	}
	return waiting(ctx, r.at, op, wait, func(b rueidis.Builder, seconds string) rueidis.Completed {
		return b.Arbitrary(name).Keys(r.at.key).Args(seconds).Blocking()
	})
}

// WaitPopLeftN is [ListRef.PopLeftN] that waits for a first element, as [ListRef.WaitPopLeft]
// does, and then gives up to n that are there (BLMPOP, Redis 7.0). No elements mean that none
// came in time.
func (r ListRef[T]) WaitPopLeftN(ctx context.Context, n int64, wait time.Duration) ([]T, error) {
	return r.waitPopN(ctx, Left, n, wait)
}

// WaitPopRightN is [ListRef.PopRightN] that waits for a first element, as
// [ListRef.WaitPopLeftN] does (BLMPOP, Redis 7.0).
func (r ListRef[T]) WaitPopRightN(ctx context.Context, n int64, wait time.Duration) ([]T, error) {
	return r.waitPopN(ctx, Right, n, wait)
}

//nest:ttl changes
func (r ListRef[T]) waitPopN(ctx context.Context, from End, n int64, wait time.Duration) ([]T, error) {
	if err := r.at.usable(); err != nil {
		return nil, err
	}
	op := &r.list().waitPopLeftN
	if from == Right {
		op = &r.list().waitPopRightN
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
		return b.Arbitrary("BLMPOP").Args(seconds, "1").Keys(r.at.key).Args(string(from), "COUNT", strconv.FormatInt(n, 10)).Blocking()
	})
}

// WaitMove is [ListRef.Move] that waits for an element, as [ListRef.WaitPopLeft] does (BLMOVE, or
// LMOVE in a script once BLMOVE has found something, Redis 6.2). A target that is declared with a
// TTL gets it in the same step as the element: several who wait for one list are then not served
// in the order in which they came.
func (r ListRef[T]) WaitMove(ctx context.Context, from End, to ListRef[T], at End, wait time.Duration) (T, bool, error) {
	var zero T
	if err := r.at.ready(ctx, "move"); err != nil {
		return zero, false, err
	}
	c := r.move(from, to, at)
	if c.err != nil {
		return both(unsent(r.at, c))
	}
	op := c.op
	if to.at.m.settings.ttl == 0 && !r.at.renews() {
		return both(waiting(ctx, r.at, op, wait, r.blmove(from, to.at.key, at), to.at))
	}
	// A script cannot wait, and BLMOVE cannot set an expiry. So what waits is a move from an
	// end to the same end, which changes nothing, and a script makes the move after it;
	// whoever comes too late for that waits again.
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
		if f, err = waiting(ctx, r.at, op, left, r.blmove(from, r.at.key, from)); err != nil || !f.ok {
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

// replyPopped reads the key and the element that BLPOP gives, or nil.
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

// replyPoppedN reads the key and the elements that BLMPOP gives, or nil.
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

// Iterate streams the list from the left, in pages of [ScanCount] elements (LRANGE). What is
// pushed or removed on the left meanwhile shifts the pages: elements may come twice or not at
// all. An error ends the stream. The default is not used.
func (r ListRef[T]) Iterate(ctx context.Context, opts ...ScanOption) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		if err := r.at.ready(ctx, "range"); err != nil {
			yield(zero, err)
			return
		}
		size := int64(r.at.scanOptions(opts).count)
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
