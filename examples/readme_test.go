package examples_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fence finds a fenced block of Go, or of Go output.
var fence = regexp.MustCompile("(?ms)^```(go|text)\n(.*?)^```$")

// lines makes texts comparable if they are indented differently, or if one of them is in a comment.
func lines(text string) string {
	var b strings.Builder
	b.WriteByte('\n')
	for line := range strings.Lines(text) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "// ")
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String()
}

// sources returns the files of Go here, each as lines makes it.
func sources(t *testing.T) map[string]string {
	t.Helper()
	sources := make(map[string]string)
	require.NoError(t, filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" {
			return err
		}
		source, err := os.ReadFile(path)
		sources[path] = lines(string(source))
		return err
	}))
	return sources
}

// TestReadme checks that each snippet of the README, and each output that it shows, is part of a
// file here. Those files are compiled, and their output is compared, with the other tests.
func TestReadme(t *testing.T) {
	snippets := requireSnippets(t, "README.md")
	require.GreaterOrEqual(t, snippets, 3, "the README shows less than it should")
}

// TestGuides checks the snippets of the guides that follow an example. The tests of the examples
// check what they print.
func TestGuides(t *testing.T) {
	require.GreaterOrEqual(t, requireSnippets(t, "docs/from-go-redis.md"), 4)
	require.GreaterOrEqual(t, requireSnippets(t, "docs/migrating.md"), 4)
}

// requireSnippets checks the snippets of a page, and returns how many there are. In the guides it
// leaves out output.
func requireSnippets(t *testing.T, page string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", page))
	require.NoError(t, err)
	here := sources(t)
	snippets := fence.FindAllStringSubmatch(string(text), -1)
	for _, snippet := range snippets {
		if snippet[1] == "text" && page != "README.md" {
			continue
		}
		text, found := lines(snippet[2]), false
		for _, source := range here {
			found = found || strings.Contains(source, text)
		}
		require.True(t, found, "no file of examples holds this %s snippet of %s:\n%s", snippet[1], page, snippet[2])
	}
	return len(snippets)
}
