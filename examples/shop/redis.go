package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redisimnest/redisimnest/env"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nestotel"
	"github.com/redisimnest/redisimnest/secure"
)

// keys is the keyspace, and what seals its secrets.
type keys struct {
	root  nest.Scope
	ring  *secure.Holder
	close func() // the client
}

// openKeys opens the keyspace on the server that the environment names, or on an embedded one.
func openKeys(ctx context.Context, conf config, told telemetry, log *slog.Logger) (keys, error) {
	opts := []nest.OpenOption{nest.WithLogger(log), nestotel.Observe(nestotel.WithTracerProvider(told.traces), nestotel.WithMeterProvider(told.metrics))}
	if conf.embedded {
		return openEmbedded(opts)
	}
	connection, err := env.Load()
	if err != nil {
		return keys{}, fmt.Errorf("read the environment: %w", err)
	}
	ring, err := readKeyring(connection)
	if err != nil {
		return keys{}, err
	}
	holder := secure.NewHolder(ring)
	root, closeClient, err := connection.Open(ctx, Root, append(opts, nest.WithKeyring(holder))...)
	if err != nil {
		return keys{}, fmt.Errorf("open the keyspace: %w", err)
	}
	return keys{root, holder, closeClient}, nil
}
