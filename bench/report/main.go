// Report measures Redisimnest beside its rivals, and writes what it found into bench/REPORT.md and
// into the plots beside it:
//
//	go run ./bench/report          # about twenty minutes
//	go run ./bench/report -short   # three passes in place of ten, and smaller keyspaces
//	go run ./bench/report -check   # compares the ratios with bench/budget.json as well
//
// It runs the benchmarks of package bench in many short passes, because conditions on a machine
// change. Both sides of a ratio are measured under the same conditions. The report has the median
// of the passes and the middle half of them.
//
//	go run ./bench/report -bench 'Resolve|Get'   # prints a part, and writes no file
//	go test -run '^$' -bench Ratio -benchtime 5x -count 10 ./bench/ | go run ./bench/report -from -
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

// orders are what the command line asks for.
type orders struct {
	short, check bool
	bench, from  string
}

func main() {
	var o orders
	flag.BoolVar(&o.short, "short", false, "make three passes, over smaller keyspaces")
	flag.BoolVar(&o.check, "check", false, "fail if a ratio is past its limit in budget.json")
	flag.StringVar(&o.bench, "bench", "", "measure only the families whose benchmarks match this regexp, and print them")
	flag.StringVar(&o.from, "from", "", `print the report of this output of "go test -bench", without measuring; "-" is the standard input`)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, o, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o orders, out, progress io.Writer) error {
	m := &measurements{}
	folder, err := benchFolder(ctx)
	if err != nil {
		return err
	}
	switch {
	case o.from == "-":
		err = m.read(os.Stdin)
	case o.from != "":
		err = m.readFile(o.from)
	default:
		err = m.measure(ctx, folder, o, progress)
	}
	if err != nil {
		return err
	}
	if o.from != "" || o.bench != "" {
		if _, err := io.WriteString(out, m.markdown(nil)); err != nil {
			return err
		}
	} else if err := m.write(ctx, folder, o); err != nil {
		return err
	}
	if !o.check {
		return nil
	}
	b, err := readBudget(filepath.Join(folder, "budget.json"))
	if err != nil {
		return err
	}
	return b.check(m)
}

// write writes the report and the plots into the folder.
func (m *measurements) write(ctx context.Context, folder string, o orders) error {
	made, err := madeOn(ctx, time.Now(), o)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "REPORT.md"), []byte(m.markdown(made)), 0o600); err != nil {
		return err
	}
	return m.plot(filepath.Join(folder, "plots"))
}
