package keyctl_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/keyctl"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

var (
	userID  = nest.Param[int64]("id")
	orderID = nest.Param[int64]("id")
	token   = nest.Param[string]("token", nest.Sensitive())
	name    = nest.Key[string]("name", nest.Doc("what they are called"))
	login   = nest.Hash[string]("login:<token>", nest.Params(token), nest.TTL(time.Hour), nest.SecretFields("address"))
	apiKey  = nest.Secret[string]("api_key")
	user    = nest.Cluster("user:<id>", nest.Params(userID), nest.Sub(name, login, apiKey))
	total   = nest.Counter[int64]("total")
	order   = nest.Cluster("order:<id>", nest.Params(orderID), nest.Sub(total))
	board   = nest.SortedSet[string]("board", nest.TTL(time.Hour))
	ledger  = nest.List[string]("ledger", nest.Protected())
	pin     = nest.Key[string]("pin", nest.Sensitive())
	nick    = nest.Key[string]("nick", nest.Was("nickname"))
	root    = nest.Cluster("shop", nest.Sub(user, order, board, ledger, pin, nick))

	sealing = secure.GenerateKey()
)

// shop is a keyspace with a command line.
type shop struct {
	t      *testing.T
	scope  nest.Scope
	client rueidis.Client
	opts   []nest.OpenOption
}

func newShop(t *testing.T, server *nesttest.Server) *shop {
	t.Helper()
	ring, err := secure.NewKeyring(sealing)
	require.NoError(t, err)
	s := &shop{t: t, client: server.Client(t), opts: []nest.OpenOption{nest.WithKeyring(ring)}}
	s.scope, err = nest.Open(s.client, root, s.opts...)
	require.NoError(t, err)
	ctx := t.Context()
	for id := range 3 {
		require.NoError(t, name.At(s.scope, id).Set(ctx, "user "+strconv.Itoa(id)))
		require.NoError(t, total.At(s.scope, id).Set(ctx, 10))
	}
	require.NoError(t, login.At(s.scope, 1, "hush").SetMany(ctx, map[string]string{"device": "phone", "address": "home"}))
	require.NoError(t, apiKey.At(s.scope, 1).Set(ctx, "very secret"))
	_, err = board.At(s.scope).Add(ctx, "ali", 7)
	require.NoError(t, err)
	_, err = ledger.At(s.scope).PushRight(ctx, "a", "b")
	require.NoError(t, err)
	require.NoError(t, s.client.Do(ctx, s.client.B().Set().Key("shop:stray\x1b[2J").Value("x").Build()).Error())
	return s
}

func (s *shop) open(_ context.Context, r *nest.ClusterDef, opts ...nest.OpenOption) (nest.Scope, func(), error) {
	scope, err := nest.Open(s.client, r, opts...)
	return scope, func() {}, err
}

// run runs a command line and returns the exit code and what it printed.
func (s *shop) run(input string, args ...string) (code int, out, errOut string) {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	code = keyctl.Run(s.t.Context(), root, s.open, args, strings.NewReader(input), &stdout, &stderr, s.opts...)
	return code, stdout.String(), stderr.String()
}

// ok runs a command line that succeeds and returns the lines of its output.
func (s *shop) ok(args ...string) []string {
	s.t.Helper()
	code, out, errOut := s.run("", args...)
	require.Equal(s.t, keyctl.ExitOK, code, errOut)
	return strings.Split(strings.TrimSuffix(out, "\n"), "\n")
}

// bad runs a command line that fails and returns what it says.
func (s *shop) bad(code int, args ...string) string {
	s.t.Helper()
	got, out, errOut := s.run("", args...)
	require.Equal(s.t, code, got, out+errOut)
	return errOut
}

func TestTree(t *testing.T) {
	t.Parallel()
	s := newShop(t, nesttest.Embedded(t))
	require.Contains(t, strings.Join(s.ok("tree"), "\n"), "user:<id>")
	require.Contains(t, strings.Join(s.ok("tree", "--markdown"), "\n"), "|")
	require.Contains(t, s.ok("tree", "--json")[0], `"what they are called"`)
	require.Contains(t, s.bad(keyctl.ExitUsage, "tree", "--json", "--mermaid"), "json")
}

