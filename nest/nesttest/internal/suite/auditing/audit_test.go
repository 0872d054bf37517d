package auditing_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/audit"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

// The keyspace of a small shop.
var (
	token    = nest.Param[string]("token", nest.Sensitive())
	userID   = nest.Param[int64]("user_id")
	name     = nest.Key[string]("name", nest.Doc("what a user is called"))
	login    = nest.Hash[string]("login:<token>", nest.Params(token), nest.TTL(time.Hour))
	cart     = nest.List[int]("cart", nest.TTL(24*time.Hour))
	nick     = nest.Key[string]("nick", nest.Was("nickname"))
	apiKey   = nest.Secret[string]("api_key")
	password = nest.Password("password")
	user     = nest.Cluster("user:<user_id>", nest.Params(userID), nest.HashTag(), nest.Sub(name, login, cart, nick, apiKey, password))
	price    = nest.Key[int]("price:<id>", nest.Codec(codec.Versioned(codec.JSON, codec.Retired)))
	loaded   = nest.Key[int]("loaded", nest.TTL(time.Hour), nest.ReadThrough())
	lock     = nest.Lock("lock", nest.TTL(time.Minute))
	news     = nest.Channel[string]("news")
	shop     = nest.Cluster("shop", nest.Sub(user, price, loaded, lock, news))
)

// sentinel is in values that nobody may see.
const sentinel = "sEnTiNeL-7f3a"

// store is a shop with some keys, and with raw access to the server.
type store struct {
	nest.Scope
	t  *testing.T
	db rueidis.Client
}

// openStore opens a shop and fills it: there is nothing wrong with it.
func openStore(t *testing.T, server *nesttest.Server) *store {
	t.Helper()
	ctx := t.Context()
	ring, err := secure.NewKeyring(secure.GenerateKey())
	require.NoError(t, err)
	hasher, err := secure.NewPasswords(secure.Policy{Memory: 16, Time: 1, Threads: 1}, secure.AllowWeak(t))
	require.NoError(t, err)
	s := &store{server.Open(t, shop, nest.WithKeyring(ring), nest.WithPasswords(hasher)), t, server.Client(t)}
	for id := range 5 {
		u := user.At(s.Scope, id)
		require.NoError(t, name.At(u).Set(ctx, "Ali"))
		require.NoError(t, login.At(u, sentinel).Set(ctx, "device", "phone"))
		_, err := cart.At(u).PushRight(ctx, 1, 2, 3)
		require.NoError(t, err)
		require.NoError(t, nick.At(u).Set(ctx, "A"))
		require.NoError(t, apiKey.At(u).Set(ctx, sentinel))
		require.NoError(t, price.At(s.Scope, id).Set(ctx, 100))
	}
	require.NoError(t, password.At(s.Scope, 1).Set(ctx, sentinel))
	require.NoError(t, loaded.At(s.Scope).Set(ctx, 1))
	lease, err := lock.At(s.Scope).Acquire(ctx)
	require.NoError(t, err)
	require.NoError(t, lease.Release(ctx)) // what is left is the token
	return s
}

// do sends a command on a key below the shop.
func (s *store) do(command, key string, args ...string) {
	s.t.Helper()
	cmd := s.db.B().Arbitrary(command).Keys(s.key(key)).Args(args...).Build()
	require.NoError(s.t, s.db.Do(s.t.Context(), cmd).Error(), "%s %s", command, key)
}

func (s *store) key(key string) string { return s.Prefix() + ":" + key }

// audited audits the shop with everything on.
func (s *store) audited(opts ...audit.Option) *audit.Report {
	s.t.Helper()
	r, err := audit.Run(s.t.Context(), s.Scope, append([]audit.Option{audit.CheckValues(1 << 20)}, opts...)...)
	require.NoError(s.t, err)
	require.True(s.t, r.Complete)
	return r
}

// everywhere runs a test on the shared server, and on a Redis Cluster if that is another one.
func everywhere(t *testing.T, test func(t *testing.T, server *nesttest.Server)) {
	t.Helper()
	t.Run("shared", func(t *testing.T) {
		t.Parallel()
		test(t, nesttest.Shared(t))
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		if shared := nesttest.Shared(t); shared.Kind() == nesttest.KindEmbedded || len(shared.Addrs()) > 1 || os.Getenv("REDIS_TEST_ACL") != "" {
			t.Skip("nesttest: SKIPPED, not passed: the shared server is a Redis Cluster, or there is none, or its users have other rights")
		}
		test(t, nesttest.Cluster(t))
	})
}

