package nest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCompanionsShareTheSlotAndMatchNothing(t *testing.T) {
	key := Key[int]("k:<a>:x")
	tail := Key[int]("t:<rest...>")
	for _, root := range []*ClusterDef{
		Cluster("root", Sub(key, tail)),
		Cluster("root:<r>", HashTag(), Sub(key, tail)),
		Cluster("", Sub(key, tail)),
	} {
		s, err := Open(nil, root, NamesOnly())
		require.NoError(t, err)
		for _, args := range [][]any{{"a"}, {"%load"}, {"{a}"}, {"}{"}} {
			if len(root.template.slots) > 0 {
				args = append(args, "b")
			}
			for _, name := range []string{key.At(s, args...).Key(), tail.At(s, args...).Key()} {
				require.NotEmpty(t, name)
				got := companion(name, "load")
				require.Equal(t, keySlot(name), keySlot(got), "%s and %s", name, got)
				_, err := s.Match(got)
				require.ErrorIs(t, err, ErrNoMatch, got)
			}
		}
	}
}
