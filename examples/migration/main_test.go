package main

import (
	"context"
	"io"
	"log"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/examples/internal/exampletest"
)

func TestEmbedded(t *testing.T) {
	exampletest.UnsetServer(t)
	exampletest.RequireShown(t, "migrating.md", exampletest.Output(t, run))
}

func TestInterrupted(t *testing.T) {
	exampletest.UnsetServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, run(ctx, log.New(io.Discard, "", 0)), context.Canceled)
}

func TestNamedServer(t *testing.T) {
	server := exampletest.NameServer(t)
	exampletest.RequireShown(t, "migrating.md", exampletest.Output(t, run))
	exampletest.RequireEmpty(t, server)
}
