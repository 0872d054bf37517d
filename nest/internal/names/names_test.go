package names

import (
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyTheStandardLibraryIsBelow(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, reflect.TypeFor[Name]().PkgPath(), strings.TrimSpace(string(out)))
}

// FuzzName checks that Resolve makes the same name as Complete, that the index finds it, and that
// its values are read back.
func FuzzName(f *testing.F) {
	for i, s := range []string{"42", "a:b", "%3A", "{x}", "-", "a-b", "\xff", "", "007", "-1"} {
		f.Add(uint8(i), s, "x", int64(i)-2)
	}
	templates := []declared{
		keyOf("user:<a>:age"), keyOf("<a>-k-<b>", specOf[int64]("a")), keyOf("file:<a...>"), keyOf("v<a>.<b>-x"),
		{above: "t:<a>", tag: true, text: "n:<b>", specs: []*Spec{specOf[string]("b")}},
		keyOf("cart:{<a>}"), keyOf("{u:<a>}:<b>"), keyOf("h{<a>-<b>}x"),
		keyOf("flag:<a>", specOf[bool]("a")), keyOf("n:<a>", specOf[uint8]("a")),
	}
	index := NewIndex()
	var all []Name
	shared, top := &Shared{}, Top("root")
	for i, d := range templates {
		_, name := d.under(f, &top, shared)
		all = append(all, name)
		index.Add(i, &all[i])
	}
	index.Seal()
	f.Fuzz(func(t *testing.T, which uint8, a, b string, n int64) {
		at := int(which) % len(all)
		name := &all[at]
		for _, args := range [][]any{{a}, {n}, {a, b}, {n, a}, {a, n}, {true}} {
			fast, ok := name.Complete(&top, "root", args)
			slow, problem := name.Resolve(&top, "root", args, make([]Given, len(args)))
			if ok {
				require.Nil(t, problem)
				require.Equal(t, slow, fast)
			}
			if problem != nil {
				require.NotZero(t, problem.Kind)
				continue
			}
			require.Equal(t, at, index.Find(slow), slow)
			i := 0
			for _, value := range name.Values(slow) {
				if text, ok := args[i].(string); ok {
					require.Equal(t, text, value)
				}
				i++
			}
			require.Equal(t, len(args), i)
		}
	})
}
