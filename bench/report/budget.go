package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// budget has the greatest ratio to each rival that is accepted, by the name of the benchmark. A
// limit is about a fifth above what was measured, so that it notices a change of that size.
type budget map[string]float64

func readBudget(path string) (budget, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var b budget
	if err := json.Unmarshal(text, &b); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// check compares what was measured with the limits. Its error lists each ratio past its limit, and
// each limit whose benchmark was measured without it: another name would otherwise go unnoticed.
func (b budget) check(m *measurements) error {
	var past []string
	for _, name := range slices.Sorted(maps.Keys(b)) {
		r := m.find(name)
		if r == nil {
			if m.measured(name) {
				past = append(past, name+": not measured")
			}
			continue
		}
		x, ok := r.quantile(timeRatio, 0.5)
		if !ok || x > b[name] {
			past = append(past, fmt.Sprintf("%s: %.2f, and the limit is %.2f", name, x, b[name]))
		}
	}
	if len(past) > 0 {
		return fmt.Errorf("%d ratios are past their limits:\n%s", len(past), strings.Join(past, "\n"))
	}
	return nil
}
