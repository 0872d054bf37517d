package nest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/redis/rueidis"
)

// Future is the result of an operation in a [Batch], once the batch has run. It is safe for
// concurrent use.
type Future[R any] struct {
	done  atomic.Bool
	reads bool // the operation changes nothing
	aside bool // the result was made without Redis
	value R
	err   error

	// Until it is done: the operation, and the function that reads the answer instead of the
	// operation's reply.
	does  *operation[R]
	keyed replyFunc[R]
	down  func() (R, error) // makes the result while Redis is away
}

// Value returns the result. Before [Batch.Exec] has returned, the error wraps [ErrBatch].
func (f *Future[R]) Value() (R, error) {
	if f == nil || !f.done.Load() {
		var zero R
		return zero, errNotRun
	}
	return f.value, f.err
}

// Err returns the error of the operation, if any.
func (f *Future[R]) Err() error {
	_, err := f.Value()
	return err
}

// String returns the name of the future's operation and whether it is done, and nothing about its
// result.
func (f *Future[R]) String() string {
	switch {
	case f == nil:
		return ""
	case f.done.Load():
		return "future of " + f.op() + ", done"
	}
	return "future of " + f.op() + ", not run"
}

// Format prints what String returns, for every verb and flag, so that package fmt shows neither
// values nor opened secrets.
func (f *Future[R]) Format(s fmt.State, verb rune) { formatted(s, verb, f.String()) }

func (f *Future[R]) op() string {
	if f.does == nil {
		return ""
	}
	return f.does.name
}

func (f *Future[R]) conclude(ctx context.Context, r address, answer rueidis.RedisMessage, err error) error {
	f.value, f.err = settle(ctx, r, f.does, f.keyed, f.reads, &answer, err)
	if f.down != nil && errors.Is(f.err, ErrAway) {
		f.value, f.err, f.aside = whileAway(r, f.does.name, f.down)
	}
	f.keyed, f.down = nil, nil
	f.done.Store(true)
	return f.err
}

func (f *Future[R]) degraded() bool { return f.aside }

func (f *Future[R]) refused() bool { return isRefusal(f.value) }

func (f *Future[R]) refuse(err error) {
	f.err, f.keyed, f.down = err, nil, nil
	f.done.Store(true)
}

// Done is the future of an operation that returns only an error.
type Done = Future[struct{}]

// FoundFuture is the result of an operation that may find nothing.
type FoundFuture[T any] struct {
	Future[found[T]]
}

// Value returns the result and reports whether there is one. Before [Batch.Exec] has returned, the
// error wraps [ErrBatch].
func (f *FoundFuture[T]) Value() (T, bool, error) {
	if f == nil {
		var zero T
		return zero, false, errNotRun
	}
	return both(f.Future.Value())
}

// Err returns the error of the operation, if any.
func (f *FoundFuture[T]) Err() error {
	_, _, err := f.Value()
	return err
}

var errNoBatch = &Error{Op: "batch", Err: because(ErrBatch, "the batch is nil or zero: make it with a scope's Batch or Atomic")}

var errNotRun = &Error{Op: "batch", Err: because(ErrBatch, "the result is there once Exec has returned")}
