package operations

import (
	"go/types"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the compiler says of a wrong call of LoadMany names a method that users know.
func TestWhatIsNotLoadableLacksGetOrLoad(t *testing.T) {
	p, err := load(filepath.Join("..", ".."))
	require.NoError(t, err)
	of := func(name string, arg types.Type) types.Type {
		generic := p.types.Scope().Lookup(name).Type()
		typ, err := types.Instantiate(nil, generic, []types.Type{arg}, true)
		require.NoError(t, err)
		return typ
	}
	text, number := types.Typ[types.String], types.Typ[types.Int]
	for _, c := range []struct {
		typ   types.Type
		of    types.Type
		ok    bool
		wrong bool
	}{
		{of("KeyRef", text), text, true, false},
		{of("KeyRef", text), number, false, true},
		{of("ListRef", text), types.NewSlice(text), true, false},
		{of("ListRef", text), text, false, true},
		{of("StreamRef", text), text, false, false},
		{types.NewPointer(of("KeyDef", text)), text, false, false},
		{text, text, false, false},
	} {
		loadable := of("Loadable", c.of).Underlying().(*types.Interface)
		missing, wrong := types.MissingMethod(c.typ, loadable, true)
		if c.ok {
			require.Nil(t, missing, c.typ)
			continue
		}
		require.Equal(t, "GetOrLoad", missing.Name(), c.typ)
		require.Equal(t, c.wrong, wrong, c.typ)
	}
}
