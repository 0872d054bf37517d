package main

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// measurements holds all runs of all benchmarks, in the order in which they were read.
type measurements struct {
	made    []string // when, where and with what, a line each
	machine []string // "cpu: …", "goos: …"
	ran     []family // all of whose benchmarks were run
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

// madeMark begins the lines that -keep writes before what the benchmarks print.
const madeMark = "made: "

// timeRatio is the unit of ratios of time: of ours to the rival's.
const timeRatio = "x-time"

var errNothing = errors.New("there is no measurement in the input")

// processors matches the suffix that go test adds to a name: "-2" for GOMAXPROCS.
var processors = regexp.MustCompile(`-\d+$`)

// readFile adds what a file with the output of go test has.
func (m *measurements) readFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return m.read(f)
}

// read adds what the output of go test has. The last part of a benchmark's name is the rival; the
// part before it is the work.
func (m *measurements) read(in io.Reader) error {
	added := false
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "--- FAIL"), strings.HasPrefix(line, "FAIL"), strings.HasPrefix(line, "panic:"):
			return errors.New("the run failed: " + line)
		case strings.HasPrefix(line, "--- SKIP"), strings.HasPrefix(line, "    --- SKIP"):
			return errors.New("a benchmark was skipped: " + line)
		case strings.HasPrefix(line, madeMark):
			m.made = append(m.made, strings.TrimPrefix(line, madeMark))
		case strings.HasPrefix(line, "goos:"), strings.HasPrefix(line, "goarch:"), strings.HasPrefix(line, "cpu:"):
			if !slices.Contains(m.machine, line) { // several runs repeat it
				m.machine = append(m.machine, line)
			}
		case strings.HasPrefix(line, "Benchmark"):
			added = m.add(strings.Fields(line)) || added
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if !added {
		return errNothing
	}
	return nil
}

// add adds one line: name, iterations, and pairs of a number and its unit.
func (m *measurements) add(fields []string) bool {
	if len(fields) < 4 {
		return false
	}
	name := strings.TrimPrefix(processors.ReplaceAllString(fields[0], ""), "Benchmark")
	r := m.rival(split(name))
	for pair := range slices.Chunk(fields[2:], 2) {
		if n, err := strconv.ParseFloat(pair[0], 64); err == nil && len(pair) == 2 {
			r.runs[pair[1]] = append(r.runs[pair[1]], n)
		}
	}
	return true
}

// split returns the work and the rival that the name of a benchmark has. A name without a rival is
// that of work that is compared with the same by hand.
func split(name string) (work, rival string) {
	if cut := strings.LastIndexByte(name, '/'); cut >= 0 {
		return name[:cut], name[cut+1:]
	}
	return name, "by hand"
}

// rowName is how the report names what was measured of a rival: "Get 1 / rueidis".
func rowName(w *work, r *rival) string { return plain(w.name) + " / " + plain(r.name) }

// find returns the rival that a row of the report is about, or nil.
func (m *measurements) find(row string) *rival {
	for _, w := range m.works {
		if r := found(w.rivals, func(r *rival) bool { return rowName(w, r) == row }); r != nil {
			return r
		}
	}
	return nil
}

// measured reports whether a row of the report should have been measured: its family was run, or
// others of its benchmark were. If it is missing, it has another name now.
func (m *measurements) measured(row string) bool {
	first, _, _ := strings.Cut(row, " ")
	return slices.ContainsFunc(m.ran, func(f family) bool { return f.has("Ratio"+first) || f.has(first) }) ||
		slices.ContainsFunc(m.works, func(w *work) bool { return plain(w.benchmark()) == first })
}

// benchmark returns the first part of the name: "RatioGet".
func (w *work) benchmark() string { return benchmarkOf(w.name) }

func benchmarkOf(name string) string {
	first, _, _ := strings.Cut(name, "/")
	return first
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