// spoils has a way to spoil the shop for each kind of finding.
var spoils = []struct {
	kind     nest.ProblemKind
	spoil    func(s *store)
	template string // below the shop
	example  string
	keys     int64
	also     nest.ProblemKind // which comes with it
}{
	{nest.WrongType, func(s *store) {
		s.do("DEL", "{user:1}:cart")
		s.do("SET", "{user:1}:cart", sentinel, "EX", "60")
	}, "{user:<user_id>}:cart", "{user:1}:cart", 1, ""},
	{nest.MissingTTL, func(s *store) { s.do("PERSIST", "{user:2}:cart") }, "{user:<user_id>}:cart", "{user:2}:cart", 1, ""},
	{nest.LongTTL, func(s *store) { s.do("EXPIRE", "{user:2}:cart", "864000") }, "{user:<user_id>}:cart", "{user:2}:cart", 1, ""},
	{nest.LongTTL, func(s *store) { s.do("EXPIRE", "{user:3}:login:"+sentinel, "864000") }, "{user:<user_id>}:login:<token>", "{user:3}:login:<token>", 1, ""},
	{nest.Undecodable, func(s *store) { s.do("RPUSH", "{user:1}:cart", sentinel) }, "{user:<user_id>}:cart", "{user:1}:cart", 1, ""},
	{nest.Unsealed, func(s *store) { s.do("SET", "{user:1}:api_key", sentinel) }, "{user:<user_id>}:api_key", "{user:1}:api_key", 1, ""},
	{nest.Unsealed, func(s *store) { s.do("SET", "{user:1}:password", sentinel) }, "{user:<user_id>}:password", "{user:1}:password", 1, ""},
	{nest.RetiredVersion, func(s *store) { s.do("SET", "price:1", "\xC1V\x01"+sentinel) }, "price:<id>", "price:1", 1, ""},
	{audit.Undeclared, func(s *store) {
		for _, id := range []string{"1", "22", "333"} {
			s.do("SET", "cart:"+id+":items", sentinel)
		}
	}, "cart:<n>:items", "", 3, ""},
	{audit.Orphan, func(s *store) {
		s.do("SET", "gone%token{"+s.key("gone")+"}", "1", "EX", "1000")
	}, "gone", "", 1, ""},
	{audit.Orphan, func(s *store) { s.do("PERSIST", "lock%token{"+s.key("lock")+"}") }, "lock", "", 1, ""},
	{audit.OldName, func(s *store) { s.do("SET", "{user:9}:nickname", sentinel) }, "{user:<user_id>}:nick", "{user:9}:nickname", 1, ""},
}

// Each finding is there on data that has it, and none on data that has not.
func TestFindings(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, server *nesttest.Server) {
		for _, c := range spoils {
			s := openStore(t, server)
			before := s.audited()
			require.NoError(t, before.Err(), "%s", before)
			require.Empty(t, before.Findings)
			c.spoil(s)
			r := s.audited()
			require.Len(t, r.Findings, 1, "%s\n%s", c.kind, r)
			f := r.Findings[0]
			require.Equal(t, c.kind, f.Kind)
			require.Equal(t, s.key(c.template), f.Template)
			require.Equal(t, c.keys, f.Keys)
			require.Len(t, f.Examples, int(c.keys))
			if c.example != "" {
				require.Equal(t, s.key(c.example), f.Examples[0])
			}
			if c.kind != audit.Undeclared && c.template != "gone" {
				require.Contains(t, f.Source, "audit_test.go:")
				require.NotEmpty(t, f.Text)
			}
			for _, text := range []string{r.String(), r.Markdown(), page(t, r), string(encoded(t, r)), r.Err().Error()} {
				require.NotContains(t, text, sentinel)
			}

			require.ErrorContains(t, r.Err(), string(c.kind))
			require.Error(t, r.Err(c.kind))
			require.NoError(t, r.Err(slices.DeleteFunc(all(), func(k nest.ProblemKind) bool { return k == c.kind })...))
			d := audit.Diff(before, r)
			require.Error(t, d.Err())
			require.Equal(t, []audit.FindingChange{{Kind: c.kind, Template: f.Template, After: c.keys, Examples: f.Examples, Source: f.Source}}, d.Findings)
			require.NoError(t, audit.Diff(r, before).Err())
		}
	})
}

