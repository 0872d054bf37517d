package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
)

// budget has the greatest ratio that is accepted of each row of the report, by the row's name, and
// names the rows that vary too much for a limit.
type budget struct {
	Limits   map[string]float64 `json:"limits"`
	Unsteady []string           `json:"unsteady"`
}

// steady is how wide the middle half of a row may be to have a limit, as a part of its ratio: with
// twice as much, the limit would be met by chance.
const steady = 0.1

// newBudget returns limits for what was measured. What takes a fifth longer is past its limit, also
// at the lower end of its middle half, which is what [budget.check] compares.
func newBudget(p *published) budget {
	b := budget{Limits: make(map[string]float64), Unsteady: []string{}}
	for _, s := range p.sections {
		for _, r := range s.ratios() {
			if (r.high-r.low)/r.x > steady {
				b.Unsteady = append(b.Unsteady, r.name())
				continue
			}
			limit := math.Floor(r.x*115) / 100
			if limit <= r.x {
				limit = r.x * 1.15
			}
			b.Limits[r.name()] = limit
		}
	}
	slices.Sort(b.Unsteady)
	return b
}

func readBudget(path string) (budget, error) {
	var b budget
	text, err := os.ReadFile(path)
	if err != nil {
		return b, err
	}
	if err := json.Unmarshal(text, &b); err != nil {
		return b, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

func (b budget) write(path string) error {
	text, err := json.MarshalIndent(b, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}

// check compares what was measured with the limits. A ratio is past its limit if it was there at
// the lower end of the middle half of its passes: fewer passes are the machine's doing. The error
// lists these ratios, and where the rows of a benchmark are not those that have limits: a row with
// another name would otherwise go unnoticed.
func (b budget) check(m *measurements) error {
	var past []string
	compared := 0
	for _, name := range slices.Sorted(maps.Keys(b.Limits)) {
		r := m.find(name)
		if r == nil {
			if m.measured(name) {
				past = append(past, name+": not measured")
			}
			continue
		}
		compared++
		if x, ok := r.quantile(timeRatio, 0.25); !ok || x > b.Limits[name] {
			past = append(past, fmt.Sprintf("%s: %.4g at the lower end of the middle half, and the limit is %.4g", name, x, b.Limits[name]))
		}
	}
	for _, w := range m.works {
		for _, r := range w.rivals {
			name := rowName(w, r)
			if _, limited := b.Limits[name]; !limited && len(r.runs[timeRatio]) > 0 && !slices.Contains(b.Unsteady, name) {
				past = append(past, name+": has no limit")
			}
		}
	}
	if len(past) > 0 {
		return fmt.Errorf("%d ratios are past their limits:\n%s", len(past), strings.Join(past, "\n"))
	}
	if compared == 0 {
		return errors.New("nothing that was measured has a limit")
	}
	return nil
}