func TestLs(t *testing.T) {
	t.Parallel()
	s := newShop(t, nesttest.Embedded(t))
	all := s.ok("ls")
	require.Len(t, all, 11)
	require.Contains(t, all, "shop:user:1:name\tshop:user:<id>:name\tvalue")
	require.Contains(t, all, "shop:user:1:login:<token>\tshop:user:<id>:login:<token>\thash")
	require.Contains(t, all, `"shop:stray\x1b[2J"`+"\t\t", "nothing that moves the cursor")
	require.NotContains(t, strings.Join(all, "\n"), "hush")
	require.Len(t, s.ok("ls", "--limit", "2"), 2)
	require.Equal(t, []string{`"shop:stray\x1b[2J"` + "\t\t"}, s.ok("ls", "--undeclared"))
	require.Equal(t, []string{`{"key":"shop:order:2:total","template":"shop:order:<id>:total","kind":"counter"}`},
		s.ok("ls", "--json", "--where", "order:<id>=2"))
	require.Len(t, s.ok("ls", "--where", "user:<id>=1"), 3)
	require.Len(t, s.ok("ls", "--where", "user:<id>=1", "--where", "user:<id>=2"), 4)
	require.Len(t, s.ok("ls", "--only", "shop:user:<id>:name"), 3)
	require.Len(t, s.ok("ls", "--only", "shop:user:<id>", "--only", "shop:board"), 6)
	require.Equal(t, []string{"shop:user:1:login:<token>\tshop:user:<id>:login:<token>\thash"}, s.ok("ls", "--where", "token=hush"))

	require.Contains(t, s.bad(keyctl.ExitUsage, "ls", "--where", "id=1"), "order:<id>, user:<id>")
	require.Contains(t, s.bad(keyctl.ExitUsage, "ls", "--where", "uid=1"), "no parameter has this name")
	require.Contains(t, s.bad(keyctl.ExitUsage, "ls", "--where", "user:<id>=x"), "takes an integer")
	require.Contains(t, s.bad(keyctl.ExitUsage, "ls", "--where", "id"), "name=value")
	require.Contains(t, s.bad(keyctl.ExitUsage, "ls", "--only", "user"), "full template")
	require.Contains(t, s.bad(keyctl.ExitUsage, "ls", "--only", "shop:board", "--where", "user:<id>=1"), "nothing can match")
	require.Contains(t, s.bad(keyctl.ExitUsage, "ls", "extra"), "extra")
	require.Contains(t, s.bad(keyctl.ExitUsage, "lss"), "unknown command")
}

func TestGetAndTTL(t *testing.T) {
	t.Parallel()
	s := newShop(t, nesttest.Embedded(t))
	require.Equal(t, []string{"shop:user:1:name\tstring\t\tuser 1"}, s.ok("get", "shop:user:1:name"))
	require.Equal(t, []string{"shop:user:1:api_key\tstring\t\t[redacted]"}, s.ok("get", "shop:user:1:api_key"))
	require.ElementsMatch(t, []string{
		"shop:user:1:login:<token>\thash\tdevice\tphone", "shop:user:1:login:<token>\thash\taddress\t[redacted]",
	}, s.ok("get", "shop:user:1:login:hush"))
	require.Equal(t, []string{
		"shop:ledger\tlist\t0\ta", "shop:ledger\tlist\t1\tb", "shop:board\tzset\t7\tali",
	}, s.ok("get", "shop:ledger", "shop:board"))
	require.Equal(t, []string{`{"key":"shop:user:1:name","type":"string","part":"","value":"user 1"}`}, s.ok("get", "--json", "shop:user:1:name"))

	require.Equal(t, []string{"shop:user:1:name\tnone\tnone", "shop:board\t1h0m0s\t1h0m0s"}, s.ok("ttl", "shop:user:1:name", "shop:board"))
	require.Equal(t, []string{`{"key":"shop:user:1:name","ttl":null,"declared":null}`}, s.ok("ttl", "--json", "shop:user:1:name"))
	code, out, errOut := s.run("", "ttl", "shop:user:9:name", "shop:board")
	require.Equal(t, keyctl.ExitNotFound, code)
	require.Contains(t, out, "shop:board")
	require.Contains(t, errOut, "shop:user:9:name does not exist")
	require.Contains(t, s.bad(keyctl.ExitNotFound, "get", "shop:user:9:name"), "does not exist")
	for _, command := range []string{"get", "ttl"} {
		code, out, errOut = s.run("", command, "shop:user:8:name", "shop:ledger", "shop:user:9:login:hush")
		require.Equal(t, keyctl.ExitNotFound, code)
		require.Contains(t, out, "shop:ledger", "the others are shown")
		require.Contains(t, errOut, "shop:user:8:name does not exist")
		require.Contains(t, errOut, "shop:user:9:login:<token> does not exist")
	}
	require.Contains(t, s.bad(keyctl.ExitUsage, "get", "elsewhere:x"), "not below the scope")
	require.Contains(t, s.bad(keyctl.ExitUsage, "get"), "at least 1")
}

