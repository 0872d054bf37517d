package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/redisimnest/redisimnest/examples/internal/server"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/secure"
)

const (
	accounts  = 4    // that are written all the time
	idle      = 200  // that are never written again
	workers   = 4    // per process
	additions = 2000 // by all of them together
	password  = "correct horse battery staple"
)

// process is one process of the service. In production, each process runs on its own machine; two
// processes share only the server and, through their configuration, the keys.
type process struct {
	name  string
	ring  *secure.Holder // replaced while the process runs
	root  nest.Scope
	close func()
}

// start opens the service's keyspace for another process.
func (r *rotation) start(ctx context.Context, found server.Server, name string) (*process, error) {
	ring, err := secure.NewKeyring(r.old)
	if err != nil {
		return nil, err
	}
	p := &process{name: name, ring: secure.NewHolder(ring)}
	p.root, p.close, err = found.Open(ctx, Bank, nest.WithPrefix(prefix), nest.WithKeyring(p.ring), nest.WithPasswords(r.hasher))
	if err != nil {
		return nil, err
	}
	r.processes = append(r.processes, p)
	return p, nil
}

// work is what the processes do all the time. Each worker adds to the balances, one after the
// other, and reads the tokens, until all workers together have made all additions.
type work struct {
	started, made atomic.Int64

	wg     sync.WaitGroup
	mu     sync.Mutex
	failed []error
}

// fail records a worker's error.
func (w *work) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = append(w.failed, err)
}

// begin starts the workers of a process.
func (w *work) begin(ctx context.Context, p *process) {
	for range workers {
		w.wg.Go(func() {
			for i := w.started.Add(1); i <= additions; i = w.started.Add(1) {
				if err := p.serve(ctx, int(i)); err != nil {
					w.fail(fmt.Errorf("process %s: %w", p.name, err))
				}
				w.made.Add(1)
			}
		})
	}
}

// serve makes one addition and reads one token.
func (p *process) serve(ctx context.Context, i int) error {
	_, err := Balance.At(p.root, i%accounts).Update(ctx, func(n int, _ bool) (int, error) { return n + 1, nil })
	if err != nil {
		return err
	}
	id := accounts + i%idle
	switch token, err := Token.At(p.root, id).Get(ctx); {
	case err != nil:
		return err
	case token != tokenOf(id):
		return errors.New("the token of another account")
	}
	return nil
}

func tokenOf(id int) string { return fmt.Sprintf("token of account %d", id) }
