package auditing_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/audit"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// The keys of former generations are found, and the number of a generation is no orphan, unless
// nothing declares its cluster.
func TestGenerations(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, server *nesttest.Server) {
		ctx := t.Context()
		item := nest.Key[string]("item:<id>")
		catalog := nest.Cluster("catalog:<gen>", nest.Generation("gen"), nest.TTL(time.Hour), nest.Sub(item))
		tenant := nest.Cluster("tenant:<tenant>", nest.Sub(catalog))
		root := server.Open(t, nest.Cluster("root", nest.Sub(tenant)))
		for range 2 {
			for _, of := range []string{"a", "b"} {
				now, err := catalog.Renew(ctx, root, of)
				require.NoError(t, err)
				for id := range 3 {
					require.NoError(t, item.At(now, id).Set(ctx, "x"))
				}
			}
		}
		now, err := catalog.Renew(ctx, root, "b")
		require.NoError(t, err)
		r, err := audit.Run(ctx, root)
		require.NoError(t, err)
		template := root.Prefix() + ":tenant:<tenant>:catalog:<gen>:item:<id>"
		k, ok := r.Key(template)
		require.True(t, ok)
		require.EqualValues(t, 12, k.Keys)
		require.EqualValues(t, 9, k.OldGenerations)
		require.EqualValues(t, 2, r.Companions.Keys)
		require.Len(t, r.Findings, 1)
		require.Equal(t, audit.OldGeneration, r.Findings[0].Kind)
		require.EqualValues(t, 9, r.Findings[0].Keys)
		require.Error(t, r.Err(audit.OldGeneration))

		r, err = audit.Run(ctx, tenant.At(root, "b"), audit.Walk(nest.Only(item)))
		require.NoError(t, err)
		require.Error(t, r.Err(audit.OldGeneration))
		_, err = root.Clear(ctx)
		require.NoError(t, err)
		require.NoError(t, item.At(now, 1).Set(ctx, "x"))
		r, err = audit.Run(ctx, root)
		require.NoError(t, err)
		require.Error(t, r.Err(audit.OldGeneration), "a generation whose number is lost does not come back")

		client := server.Client(t)
		stray := root.Prefix() + ":gone"
		stray += "%gen{" + stray + "}"
		require.NoError(t, client.Do(ctx, client.B().Set().Key(stray).Value(strconv.Itoa(1)).Build()).Error())
		r, err = audit.Run(ctx, root)
		require.NoError(t, err)
		require.Error(t, r.Err(audit.Orphan))
	})
}
