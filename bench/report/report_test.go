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

func TestReport(t *testing.T) {
	run, err := os.Open(filepath.Join("testdata", "run.txt"))
	require.NoError(t, err)
	defer func() { _ = run.Close() }()

	plot := filepath.Join(t.TempDir(), "plot.svg")
	var table strings.Builder
	require.NoError(t, report(run, &table, "nest", plot))
	compare(t, "report.md", table.String())

	drawn, err := os.ReadFile(plot)
	require.NoError(t, err)
	compare(t, "plot.svg", string(drawn))
	for document := xml.NewDecoder(strings.NewReader(string(drawn))); ; {
		if _, err := document.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func TestRefused(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":        "PASS\nok  	example.org/bench	8.146s\n",
		"a failed run":   "BenchmarkGet/1/nest-2  100  5 ns/op\n--- FAIL: BenchmarkGet\nFAIL\n",
		"a broken build": "FAIL\texample.org/bench [build failed]\n",
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, report(strings.NewReader(in), io.Discard, "nest", ""))
		})
	}
}

func TestOddLines(t *testing.T) {
	m, err := read(strings.NewReader("Benchmark\nBenchmarkA/b-2 1\nBenchmarkA/b-2 1 x ns/op\nBenchmarkA/b-2 1 5 ns/op 7\n"))
	require.NoError(t, err)
	require.InDelta(t, 5, m.works[0].rival("b").time(), 0)
}
