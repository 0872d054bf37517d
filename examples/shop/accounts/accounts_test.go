package accounts_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/examples/shop/accounts"
	"github.com/redisimnest/redisimnest/examples/shop/internal/web"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

// opened returns accounts of its own.
func opened(t *testing.T) (*accounts.Accounts, nest.Scope) {
	t.Helper()
	ring, err := secure.NewKeyring(secure.GenerateKey())
	require.NoError(t, err)
	hasher, err := secure.NewPasswords(secure.Policy{Memory: 16, Time: 1, Threads: 1}, secure.AllowWeak(t))
	require.NoError(t, err)
	scope := nesttest.Open(t, accounts.Cluster, nest.WithKeyring(ring), nest.WithPasswords(hasher))
	t.Cleanup(func() { nesttest.NothingUndeclared(t, scope) })
	return accounts.New(scope, "acme", accounts.Cookie{Path: "/"}), scope
}

func TestKeyspace(t *testing.T) {
	t.Parallel()
	nesttest.Golden(t, accounts.Cluster, "testdata/keyspace.json")
}

func TestRegister(t *testing.T) {
	t.Parallel()
	a, _ := opened(t)
	ctx := t.Context()
	require.ErrorIs(t, a.Register(ctx, "ali", "short"), accounts.ErrWeak)
	require.ErrorIs(t, a.Register(ctx, "no:name", "correct horse"), nest.ErrParamValue)
	require.NoError(t, a.Register(ctx, "ali", "correct horse"))
	require.ErrorIs(t, a.Register(ctx, "ali", "battery staple"), accounts.ErrTaken)
	require.NoError(t, a.Verify(ctx, "ali", "correct horse"), "the first one counts")
}

func TestTriesAreLimitedForEachName(t *testing.T) {
	t.Parallel()
	a, _ := opened(t)
	ctx := t.Context()
	require.NoError(t, a.Register(ctx, "ali", "correct horse"))
	require.NoError(t, a.Register(ctx, "bea", "battery staple"))
	for range 5 {
		require.ErrorIs(t, a.Verify(ctx, "ali", "wrong horse"), accounts.ErrWrong)
	}
	var limited *accounts.LimitedError
	require.ErrorAs(t, a.Verify(ctx, "ali", "correct horse"), &limited)
	require.Greater(t, limited.RetryAfter, time.Duration(0))
	require.NoError(t, a.Verify(ctx, "bea", "battery staple"))
	require.ErrorIs(t, a.Verify(ctx, "nobody", "battery staple"), accounts.ErrWrong)
}

// A session gets another token at each login, needs the right password, and ends at the logout.
func TestSession(t *testing.T) {
	t.Parallel()
	a, scope := opened(t)
	mux := http.NewServeMux()
	a.Routes(web.Routes{Mux: mux, Timeout: time.Minute})
	mux.Handle("GET /me", a.Required(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(a.LoggedIn(r.Context())))
	})))
	ask := func(method, path, body string, cookie *http.Cookie) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		if cookie != nil {
			r.AddCookie(cookie)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w
	}
	cookie := func(w *httptest.ResponseRecorder) *http.Cookie {
		c, err := http.ParseSetCookie(w.Header().Get("Set-Cookie"))
		require.NoError(t, err)
		return c
	}
	const ali = `{"name":"ali","password":"correct horse"}`
	require.Equal(t, http.StatusCreated, ask("POST", "/accounts", ali, nil).Code)
	require.Equal(t, http.StatusConflict, ask("POST", "/accounts", ali, nil).Code)
	require.Equal(t, http.StatusUnauthorized, ask("POST", "/session", `{"name":"ali","password":"x"}`, nil).Code)
	require.Equal(t, http.StatusBadRequest, ask("POST", "/session", `{"nam":"ali"}`, nil).Code)
	require.Equal(t, http.StatusUnauthorized, ask("GET", "/me", "", nil).Code)

	first := ask("POST", "/session", ali, nil)
	require.Equal(t, http.StatusOK, first.Code)
	old := cookie(first)
	require.True(t, old.HttpOnly)
	second := cookie(ask("POST", "/session", ali, old))
	require.NotEqual(t, old.Value, second.Value)
	require.Equal(t, http.StatusUnauthorized, ask("GET", "/me", "", old).Code)
	require.Equal(t, http.StatusOK, ask("GET", "/me", "", second).Code)

	n, err := scope.Count(t.Context(), nest.Only(accounts.Session))
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
	require.Equal(t, http.StatusNoContent, ask("DELETE", "/session", "", second).Code)
	require.Equal(t, http.StatusUnauthorized, ask("GET", "/me", "", second).Code)
}
