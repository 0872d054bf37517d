package nest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

func TestCollisionsAreFound(t *testing.T) {
	id := Param[int64]("id")
	unsigned := Param[uint8]("id")
	flag := Param[bool]("flag")
	key := func(template string, opts ...KeyOption) Node { return Key[int](template, opts...) }
	for _, c := range []struct {
		name    string
		nodes   []Node
		example string // "" for no collision
	}{
		{"same text", []Node{key("a"), key("a")}, "root:a"},
		{"same text in two clusters", []Node{Cluster("c", Sub(key("a"))), Cluster("c", Sub(key("a")))}, "root:c:a"},
		{"a cluster beside a key of the same path", []Node{Cluster("c", Sub(key("a"))), key("c:a")}, "root:c:a"},
		{"a key of a cluster's own name", []Node{Cluster("c", Sub(key("a"))), key("c")}, ""},
		{"literal and parameter", []Node{Cluster("user:<id>", Sub(key("age"))), key("user:me:<field>")}, "root:user:me:age"},
		{"literal and integer", []Node{Cluster("user:<id>", Params(id), Sub(key("age"))), key("user:me:<field>")}, ""},
		{"number and integer", []Node{key("user:<id>", Params(id)), key("user:7")}, "root:user:7"},
		{"leading zero and integer", []Node{key("user:<id>", Params(id)), key("user:007")}, ""},
		{"negative number and unsigned", []Node{key("user:<id>", Params(unsigned)), key("user:-7")}, ""},
		{"number out of range", []Node{key("user:<id>", Params(unsigned)), key("user:256")}, ""},
		{"boolean", []Node{key("x:<flag>", Params(flag)), key("x:true")}, "root:x:true"},
		{"boolean and integer", []Node{key("x:<flag>", Params(flag)), key("x:<id>", Params(id))}, ""},
		{"two parameters", []Node{key("x:<a>"), key("x:<b>")}, "root:x:a"},
		{"two parameters of two lengths", []Node{key("x:<a>"), key("x:<b>:y")}, ""},
		{"lead", []Node{key("x:a<a>"), key("x:b<b>")}, ""},
		{"lead within lead", []Node{key("x:a<a>"), key("x:ab<b>")}, "root:x:aba"},
		{"ends", []Node{key("x:<a>-a"), key("x:<b>-b")}, ""},
		{"inner literal", []Node{key("x:<a>-<b>"), key("x:<c>")}, "root:x:a-a"},
		{"inner literal and literal", []Node{key("x:<a>-<b>"), key("x:p-q")}, "root:x:p-q"},
		{"inner literal and other literal", []Node{key("x:<a>-<b>"), key("x:pq")}, ""},
		{"escaped separator", []Node{key("x:<a>-"), key("x:<b>.")}, ""},
		{"tail and literal", []Node{key("f:<p...>"), key("f:a")}, "root:f:a"},
		{"tail and deep literal", []Node{key("f:<p...>"), key("f:a:b:c")}, "root:f:a:b:c"},
		{"tail and cluster", []Node{key("f:<p...>"), Cluster("f:<x>", Sub(key("y")))}, "root:f:a:y"},
		{"tail with lead", []Node{key("f:a<p...>"), key("f:b:c")}, ""},
		{"tail with lead and deep literal", []Node{key("f:a<p...>"), key("f:ab:c")}, "root:f:ab:c"},
		{"tail with lead that begins with a colon", []Node{key("f:a<p...>"), key("f:a:c")}, "root:f:a:c"},
		{"tail needs something", []Node{key("f:a<p...>"), key("f:a")}, ""},
		{"two tails", []Node{key("f:<p...>"), key("f:<q...>")}, "root:f:a"},
		{"two tails with leads", []Node{key("f:a<p...>"), key("f:ab<q...>")}, "root:f:aba"},
		{"two tails apart", []Node{key("f:a<p...>"), key("f:b<q...>")}, ""},
		{"tails at two depths", []Node{key("<p...>"), key("f:<q...>")}, "root:f:a"},
		{"tail and braces", []Node{key("f:<p...>"), Cluster("f", HashTag(), Sub(key("a")))}, ""},
		{"hash tag keeps apart", []Node{Cluster("u:<a>", HashTag(), Sub(key("k"))), Cluster("u:<b>", Sub(key("k")))}, ""},
		{"hash tags", []Node{Cluster("u:<a>", HashTag(), Sub(key("k"))), Cluster("u:<b>", HashTag(), Sub(key("k")))}, "root:{u:a}:k"},
		{"braces and none", []Node{key("cart:{<a>}"), key("cart:<b>")}, ""},
		{"braces and a tail", []Node{key("cart:{<a>}"), key("cart:<b...>")}, ""},
		{"braces and braces", []Node{key("cart:{<a>}"), key("cart:{<b>}")}, "root:cart:{a}"},
		{"braces around less", []Node{key("{cart:<a>}:x"), key("{cart:<b>}:<c>")}, "root:{cart:a}:x"},
		{"braces around a number", []Node{key("cart:{<id>}", Params(id)), key("cart:{<flag>}", Params(flag))}, ""},
		{"braces around more", []Node{key("{<a>:<b>}"), key("{<c>}:<d>")}, ""},
		{"braces in a template and of a cluster", []Node{key("{u:<a>}:k"), Cluster("u:<b>", HashTag(), Sub(key("k")))}, "root:{u:a}:k"},
		{"braces of two clusters", []Node{Cluster("{u:<a>}", Sub(key("k"))), Cluster("u:<b>", HashTag(), Sub(key("k")))}, "root:{u:a}:k"},
		{"empty prefixes", []Node{Cluster("", Sub(key("k"))), Cluster("", Sub(key("k")))}, "root:k"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Check(Cluster("root", Sub(c.nodes...)))
			if c.example == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrCollision)
			require.ErrorIs(t, err, ErrDeclaration)
			require.ErrorContains(t, err, fmt.Sprintf("can both be named %q", c.example))
			require.Equal(t, 2, strings.Count(err.Error(), "collide_test.go:"), "both places")

			reversed := Check(Cluster("root", Sub(c.nodes[1], c.nodes[0])))
			require.ErrorIs(t, reversed, ErrCollision)
		})
	}
}

