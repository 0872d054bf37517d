// Report measures Redisimnest beside its rivals, and writes what it found into bench/REPORT.md and
// into the plots beside it. The README and the pages of docs take their figures from the report:
//
//	go run ./bench/report           # about 15 minutes: the report, the plots, and the pages' figures
//	go run ./bench/report -short    # three shorter passes in place of ten, and smaller keyspaces
//	go run ./bench/report -check    # compares the ratios with bench/budget.json as well
//	go run ./bench/report -budget   # writes bench/budget.json from the report, without measuring
//	go run ./bench/report -pages    # writes the figures of the pages from the report, without measuring
//
// It runs the benchmarks of package bench in many short passes, because conditions on a machine
// change. Both sides of a ratio are measured under the same conditions. The report has the median
// of the passes and the middle half of them.
//
//	go run ./bench/report -alone -check          # only what needs no server, and writes no file
//	go run ./bench/report -bench 'Resolve|Get'   # prints a part, and writes no file
//	go run ./bench/report -keep run.txt          # keeps what the benchmarks print
//	go run ./bench/report -from run.txt          # prints a report of it
//	go run ./bench/report -from run.txt -write   # writes all files from it, as the run did
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
)

// orders are what the command line asks for.
type orders struct {
	short, check, write  bool
	budget, pages, alone bool
	bench, from, keep    string
}

// prints reports whether the report goes to the standard output, because it is that of a part or of
// another run.
func (o orders) prints() bool { return o.bench != "" || o.alone || o.from != "" && !o.write }

func main() {
	var o orders
	flag.BoolVar(&o.short, "short", false, "make three passes, over smaller keyspaces")
	flag.BoolVar(&o.check, "check", false, "fail if a ratio is past its limit in budget.json")
	flag.StringVar(&o.bench, "bench", "", "measure only the families whose benchmarks match this regexp, and print them")
	flag.StringVar(&o.from, "from", "", `print the report of this output of "go test -bench", without measuring; "-" is the standard input`)
	flag.BoolVar(&o.alone, "alone", false, "measure only the ratios that need no server, and print them")
	flag.StringVar(&o.keep, "keep", "", "write what the benchmarks print into this file, for -from")
	flag.BoolVar(&o.write, "write", false, "with -from, write the files that a run writes")
	flag.BoolVar(&o.budget, "budget", false, "write budget.json from REPORT.md, without measuring")
	flag.BoolVar(&o.pages, "pages", false, "write the figures of README.md and docs from REPORT.md, without measuring")
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
	folder, err := benchFolder(ctx)
	if err != nil {
		return err
	}
	if o.budget || o.pages {
		return rewrite(folder, o)
	}
	m := &measurements{}
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
	if o.prints() {
		m.made = nil
		_, err = io.WriteString(out, m.markdown())
	} else {
		err = m.write(folder)
	}
	if err != nil || !o.check {
		return err
	}
	b, err := readBudget(filepath.Join(folder, "budget.json"))
	if err != nil {
		return err
	}
	return b.check(m)
}

// write writes the report, the plots and the figures of the pages.
func (m *measurements) write(folder string) error {
	text := m.markdown()
	p, err := parsePublished(text)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "REPORT.md"), []byte(text), 0o600); err != nil {
		return err
	}
	if err := m.plot(filepath.Join(folder, "plots")); err != nil {
		return err
	}
	return p.fillPages(folder)
}

// rewrite writes what is made from the report alone.
func rewrite(folder string, o orders) error {
	p, err := readPublished(filepath.Join(folder, "REPORT.md"))
	if err != nil {
		return err
	}
	if o.budget {
		if err := newBudget(p).write(filepath.Join(folder, "budget.json")); err != nil {
			return err
		}
	}
	if o.pages {
		return p.fillPages(folder)
	}
	return nil
}
