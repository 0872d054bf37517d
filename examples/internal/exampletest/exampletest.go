// Package exampletest has what the tests of the examples share: which server an example uses, and
// what it prints.
package exampletest

import (
	"context"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/nesttest"
	_ "github.com/redisimnest/redisimnest/nest/nesttest/nestdocker" // for servers in containers
)

// UnsetServer makes a test run as if no server was named.
func UnsetServer(t *testing.T) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "REDIS_") && !strings.HasPrefix(name, "REDIS_TEST_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("USER_SETTINGS_FILE", "")
}

// NameServer starts a server, and makes a test run as if REDIS_URL named it.
func NameServer(t *testing.T) *nesttest.Server {
	t.Helper()
	server := nesttest.Start(t)
	server.Need(t, nesttest.Tracking) // env's client asks for it
	UnsetServer(t)
	t.Setenv("REDIS_URL", "redis://"+server.Addr())
	return server
}

// NameNoServer makes a test run as if REDIS_URL named a server that does not exist.
func NameNoServer(t *testing.T) {
	t.Helper()
	UnsetServer(t)
	t.Setenv("REDIS_URL", "redis://127.0.0.1:1")
}

// Output runs an example and returns what it prints, without the first line, which names the
// server.
func Output(t *testing.T, run func(context.Context, *log.Logger) error) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, run(t.Context(), log.New(&out, "", 0)))
	_, text, _ := strings.Cut(out.String(), "\n")
	return text
}

// RequireGolden requires that an output is the one in testdata, which go test -update writes.
func RequireGolden(t *testing.T, got string) {
	t.Helper()
	path := filepath.Join("testdata", "output.txt")
	if nesttest.Update() {
		require.NoError(t, os.MkdirAll("testdata", 0o750))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// RequireShown requires that a page of docs shows an output.
func RequireShown(t *testing.T, page, output string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	require.NoError(t, err)
	require.Contains(t, string(text), "```text\n"+output+"```\n")
}

// RequireEmpty requires that an example has left no key behind.
func RequireEmpty(t *testing.T, server *nesttest.Server) {
	t.Helper()
	client := server.Client(t)
	left, err := client.Do(t.Context(), client.B().Dbsize().Build()).AsInt64()
	require.NoError(t, err)
	require.Zero(t, left, "the example leaves keys behind")
}

// Writer calls a function with each text that an example prints.
type Writer func(text string)

// Write calls the function.
func (w Writer) Write(p []byte) (int, error) {
	w(string(p))
	return len(p), nil
}
