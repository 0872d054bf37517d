package bench

import (
	"context"
	"errors"
	"runtime"
	"runtime/metrics"
	"slices"
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

// walker goes through the keys that begin with lead, and returns how many it found or deleted.
type walker func(ctx context.Context) (int64, error)

// BenchmarkRatioKeys lists a million keys, or with -short a hundred thousand. It alternates with a
// bare loop of SCAN with the same COUNT.
func BenchmarkRatioKeys(b *testing.B) {
	server := realServer(b)
	client := newClient(b, server)
	root, lead := crowd(b, client, server.Prefix(b))
	if err := fill(b.Context(), client, lead, crowdSize()); err != nil {
		b.Fatal(err)
	}
	walkInTurn(b, func() error { return nil },
		func(ctx context.Context) (n int64, err error) {
			for m, err := range root.Keys(ctx) {
				if err != nil {
					return n, err
				}
				sink = m.Key()
				n++
			}
			return n, nil
		},
		func(ctx context.Context) (int64, error) {
			return scanLoop(ctx, client, lead, func(names []string) (int64, error) {
				for _, name := range names {
					sink = name
				}
				return int64(len(names)), nil
			})
		})
}

// BenchmarkRatioClear deletes as many keys. It alternates with a bare loop of SCAN and UNLINK, with
// the same COUNT and as many keys in one UNLINK.
func BenchmarkRatioClear(b *testing.B) {
	server := realServer(b)
	client := newClient(b, server)
	root, lead := crowd(b, client, server.Prefix(b))
	walkInTurn(b, func() error { return fill(b.Context(), client, lead, crowdSize()) },
		func(ctx context.Context) (int64, error) { return root.Clear(ctx) },
		func(ctx context.Context) (int64, error) {
			return scanLoop(ctx, client, lead, func(names []string) (deleted int64, err error) {
				for part := range slices.Chunk(names, nest.DefaultDeleteChunk) {
					n, err := client.Do(ctx, client.B().Unlink().Key(part...).Build()).AsInt64()
					if err != nil {
						return deleted, err
					}
					deleted += n
				}
				return deleted, nil
			})
		})
}

// crowdSize is the number of keys to walk through.
func crowdSize() int {
	if testing.Short() {
		return 100_000
	}
	return 1_000_000
}

func crowd(b *testing.B, client rueidis.Client, prefix string) (root nest.Scope, lead string) {
	b.Helper()
	root, err := nest.Open(client, crowdOf, nest.WithPrefix(prefix))
	if err != nil {
		b.Fatal(err)
	}
	return root, prefix + ":root:crowd:"
}

// walkInTurn measures two ways through a crowd, one after the other, each after prepare. Which one
// goes first alternates. It reports medians: of the ratio of their times, and of the keys that each
// goes through per second. peak-B is the maximum size of the heap during our walk. One iteration is
// one walk of each: -benchtime 10x is enough.
func walkInTurn(b *testing.B, prepare func() error, ours, theirs walker) {
	var clock []float64
	var rate [2][]float64
	var peak uint64
	for i := 0; b.Loop(); i++ {
		var took [2]time.Duration
		for turn := range 2 {
			who := (i + turn) % 2
			if err := prepare(); err != nil {
				b.Fatal(err)
			}
			runtime.GC()
			stop := watchHeap()
			start := time.Now()
			n, err := [2]walker{ours, theirs}[who](b.Context())
			took[who] = time.Since(start)
			if most := stop(); who == 0 {
				peak = max(peak, most)
			}
			if err != nil || n < int64(crowdSize()) {
				b.Fatalf("%d of %d keys: %v", n, crowdSize(), err)
			}
			rate[who] = append(rate[who], float64(n)/took[who].Seconds())
		}
		clock = append(clock, float64(took[0])/float64(took[1]))
	}
	b.ReportMetric(median(clock), "x-time")
	b.ReportMetric(median(rate[0]), "keys/s")
	b.ReportMetric(median(rate[1]), "bare-keys/s")
	b.ReportMetric(float64(peak), "peak-B")
	b.ReportMetric(0, "ns/op")
}

// scanLoop is the loop that one writes by hand.
func scanLoop(ctx context.Context, client rueidis.Client, lead string, each func(names []string) (int64, error)) (all int64, _ error) {
	for cursor := uint64(0); ; {
		page, err := client.Do(ctx, client.B().Scan().Cursor(cursor).Match(lead+"*").Count(nest.DefaultScanCount).Build()).AsScanEntry()
		if err != nil {
			return all, err
		}
		n, err := each(page.Elements)
		if all += n; err != nil {
			return all, err
		}
		if cursor = page.Cursor; cursor == 0 {
			return all, nil
		}
	}
}

// fill writes the keys from inside the server, ten thousand at a time.
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

// watchHeap checks the heap every millisecond. stop returns its maximum size.
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
