package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/redisimnest/redisimnest/nest"
)

const (
	users  = 30
	active = 20 // the others come back only when everything is done
	rounds = 5  // of each process in each step
)

// process is one process of a release.
type process struct {
	root nest.Scope
	keys *keyspace
}

// fill writes what the old program has left behind.
func (p *process) fill(ctx context.Context) error {
	b := p.root.Batch()
	for user := range users {
		p.keys.profile.At(p.root, user).In(b).Set(Profile{Name: fmt.Sprint("user ", user)})
		p.keys.visits.At(p.root, user).In(b).Set(1000)
		p.keys.cart.At(p.root, user).In(b).PushRight("an old thing")
		p.keys.token.plain.At(p.root, user).In(b).Set(tokenOf(user))
	}
	return b.Exec(ctx)
}

// tokenOf is the token of a user.
func tokenOf(user int) string { return fmt.Sprint("token of user ", user) }

// checkToken requires that a user's token is what it has always been.
func (p *process) checkToken(ctx context.Context, user int) error {
	token, err := p.keys.token.get(ctx, p.root, user)
	if err == nil && token != tokenOf(user) {
		err = fmt.Errorf("the token of user %d is another", user)
	}
	return err
}

// work is what a process does for its users. It returns how often it has written of each kind.
func (p *process) work(ctx context.Context) (writes int64, err error) {
	for range rounds {
		for user := range active {
			if err := p.checkToken(ctx, user); err != nil {
				return writes, err
			}
			if _, err := p.keys.visits.At(p.root, user).Incr(ctx); err != nil {
				return writes, err
			}
			if _, err := p.keys.cart.At(p.root, user).PushRight(ctx, "a thing"); err != nil {
				return writes, err
			}
			_, err := p.keys.profile.At(p.root, user).Update(ctx, func(profile Profile, found bool) (Profile, error) {
				if !found {
					return profile, fmt.Errorf("user %d has no profile any more", user)
				}
				profile.Saves++
				return profile, nil
			})
			if err != nil {
				return writes, err
			}
			writes++
		}
	}
	return writes, nil
}

// traffic lets one process of each of two releases work at the same time.
func (m *migration) traffic(ctx context.Context, releases ...*keyspace) error {
	var wg sync.WaitGroup
	errs := make([]error, len(releases))
	for i, release := range releases {
		p, err := m.start(ctx, release)
		if err != nil {
			return err
		}
		wg.Go(func() {
			writes, err := p.work(ctx)
			m.written.Add(writes)
			errs[i] = err
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// account compares what is stored with what was written.
func (m *migration) account(ctx context.Context) error {
	p, err := m.start(ctx, done())
	if err != nil {
		return err
	}
	var visits, things, saves int64
	for user := range users {
		if err := p.checkToken(ctx, user); err != nil {
			return err
		}
		n, err := p.keys.visits.At(p.root, user).Get(ctx)
		if err != nil {
			return err
		}
		length, err := p.keys.cart.At(p.root, user).Len(ctx)
		if err != nil {
			return err
		}
		profile, err := p.keys.profile.At(p.root, user).Get(ctx)
		if err != nil {
			return err
		}
		visits, things, saves = visits+n-1000, things+length-1, saves+int64(profile.Saves)
	}
	keys, err := p.root.Count(ctx)
	if err != nil {
		return err
	}
	written := m.written.Load()
	m.out.Printf("%d writes of each kind: %d visits, %d things in carts, %d saves of profiles; %d keys.", written, visits, things, saves, keys)
	if visits != written || things != written || saves != written || keys != 4*users {
		return errors.New("something was lost")
	}
	m.out.Print("Nothing was lost.")
	return nil
}
