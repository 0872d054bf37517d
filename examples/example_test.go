package examples_test

import (
	"github.com/alicebob/miniredis/v2"
	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/examples/quickstart/app"
	"github.com/redisimnest/redisimnest/examples/quickstart/users"
	"github.com/redisimnest/redisimnest/nest"
)

// Root composes the domains into one keyspace.
var Root = nest.Cluster("root", nest.Sub(app.Cluster, users.Cluster))

// keys is a keyring of one key.
const keys = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="

// embedded runs an example on a server of its own.
func embedded(example func(client rueidis.Client)) {
	server := miniredis.NewMiniRedis()
	if err := server.Start(); err != nil {
		panic(err)
	}
	defer server.Close()
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress:       []string{server.Addr()},
		ForceSingleClient: true, DisableCache: true, AlwaysRESP2: true,
	})
	if err != nil {
		panic(err)
	}
	defer client.Close()
	example(client)
}
