package bench

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ratio measures two contenders in short rounds. In each round they run one after the other, and
// which one goes first alternates, so that both see the same conditions on the machine. Garbage is
// collected before each turn. A turn does the work n times, with -short a third of that;
// -benchtime 40x makes forty rounds.
//
// It reports the medians over the rounds of the ratio of their times (x-time), of the ratio of
// their processor times, which leaves out waiting (x-cpu), of the additional time that ours takes
// for one piece of work (more-ns), of the additional allocations (more-allocs), and of the time of
// ours alone (ns/op).
func ratio(b *testing.B, ours, theirs func(n int), n int) {
	b.Helper()
	if testing.Short() {
		n = max(n/3, 1)
	}
	prepared(b, func(int) {}, ours, theirs, n)
}

// prepared is ratio for contenders whose turns need something that the turn uses up. prepare makes
// it before each turn, and is not measured: for ours if who is 0, or else for theirs.
func prepared(b *testing.B, prepare func(who int), ours, theirs func(n int), n int) {
	b.Helper()
	prepare(0)
	ours(n)
	prepare(1)
	theirs(n)
	var clock, cpu, more, allocated, each []float64
	for i := 0; b.Loop(); i++ {
		var wall [2]time.Duration
		var used [2]time.Duration
		var allocs [2]uint64
		for turn := range 2 {
			who := (i + turn) % 2
			run := ours
			if who == 1 {
				run = theirs
			}
			prepare(who)
			runtime.GC()
			before := mallocs()
			busy, start := processorTime(), time.Now()
			run(n)
			wall[who], used[who] = time.Since(start), processorTime()-busy
			allocs[who] = mallocs() - before
		}
		allocated = append(allocated, (float64(allocs[0])-float64(allocs[1]))/float64(n))
		each = append(each, float64(wall[0])/float64(n))
		more = append(more, float64(wall[0]-wall[1])/float64(n))
		clock = append(clock, float64(wall[0])/float64(wall[1]))
		cpu = append(cpu, float64(used[0])/float64(max(used[1], 1)))
	}
	b.ReportMetric(median(more), "more-ns")
	b.ReportMetric(math.Round(median(allocated)*100)/100, "more-allocs")
	b.ReportMetric(median(clock), "x-time")
	b.ReportMetric(median(cpu), "x-cpu")
	b.ReportMetric(median(each), "ns/op")
}

// median returns the middle of the values, or what is halfway between the two in the middle: the
// greater of two rounds alone would always be to our disadvantage.
func median(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// mallocs returns how many objects this process has allocated.
func mallocs() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.Mallocs
}

// processorTime returns the processor time that this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRatioResolve compares nest with each other way of building the names, alternately.
func BenchmarkRatioResolve(b *testing.B) {
	for _, work := range resolvings(b) {
		for _, c := range work.by[1:] {
			b.Run(work.name+"/"+c.name, func(b *testing.B) {
				ratio(b, repeat(work.by[0].do), repeat(c.do), 20_000)
			})
		}
	}
}

func repeat(do func(i int) string) func(n int) {
	return func(n int) {
		for i := range n {
			sink = do(i % several)
		}
	}
}

// BenchmarkRatioGet and BenchmarkRatioSet compare nest with rueidis, with names built beforehand
// and with names built each time. That shows how much of the difference is due to the name.
func BenchmarkRatioGet(b *testing.B) {
	gets, _ := operations(b)
	compareInTurn(b, gets)
}

func BenchmarkRatioSet(b *testing.B) {
	_, sets := operations(b)
	compareInTurn(b, sets)
}

func compareInTurn(b *testing.B, by []operating) {
	for _, crowd := range crowds {
		n := 2_000
		if crowd > 1 {
			n = 10_240
		}
		for _, c := range by[1:] {
			b.Run(fmt.Sprintf("%d/%s", crowd, c.name), func(b *testing.B) {
				ratio(b, inCrowd(b, crowd, by[0].do), inCrowd(b, crowd, c.do), n)
			})
		}
	}
}

// inCrowd runs an operation n times in total, in crowd goroutines.
func inCrowd(b *testing.B, crowd int, do func(ctx context.Context, g int) error) func(n int) {
	ctx := b.Context()
	return func(n int) {
		var all sync.WaitGroup
		for g := range crowd {
			all.Go(func() {
				for range n / crowd {
					if err := do(ctx, g); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
	}
}

// inLine runs an operation n times, one after the other.
func inLine(ctx context.Context, b *testing.B, do func(ctx context.Context) error) func(n int) {
	return func(n int) {
		for range n {
			if err := do(ctx); err != nil {
				b.Error(err)
				return
			}
		}
	}
}

// alike lets all goroutines of a crowd do the same.
func alike(do func(ctx context.Context) error) func(ctx context.Context, g int) error {
	return func(ctx context.Context, _ int) error { return do(ctx) }
}
