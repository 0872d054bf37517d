package nest_test

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLinkedMethods links a small program. A function that looks up methods by a name that is not
// constant, or that iterates over all methods, makes the linker keep every exported method of every
// type. One loop over the methods of an interface made each program 11 MB larger, mostly by
// rueidis' command builders. The linker marks such functions, and rueidis alone has none.
func TestLinkedMethods(t *testing.T) {
	if testing.Short() {
		t.Skip("links a program, which takes seconds")
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-dumpdep", "-o", filepath.Join(t.TempDir(), "linked"), "./testdata/linked")
	dump, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var marked []string
	linked := false
	lines := bufio.NewScanner(dump)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		from, _, _ := strings.Cut(lines.Text(), " -> ")
		linked = linked || from == "main.main"
		if strings.Contains(from, "<ReflectMethod>") {
			marked = append(marked, from)
		}
	}
	require.NoError(t, lines.Err())
	require.NoError(t, cmd.Wait())
	require.True(t, linked, "the linker does not list main.main")
	require.Empty(t, marked)
}
