package fixctx

import (
	"context"

	"github.com/redisimnest/redisimnest/nest"
)

var Age = nest.Key[int]("age")

func handle(ctx context.Context, s nest.Scope) {
	Age.At(s).Get(context.Background()) // want `in a function that has ctx`
	if ctx := 1; ctx > 0 {
		Age.At(s).Get(context.Background()) // want `in a function that has ctx`
	}
}
