package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// repository is the folder of the benchmarks, with the report in it and the pages beside it.
var repository = ".."

// figure finds what only a measurement can know, and code what is none: versions and commands.
var (
	figure = regexp.MustCompile(`\d\.\d`)
	code   = regexp.MustCompile("(?s)```.*?```|`[^`\n]+`")
)

// TestPages checks that the figures of the pages are those of REPORT.md: that every mark shows what
// the report has, and that the parts that are about speed have no figure outside a mark.
func TestPages(t *testing.T) {
	p, err := readPublished(filepath.Join(repository, "REPORT.md"))
	require.NoError(t, err)
	all, err := pages(repository)
	require.NoError(t, err)
	marked := make(map[string]string)
	for _, path := range all {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		filled, marks, err := p.fill(string(text))
		require.NoError(t, err, path)
		if filled != string(text) {
			t.Errorf("%s is old: go run ./bench/report -pages", path)
		}
		if marks > 0 {
			marked[filepath.Base(path)] = string(text)
		}
	}
	for _, part := range []struct {
		page, heading string
		marks         int // at least
	}{
		{"README.md", "\n## How fast\n", 3},
		{"performance.md", "# Performance\n", 14},
		{"codecs.md", "\n## Compared with the bare libraries\n", 1},
		{"generations.md", "\n## How fast\n", 1},
		{"audit.md", "\n## How fast\n", 1},
	} {
		_, text, ok := strings.Cut(marked[part.page], part.heading)
		require.True(t, ok, "%s has no %s", part.page, part.heading)
		if strings.HasPrefix(part.heading, "\n") {
			text, _, _ = strings.Cut(text, "\n## ")
		}
		require.GreaterOrEqual(t, len(mark.FindAllString(text, -1)), part.marks, part.page)
		rest := code.ReplaceAllString(mark.ReplaceAllString(text, ""), "")
		require.Empty(t, figure.FindAllString(rest, -1), "%s has figures outside of marks", part.page)
	}
}

// TestPlots checks that the pictures are there: those of all ratios, and growth.
func TestPlots(t *testing.T) {
	for _, p := range plots {
		require.FileExists(t, filepath.Join(repository, "plots", p.file))
	}
	require.FileExists(t, filepath.Join(repository, "plots", "growth.svg"))
}

// TestLimits checks that each limit is above what REPORT.md has, but not by much, that each ratio
// has one or is named as unsteady, and that there are limits where no server is needed.
func TestLimits(t *testing.T) {
	p, err := readPublished(filepath.Join(repository, "REPORT.md"))
	require.NoError(t, err)
	b, err := readBudget(filepath.Join(repository, "budget.json"))
	require.NoError(t, err)
	require.NotEmpty(t, b.Limits)
	for name, limit := range b.Limits {
		r := p.row(name)
		require.NotNil(t, r, "the report does not have %q: go run ./bench/report -budget", name)
		require.GreaterOrEqual(t, limit, r.x, name)
		require.LessOrEqual(t, limit, max(1.35*r.x, r.x+0.01), name)
		require.NotContains(t, b.Unsteady, name)
	}
	for _, s := range p.sections {
		limited := 0
		for _, r := range s.ratios() {
			if _, ok := b.Limits[r.name()]; ok {
				limited++
				continue
			}
			require.Contains(t, b.Unsteady, r.name())
		}
		for _, f := range families {
			if f.alone && f.title == s.title {
				require.Greater(t, limited, len(s.ratios())/2, "%s: CI compares hardly anything", s.title)
			}
		}
	}
	for _, f := range families {
		if f.alone {
			require.NotNil(t, p.section(f.title), f.title)
		}
	}
}
