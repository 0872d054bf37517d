package faults

import (
	"fmt"
	"io"
	"slices"
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
	Passed, Refused   int64 // what limiters let through, and what they refused
	Limited           int64 // their answers since the fault began
	Over              int64 // what limiters let through beyond their limit
	Held, Together    int64 // locks that were held, and that two held at a time
	Tasks, TasksLost  int64 // acknowledged entries of a stream, and those that no consumer has handled
	Handled, Again    int64 // entries of a stream that its consumers handled, and how often again
	Unhandled         int64 // entries that are there and that no consumer has handled in the end
	Pending           int64 // entries that are not acknowledged in the end
	Heard, Missed     int64 // messages that subscriptions received, and acknowledged ones they did not
	Repeated          int64 // messages that a subscription received again
	Foreign           int64 // entries and messages that were not written so, or not there
	Untold            int64 // subscriptions that missed messages without being told
	Deaf              int64 // subscriptions that did not come back after the fault
	Ended             int64 // keys without a TTL
	Stale             int64 // own writes that the writer did not see afterwards
	Late              int64 // calls that came back later than their deadline
	Unloaded          int64 // loads that failed
	Loads             int64

	Reads, ReadErrors, WentBack int64 // of another process, which looks at a counter

	Longest            time.Duration // of all calls
	HeardAfter         time.Duration // after the fault, until all subscriptions received again
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
		promise(r.TasksLost, "acknowledged entries that no consumer handled")
		promise(r.Over, "events beyond the limit of their limiter")
		promise(r.Together, "locks that two held at a time")
		promise(r.Stale, "own writes not seen by their writer")
	}
	promise(r.Twice, "writes applied twice")
	promise(r.Denied, "writes there whose error said that they were not executed")
	promise(r.Torn, "atomic batches or transactions applied in part")
	promise(r.Unhandled, "entries not handled by a consumer")
	promise(r.Pending, "entries not acknowledged by their consumer")
	promise(r.Repeated, "messages received twice by a subscription")
	promise(r.Foreign, "entries or messages changed, or of another key")
	promise(r.Untold, "subscriptions with messages missing that were not told so")
	promise(r.Deaf, "subscriptions that did not come back")
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
	if r.Passed <= paceBurst+quotaLimit {
		broken = append(broken, fmt.Sprintf("limiters let only %d events through, so that the fault did not meet them", r.Passed))
	}
	if r.Limited == 0 {
		broken = append(broken, "no limiter answered after the fault had begun")
	}
	if r.Refused == 0 {
		broken = append(broken, "no limiter ever refused")
	}
	if r.Handled == 0 || r.Heard == 0 {
		broken = append(broken, "no entry was handled, or no message received")
	}
	if r.Why != "" {
		broken = append(broken, r.Why)
	}
	return broken
}

// Print prints reports as two tables in GitHub's flavour: what became of writes, and what became of
// entries, messages and events.
func Print(w io.Writer, reports []Report) error {
	promised := func(r *Report, n int64) string {
		if r.Keeps {
			return fmt.Sprint(n)
		}
		return fmt.Sprintf("%d (not promised)", n)
	}
	err := table(w, reports, []any{"acknowledged, there", "acknowledged, lost", "failed, there", "applied twice", "longest stall",
		"goroutines, connections left", "a reader saw"}, func(r *Report) []any {
		return []any{
			r.AckThere, promised(r, r.AckLost), fmt.Sprintf("%d of %d", r.FailThere, r.FailThere+r.FailGone), r.Twice, r.Longest.Round(time.Millisecond),
			fmt.Sprintf("%d, %d", r.Goroutines, r.Connections),
			fmt.Sprintf("%d values, %d errors, %d older than one before", r.Reads, r.ReadErrors, r.WentBack),
		}
	})
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(w)
	return table(w, reports, []any{"entries acknowledged", "of them never handled", "handled again (allowed)",
		"messages received", "messages missed (allowed if told)", "missed untold", "limiters let through, refused", "beyond the limit"}, func(r *Report) []any {
		return []any{
			r.Tasks, promised(r, r.TasksLost), r.Again,
			fmt.Sprintf("%d, again after %s", r.Heard, r.HeardAfter.Round(time.Millisecond)), r.Missed, r.Untold,
			fmt.Sprintf("%d, %d", r.Passed, r.Refused), promised(r, r.Over),
		}
	})
}

// table prints a table with a row for each report.
func table(w io.Writer, reports []Report, columns []any, cells func(r *Report) []any) error {
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	row := func(first any, cells []any) {
		_, _ = fmt.Fprintf(t, "| %v", first)
		for _, c := range cells {
			_, _ = fmt.Fprintf(t, "\t| %v", c)
		}
		_, _ = fmt.Fprint(t, "\t|\n")
	}
	row("fault", columns)
	row("---", slices.Repeat([]any{"---"}, len(columns)))
	for i := range reports {
		row(reports[i].Fault, cells(&reports[i]))
	}
	return t.Flush()
}
