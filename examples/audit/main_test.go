package main

import (
	"context"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/env"
	"github.com/redisimnest/redisimnest/examples/internal/exampletest"
)

// show runs the example and checks what it prints and what it writes.
func show(t *testing.T, ceiling time.Duration) {
	t.Helper()
	page := filepath.Join(t.TempDir(), "page.html")
	var out strings.Builder
	require.NoError(t, run(t.Context(), log.New(&out, "", 0), 5000, ceiling, page))
	text := out.String()
	html, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, text, "The shop has 5057 keys, and nothing of it differs from its declarations.")
	for _, finding := range []string{
		"{user:<user_id>}:api_key", "{user:<user_id>}:password", "{user:<user_id>}:cart", "article:<sku>:stock", "article:<sku>:price",
		"article:<sku>:preview", "cart:<n>:items", "tmp:<hex>", "orders:failed", "export", "{user:<user_id>}:nick", "catalog:<gen>:listing:<n>",
	} {
		require.Contains(t, text, "\n    "+prefix+":shop:"+finding+"  ", finding)
		require.Contains(t, string(html), strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(finding), finding)
	}
	for _, kind := range []string{
		"unsealed", "wrong type", "undecodable", "retired version", "missing ttl", "long ttl", "undeclared", "orphan", "old name", "old generation",
	} {
		require.Contains(t, text, "\n  "+kind+": ")
	}
	require.NotContains(t, text+string(html), "hunter2")
	require.NotContains(t, text+string(html), "in the clear")
}

func TestEmbedded(t *testing.T) {
	exampletest.UnsetServer(t)
	show(t, 0)
}

func TestNamedServer(t *testing.T) {
	server := exampletest.NameServer(t)
	show(t, time.Second)
	exampletest.RequireEmpty(t, server)
}

func TestUnreachableServer(t *testing.T) {
	exampletest.NameNoServer(t)
	require.ErrorIs(t, run(t.Context(), log.New(io.Discard, "", 0), 100, 0, filepath.Join(t.TempDir(), "page.html")), env.ErrConnect)
}

func TestInterrupted(t *testing.T) {
	exampletest.UnsetServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	out := log.New(exampletest.Writer(func(text string) {
		if strings.Contains(text, "Now some") {
			cancel()
		}
	}), "", 0)
	require.ErrorIs(t, run(ctx, out, 1000, 0, filepath.Join(t.TempDir(), "page.html")), context.Canceled)
}
