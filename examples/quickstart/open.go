package main

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

// open opens the keyspace on the server that the environment names, else on an embedded one.
func open(ctx context.Context, out *log.Logger) (nest.Scope, func(), error) {
	if configured() {
		out.Print("On the server that the environment names.")
		return env.Open(ctx, Root, nest.WithPrefix(prefix))
	}
	out.Print("On an embedded server; REDIS_URL=redis://localhost:6379 would name another one.")
	return openEmbedded()
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

// openEmbedded opens the keyspace on a server inside of this process. It knows neither Redis
// Cluster nor client-side caching, and the client must not ask it for them.
func openEmbedded() (nest.Scope, func(), error) {
	server := miniredis.NewMiniRedis()
	if err := server.Start(); err != nil {
		return nest.Scope{}, nil, err
	}
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress:       []string{server.Addr()},
		ForceSingleClient: true,
		DisableCache:      true,
		AlwaysRESP2:       true,
	})
	if err != nil {
		server.Close()
		return nest.Scope{}, nil, err
	}
	root, err := nest.Open(client, Root, nest.WithPrefix(prefix))
	if err != nil {
		client.Close()
		server.Close()
		return nest.Scope{}, nil, err
	}
	return root, func() { client.Close(); server.Close() }, nil
}
