package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

var (
	flowLock  = nest.Lock("lock:<name>", nest.TTL(30))
	flowLimit = nest.Limiter("limit:<name>", nest.Rate(1<<30, time.Hour))
	flowTree  = nest.Cluster("flow", nest.Sub(flowLock, flowLimit))
)

// sent records the scripts that a client is given, so that they can be sent again without the
// library.
type sent struct {
	rueidis.Client
	scripts *[][]string
}

func (s sent) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	*s.scripts = append(*s.scripts, append([]string(nil), cmd.Commands()...))
	return s.Client.Do(ctx, cmd)
}

// BenchmarkFlowLock takes an uncontended lock and releases it, and BenchmarkFlowAllow asks a
// limiter. Each is measured beside rueidis with the same scripts, keys and arguments.
func BenchmarkFlowLock(b *testing.B) {
	compareScripts(b, func(ctx context.Context, s nest.Scope) error {
		l, ok, err := flowLock.At(s, "job").TryAcquire(ctx)
		if err != nil || !ok {
			return fmt.Errorf("not acquired: %w", err)
		}
		return l.Release(ctx)
	})
}

// BenchmarkFlowAllow is described at [BenchmarkFlowLock].
func BenchmarkFlowAllow(b *testing.B) {
	compareScripts(b, func(ctx context.Context, s nest.Scope) error {
		d, err := flowLimit.At(s, "192.0.2.1").Allow(ctx)
		if err == nil && !d.Allowed {
			return fmt.Errorf("denied")
		}
		return err
	})
}

func compareScripts(b *testing.B, do func(ctx context.Context, s nest.Scope) error) {
	b.Helper()
	server := realServer(b)
	client := newClient(b, server)
	prefix := nest.WithPrefix(server.Prefix(b))
	var scripts [][]string
	watched, err := nest.Open(sent{client, &scripts}, flowTree, prefix)
	if err != nil {
		b.Fatal(err)
	}
	if err := do(b.Context(), watched); err != nil {
		b.Fatal(err)
	}
	root, err := nest.Open(client, flowTree, prefix)
	if err != nil {
		b.Fatal(err)
	}
	for _, by := range []contender[func() error]{
		{"nest", func() error { return do(b.Context(), root) }},
		{"rueidis", func() error {
			for _, words := range scripts {
				if err := client.Do(b.Context(), client.B().Arbitrary(words...).Build()).Error(); err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		b.Run(by.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := by.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
