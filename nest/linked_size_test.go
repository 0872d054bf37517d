package nest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLinkedSize links a program with one key, and compares its size with that of a program which
// uses rueidis alone. What a package initializes, and what a generic function mentions, is in every
// program, used or not: a table of the codecs of eighteen types took 300 KB, encoding/gob 240 KB.
// The limit is what was reached, and three percent.
func TestLinkedSize(t *testing.T) {
	if testing.Short() {
		t.Skip("links programs, which takes seconds")
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the limit is that of linux/amd64")
	}
	const limit = 2_220_000
	added := sizeOf(t, "./testdata/linked") - sizeOf(t, "./testdata/linked/rueidis")
	t.Logf("%d bytes more than rueidis alone", added)
	require.LessOrEqual(t, added, int64(limit))
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
