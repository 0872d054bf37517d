package main

import (
	"fmt"
	"slices"
	"strings"
)

// markdown returns the tables, one for each unit that go test adds besides time and memory.
func (m *measurements) markdown(ours string) string {
	var b strings.Builder
	if len(m.machine) > 0 {
		fmt.Fprintf(&b, "```\n%s\n```\n\n", strings.Join(m.machine, "\n"))
	}
	units := m.units()
	fmt.Fprintf(&b, "| work | by | median | spread | fastest | memory | allocations | %[1]s / by | %[1]s / by, fastest |", ours)
	for _, unit := range units {
		fmt.Fprintf(&b, " %s |", unit)
	}
	b.WriteString("\n| --- | --- |" + strings.Repeat(" ---: |", 7+len(units)) + "\n")
	for _, w := range m.works {
		for _, r := range w.rivals {
			fmt.Fprintf(&b, "| %s | %s | %s | ± %.0f %% | %s | %s | %s | %s | %s |", w.name, r.name,
				r.at("ns/op", 0.5, duration), 50*r.spread(), r.at("ns/op", 0, duration),
				r.at("B/op", 0.5, bytes), r.at("allocs/op", 0.5, number), times(w.ratio(ours, r)), times(w.best(ours, r)))
			for _, unit := range units {
				form := number
				if strings.HasSuffix(unit, "-B") {
					form = bytes
				}
				fmt.Fprintf(&b, " %s |", r.at(unit, 0.5, form))
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// units returns the units that not every benchmark has.
func (m *measurements) units() []string {
	var units []string
	for _, w := range m.works {
		for _, r := range w.rivals {
			for unit := range r.runs {
				if !slices.Contains([]string{"ns/op", "B/op", "allocs/op"}, unit) && !slices.Contains(units, unit) {
					units = append(units, unit)
				}
			}
		}
	}
	slices.Sort(units)
	return units
}

func (r *rival) at(unit string, q float64, form func(float64) string) string {
	n, ok := r.quantile(unit, q)
	if !ok {
		return ""
	}
	return form(n)
}

func times(ratio float64, ok bool) string {
	if !ok {
		return ""
	}
	return fmt.Sprintf("%.2f", ratio)
}

func duration(ns float64) string {
	return scaled(ns, 1000, []string{"ns", "µs", "ms", "s"})
}

func bytes(n float64) string {
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
