package ctx

import (
	"context"

	"github.com/redisimnest/redisimnest/nest"
)

var Age = nest.Key[int]("age")

func other(context.Context) {}

func handle(ctx context.Context, s nest.Scope) {
	Age.At(s).Get(ctx)
	Age.At(s).Get(context.WithoutCancel(ctx))
	Age.At(s).Get(context.Background()) // want `context.Background\(\) in a function that has ctx: the call goes on when its caller has given up \(context.WithoutCancel\(ctx\) says that this is meant\)`
	Age.At(s).Get(context.TODO())       // want `context.TODO\(\) in a function that has ctx`
	Age.At(s).Get(context.Background()) //nest:ignore it is on purpose
	other(context.Background())
	defer Age.At(s).Get(context.Background())
	go Age.At(s).Get(context.Background())
	go func() { Age.At(s).Get(context.Background()) }()
	func(inner context.Context) {
		Age.At(s).Get(context.Background()) // want `in a function that has inner`
	}(ctx)
	b := s.Batch()
	Age.At(s).In(b).Set(1)
	b.Exec(context.Background()) // want `context.Background`
}

func start(s nest.Scope) {
	Age.At(s).Get(context.Background())
}

func unnamed(_ context.Context, s nest.Scope) {
	Age.At(s).Get(context.Background())
}

func cleanup(ctx context.Context, s nest.Scope, done chan int) {
	select {
	case <-ctx.Done():
		Age.At(s).Set(context.Background(), 1)
	case <-done:
		Age.At(s).Set(context.Background(), 1) // want `in a function that has ctx`
	}
	if ctx.Err() != nil {
		Age.At(s).Set(context.Background(), 1)
	}
	switch {
	case ctx.Err() != nil:
		Age.At(s).Set(context.Background(), 1)
	}
}

type Ctx = context.Context

func aliased(ctx Ctx, s nest.Scope) {
	Age.At(s).Set(context.Background(), 1) // want `in a function that has ctx`
}
