package fixnames

import (
	"context"
	"time"

	"github.com/redisimnest/redisimnest/nest"

	"opener"
	named "other/users"
	"users"
)

var Root = nest.Cluster("shop", nest.Sub(users.Cluster))

var _ = named.At

func fixed(ctx context.Context) {
	root, _ := opener.Open(Root)
	users.Session.At(root, 7, nest.Param[string]("tokn").Of("tokn")) // want `did you mean <token>\?`
	users.Texts.At(root, 7, users.UUID{}, users.Place{})             // want `only by name`
	place := users.Place{}
	{
		users := 1 // what the fix would write means this here
		_ = users
		key.At(root, 7, ident, place) // want `only by name`
		time := 1
		_ = time
		age.At(root, 7).Expire(ctx, 90) // want `for seconds write 90\*time.Second`
	}
	_ = time.Second
}

var (
	key   = users.Texts
	age   = users.Age
	ident = users.UUID{}
)
