package main

import (
	"context"
	"log"

	"github.com/redisimnest/redisimnest/examples/internal/server"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/secure"
)

// open opens the keyspace on the server that the environment names, or on an embedded one. Its
// encryption key is valid only during the quickstart, which deletes what was sealed with it.
func open(ctx context.Context, out *log.Logger) (nest.Scope, func(), error) {
	ring, err := secure.NewKeyring(secure.GenerateKey())
	if err != nil {
		return nest.Scope{}, nil, err
	}
	hasher, err := secure.NewPasswords(secure.Minimum())
	if err != nil {
		return nest.Scope{}, nil, err
	}
	found, err := server.Find(out)
	if err != nil {
		return nest.Scope{}, nil, err
	}
	root, closeClient, err := found.Open(ctx, Root, nest.WithPrefix(prefix), nest.WithKeyring(ring), nest.WithPasswords(hasher))
	if err != nil {
		found.Close()
		return nest.Scope{}, nil, err
	}
	return root, func() { closeClient(); found.Close() }, nil
}
