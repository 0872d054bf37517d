package nest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
)

// clears reports whether Clear deletes a name that it finds.
func clears(t *testing.T, s Scope, name string, opts ...ClearOption) bool {
	t.Helper()
	o := walkOptions{companions: true}
	require.NoError(t, eachOption(opts, func(opt ClearOption) error { return opt.applyClear(&o) }))
	w, err := s.walking("clear", o)
	require.NoError(t, err)
	found, beside := w.doomed(walkPage{names: []string{name}})
	looked, besides := w.doomed(walkPage{names: []string{name}, direct: true})
	return len(beside)+len(besides) > 0 || len(found) > 0 && found[0].verdict != undeclared || w.filter != nil && len(looked) > 0 && looked[0].verdict != undeclared
}

// matches reports whether a pattern matches a name.
func (g glob) matches(name string) bool {
	if len(g) == 0 {
		return name == ""
	}
	if g[0] == anything {
		for i := range len(name) + 1 {
			if g[1:].matches(name[i:]) {
				return true
			}
		}
		return false
	}
	return name != "" && uint16(name[0]) == g[0] && g[1:].matches(name[1:])
}

// globOf reads '*' as a wildcard.
func globOf(text string) glob {
	g := glob{}
	for i, part := range strings.Split(text, "*") {
		if i > 0 {
			g = g.any()
		}
		g = g.add(part)
	}
	return g
}

func TestWidenedPatterns(t *testing.T) {
	for _, c := range []struct {
		patterns string
		want     string
	}{
		{"a:1 a:1", "a:1"},
		{"root:user:42:* root:user:42:session:*", "root:user:42:*"},
		{"root:user:42:* root:order:*:user:42", "root:*user:42*"},
		{"root:user:42:* root:42:bill:*", "root:*42*:*"},
		{"root:user:*:age root:user:*:name", "root:user:*:*e"},
		{"root:org:*:user:42:a* root:org:*:user:42:b*", "root:org:*:user:42:*"},
		{"aa ba", "*a"},
		{"a aa", "a*"},
		{"x y", "*"},
		{"[a] [b]", `\[*\]`},
	} {
		var g glob
		for text := range strings.FieldsSeq(c.patterns) {
			g = g.widen(globOf(text))
		}
		require.Equal(t, c.want, g.String(), c.patterns)
	}
}

// FuzzWiden checks that a widened pattern matches whatever one of its parts matches.
func FuzzWiden(f *testing.F) {
	f.Add("root:user:42:*", "root:order:*:user:42", "root:user:42:a", "root:order:7:user:42")
	f.Add("a*b", "ab", "aXb", "ab")
	f.Add("*", "", "x", "")
	f.Add("abcabc", "bcabca*", "abcabc", "bcabcaX")
	f.Fuzz(func(t *testing.T, a, b, one, other string) {
		if len(a)+len(b) > 40 || len(one)+len(other) > 40 || strings.Count(a+b, "*") > 6 {
			t.Skip("too long for the matcher of the test")
		}
		first, second := globOf(a), globOf(b)
		wide := first.widen(second)
		for _, name := range []string{one, other, strings.ReplaceAll(a, "*", one), strings.ReplaceAll(b, "*", other)} {
			if first.matches(name) || second.matches(name) {
				require.True(t, wide.matches(name), "%q or %q, but not %q, matches %q", first, second, wide, name)
			}
			if wide.matches(name) {
				require.True(t, strings.HasPrefix(name, wide.lead()))
			}
		}
	})
}

var (
	filterID      = Param[int]("id")
	filterOrg     = Param[string]("org")
	filterOther   = Param[int]("id")
	filterAge     = Key[int]("age")
	filterSession = Key[string]("session:<token>")
	filterUser    = Cluster("user:<id>", Params(filterID), Sub(filterAge, filterSession))
	filterOrder   = Key[string]("order:<id>")
	filterSeen    = Key[string]("seen:<day>:<id>", Params(filterID))
	filterMember  = Key[string]("member:<id>", Params(filterID))
	filterTeam    = Cluster("org:<org>", Params(filterOrg), HashTag(), Sub(filterMember))
	filterTree    = Cluster("root", Sub(filterUser, filterOrder, filterSeen, filterTeam))
)

func planOf(t *testing.T, s Scope, o walkOptions) (p plan, direct []string) {
	t.Helper()
	f, err := s.filter(&o)
	require.NoError(t, err)
	p = s.plan(f, &o, o.progress != nil)
	for _, target := range p.direct {
		target.names(func(name string) bool {
			direct = append(direct, name)
			return true
		})
	}
	return p, direct
}

func optionsOf(t *testing.T, opts ...ScanOption) (o walkOptions) {
	t.Helper()
	require.NoError(t, eachOption(opts, func(opt ScanOption) error { return opt.applyScan(&o) }))
	return o
}

