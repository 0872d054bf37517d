package main

import (
	"io"
	"log"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/env"
	"github.com/redisimnest/redisimnest/examples/internal/exampletest"
)

// output runs the quickstart and returns what it prints, without what differs from run to run: the
// server's name, and the folders and lines of the source.
func output(t *testing.T) string {
	t.Helper()
	return regexp.MustCompile(`\([^ ]*/(\w+\.go):\d+\)`).ReplaceAllString(exampletest.Output(t, run), "($1)")
}

func TestEmbedded(t *testing.T) {
	exampletest.UnsetServer(t)
	exampletest.RequireGolden(t, output(t))
}

func TestNamedServer(t *testing.T) {
	server := exampletest.NameServer(t)

	client, ctx := server.Client(t), t.Context()
	neighbours := []string{prefix, prefix + ":other", prefix + ":rootless:age", "root:user:1:age"}
	for _, key := range neighbours {
		require.NoError(t, client.Do(ctx, client.B().Set().Key(key).Value("mine").ExSeconds(60).Build()).Error())
	}
	exampletest.RequireGolden(t, output(t))
	for _, key := range neighbours {
		got, err := client.Do(ctx, client.B().Getdel().Key(key).Build()).ToString()
		require.NoError(t, err, key)
		require.Equal(t, "mine", got, key)
	}
}

func TestUnreachableServer(t *testing.T) {
	exampletest.NameNoServer(t)
	require.ErrorIs(t, run(t.Context(), log.New(io.Discard, "", 0)), env.ErrConnect)
}