// Values are read as what they are declared, and what must not be seen is not shown, whatever the
// key really holds.
func TestGetShowsWhatMayBeSeen(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := nesttest.Embedded(t)
	s := newShop(t, server)
	do := func(words ...string) {
		require.NoError(t, s.client.Do(ctx, s.client.B().Arbitrary(words...).Build()).Error())
	}
	do("SET", "shop:pin", "1234")
	require.Equal(t, []string{"shop:pin\tstring\t\t[redacted]"}, s.ok("get", "shop:pin"))
	do("DEL", "shop:user:1:api_key")
	do("HSET", "shop:user:1:api_key", "very", "secret")
	code, out, errOut := s.run("", "get", "shop:user:1:api_key")
	require.Equal(t, keyctl.ExitOK, code)
	require.Equal(t, "shop:user:1:api_key\thash\t\t[redacted]\n", out)
	require.Contains(t, errOut, "shop:user:1:api_key: wrong type")
	do("SET", "shop:user:2:api_key", "not sealed")
	code, out, errOut = s.run("", "get", "shop:user:2:api_key")
	require.Equal(t, keyctl.ExitOK, code)
	require.Equal(t, "shop:user:2:api_key\tstring\t\t[redacted]\n", out)
	require.Contains(t, errOut, "unsealed")
	do("HSET", "shop:user:2:login:hush", "address", "Elm Street 1", "device", "phone")
	_, out, errOut = s.run("", "get", "shop:user:2:login:hush")
	require.NotContains(t, out+errOut, "Elm Street")
	require.Contains(t, out, "address\t[redacted]")
	require.Contains(t, out, "device\tphone")
	require.NotContains(t, out+errOut, "hush")

	do("SET", "shop:order:1:total", "many")
	_, out, errOut = s.run("", "get", "shop:order:1:total")
	require.Equal(t, "shop:order:1:total\tstring\t\tmany\n", out)
	require.Contains(t, errOut, "undecodable")
	require.Equal(t, []string{"shop:order:2:total\tstring\t\t10"}, s.ok("get", "shop:order:2:total"))
	require.Equal(t, []string{`{"key":"shop:order:2:total","type":"string","part":"","value":10}`}, s.ok("get", "--json", "shop:order:2:total"))
	require.Equal(t, []string{"shop:user:1:name\tstring\t\t[6 bytes: --max-bytes]"}, s.ok("get", "--max-bytes", "5", "shop:user:1:name"))
	require.Contains(t, s.bad(keyctl.ExitUsage, "get", "--max-bytes", "0", "shop:user:1:name"), "at least 1")
	words := []string{"DEL", "shop:ledger"}
	do(words...)
	words[0] = "RPUSH"
	for range 150 {
		words = append(words, "x")
	}
	do(words...)
	code, out, errOut = s.run("", "get", "shop:ledger")
	require.Equal(t, keyctl.ExitOK, code)
	require.Equal(t, 100, strings.Count(out, "\n"))
	require.Contains(t, errOut, "50 more are not shown")
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newShop(t, nesttest.Embedded(t))
	do := func(words ...string) {
		require.NoError(t, s.client.Do(ctx, s.client.B().Arbitrary(words...).Build()).Error())
	}
	require.Contains(t, s.ok("migrate"), "clean\ttrue")
	do("SET", "shop:nickname", "a")
	require.Contains(t, s.ok("migrate", "--dry-run"), "moved shop:nick\t1")
	require.Equal(t, []string{`{"dry_run":false,"found":1,"moved":1,"both":0,"gone":0,"failed":0,"by":{"shop:nick":1},"clean":false}`}, s.ok("migrate", "--json"))
	require.Equal(t, []string{"shop:nick\tstring\t\ta"}, s.ok("get", "shop:nick"))
	do("SET", "shop:nickname", "b")
	code, out, errOut := s.run("", "migrate")
	require.Equal(t, keyctl.ExitFailed, code)
	require.Contains(t, out, "both\t1")
	require.Contains(t, out, "left: shop:nickname")
	require.Contains(t, errOut, "could not be moved")
	require.Contains(t, s.bad(keyctl.ExitUsage, "migrate", "--only", "shop:board"), "Was")
}

