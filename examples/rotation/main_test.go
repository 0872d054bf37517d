package main

import (
	"context"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/env"
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
	require.Contains(t, got, "Nothing was lost.")
}

func TestNamedServer(t *testing.T) {
	server := nesttest.Start(t)
	server.Need(t, nesttest.Tracking) // env's client asks for it
	unsetServer(t)
	t.Setenv("REDIS_URL", "redis://"+server.Addr())
	require.Equal(t, golden(t), output(t))
	client := server.Client(t)
	left, err := client.Do(t.Context(), client.B().Dbsize().Build()).AsInt64()
	require.NoError(t, err)
	require.Zero(t, left, "nothing stays behind")
}

func TestUnreachableServer(t *testing.T) {
	unsetServer(t)
	t.Setenv("REDIS_URL", "redis://127.0.0.1:1")
	require.ErrorIs(t, run(t.Context(), log.New(io.Discard, "", 0)), env.ErrConnect)
}

func TestInterrupted(t *testing.T) {
	unsetServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	out := log.New(writer(func(text string) {
		if strings.Contains(text, "promote") {
			cancel()
		}
	}), "", 0)
	require.ErrorIs(t, run(ctx, out), context.Canceled)
}

type writer func(text string)

func (w writer) Write(p []byte) (int, error) {
	w(string(p))
	return len(p), nil
}