func TestFiltersNarrowThePattern(t *testing.T) {
	s := open(t, filterTree)
	progress := Progress(func(WalkProgress) {})
	for _, c := range []struct {
		what    string
		opts    []ScanOption
		pattern string
		direct  []string
		slots   int
	}{
		{"nothing", nil, "root:*", nil, hashslot.Count},
		{"a user", []ScanOption{Where(filterID.Of(42)), Only(filterUser)}, "root:user:42:session:*", []string{"root:user:42:age"}, hashslot.Count},
		{"a user and what is undeclared", []ScanOption{Where(filterID.Of(42)), Only(filterUser), progress}, "root:user:42:*", []string{"root:user:42:age"}, hashslot.Count},
		{"only undeclared", []ScanOption{Where(filterID.Of(42)), Undeclared()}, "root:user:42:*", nil, hashslot.Count},
		{"everywhere", []ScanOption{Where(filterID.Of(42))}, "root:*:42*", []string{"root:user:42:age"}, hashslot.Count},
		{"determined", []ScanOption{Where(filterID.Of(42)), Only(filterAge)}, "", []string{"root:user:42:age"}, 1},
		{"several", []ScanOption{Where(filterID.Of(42), filterID.Of(7)), Only(filterAge)}, "", []string{"root:user:42:age", "root:user:7:age"}, 2},
		{"a prefix in common", []ScanOption{Where(filterID.Of(421), filterID.Of(429)), Only(filterSession)}, "root:user:42*:session:*", nil, hashslot.Count},
		{"a declaration", []ScanOption{Only(filterSeen)}, "root:seen:*:*", nil, hashslot.Count},
		{"companions", []ScanOption{Only(filterSeen), Where(filterID.Of(42)), Companions()}, "root:seen:*:42*", nil, hashslot.Count},
		{"a slot", []ScanOption{Where(filterOrg.Of("a:b"))}, "root:{org:a%3Ab}:member:*", nil, 1},
		{"two slots", []ScanOption{Where(filterOrg.Of("a"), filterOrg.Of("b"))}, "root:{org:*}:member:*", nil, 2},
		{"both", []ScanOption{Where(filterOrg.Of("a"), filterID.Of(1))}, "", []string{"root:{org:a}:member:1"}, 1},
	} {
		p, direct := planOf(t, s, optionsOf(t, c.opts...))
		require.Equal(t, c.pattern, p.pattern.String(), c.what)
		require.Equal(t, c.direct, direct, c.what)
		require.Equal(t, c.slots, p.reach.Len(), c.what)
	}
	p, direct := planOf(t, filterUser.At(s, 42), optionsOf(t, Where(filterID.Of(42))))
	require.Equal(t, "root:user:42:session:*", p.pattern.String(), "the scope has it already")
	require.Equal(t, []string{"root:user:42:age"}, direct)
}

func TestFiltersAreRefused(t *testing.T) {
	s := open(t, filterTree)
	for _, c := range []struct {
		what  string
		scope Scope
		opt   []ScanOption
		kind  error
		text  string
	}{
		{"attached nowhere", s, []ScanOption{Where(filterOther.Of(42))}, ErrArgument,
			`Where: no Params at or below the scope attaches this <id>; the name stands without it in "root:user:<id>", "root:order:<id>", "root:seen:<day>:<id>", "root:{org:<org>}:member:<id>"`},
		{"misspelled", s, []ScanOption{Where(Param[int]("idd").Of(42))}, ErrArgument, "did you mean <id>?"},
		{"another value", filterUser.At(s, 1), []ScanOption{Where(filterID.Of(42))}, ErrArgument, "the scope has filled in another value of <id>"},
		{"no key has both", s, []ScanOption{Where(filterID.Of(42), filterOrg.Of("x")), Only(filterUser)}, ErrArgument, "no key below what Only names has <id> and <org>"},
		{"refused by the parameter", s, []ScanOption{Where(filterOrg.Of(""))}, ErrParamValue, "parameter <org> is empty"},
		{"no arguments", s, []ScanOption{Where()}, ErrArgument, "Where: no arguments"},
		{"the zero Arg", s, []ScanOption{Where(Arg{})}, ErrArgument, "argument 1 of 1 is the zero Arg"},
		{"no declarations", s, []ScanOption{Only()}, ErrArgument, "Only: no declarations"},
		{"nil", s, []ScanOption{Only(nil)}, ErrArgument, "argument 1 of 1 is nil"},
		{"a zero value", s, []ScanOption{Only(&KeyDef[int]{})}, ErrArgument, "a zero value"},
		{"not mounted", s, []ScanOption{Only(Key[int]("x"))}, ErrNotMounted, "not in the tree"},
		{"not below", filterUser.At(s, 1), []ScanOption{Only(filterSeen)}, ErrNotMounted, "is not below"},
		{"undeclared without a cluster", s, []ScanOption{Only(filterSeen), Undeclared()}, ErrArgument, "Only names no cluster"},
		{"undeclared without a prefix", s, []ScanOption{Only(filterSeen), Where(filterID.Of(1)), Undeclared()}, ErrArgument, "the prefix of no cluster has <id>"},
		{"a rate", s, []ScanOption{KeysPerSecond(-1)}, ErrArgument, "at least 1"},
		{"no function", s, []ScanOption{Progress(nil)}, ErrArgument, "a nil function"},
	} {
		var o walkOptions
		err := eachOption(c.opt, func(opt ScanOption) error { return opt.applyScan(&o) })
		if err == nil {
			_, err = c.scope.filter(&o)
		}
		require.ErrorIs(t, err, c.kind, c.what)
		require.ErrorContains(t, err, c.text, c.what)
	}
}

