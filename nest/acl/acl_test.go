package acl_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/acl"
)

var (
	userID  = nest.Param[int64]("user_id")
	token   = nest.Param[string]("token", nest.Sensitive())
	session = nest.Key[string]("session:<token>", nest.TTL(time.Hour), nest.AutoRenew(), nest.Params(token))
	visits  = nest.Counter[int64]("visits")
	user    = nest.Cluster("user:<user_id>", nest.HashTag(), nest.Params(userID), nest.Sub(session, visits))
	jobs    = nest.List[string]("jobs")
	news    = nest.Channel[string]("news:<topic>")
	loaded  = nest.Key[string]("loaded", nest.TTL(time.Minute), nest.ReadThrough())
	guard   = nest.Lock("guard", nest.TTL(time.Minute))
	top     = nest.Cluster("root", nest.Sub(user, jobs, news, loaded, guard))
)

func open(t *testing.T, root *nest.ClusterDef, opts ...nest.OpenOption) nest.Scope {
	t.Helper()
	s, err := nest.Open(nil, root, append(opts, nest.NamesOnly())...)
	require.NoError(t, err)
	return s
}

func rules(t *testing.T, s nest.Scope, mode acl.Mode, opts ...acl.Option) string {
	t.Helper()
	list, err := acl.Rules(s, mode, opts...)
	require.NoError(t, err)
	return strings.Join(list, " ")
}

const (
	start  = "resetkeys resetchannels clearselectors -@all "
	basics = "+asking +client|caching +client|info +client|setinfo +client|setname +client|tracking +client|trackinginfo "
)

func TestRulesOfACounter(t *testing.T) {
	s := open(t, nest.Cluster("app", nest.Sub(nest.Counter[int64]("n"))))
	require.Equal(t, start+"%R~app:* "+basics+
		"+cluster|nodes +cluster|shards +cluster|slots +dbsize +discard +dump +exec +exists +get +hlen +info +llen +memory|usage "+
		"+multi +object|encoding +pexpiretime +ping +pttl +readonly +role +scan +scard +select +strlen +touch +type +unwatch +watch "+
		"+xlen +zcard", rules(t, s, acl.ReadOnly))
	require.Equal(t, start+"%R~app:* "+basics+
		"+cluster|shards +cluster|slots +discard +dump +exec +exists +get +memory|usage +multi "+
		"+pexpiretime +ping +pttl +readonly +role +select +touch +type +unwatch +watch", rules(t, s, acl.ReadOnly, acl.WithoutWalks()))
	require.Equal(t, start+"~app:* "+basics+
		"+cluster|nodes +cluster|shards +cluster|slots +copy +dbsize +decrby +del +discard +dump +eval +evalsha +exec +exists +get +getdel "+
		"+hlen +incrby +incrbyfloat +info +llen +memory|usage +multi +object|encoding +persist +pexpire +pexpireat +pexpiretime +ping +pttl "+
		"+readonly +rename +renamenx +restore +role +scan +scard +select +set +strlen +touch +type +unlink +unwatch +watch +xlen +zcard",
		rules(t, s, acl.ReadWrite))
}