func TestCount(t *testing.T) {
	t.Parallel()
	s := newShop(t, nesttest.Embedded(t))
	require.Equal(t, []string{"shop:user:<id>:name\t3"}, s.ok("count", "--only", "shop:user:<id>:name"))
	require.Contains(t, s.ok("count"), "\t1", "what nothing declares")
	require.Equal(t, []string{`{"template":"shop:order:<id>:total","keys":1}`}, s.ok("count", "--json", "--where", "order:<id>=1"))
}

func TestClear(t *testing.T) {
	t.Parallel()
	s := newShop(t, nesttest.Embedded(t))
	exists := func(key string) bool {
		n, err := s.client.Do(t.Context(), s.client.B().Exists().Key(key).Build()).AsInt64()
		require.NoError(t, err)
		return n == 1
	}
	require.Contains(t, s.bad(keyctl.ExitUsage, "clear"), "--where")
	require.Contains(t, s.bad(keyctl.ExitUsage, "clear", "--all", "--where", "user:<id>=1"), "--all")
	plan := []string{"shop:user:<id>:api_key\t1", "shop:user:<id>:login:<token>\t1", "shop:user:<id>:name\t1"}
	require.Equal(t, plan, s.ok("clear", "--where", "user:<id>=1", "--dry-run"))

	for _, answer := range []string{"", "\n", "yes\n", "2\n"} {
		code, _, errOut := s.run(answer, "clear", "--where", "user:<id>=1")
		require.Equal(t, keyctl.ExitDeclined, code)
		require.Contains(t, errOut, "Delete 3 keys of 3 declarations with user:<id>=1?")
		require.Contains(t, errOut, "nothing was deleted")
	}
	require.True(t, exists("shop:user:1:name"))
	code, out, _ := s.run("3\n", "clear", "--where", "user:<id>=1")
	require.Equal(t, keyctl.ExitOK, code)
	require.Equal(t, append(plan, "deleted\t3"), strings.Split(strings.TrimSpace(out), "\n"))
	require.False(t, exists("shop:user:1:name"))
	require.True(t, exists("shop:user:2:name"))
	require.True(t, exists("shop:order:1:total"))

	require.Contains(t, s.bad(keyctl.ExitFailed, "clear", "--only", "shop:ledger", "--yes"), "--force")
	require.True(t, exists("shop:ledger"))
	require.Equal(t, []string{`{"deleted":1,"by":{"shop:ledger":1}}`}, s.ok("clear", "--only", "shop:ledger", "--yes", "--force", "--json"))
	require.False(t, exists("shop:ledger"))
	require.Contains(t, s.bad(keyctl.ExitUsage, "clear", "--all", "--rate", "x"), "rate")

	// Nothing to delete is said too, and so is what stays.
	require.Equal(t, []string{"deleted\t0"}, s.ok("clear", "--where", "user:<id>=77"))
	require.Equal(t, []string{`{"deleted":0,"by":{}}`}, s.ok("clear", "--where", "user:<id>=77", "--json"))
	require.NoError(t, s.client.Do(t.Context(), s.client.B().Set().Key("shop:user:2:stray").Value("x").Build()).Error())
	code, _, errOut := s.run("", "clear", "--where", "user:<id>=2", "--yes")
	require.Equal(t, keyctl.ExitOK, code)
	require.Contains(t, errOut, "1 name that nothing declares: not deleted")
	require.True(t, exists("shop:user:2:stray"))
	_, _, errOut = s.run("no\n", "clear", "--all", "--force")
	require.Regexp(t, `Delete \d+ keys of \d+ declarations and \d+ names? that nothing declares\?`, errOut)
}

// An interrupt ends the question.
func TestClearIsInterrupted(t *testing.T) {
	t.Parallel()
	s := newShop(t, nesttest.Embedded(t))
	ctx, cancel := context.WithCancel(t.Context())
	in, nobody := io.Pipe()
	defer func() { _ = nobody.Close() }()
	asked := &onWrite{text: "Type the number", do: cancel}
	code := keyctl.Run(ctx, root, s.open, []string{"clear", "--where", "user:<id>=1"}, in, io.Discard, asked, s.opts...)
	require.Equal(t, keyctl.ExitDeclined, code)
	require.Contains(t, asked.String(), "interrupted: nothing was deleted")
	require.Len(t, s.ok("ls", "--where", "user:<id>=1"), 3)
}

// onWrite is a buffer that does something when a text is written.
type onWrite struct {
	strings.Builder
	text string
	do   func()
}

