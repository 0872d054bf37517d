package nesttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A service whose tests use this package has nothing of Docker in its graph, and few requirements.
func TestServiceHasFewRequirements(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	require.NoError(t, err)
	sums, err := os.ReadFile("go.sum")
	require.NoError(t, err)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/service\n\ngo 1.26.0\n\n" +
			"require github.com/redisimnest/redisimnest v0.0.0\n\n" +
			"require github.com/redisimnest/redisimnest/nest/nesttest v0.0.0\n\n" +
			"replace github.com/redisimnest/redisimnest => " + filepath.Join(here, "..", "..") + "\n\n" +
			"replace github.com/redisimnest/redisimnest/nest/nesttest => " + here + "\n",
		"go.sum": string(sums),
		"service_test.go": `package service

import (
	"testing"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

var (
	name = nest.Key[string]("name")
	root = nest.Cluster("service", nest.Sub(name))
)

func TestName(t *testing.T) {
	if err := name.At(nesttest.Open(t, root)).Set(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
}
`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	// What is not required yet is added. Nothing is downloaded: this package needs it as well.
	run := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	deps := strings.Fields(run("list", "-deps", "-test", "."))
	require.Contains(t, deps, "github.com/redisimnest/redisimnest/nest/nesttest")
	for _, dep := range deps {
		require.NotContains(t, dep, "docker")
	}
	// "go list -m all" would look for the time of each version, which no build downloads.
	graph := run("mod", "graph")
	require.Contains(t, graph, "github.com/redisimnest/redisimnest/nest/nesttest@")
	require.NotContains(t, graph, "docker")
	required := run("mod", "edit", "-print")
	lines := 0
	for line := range strings.Lines(required) {
		if strings.Contains(line, " v") && !strings.Contains(line, "=>") {
			lines++
		}
	}
	require.LessOrEqual(t, lines, 10, required)
	t.Logf("it requires:\n%s", required)
}
