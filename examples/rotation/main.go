// Rotation replaces the key that encrypts a service's secrets while two processes of the service go
// on reading and writing them. At the end it counts what was lost.
//
//	go run ./examples/rotation
//	REDIS_URL=redis://localhost:6379 go run ./examples/rotation
//
// It needs no server: without a REDIS_ variable and a .env file, it starts one of its own, which
// ends with it. On a real server it uses only keys that begin with redisimnest-rotation:bank, and
// deletes them when it begins and when it ends.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/redisimnest/redisimnest/examples/internal/server"
	"github.com/redisimnest/redisimnest/nest"
)

// The data of the service, all of it sealed.
var (
	Balance = nest.Secret[int]("balance", nest.TTL(time.Hour))
	Token   = nest.Secret[string]("token", nest.TTL(time.Hour))
	Login   = nest.Password("password")
	Account = nest.Cluster("account:<id>", nest.Sub(Balance, Token, Login))
	Bank    = nest.Cluster("bank", nest.Sub(Account))
)

// prefix separates the example from everything else on a server.
const prefix = "redisimnest-rotation"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, log.New(os.Stdout, "", 0))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run starts two processes of the service, rotates their key, and leaves nothing behind.
func run(ctx context.Context, out *log.Logger) (err error) {
	found, err := server.Find(out)
	if err != nil {
		return err
	}
	defer found.Close()

	r, err := newRotation(out)
	if err != nil {
		return err
	}
	for _, name := range []string{"A", "B"} {
		p, err := r.start(ctx, found, name)
		if err != nil {
			return err
		}
		defer p.close()
	}
	root := r.processes[0].root
	if _, err := root.Clear(ctx); err != nil {
		return err
	}
	defer func() {
		// Clear also after an interrupt, which has ended ctx.
		_, clearErr := root.Clear(context.WithoutCancel(ctx))
		err = errors.Join(err, clearErr)
	}()
	return r.run(ctx)
}
