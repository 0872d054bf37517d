package nest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFormerNamesBelongToTheDeclaration(t *testing.T) {
	id := Param[int64]("id")
	profile := Key[string]("profile:<kind>", Was("<kind>-prof"))
	plain := Key[int]("plain")
	user := Cluster("user:<id>", Params(id), Was("u:<id>"), Sub(profile, plain))
	other := Key[int]("other")
	root := Cluster("root", Sub(user, other))
	s := open(t, root)
	u := user.At(s, 42)
	require.Equal(t, "root:user:42:profile:x-y", profile.At(u, "x-y").Key())
	for key, c := range map[string]struct {
		def    Node
		former bool
		values []string
	}{
		"root:user:42:profile:x-y": {profile, false, []string{"42", "x-y"}},
		"root:user:42:x%2Dy-prof":  {profile, true, []string{"42", "x-y"}},
		"root:u:42:profile:x-y":    {profile, true, []string{"42", "x-y"}},
		"root:u:42:x%2Dy-prof":     {profile, true, []string{"42", "x-y"}},
		"root:user:42:plain":       {plain, false, []string{"42"}},
		"root:u:42:plain":          {plain, true, []string{"42"}},
		"root:other":               {other, false, nil},
	} {
		m, err := s.Match(key)
		require.NoError(t, err, key)
		require.Equal(t, c.def, m.Def(), key)
		require.Equal(t, c.former, m.Former(), key)
		_, values := m.Params()
		require.Equal(t, c.values, values, key)
		_, err = u.Match(key)
		require.Equal(t, c.def == other, err != nil, key)
		if c.former {
			require.Equal(t, m.at.present.name.Text, m.Template())
			require.Contains(t, m.at.present.olds(m.at.name.Translate(key, &m.at.present.name)), key)
		}
	}
	for _, key := range []string{"root:u:43:plain", "root:u:421:plain", "root:user:43:plain"} {
		_, err := u.Match(key)
		require.ErrorIs(t, err, ErrNoMatch, key)
	}
	for _, key := range []string{"root:u:x:plain", "root:u:42:other", "root:u:42:x-prof:y"} {
		m, err := s.Match(key)
		require.ErrorIs(t, err, ErrNoMatch, key)
		require.False(t, m.Former())
	}
	require.Contains(t, s.Describe().String(), "was root:u:<id>")
	require.Equal(t, []string{"root:u:42"}, u.Describe().Was, "what the scope has filled in")
	takes, err := s.Filter(Where(id.Of(42)))
	require.NoError(t, err)
	for key, want := range map[string]bool{"root:u:42:plain": true, "root:u:43:plain": false, "root:user:42:x-prof": true, "root:other": false} {
		m, err := s.Match(key)
		require.NoError(t, err)
		require.Equal(t, want, takes(m), key)
	}
}

