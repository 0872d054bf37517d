// Quickstart declares a small keyspace, opens it and uses it, one step after the other.
//
//	go run ./examples/quickstart
//	REDIS_URL=redis://localhost:6379 go run ./examples/quickstart
//
// It needs no server: without a REDIS_ variable and without a .env file it brings one of its
// own, which ends with it. On a real server it keeps to keys that begin with
// redisimnest-quickstart:root, and deletes those when it begins and when it ends.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/redisimnest/redisimnest/examples/quickstart/app"
	"github.com/redisimnest/redisimnest/examples/quickstart/users"
	"github.com/redisimnest/redisimnest/nest"
)

// ProjectName is a key of its own, beside those of the domains.
var ProjectName = nest.Key[string]("project_name")

// Root composes the domains into one keyspace.
var Root = nest.Cluster("root", nest.Sub(ProjectName, app.Cluster, users.Cluster))

// prefix keeps the quickstart away from whatever else a server holds.
const prefix = "redisimnest-quickstart"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, log.New(os.Stdout, "", 0))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run opens the keyspace, walks through it, and leaves nothing behind.
func run(ctx context.Context, out *log.Logger) (err error) {
	root, closeClient, err := open(ctx, out)
	if err != nil {
		return err
	}
	defer closeClient()
	if _, err := root.Clear(ctx); err != nil {
		return err
	}
	defer func() {
		// Also after an interrupt, which has ended ctx.
		_, clearErr := root.Clear(context.WithoutCancel(ctx))
		err = errors.Join(err, clearErr)
	}()
	return tour{out, root}.run(ctx)
}
