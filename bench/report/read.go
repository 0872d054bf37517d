package main

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// measurements holds all runs of all benchmarks, in the order in which they were read.
type measurements struct {
	machine []string // "cpu: …", "pkg: …"
	works   []*work
}

// work is what several rivals do: "Resolve/int".
type work struct {
	name   string
	rivals []*rival
}

// rival is a contender that does the work, and what each run measured, by unit: "ns/op".
type rival struct {
	name string
	runs map[string][]float64
}

var errNothing = errors.New("there is no measurement in the input")

// processors matches the suffix that go test adds to a name: "-2" for GOMAXPROCS.
var processors = regexp.MustCompile(`-\d+$`)

// read reads the output of go test. The last part of a benchmark's name is the rival; the part
// before it is the work.
func read(in io.Reader) (*measurements, error) {
	m := &measurements{}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "--- FAIL"), strings.HasPrefix(line, "FAIL"), strings.HasPrefix(line, "panic:"):
			return nil, errors.New("the run failed: " + line)
		case strings.HasPrefix(line, "goos:"), strings.HasPrefix(line, "goarch:"), strings.HasPrefix(line, "cpu:"):
			if !slices.Contains(m.machine, line) { // several runs repeat it
				m.machine = append(m.machine, line)
			}
		case strings.HasPrefix(line, "Benchmark"):
			m.add(strings.Fields(line))
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(m.works) == 0 {
		return nil, errNothing
	}
	return m, nil
}

// add adds one line: name, iterations, and pairs of a number and its unit.
func (m *measurements) add(fields []string) {
	if len(fields) < 4 {
		return
	}
	name := processors.ReplaceAllString(strings.TrimPrefix(fields[0], "Benchmark"), "")
	cut := strings.LastIndexByte(name, '/')
	r := m.rival(name[:max(cut, 0)], name[cut+1:])
	for pair := range slices.Chunk(fields[2:], 2) {
		if n, err := strconv.ParseFloat(pair[0], 64); err == nil && len(pair) == 2 {
			r.runs[pair[1]] = append(r.runs[pair[1]], n)
		}
	}
}

func (m *measurements) rival(workName, name string) *rival {
	w := found(m.works, func(w *work) bool { return w.name == workName })
	if w == nil {
		w = &work{name: workName}
		m.works = append(m.works, w)
	}
	r := w.rival(name)
	if r == nil {
		r = &rival{name: name, runs: make(map[string][]float64)}
		w.rivals = append(w.rivals, r)
	}
	return r
}

func (w *work) rival(name string) *rival {
	return found(w.rivals, func(r *rival) bool { return r.name == name })
}

func found[T any](all []*T, is func(*T) bool) *T {
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i]
	}
	return nil
}

// quantile returns the value below which the fraction q of the runs lies.
func (r *rival) quantile(unit string, q float64) (float64, bool) {
	runs := slices.SortedFunc(slices.Values(r.runs[unit]), cmp.Compare)
	if len(runs) == 0 {
		return 0, false
	}
	at := q * float64(len(runs)-1)
	low := int(at)
	high := min(low+1, len(runs)-1)
	return runs[low] + (at-float64(low))*(runs[high]-runs[low]), true
}

// time returns the median of the runs, in nanoseconds.
func (r *rival) time() float64 {
	t, _ := r.quantile("ns/op", 0.5)
	return t
}

// spread returns the width of the middle half of the runs, as a fraction of the median.
func (r *rival) spread() float64 {
	low, _ := r.quantile("ns/op", 0.25)
	high, _ := r.quantile("ns/op", 0.75)
	if r.time() == 0 {
		return 0
	}
	return (high - low) / r.time()
}

// ratio returns how long ours takes for each second of r, if ours does this work. It is the median
// of the ratios of the first runs of both, of the second runs, and so on. If the runs are passes
// over all of the work, those of one pass were measured under the same conditions.
func (w *work) ratio(ours string, r *rival) (float64, bool) {
	o := w.rival(ours)
	if o == nil || o == r {
		return 0, false
	}
	ratios := rival{runs: make(map[string][]float64)}
	for i, t := range r.runs["ns/op"] {
		if mine := o.runs["ns/op"]; i < len(mine) && t > 0 {
			ratios.runs[""] = append(ratios.runs[""], mine[i]/t)
		}
	}
	return ratios.quantile("", 0.5)
}

// best returns the ratio of the fastest runs, which approximates that on an otherwise idle machine.
func (w *work) best(ours string, r *rival) (float64, bool) {
	o := w.rival(ours)
	if o == nil || o == r {
		return 0, false
	}
	mine, ok := o.quantile("ns/op", 0)
	theirs, ok2 := r.quantile("ns/op", 0)
	return mine / theirs, ok && ok2 && theirs > 0
}
