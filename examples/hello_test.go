package examples_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// shell finds a fenced block of commands.
var shell = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// The test does what the README says about its program, word for word, in an empty folder beside a
// clone: the program, the commands, and the test of a module that adds nesttest. A README that
// says nothing of a clone is that of a release: the test puts the clone in the place of what it
// released.
func TestFirstProgramOfTheReadme(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("SKIPPED, not passed: it builds a module")
	}
	program := snippets(t, "README.md")[0]
	require.True(t, program.program(), "the README does not begin with a program")
	require.LessOrEqual(t, strings.Count(program.text, "\n"), 25, "the program is too long for a first one")
	require.NotNil(t, program.output, "the README does not say what its program prints")
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	require.NoError(t, err)
	_, install, found := strings.Cut(string(readme), "## Install\n")
	require.True(t, found)
	install, _, _ = strings.Cut(install, "\n## ")
	blocks := shell.FindAllStringSubmatch(install, -1)
	replaces := strings.Contains(install, "-replace")
	if replaces {
		require.Len(t, blocks, 2, "the start of the module and its run, and nesttest")
	}

	clone, err := filepath.Abs("..")
	require.NoError(t, err)
	dir := t.TempDir()
	write := func(name string, content []byte) {
		t.Helper()
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	write("main.go", []byte(program.text))
	sums, err := os.ReadFile("go.sum")
	require.NoError(t, err)
	write("go.sum", sums) // so that known checksums need not be fetched
	run := func(server, command string) string {
		t.Helper()
		words := strings.Fields(strings.ReplaceAll(command, "=../redisimnest", "="+clone))
		require.Equal(t, "go", words[0])
		cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
		cmd.Dir = dir
		cmd.Env = append(withoutRedis(), "GOWORK=off", "REDIS_URL="+server)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", command, out)
		return string(out)
	}
	commands := func(block []string) []string { return strings.Split(strings.TrimSpace(block[1]), "\n") }

	ran := false
	for _, command := range commands(blocks[0]) {
		if command != "go run ." {
			run("", command)
			if !replaces && strings.HasPrefix(command, "go mod init") {
				run("", "go mod edit -replace github.com/redisimnest/redisimnest=../redisimnest "+
					"-replace github.com/redisimnest/redisimnest/nest/nesttest=../redisimnest/nest/nesttest")
			}
			continue
		}
		ran = true
		run("", "go build -o hello .")
		server := nesttest.Start(t)
		if !server.Has(t, nesttest.Tracking) {
			t.Logf("not run: env's client asks for tracking, which %s lacks", server)
			continue
		}
		require.Equal(t, *program.output, run("redis://"+server.Addr(), command))
	}
	require.True(t, ran, "the README does not say how its program is run")

	test, err := os.ReadFile(filepath.Join("testdata", "hello_test.go"))
	require.NoError(t, err)
	write("main_test.go", test)
	if replaces {
		for _, command := range commands(blocks[1]) {
			run("", command)
		}
	} else {
		run("", "go mod tidy")
	}
	run("", "go vet .")
}
