package main

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the files in testdata that the reports are compared with")

func measured(t *testing.T) *measurements {
	t.Helper()
	m := &measurements{}
	require.NoError(t, m.readFile(filepath.Join("testdata", "run.txt")))
	return m
}

func TestReport(t *testing.T) {
	path := filepath.Join("testdata", "report.md")
	got := measured(t).markdown()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func TestPlot(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, measured(t).plot(folder))
	for file, shown := range map[string]string{"values.svg": ">Get 1 / rueidis</text>", "walks.svg": ">1.05</text>", "growth.svg": ">100,000</text>"} {
		drawn, err := os.ReadFile(filepath.Join(folder, file))
		require.NoError(t, err)
		require.Contains(t, string(drawn), shown)
		require.NotContains(t, string(drawn), "fill:#FFFFFF", "a background hides the page's own")
		require.NotContains(t, string(drawn), "fill:#-", "a colour that is none")
		require.Equal(t, strings.Count(string(drawn), "<text "), strings.Count(string(drawn), "<text textLength="), "another font overlaps what is beside it")
		for document := xml.NewDecoder(strings.NewReader(string(drawn))); ; {
			if _, err := document.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// report is the report of testdata, as the pages and the limits read it.
func report(t *testing.T) *published {
	t.Helper()
	p, err := readPublished(filepath.Join("testdata", "report.md"))
	require.NoError(t, err)
	return p
}

func TestBudget(t *testing.T) {
	b := newBudget(report(t))
	require.Equal(t, budget{
		Limits: map[string]float64{
			"Codec gob int / encode": 1.1, "Codec json int / decode": 0.12, "Codec json int / encode": 0.41, "Codec json struct / encode": 1.13,
			"Get 1 / rueidis": 1.1, "Get 1 / rueidis+concat": 1.15, "Get 256 / go-redis": 0.33, "Keys / by hand": 1.2,
		},
		Unsteady: []string{"Codec json struct / decode"},
	}, b)
	path := filepath.Join(t.TempDir(), "budget.json")
	require.NoError(t, b.write(path))
	read, err := readBudget(path)
	require.NoError(t, err)
	require.Equal(t, b, read)
}

func TestCheck(t *testing.T) {
	m := measured(t)
	b := newBudget(report(t))
	b.Limits["Set 1 / rueidis"] = 1 // of a benchmark that was not chosen
	require.NoError(t, b.check(m))

	b.Limits["Get 1 / rueidis"] = 0.9
	b.Limits["Get 1 / rueidi"] = 2
	delete(b.Limits, "Get 256 / go-redis")
	require.EqualError(t, b.check(m), "3 ratios are past their limits:\nGet 1 / rueidi: not measured\n"+
		"Get 1 / rueidis: 0.955 at the lower end of the middle half, and the limit is 0.9\nGet 256 / go-redis: has no limit")

	slower := measured(t)
	r := slower.find("Get 1 / rueidis")
	for i := range r.runs[timeRatio] {
		r.runs[timeRatio][i] *= 1.2
	}
	require.ErrorContains(t, newBudget(report(t)).check(slower), "Get 1 / rueidis: 1.146 at the lower end of the middle half, and the limit is 1.1")

	renamed := measured(t) // to something of the same family
	renamed.works = slices.DeleteFunc(renamed.works, func(w *work) bool { return w.name == "RatioKeys" })
	require.NoError(t, newBudget(report(t)).check(renamed), "no benchmark of the family was run")
	require.NoError(t, renamed.read(strings.NewReader("BenchmarkRatioClear-2  2  1.0 x-time\n")))
	require.EqualError(t, newBudget(report(t)).check(renamed), "1 ratios are past their limits:\nClear / by hand: has no limit",
		"nobody said that all of the family were run")
	walks := slices.IndexFunc(families, func(f family) bool { return f.has("RatioKeys") })
	renamed.ran = families[walks : walks+1]
	require.EqualError(t, newBudget(report(t)).check(renamed),
		"2 ratios are past their limits:\nKeys / by hand: not measured\nClear / by hand: has no limit")

	none := &measurements{}
	require.NoError(t, none.read(strings.NewReader("BenchmarkMatch/10/nest-2  100  5 ns/op\n")))
	require.EqualError(t, b.check(none), "nothing that was measured has a limit")
}

func TestFill(t *testing.T) {
	p := report(t)
	page := strings.Join([]string{
		"A read takes <!-- report: Get 1 / rueidis -->9.99<!-- /report --> times as long, `Match`",
		"<!-- report: Match 10 / nest / median --><!-- /report -->, all <!-- report: Reading a value --><!-- /report -->.",
		"<!-- report: Reading a value -->\n<!-- /report -->",
		"<!-- report: Growth -->\n<!-- /report -->",
		"<!-- report: Codecs, as a matrix -->\n<!-- /report -->",
		"<!-- report: Walks -->\n<!-- /report -->",
		"<!-- report: machine -->\nold\n<!-- /report -->",
	}, "\n")
	got, marks, err := p.fill(page)
	require.NoError(t, err)
	require.Equal(t, 8, marks)
	path := filepath.Join("testdata", "page.md")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
	again, _, err := p.fill(got)
	require.NoError(t, err)
	require.Equal(t, got, again)

	for _, bad := range []string{
		"<!-- report: Get 2 / rueidis --><!-- /report -->",
		"<!-- report: Get 1 / rueidis / memory --><!-- /report -->",
		"<!-- report: Large trees --><!-- /report -->",
		"<!-- report: Walks -->",
		"1.05<!-- /report -->",
	} {
		_, _, err := p.fill(bad)
		require.Error(t, err, bad)
	}
}

func TestUnpublished(t *testing.T) {
	for _, text := range []string{
		"",
		"## Walks\n",
		"## Walks\n\n| Keys | by hand | 1.05 | 1.04–1.06 |\n",
		"## Walks\n\n| work | beside | × | middle half |\n| --- | --- | ---: | ---: |\n| Keys | by hand | x | 1.04–1.06 |\n",
		"## Walks\n\n| work | beside | × | middle half |\n| Keys | by hand | 1.05 | 1.04–1.06 |\n| Keys | by hand | 1.05 | 1.04–1.06 |\n",
	} {
		_, err := parsePublished(text)
		require.Error(t, err, text)
	}
}

func TestRefused(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":             "PASS\nok  	example.org/bench	8.146s\n",
		"a failed run":        "BenchmarkGet/1/nest-2  100  5 ns/op\n--- FAIL: BenchmarkGet\nFAIL\n",
		"a broken build":      "FAIL\texample.org/bench [build failed]\n",
		"a skipped benchmark": "BenchmarkGet/1/nest-2  100  5 ns/op\n--- SKIP: BenchmarkSet\nPASS\n",
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, (&measurements{}).read(strings.NewReader(in)))
		})
	}
}