func (w *onWrite) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.text) {
		w.do()
	}
	return w.Builder.Write(p)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	s := newShop(t, nesttest.Embedded(t))
	require.Contains(t, s.bad(keyctl.ExitUsage, "ls", "--limit", "-1"), "at least 0")
	require.Contains(t, s.bad(keyctl.ExitUsage, "watch", "--limit", "-1"), "at least 0")
	require.Contains(t, s.bad(keyctl.ExitUsage, "ls", "--where", "nosuch=1"), "there are id, token")
	require.Equal(t, s.ok("ls", "--where", "user:<id>=1"), s.ok("ls", "--where", "shop:user:<id>=1"), "a full template too")
	for _, name := range []string{"", "a b", "a\nuser b", "a\x1b[2J"} {
		require.Contains(t, s.bad(keyctl.ExitUsage, "acl", name), "a user's name has no spaces")
	}
	require.Contains(t, s.bad(keyctl.ExitUsage, "completion"), "one of the shells")
	require.Contains(t, s.bad(keyctl.ExitUsage, "completion", "nosuch"), "one of the shells")
	require.Contains(t, s.ok("__complete", "audit", "--fail", ""), "missing ttl")
	for flag, want := range map[string]string{"nosuch": "there are unsealed, wrong type", "unsealed": "CheckValues"} {
		code, out, errOut := s.run("", "audit", "--fail", flag)
		require.Equal(t, keyctl.ExitUsage, code)
		require.Empty(t, out, "before the audit")
		require.Contains(t, errOut, want)
	}
	code, _, errOut := s.run("", "audit", "--output", filepath.Join(t.TempDir(), "none", "r.txt"))
	require.Equal(t, keyctl.ExitUsage, code)
	require.Contains(t, errOut, "--output")
}

func TestRotate(t *testing.T) {
	t.Parallel()
	s := newShop(t, nesttest.Embedded(t))
	require.Contains(t, s.ok("rotate"), "clean\ttrue")
	second := secure.GenerateKey()
	ring, err := secure.NewKeyring(second, secure.AcceptOnly(sealing))
	require.NoError(t, err)
	s.opts = []nest.OpenOption{nest.WithKeyring(ring)}
	require.Contains(t, s.ok("rotate", "--dry-run"), "resealed\t2")
	require.Contains(t, s.ok("rotate", "--json")[0], `"resealed":2`)
	require.Contains(t, s.ok("rotate"), "clean\ttrue")
}

func TestACL(t *testing.T) {
	t.Parallel()
	s := newShop(t, nesttest.Embedded(t))
	line := s.ok("acl", "reporting", "--read-only")[0]
	require.True(t, strings.HasPrefix(line, "user reporting resetkeys"), line)
	require.Contains(t, line, "%R~shop:*")
	require.Contains(t, s.ok("acl", "--only", "shop:board")[0], "~shop:board ")
	require.Contains(t, s.ok("acl", "--json", "--watch")[0], "__keyspace@0__:shop:*")
	require.Contains(t, s.bad(keyctl.ExitUsage, "acl", "--only", "board"), "full template")
}

func TestWatch(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	server.Need(t, nesttest.Configurable)
	s := newShop(t, server)
	refused := s.bad(keyctl.ExitFailed, "watch")
	require.Contains(t, refused, "notify-keyspace-events")
	require.Contains(t, refused, "--enable")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			_, _ = total.At(s.scope, 1).Incr(ctx)
			time.Sleep(10 * time.Millisecond)
		}
	}()
	lines := s.ok("watch", "--enable", "--limit", "2", "--where", "order:<id>=1")
	require.Len(t, lines, 2)
	require.True(t, strings.HasSuffix(lines[0], "\tincrby\tshop:order:1:total"), lines)
	var e struct{ Time time.Time }
	require.NoError(t, json.Unmarshal([]byte(s.ok("watch", "--json", "--limit", "1")[0]), &e))
	require.WithinDuration(t, time.Now(), e.Time, time.Hour)
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	s := newShop(t, nesttest.Embedded(t))
	require.Subset(t, s.ok("__complete", "ls", "--only", ""), []string{"shop:board", "shop:user:<id>:name"})
	require.Subset(t, s.ok("__complete", "ls", "--where", ""), []string{"id=", "token="})
	require.Contains(t, strings.Join(s.ok("completion", "bash"), "\n"), "keyctl")
	require.Contains(t, strings.Join(s.ok("help"), "\n"), "Look after the keys")
}

func TestAServerThatIsAway(t *testing.T) {
	t.Parallel()
	s := newShop(t, nesttest.Embedded(t))
	s.client.Close()
	require.NotEmpty(t, s.bad(keyctl.ExitFailed, "count"))
	require.NotEmpty(t, s.ok("tree"))
}
