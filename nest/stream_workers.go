package nest

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
)

// Workers makes [StreamRef.Consume] pass up to n entries at a time to its handler, each on a
// goroutine of its own. The handler must then be safe for concurrent use, and entries are not
// handled in their order. Entries are read a page at a time ([Count], but at least n), and the next
// page is read once all of a page have been handled. With [DeadLetter] a page has n entries. An
// entry is acknowledged after its own handler has returned nil.
//
// When the context ends, or a handler panics, the contexts of all handlers end, and Consume returns
// or panics once all have returned. The default is 1: one after the other, in order, on Consume's
// own goroutine.
func Workers(n int) ConsumeOption {
	return consumeOption(func(o *consumeOptions) error {
		o.workers = n
		if n < 1 {
			return because(ErrArgument, fmt.Sprintf("Workers(%d): at least 1", n))
		}
		return nil
	})
}

// each calls do for each of n entries: one after the other, or with [Workers] several at a time. It
// returns when all calls have returned. After an error no further call begins, except that every
// worker makes its first.
func (c *consuming[T]) each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	workers := min(c.o.workers, n)
	if workers <= 1 {
		for i := range n {
			if err := do(ctx, i); err != nil {
				return err
			}
		}
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var next atomic.Int64
	var stop atomic.Bool
	ends := make(chan workerEnd, workers)
	for range workers {
		go func() {
			var end workerEnd
			defer func() {
				if !end.returned {
					end.panicked = recover()
					stop.Store(true)
					cancel() // the others are not wanted any more
				}
				ends <- end
			}()
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if end.err = do(ctx, int(i)); end.err != nil {
					stop.Store(true)
				}
				if stop.Load() {
					break
				}
			}
			end.returned = true
		}()
	}
	var all workerEnd
	all.returned = true
	for range workers {
		switch end := <-ends; {
		case !all.returned:
		case !end.returned, all.err == nil:
			all = end
		}
	}
	switch {
	case all.panicked != nil:
		panic(all.panicked)
	case !all.returned:
		runtime.Goexit()
	}
	return all.err
}

// workerEnd is how a worker has ended.
type workerEnd struct {
	err      error
	returned bool // false: the handler has panicked or ended its goroutine
	panicked any
}
