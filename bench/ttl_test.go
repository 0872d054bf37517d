package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
)

// The keys that a benchmark reads are written before its first pass. They must not expire before
// its last pass, which a slow machine may reach hours later.
func TestNothingEndsWhileItIsMeasured(t *testing.T) {
	t.Parallel()
	const long = 24 * time.Hour
	var lasts func(d nest.Description)
	lasts = func(d nest.Description) {
		for what, seconds := range map[string]float64{"TTL": d.TTL, "Cached": d.Cached} {
			if seconds != 0 {
				require.GreaterOrEqual(t, seconds, long.Seconds(), "%s of %s", what, d.Name)
			}
		}
		for _, child := range d.Nodes {
			lasts(child)
		}
	}
	for _, tree := range []*nest.ClusterDef{notes, members, ratioTree, collections, crowdOf, rotation} {
		scope, err := nest.Open(nil, tree, nest.NamesOnly())
		require.NoError(t, err)
		lasts(scope.Describe())
	}
}
