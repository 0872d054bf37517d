package nesttest

import (
	"bufio"
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
	f.Cleanup(func() { require.NoError(f, s.engine.close()) })
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

// Whatever replies on a port that was just free, reading the reply ends in a reply or an error.
func FuzzReadReply(f *testing.F) {
	for _, reply := range []string{"+PONG\r\n", ":1\r\n", "-ERR no\r\n", "$3\r\nabc\r\n", "$-1\r\n", "$99\r\nabc", "$x\r\n", "*0\r\n", "\n", "", "HTTP/1.1 400 Bad Request\r\n"} {
		f.Add(reply)
	}
	f.Fuzz(func(t *testing.T, reply string) {
		got, err := readReply(bufio.NewReader(strings.NewReader(reply)))
		if err == nil {
			require.Contains(t, reply, got)
		}
	})
}
