// Command keyctl is the command line of a small shop over its own keyspace. Without a server it
// works on an embedded one with a few keys in it, so that every command shows something:
//
//	go run ./examples/keyctl tree
//	go run ./examples/keyctl ls --where user_id=42
//	go run ./examples/keyctl get shop:user:42:login:7f3a
//	go run ./examples/keyctl clear --where user_id=42
//
// What a service needs of it is the tree and one line in main: keyctl.Main(Root, env.Open).
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"os"
	"time"

	"github.com/redisimnest/redisimnest/examples/internal/server"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/keyctl"
)

// The keyspace of the shop.
var (
	UserID = nest.Param[int64]("user_id")
	Token  = nest.Param[string]("token", nest.Sensitive())

	Name  = nest.Key[string]("name", nest.Doc("what a user is called"))
	Login = nest.Hash[string]("login:<token>", nest.Params(Token), nest.TTL(time.Hour))
	Cart  = nest.List[string]("cart", nest.TTL(24*time.Hour))
	User  = nest.Cluster("user:<user_id>", nest.Params(UserID), nest.Sub(Name, Login, Cart))

	Visits  = nest.Counter[int64]("visits:<day>")
	Seller  = nest.SortedSet[string]("sellers", nest.TTL(time.Hour))
	Reports = nest.Cluster("report", nest.Protected(), nest.Sub(Visits, Seller))

	Root = nest.Cluster("shop", nest.Sub(User, Reports))
)

func main() { keyctl.Main(Root, open) }

// open stands in for env.Open: it starts an embedded server if the environment names none.
func open(ctx context.Context, root *nest.ClusterDef, opts ...nest.OpenOption) (nest.Scope, func(), error) {
	found, err := server.Find(log.New(io.Discard, "", 0))
	if err != nil {
		return nest.Scope{}, nil, err
	}
	shop, closeClient, err := found.Open(ctx, root, opts...)
	if err != nil {
		found.Close()
		return nest.Scope{}, nil, err
	}
	if os.Getenv("REDIS_URL") == "" {
		err = fill(ctx, shop)
	}
	return shop, func() { closeClient(); found.Close() }, err
}

// fill writes the keys of two users and some reports.
func fill(ctx context.Context, shop nest.Scope) error {
	b := shop.Batch()
	for id, name := range map[int64]string{7: "Bea", 42: "Ali"} {
		u := User.At(shop, id)
		Name.At(u).In(b).Set(name)
		Cart.At(u).In(b).PushRight("tea", "two cups")
		Login.At(u, "7f3a").In(b).SetMany(map[string]string{"device": "phone", "city": "Oslo"})
	}
	visits := Visits.At(shop, "2026-11-29").In(b).Add(412)
	Seller.At(shop).In(b).Add("tea", 31)
	return errors.Join(b.Exec(ctx), visits.Err())
}
