package main

import (
	"log"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// output runs the example and returns what it prints, without the name of the server.
func output(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, run(t.Context(), log.New(&out, "", 0)))
	_, text, _ := strings.Cut(out.String(), "\n")
	return text
}

// unsetServer makes a test run as if no server was named.
func unsetServer(t *testing.T) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "REDIS_") && !strings.HasPrefix(name, "REDIS_TEST_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("USER_SETTINGS_FILE", "")
}

// requireShown requires that the guide shows what the example prints.
func requireShown(t *testing.T, text string) {
	t.Helper()
	guide, err := os.ReadFile("../../docs/from-go-redis.md")
	require.NoError(t, err)
	require.Contains(t, string(guide), "```text\n"+text+"```\n")
}

func TestEmbedded(t *testing.T) {
	unsetServer(t)
	requireShown(t, output(t))
}

func TestNamedServer(t *testing.T) {
	server := nesttest.Start(t)
	server.Need(t, nesttest.Tracking) // env's client asks for it
	unsetServer(t)
	t.Setenv("REDIS_URL", "redis://"+server.Addr())
	requireShown(t, output(t))
	size, err := server.Client(t).Do(t.Context(), server.Client(t).B().Dbsize().Build()).AsInt64()
	require.NoError(t, err)
	require.Zero(t, size, "the example leaves keys behind")
}