func TestFormerNamesAreRefused(t *testing.T) {
	id := Param[int64]("id")
	for what, c := range map[string]struct {
		root *ClusterDef
		why  string
	}{
		"the present name of another": {Cluster("r", Sub(Key[int]("a", Was("b")), Key[int]("b"))), `can both be named "r:b"`},
		"a chain":                     {Cluster("r", Sub(Key[int]("a", Was("b")), Key[int]("b", Was("c")))), `can both be named "r:b"`},
		"a cycle":                     {Cluster("r", Sub(Key[int]("a", Was("b")), Key[int]("b", Was("a")))), "can both be named"},
		"the former name of another":  {Cluster("r", Sub(Key[int]("a", Was("c")), Key[int]("b", Was("c")))), `the former name of "r:a"`},
		"its own present name":        {Cluster("r", Sub(Key[int]("a:<x>", Was("<x>:b")))), `can both be named "r:a:b"`},
		"a parameter":                 {Cluster("r", Sub(Key[int]("<a>:x", Was("<a>:y")), Key[int]("k:<b>"))), `can both be named "r:k:`},
		"other parameters":            {Cluster("r", Sub(Key[int]("a:<x>", Was("b:<y>")))), "it has <y>, and the present one <x>"},
		"no parameters":               {Cluster("r", Sub(Key[int]("a:<x>", Was("b")))), "it has none, and the present one <x>"},
		"a cluster's parameters":      {Cluster("r", Sub(Cluster("a:<id>", Params(id), Was("a"), Sub(Key[int]("k"))))), "it has none"},
		"a lock below":                {Cluster("r", Sub(Cluster("a", Was("b"), Sub(Lock("k", TTL(1)))))), "the lock"},
		"two hash tags":               {Cluster("r", Sub(Cluster("a:<x>", Was("{a:<x>}"), Sub(Key[int]("k:<y>", Was("{k:<y>}")))))), "two hash tags"},
		"many":                        {Cluster("a", Was("b"), Sub(Cluster("c", Was("d"), Sub(Cluster("e", Was("f"), Sub(Key[int]("g", Was("h")))))))), "more than 7 former names"},
	} {
		err := Check(c.root)
		require.ErrorIs(t, err, ErrDeclaration, what)
		require.ErrorContains(t, err, c.why, what)
	}
	for what, declare := range map[string]func(){
		"no option of a lock":        func() { Lock("k", TTL(1), Was("l")) },
		"no option of a limiter":     func() { Limiter("k", Rate(1, 1e9), Was("l")) },
		"no option of a channel":     func() { Channel[int]("k", Was("l")) },
		"it is the present template": func() { Key[int]("k", Was("k")) },
		"given twice":                func() { Key[int]("k", Was("l"), Was("m")) },
		`Was("a:"): begins or ends`:  func() { Key[int]("k", Was("a:")) },
		"cannot be empty":            func() { Key[int]("k", Was("")) },
	} {
		require.Contains(t, panicOf(declare), what)
	}
	require.NoError(t, Check(Cluster("r", Sub(Cluster("a", Was(""), Sub(Key[int]("k")))))), "without a segment of its own")
	require.NoError(t, Check(Cluster("r", Sub(Key[int]("profile:v2", Was("profile"))))), "an old name that begins the new one")
}

func TestFormerNamesInOtherSlotsAreDescribed(t *testing.T) {
	for what, c := range map[string]struct {
		root *ClusterDef
		want bool
	}{
		"another slot":           {Cluster("r", Sub(Key[int]("a:<x>", Was("b:<x>", AcrossSlots())))), true},
		"one slot":               {Cluster("r", Sub(Key[int]("a:{<x>}", Was("b:{<x>}", AcrossSlots())))), false},
		"without the option":     {Cluster("r", Sub(Key[int]("a:<x>", Was("b:<x>")))), false},
		"inherited":              {Cluster("r", Was("s", AcrossSlots()), Sub(Key[int]("a"))), true},
		"inherited, with a Was":  {Cluster("r", Was("s", AcrossSlots()), Sub(Key[int]("a", Was("b")))), true},
		"below one that is none": {Cluster("r", Was("s"), Sub(Key[int]("a", Was("b", AcrossSlots())))), true},
	} {
		d := open(t, c.root).Describe()
		require.Equal(t, c.want, d.Nodes[0].AcrossSlots, what)
		require.Equal(t, c.want, strings.Contains(d.String(), "carried across slots"), what)
	}
}

// FuzzFormerNames: the present name of a former one is the present name, for any values.
func FuzzFormerNames(f *testing.F) {
	for _, s := range []string{"a", "a-b", "x:y", "{}", "%2D", "\xff\n"} {
		f.Add(s, "1")
	}
	key := Key[int]("k:<a>:{<b>}", Was("<b>-<a>.x"))
	root := Cluster("r", Sub(key))
	s, err := Open(nil, root, NamesOnly())
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, a, b string) {
		r := key.At(s, a, b)
		if r.Err() != nil {
			return
		}
		for _, old := range r.at.m.olds(r.Key()) {
			m, err := s.Match(old)
			require.NoError(t, err, old)
			require.True(t, m.Former())
			first, _ := m.Param("a")
			second, _ := m.Param("b")
			require.Equal(t, []string{a, b}, []string{first, second})
			require.Equal(t, r.Key(), m.at.name.Translate(old, &m.at.present.name))
			require.True(t, strings.HasPrefix(old, "r:"))
		}
	})
}
