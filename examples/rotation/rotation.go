package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/secure"
)

// rotation replaces one key with another.
type rotation struct {
	out       *log.Logger
	old, next secure.Key
	hasher    *secure.Passwords
	processes []*process
	work      work
}

func newRotation(out *log.Logger) (*rotation, error) {
	hasher, err := secure.NewPasswords(secure.Minimum())
	return &rotation{out: out, old: secure.GenerateKey(), next: secure.GenerateKey(), hasher: hasher}, err
}

func (r *rotation) run(ctx context.Context) error {
	if err := r.fill(ctx); err != nil {
		return err
	}
	r.out.Printf("%d secrets and a password, sealed with the old key.", accounts+idle)
	for _, p := range r.processes {
		r.work.begin(ctx, p)
	}
	defer r.work.wg.Wait()
	r.out.Printf("%d processes read and write them.", len(r.processes))

	for _, step := range []struct {
		what string
		do   func(ctx context.Context) error
	}{
		{"1. accept: every process learns the next key, and seals with the old one", r.replace(r.old, r.next)},
		{"2. promote: every process seals with the next key, and accepts the old one", r.replace(r.next, r.old)},
		{"3. sweep: values that the old key sealed are resealed", r.sweep},
		{"4. remove: every process forgets the old key", r.replace(r.next)},
	} {
		if err := r.pass(ctx, 300); err != nil { // work goes on between the steps
			return err
		}
		r.out.Print(step.what)
		if err := step.do(ctx); err != nil {
			return err
		}
	}
	r.work.wg.Wait()
	return r.account(ctx)
}

// fill writes the initial data.
func (r *rotation) fill(ctx context.Context) error {
	root := r.processes[0].root
	b := root.Batch()
	for id := range accounts {
		Balance.At(root, id).In(b).Set(0)
	}
	for id := accounts; id < accounts+idle; id++ {
		Token.At(root, id).In(b).Set(tokenOf(id))
	}
	Login.At(root, 0).In(b).Set(password)
	return b.Exec(ctx)
}

// pass waits until the given number of further additions were made, or all additions.
func (r *rotation) pass(ctx context.Context, more int64) error {
	until := min(r.work.made.Load()+more, additions)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for r.work.made.Load() < until {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// replace gives the processes another keyring, one after the other, as a deployment does: in
// between, some have it and some do not.
func (r *rotation) replace(primary secure.Key, accepted ...secure.Key) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, p := range r.processes {
			ring, err := secure.NewKeyring(primary, secure.AcceptOnly(accepted...))
			if err != nil {
				return err
			}
			p.ring.Store(ring)
			if err := r.pass(ctx, 80); err != nil {
				return err
			}
		}
		return nil
	}
}

// sweep goes over all keys until a pass finds nothing to do.
func (r *rotation) sweep(ctx context.Context) error {
	for {
		report, err := nest.Rotate(ctx, r.processes[0].root)
		if err != nil {
			return err
		}
		if report.Failed > 0 {
			return errors.New(report.String())
		}
		if report.Clean() {
			r.out.Printf("   a pass over %d keys found nothing that is left to do", report.Scanned)
			return nil
		}
	}
}

// account counts what was lost.
func (r *rotation) account(ctx context.Context) error {
	if err := errors.Join(r.work.failed...); err != nil {
		return err
	}
	root := r.processes[1].root
	sum, endless := 0, 0
	for id := range accounts {
		n, err := Balance.At(root, id).Get(ctx)
		if err != nil {
			return err
		}
		sum += n
	}
	for id := accounts; id < accounts+idle; id++ {
		left, err := Token.At(root, id).TTL(ctx)
		if err != nil {
			return err
		}
		if left == nest.Forever {
			endless++
		}
	}
	ok, err := Login.At(root, 0).Verify(ctx, password)
	if err != nil {
		return err
	}
	r.out.Printf("%d additions were made, %d lost; %d of %d expiries lost; the password matches: %t.",
		additions, additions-sum, endless, idle, ok)
	if sum != additions || endless > 0 || !ok {
		return fmt.Errorf("something was lost")
	}
	r.out.Print("Nothing was lost.")
	return nil
}
