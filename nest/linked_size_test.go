package nest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLinkedSize links a program with one key, and compares its size with that of a program which
// uses rueidis alone. What a package initializes, and what a generic function mentions, is in every
// program, used or not: a table of the codecs of eighteen types took 300 KB, encoding/gob 240 KB.
// The limit is what was reached, and three percent. Programs are linked for linux/amd64, without
// cgo, so that each machine finds the same size.
func TestLinkedSize(t *testing.T) {
	if testing.Short() {
		t.Skip("links programs, which takes seconds")
	}
	const limit = 2_000_000
	added := sizeOf(t, "./testdata/linked") - sizeOf(t, "./testdata/linked/rueidis")
	t.Logf("%d bytes more than rueidis alone", added)
	require.LessOrEqual(t, added, int64(limit))
}

// sizeOf returns the size of a program in bytes.
func sizeOf(t *testing.T, path string) int64 {
	t.Helper()
	file := filepath.Join(t.TempDir(), "linked")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", file, path)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	info, err := os.Stat(file)
	require.NoError(t, err)
	return info.Size()
}
