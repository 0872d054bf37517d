// Audit fills a Redis with 100,000 keys of a small shop, spoils some of them in every way that an
// audit finds, and prints what it finds. It writes the same report as a page for a browser.
//
//	go run ./examples/audit
//	REDIS_URL=redis://localhost:6379 go run ./examples/audit
//
// It needs no server: without a REDIS_ variable and a .env file, it starts one of its own, which
// ends with it. On a real server it uses only keys that begin with redisimnest-audit:shop, and
// deletes them when it begins and when it ends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/redisimnest/redisimnest/examples/internal/server"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/audit"
	"github.com/redisimnest/redisimnest/secure"
)

// prefix separates the example from everything else on a server.
const prefix = "redisimnest-audit"

func main() {
	page := flag.String("page", filepath.Join(os.TempDir(), "redisimnest-audit.html"), "where the page is written")
	keys := flag.Int("keys", 100_000, "about how many keys there are")
	ceiling := flag.Duration("ceiling", 0, "how much later a PING may be answered during the audit, such as 1ms; 0 is no ceiling")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, log.New(os.Stdout, "", 0), *keys, *ceiling, *page)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run fills the shop, audits it, spoils it, audits it again, and leaves nothing behind but the
// page.
func run(ctx context.Context, out *log.Logger, keys int, ceiling time.Duration, page string) (err error) {
	shop, closeShop, err := open(ctx, out)
	if err != nil {
		return err
	}
	defer closeShop()
	if _, err := shop.Clear(ctx); err != nil {
		return err
	}
	defer func() {
		// Clear also after an interrupt, which has ended ctx.
		_, clearErr := shop.Clear(context.WithoutCancel(ctx))
		err = errors.Join(err, clearErr)
	}()
	if err := fill(ctx, shop, keys); err != nil {
		return err
	}
	opts := []audit.Option{audit.CheckValues(1 << 20)}
	if ceiling > 0 {
		opts = append(opts, audit.MaxAddedLatency(ceiling))
	}
	before, err := audit.Run(ctx, shop, opts...)
	if err != nil {
		return err
	}
	if err := before.Err(); err != nil {
		return err
	}
	out.Printf("The shop has %d keys, and nothing of it differs from its declarations.", before.Total.Keys)
	if err := spoil(ctx, shop); err != nil {
		return err
	}
	out.Print("Now some of it is spoilt.\n\n")
	after, err := audit.Run(ctx, shop, opts...)
	if err != nil {
		return err
	}
	out.Print(after)
	out.Printf("What has changed since the first audit:\n\n%s", audit.Diff(before, after))
	if err := write(page, after); err != nil {
		return err
	}
	out.Printf("The page is in %s.", page)
	return nil
}

// open opens the shop on the server that the environment names, or on one of its own.
func open(ctx context.Context, out *log.Logger) (nest.Scope, func(), error) {
	found, err := server.Find(out)
	if err != nil {
		return nest.Scope{}, nil, err
	}
	ring, err := secure.NewKeyring(secure.GenerateKey())
	if err != nil {
		found.Close()
		return nest.Scope{}, nil, err
	}
	hasher, err := secure.NewPasswords(secure.Minimum())
	if err != nil {
		found.Close()
		return nest.Scope{}, nil, err
	}
	shop, closeClient, err := found.Open(ctx, Shop, nest.WithPrefix(prefix), nest.WithKeyring(ring), nest.WithPasswords(hasher))
	if err != nil {
		found.Close()
		return nest.Scope{}, nil, err
	}
	return shop, func() { closeClient(); found.Close() }, nil
}

// write writes the report as a page.
func write(path string, report *audit.Report) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(report.HTML(f), f.Close())
}
