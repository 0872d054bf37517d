// Package nestscs keeps the sessions of github.com/alexedwards/scs in a service's own keyspace:
//
//	var (
//		Session = nestscs.Key("session:<token>", nest.Doc("A visitor's session."))
//		Root    = nest.Cluster("shop", nest.Sub(Session))
//	)
//
//	root, err := nest.Open(client, Root)
//	manager := scs.New()
//	manager.Store = nestscs.New(root, Session)
//	http.ListenAndServe(addr, manager.LoadAndSave(mux))
//
// So sessions are declared, described, counted, audited and cleared as all other keys are, and a
// Redis Cluster, Sentinel, time-outs and observers work for them as for everything else.
package nestscs

import (
	"context"
	"errors"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/redisimnest/redisimnest/nest"
)

// token is the parameter of a session's key. Whoever knows a token has the session, so that it is
// in no error and in no log.
var token = nest.Param[string]("token", nest.Sensitive())

// Key declares the key of sessions. Its template has the parameter <token>: "session:<token>". The
// key and its token are sensitive ([nest.Sensitive]): neither is shown in errors, logs and tools. A
// session ends when scs says so, and no read makes it live longer, whatever TTL and AutoRenew are
// inherited. Key panics where [nest.Key] does.
func Key(template string, opts ...nest.KeyOption) *nest.KeyDef[[]byte] {
	own := []nest.KeyOption{nest.Params(token), nest.Sensitive(), nest.AutoRenew(false)}
	return nest.Key[[]byte](template, append(own, opts...)...)
}

// Store is a store for scs.SessionManager. It is safe for concurrent use.
type Store struct {
	scope nest.Scope
	key   *nest.KeyDef[[]byte]
}

var _ interface {
	scs.IterableStore
	scs.CtxStore
	scs.IterableCtxStore
} = (*Store)(nil)

// New returns a store of the sessions that key declares, below a scope. Only the token may be open
// between the two. What is wrong with them is the error of every operation of the store, as it is
// that of a reference; [Store.Err] returns it at once.
func New(scope nest.Scope, key *nest.KeyDef[[]byte]) *Store { return &Store{scope, key} }

// Err returns what is wrong with the scope or the key of the store, or nil.
func (s *Store) Err() error { return s.key.At(s.scope, "token").Err() }

// FindCtx returns what was committed for a token, and whether there is any (GET). A token that no
// key can have, such as a much too long one from a forged cookie, is not found.
func (s *Store) FindCtx(ctx context.Context, token string) (b []byte, found bool, err error) {
	b, found, err = s.key.At(s.scope, token).Lookup(ctx)
	return b, found, s.known(err)
}

// CommitCtx stores a session until its expiry (SET PX). A session whose expiry has passed is
// deleted.
func (s *Store) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	left := time.Until(expiry)
	if left < time.Millisecond {
		return s.DeleteCtx(ctx, token)
	}
	return s.key.At(s.scope, token).Set(ctx, b, nest.ExpireIn(left))
}

// DeleteCtx removes a session. It is no error if there is none (UNLINK).
func (s *Store) DeleteCtx(ctx context.Context, token string) error {
	_, err := s.key.At(s.scope, token).Delete(ctx)
	return s.known(err)
}

// known returns nil for the error of a token that no session can have.
func (s *Store) known(err error) error {
	if errors.Is(err, nest.ErrParamValue) && s.Err() == nil {
		return nil
	}
	return err
}

// page is how many sessions AllCtx reads at a time.
const page = 256

// AllCtx returns all sessions below the store's scope, by their tokens (SCAN and GET). It holds all
// of them in memory at once.
func (s *Store) AllCtx(ctx context.Context) (map[string][]byte, error) {
	if err := s.Err(); err != nil {
		return nil, err
	}
	all := make(map[string][]byte)
	tokens := make([]string, 0, page)
	for m, err := range s.scope.Keys(ctx, nest.Only(s.key)) {
		if err != nil {
			return nil, err
		}
		t, err := token.From(m)
		if err != nil {
			return nil, err
		}
		if tokens = append(tokens, t); len(tokens) == page {
			if err := s.read(ctx, all, tokens); err != nil {
				return nil, err
			}
			tokens = tokens[:0]
		}
	}
	return all, s.read(ctx, all, tokens)
}

// read adds the sessions that have these tokens, and have not ended since.
func (s *Store) read(ctx context.Context, all map[string][]byte, tokens []string) error {
	b := s.scope.Batch()
	found := make([]*nest.FoundFuture[[]byte], len(tokens))
	for i, t := range tokens {
		found[i] = s.key.At(s.scope, t).In(b).Lookup()
	}
	if err := b.Exec(ctx); err != nil {
		return err
	}
	for i, t := range tokens {
		v, ok, err := found[i].Value()
		if err != nil {
			return err
		}
		if ok {
			all[t] = v
		}
	}
	return nil
}

// Find is FindCtx without a context.
func (s *Store) Find(token string) (b []byte, found bool, err error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is CommitCtx without a context.
func (s *Store) Commit(token string, b []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, b, expiry)
}

// Delete is DeleteCtx without a context.
func (s *Store) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// All is AllCtx without a context.
func (s *Store) All() (map[string][]byte, error) { return s.AllCtx(context.Background()) }
