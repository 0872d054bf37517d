package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// counted is an entry of a count.
type counted struct {
	What string
	Keys int64
}

func sortCounted(list []counted) {
	slices.SortFunc(list, func(a, b counted) int {
		return cmp.Or(cmp.Compare(b.Keys, a.Keys), cmp.Compare(a.What, b.What))
	})
}

// list returns the entries of a count as text: "hash 12, string 3".
func list(counts map[string]int64) string {
	var b strings.Builder
	for i, c := range mostFirst(counts) {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(names.Printable(c.What) + " " + number(c.Keys))
	}
	return b.String()
}

// headline is what a report says first.
func (r *Report) headline() string {
	text := amount(r.Total.Keys, "key") + ", " + amount(int64(len(r.Keys)), "declaration")
	if r.Total.Measured() {
		text += ", " + r.Total.memory()
	}
	if n := len(r.Findings); n > 0 || r.Uncounted > 0 {
		text += ", " + amount(int64(n), "finding")
	} else {
		text += ", nothing found"
	}
	return text
}

// title is the name of what was audited.
func (r *Report) title() string {
	return cmp.Or(names.Printable(r.Scope), "(no prefix)")
}

// notes say how the report was made, and what it does not say.
func (r *Report) notes() []string {
	var notes []string
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if !r.Complete {
		add("NOT COMPLETE: the audit was interrupted, and this is what it had found until then.")
	}
	add("%s keys in %s (%s a second), begun at %s.", number(r.Total.Keys), duration(r.Took.Round(time.Millisecond)),
		number(int64(float64(r.Total.Keys)/max(r.Took.Seconds(), 0.001))), r.Began.UTC().Format("2006-01-02 15:04:05 UTC"))
	switch {
	case r.Unmeasured != "":
		add("Memory was not measured: %s.", names.Printable(r.Unmeasured))
	case r.Sample == 0:
		add("Memory was not measured.")
	case r.Total.Estimated():
		add("Memory is estimated where the report says so: it was measured of %s keys, %s of each declaration at first and ever fewer of the further ones.",
			number(r.Total.Sampled), number(int64(r.Sample)))
	default:
		add("The memory of each key was measured.")
	}
	if r.Values > 0 {
		add("Values of up to %s were read and decoded.", size(int64(r.Values)))
	} else {
		add("Values were not read, so the report does not say which are unsealed, undecodable or of a retired version.")
	}
	if l := r.Latency; l != nil {
		add("The 90th percentile of PING rose by %s, from %s to %s (medians of %s; ceiling %s). The pace was %s keys a second at the end.",
			l.Added().Round(time.Microsecond), l.Baseline.Round(time.Microsecond), l.Loaded.Round(time.Microsecond),
			amount(int64(l.Windows), "window"), duration(l.Ceiling), number(int64(l.Rate)))
	}
	if r.Uncounted > 0 {
		add("With the filter, %s that nothing declares were only counted.", amount(r.Uncounted, "name"))
	}
	if r.Repeated > 0 {
		add("%s count twice: slots moved, or a server was restarted.", amount(r.Repeated, "key"))
	}
	return notes
}

// line is a line of the tree of a report.
type line struct {
	depth int
	last  bool   // of its cluster
	title string // relative to the cluster around it
	what  string // kind and type; "" for a cluster
	ttl   time.Duration
	doc   string
	stats *Stats
	marks []string // findings
}

// lines returns the tree: of each cluster its keys, and then the clusters in it.
func (r *Report) lines() []line {
	found := make(map[string][]string)
	for _, f := range r.Findings {
		if f.Kind == Undeclared {
			continue // a shape can look like a template
		}
		found[f.Template] = append(found[f.Template], string(f.Kind)+" "+number(f.Keys))
	}
	var all []line
	var visit func(in, depth int, above string)
	visit = func(in, depth int, above string) {
		var last int
		for i := range r.Keys {
			k := &r.Keys[i]
			if k.In != in {
				continue
			}
			what := string(k.Kind)
			if k.GoType != "" {
				what += " " + k.GoType
			}
			last = len(all)
			all = append(all, line{depth: depth, title: below(k.Name, above), what: what, ttl: k.TTL, doc: k.Doc, stats: &k.Stats, marks: found[k.Template]})
		}
		for i := range r.Clusters {
			c := &r.Clusters[i]
			if c.In != in || in >= i {
				continue
			}
			last = len(all)
			all = append(all, line{depth: depth, title: below(c.Name, above), doc: c.Doc, stats: &c.Stats})
			visit(i, depth+1, c.Name)
		}
		if last < len(all) {
			all[last].last = true
		}
	}
	visit(-1, 0, "")
	return all
}

// below returns a name without that of the cluster around it.
func below(name, above string) string {
	if rest, ok := strings.CutPrefix(name, above+":"); ok && above != "" {
		name = rest
	}
	return cmp.Or(names.Printable(name), "(no prefix)")
}

