// Package main composes the domains, so that the whole path is known.
package main

import (
	"context"
	"time"

	"github.com/redisimnest/redisimnest/nest"

	"later"
	"opener"
	"users"
)

var (
	Tenant = nest.Cluster("tenant:<tenant>", nest.Sub(users.Cluster, messages))
	Admin  = nest.Cluster("admin", nest.Sub(messages))
	Root   = nest.Cluster("shop", nest.Sub(Tenant, Admin, later.Cluster))

	messages = nest.List[string]("messages:<box>")
	Private  = nest.Cluster("private:<p>", nest.Sub(note))
	note     = nest.Key[string]("note")
)

type service struct{ root nest.Scope }

func (s service) run(ctx context.Context) {
	users.Age.At(s.root, "acme", 7).Get(ctx)
	users.Age.At(s.root, 7).Get(ctx)
	users.Age.At(s.root, "acme", 7, 8)                              // want `at "shop:tenant:<tenant>:user:<user_id>:age": unexpected parameter: argument 3 of 3 has no parameter left to fill: open below the scope are <tenant>, <user_id>`
	users.Age.At(s.root, nest.Param[string]("tenat").Of("acme"), 7) // want `unexpected parameter: <tenat> \(argument 1 of 2\): no parameter of the template has this name: did you mean <tenant>\?`
	users.Age.At(s.root, users.ID.Of(7), "acme")
	users.Age.At(s.root, users.ID.Of(7), users.ID.Of(7)) // want `<user_id> \(argument 2 of 2\) is given twice`
	users.Deep.At(s.root, 1, 2, 3)
	users.Pair.At(s.root, "acme", 7, 1, 2)

	messages.At(s.root, "in")
	messages.At(s.root, "acme", "in")
	messages.At(s.root, "acme", "in", 1) // want `unexpected parameter`

	users.Age.At(s.root, "acme", 7).Expire(ctx, 60) // want `Expire\(60ns\): a time.Duration counts nanoseconds: for seconds write 60\*time.Second`
	users.Age.At(s.root, "acme", 7).Expire(ctx, 60*time.Second)
	users.Age.At(s.root, "acme", 7).Expire(ctx, 0)
}

func main() {
	root, err := opener.Open(Root)
	if err != nil {
		return
	}
	users.Age.At(root, "acme", 7)
	users.Age.At(root, 7) // want `at "shop:tenant:<tenant>:user:<user_id>:age": missing parameter: <user_id>: open below the scope are <tenant>, <user_id>; got 1 argument`
	note.At(root)         // want `not mounted: "note" is not mounted below "shop": the scope stands there`
	acme := Tenant.At(root, "acme")
	later.Late.At(root, 1)
	later.Late.At(root) // want `at "shop:later:late:<id>": missing parameter: <id>`
	users.Age.At(acme, 7)
	users.Age.At(acme)       // want `missing parameter: <user_id>`
	users.Age.At(acme, 7, 8) // want `unexpected parameter`
}
