package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// family is a section of the report: benchmarks that belong together, and how long one pass over
// them is.
type family struct {
	title, bench string
	benchtime    string // of ratios an even number of rounds, so that each side goes first as often
	passes       int    // at most; 0: as many as there are
	alone        bool   // has ratios and needs no server: what can be checked anywhere
	about        string
}

// families are in the order of the report.
var families = []family{
	{title: "Names", bench: "RatioResolve", benchtime: "4x", alone: true,
		about: "The name of a key from its parameters. `append` writes into a buffer on the stack without looking at what it writes: nothing can be faster."},
	{title: "Reading a value", bench: "RatioGet", benchtime: "2x",
		about: "64 bytes, by 1, 16 and 256 goroutines. rueidis and go-redis get a name that was made beforehand, `rueidis+concat` makes it each time."},
	{title: "Writing a value", bench: "RatioSet", benchtime: "2x",
		about: "64 bytes with a TTL, otherwise as above."},
	{title: "Many goroutines", bench: "RatioCrowd", benchtime: "2x", passes: 5,
		about: "64 bytes. rueidis' defaults open several connections, nest's client has one. AutoPipeline is go-redis' experimental way to share round trips."},
	{title: "A flush delay", bench: "RatioFlush", benchtime: "2x", passes: 5,
		about: "`REDIS_FLUSH_DELAY=20us` beside none, by 1 to 256 goroutines: on the loopback interface, and over a link whose round trip takes 1 ms."},
	{title: "Cached reads", bench: "RatioCached", benchtime: "4x",
		about: "A value that the client remembers, with the key's name made each time. go-redis' client-side cache is experimental."},
	{title: "Batches", bench: "RatioBatch", benchtime: "2x",
		about: "Reads of 10, 100 and 1,000 values in one round trip. rueidis and go-redis get names that were made beforehand, `rueidis+concat` makes them each time."},
	{title: "Reads through a loader", bench: "RatioLoadMany", benchtime: "4x",
		about: "LoadMany of values that are all stored, beside the same reads in one pipeline."},
	{title: "Transactions", bench: "RatioTransact", benchtime: "4x",
		about: "Two writes in one step; a value that is read, changed and written if it is still the same; two values that are read and written in one step. By hand: MULTI, a script that compares, WATCH."},
	{title: "Locks and limiters", bench: "Ratio(Lock|Limiter)", benchtime: "4x",
		about: "A lock that is free, a limiter that allows. `the same commands` are nest's own, sent without it."},
	{title: "Consuming a stream", bench: "RatioConsume", benchtime: "4x",
		about: "Each entry of a stream that a group consumes, beside a loop of XREADGROUP and one XACK for each page of 16."},
	{title: "Redis Cluster", bench: "RatioCluster", benchtime: "2x", passes: 5,
		about: "Three primaries on the same machine. rueidis and go-redis get names that were made beforehand."},
	{title: "Current generation", bench: "RatioCurrent", benchtime: "2x",
		about: "`Current` beside a cached read of the number and the scope that it makes."},
	{title: "Former names", bench: "RatioWas", benchtime: "4x", passes: 3,
		about: "Keys that were renamed with `Was`, beside a `Get` of a key that never was."},
	{title: "Timeouts and the breaker", bench: "RatioAway", benchtime: "4x", passes: 3,
		about: "Calls with `WithTimeout` and `WithBreaker`, beside the same calls without."},
	{title: "Operations of all kinds", bench: "RatioKinds", benchtime: "2x", passes: 5,
		about: "Beside the command by hand. `fleeting` writes start a TTL in the same step; by hand they take two commands, which are no such step."},
	{title: "Codecs", bench: "RatioCodec", benchtime: "4x", alone: true,
		about: "Beside the library that the codec uses, with the same options."},
	{title: "Walks", bench: "Ratio(Keys|Clear|CountWhere|ClearWhere|Iterate|Audit)", benchtime: "2x", passes: 2,
		about: "A million keys, beside bare loops of SCAN, SSCAN and HSCAN with the same COUNT, of SCAN and UNLINK, and of a pipeline of the commands that an audit sends."},
	{title: "Audits", bench: "Audit(Memory|Ceiling)", benchtime: "1x", passes: 1,
		about: "The memory of an audit, and by how much one raises the 90th percentile of PING."},
	{title: "Growth", bench: "Growth", benchtime: "1x", passes: 1,
		about: "Counting the keys of a scope, of more and more keys."},
	{title: "Memory", bench: "Memory", benchtime: "5x", passes: 3,
		about: "What stays in memory for each declaration, and for each scope or reference that a program keeps."},
	{title: "Size of programs", bench: "Binary", benchtime: "1x", passes: 1,
		about: "By how much a program is larger than one that uses rueidis alone."},
	{title: "Large trees", bench: "(Open|Match)", benchtime: "50ms", passes: 3,
		about: "Opening a tree, with the proof that no two of its names collide, and finding the declaration of a name. No server."},
	{title: "Secrets", bench: "Secure(Seal|Open)", benchtime: "20ms", passes: 5,
		about: "Sealing and opening a value, beside the cipher by hand."},
}

