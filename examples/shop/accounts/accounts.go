package accounts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nestscs"
)

// The errors of this package that a client can do something about.
var (
	ErrTaken = errors.New("this name is taken")
	ErrWeak  = errors.New("a password has at least 8 characters")
	ErrWrong = errors.New("wrong name or password")
)

// LimitedError says that there were too many tries to log in.
type LimitedError struct{ RetryAfter time.Duration }

func (e *LimitedError) Error() string { return "too many tries to log in" }

// Accounts are the accounts of one tenant.
type Accounts struct {
	scope    nest.Scope
	sessions *scs.SessionManager
}

// Cookie says where a session's cookie goes.
type Cookie struct {
	Path   string
	Secure bool // only over https
}

// New returns the accounts of a tenant.
func New(root nest.Scope, tenant string, cookie Cookie) *Accounts {
	scope := Cluster.At(root, tenant)
	sessions := scs.New()
	sessions.Store = nestscs.New(scope, Session)
	sessions.Lifetime = 24 * time.Hour
	sessions.IdleTimeout = 2 * time.Hour
	sessions.Cookie.Path, sessions.Cookie.Secure = cookie.Path, cookie.Secure
	return &Accounts{scope: scope, sessions: sessions}
}

// Register creates an account.
func (a *Accounts) Register(ctx context.Context, name, password string) error {
	if len(password) < 8 {
		return ErrWeak
	}
	created, err := Password.At(a.scope, name).SetIfAbsent(ctx, password)
	switch {
	case err != nil:
		return fmt.Errorf("register: %w", err)
	case !created:
		return ErrTaken
	}
	return nil
}

// Verify returns nil if the password is that of the account. It counts as a try in any case, before
// anything is hashed.
func (a *Accounts) Verify(ctx context.Context, name, password string) error {
	account := Account.At(a.scope, name)
	try, err := Tries.At(account).Allow(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("count a try to log in: %w", err)
	case !try.Allowed:
		return &LimitedError{try.RetryAfter}
	}
	ok, err := Password.At(account).Verify(ctx, password)
	switch {
	case err != nil:
		return fmt.Errorf("verify a password: %w", err)
	case !ok:
		return ErrWrong
	}
	return nil
}