func TestPatterns(t *testing.T) {
	for what, c := range map[string]struct {
		scope nest.Scope
		opts  []acl.Option
		want  []string
	}{
		"a root":                     {open(t, top), nil, []string{"~root:*", "&root:*"}},
		"a scope below it":           {user.At(open(t, top), 42), nil, []string{"~root:{user:42}:*"}},
		"an empty root":              {open(t, nest.Cluster("", nest.Sub(visits, jobs, user, news))), nil, []string{"~jobs*", "~visits*", "~{user:*", "&news:*"}},
		"above a root of a tenant":   {open(t, nest.Cluster("tenant:<t>", nest.Sub(visits))), nil, []string{"~tenant:*"}},
		"a parameter that is first":  {open(t, nest.Cluster("<t>", nest.Sub(visits))), nil, []string{"~*"}},
		"under a prefix":             {open(t, top, nest.WithPrefix("test:x")), nil, []string{"~test:x:root:*", "&test:x:root:*"}},
		"only a key":                 {open(t, top), []acl.Option{acl.Only(visits)}, []string{"~root:{user:*}:visits", "~root:{user:*}:visits%*"}},
		"only a channel":             {open(t, top), []acl.Option{acl.Only(news)}, []string{"&root:news:*"}},
		"only a cluster":             {open(t, top), []acl.Option{acl.Only(user)}, []string{"~root:{user:*}:session:*", "~root:{user:*}:visits", "~root:{user:*}:visits%*"}},
		"only some, below a scope":   {user.At(open(t, top), 42), []acl.Option{acl.Only(session)}, []string{"~root:{user:42}:session:*"}},
		"only several, given apart":  {open(t, top), []acl.Option{acl.Only(jobs), acl.Only(guard)}, []string{"~root:guard", "~root:guard%*", "~root:jobs", "~root:jobs%*"}},
		"what a rule cannot hold":    {wild.At(open(t, nest.Cluster("w", nest.Sub(wild))), `a b*c"d(e)'f?[g]\h`), nil, []string{`~w:a?b\*c?d?e??f\?\[g\]\\h:*`}},
		"a sensitive part is itself": {secretive.At(open(t, nest.Cluster("w", nest.Sub(secretive))), "hush"), []acl.Option{acl.Only(visits)}, []string{"~w:hush:visits", "~w:hush:visits%*"}},
		"a former name of a key":     {open(t, nest.Cluster("", nest.Sub(nest.Counter[int]("n", nest.Was("old:n"))))), nil, []string{"~n*", "~old:*"}},
		"that begins as the scope":   {open(t, formerly), nil, []string{"~app:*", "~before:*"}},
		"only a former name":         {open(t, formerly), []acl.Option{acl.Only(renamed)}, sorted(withCompanions("~app:user:*:n", "~app:user:*:m", "~before:user:*:n", "~before:user:*:m", "~app:u:*:n", "~app:u:*:m", "~before:u:*:n", "~before:u:*:m"))},
		"former names of a scope":    {renamedUser.At(open(t, formerly), 42), nil, []string{"~app:u:42:*", "~app:user:42:*", "~before:u:42:*", "~before:user:42:*"}},
	} {
		list, err := acl.Rules(c.scope, acl.ReadWrite, c.opts...)
		require.NoError(t, err, what)
		list = slices.DeleteFunc(list, func(rule string) bool { return !strings.ContainsAny(rule[:1], "~&") })
		require.Equal(t, c.want, list, what)
	}
}

var (
	wild      = nest.Cluster("<x>", nest.Sub(visits))
	secretive = nest.Cluster("<token>", nest.Params(token), nest.Sub(visits))

	renamed     = nest.Counter[int]("n", nest.Was("m"))
	renamedUser = nest.Cluster("user:<user_id>", nest.Params(userID), nest.Was("u:<user_id>"), nest.Sub(renamed))
	formerly    = nest.Cluster("app", nest.Was("before"), nest.Sub(renamedUser))
)

func withCompanions(patterns ...string) []string {
	for _, p := range patterns {
		patterns = append(patterns, p+"%*")
	}
	return patterns
}

func sorted(patterns []string) []string {
	slices.Sort(patterns)
	return patterns
}

func TestKeysWithFormerNames(t *testing.T) {
	writer := rules(t, open(t, formerly), acl.ReadWrite)
	for _, command := range []string{"+eval ", "+evalsha ", "+exists ", "+rename ", "+unlink "} {
		require.Contains(t, writer, command)
	}
	list, err := acl.Rules(open(t, formerly), acl.ReadOnly)
	require.NoError(t, err)
	require.Equal(t, "(~app:* ~before:* +eval +evalsha)", list[len(list)-1])
	require.NotContains(t, list, "+rename")
	refused, err := acl.Refused(open(t, formerly), acl.ReadOnly)
	require.NoError(t, err)
	require.Len(t, refused, 1)
	require.Contains(t, refused[0].Operations, "Get")
	require.Contains(t, refused[0].Operations, "TTL")
	require.NotContains(t, refused[0].Operations, "Incr")
	require.Contains(t, refused[0].Reason, "is moved first")

	login := nest.Cluster("login:<token>", nest.Params(token), nest.Was("l:<token>"), nest.Sub(visits))
	_, err = acl.Rules(login.At(open(t, nest.Cluster("w", nest.Sub(login))), "hush"), acl.ReadWrite)
	require.ErrorIs(t, err, nest.ErrArgument, "a wildcard would let the user read other logins")
	require.NotContains(t, err.Error(), "hush")
}

