package accounts

import (
	"context"
	"fmt"
	"net/http"
)

// nameKey is where a session keeps the name of its account.
const nameKey = "name"

// Loaded is a middleware that loads the session of a request, and saves it afterwards. Redis has to
// be there for that, so routes that can do without have no session.
func (a *Accounts) Loaded(next http.Handler) http.Handler { return a.sessions.LoadAndSave(next) }

// Required is Loaded, and refuses who is not logged in.
func (a *Accounts) Required(next http.Handler) http.Handler {
	return a.Loaded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.LoggedIn(r.Context()) == "" {
			http.Error(w, `{"error":"log in first"}`, http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	}))
}

// LoggedIn returns the name of the account that a request is logged in to, or "".
func (a *Accounts) LoggedIn(ctx context.Context) string { return a.sessions.GetString(ctx, nameKey) }

// login ties the session to an account. It gets a new token, so that nobody knows it from before.
func (a *Accounts) login(ctx context.Context, name string) error {
	if err := a.sessions.RenewToken(ctx); err != nil {
		return fmt.Errorf("begin a session: %w", err)
	}
	a.sessions.Put(ctx, nameKey, name)
	return nil
}

func (a *Accounts) logout(ctx context.Context) error {
	if err := a.sessions.Destroy(ctx); err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	return nil
}
