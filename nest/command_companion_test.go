package nest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
)

func TestCompanionsShareTheSlotAndMatchNothing(t *testing.T) {
	key := Key[int]("k:<a>:x")
	tail := Key[int]("t:<rest...>")
	braced := Key[int]("b:{<b>}")
	tailed := Key[int]("{c:<b>}:<rest...>")
	for _, root := range []*ClusterDef{
		Cluster("root", Sub(key, tail, braced, tailed)),
		Cluster("root:<r>", HashTag(), Sub(key, tail)),
		Cluster("", Sub(key, tail)),
	} {
		s, err := Open(nil, root, NamesOnly())
		require.NoError(t, err)
		for _, args := range [][]any{{"a"}, {"%load"}, {"{a}"}, {"}{"}} {
			if len(root.template.Slots) > 0 {
				args = append(args, "b")
			}
			all := []string{key.At(s, args...).Key(), tail.At(s, args...).Key()}
			if len(root.config.subs) > 2 {
				all = append(all, braced.At(s, args...).Key(), tailed.At(s, args[0], "x").Key(), tailed.At(s, "x", args[0]).Key())
			}
			for _, name := range all {
				require.NotEmpty(t, name)
				got := companion(name, "load")
				require.Equal(t, hashslot.Of(name), hashslot.Of(got), "%s and %s", name, got)
				require.True(t, strings.HasPrefix(got, name), "%s begins as %s does", got, name)
				of, role, ok := companionOf(got)
				require.True(t, ok, got)
				require.Equal(t, []string{name, "load"}, []string{of, role})
				_, _, ok = companionOf(name)
				require.False(t, ok, name)
				_, err := s.Match(got)
				require.ErrorIs(t, err, ErrNoMatch, got)
			}
		}
	}
}

func TestNamesThatAreNoCompanions(t *testing.T) {
	for _, name := range []string{
		"", "%", "}", "{}", "%load", "a%load", "a%load{b}", "a%loud{a}", "a%load{a", "a%load{a}x", "{a}%load{a}",
		"{a}:b%loud", "a%load{ab}", "%load{a}", "a{a}", "a%{a}", "{a}%", "{root:a}%25load", "{a}b}",
	} {
		of, _, ok := companionOf(name)
		require.False(t, ok, "%q serves %q", name, of)
	}
	for name, key := range map[string]string{
		"a:b%load{a:b}": "a:b", "a%25%wake{a%25}": "a%25", "{a}:b%token": "{a}:b", "x:{a}%wake": "x:{a}",
	} {
		of, _, ok := companionOf(name)
		require.True(t, ok, name)
		require.Equal(t, key, of)
	}
}
