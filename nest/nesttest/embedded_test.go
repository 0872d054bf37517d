package nesttest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A scan for a name with its glob characters escaped finds the name, whatever bytes it contains,
// and the embedded server survives it.
func FuzzTame(f *testing.F) {
	for _, name := range []string{"a", "", `\`, `\E(`, `\\E`, "\xff", "\xc3(", "é", "[", "]", "*?", "{2}", ".", "\x00", "\n", "(?i)", `\Q`} {
		f.Add(name)
	}
	s, err := startEmbedded(startOptions{})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, s.engine.Close()) })
	client := s.Client(f)
	f.Fuzz(func(t *testing.T, name string) {
		ctx := t.Context()
		require.NoError(t, client.Do(ctx, client.B().Set().Key(name).Value("x").Build()).Error())
		pattern := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(name)
		page, err := client.Do(ctx, client.B().Scan().Cursor(0).Match(pattern).Build()).AsScanEntry()
		require.NoError(t, err)
		require.Contains(t, page.Elements, name)
		require.NoError(t, client.Do(ctx, client.B().Del().Key(name).Build()).Error())
	})
}
