package bench

import (
	"context"
	"strings"
	"testing"

	"github.com/redisimnest/redisimnest/nest"
)

var (
	memberID  = nest.Param[int]("id")
	memberOf  = nest.Key[string]("member:<id>", nest.Params(memberID))
	sessionOf = nest.Key[string]("session:<token>:<id>", nest.Params(memberID))
	crowdBy   = nest.Cluster("root", nest.Sub(nest.Cluster("crowd", nest.Sub(memberOf, sessionOf))))
)

// BenchmarkRatioCountWhere counts the sessions of one user among a million keys, alternating with a
// bare loop of SCAN whose pattern is that of these sessions.
func BenchmarkRatioCountWhere(b *testing.B) {
	benchmarkWhere(b, func(root nest.Scope) walker {
		return func(ctx context.Context) (int64, error) {
			return root.Count(ctx, nest.Where(memberID.Of(42)), nest.Only(sessionOf))
		}
	})
}

// BenchmarkRatioClearWhere clears everything of one user, alternating with the same loop. There is
// nearly nothing to delete, so that it measures the walk.
func BenchmarkRatioClearWhere(b *testing.B) {
	benchmarkWhere(b, func(root nest.Scope) walker {
		return func(ctx context.Context) (int64, error) {
			return root.Clear(ctx, nest.Where(memberID.Of(42)))
		}
	})
}

func benchmarkWhere(b *testing.B, walk func(root nest.Scope) walker) {
	b.Helper()
	server := realServer(b)
	client := newClient(b, server)
	_, lead := crowd(b, client, server.Prefix(b))
	root, err := nest.Open(client, crowdBy, nest.WithPrefix(strings.TrimSuffix(lead, ":root:crowd:")))
	if err != nil {
		b.Fatal(err)
	}
	if err := fill(b.Context(), client, lead, crowdSize()); err != nil {
		b.Fatal(err)
	}
	whole := func(do walker) walker { // the servers look at the whole crowd
		return func(ctx context.Context) (int64, error) {
			_, err := do(ctx)
			return int64(crowdSize()), err
		}
	}
	walkInTurn(b, func() error { return nil }, whole(walk(root)), whole(func(ctx context.Context) (int64, error) {
		return scanLoop(ctx, client, lead+"session:*:42", func(names []string) (int64, error) { return int64(len(names)), nil })
	}))
}
