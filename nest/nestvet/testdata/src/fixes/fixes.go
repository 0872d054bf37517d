package fixes

import (
	"context"
	"time"

	"github.com/redisimnest/redisimnest/nest"

	"opener"
	"users"
)

var Root = nest.Cluster("shop", nest.Sub(users.Cluster))

const pause = time.Second

func fixed(ctx context.Context) {
	root, _ := opener.Open(Root)
	users.Age.At(root, nest.Param[int64]("userid").Of(7)) // want `did you mean <user_id>\?`
	users.Texts.At(root, 7, users.UUID{}, users.Place{})  // want `only by name: write users.At.Of\(value\)`
	users.Age.At(root, 7).Expire(ctx, 90)                 // want `for seconds write 90\*time.Second`
}
