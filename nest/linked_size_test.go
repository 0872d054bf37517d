package nest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLinkedSize links programs and compares their sizes with that of a program which uses rueidis
// alone. What a package initializes, and what a generic function mentions, is in every program,
// used or not: a table of the codecs of eighteen types took 300 KB, encoding/gob 240 KB. The limits
// are what was reached, and three percent.
func TestLinkedSize(t *testing.T) {
	if testing.Short() {
		t.Skip("links programs, which takes a minute")
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the limits are those of linux/amd64")
	}
	bare := sizeOf(t, "./testdata/linked/rueidis")
	for path, limit := range map[string]int64{
		"./testdata/linked":       2_220_000,  // one key and one GET
		"./testdata/linked/kinds": 10_030_000, // nine kinds, each of ten types
	} {
		added := sizeOf(t, path) - bare
		t.Logf("%s: %d bytes more than rueidis alone", path, added)
		require.LessOrEqual(t, added, limit, path)
	}
}

// sizeOf returns the size of a program in bytes, linked as go build does.
func sizeOf(t *testing.T, path string) int64 {
	t.Helper()
	file := filepath.Join(t.TempDir(), "linked")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", file, path).CombinedOutput()
	require.NoError(t, err, "%s", out)
	info, err := os.Stat(file)
	require.NoError(t, err)
	return info.Size()
}
