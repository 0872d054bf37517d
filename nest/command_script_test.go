package nest

import (
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
)

// A command that is sent again keeps its marks in the client. Without its mark, a blocking command
// would delay all others on a shared connection.
func TestMarksOfACommandThatIsSentAgain(t *testing.T) {
	t.Parallel()
	words := func() buildable {
		return rueidis.Builder{}.Arbitrary("XREAD", "BLOCK", "5000", "STREAMS", "stream", "0-0")
	}
	for name, cmd := range map[string]rueidis.Completed{
		"waits":     words().Blocking(),
		"reads":     words().ReadOnly(),
		"retryable": words().Build().ToRetryable(),
		"writes":    words().Build(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			again := marksOf(cmd).rebuilt(rueidis.Builder{}, cmd.Commands())
			require.Equal(t, cmd.Commands(), again.Commands())
			require.Equal(t, cmd.IsBlock(), again.IsBlock())
			require.Equal(t, cmd.IsReadOnly(), again.IsReadOnly())
			require.Equal(t, cmd.IsRetryable(), again.IsRetryable())
		})
	}
}