func TestFilterOfNamesFromElsewhere(t *testing.T) {
	s := open(t, filterTree)
	again := open(t, filterTree)
	takes := func(scope Scope, name string, opts ...WalkOption) bool {
		f, err := scope.Filter(opts...)
		require.NoError(t, err)
		m, _ := s.Match(name)
		other, _ := again.Match(name)
		require.Equal(t, f(m), f(other), "a match of another scope")
		return f(m)
	}
	of42 := Where(filterID.Of(42))
	require.True(t, takes(s, "root:user:42:age", of42))
	require.False(t, takes(s, "root:user:421:age", of42))
	require.False(t, takes(s, "root:user:42:undeclared", of42))
	require.False(t, takes(s, "root:order:42", of42), "another parameter of the same name")
	require.True(t, takes(s, "root:seen:monday:42", of42))
	require.True(t, takes(s, "root:{org:x}:member:42", of42, Where(filterOrg.Of("x"))))
	require.False(t, takes(s, "root:{org:y}:member:42", of42, Where(filterOrg.Of("x"))))
	require.True(t, takes(s, "root:user:7:age", Where(filterID.Of(42), filterID.Of(7))))
	require.True(t, takes(s, "root:user:7:session:x", Only(filterUser)))
	require.False(t, takes(s, "root:user:7:session:x", Only(filterAge, filterSeen)))
	require.True(t, takes(s, "root:order:1"), "no filter")
	require.False(t, takes(s, "root:nothing"))
	require.False(t, takes(filterUser.At(s, 1), "root:user:7:age"), "not below the scope")
	require.True(t, takes(filterUser.At(s, 7), "root:user:7:age", Only(filterTree)), "the scope is below it")
	none, _ := s.Match("elsewhere")
	f, err := s.Filter()
	require.NoError(t, err)
	require.False(t, f(none))
	require.False(t, f(Match{}))
	_, err = s.Filter(Where())
	require.ErrorIs(t, err, ErrArgument)
	_, err = Scope{}.Filter()
	require.ErrorIs(t, err, ErrNoClient)
}

func TestClearWithAFilterTakesNoOthers(t *testing.T) {
	s := open(t, filterTree)
	of42 := Where(filterID.Of(42))
	for name, want := range map[string]bool{
		"root:user:42:age":                              true,
		"root:user:42:session:x":                        true,
		"root:user:42:age%load{root:user:42:age}":       true,
		"root:user:421:age":                             false,
		"root:user:42":                                  false,
		"root:user:42:undeclared":                       false,
		"root:user:42:x%load{root:user:42:x}":           false,
		"root:user:4%32:age":                            false,
		"root:order:42":                                 false,
		"root:seen:monday:42":                           true,
		"root:seen:monday:42%load{root:seen:monday:42}": true,
		"root:seen:42:41":                               false,
		"root:{org:x}:member:42":                        true,
		"elsewhere:user:42:age":                         false,
	} {
		require.Equal(t, want, clears(t, s, name, of42), name)
	}
}

func TestCursorsOfOtherWalks(t *testing.T) {
	stands := []stand{{cursor: 7}, {done: true}}
	cursor := formatCursor("walk", "servers", stands)
	got, err := parseCursor(cursor, "walk", "servers", 2)
	require.NoError(t, err)
	require.Equal(t, stands, got)
	got, err = parseCursor(cursor, "walk", "others", 3)
	require.NoError(t, err)
	require.Equal(t, make([]stand, 3), got, "the servers have changed")
	_, err = parseCursor(cursor, "another", "servers", 2)
	require.ErrorIs(t, err, ErrArgument)
	for _, bad := range []string{"x", "a-b", "walk-servers-x", "walk-servers-1", "walk-servers--1-3", "walk-servers-1-99999999999999999999"} {
		_, err = parseCursor(bad, "walk", "servers", 2)
		require.ErrorIs(t, err, ErrArgument, bad)
	}

	s := open(t, filterTree)
	ids := make(map[string]bool)
	for _, opts := range [][]ScanOption{
		nil, {Where(filterID.Of(1))}, {Where(filterID.Of(2))}, {Where(filterID.Of(1), filterID.Of(2))}, {Only(filterAge)}, {Only(filterSession)}, {Companions()}, {Undeclared()},
	} {
		for _, op := range []string{"keys", "count"} {
			o := optionsOf(t, opts...)
			f, err := s.filter(&o)
			require.NoError(t, err)
			ids[s.identity(op, f, &o)] = true
		}
	}
	require.Len(t, ids, 16)
}