func all() []nest.ProblemKind {
	return []nest.ProblemKind{
		nest.WrongType, nest.MissingTTL, nest.LongTTL, nest.Undecodable, nest.Unsealed, nest.RetiredVersion,
		audit.Undeclared, audit.Orphan, audit.OldName, audit.OldGeneration,
	}
}

// What is counted is what is there.
func TestNumbers(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, server *nesttest.Server) {
		s := openStore(t, server)
		s.do("SET", "stray:1", "x")
		r := s.audited(audit.SampleMemory(audit.All))
		require.EqualValues(t, 5*6+1+1+1+1, r.Total.Keys)
		require.EqualValues(t, 1, r.Companions.Keys)
		require.Len(t, r.Undeclared, 1)
		require.Equal(t, s.key("stray:<n>"), r.Undeclared[0].Shape)
		require.Equal(t, []string{s.key("stray:1")}, r.Undeclared[0].Examples)

		k, ok := r.Key(s.key("{user:<user_id>}:cart"))
		require.True(t, ok)
		require.EqualValues(t, 5, k.Keys)
		require.EqualValues(t, 15, k.Elements)
		require.EqualValues(t, 3, k.Longest)
		require.Equal(t, map[string]int64{"list": 5}, k.Types)
		require.Equal(t, nest.KindList, k.Kind)
		require.Equal(t, "int", k.GoType)
		require.Equal(t, 24*time.Hour, k.TTL)
		require.Contains(t, k.Source, "audit_test.go:")
		if server.Has(t, nesttest.ObjectEncoding) {
			require.EqualValues(t, 5, sum(k.Encodings))
		}
		require.EqualValues(t, 5, buckets(k.TTLs)[24*time.Hour])
		all := int64(0)
		for _, n := range buckets(r.Total.TTLs) {
			all += n
		}
		require.Equal(t, r.Total.Keys, all)
		require.EqualValues(t, 1, buckets(r.Companions.TTLs)[24*time.Hour])

		c, ok := r.Cluster(s.key("{user:<user_id>}"))
		require.True(t, ok)
		require.EqualValues(t, 26, c.Keys)
		require.Equal(t, s.key("{user:<user_id>}"), c.Template)
		top := r.Clusters[0]
		require.Equal(t, s.Prefix(), top.Name)
		require.EqualValues(t, 32, top.Keys)
		_, ok = r.Key(s.key("news"))
		require.False(t, ok, "a channel is no key")
		_, ok = r.Cluster("nowhere")
		require.False(t, ok)

		if r.Unmeasured != "" {
			require.Equal(t, nesttest.KindEmbedded, server.Kind())
			require.Zero(t, r.Total.Bytes)
			return
		}
		require.Equal(t, r.Total.Keys, r.Total.Sampled)
		require.False(t, r.Total.Estimated())
		require.Equal(t, r.Total.Bytes, top.Bytes+r.Companions.Bytes+r.Undeclared[0].Bytes)
		require.Positive(t, k.Bytes)
		require.NotEmpty(t, r.Total.Largest)
		require.NotContains(t, string(encoded(t, r)), sentinel)
	})
}

func sum(counts map[string]int64) (n int64) {
	for _, c := range counts {
		n += c
	}
	return n
}

func buckets(h audit.Histogram) map[time.Duration]int64 {
	counts := make(map[time.Duration]int64)
	for _, b := range h {
		counts[b.UpTo] += b.Keys
	}
	return counts
}

// A scope with parameters is audited by itself.
func TestPartOfATree(t *testing.T) {
	t.Parallel()
	s := openStore(t, nesttest.Shared(t))
	s.do("PERSIST", "{user:2}:cart")
	s.do("SET", "{user:2}:stray", "x")
	u := user.At(s.Scope, 2)
	r, err := audit.Run(t.Context(), u)
	require.NoError(t, err)
	require.EqualValues(t, 6, r.Total.Keys)
	require.Equal(t, s.key("{user:2}"), r.Scope)
	require.Equal(t, s.key("{user:<user_id>}"), r.Template)
	k, ok := r.Key(s.key("{user:2}:cart"))
	require.True(t, ok)
	require.EqualValues(t, 1, k.Keys)
	require.Equal(t, s.key("{user:<user_id>}:cart"), k.Template)
	require.Len(t, r.Findings, 2)
	require.Equal(t, s.key("{user:2}:stray"), r.Findings[1].Template)
	r, err = audit.Run(t.Context(), user.At(s.Scope, 1))
	require.NoError(t, err)
	require.NoError(t, r.Err())
}

