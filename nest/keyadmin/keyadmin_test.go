package keyadmin_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/audit"
	"github.com/redisimnest/redisimnest/nest/keyadmin"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

const sentinel = "nobody-may-see-this"

type profile struct {
	Name string `json:"name"`
}

var (
	userID   = nest.Param[int64]("user_id")
	token    = nest.Param[string]("token", nest.Sensitive())
	card     = nest.Key[profile]("profile", nest.Doc("What <b>others</b> see."), nest.Was("card"))
	visits   = nest.Counter[int64]("visits")
	pin      = nest.Secret[string]("pin")
	private  = nest.Key[string]("private", nest.Sensitive())
	session  = nest.Key[string]("session:<token>", nest.Params(token), nest.TTL(time.Hour))
	news     = nest.Channel[string]("news")
	user     = nest.Cluster("user:<user_id>", nest.Params(userID), nest.TTL(24*time.Hour), nest.Sub(card, visits, pin, private, news))
	keyspace = nest.Cluster("shop", nest.Sub(user, session))
)

// filled opens the keyspace with some keys in it.
func filled(t *testing.T) nest.Scope {
	t.Helper()
	ring, err := secure.NewKeyring(secure.GenerateKey())
	require.NoError(t, err)
	server := nesttest.Start(t)
	root, err := nest.Open(server.Client(t), keyspace, nest.WithKeyring(ring))
	require.NoError(t, err)
	ctx := t.Context()
	require.NoError(t, card.At(root, 42).Set(ctx, profile{Name: "<script>Ada</script>"}))
	_, err = visits.At(root, 42).Add(ctx, 7)
	require.NoError(t, err)
	require.NoError(t, pin.At(root, 42).Set(ctx, sentinel))
	require.NoError(t, private.At(root, 42).Set(ctx, sentinel))
	require.NoError(t, session.At(root, sentinel).Set(ctx, "x"))
	client := root.Client()
	require.NoError(t, client.Do(ctx, client.B().Set().Key("shop:cart:<b>1</b>:items").Value("x").Build()).Error())
	return root
}

func everybody(*http.Request) bool { return true }

// site serves the pages of a keyspace below /keys/.
func site(t *testing.T, root nest.Scope, opts ...keyadmin.Option) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/keys/", keyadmin.Handler(root, append([]keyadmin.Option{keyadmin.Allow(everybody), keyadmin.Until(t.Context())}, opts...)...))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/keys/"
}

// ask sends a request and returns its status, its header and its body.
func ask(t *testing.T, method, address string, form url.Values, header ...string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, answer.Header, string(body)
}

func get(t *testing.T, address string) string {
	t.Helper()
	status, _, body := ask(t, http.MethodGet, address, nil)
	require.Equal(t, http.StatusOK, status, body)
	return body
}

// audited starts an audit and waits for its end.
func audited(t *testing.T, at string) {
	t.Helper()
	status, header, _ := ask(t, http.MethodPost, at+"audit", url.Values{"do": {"start"}})
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, "audit", header.Get("Location"))
	require.Eventually(t, func() bool { return strings.Contains(get(t, at+"audit"), "Last report") }, 20*time.Second, 20*time.Millisecond)
}

func TestTree(t *testing.T) {
	t.Parallel()
	at := site(t, filled(t))
	body := get(t, at)
	for _, want := range []string{"user:&lt;user_id&gt;", "counter", ">24h<", "sensitive", "has a former name", "What &lt;b&gt;others&lt;/b&gt; see.", "no numbers yet"} {
		require.Contains(t, body, want)
	}
	audited(t, at)
	body = get(t, at)
	require.Contains(t, body, "counted at")
	require.NotContains(t, body, sentinel)
	require.NotContains(t, body, "<b>others")
}

func TestAudit(t *testing.T) {
	t.Parallel()
	at := site(t, filled(t))
	status, _, _ := ask(t, http.MethodGet, at+"report", nil)
	require.Equal(t, http.StatusNotFound, status)
	audited(t, at)
	body := get(t, at+"undeclared")
	require.Contains(t, body, "shop:cart:")
	require.NotContains(t, body, "<b>1")
	body = get(t, at+"report")
	require.Contains(t, body, "shop:cart:")
	require.NotContains(t, body, sentinel)
	body = get(t, at+"audit")
	require.Contains(t, body, "undeclared")
	require.NotContains(t, body, sentinel)
	status, _, _ = ask(t, http.MethodPost, at+"audit", url.Values{"do": {"dance"}})
	require.Equal(t, http.StatusBadRequest, status)
}

