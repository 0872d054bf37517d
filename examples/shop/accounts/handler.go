package accounts

import (
	"errors"
	"net/http"

	"github.com/redisimnest/redisimnest/examples/shop/internal/web"
)

// credentials is the body of a request.
type credentials struct {
	Name     string `json:"name"`
	Password string `json:"password"`
}

// Routes adds the routes of this package.
func (a *Accounts) Routes(rs web.Routes) {
	rs.Handle("POST", "/accounts", a.postAccount)
	rs.Handle("POST", "/session", a.postSession, a.Loaded)
	rs.Handle("DELETE", "/session", a.deleteSession, a.Loaded)
}

func (a *Accounts) postAccount(w http.ResponseWriter, r *http.Request) error {
	c, err := web.Read[credentials](w, r)
	if err != nil {
		return err
	}
	if err := a.Register(r.Context(), c.Name, c.Password); err != nil {
		return status(err)
	}
	return web.Write(w, http.StatusCreated, map[string]string{"name": c.Name})
}

func (a *Accounts) postSession(w http.ResponseWriter, r *http.Request) error {
	c, err := web.Read[credentials](w, r)
	if err != nil {
		return err
	}
	if err := a.Verify(r.Context(), c.Name, c.Password); err != nil {
		return status(err)
	}
	if err := a.login(r.Context(), c.Name); err != nil {
		return err
	}
	return web.Write(w, http.StatusOK, map[string]string{"name": c.Name})
}

func (a *Accounts) deleteSession(w http.ResponseWriter, r *http.Request) error {
	if err := a.logout(r.Context()); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// status says what the errors of this package are in HTTP.
func status(err error) error {
	if limited, ok := errors.AsType[*LimitedError](err); ok {
		return web.Later(http.StatusTooManyRequests, err, limited.RetryAfter)
	}
	switch {
	case errors.Is(err, ErrTaken):
		return web.Status(http.StatusConflict, err)
	case errors.Is(err, ErrWeak):
		return web.Status(http.StatusBadRequest, err)
	case errors.Is(err, ErrWrong):
		return web.Status(http.StatusUnauthorized, err)
	}
	return err
}
