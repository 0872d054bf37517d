package nest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Some declarations refused a nil option and others ignored it.
func TestNilOptionsOfDeclarations(t *testing.T) {
	for what, declare := range map[string]func(){
		"cluster":      func() { Cluster("c", nil) },
		"key":          func() { Key[int]("k", nil) },
		"parameter":    func() { Param[int]("p", nil) },
		"read-through": func() { Key[int]("k", ReadThrough(nil)) },
		"was":          func() { Key[int]("k", Was("l", nil)) },
		"typed nil":    func() { Param[int]("p", paramOption(nil)) },
	} {
		require.Contains(t, panicOf(declare), "a nil option", what)
	}
	tree := Cluster("root", Sub(Key[int]("key")))
	for what, opt := range map[string]OpenOption{"open": nil, "inherited": WithDefaults(nil), "typed nil": openOption(nil)} {
		_, err := Open(nil, tree, NamesOnly(), opt)
		require.ErrorIs(t, err, ErrDeclaration, what)
		require.ErrorIs(t, err, ErrArgument, what)
		require.ErrorIs(t, Check(tree, opt), ErrDeclaration, what)
	}
}

// panicOf returns the text that declare panics with.
func panicOf(declare func()) (text string) {
	defer func() { text, _ = recover().(string) }()
	declare()
	return ""
}
