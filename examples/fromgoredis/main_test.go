package main

import (
	"testing"

	"github.com/redisimnest/redisimnest/examples/internal/exampletest"
)

func TestEmbedded(t *testing.T) {
	exampletest.UnsetServer(t)
	exampletest.RequireShown(t, "from-go-redis.md", exampletest.Output(t, run))
}

func TestNamedServer(t *testing.T) {
	server := exampletest.NameServer(t)
	exampletest.RequireShown(t, "from-go-redis.md", exampletest.Output(t, run))
	exampletest.RequireEmpty(t, server)
}
