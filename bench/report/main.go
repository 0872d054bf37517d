// Report turns the output of several runs of "go test -bench" into a Markdown table. For each work,
// it lists the rivals side by side: the median of their runs, the spread of the middle half of the
// runs, the fastest run, and how long nest takes for each second of theirs. With -svg it also draws
// that ratio.
//
//	for i in $(seq 20); do go test -run '^$' -bench Resolve -benchmem -benchtime 20ms ./bench/; done | go run ./bench/report -svg resolve.svg
//
// Use many short passes over all rivals, not many runs of one after the other (-count): conditions
// on a machine change, and rivals should be measured under the same ones.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	plot := flag.String("svg", "", "also draw a plot into this file")
	ours := flag.String("ours", "nest", "who is compared with the others")
	flag.Parse()
	if err := report(os.Stdin, os.Stdout, *ours, *plot); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func report(in io.Reader, out io.Writer, ours, plot string) error {
	m, err := read(in)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(out, m.markdown(ours)); err != nil {
		return err
	}
	if plot == "" {
		return nil
	}
	return os.WriteFile(plot, []byte(m.svg(ours)), 0o600)
}
