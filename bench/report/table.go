package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// markdown returns the report: a section for each family of benchmarks.
func (m *measurements) markdown() string {
	var b strings.Builder
	b.WriteString("# How fast it is\n\n")
	if m.made != nil {
		b.WriteString("Written by `go run ./bench/report`, not by hand.\n\n")
	}
	if lines := slices.Concat(m.made, m.machine); len(lines) > 0 {
		fmt.Fprintf(&b, "```text\n%s\n```\n\n", strings.Join(lines, "\n"))
	}
	b.WriteString("× is how long nest takes for each second that the other takes to do the same: the median of the\n" +
		"passes, and the middle half of them. Below 1, nest is faster. It is marked as lost where even the\n" +
		"lower end of that half is above 1.02, and as won where the upper end is below 0.98. The last column\n" +
		"is how many allocations more nest makes.\n")
	rest := m.works
	for _, f := range families {
		is := regexp.MustCompile("^" + f.bench + "$")
		var own, others []*work
		for _, w := range rest {
			if is.MatchString(w.benchmark()) {
				own = append(own, w)
			} else {
				others = append(others, w)
			}
		}
		rest = others
		writeSection(&b, f.title, f.about, own)
	}
	writeSection(&b, "Others", "", rest)
	return b.String()
}

// others are the columns that a table has if one of its rows has such a measurement.
var others = []struct {
	unit, heading string
	form          func(float64) string
}{
	{"keys/s", "keys a second", number},
	{"peak-B", "most heap", size},
	{"live-B", "kept", size},
	{"added-ns", "added", duration},
}

// writeSection writes a table of ratios and one of the other measurements.
func writeSection(b *strings.Builder, title, about string, works []*work) {
	if len(works) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s\n", title)
	if about != "" {
		fmt.Fprintf(b, "\n%s\n", about)
	}
	writeTable(b, works, true, "| work | beside | × | middle half | | nest | allocations |", "| --- | --- | ---: | ---: | --- | ---: | ---: |",
		func(r *rival) string {
			return fmt.Sprintf("%s | %s–%s | %s | %s | %s", r.at(timeRatio, 0.5, ratio), r.at(timeRatio, 0.25, ratio), r.at(timeRatio, 0.75, ratio),
				r.verdict(), r.at("ns/op", 0.5, duration), r.at("more-allocs", 0.5, more))
		})
	writeTable(b, works, false, "| work | by | median | middle half | memory | allocations |", "| --- | --- | ---: | ---: | ---: | ---: |",
		func(r *rival) string {
			half := ""
			if low := r.at("ns/op", 0.25, duration); low != "" {
				half = low + "–" + r.at("ns/op", 0.75, duration)
			}
			memory, allocations := r.at("B/op", 0.5, size), r.at("allocs/op", 0.5, number)
			if len(r.runs["keys/s"]) > 0 {
				memory, allocations = "", "" // of all keys together
			}
			return fmt.Sprintf("%s | %s | %s | %s", r.at("ns/op", 0.5, duration), half, memory, allocations)
		})
}

// writeTable writes what has a ratio, or what has none.
func writeTable(b *strings.Builder, works []*work, compared bool, head, line string, cells func(r *rival) string) {
	var rows []string
	var columns []int
	for i, o := range others {
		if slices.ContainsFunc(works, func(w *work) bool {
			return slices.ContainsFunc(w.rivals, func(r *rival) bool { return r.compared() == compared && len(r.runs[o.unit]) > 0 })
		}) {
			columns = append(columns, i)
			head, line = head+" "+o.heading+" |", line+" ---: |"
		}
	}
	for _, w := range works {
		for _, r := range w.rivals {
			if r.compared() != compared {
				continue
			}
			row := []string{plain(w.name), plain(r.name), cells(r)}
			for _, i := range columns {
				row = append(row, r.at(others[i].unit, 0.5, others[i].form))
			}
			rows = append(rows, "| "+strings.Join(row, " | ")+" |")
		}
	}
	if len(rows) > 0 {
		fmt.Fprintf(b, "\n%s\n%s\n%s\n", head, line, strings.Join(rows, "\n"))
	}
}

// compared reports whether nest was measured beside this rival.
func (r *rival) compared() bool { return len(r.runs[timeRatio]) > 0 }

// plain returns the name of a benchmark as one reads it: without the words that only choose it.
func plain(name string) string {
	return strings.TrimSpace(strings.ReplaceAll(strings.TrimPrefix(strings.ReplaceAll(name, "_", " "), "Ratio"), "/", " "))
}

// verdict says whether nest is faster or slower, if that is sure.
func (r *rival) verdict() string {
	low, _ := r.quantile(timeRatio, 0.25)
	high, _ := r.quantile(timeRatio, 0.75)
	switch {
	case low > 1.02:
		return "lost"
	case high < 0.98:
		return "won"
	}
	return ""
}

func (r *rival) at(unit string, q float64, form func(float64) string) string {
	n, ok := r.quantile(unit, q)
	if !ok || unit == "ns/op" && n == 0 {
		return ""
	}
	return form(n)
}

func ratio(n float64) string {
	if n > 0 && n < 0.095 {
		return fmt.Sprintf("%.2g", n) // and not 0.00
	}
	return fmt.Sprintf("%.2f", n)
}

// more formats how many more there are: "+1", "0", "-5".
func more(n float64) string {
	if n == 0 {
		return "0"
	}
	return strings.TrimSuffix(strings.TrimSuffix(fmt.Sprintf("%+.1f", n), "0"), ".")
}

func duration(ns float64) string {
	return scaled(ns, 1000, []string{"ns", "µs", "ms", "s"})
}

func size(n float64) string {
	return scaled(n, 1024, []string{"B", "KiB", "MiB", "GiB"})
}

func number(n float64) string {
	return strings.TrimSuffix(scaled(n, 1000, []string{"", "k", "M", "G"}), " ")
}

// scaled formats n to three digits, with the first unit that leaves it below base.
func scaled(n, base float64, units []string) string {
	i := 0
	for ; n >= base && i < len(units)-1; i++ {
		n /= base
	}
	digits := 0
	switch {
	case n == float64(int64(n)) && i == 0:
	case n < 10:
		digits = 2
	case n < 100:
		digits = 1
	}
	return fmt.Sprintf("%.*f %s", digits, n, units[i])
}
