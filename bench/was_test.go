package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
)

// Keys of one length: without a former name, moved from one, and under neither of two names.
var (
	wasNever = nest.Key[string]("never:<id>")
	wasMoved = nest.Key[string]("moved:<id>", nest.Was("older:<id>"))
	wasTree  = nest.Cluster("root", nest.Sub(wasNever, wasMoved))

	// wasNone is the same keyspace before anything in it had a former name.
	wasNone = nest.Cluster("root", nest.Sub(wasNever))

	// wasBefore and wasAfter are the keyspace of a crowd that is renamed as a whole.
	wasOld    = nest.Key[string]("member:<id>")
	wasNew    = nest.Key[string]("person:<id>", nest.Was("member:<id>"))
	wasBefore = nest.Cluster("root", nest.Sub(nest.Cluster("crowd", nest.Sub(wasOld))))
	wasAfter  = nest.Cluster("root", nest.Sub(nest.Cluster("crowd", nest.Sub(wasNew))))
)

// BenchmarkRatioWas compares reads of keys with a former name with those of a key without one: of a
// key that was moved, and of one that is missing, for which a second command asks for the old name.
// It also compares a key without a former name beside others that have one with the same key in a
// tree without any.
func BenchmarkRatioWas(b *testing.B) {
	server := realServer(b)
	client := newClient(b, server)
	prefix := server.Prefix(b)
	root, err := nest.Open(client, wasTree, nest.WithPrefix(prefix))
	if err != nil {
		b.Fatal(err)
	}
	none, err := nest.Open(client, wasNone, nest.WithPrefix(prefix))
	if err != nil {
		b.Fatal(err)
	}
	const missing = 1_000_000
	for id := range crowds[len(crowds)-1] {
		for _, key := range []*nest.KeyDef[string]{wasNever, wasMoved} {
			if err := key.At(root, id).Set(b.Context(), noteText); err != nil {
				b.Fatal(err)
			}
		}
	}
	get := func(key *nest.KeyDef[string], root nest.Scope, from int) func(ctx context.Context, g int) error {
		return func(ctx context.Context, g int) error {
			v, found, err := key.At(root, from+g).Lookup(ctx)
			if err == nil && found != (from < missing) {
				err = fmt.Errorf("found is %t", found)
			}
			sink = v
			return err
		}
	}
	for _, c := range []struct {
		name, other  string
		ours, theirs func(ctx context.Context, g int) error
	}{
		{"never renamed", "in a tree without Was", get(wasNever, root, 0), get(wasNever, none, 0)},
		{"moved", "never renamed", get(wasMoved, root, 0), get(wasNever, root, 0)},
		{"missing", "never renamed", get(wasMoved, root, missing), get(wasNever, root, missing)},
	} {
		for _, crowd := range crowds[:2] {
			n := 2_000
			if crowd > 1 {
				n = 10_240
			}
			b.Run(fmt.Sprintf("%s, %d/%s", c.name, crowd, c.other), func(b *testing.B) {
				ratio(b, inCrowd(b, crowd, c.ours), inCrowd(b, crowd, c.theirs), n)
			})
		}
	}
}

// BenchmarkMigrate moves a million keys to their new names, or with -short a hundred thousand. It
// reports the median of the keys moved per second. -benchtime 10x is enough.
func BenchmarkMigrate(b *testing.B) {
	server := realServer(b)
	client := newClient(b, server)
	prefix := server.Prefix(b)
	before, err := nest.Open(client, wasBefore, nest.WithPrefix(prefix))
	if err != nil {
		b.Fatal(err)
	}
	after, err := nest.Open(client, wasAfter, nest.WithPrefix(prefix))
	if err != nil {
		b.Fatal(err)
	}
	var rate []float64
	for b.Loop() {
		if _, err := after.Clear(b.Context()); err != nil {
			b.Fatal(err)
		}
		if err := fill(b.Context(), client, before.Prefix()+":crowd:", crowdSize()); err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		report, err := nest.Migrate(b.Context(), after)
		if err != nil || report.Moved < int64(crowdSize()) {
			b.Fatalf("%s: %v", report, err)
		}
		rate = append(rate, float64(report.Moved)/time.Since(start).Seconds())
	}
	b.ReportMetric(median(rate), "keys/s")
	b.ReportMetric(0, "ns/op")
}

// TestReadsOfMovedKeysAllocateNoMore checks that a key that was moved costs what any other costs:
// its name and the answer.
func TestReadsOfMovedKeysAllocateNoMore(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates on its own")
	}
	ctx, server := t.Context(), realServer(t) // the embedded one would allocate here too
	root, err := nest.Open(server.Client(t), wasTree, nest.WithPrefix(server.Prefix(t)))
	require.NoError(t, err)
	for _, key := range []*nest.KeyDef[string]{wasNever, wasMoved} {
		require.NoError(t, key.At(root, 1).Set(ctx, noteText))
		require.LessOrEqual(t, testing.AllocsPerRun(500, func() {
			_, err := key.At(root, 1).Get(ctx)
			require.NoError(t, err)
		}), 2.0, key.Template())
	}
}
