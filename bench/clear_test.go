package bench

import (
	"context"
	"errors"
	"runtime/metrics"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

var (
	crowded = nest.Key[string]("member:<id>")
	crowdOf = nest.Cluster("root", nest.Sub(nest.Cluster("crowd", nest.Sub(crowded))))
)

// BenchmarkClear deletes a million keys, or with -short a hundred thousand, beside a bare loop of
// SCAN and UNLINK with the same counts. One iteration is one clearing: -benchtime 3x is enough.
// peak-B is what the heap grows to meanwhile.
func BenchmarkClear(b *testing.B) {
	total := 1_000_000
	if testing.Short() {
		total = 100_000
	}
	server := realServer(b)
	client := newClient(b, server)
	prefix := server.Prefix(b)
	root, err := nest.Open(client, crowdOf, nest.WithPrefix(prefix))
	if err != nil {
		b.Fatal(err)
	}
	lead := prefix + ":root:crowd:"
	for _, c := range []contender[func(ctx context.Context) (int64, error)]{
		{"nest", func(ctx context.Context) (int64, error) { return root.Clear(ctx) }},
		{"scan-unlink", func(ctx context.Context) (int64, error) { return scanUnlink(ctx, client, lead) }},
	} {
		b.Run(strconv.Itoa(total)+"/"+c.name, func(b *testing.B) {
			var peak uint64
			b.StopTimer()
			for range b.N {
				if err := fill(b.Context(), client, lead, total); err != nil {
					b.Fatal(err)
				}
				stop := watchHeap()
				b.StartTimer()
				n, err := c.do(b.Context())
				b.StopTimer()
				peak = max(peak, stop())
				if err != nil || n != int64(total) {
					b.Fatalf("%d of %d keys deleted: %v", n, total, err)
				}
			}
			b.ReportMetric(float64(total)*float64(b.N)/b.Elapsed().Seconds(), "keys/s")
			b.ReportMetric(float64(peak), "peak-B")
		})
	}
}

// scanUnlink is what one writes by hand.
func scanUnlink(ctx context.Context, client rueidis.Client, lead string) (int64, error) {
	var deleted int64
	for cursor := uint64(0); ; {
		page, err := client.Do(ctx, client.B().Scan().Cursor(cursor).Match(lead+"*").Count(nest.DefaultScanCount).Build()).AsScanEntry()
		if err != nil {
			return deleted, err
		}
		if len(page.Elements) > 0 {
			n, err := client.Do(ctx, client.B().Unlink().Key(page.Elements...).Build()).AsInt64()
			if err != nil {
				return deleted, err
			}
			deleted += n
		}
		if cursor = page.Cursor; cursor == 0 {
			return deleted, nil
		}
	}
}

// fill writes the keys from within the server, ten thousand at a time.
func fill(ctx context.Context, client rueidis.Client, lead string, total int) error {
	const script = `for i = ARGV[1], ARGV[2] do redis.call('SET', KEYS[1] .. i, 'x') end`
	const step = 10_000
	for from := 1; from <= total; from += step {
		cmd := client.B().Eval().Script(script).Numkeys(1).Key(lead+"member:").Arg(strconv.Itoa(from), strconv.Itoa(from+step-1)).Build()
		if err := client.Do(ctx, cmd).Error(); err != nil && !errors.Is(err, rueidis.Nil) {
			return err
		}
	}
	return nil
}

// watchHeap looks at the heap every millisecond, and tells in the end how large it was at most.
func watchHeap() (stop func() uint64) {
	done, peak := make(chan struct{}), make(chan uint64)
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		var most uint64
		for {
			metrics.Read(sample)
			most = max(most, sample[0].Value.Uint64())
			select {
			case <-done:
				peak <- most
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 {
		close(done)
		return <-peak
	}
}
