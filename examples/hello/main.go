// Command hello is the first program of the README: it writes a key and reads it.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/redisimnest/redisimnest/env"
	"github.com/redisimnest/redisimnest/nest"
)

// Two keys for each user, and the cluster that holds them. Both end a day after they were written.
var (
	Name   = nest.Key[string]("name", nest.Default("Unknown"))
	Visits = nest.Counter[int64]("visits")

	User = nest.Cluster("user:<user_id>", nest.TTL(24*time.Hour), nest.Sub(Name, Visits))
	Root = nest.Cluster("root", nest.Sub(User))
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	root, closeClient, err := env.Open(ctx, Root) // REDIS_URL, or localhost:6379
	if err != nil {
		return err
	}
	defer closeClient()

	user := User.At(root, 42)
	if err := Name.At(user).Set(ctx, "Ali"); err != nil {
		return err
	}
	visits, err := Visits.At(user).Incr(ctx)
	if err != nil {
		return err
	}
	fmt.Println(Visits.At(user).Key(), visits) // root:user:42:visits 1
	return nil
}