// bar draws a share with eighths of a character.
func bar(part, whole int64, width int) string {
	if whole <= 0 || part <= 0 {
		return ""
	}
	eighths := max(1, int(float64(part)/float64(whole)*float64(width*8)+0.5))
	text := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		text += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return text
}

const barWidth = 16

// weight is what the bars and the map of a report show: bytes if they were measured, or keys.
func (r *Report) weight(s *Stats) int64 {
	if r.Total.Measured() && r.Total.Keys > 0 {
		return s.Bytes
	}
	return s.Keys
}

// String returns the report as text with a tree of the declarations, as a terminal shows it.
func (r *Report) String() string {
	var b strings.Builder
	b.WriteString(r.title() + ": " + r.headline() + "\n\n")
	rows := [][]string{{"", "keys", "memory", ""}}
	var open []bool // whether a cluster at this depth has more below
	for _, l := range r.lines() {
		open = append(open[:l.depth], !l.last)
		var title strings.Builder
		for d := 1; d <= l.depth; d++ {
			switch {
			case d < l.depth && open[d]:
				title.WriteString("│  ")
			case d < l.depth:
				title.WriteString("   ")
			case l.last:
				title.WriteString("└─ ")
			default:
				title.WriteString("├─ ")
			}
		}
		title.WriteString(l.title)
		if l.what != "" {
			title.WriteString("  " + names.Printable(l.what))
		}
		note := bar(r.weight(l.stats), r.weight(&r.Total), barWidth)
		if len(l.marks) > 0 {
			note = pad(note, barWidth) + "  ! " + strings.Join(l.marks, ", ")
		}
		rows = append(rows, []string{title.String(), number(l.stats.Keys), l.stats.memory(), note})
	}
	extra := func(title string, s *Stats) {
		if s.Keys > 0 {
			rows = append(rows, []string{title, number(s.Keys), s.memory(), bar(r.weight(s), r.weight(&r.Total), barWidth)})
		}
	}
	undeclared := r.undeclared()
	extra("(undeclared)", &undeclared)
	extra("(companions)", &r.Companions)
	table(&b, rows, "lrrl")

	if r.Total.Keys > 0 {
		b.WriteString("\nTime to live\n")
		rows = rows[:0]
		for _, bucket := range r.Total.TTLs {
			rows = append(rows, []string{"  " + bucket.label(), number(bucket.Keys), bar(bucket.Keys, r.Total.Keys, 2*barWidth)})
		}
		table(&b, rows, "lrl")
		fmt.Fprintf(&b, "\nTypes      %s\n", list(r.Total.Types))
		if len(r.Total.Encodings) > 0 {
			fmt.Fprintf(&b, "Encodings  %s\n", list(r.Total.Encodings))
		}
	}
	if len(r.Total.Largest) > 0 {
		b.WriteString("\nLargest\n")
		rows = rows[:0]
		for _, big := range r.Total.Largest {
			rows = append(rows, []string{"  " + names.Printable(big.Key), size(big.Bytes), number(big.Len)})
		}
		table(&b, rows, "lrr")
	}
	if len(r.Findings) > 0 {
		b.WriteString("\nFindings\n")
	}
	for i, f := range r.Findings {
		if i == 0 || f.Kind != r.Findings[i-1].Kind {
			fmt.Fprintf(&b, "  %s: %s\n", f.Kind, meaning[f.Kind])
		}
		fmt.Fprintf(&b, "    %s  %s", names.Printable(f.Template), amount(f.Keys, "key"))
		if f.Source != "" {
			b.WriteString("  " + names.Printable(f.Source))
		}
		b.WriteByte('\n')
		for n, key := range f.Examples {
			b.WriteString("      " + names.Printable(key))
			if n == 0 && f.Text != "" {
				b.WriteString(": " + names.Printable(f.Text))
			}
			b.WriteByte('\n')
		}
	}
	b.WriteByte('\n')
	for _, note := range r.notes() {
		b.WriteString(note + "\n")
	}
	return b.String()
}

// undeclared returns what all names together take that nothing declares.
func (r *Report) undeclared() Stats {
	t := newTally()
	for i := range r.Undeclared {
		t.load(&r.Undeclared[i].Stats, 0)
	}
	return t.stats()
}

// pad fills a text up to a width.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// table writes rows with aligned columns, of which align says how: l or r.
func table(b *strings.Builder, rows [][]string, align string) {
	widths := make([]int, len(align))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var text strings.Builder
		for i, cell := range row {
			if i > 0 {
				text.WriteString("  ")
			}
			if align[i] == 'r' {
				text.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + cell)
			} else {
				text.WriteString(pad(cell, widths[i]))
			}
		}
		b.WriteString(strings.TrimRight(text.String(), " ") + "\n")
	}
}
