package main

import (
	"io"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/env"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// output runs the quickstart and returns what it prints, without what differs from run to run: the
// server's name, and the folders and lines of the source.
func output(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, run(t.Context(), log.New(&out, "", 0)))
	_, text, _ := strings.Cut(out.String(), "\n")
	return regexp.MustCompile(`\([^ ]*/(\w+\.go):\d+\)`).ReplaceAllString(text, "($1)")
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

func golden(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "output.txt"))
	require.NoError(t, err)
	return string(text)
}

func TestEmbedded(t *testing.T) {
	unsetServer(t)
	got := output(t)
	if nesttest.Update() {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(filepath.Join("testdata", "output.txt"), []byte(got), 0o644))
	}
	require.Equal(t, golden(t), got)
}

func TestNamedServer(t *testing.T) {
	server := nesttest.Start(t)
	server.Need(t, nesttest.Tracking) // env's client asks for it
	unsetServer(t)
	t.Setenv("REDIS_URL", "redis://"+server.Addr())

	client, ctx := server.Client(t), t.Context()
	neighbours := []string{prefix, prefix + ":other", prefix + ":rootless:age", "root:user:1:age"}
	for _, key := range neighbours {
		require.NoError(t, client.Do(ctx, client.B().Set().Key(key).Value("mine").ExSeconds(60).Build()).Error())
	}
	require.Equal(t, golden(t), output(t))
	for _, key := range neighbours {
		got, err := client.Do(ctx, client.B().Getdel().Key(key).Build()).ToString()
		require.NoError(t, err, key)
		require.Equal(t, "mine", got, key)
	}
}

func TestUnreachableServer(t *testing.T) {
	unsetServer(t)
	t.Setenv("REDIS_URL", "redis://127.0.0.1:1")
	require.ErrorIs(t, run(t.Context(), log.New(io.Discard, "", 0)), env.ErrConnect)
}
