package nestscs_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nestscs"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

var (
	session = nestscs.Key("session:<token>")
	other   = nest.Key[string]("other:<n>")
	tenant  = nest.Cluster("tenant:<id>", nest.TTL(time.Minute), nest.AutoRenew(), nest.Sub(session, other))
	shop    = nest.Cluster("shop", nest.Sub(tenant))
)

// opened returns a store of its own, and the scope below which its sessions are.
func opened(t *testing.T) (*nestscs.Store, nest.Scope) {
	t.Helper()
	scope := tenant.At(nesttest.Open(t, shop), 1)
	store := nestscs.New(scope, session)
	require.NoError(t, store.Err())
	return store, scope
}

func inAnHour() time.Time { return time.Now().Add(time.Hour) }

func TestASessionIsFoundUntilItIsDeleted(t *testing.T) {
	t.Parallel()
	store, _ := opened(t)
	for _, token := range []string{"missing", "", strings.Repeat("x", 5000)} {
		b, found, err := store.Find(token)
		require.NoError(t, err, len(token))
		require.False(t, found)
		require.Empty(t, b)
		require.NoError(t, store.Delete(token), len(token))
	}
	for _, data := range [][]byte{[]byte("first"), []byte("second"), {0, 255, '\r', '\n'}, {}} {
		require.NoError(t, store.Commit("token", data, inAnHour()))
		b, found, err := store.Find("token")
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, string(data), string(b))
	}
	require.NoError(t, store.Delete("token"))
	_, found, err := store.Find("token")
	require.NoError(t, err)
	require.False(t, found)
	require.NoError(t, store.Delete("token"))
}

// A session's TTL is what scs says, not what its cluster declares, and reads leave it alone.
func TestASessionEndsAtItsExpiry(t *testing.T) {
	t.Parallel()
	store, scope := opened(t)
	ctx := t.Context()
	ttl := func(token string) time.Duration {
		left, err := session.At(scope, token).TTL(ctx)
		require.NoError(t, err)
		return left
	}
	require.NoError(t, store.Commit("long", []byte("x"), inAnHour()))
	_, found, err := store.Find("long")
	require.NoError(t, err)
	require.True(t, found)
	require.InDelta(t, time.Hour, ttl("long"), float64(10*time.Minute))
	require.NoError(t, store.Commit("long", []byte("x"), time.Now().Add(2*time.Hour)))
	require.InDelta(t, 2*time.Hour, ttl("long"), float64(10*time.Minute))

	require.NoError(t, store.Commit("long", []byte("x"), time.Now().Add(-time.Second)), "it has ended")
	_, found, err = store.Find("long")
	require.NoError(t, err)
	require.False(t, found)
	require.NoError(t, store.Commit("never", []byte("x"), time.Now()), "and this one never began")
	_, found, err = store.Find("never")
	require.NoError(t, err)
	require.False(t, found)

	server := nesttest.Start(t)
	store = nestscs.New(tenant.At(server.Open(t, shop), 1), session)
	require.NoError(t, store.Commit("short", []byte("x"), time.Now().Add(50*time.Millisecond)))
	server.Advance(t, 100*time.Millisecond)
	_, found, err = store.Find("short")
	require.NoError(t, err)
	require.False(t, found)
}

func TestAllReturnsEverySessionOfTheScope(t *testing.T) {
	t.Parallel()
	store, scope := opened(t)
	ctx := t.Context()
	all, err := store.All()
	require.NoError(t, err)
	require.Empty(t, all)
	want := map[string][]byte{}
	b := scope.Batch()
	for i := range 300 { // more than a page
		token := fmt.Sprintf("token:%d", i)
		want[token] = []byte(strconv.Itoa(i))
		session.At(scope, token).In(b).Set(want[token], nest.ExpireIn(time.Hour))
	}
	require.NoError(t, b.Exec(ctx))
	require.NoError(t, other.At(scope, 1).Set(ctx, "no session"))
	all, err = store.All()
	require.NoError(t, err)
	require.Equal(t, want, all)
}

func TestCommitsAtTheSameTime(t *testing.T) {
	t.Parallel()
	store, _ := opened(t)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			data := []byte(strconv.Itoa(i))
			assert.NoError(t, store.Commit("shared", data, inAnHour()))
			assert.NoError(t, store.Commit(strconv.Itoa(i), data, inAnHour()))
			b, found, err := store.Find(strconv.Itoa(i))
			assert.NoError(t, err)
			assert.True(t, found)
			assert.Equal(t, data, b)
		})
	}
	wg.Wait()
	b, found, err := store.Find("shared")
	require.NoError(t, err)
	require.True(t, found)
	n, err := strconv.Atoi(string(b))
	require.NoError(t, err, "one of them, whole")
	require.Less(t, n, 64)
}

