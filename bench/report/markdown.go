package main

import (
	"fmt"
	"slices"
	"strings"
)

// markdown gives the tables, one for each unit that go test adds besides time and memory.
func (m *measurements) markdown(ours string) string {
	var b strings.Builder
	if len(m.machine) > 0 {
		fmt.Fprintf(&b, "```\n%s\n```\n\n", strings.Join(m.machine, "\n"))
	}
	units := m.units()
	fmt.Fprintf(&b, "| work | by | median | spread | memory | allocations | %s / by |", ours)
	for _, unit := range units {
		fmt.Fprintf(&b, " %s |", unit)
	}
	b.WriteString("\n| --- | --- |" + strings.Repeat(" ---: |", 5+len(units)) + "\n")
	for _, w := range m.works {
		for _, r := range w.rivals {
			ratio := ""
			if x, ok := w.ratio(ours, r); ok && r.name != ours {
				ratio = fmt.Sprintf("%.2f", x)
			}
			fmt.Fprintf(&b, "| %s | %s | %s | ± %.0f %% | %s | %s | %s |", w.name, r.name, duration(r.time()),
				50*r.spread(), r.median("B/op", bytes), r.median("allocs/op", number), ratio)
			for _, unit := range units {
				form := number
				if strings.HasSuffix(unit, "-B") {
					form = bytes
				}
				fmt.Fprintf(&b, " %s |", r.median(unit, form))
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// units are those that not every benchmark has.
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

func (r *rival) median(unit string, form func(float64) string) string {
	n, ok := r.quantile(unit, 0.5)
	if !ok {
		return ""
	}
	return form(n)
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

// scaled writes n with the first unit that leaves it below base, to three digits.
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
