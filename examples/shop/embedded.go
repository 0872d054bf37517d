package main

import (
	"fmt"
	"os"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/secure"
)

// This file is for trying the service without a server. A copy of the service does without it.

// namesServer reports whether the environment names a server.
func namesServer(getenv func(string) string) bool {
	for _, variable := range []string{"REDIS_URL", "REDIS_HOST", "REDIS_ADDRS", "USER_SETTINGS_FILE"} {
		if getenv(variable) != "" {
			return true
		}
	}
	_, err := os.Stat(".env")
	return err == nil
}

// openEmbedded opens the keyspace on a server inside the process. Its encryption key ends with it.
func openEmbedded(opts []nest.OpenOption) (keys, error) {
	server := miniredis.NewMiniRedis()
	if err := server.Start(); err != nil {
		return keys{}, fmt.Errorf("start the embedded server: %w", err)
	}
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{server.Addr()}, ForceSingleClient: true, DisableCache: true, AlwaysRESP2: true,
	})
	if err != nil {
		server.Close()
		return keys{}, fmt.Errorf("connect to the embedded server: %w", err)
	}
	closeAll := func() { client.Close(); server.Close() }
	ring, err := secure.NewKeyring(secure.GenerateKey())
	if err != nil {
		closeAll()
		return keys{}, fmt.Errorf("make a keyring: %w", err)
	}
	hasher, err := secure.NewPasswords(secure.Minimum())
	if err != nil {
		closeAll()
		return keys{}, fmt.Errorf("hash passwords: %w", err)
	}
	opened, err := openOn(client, secure.NewHolder(ring), append(opts, nest.WithPasswords(hasher)))
	if err != nil {
		closeAll()
		return keys{}, err
	}
	opened.close = closeAll
	return opened, nil
}

// openOn opens the keyspace with a client, as package env would.
func openOn(client rueidis.Client, ring *secure.Holder, opts []nest.OpenOption) (keys, error) {
	root, err := nest.Open(client, Root, append(opts, nest.WithKeyring(ring), nest.WithTimeout(2*time.Second), nest.WithBreaker(5, time.Second))...)
	if err != nil {
		return keys{}, fmt.Errorf("open the keyspace: %w", err)
	}
	return keys{root, ring, client.Close}, nil
}
