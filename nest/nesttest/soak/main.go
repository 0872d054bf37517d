// Command soak drives keys of every kind for a long time, while faults come one after the other,
// and checks the promises after each of them.
//
//	go run ./nest/nesttest/soak -for 10m
//
// It shows what it has done after each fault, and ends by itself: with exit code 1 at the end of
// the fault after which a promise was broken. Servers are those of the command faults.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/redisimnest/redisimnest/nest/nesttest/internal/faults"
)

func main() {
	total := flag.Duration("for", 10*time.Minute, "how long to go on; the last fault is not cut short")
	d := flag.Duration("fault", 5*time.Second, "how long each fault lasts")
	flag.Parse()
	_ = os.Setenv("REDIS_TEST_SERVER", "path")
	if err := run(context.Background(), *total, *d); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, total, d time.Duration) error {
	began := time.Now()
	var writes, lost, twice, again, missed int64
	for n := 0; time.Since(began) < total; n++ {
		f := faults.All[n%len(faults.All)]
		r, err := faults.Try(ctx, f, d)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		writes, twice = writes+r.AckThere+r.AckLost, twice+r.Twice
		if r.Keeps {
			lost += r.AckLost
		}
		again, missed = again+r.Again, missed+r.Missed
		fmt.Printf("%8s  %-40s %7d acknowledged, %6d failed, longest stall %s; %d entries handled, %d again; "+
			"%d messages received, %d missed, again after %s\n", time.Since(began).Round(time.Second), f.Name,
			r.AckThere+r.AckLost, r.FailThere+r.FailGone, r.Longest.Round(time.Millisecond), r.Handled, r.Again,
			r.Heard, r.Missed, r.HeardAfter.Round(time.Millisecond))
	}
	fmt.Printf("%8s  %d writes acknowledged, %d lost by a server that kept its data, %d applied twice; "+
		"%d entries handled again, %d messages missed\n", time.Since(began).Round(time.Second), writes, lost, twice, again, missed)
	return nil
}
