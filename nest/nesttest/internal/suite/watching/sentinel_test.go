package watching_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// A watch goes on with the new primary and says that events may be missing, whether the old one is
// dead or goes on serving its connections.
func TestAWatchFollowsAFailover(t *testing.T) {
	t.Parallel()
	for what, replace := range map[string]func(t *testing.T, server *nesttest.Server){
		"asked for":   func(t *testing.T, server *nesttest.Server) { server.Failover(t) },
		"of the dead": func(t *testing.T, server *nesttest.Server) { server.Kill(t) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			server := nesttest.Sentinel(t)
			s, err := nest.Open(server.Client(t), root)
			require.NoError(t, err)
			ctx := t.Context()
			all, _ := listen(t, enabled, s, nest.Only(visits))
			_, err = visits.At(s, 1).Incr(ctx)
			require.NoError(t, err)
			require.Equal(t, "incrby user:1:visits", next(t, all))

			replace(t, server)
			ticks, end := time.NewTicker(50*time.Millisecond), time.After(30*time.Second)
			defer ticks.Stop()
			for gap, came := false, false; !came; {
				select {
				case h, ok := <-all:
					require.True(t, ok, "the watch has ended")
					if errors.Is(h.err, nest.ErrGap) {
						gap = true
						continue
					}
					require.NoError(t, h.err)
					require.Contains(t, []string{"incrby user:1:visits", "incrby user:2:visits"}, h.what)
					came = gap && h.what == "incrby user:2:visits"
				case <-ticks.C:
					_, _ = visits.At(s, 2).Incr(ctx) // until there is a primary that takes it
				case <-end:
					t.Fatal("nothing came from the new primary")
				}
			}
			_, err = visits.At(s, 3).Incr(ctx)
			require.NoError(t, err)
			for what := ""; what != "incrby user:3:visits"; what = next(t, all) {
				require.Contains(t, []string{"", "incrby user:2:visits"}, what)
			}
		})
	}
}
