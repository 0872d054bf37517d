// Fromgoredis takes over what a program with go-redis has stored: first the names, then the values,
// then the calls, while that program runs on. docs/from-go-redis.md follows it step by step.
//
//	go run ./examples/fromgoredis
//	REDIS_URL=redis://localhost:6379 go run ./examples/fromgoredis
//
// It needs no server: without a REDIS_ variable and a .env file, it starts one of its own, which
// ends with it. On a real server it uses only keys below fromgoredis, and deletes them when it
// begins and when it ends.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/redis/go-redis/v9"

	"github.com/redisimnest/redisimnest/examples/internal/server"
	"github.com/redisimnest/redisimnest/nest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, log.New(os.Stdout, "", 0))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run takes over a program's keys, and leaves nothing behind.
func run(ctx context.Context, out *log.Logger) (err error) {
	found, err := server.Find(out)
	if err != nil {
		return err
	}
	defer found.Close()
	url, err := found.URL()
	if err != nil {
		return err
	}
	options, err := redis.ParseURL(url)
	if err != nil {
		return err
	}
	rdb := redis.NewClient(options)
	defer rdb.Close() //nolint:errcheck // nothing is written any more
	root, closeClient, err := found.Open(ctx, Root)
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

	before := before{rdb}
	if err := before.fill(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context, *log.Logger, *redis.Client, nest.Scope) error{names, values, both, calls} {
		if err := step(ctx, out, rdb, root); err != nil {
			return err
		}
	}
	return nil
}
