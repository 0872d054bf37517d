package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// published is what REPORT.md has: the pages and the limits take their figures from there.
type published struct {
	machine  string
	sections []*section
}

type section struct {
	title string
	rows  []*row
}

// row is a row of a table, with the heading of each of its cells. compared rows have a ratio.
type row struct {
	work, beside   string
	compared       bool
	x, low, high   float64
	headings, cell []string
}

// name is how the pages and the limits refer to a row.
func (r *row) name() string { return r.work + " / " + r.beside }

func (r *row) at(heading string) string {
	if i := slices.Index(r.headings, heading); i >= 0 && i < len(r.cell) {
		return r.cell[i]
	}
	return ""
}

func readPublished(path string) (*published, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p, err := parsePublished(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

func parsePublished(text string) (*published, error) {
	p := &published{}
	seen := make(map[string]bool)
	var headings []string
	if _, rest, ok := strings.Cut(text, "```text\n"); ok {
		p.machine, _, _ = strings.Cut(rest, "```")
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "## "); ok {
			p.sections = append(p.sections, &section{title: title})
			continue
		}
		if !strings.HasPrefix(line, "| ") || len(p.sections) == 0 || strings.HasPrefix(line, "| ---") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i, c := range cells {
			cells[i] = strings.TrimSpace(c)
		}
		if cells[0] == "work" {
			headings = cells
			continue
		}
		r, err := newRow(headings, cells)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		if seen[r.name()] {
			return nil, fmt.Errorf("two rows are %q", r.name())
		}
		seen[r.name()] = true
		last := p.sections[len(p.sections)-1]
		last.rows = append(last.rows, r)
	}
	if len(seen) == 0 {
		return nil, errNothing
	}
	return p, nil
}

func newRow(headings, cells []string) (*row, error) {
	if len(cells) < 4 || len(cells) != len(headings) {
		return nil, errors.New("this is no row of its table")
	}
	r := &row{work: cells[0], beside: cells[1], headings: headings, cell: cells}
	if headings[2] != "×" {
		return r, nil
	}
	low, high, _ := strings.Cut(cells[3], "–")
	for _, figure := range []struct {
		text string
		into *float64
	}{{cells[2], &r.x}, {low, &r.low}, {high, &r.high}} {
		n, err := strconv.ParseFloat(figure.text, 64)
		if err != nil {
			return nil, err
		}
		*figure.into = n
	}
	r.compared = true
	return r, nil
}

func (p *published) section(title string) *section {
	return found(p.sections, func(s *section) bool { return s.title == title })
}

func (p *published) row(name string) *row {
	for _, s := range p.sections {
		if r := found(s.rows, func(r *row) bool { return r.name() == name }); r != nil {
			return r
		}
	}
	return nil
}

// ratios returns the rows that compare nest with another.
func (s *section) ratios() []*row {
	return slices.DeleteFunc(slices.Clone(s.rows), func(r *row) bool { return !r.compared })
}
