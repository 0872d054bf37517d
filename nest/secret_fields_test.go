package nest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSecretFieldsNeedAKeyring(t *testing.T) {
	type account struct {
		Name string `nest:"name"`
		Key  string `nest:"key,was=old,secret"`
	}
	tree := Cluster("root", Sub(
		Hash[string]("all", SecretFields()), Hash[int]("some", SecretFields("a", "b")), Record[account]("record"),
		Hash[int]("none"), Record[struct{ Name string }]("plain"),
	))
	err := Check(tree)
	require.ErrorIs(t, err, ErrNoKeyring)
	require.ErrorIs(t, err, ErrDeclaration)
	for _, name := range []string{`"root:all"`, `"root:some"`, `"root:record"`} {
		require.ErrorContains(t, err, name)
	}
	require.NotContains(t, err.Error(), `"root:none"`)
	require.NotContains(t, err.Error(), `"root:plain"`)
	require.NoError(t, Check(tree, WithKeyring(keyring(t))))

	s, err := Open(nil, tree, NamesOnly())
	require.NoError(t, err, "names need no keyring")
	var found [][]string
	for _, d := range s.Describe().Nodes {
		found = append(found, d.SecretFields)
	}
	require.Equal(t, [][]string{{"*"}, {"a", "b"}, {"key", "old"}, nil, nil}, found)
	require.Contains(t, s.Describe().String(), "secret fields a b")
}

func TestSecretFieldDeclarations(t *testing.T) {
	refused := func(declare func()) (text string) {
		defer func() { text, _ = recover().(string) }()
		declare()
		return ""
	}
	require.Contains(t, refused(func() { Hash[int]("h", SecretFields("a", "a")) }), `"a" is given twice`)
	require.Contains(t, refused(func() { Hash[int]("h", SecretFields("a"), SecretFields("b")) }), "SecretFields is given twice")
	require.Contains(t, refused(func() { Key[int]("k", SecretFields()) }), "SecretFields is no option of a")
	require.Contains(t, refused(func() {
		type s struct {
			A int `nest:"a,secret=yes"`
		}
		Record[s]("r")
	}), `unknown option "secret=yes"`)
}
