package examples_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// shell finds a fenced block of commands.
var shell = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// The test does what the README says about the first program, word for word, in an empty folder
// beside a clone: its commands, its program, and the test of a module that adds nesttest.
func TestFirstProgramOfTheReadme(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("SKIPPED, not passed: it builds a module")
	}
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	require.NoError(t, err)
	_, install, found := strings.Cut(string(readme), "## Install\n")
	require.True(t, found)
	install, _, _ = strings.Cut(install, "\n## ")
	program := fence.FindStringSubmatch(install)
	require.NotNil(t, program)
	require.True(t, strings.HasPrefix(program[2], "package main\n"), "the first program is no program")
	blocks := shell.FindAllStringSubmatch(install, -1)
	require.Len(t, blocks, 3, "the start of the module, its run, and nesttest")

	clone, err := filepath.Abs("..")
	require.NoError(t, err)
	dir := t.TempDir()
	write := func(name string, content []byte) {
		t.Helper()
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	write("main.go", []byte(program[2]))
	sums, err := os.ReadFile("go.sum")
	require.NoError(t, err)
	write("go.sum", sums) // so that known checksums need not be fetched
	run := func(server, command string) string {
		t.Helper()
		words := strings.Fields(strings.ReplaceAll(command, "=../redisimnest", "="+clone))
		require.Equal(t, "go", words[0])
		cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
		cmd.Dir = dir
		cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "REDIS_") })
		cmd.Env = append(cmd.Env, "GOWORK=off", "REDIS_URL="+server)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", command, out)
		return string(out)
	}
	commands := func(block []string) []string { return strings.Split(strings.TrimSpace(block[1]), "\n") }

	for _, command := range commands(blocks[0]) {
		run("", command)
	}
	for _, command := range commands(blocks[1]) {
		if command != "go run ." {
			run("", command)
			continue
		}
		run("", "go build -o hello .")
		server := nesttest.Start(t)
		if !server.Has(t, nesttest.Tracking) {
			t.Logf("not run: env's client asks for tracking, which %s lacks", server)
		} else {
			require.Equal(t, "root:user:42:visits 1\n", run("redis://"+server.Addr(), command))
		}
	}

	test, err := os.ReadFile(filepath.Join("testdata", "hello_test.go"))
	require.NoError(t, err)
	write("main_test.go", test)
	for _, command := range commands(blocks[2]) {
		run("", command)
	}
	run("", "go vet .")
}
