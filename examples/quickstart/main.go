// Quickstart declares a small keyspace, opens it and uses it, step by step.
//
//	go run ./examples/quickstart
//	REDIS_URL=redis://localhost:6379 go run ./examples/quickstart
//
// It needs no server: without a REDIS_ variable and a .env file, it starts one of its own, which
// ends with it. On a real server it uses only keys that begin with redisimnest-quickstart:root, and
// deletes them when it begins and when it ends.
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

// ProjectName is a key outside the domains.
var ProjectName = nest.Key[string]("project_name")

// Root composes the domains into one keyspace.
var Root = nest.Cluster("root", nest.Sub(ProjectName, app.Cluster, users.Cluster))

// prefix separates the quickstart from everything else on a server.
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

// run opens the keyspace, takes a tour through it, and leaves nothing behind.
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
		// Clear also after an interrupt, which has ended ctx.
		_, clearErr := root.Clear(context.WithoutCancel(ctx))
		err = errors.Join(err, clearErr)
	}()
	return tour{out, root}.run(ctx)
}