func TestOneDeclarationInSeveralPlacesIsNoCollision(t *testing.T) {
	messages := Key[string]("message:<id>")
	tree := Cluster("root", Sub(Cluster("user:<user>", Sub(messages)), Cluster("admin:<admin>", Sub(messages))))
	require.NoError(t, Check(tree))
	require.ErrorIs(t, Check(Cluster("root", Sub(messages, messages))), ErrCollision) //nest:ignore the error is what is tested
}

// FuzzCollisions checks random trees. No arguments give two keys of a tree that Open accepts the
// same name. The example of every reported collision is a name of both keys.
func FuzzCollisions(f *testing.F) {
	for seed := range uint64(64) {
		f.Add(seed, "a", "a-b")
	}
	f.Add(uint64(1), "x:y", "1")
	f.Fuzz(func(t *testing.T, seed uint64, a, b string) {
		if a == "" || b == "" || len(a) > 100 || len(b) > 100 {
			return
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		pieces := []string{"a", "b", "ab", "1", "true", "<x>", "<y>", "a<x>", "<x>-<y>", "<x>a", "a-<y>", "<x>b<y>", "{<x>}", "a{<x>}", "{<x>-<y>}", "{<x>:a}", "{<y>}b"}
		template := func() string {
			var parts []string
			for range 1 + rng.IntN(3) {
				parts = append(parts, pieces[rng.IntN(len(pieces))])
			}
			text := strings.Join(parts, ":")
			if rng.IntN(5) == 0 {
				text += ":<t...>"
			}
			return text
		}
		var keys []Node
		for len(keys) < 3 {
			text := template()
			if _, err := names.Parse(text, true); err != nil {
				continue
			}
			var opts []KeyOption
			if rng.IntN(3) == 0 && strings.Contains(text, "<x>") {
				opts = append(opts, Params(Param[int]("x")))
			}
			keys = append(keys, Key[int](text, opts...))
		}
		s, err := Open(nil, Cluster("r", Sub(keys...)), NamesOnly())
		if err != nil {
			require.ErrorIs(t, err, ErrCollision)
			requireTrueExamples(t, err, keys...)
			return
		}
		taken := map[string]Node{}
		values := []any{a, b, "a", "b", "1", "-1", "ab", "a-b", 1, -1, 12, true, "a:b", "b:a:1", "{a}", "a}:{b"}
		for _, k := range keys {
			for range 40 {
				args := make([]any, len(k.(*KeyDef[int]).template.Slots))
				for i := range args {
					args[i] = values[rng.IntN(len(values))]
				}
				r := k.(*KeyDef[int]).At(s, args...)
				if r.Err() != nil {
					continue
				}
				if other, ok := taken[r.Key()]; ok && other != k {
					t.Fatalf("%s and %s are both named %q", other.Template(), k.Template(), r.Key())
				}
				taken[r.Key()] = k
				m, err := s.Match(r.Key())
				require.NoError(t, err)
				require.Equal(t, k, m.Def())
			}
		}
	})
}

func TestScopesKnowWhatTheyShare(t *testing.T) {
	mine := Cluster("user:<id>", Sub(Key[int]("age")))
	me := Cluster("user:me", Sub(Key[int]("name")))
	apart := Cluster("app", Sub(Key[int]("age")))
	s := open(t, Cluster("root", Sub(mine, me, apart)))
	require.True(t, mine.At(s, 1).at.shares)
	require.True(t, me.At(s).at.shares)
	require.False(t, apart.At(s).at.shares)
	require.False(t, s.at.shares)

	require.True(t, clears(t, mine.At(s, "me"), "root:user:me:age"))
	require.True(t, clears(t, mine.At(s, "me"), "root:user:me:undeclared"))
	require.False(t, clears(t, mine.At(s, "me"), "root:user:me:name"))
	require.False(t, clears(t, me.At(s), "root:user:me:age"))
}

var bothNamed = regexp.MustCompile(`can both be named "([^"]*)"`)

// requireTrueExamples requires that each name that an error shows as an example is a name of both
// keys.
func requireTrueExamples(t *testing.T, err error, keys ...Node) {
	t.Helper()
	for line := range strings.SplitSeq(err.Error(), "\n") {
		name := bothNamed.FindStringSubmatch(line)
		if name == nil {
			continue
		}
		holders := 0
		for _, k := range keys {
			s, err := Open(nil, Cluster("r", Sub(k)), NamesOnly())
			if err != nil {
				continue // a key that collides with itself
			}
			if m, err := s.Match(name[1]); err == nil && m.Def() == k {
				holders++
			}
		}
		require.GreaterOrEqual(t, holders, 2, line)
	}
}

func TestExamplesOfCollisionsAreTrue(t *testing.T) {
	address, flag := Param[netip.Addr]("id"), Param[bool]("paid")
	even := Param[int]("n", Validate(func(n int) error {
		if n%2 != 0 || n < 100 {
			return errors.New("odd")
		}
		return nil
	}))
	for what, c := range map[string]struct {
		one, other Node
		example    string // "" if the error says that none is known
	}{
		"a type with a text form and a boolean": {Key[int]("order:<id>", Params(address)), Key[int]("order:<paid>", Params(flag)), ""},
		"a type with a text form and any text":  {Key[int]("order:<id>", Params(address)), Key[int]("order:<x>"), "r:order:127.0.0.1"},
		"two of a type with a text form":        {Key[int]("order:<id>", Params(address)), Key[int]("order:<o>", Params(Param[netip.Addr]("o"))), "r:order:127.0.0.1"},
		"a validation":                          {Key[int]("order:<n>", Params(even)), Key[int]("order:<x>"), ""},
		"a limit":                               {Key[int]("o:<a>-x", Params(Param[string]("a", MaxLen(1)))), Key[int]("o:bb<b>x"), ""},
	} {
		err := Check(Cluster("r", Sub(c.one, c.other)))
		require.ErrorIs(t, err, ErrCollision, what)
		if c.example == "" {
			require.NotContains(t, err.Error(), "can both be named", what)
			require.ErrorContains(t, err, "are not proven apart", what)
			require.Equal(t, 2, strings.Count(err.Error(), "collide_test.go:"), "both places")
			continue
		}
		require.ErrorContains(t, err, fmt.Sprintf("can both be named %q", c.example), what)
		requireTrueExamples(t, err, c.one, c.other)
	}
}
