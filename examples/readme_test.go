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

// TestReadme checks that each snippet of the README, and each output that it shows, is part of a
// file here. Those files are compiled, and their output is compared, with the other tests.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	require.NoError(t, err)

	sources := make(map[string]string)
	require.NoError(t, filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" {
			return err
		}
		source, err := os.ReadFile(path)
		sources[path] = lines(string(source))
		return err
	}))

	snippets := fence.FindAllStringSubmatch(string(readme), -1)
	require.GreaterOrEqual(t, len(snippets), 3, "the README shows less than it should")
	for _, snippet := range snippets {
		text, found := lines(snippet[2]), false
		for _, source := range sources {
			found = found || strings.Contains(source, text)
		}
		require.True(t, found, "no file of examples holds this %s snippet of the README:\n%s", snippet[1], snippet[2])
	}
}
