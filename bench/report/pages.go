package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// mark is a place of a page that takes what it shows from the report. What it names is
//
//	<!-- report: machine -->                    what was measured, where and when
//	<!-- report: Batches -->                    a section: its table, or, within a line, its least and its greatest ratio
//	<!-- report: Codecs, as a matrix -->        a section whose works have two words: one chooses the row, one the column
//	<!-- report: Batch 100 / rueidis -->        the ratio of a row
//	<!-- report: Match 10 / nest / median -->   another cell of a row
//
// and <!-- /report --> ends it.
var mark = regexp.MustCompile(`(?s)<!-- report: ([^\n]*?) -->(.*?)<!-- /report -->`)

// fill returns the page with what the report has in each mark, and how many marks there are.
func (p *published) fill(page string) (filled string, marks int, err error) {
	var errs []error
	filled = mark.ReplaceAllStringFunc(page, func(m string) string {
		marks++
		parts := mark.FindStringSubmatch(m)
		shown, err := p.show(parts[1], strings.HasPrefix(parts[2], "\n"))
		errs = append(errs, err)
		return "<!-- report: " + parts[1] + " -->" + shown + "<!-- /report -->"
	})
	if strings.Count(page, "<!-- report:") != marks || strings.Count(page, "<!-- /report -->") != marks {
		errs = append(errs, errors.New("a mark has no end, or an end has no mark"))
	}
	return filled, marks, errors.Join(errs...)
}

// show returns what a mark shows, within a line or as a block of its own.
func (p *published) show(what string, block bool) (string, error) {
	title, matrix := strings.CutSuffix(what, ", as a matrix")
	switch s := p.section(title); {
	case what == "machine":
		return "\n\n```text\n" + p.machine + "```\n\n", nil
	case s != nil && matrix:
		return "\n\n" + s.matrix() + "\n", nil
	case s != nil && block:
		return "\n\n" + s.table() + "\n", nil
	case s != nil && len(s.ratios()) > 0:
		by := func(a, b *row) int { return cmp.Compare(a.x, b.x) }
		return ratio(slices.MinFunc(s.ratios(), by).x) + "–" + ratio(slices.MaxFunc(s.ratios(), by).x), nil
	}
	name, heading := what, "×"
	if parts := strings.Split(what, " / "); len(parts) == 3 {
		name, heading = parts[0]+" / "+parts[1], parts[2]
	}
	if r := p.row(name); r != nil && r.at(heading) != "" {
		return r.at(heading), nil
	}
	return "", fmt.Errorf("the report does not have %q", what)
}

// table returns the ratios of a section with a row for each work and a column for each rival, and
// its other rows as they are.
func (s *section) table() string {
	var b strings.Builder
	ratios := s.ratios()
	rivals, works := distinct(ratios, func(r *row) string { return r.beside }), distinct(ratios, func(r *row) string { return r.work })
	if len(ratios) > 0 {
		lead, alike := s.lead(works), slices.ContainsFunc(ratios, func(r *row) bool { return r.at("nest") != "" })
		head := []string{""}
		if alike {
			head = append(head, "nest")
		}
		heading(&b, append(head, rivals...))
		for _, work := range works {
			line := []string{strings.TrimPrefix(work, lead)}
			cells := make([]string, len(rivals))
			took := ""
			for _, r := range ratios {
				if r.work == work {
					cells[slices.Index(rivals, r.beside)] = r.shown()
					took = cmp.Or(took, r.at("nest"))
				}
			}
			if alike {
				line = append(line, took)
			}
			tableRow(&b, append(line, cells...))
		}
	}
	if plain := slices.DeleteFunc(slices.Clone(s.rows), func(r *row) bool { return r.compared }); len(plain) > 0 {
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		copied(&b, plain)
	}
	return b.String()
}

// copied writes rows as they are, without the columns in which they have nothing.
func copied(b *strings.Builder, rows []*row) {
	empty := func(i int) bool { return !slices.ContainsFunc(rows, func(r *row) bool { return r.cell[i] != "" }) }
	kept := func(cells []string) (some []string) {
		for i, c := range cells {
			if !empty(i) {
				some = append(some, c)
			}
		}
		return some
	}
	heading(b, kept(rows[0].headings))
	for _, r := range rows {
		tableRow(b, kept(r.cell))
	}
}

// shown is the ratio, in bold where nest has lost.
func (r *row) shown() string {
	if r.at("") == "lost" {
		return "**" + ratio(r.x) + "**"
	}
	return ratio(r.x)
}

// lead is the word with which all works of a section begin, if what follows says enough without it.
func (s *section) lead(works []string) string {
	first, _, _ := strings.Cut(works[0], " ")
	for _, work := range works {
		if rest, ok := strings.CutPrefix(work, first+" "); !ok || strings.IndexAny(rest, "0123456789") == 0 {
			return ""
		}
	}
	return first + " "
}

// matrix returns the ratios of works of two words, those of all rivals in one cell.
func (s *section) matrix() string {
	word := func(n int) func(r *row) string {
		return func(r *row) string {
			if words := strings.Fields(r.work); n < len(words) {
				return words[n]
			}
			return ""
		}
	}
	ratios := s.ratios()
	lines, columns := distinct(ratios, word(1)), distinct(ratios, word(2))
	var b strings.Builder
	heading(&b, append([]string{""}, columns...))
	for _, line := range lines {
		cells := make([]string, len(columns))
		for _, r := range ratios {
			if word(1)(r) != line {
				continue
			}
			cell := &cells[slices.Index(columns, word(2)(r))]
			if *cell != "" {
				*cell += ", "
			}
			*cell += r.shown()
		}
		tableRow(&b, append([]string{line}, cells...))
	}
	return b.String()
}

func heading(b *strings.Builder, cells []string) {
	tableRow(b, cells)
	b.WriteString("| --- |" + strings.Repeat(" ---: |", len(cells)-1) + "\n")
}

func tableRow(b *strings.Builder, cells []string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// distinct returns what of says of the rows, each once, in their order.
func distinct(rows []*row, of func(*row) string) []string {
	var all []string
	for _, r := range rows {
		if s := of(r); !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// pages returns the pages that may have marks, of the repository in which the folder of the
// benchmarks is.
func pages(folder string) ([]string, error) {
	all, err := filepath.Glob(filepath.Join(folder, "..", "docs", "*.md"))
	return append(all, filepath.Join(folder, "..", "README.md")), err
}

// fillPages fills the marks of all pages.
func (p *published) fillPages(folder string) error {
	all, err := pages(folder)
	if err != nil {
		return err
	}
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		filled, _, err := p.fill(string(text))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if filled == string(text) {
			continue
		}
		if err := os.WriteFile(path, []byte(filled), 0o600); err != nil {
			return err
		}
	}
	return nil
}
