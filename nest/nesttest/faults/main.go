// Command faults shows what becomes of writes, reads and loads while their server fails. For each
// fault it starts servers of its own, drives a keyspace while the fault is there, and counts what
// was acknowledged and is there, what was acknowledged and is lost, what failed and is there all
// the same, what was applied twice, the longest stall, the goroutines and connections that are
// left, and what another process saw.
//
//	go run ./nest/nesttest/faults
//	go run ./nest/nesttest/faults -for 10s -only Sentinel
//
// It ends with exit code 1 if a promise was broken. Servers are processes of redis-server or
// valkey-server from PATH.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redisimnest/redisimnest/nest/nesttest/internal/faults"
)

func main() {
	d := flag.Duration("for", 2*time.Second, "how long each fault lasts")
	only := flag.String("only", "", "try the faults whose names contain this")
	flag.Parse()
	_ = os.Setenv("REDIS_TEST_SERVER", "path")
	os.Exit(run(context.Background(), *d, *only))
}

func run(ctx context.Context, d time.Duration, only string) int {
	var reports []faults.Report
	var problems []string
	for _, f := range faults.All {
		if !strings.Contains(f.Name, only) {
			continue
		}
		fmt.Fprintln(os.Stderr, f.Name, "...")
		r, err := faults.Try(ctx, f, d)
		if err != nil {
			problems = append(problems, f.Name+": "+err.Error())
		}
		if r.Fault != "" {
			reports = append(reports, r)
		}
	}
	if err := faults.Print(os.Stdout, reports); err != nil {
		problems = append(problems, err.Error())
	}
	for _, p := range problems {
		fmt.Fprintln(os.Stderr, p)
	}
	if len(problems) > 0 || len(reports) == 0 {
		return 1
	}
	return 0
}
