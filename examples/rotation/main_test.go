package main

import (
	"context"
	"io"
	"log"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/env"
	"github.com/redisimnest/redisimnest/examples/internal/exampletest"
)

func TestEmbedded(t *testing.T) {
	exampletest.UnsetServer(t)
	got := exampletest.Output(t, run)
	exampletest.RequireGolden(t, got)
	require.Contains(t, got, "Nothing was lost.")
}

func TestNamedServer(t *testing.T) {
	server := exampletest.NameServer(t)
	exampletest.RequireGolden(t, exampletest.Output(t, run))
	exampletest.RequireEmpty(t, server)
}

func TestUnreachableServer(t *testing.T) {
	exampletest.NameNoServer(t)
	require.ErrorIs(t, run(t.Context(), log.New(io.Discard, "", 0)), env.ErrConnect)
}

func TestInterrupted(t *testing.T) {
	exampletest.UnsetServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	out := log.New(exampletest.Writer(func(text string) {
		if strings.Contains(text, "promote") {
			cancel()
		}
	}), "", 0)
	require.ErrorIs(t, run(ctx, out), context.Canceled)
}