func TestAContextThatHasEnded(t *testing.T) {
	t.Parallel()
	store, _ := opened(t)
	require.NoError(t, store.Commit("token", []byte("x"), inAnHour()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := store.FindCtx(ctx, "token")
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, store.CommitCtx(ctx, "token", []byte("y"), inAnHour()), context.Canceled)
	require.ErrorIs(t, store.DeleteCtx(ctx, "token"), context.Canceled)
	_, err = store.AllCtx(ctx)
	require.ErrorIs(t, err, context.Canceled)
	b, found, err := store.Find("token")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "x", string(b))
}

// What is wrong with the store is told, and no error has a token in it.
func TestErrorsNeverShowATokenAndAreNotHidden(t *testing.T) {
	t.Parallel()
	const secret = "nobody-may-see-this"
	store, scope := opened(t)
	err := store.Commit(strings.Repeat(secret, 100), []byte("x"), inAnHour())
	require.ErrorIs(t, err, nest.ErrParamValue)
	require.NotContains(t, err.Error(), secret)
	require.NotContains(t, fmt.Sprintf("%v %+v", session.At(scope, secret), session.At(scope, secret)), secret)

	for what, broken := range map[string]*nestscs.Store{
		"an open parameter": nestscs.New(nesttest.Open(t, shop), session),
		"a bad parameter":   nestscs.New(tenant.At(nesttest.Open(t, shop), ""), session), //nest:ignore the error is what is tested
		"another tree":      nestscs.New(scope, nestscs.Key("session:<token>")),
		"a zero scope":      nestscs.New(nest.Scope{}, session),
		"no key":            nestscs.New(scope, nil),
	} {
		require.Error(t, broken.Err(), what)
		_, _, err := broken.Find(secret)
		require.Error(t, err, what)
		require.NotContains(t, err.Error(), secret, what)
		require.Error(t, broken.Commit(secret, nil, inAnHour()), what)
		require.Error(t, broken.Delete(secret), what)
		_, err = broken.All()
		require.Error(t, err, what)
	}
}

// A visitor's session lives from request to request, in several processes, until it is destroyed.
func TestSessionsOfAServer(t *testing.T) {
	t.Parallel()
	_, scope := opened(t)
	serve := func() string {
		manager := scs.New()
		manager.Store = nestscs.New(scope, session)
		mux := http.NewServeMux()
		mux.HandleFunc("/count", func(w http.ResponseWriter, r *http.Request) {
			n := manager.GetInt(r.Context(), "n") + 1
			manager.Put(r.Context(), "n", n)
			_, _ = fmt.Fprint(w, n)
		})
		mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
			if err := manager.RenewToken(r.Context()); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
		mux.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) {
			if err := manager.Destroy(r.Context()); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
		mux.HandleFunc("/all", func(w http.ResponseWriter, r *http.Request) {
			n := 0
			err := manager.Iterate(r.Context(), func(context.Context) error { n++; return nil })
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
			_, _ = fmt.Fprint(w, n)
		})
		server := httptest.NewServer(manager.LoadAndSave(mux))
		t.Cleanup(server.Close)
		return server.URL
	}
	one, two := serve(), serve()
	visitor := func() func(base, path string) string {
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		client := &http.Client{Jar: jar}
		return func(base, path string) string {
			t.Helper()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
			require.NoError(t, err)
			answer, err := client.Do(r)
			require.NoError(t, err)
			defer func() { assert.NoError(t, answer.Body.Close()) }()
			body, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, answer.StatusCode, string(body))
			return string(body)
		}
	}
	// Both servers have one host, and cookies do not look at ports.
	ada, bob := visitor(), visitor()
	require.Equal(t, "1", ada(one, "/count"))
	require.Equal(t, "2", ada(two, "/count"))
	require.Equal(t, "1", bob(two, "/count"))
	ada(one, "/login")
	require.Equal(t, "3", ada(one, "/count"), "the data is under a new token")
	n, err := scope.Count(t.Context(), nest.Only(session))
	require.NoError(t, err)
	require.EqualValues(t, 2, n, "and no more under the old one")
	require.Equal(t, "2", ada(one, "/all"))
	ada(one, "/logout")
	require.Equal(t, "1", ada(two, "/count"))
	require.Equal(t, "2", bob(one, "/count"))

	// A forged cookie makes a new session, not an error.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, one+"/count", nil)
	require.NoError(t, err)
	r.AddCookie(&http.Cookie{Name: "session", Value: strings.Repeat("x", 3000)})
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { assert.NoError(t, answer.Body.Close()) }()
	require.Equal(t, http.StatusOK, answer.StatusCode)
}
