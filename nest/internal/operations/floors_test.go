package operations

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// exceptions are the allowed uses of a higher floor: the file and what it uses, with the reason.
var exceptions = map[[2]string]string{
	{"declaration", "mount.mounted"}:     "what a kind prepares for a key, it prepares for the place where the key is mounted",
	{"tree", "conn_dedicated.lines"}:     "a tree owns its connections, which end with it",
	{"tree", "subscribe_hub.hubs"}:       "a tree owns its subscriptions, which share connections",
	{"was", "command_moving.linkMoving"}: "what moves keys is only in programs that declare a Was",
	{"tree", "command_strays.strays"}:    "a tree remembers which keys were written while their slots moved",
}

func TestUsesRunDownwards(t *testing.T) {
	climbs, err := Climbs(filepath.Join("..", ".."))
	require.NoError(t, err)
	unused := map[[2]string]bool{}
	for e, reason := range exceptions {
		require.NotEmpty(t, reason, e)
		unused[e] = true
	}
	for _, c := range climbs {
		e := [2]string{c.User(), c.Uses}
		delete(unused, e)
		if exceptions[e] == "" {
			t.Error(c)
		}
	}
	require.Empty(t, unused, "exceptions that nothing needs")
	require.LessOrEqual(t, len(exceptions), 10, "so many exceptions are no order")
}

const floored = `// Package p is read from the bottom.
//
// # Reading order
//
//   - low: what is below
//     (doc, low*)
//   - high: what is above (high, low_not)
package p
`

func TestClimbsAreFound(t *testing.T) {
	write := func(files map[string]string) string {
		dir := t.TempDir()
		files["go.mod"] = "module p\n\ngo 1.26\n"
		for name, text := range files {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
		return dir
	}
	climbs, err := Climbs(write(map[string]string{
		"doc.go":     floored,
		"low_far.go": "package p\n\ntype box struct{ n int }\n\nfunc down() int { return up[int]() + box{}.held() }\n",
		"low_not.go": "package p\n\nfunc (b box) held() int { return b.n }\n",
		"high.go":    "package p\n\nfunc up[T any]() int { return down() }\n",
	}))
	require.NoError(t, err)
	require.Len(t, climbs, 2)
	require.Equal(t, `low_far.go:5:26: high.up is on the floor "high", above "low"`, climbs[0].String())
	require.Equal(t, "low_not.held", climbs[1].Uses)

	for want, files := range map[string]map[string]string{
		"other.go is on no floor":   {"doc.go": floored, "other.go": "package p\n"},
		"undefined: nothing":        {"doc.go": floored, "low.go": "package p\n\nvar _ = nothing\n"},
		"no section":                {"doc.go": "package p\n"},
		"lists no floors":           {"doc.go": "// Package p\n//\n// # Reading order\n//\n// None.\npackage p\n"},
		"low_x.go is on two floors": {"doc.go": "// Package p\n//\n// # Reading order\n//\n//   - a: (doc, low*)\n//   - b: (low*)\npackage p\n", "low_x.go": "package p\n"},
	} {
		_, err := Climbs(write(files))
		require.ErrorContains(t, err, want)
	}
}