func TestScriptsOfAReaderStandInASelector(t *testing.T) {
	scores := nest.Cluster("s", nest.Sub(nest.SortedSet[string]("scores"), nest.HyperLogLog[string]("seen")))
	list, err := acl.Rules(open(t, scores), acl.ReadOnly)
	require.NoError(t, err)
	require.Equal(t, "(~s:* +eval +evalsha +pfcount)", list[len(list)-1])
	require.NotContains(t, list, "+eval")
	require.NotContains(t, list, "+pfcount")
	require.NotContains(t, list, "+zadd")

	list, err = acl.Rules(open(t, nest.Cluster("s", nest.Sub(nest.Key[string]("k", nest.Cached(time.Second))))), acl.ReadOnly)
	require.NoError(t, err)
	require.Contains(t, list, "+eval_ro")
	require.NotContains(t, strings.Join(list, " "), "(")
}

func TestRefused(t *testing.T) {
	refused, err := acl.Refused(open(t, top), acl.ReadOnly)
	require.NoError(t, err)
	var text []string
	for _, r := range refused {
		text = append(text, r.String())
	}
	require.Equal(t, []string{
		"root:{user:<user_id>}:session:<token>: Get, Lookup, StrLen, GetRange: the read restarts the TTL (AutoRenew), which is a write; " +
			"a scope that is opened with nest.NoRenew does not",
		"root:loaded: GetOrLoad: a value that is there is read; a load takes a lock and stores the value, which are writes",
	}, text)

	refused, err = acl.Refused(open(t, top, nest.NoRenew()), acl.ReadOnly)
	require.NoError(t, err)
	require.Len(t, refused, 1)
	refused, err = acl.Refused(open(t, top), acl.ReadWrite)
	require.NoError(t, err)
	require.Empty(t, refused)
}

func TestWhatIsNoRule(t *testing.T) {
	s := open(t, top)
	elsewhere := nest.Counter[int]("elsewhere")
	for what, c := range map[string]struct {
		scope nest.Scope
		mode  acl.Mode
		opts  []acl.Option
		want  error
		text  string
	}{
		"no mode":              {s, 0, nil, nest.ErrArgument, "acl.ReadOnly or acl.ReadWrite"},
		"a scope that is none": {nest.Scope{}, acl.ReadOnly, nil, nest.ErrNoClient, ""},
		"an open parameter":    {user.At(s), acl.ReadOnly, nil, nest.ErrMissingParam, "user_id"}, //nest:ignore it is refused
		"a nil option":         {s, acl.ReadOnly, []acl.Option{nil}, nest.ErrArgument, "nil option"},
		"Only of nothing":      {s, acl.ReadOnly, []acl.Option{acl.Only()}, nest.ErrArgument, "Only"},
		"Only of nil":          {s, acl.ReadOnly, []acl.Option{acl.Only(nil)}, nest.ErrArgument, "Only"},
		"Only of another tree": {s, acl.ReadOnly, []acl.Option{acl.Only(elsewhere)}, nest.ErrNotMounted, "elsewhere"},
		"On without a client":  {s, acl.ReadOnly, []acl.Option{acl.On(t.Context(), nil)}, nest.ErrArgument, "On"},
	} {
		_, err := acl.Rules(c.scope, c.mode, c.opts...)
		require.ErrorIs(t, err, c.want, what)
		require.ErrorContains(t, err, c.text, what)
		_, err = acl.Refused(c.scope, c.mode, c.opts...)
		require.ErrorIs(t, err, c.want, what)
	}
}

func TestModesHaveNames(t *testing.T) {
	require.Equal(t, "read only, read and write, no mode", acl.ReadOnly.String()+", "+acl.ReadWrite.String()+", "+acl.Mode(7).String())
}
