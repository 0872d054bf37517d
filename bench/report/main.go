// Report turns what several runs of "go test -bench" print into a table in Markdown: for each
// work the rivals beside each other, the median of their runs, how far the middle half of the runs
// lies apart, the fastest run, and how long nest takes for each second of theirs. With -svg it
// also draws that ratio.
//
//	for i in $(seq 20); do go test -run '^$' -bench Resolve -benchmem -benchtime 20ms ./bench/; done | go run ./bench/report -svg resolve.svg
//
// Many short passes over all rivals, not many runs of one after the other (-count), because a
// machine's mood changes: what is compared was measured in the same mood.
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