// has reports whether a benchmark is one of the family's: "RatioGet".
func (f family) has(benchmark string) bool {
	return regexp.MustCompile("^(" + f.bench + ")$").MatchString(benchmark)
}

// measure runs the benchmarks of the folder and reads what they print.
func (m *measurements) measure(ctx context.Context, folder string, o orders, progress io.Writer) error {
	chosen, err := chosen(o)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "report-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	program := filepath.Join(scratch, "bench.test")
	if _, err := output(ctx, folder, "go", "test", "-c", "-o", program, "."); err != nil {
		return err
	}
	passes := 10
	if o.short {
		passes = 3
	}
	if !o.prints() || o.keep != "" {
		if m.made, err = madeOn(ctx, time.Now(), o); err != nil {
			return err
		}
	}
	kept := io.Discard
	if o.keep != "" {
		f, err := os.Create(o.keep)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		kept = f
	}
	for _, line := range m.made {
		if _, err := fmt.Fprintln(kept, madeMark+line); err != nil {
			return err
		}
	}
	m.ran = chosen
	began := time.Now()
	for pass := range passes {
		for _, f := range chosen {
			if f.passes != 0 && pass >= f.passes {
				continue
			}
			_, _ = fmt.Fprintf(progress, "%4.0f s  pass %d of %d: %s\n", time.Since(began).Seconds(), pass+1, passes, f.title)
			args := []string{"-test.run", "^$", "-test.bench", "^Benchmark" + f.bench + "$", "-test.benchtime", f.benchtime, "-test.benchmem"}
			if o.short {
				args = append(args, "-test.short")
			}
			text, err := output(ctx, folder, program, args...)
			if err != nil {
				return err
			}
			if _, err := kept.Write(text); err != nil {
				return err
			}
			if err := m.read(bytes.NewReader(text)); err != nil {
				return fmt.Errorf("%s: %w", f.title, err)
			}
		}
	}
	return nil
}

// chosen returns the families that are asked for.
func chosen(o orders) ([]family, error) {
	is, err := regexp.Compile(o.bench)
	if err != nil {
		return nil, err
	}
	var all []family
	for _, f := range families {
		if is.MatchString(f.bench) && (f.alone || !o.alone) {
			all = append(all, f)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no family of benchmarks matches %q", o.bench)
	}
	return all, nil
}

// madeOn returns what a reader needs to know of the machine, a line each.
func madeOn(ctx context.Context, now time.Time, o orders) ([]string, error) {
	lines := []string{now.UTC().Format(time.DateOnly), fmt.Sprintf("%d processors", runtime.NumCPU())}
	for _, command := range [][]string{
		{"go", "version"},
		{"go", "list", "-m", "github.com/redis/rueidis", "github.com/redis/go-redis/v9"},
		{"redis-server", "--version"},
	} {
		if command[0] == "redis-server" && os.Getenv("REDIS_TEST_ADDR") != "" {
			lines = append(lines, "the server at REDIS_TEST_ADDR")
			continue
		}
		text, err := output(ctx, "", command[0], command[1:]...)
		if err != nil {
			return nil, err
		}
		lines = append(lines, strings.Split(strings.TrimSpace(string(text)), "\n")...)
	}
	how := "go run ./bench/report"
	if o.short {
		how += " -short"
	}
	return append(lines, how), nil
}

// benchFolder returns the folder of the benchmarks' module.
func benchFolder(ctx context.Context) (string, error) {
	text, err := output(ctx, "", "go", "list", "-f", "{{.Dir}}", "github.com/redisimnest/redisimnest/bench")
	return strings.TrimSpace(string(text)), err
}

// output runs a command and returns what it prints. Its error has what the command complains of.
func output(ctx context.Context, folder, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = folder
	text, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, text, failed.Stderr)
	}
	return text, err
}
