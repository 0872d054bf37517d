package hashslot

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func set(t *testing.T, ranges ...string) (s Set) {
	t.Helper()
	for _, r := range ranges {
		require.True(t, s.AddText(r), r)
	}
	return s
}

// The slots are those that CLUSTER KEYSLOT returns.
func TestOf(t *testing.T) {
	for key, want := range map[string]uint16{
		"": 0, "123456789": 12739, "foo": 12182, "{foo}bar": 12182, "a{foo}{bar}": 12182, "foo{}{bar}": 8363, "foo{{bar}}zap": 4015, "foo{bar": 15278,
	} {
		require.Equal(t, want, Of(key), key)
	}
	below, one := Below("a:{foo}:"), set(t, "12182")
	require.Equal(t, one, below)
	require.Equal(t, Every(), Below("a:"))
	require.Equal(t, Every(), Below("a:{}"), "an empty hash tag is none")
}

func TestSet(t *testing.T) {
	s := set(t, "0-5460", "7")
	s.Add(16383)
	require.Equal(t, 5462, s.Len())
	require.True(t, s.Has(5460))
	require.False(t, s.Has(5461))
	require.Equal(t, "slots 0-5460, 16383", s.String())
	other := set(t, "5460-5461")
	both, either, rest := s.And(&other), s.Or(&other), s.Without(&other)
	require.Equal(t, set(t, "5460"), both)
	require.Equal(t, "slot 5460", both.String())
	require.Equal(t, "slots 0-5461, 16383", either.String())
	require.Equal(t, "slots 0-5459, 16383", rest.String())
	require.False(t, s.Empty())
	require.True(t, (&Set{}).Empty())
	var all []uint16
	for slot := range other.All {
		all = append(all, slot)
	}
	require.Equal(t, []uint16{5460, 5461}, all)
	var many Set
	for slot := uint16(0); slot < 40; slot += 2 {
		many.Add(slot)
	}
	require.Equal(t, "slots 0, 2, 4, 6, 8, 10, 12, 14 and 12 more", many.String())
	for _, bad := range []string{"", "x", "1-", "-1", "16384", "1-16384", "5-3", "70000"} {
		require.False(t, many.AddText(bad), bad)
	}
}

func TestParseNodes(t *testing.T) {
	nodes, ok := ParseNodes("txt:a 127.0.0.1:1@2,host myself,master - 0 1 3 connected 0-5460 7000 [93-<-b]\n" +
		"b 127.0.0.1:2@3 slave a 0 1 3 connected\nc :0@0 master,fail,noaddr - 0 1 4 disconnected 5461-6999\n")
	require.True(t, ok)
	require.Equal(t, []Node{
		{ID: "a", Myself: true, Primary: true, Epoch: 3, Slots: set(t, "0-5460", "7000"), Open: set(t, "93")},
		{ID: "b", Epoch: 3},
		{ID: "c", Primary: true, Gone: true, Epoch: 4, Slots: set(t, "5461-6999")},
	}, nodes)
	for _, bad := range []string{
		"", "a b", "a 1 master - 0 1 x connected", "a 1 master - 0 1 3 connected x-9", "a 1 master - 0 1 3 connected 1-16384",
		"a 1 master - 0 1 3 connected 9-1", "a 1 master - 0 1 3 connected [x->-b]",
	} {
		_, ok := ParseNodes(bad)
		require.False(t, ok, bad)
	}
}

func FuzzParseNodes(f *testing.F) {
	f.Add("txt:a 127.0.0.1:1@2,host myself,master - 0 1 3 connected 0-5460 7000 [93-<-b]\n")
	f.Add("b 127.0.0.1:2@3 slave a 0 1 3 connected\n")
	f.Fuzz(func(t *testing.T, text string) {
		nodes, ok := ParseNodes(text)
		require.Equal(t, ok, len(nodes) > 0)
		for _, n := range nodes {
			require.LessOrEqual(t, n.Slots.Len(), Count)
			require.NotContains(t, n.ID, " ")
		}
	})
}

// The package needs the standard library alone.
func TestImports(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	require.NoError(t, err)
	require.Equal(t, []string{"github.com/redisimnest/redisimnest/nest/internal/hashslot"}, strings.Fields(string(out)))
}
