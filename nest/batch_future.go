package nest

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/redis/rueidis"
)

// Future is the result of an operation in a [Batch], once the batch was run. It is safe for
// concurrent use.
type Future[R any] struct {
	done  atomic.Bool
	value R
	err   error

	// Until it is done: the operation, and what reads the answer in place of its reply.
	does  *operation[R]
	keyed func(ctx context.Context, r address, answer rueidis.RedisMessage) (R, error)
}

// Value gives the result. Before [Batch.Exec] has returned, the error wraps [ErrBatch].
func (f *Future[R]) Value() (R, error) {
	if f == nil || !f.done.Load() {
		var zero R
		return zero, errNotRun
	}
	return f.value, f.err
}

// Err gives the error of the operation, if it had one.
func (f *Future[R]) Err() error {
	_, err := f.Value()
	return err
}

// String says which operation the future is of and whether it is done, and nothing of its result.
func (f *Future[R]) String() string {
	switch {
	case f == nil:
		return ""
	case f.done.Load():
		return "future of " + f.op() + ", done"
	}
	return "future of " + f.op() + ", not run"
}

// Format prints what String gives, whatever the verb and the flags: neither values nor opened
// secrets are in what package fmt shows of it.
func (f *Future[R]) Format(s fmt.State, verb rune) { formatted(s, verb, f.String()) }

func (f *Future[R]) op() string {
	if f.does == nil {
		return ""
	}
	return f.does.name
}

func (f *Future[R]) conclude(ctx context.Context, r address, answer rueidis.RedisMessage, err error) error {
	f.value, f.err = settle(ctx, r, &command[R]{op: f.does, keyed: f.keyed}, &answer, err)
	f.keyed = nil
	f.done.Store(true)
	return f.err
}

func (f *Future[R]) refuse(err error) {
	f.err, f.keyed = err, nil
	f.done.Store(true)
}

// Done is the result of an operation that has none but success.
type Done = Future[struct{}]

// FoundFuture is the result of an operation that may find nothing.
type FoundFuture[T any] struct {
	Future[found[T]]
}

// Value gives the result and whether there is one. Before [Batch.Exec] has returned, the error
// wraps [ErrBatch].
func (f *FoundFuture[T]) Value() (T, bool, error) { return both(f.Future.Value()) }

var errNoBatch = &Error{Op: "batch", Err: because(ErrBatch, "the batch is nil or zero: make it with a scope's Batch or Atomic")}

var errNotRun = &Error{Op: "batch", Err: because(ErrBatch, "the result is there once Exec has returned")}
