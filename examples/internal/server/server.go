// Package server opens the keyspaces of the examples, either on the server that the environment
// names or on one inside the process.
package server

import (
	"context"
	"log"
	"os"
	"strings"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/env"
	"github.com/redisimnest/redisimnest/nest"
)

// Server is the server that holds an example's keyspace.
type Server struct {
	embedded *miniredis.Miniredis // nil for the server that the environment names
}

// Find finds a server or starts one, and writes to out which one it is.
func Find(out *log.Logger) (Server, error) {
	if configured() {
		out.Print("On the server that the environment names.")
		return Server{}, nil
	}
	out.Print("On an embedded server; REDIS_URL=redis://localhost:6379 would name another one.")
	embedded := miniredis.NewMiniRedis()
	return Server{embedded}, embedded.Start()
}

// Close stops the server if Find started it.
func (s Server) Close() {
	if s.embedded != nil {
		s.embedded.Close()
	}
}

// Open opens a keyspace on the server with its own client. The returned function closes the client.
func (s Server) Open(ctx context.Context, root *nest.ClusterDef, opts ...nest.OpenOption) (nest.Scope, func(), error) {
	if s.embedded == nil {
		return env.Open(ctx, root, opts...)
	}
	// The embedded server supports neither Redis Cluster nor client-side caching, so the client
	// must not ask for them.
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress:       []string{s.embedded.Addr()},
		ForceSingleClient: true,
		DisableCache:      true,
		AlwaysRESP2:       true,
	})
	if err != nil {
		return nest.Scope{}, nil, err
	}
	scope, err := nest.Open(client, root, opts...)
	if err != nil {
		client.Close()
		return nest.Scope{}, nil, err
	}
	return scope, client.Close, nil
}

// configured reports whether a REDIS_ variable names a server, or there is a .env file that may
// name one. It ignores the variables of the project's own tests.
func configured() bool {
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		if value != "" && strings.HasPrefix(name, "REDIS_") && !strings.HasPrefix(name, "REDIS_TEST_") {
			return true
		}
	}
	_, err := os.Stat(".env")
	return err == nil || os.Getenv("USER_SETTINGS_FILE") != ""
}
