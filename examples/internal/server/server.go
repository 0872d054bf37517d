// Package server opens the keyspaces of the examples: on the server that the environment names,
// else on one inside of the process.
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

// Server is where an example's keyspace lives.
type Server struct {
	embedded *miniredis.Miniredis // nil: the one that the environment names
}

// Find finds a server, or starts one, and writes to out which.
func Find(out *log.Logger) (Server, error) {
	if configured() {
		out.Print("On the server that the environment names.")
		return Server{}, nil
	}
	out.Print("On an embedded server; REDIS_URL=redis://localhost:6379 would name another one.")
	embedded := miniredis.NewMiniRedis()
	return Server{embedded}, embedded.Start()
}

// Close ends the server if Find has started it.
func (s Server) Close() {
	if s.embedded != nil {
		s.embedded.Close()
	}
}

// Open opens a keyspace on the server with a client of its own, which the function closes.
func (s Server) Open(ctx context.Context, root *nest.ClusterDef, opts ...nest.OpenOption) (nest.Scope, func(), error) {
	if s.embedded == nil {
		return env.Open(ctx, root, opts...)
	}
	// The embedded server knows neither Redis Cluster nor client-side caching, and the client must
	// not ask it for them.
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

// configured tells whether a REDIS_ variable names a server, or there is a file that may. The
// variables of the project's own tests are none of these.
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
