package batch

import (
	"context"

	"github.com/redisimnest/redisimnest/nest"
)

var Age = nest.Key[int]("age")

func run(b *nest.Batch)          {}
func check(error)                {}
func each(n int, do func(i int)) {}

func lost(s nest.Scope) {
	b := s.Batch() // want `the batch is filled and never executed: nothing is sent; call its Exec`
	Age.At(s).In(b).Set(1)
}

func lostAtomic(s nest.Scope) {
	b := s.Atomic() // want `never executed`
	for range 3 {
		Age.At(s).In(b).Set(1)
	}
}

func lostAtOnce(s nest.Scope) {
	Age.At(s).In(s.Batch()).Set(1) // want `never executed`
}

func executed(ctx context.Context, s nest.Scope) error {
	b := s.Batch()
	age := Age.At(s).In(b).Get()
	if err := b.Exec(ctx); err != nil {
		return err
	}
	_, err := age.Value()
	return err
}

func deferred(ctx context.Context, s nest.Scope) {
	b := s.Batch()
	defer b.Exec(ctx)
	Age.At(s).In(b).Set(1)
}

func returned(s nest.Scope) *nest.Batch {
	b := s.Batch()
	Age.At(s).In(b).Set(1)
	return b
}

func handed(s nest.Scope) {
	b := s.Batch()
	Age.At(s).In(b).Set(1)
	run(b)
}

func stored(s nest.Scope, to map[string]*nest.Batch) {
	b := s.Batch()
	Age.At(s).In(b).Set(1)
	to["b"] = b
}

func closed(ctx context.Context, s nest.Scope) func() error {
	b := s.Batch()
	Age.At(s).In(b).Set(1)
	return func() error { return b.Exec(ctx) }
}

func given(s nest.Scope, b *nest.Batch) {
	Age.At(s).In(b).Set(1)
}

func early(ctx context.Context, s nest.Scope) {
	b := s.Batch()
	age := Age.At(s).In(b).Get()
	age.Value() // want `the future has no value yet: Value is called before the batch's Exec`
	check(b.Exec(ctx))
	age.Value()
}

func earlyAtOnce(ctx context.Context, s nest.Scope) {
	b := s.Batch()
	Age.At(s).In(b).Get().Value() // want `the future has no value yet`
	check(b.Exec(ctx))
}

func perhaps(ctx context.Context, s nest.Scope, now bool) {
	b := s.Batch()
	age := Age.At(s).In(b).Get()
	if now {
		check(b.Exec(ctx))
	}
	age.Value()
}

func late(ctx context.Context, s nest.Scope) {
	b := s.Batch()
	Age.At(s).In(b).Set(1)
	check(b.Exec(ctx))
	Age.At(s).In(b).Set(2) // want `the batch was executed already: an operation that is added now is refused with ErrBatch; start another batch`
}

func inTurns(ctx context.Context, s nest.Scope) {
	for range 3 {
		b := s.Batch()
		age := Age.At(s).In(b).Get()
		check(b.Exec(ctx))
		age.Value()
	}
	b := s.Batch()
	for range 3 {
		Age.At(s).In(b).Set(1)
		check(b.Exec(ctx)) // the second time through the loop
	}
}

func assigned(ctx context.Context, s nest.Scope) {
	b := s.Batch()
	for range 3 {
		Age.At(s).In(b).Set(1)
		check(b.Exec(ctx))
		b = s.Batch()
	}
}

func either(ctx context.Context, s nest.Scope, done bool) {
	b := s.Batch()
	if done {
		check(b.Exec(ctx))
		return
	}
	Age.At(s).In(b).Set(1)
	check(b.Exec(ctx))
}

func filledInside(ctx context.Context, s nest.Scope) {
	b := s.Batch()
	each(3, func(i int) { Age.At(s).In(b).Set(i) })
	check(b.Exec(ctx))
}

func unused(s nest.Scope) int {
	b := s.Batch()
	return b.Len()
}

func inVar(s nest.Scope) {
	var b = s.Batch() // want `never executed`
	Age.At(s).In(b).Set(1)
}

var inLiteral = func(s nest.Scope) {
	b := s.Batch() // want `never executed`
	Age.At(s).In(b).Set(1)
}

func result(s nest.Scope) (b *nest.Batch) {
	b = s.Batch()
	Age.At(s).In(b).Set(1)
	return
}

var queue *nest.Batch

func fillQueue(s nest.Scope) {
	queue = s.Batch()
	Age.At(s).In(queue).Set(1)
}

func flushQueue(ctx context.Context) error { return queue.Exec(ctx) }

func theOneBefore(ctx context.Context, s nest.Scope) {
	var last *nest.Future[int]
	for range 3 {
		b := s.Batch()
		if last != nil {
			last.Value() // of the batch that was executed in the previous iteration
		}
		last = Age.At(s).In(b).Get()
		check(b.Exec(ctx))
	}
}

func onCondition(ctx context.Context, s nest.Scope, now bool) {
	b := s.Batch()
	Age.At(s).In(b).Set(1)
	done := now && b.Exec(ctx) == nil
	if !done {
		Age.At(s).In(b).Set(2)
		check(b.Exec(ctx))
	}
}

type unit struct{ *nest.Batch }

func embedded(ctx context.Context, s nest.Scope) {
	u := unit{s.Batch()}
	Age.At(s).In(u.Batch).Set(1)
	check(u.Exec(ctx))
}

func named(ctx context.Context, s nest.Scope, maybe *nest.Batch) {
	if maybe == nil {
		maybe = s.Batch()
	}
	Age.At(s).In(maybe).Set(1)
}
