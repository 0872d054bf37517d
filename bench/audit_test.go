package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/audit"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// BenchmarkRatioAudit audits a million keys, or with -short a hundred thousand, without their
// memory. It alternates with a bare loop of the same commands: SCAN with the same COUNT, then TYPE,
// PTTL and OBJECT ENCODING of all keys in one pipeline, and STRLEN of all in another one.
func BenchmarkRatioAudit(b *testing.B) {
	server := realServer(b)
	client := newClient(b, server)
	root, lead := crowd(b, client, server.Prefix(b))
	if err := fill(b.Context(), client, lead, crowdSize()); err != nil {
		b.Fatal(err)
	}
	walkInTurn(b, func() error { return nil },
		func(ctx context.Context) (int64, error) {
			report, err := audit.Run(ctx, root, audit.SampleMemory(0))
			if err != nil {
				return 0, err
			}
			return report.Total.Keys, report.Err()
		},
		func(ctx context.Context) (int64, error) {
			types, encodings, endless, length := map[string]int64{}, map[string]int64{}, int64(0), int64(0)
			return scanLoop(ctx, client, lead, func(names []string) (int64, error) {
				for part := range slices.Chunk(names, barePipeline) {
					if err := inspectBare(ctx, client, part, types, encodings, &endless, &length); err != nil {
						return 0, err
					}
				}
				return int64(len(names)), nil
			})
		})
}

// barePipeline is of how many keys the commands are sent together. A pipeline of 2,000 commands
// takes a connection of its own, which is slower.
const barePipeline = 500

// inspectBare asks about some strings, and adds up what the server says.
func inspectBare(ctx context.Context, client rueidis.Client, names []string, types, encodings map[string]int64, endless, length *int64) error {
	cmds := make(rueidis.Commands, 0, 3*len(names))
	for _, name := range names {
		cmds = append(cmds, client.B().Type().Key(name).Build(), client.B().Pttl().Key(name).Build(), client.B().ObjectEncoding().Key(name).Build())
	}
	answers := client.DoMulti(ctx, cmds...)
	for i := 0; i < len(answers); i += 3 {
		kind, err := answers[i].ToString()
		if err != nil {
			return err
		}
		ttl, err := answers[i+1].AsInt64()
		if err != nil {
			return err
		}
		encoding, err := answers[i+2].ToString()
		if err != nil {
			return err
		}
		types[kind]++
		encodings[encoding]++
		if ttl < 0 {
			*endless++
		}
	}
	cmds = cmds[:0]
	for _, name := range names {
		cmds = append(cmds, client.B().Strlen().Key(name).Build())
	}
	for _, a := range client.DoMulti(ctx, cmds...) {
		n, err := a.AsInt64()
		if err != nil {
			return err
		}
		*length += n
	}
	return nil
}

