package faults

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Report says what became of everything that was done while a server failed.
type Report struct {
	Fault string
	Keeps bool // see [Fault]

	AckThere, AckLost int64 // writes that returned without an error
	FailThere         int64 // writes that returned an error, and are there
	FailGone          int64 // writes that returned an error, and are not
	Twice             int64 // writes that are there more often than they were asked for
	Denied            int64 // writes that are there, though the error said that they were not executed
	Torn              int64 // atomic batches and transactions of which a part is there
	Over              int64 // what limiters let through beyond their limit
	Held, Together    int64 // locks that were held, and that two held at a time
	Ended             int64 // keys without a TTL
	Stale             int64 // own writes that the writer did not see afterwards
	Late              int64 // calls that came back later than their deadline
	Unloaded          int64 // loads that failed
	Loads             int64

	Reads, ReadErrors, WentBack int64 // of another process, which looks at a counter

	Longest            time.Duration // of all calls
	Goroutines         int           // left
	Connections        int           // left
	GoroutineDump, Why string
}

// Broken returns which promises were broken.
func (r *Report) Broken() []string {
	var broken []string
	promise := func(n int64, what string) {
		if n != 0 {
			broken = append(broken, fmt.Sprintf("%d %s", n, what))
		}
	}
	if r.Keeps {
		promise(r.AckLost, "acknowledged writes lost")
		promise(r.WentBack, "reads that went back")
		promise(r.Over, "events beyond the limit of their limiter")
		promise(r.Together, "locks that two held at a time")
		promise(r.Stale, "own writes not seen by their writer")
	}
	promise(r.Twice, "writes applied twice")
	promise(r.Denied, "writes there whose error said that they were not executed")
	promise(r.Torn, "atomic batches or transactions applied in part")
	promise(r.Ended, "keys without their TTL")
	promise(r.Late, "calls back later than their deadline")
	promise(r.Unloaded, "loads not served")
	promise(int64(r.Goroutines), "goroutines left")
	promise(int64(r.Connections), "connections left")
	if r.AckThere+r.AckLost == 0 {
		broken = append(broken, "nothing was written at all")
	}
	if r.Held == 0 {
		broken = append(broken, "no lock was ever held")
	}
	if r.Why != "" {
		broken = append(broken, r.Why)
	}
	return broken
}

// Print prints reports as a table in GitHub's flavour.
func Print(w io.Writer, reports []Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	row := func(cells ...any) {
		texts := make([]string, len(cells))
		for i, c := range cells {
			texts[i] = fmt.Sprint(c)
		}
		_, _ = fmt.Fprintf(t, "| %s\t|\n", strings.Join(texts, "\t| "))
	}
	row("fault", "acknowledged, there", "acknowledged, lost", "failed, there", "applied twice", "longest stall",
		"goroutines, connections left", "a reader saw")
	row(slices.Repeat([]any{"---"}, 8)...)
	for i := range reports {
		r := &reports[i]
		lost := fmt.Sprint(r.AckLost)
		if !r.Keeps {
			lost += " (not promised)"
		}
		row(r.Fault, r.AckThere, lost, fmt.Sprintf("%d of %d", r.FailThere, r.FailThere+r.FailGone), r.Twice, r.Longest.Round(time.Millisecond),
			fmt.Sprintf("%d, %d", r.Goroutines, r.Connections),
			fmt.Sprintf("%d values, %d errors, %d older than one before", r.Reads, r.ReadErrors, r.WentBack))
	}
	return t.Flush()
}
