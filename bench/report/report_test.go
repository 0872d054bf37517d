package main

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
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
	got := measured(t).markdown([]string{"2000-01-01", "a machine"})
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
	for file, shown := range map[string]string{"values.svg": "Get 1 / rueidis", "growth.svg": "a loop of SCAN"} {
		drawn, err := os.ReadFile(filepath.Join(folder, file))
		require.NoError(t, err)
		require.Contains(t, string(drawn), shown)
		require.NotContains(t, string(drawn), "fill:#FFFFFF", "a background hides the page's own")
		for document := xml.NewDecoder(strings.NewReader(string(drawn))); ; {
			if _, err := document.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestBudget(t *testing.T) {
	m := measured(t)
	require.NoError(t, budget{"RatioGet/1/rueidis": 1.2, "RatioKeys": 1.2, "RatioOther/x/y": 1}.check(m))
	require.EqualError(t, budget{"RatioGet/1/rueidis": 0.9, "RatioGet/1/rueidi": 2}.check(m), "2 ratios are past their limits:\n"+
		"RatioGet/1/rueidi: not measured\nRatioGet/1/rueidis: 0.96, and the limit is 0.90")
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

func TestOddLines(t *testing.T) {
	m := &measurements{}
	require.NoError(t, m.read(strings.NewReader("Benchmark\nBenchmarkA/b-2 1\nBenchmarkA/b-2 1 x ns/op\nBenchmarkA/b-2 1 5 ns/op 7\n")))
	got, ok := m.find("A/b").quantile("ns/op", 0.5)
	require.True(t, ok)
	require.InDelta(t, 5, got, 0)
}

func TestFamilies(t *testing.T) {
	all, err := chosen("")
	require.NoError(t, err)
	require.Len(t, all, len(families))
	some, err := chosen("RatioGet|Match")
	require.NoError(t, err)
	require.Len(t, some, 2)
	_, err = chosen("none of these")
	require.Error(t, err)
	_, err = chosen("(")
	require.Error(t, err)
}