// BenchmarkAuditMemory audits a hundred thousand keys, and without -short a million: nine tenths
// are declared, and the names of the others have every shape. peak-B is the maximum size of the
// heap, which is not to grow with the number of keys.
func BenchmarkAuditMemory(b *testing.B) {
	sizes := []int{100_000, 1_000_000}
	if testing.Short() {
		sizes = sizes[:1]
	}
	for _, size := range sizes {
		b.Run(fmt.Sprintf("of %d keys/nest", size), func(b *testing.B) {
			server := nesttest.Start(b)
			client := newClient(b, server)
			root, lead := crowd(b, client, server.Prefix(b))
			if err := fill(b.Context(), client, lead, size*9/10); err != nil {
				b.Fatal(err)
			}
			if err := fillStrays(b.Context(), client, lead, size/10); err != nil {
				b.Fatal(err)
			}
			peak, rate := uint64(0), 0.0
			for b.Loop() {
				runtime.GC()
				stop := watchHeap()
				report, err := audit.Run(b.Context(), root)
				peak = max(peak, stop())
				if err != nil || report.Total.Keys != int64(size) {
					b.Fatalf("%d of %d keys: %v", report.Total.Keys, size, err)
				}
				rate = float64(size) / report.Took.Seconds()
			}
			b.ReportMetric(float64(peak), "peak-B")
			b.ReportMetric(rate, "keys/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// fillStrays writes names that nothing declares, of one to six segments of words and numbers.
func fillStrays(ctx context.Context, client rueidis.Client, lead string, total int) error {
	const script = `for i = ARGV[1], ARGV[2] do
	local name, rest = KEYS[1], i
	for part = 0, i % 6 do
		name = name .. ':' .. string.char(97 + rest % 26, 97 + (rest * 7) % 26, 97 + (rest * 11) % 26) .. (part % 2 == 0 and i or '')
		rest = math.floor(rest / 3)
	end
	redis.call('SET', name .. ':' .. i, 'x')
end`
	const step = 10_000
	for from := 1; from <= total; from += step {
		cmd := client.B().Eval().Script(script).Numkeys(1).Key(lead+"stray").Arg(strconv.Itoa(from), strconv.Itoa(from+step-1)).Build()
		if err := client.Do(ctx, cmd).Error(); err != nil && !errors.Is(err, rueidis.Nil) {
			return err
		}
	}
	return nil
}

// BenchmarkAuditCeiling measures by how much an audit with a ceiling raises the 90th percentile of
// PING: the median of ten windows with it, against that of ten without, five before and five after.
// One iteration takes a quarter of a minute: -benchtime 1x. With -short there are two ceilings.
func BenchmarkAuditCeiling(b *testing.B) {
	server := realServer(b)
	client := newClient(b, server)
	root, lead := crowd(b, client, server.Prefix(b))
	if err := fill(b.Context(), client, lead, crowdSize()); err != nil {
		b.Fatal(err)
	}
	other := newClient(b, server)
	ceilings := []time.Duration{200 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 0}
	if testing.Short() {
		ceilings = ceilings[2:]
	}
	for _, ceiling := range ceilings {
		name := "no ceiling"
		if ceiling > 0 {
			name = "a ceiling of " + ceiling.String()
		}
		b.Run(name+"/nest", func(b *testing.B) {
			opts := []audit.Option{audit.SampleMemory(0)}
			if ceiling > 0 {
				opts = append(opts, audit.MaxAddedLatency(ceiling))
			}
			for b.Loop() {
				without := pingWindows(b, other, 5)
				ctx, cancel := context.WithCancel(b.Context())
				keys, ended := int64(0), make(chan struct{})
				count := audit.Walk(nest.Progress(func(p nest.WalkProgress) { keys = max(keys, p.Matched) }))
				var rate float64
				go func() {
					defer close(ended)
					start, all := time.Now(), int64(0)
					for ctx.Err() == nil { // over and over, until the windows are measured
						keys = 0
						_, _ = audit.Run(ctx, root, append(slices.Clone(opts), count)...)
						all += keys
					}
					rate = float64(all) / time.Since(start).Seconds()
				}()
				time.Sleep(2 * time.Second)
				with := pingWindows(b, other, 10)
				cancel()
				<-ended
				without = append(without, pingWindows(b, other, 5)...)
				b.ReportMetric(median(without), "without-us")
				b.ReportMetric(median(with), "with-us")
				b.ReportMetric((median(with)-median(without))*1000, "added-ns")
				if ceiling > 0 {
					b.ReportMetric((median(with)-median(without))/float64(ceiling.Microseconds()), "x-ceiling")
				}
				b.ReportMetric(rate, "keys/s")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// pingWindows returns the 90th percentiles of how long a PING takes, in microseconds, in windows of
// half a second.
func pingWindows(b *testing.B, client rueidis.Client, n int) []float64 {
	b.Helper()
	conn, giveBack := client.Dedicate()
	defer giveBack()
	var windows []float64
	for range n {
		var all []float64
		for end := time.Now().Add(time.Second / 2); time.Now().Before(end); time.Sleep(time.Millisecond) {
			start := time.Now()
			if err := conn.Do(b.Context(), conn.B().Ping().Build()).Error(); err != nil {
				b.Fatal(err)
			}
			all = append(all, float64(time.Since(start).Nanoseconds())/1000)
		}
		slices.Sort(all)
		windows = append(windows, all[len(all)*9/10])
	}
	return windows
}