// The options of walks restrict an audit.
func TestFilters(t *testing.T) {
	t.Parallel()
	s := openStore(t, nesttest.Shared(t))
	s.do("PERSIST", "{user:2}:cart")
	s.do("SET", "{user:2}:stray", "x")
	s.do("SET", "stray", "x")
	var last nest.WalkProgress
	r := s.audited(audit.Walk(nest.Where(userID.Of(2)), nest.KeysPerSecond(100_000), nest.Progress(func(p nest.WalkProgress) { last = p })))
	require.EqualValues(t, 5, r.Total.Keys)
	require.EqualValues(t, 5, last.Matched)
	require.EqualValues(t, 1, r.Uncounted, "one name below this user")
	require.Error(t, r.Err(audit.Undeclared))
	require.ErrorContains(t, r.Err(), "missing ttl")
	require.Contains(t, r.String(), "only counted")
	r = s.audited(audit.Walk(nest.Only(name)))
	require.EqualValues(t, 5, r.Total.Keys)
	require.NoError(t, r.Err(nest.MissingTTL))
}

// Values are said to be unchecked where they were not read.
func TestUncheckedValues(t *testing.T) {
	t.Parallel()
	s := openStore(t, nesttest.Shared(t))
	s.do("SET", "{user:1}:api_key", sentinel)
	r, err := audit.Run(t.Context(), s.Scope)
	require.NoError(t, err)
	require.NoError(t, r.Err())
	require.ErrorIs(t, r.Err(nest.Unsealed), audit.ErrUnchecked)
	require.ErrorIs(t, r.Err("nonsense"), nest.ErrArgument)
	require.Contains(t, r.String(), "Values were not read")
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := openStore(t, nesttest.Shared(t))
	whole := s.audited()
	other := *whole
	other.Complete, other.Template = false, "other"
	names, err := nest.Open(nil, shop, nest.NamesOnly())
	if err != nil { // it has secrets
		names = nest.Scope{}
	}
	for what, c := range map[string]struct {
		scope nest.Scope
		opts  []audit.Option
		want  error
	}{
		"a nil option":      {s.Scope, []audit.Option{nil}, nest.ErrArgument},
		"a nil walk option": {s.Scope, []audit.Option{audit.Walk(nil)}, nest.ErrArgument},
		"a negative sample": {s.Scope, []audit.Option{audit.SampleMemory(-1)}, nest.ErrArgument},
		"no bytes":          {s.Scope, []audit.Option{audit.CheckValues(0)}, nest.ErrArgument},
		"no ceiling":        {s.Scope, []audit.Option{audit.MaxAddedLatency(0)}, nest.ErrArgument},
		"many examples":     {s.Scope, []audit.Option{audit.Examples(1001)}, nest.ErrArgument},
		"nothing earlier":   {s.Scope, []audit.Option{audit.Continue(nil)}, nest.ErrArgument},
		"a whole report":    {s.Scope, []audit.Option{audit.Continue(whole)}, nest.ErrArgument},
		"another report":    {s.Scope, []audit.Option{audit.Continue(&other)}, nest.ErrArgument},
		"names only":        {names, nil, nest.ErrNoClient},
		"a zero scope":      {nest.Scope{}, nil, nest.ErrNoClient},
		"an open parameter": {user.At(s.Scope), nil, nest.ErrMissingParam},
	} {
		r, err := audit.Run(t.Context(), c.scope, c.opts...)
		require.ErrorIs(t, err, c.want, what)
		require.Nil(t, r, what)
	}
	_, err = audit.Run(nil, s.Scope) //nolint:staticcheck // a nil context is refused
	require.ErrorIs(t, err, nest.ErrArgument)
	r, err := audit.Run(t.Context(), s.Scope, audit.Walk(nest.ScanCount(10), nest.ResumeFrom("nonsense")))
	require.ErrorIs(t, err, nest.ErrArgument)
	require.False(t, r.Complete)
	require.ErrorIs(t, r.Err(), audit.ErrUnchecked)
}

// page returns the page of a report.
func page(t *testing.T, r *audit.Report) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, r.HTML(&b))
	return b.String()
}
