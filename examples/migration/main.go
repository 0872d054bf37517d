// Migration renames, retypes and encrypts the keys of a service while two processes of it go on
// writing. At the end it counts what was lost. docs/migrating.md follows it step by step.
//
//	go run ./examples/migration
//	REDIS_URL=redis://localhost:6379 go run ./examples/migration
//
// It needs no server: without a REDIS_ variable and a .env file, it starts one of its own, which
// ends with it. On a real server it uses only keys below migration, and deletes them when it begins
// and when it ends.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"sync/atomic"

	"github.com/redisimnest/redisimnest/examples/internal/server"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/secure"
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

// run moves a service from one keyspace to another, and leaves nothing behind.
func run(ctx context.Context, out *log.Logger) (err error) {
	found, err := server.Find(out)
	if err != nil {
		return err
	}
	defer found.Close()
	ring, err := secure.NewKeyring(secure.GenerateKey())
	if err != nil {
		return err
	}
	m := &migration{out: out, server: found, ring: ring}
	defer m.close()
	before, err := m.start(ctx, asItWas())
	if err != nil {
		return err
	}
	if _, err := before.root.Clear(ctx); err != nil {
		return err
	}
	defer func() {
		// Clear also after an interrupt, which has ended ctx.
		_, clearErr := before.root.Clear(context.WithoutCancel(ctx))
		err = errors.Join(err, clearErr)
	}()
	return m.run(ctx, before)
}

// migration is the service and its processes.
type migration struct {
	out    *log.Logger
	server server.Server
	ring   *secure.Keyring
	closes []func()
	// written counts the writes of each kind that a server has acknowledged.
	written atomic.Int64
}

func (m *migration) close() {
	for _, closeClient := range m.closes {
		closeClient()
	}
}

// start starts a process of a release.
func (m *migration) start(ctx context.Context, release *keyspace) (*process, error) {
	root, closeClient, err := m.server.Open(ctx, release.root, nest.WithKeyring(m.ring))
	if err != nil {
		return nil, err
	}
	m.closes = append(m.closes, closeClient)
	return &process{root: root, keys: release}, nil
}

func (m *migration) run(ctx context.Context, before *process) error {
	if err := before.fill(ctx); err != nil {
		return err
	}
	m.out.Printf("%d users of a program whose names have grown: usr:<id>, visits-<id>, <id>:cart; and plain tokens.", users)
	for _, step := range []struct {
		what string
		a, b *keyspace
	}{
		{"release 0: the names and forms as they are", asItWas(), asItWas()},
		{"release 1, beside release 0: knows the coming names and the coming form", asItWas(), knowing()},
		{"release 1 everywhere", knowing(), knowing()},
		{"release 2, beside release 1: each moves keys to its own names", knowing(), renamed()},
		{"release 2 everywhere", renamed(), renamed()},
	} {
		m.out.Print(step.what)
		if err := m.traffic(ctx, step.a, step.b); err != nil {
			return err
		}
	}
	if err := m.migrate(ctx); err != nil {
		return err
	}
	if err := m.seal(ctx); err != nil {
		return err
	}
	m.out.Print("release 4: without the old names, and without AcceptPlain")
	if err := m.traffic(ctx, done(), done()); err != nil {
		return err
	}
	return m.account(ctx)
}

// migrate moves the keys that nobody has used, until a pass finds none.
func (m *migration) migrate(ctx context.Context) error {
	p, err := m.start(ctx, renamed())
	if err != nil {
		return err
	}
	for {
		report, err := nest.Migrate(ctx, p.root, nest.KeysPerSecond(50_000))
		if err != nil {
			return err
		}
		if report.Both > 0 || report.Failed > 0 {
			return fmt.Errorf("some keys were left:\n%s", report)
		}
		if report.Clean() {
			m.out.Print("release 3: Migrate has moved the keys that nobody used, and its last pass was clean")
			return nil
		}
	}
}

// seal encrypts the tokens, until a pass finds none that is plain.
func (m *migration) seal(ctx context.Context) error {
	p, err := m.start(ctx, renamed())
	if err != nil {
		return err
	}
	for {
		report, err := nest.Rotate(ctx, p.root)
		if err != nil {
			return err
		}
		if report.Failed > 0 {
			return fmt.Errorf("some tokens were left:\n%s", report)
		}
		if report.Clean() {
			m.out.Print("release 3: Rotate has sealed the tokens, and its last pass was clean")
			return nil
		}
	}
}