// An audit that takes long is watched and stopped, and what it had found is shown.
func TestAnAuditIsStopped(t *testing.T) {
	t.Parallel()
	root := filled(t)
	b := root.Batch()
	for id := range 3000 {
		visits.At(root, id).In(b).Add(1)
	}
	require.NoError(t, b.Exec(t.Context()))
	at := site(t, root, keyadmin.Audit(audit.Walk(nest.KeysPerSecond(100), nest.ScanCount(20))))
	start := url.Values{"do": {"start"}}
	ask(t, http.MethodPost, at+"audit", start)
	ask(t, http.MethodPost, at+"audit", start) // one at a time
	require.Eventually(t, func() bool {
		body := get(t, at+"audit")
		if _, percent, known := strings.Cut(body, `max="100" value="`); known { // it is not while all is one step
			percent, _, _ = strings.Cut(percent, `"`)
			done, err := strconv.Atoi(percent)
			assert.NoError(t, err)
			assert.Positive(t, done)
			assert.LessOrEqual(t, done, 100)
		}
		return strings.Contains(body, `http-equiv="refresh"`) && !strings.Contains(body, ">0 keys looked at")
	}, 20*time.Second, 20*time.Millisecond)
	ask(t, http.MethodPost, at+"audit", url.Values{"do": {"stop"}})
	require.Eventually(t, func() bool { return strings.Contains(get(t, at+"audit"), "was stopped") }, 20*time.Second, 20*time.Millisecond)
	require.Contains(t, get(t, at+"audit"), "as far as the audit went")
}

// An audit ends with the context of Until.
func TestAnAuditEndsWithItsService(t *testing.T) {
	t.Parallel()
	root := filled(t)
	ctx, cancel := context.WithCancel(t.Context())
	at := site(t, root, keyadmin.Until(ctx))
	cancel()
	ask(t, http.MethodPost, at+"audit", url.Values{"do": {"start"}})
	require.Eventually(t, func() bool { return strings.Contains(get(t, at+"audit"), "was stopped") }, 20*time.Second, 20*time.Millisecond)
}

// form returns the values of a form for a key.
func form(of string, params ...string) url.Values {
	v := url.Values{"of": {of}, "look": {"1"}}
	for i := 0; i < len(params); i += 2 {
		v.Set("p."+params[i], params[i+1])
	}
	return v
}

func TestLookUp(t *testing.T) {
	t.Parallel()
	root := filled(t)
	plain, shown := site(t, root), site(t, root, keyadmin.ShowValues())
	look := func(at string, v url.Values) string { return get(t, at+"key?"+v.Encode()) }

	body := get(t, plain+"key?of="+url.QueryEscape("shop:user:<user_id>:profile"))
	require.Contains(t, body, `name="p.user_id"`)
	require.NotContains(t, body, "What is there")
	require.Contains(t, body, "keyadmin_test.go:")

	found := form("shop:user:<user_id>:profile", "user_id", "42")
	body = look(plain, found)
	require.Contains(t, body, "shop:user:42:profile")
	require.Contains(t, body, "Values are not shown here.")
	require.NotContains(t, body, "Ada")
	body = look(shown, found)
	require.Contains(t, body, "&lt;script&gt;Ada", "as it is, escaped once")
	require.NotContains(t, body, "<script>")
	require.Contains(t, look(shown, form("shop:user:<user_id>:visits", "user_id", "42")), "<pre tabindex=\"0\">7</pre>")
	for _, sealed := range []string{"pin", "private"} {
		body = look(shown, form("shop:user:<user_id>:"+sealed, "user_id", "42"))
		require.Contains(t, body, "The value is sealed, sensitive, or larger", sealed)
		require.NotContains(t, body, sentinel, sealed)
	}
	require.Contains(t, look(shown, form("shop:user:<user_id>:profile", "user_id", "43")), "There is no such key.")
	require.Contains(t, look(shown, form("shop:user:<user_id>:news", "user_id", "43")), "A channel holds nothing")
	for _, wrong := range []url.Values{form("shop:user:<user_id>:profile", "user_id", sentinel), form("shop:user:<user_id>:profile")} {
		body = look(shown, wrong)
		require.Contains(t, body, `role="alert"`)
		require.NotContains(t, strings.ReplaceAll(body, `value="`+sentinel+`"`, ""), sentinel, "but in the form")
	}
	status, _, _ := ask(t, http.MethodGet, shown+"key?of=nothing", nil)
	require.Equal(t, http.StatusNotFound, status)
}

// The value of a sensitive parameter stands in no address, and is not sent back.
func TestSensitiveParameters(t *testing.T) {
	t.Parallel()
	at := site(t, filled(t), keyadmin.ShowValues())
	v := form("shop:session:<token>", "token", sentinel)
	body := get(t, at+"key?"+v.Encode())
	require.NotContains(t, body, "What is there", "it is not looked up by its address")
	_, _, body = ask(t, http.MethodPost, at+"key?"+v.Encode(), url.Values{"of": v["of"], "look": {"1"}})
	require.NotContains(t, body, "What is there", "nor beside a form")
	require.Contains(t, body, `method="post"`)
	require.Contains(t, body, `type="password"`)
	status, _, body := ask(t, http.MethodPost, at+"key", v)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "What is there")
	require.Contains(t, body, "shop:session:&lt;token&gt;")
	require.NotContains(t, body, sentinel)
}

