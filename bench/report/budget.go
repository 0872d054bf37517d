package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
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

// check compares what was measured with the limits, and prints each ratio past its limit. A limit
// for something that was not measured is an error if nothing of its benchmark was: another name
// would otherwise go unnoticed.
func (b budget) check(m *measurements, out io.Writer) error {
	past := 0
	for _, name := range slices.Sorted(maps.Keys(b)) {
		r := m.find(name)
		if r == nil {
			if m.measured(name) {
				past++
				fmt.Fprintf(out, "%s: not measured\n", name)
			}
			continue
		}
		x, ok := r.quantile(timeRatio, 0.5)
		if !ok || x > b[name] {
			past++
			fmt.Fprintf(out, "%s: %.2f, and the limit is %.2f\n", name, x, b[name])
		}
	}
	if past > 0 {
		return fmt.Errorf("%d ratios are past their limits", past)
	}
	return nil
}
