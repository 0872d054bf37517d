package keyctl

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/redisimnest/redisimnest/nest"
)

// isTerminal reports whether a file is a terminal.
func isTerminal(f *os.File) bool {
	return term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// row is a line of output: its cells in the order of the columns.
type row []any

// rows prints rows as they come, or, on a terminal, a table once they are complete.
type rows struct {
	t       *tool
	columns []string
	table   table.Writer // nil if rows are printed as they come
	n       int
}

func (t *tool) rows(columns ...string) *rows {
	r := &rows{t: t, columns: columns}
	if t.wide && !t.json {
		r.table = table.NewWriter()
		style := table.StyleLight
		style.Options.DrawBorder, style.Options.SeparateColumns = false, false
		style.Format.Header = text.FormatLower
		r.table.SetStyle(style)
		head := make(table.Row, len(columns))
		var configs []table.ColumnConfig
		for i, column := range columns {
			head[i] = column
			if column == "keys" || column == "ttl" {
				configs = append(configs, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
			}
		}
		r.table.SetColumnConfigs(configs)
		r.table.AppendHeader(head)
	}
	return r
}

// add prints a row.
func (r *rows) add(cells ...any) error {
	r.n++
	if r.t.json {
		return r.t.printJSON(r.columns, cells)
	}
	shown := make([]string, len(cells))
	for i, cell := range cells {
		shown[i] = show(cell)
	}
	if r.table == nil {
		_, err := fmt.Fprintln(r.t.out, strings.Join(shown, "\t"))
		return err
	}
	line := make(table.Row, len(shown))
	for i := range shown {
		line[i] = shown[i]
	}
	r.table.AppendRow(line)
	return nil
}

// end prints the table.
func (r *rows) end() error {
	if r.table == nil || r.n == 0 {
		return nil
	}
	_, err := fmt.Fprintln(r.t.out, r.table.Render())
	return err
}

// printJSON prints an object whose members are in the order of the columns.
func (t *tool) printJSON(columns []string, cells []any) error {
	var b strings.Builder
	for i, column := range columns {
		value := cells[i]
		if d, ok := value.(time.Duration); ok {
			value = any(d.Seconds())
			if d == nest.Forever {
				value = nil
			}
		}
		if s, ok := value.(string); ok && !utf8.ValidString(s) {
			value = strings.ToValidUTF8(s, "\uFFFD")
		}
		var encoded strings.Builder
		e := json.NewEncoder(&encoded)
		e.SetEscapeHTML(false) // templates are full of angle brackets
		if err := e.Encode(value); err != nil {
			return err
		}
		separator := ","
		if i == 0 {
			separator = "{"
		}
		b.WriteString(separator + strconv.Quote(column) + ":" + strings.TrimSuffix(encoded.String(), "\n"))
	}
	_, err := fmt.Fprintln(t.out, b.String()+"}")
	return err
}

// show returns a cell as a person reads it. What could move a terminal's cursor is escaped.
func show(cell any) string {
	switch v := cell.(type) {
	case string:
		return printable(v)
	case json.RawMessage:
		return printable(string(v))
	case time.Duration:
		if v == nest.Forever {
			return "none"
		}
		return v.Round(time.Millisecond).String()
	}
	return printable(fmt.Sprint(cell))
}

// printable returns a text without control characters and bytes that are no text.
func printable(s string) string {
	clean := utf8.ValidString(s)
	for _, c := range s {
		clean = clean && unicode.IsPrint(c)
	}
	if clean {
		return s
	}
	return strconv.QuoteToGraphic(s)
}

// newProgressBar returns a bar that disappears when it is done.
func newProgressBar(w io.Writer, what string) *progressbar.ProgressBar {
	return progressbar.NewOptions64(-1,
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what), progressbar.OptionSpinnerType(14),
		progressbar.OptionSetElapsedTime(false), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
}

// barRoom is what the bar puts around its text.
const barRoom = 6

// showProgress shows how far a walk is, in a line of so many columns: a longer one could not be
// erased. 0 columns are any number.
func showProgress(bar *progressbar.ProgressBar, what string, p nest.WalkProgress, columns int) {
	text := fmt.Sprintf("%s: %d looked at, %d matched, %.0f a second", what, p.Scanned, p.Matched, p.Rate)
	if left := p.Left.Round(time.Second); left > 0 {
		text += ", " + left.String() + " left"
	}
	if most := max(columns-barRoom, len(what)); columns > 0 && len(text) > most {
		text = text[:most]
	}
	bar.Describe(text)
	_ = bar.Add(1)
}

// columns returns the width of the terminal that w is, or 0.
func columns(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}
