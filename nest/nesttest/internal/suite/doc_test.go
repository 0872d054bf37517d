package suite_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheTableOfTestsIsTrue checks that every test named in this package's documentation exists.
func TestTheTableOfTestsIsTrue(t *testing.T) {
	t.Parallel()
	declared := map[string]bool{}
	name := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	require.NoError(t, filepath.WalkDir(filepath.Join("..", "..", "..", ".."), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, found := range name.FindAllSubmatch(text, -1) {
			declared[string(found[1])] = true
		}
		return err
	}))
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	named := regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w+`).FindAllString(string(text), -1)
	require.Greater(t, len(named), 50)
	for _, test := range named {
		require.True(t, declared[test], test)
	}
}