// TestSmallRatios: what is a thousand times as fast is in the report, on the pages and in the
// limits.
func TestSmallRatios(t *testing.T) {
	m := &measurements{}
	require.NoError(t, m.read(strings.NewReader("BenchmarkRatioGet/1/far-2  3  0.0009 x-time\n")))
	p, err := parsePublished(m.markdown())
	require.NoError(t, err)
	require.InDelta(t, 0.0009, p.row("Get 1 / far").x, 0)
	require.InDelta(t, 0.0009*1.15, newBudget(p).Limits["Get 1 / far"], 1e-9)
	shown, err := p.show("Get 1 / far", false)
	require.NoError(t, err)
	require.Equal(t, "0.0009", shown)
}

func TestOddLines(t *testing.T) {
	m := &measurements{}
	require.NoError(t, m.read(strings.NewReader("Benchmark\nBenchmarkA/b-2 1\nBenchmarkA/b-2 1 x ns/op\nBenchmarkA/b-2 1 5 ns/op 7\n")))
	got, ok := m.find("A / b").quantile("ns/op", 0.5)
	require.True(t, ok)
	require.InDelta(t, 5, got, 0)
}

func TestFamilies(t *testing.T) {
	all, err := chosen(orders{})
	require.NoError(t, err)
	require.Len(t, all, len(families))
	for _, f := range all {
		if strings.Contains(f.bench, "Ratio") {
			require.Contains(t, []string{"2x", "4x"}, f.benchtime, "%s: one side goes first more often", f.title)
		}
	}
	some, err := chosen(orders{bench: "RatioGet|Match"})
	require.NoError(t, err)
	require.Len(t, some, 2)
	alone, err := chosen(orders{alone: true})
	require.NoError(t, err)
	require.Len(t, alone, 2)
	for _, bad := range []orders{{bench: "none of these"}, {bench: "("}, {bench: "RatioGet", alone: true}} {
		_, err = chosen(bad)
		require.Error(t, err, bad)
	}
}