func TestWhoMaySeeIt(t *testing.T) {
	t.Parallel()
	root := filled(t)
	handler := http.StripPrefix("/admin", keyadmin.Handler(root, keyadmin.Allow(func(r *http.Request) bool { return r.Header.Get("X-Operator") == "yes" })))
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	for _, path := range []string{"", "key", "undeclared", "audit", "report", "style.css", "nothing"} {
		status, _, body := ask(t, http.MethodGet, server.URL+"/admin/"+path, nil)
		require.Equal(t, http.StatusForbidden, status, path)
		require.NotContains(t, body, "shop", path)
	}
	status, header, _ := ask(t, http.MethodGet, server.URL+"/admin/", nil, "X-Operator", "yes")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, header.Get("Content-Security-Policy"), "default-src 'none'")
	require.Equal(t, "no-store", header.Get("Cache-Control"))

	// A browser says where a form comes from, in one way or the other.
	for _, own := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Origin", server.URL}} {
		status, _, _ = ask(t, http.MethodPost, server.URL+"/admin/audit", url.Values{"do": {"stop"}}, append(own, "X-Operator", "yes")...)
		require.Equal(t, http.StatusSeeOther, status, own)
	}
	require.Equal(t, "same-origin", header.Get("Referrer-Policy"), "else browsers send no origin")

	// Another site cannot start an audit in the name of who is allowed to.
	start := url.Values{"do": {"start"}}
	status, _, _ = ask(t, http.MethodPost, server.URL+"/admin/audit", start, "X-Operator", "yes", "Sec-Fetch-Site", "cross-site")
	require.Equal(t, http.StatusForbidden, status)
	status, _, _ = ask(t, http.MethodPost, server.URL+"/admin/audit", start, "X-Operator", "yes", "Origin", "https://elsewhere.example")
	require.Equal(t, http.StatusForbidden, status)
}

func TestRequestsThatFit(t *testing.T) {
	t.Parallel()
	at := site(t, filled(t))
	for address, want := range map[string]int{"nothing": 404, "key": 404, "style.css": 200, "": 200, "audit": 200, "undeclared": 200} {
		status, header, body := ask(t, http.MethodHead, at+address, nil)
		require.Equal(t, want, status, address)
		require.Empty(t, body)
		require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"), address)
	}
	for address, allowed := range map[string]string{"": "GET, HEAD", "undeclared": "GET, HEAD", "audit": "GET, HEAD, POST"} {
		status, header, _ := ask(t, http.MethodDelete, at+address, nil)
		require.Equal(t, http.StatusMethodNotAllowed, status, address)
		require.Equal(t, allowed, header.Get("Allow"), address)
	}
	status, _, _ := ask(t, http.MethodPost, at+"key", url.Values{"of": {strings.Repeat("x", 100_000)}})
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
	// The site is below another path, and its links are relative.
	require.NotContains(t, get(t, at), `href="/`)
}

// The page of a server that is away says so.
func TestServerAway(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	root := server.Open(t, nest.Cluster("small", nest.Sub(nest.Key[int]("n"))), nest.WithTimeout(200*time.Millisecond))
	at := site(t, root)
	prefix := root.Prefix()
	server.Kill(t)
	require.Contains(t, get(t, at+"key?"+form(prefix+":n").Encode()), "Redis is away")
}

func TestHandlersThatAreNotMade(t *testing.T) {
	t.Parallel()
	root := filled(t)
	names, err := nest.Open(nil, keyspace, nest.NamesOnly())
	require.NoError(t, err)
	allow := keyadmin.Allow(everybody)
	for what, do := range map[string]func(){
		"Handler needs keyadmin.Allow": func() { keyadmin.Handler(root) },
		"Allow takes a function":       func() { keyadmin.Handler(root, keyadmin.Allow(nil)) },
		"Until takes a context":        func() { keyadmin.Handler(root, allow, keyadmin.Until(nil)) }, //nolint:staticcheck // it is refused
		"option 2 of 2 is nil":         func() { keyadmin.Handler(root, allow, nil) },
		"NamesOnly":                    func() { keyadmin.Handler(names, allow) },
		"zero Scope":                   func() { keyadmin.Handler(nest.Scope{}, allow) },
	} {
		func() {
			defer func() { require.Contains(t, recover(), what) }()
			do()
			t.Error("it was made: " + what)
		}()
	}
}
