//nest:ignore what wrong calls say is shown here

package examples_test

import (
	"context"
	"fmt"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/examples/quickstart/app"
	"github.com/redisimnest/redisimnest/examples/quickstart/users"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/secure"
)

// Root composes the domains into one keyspace.
var Root = nest.Cluster("root", nest.Sub(app.Cluster, users.Cluster))

// keys is a keyring of one key.
const keys = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="

// openRoot opens the keyspace with a fast hasher.
func openRoot(client rueidis.Client) (nest.Scope, error) {
	ring, err := secure.ParseKeyring(keys)
	if err != nil {
		return nest.Scope{}, err
	}
	hasher, err := secure.NewPasswords(secure.Minimum())
	if err != nil {
		return nest.Scope{}, err
	}
	return nest.Open(client, Root, nest.WithKeyring(ring), nest.WithPasswords(hasher))
}

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

//nolint:ineffassign,wastedassign // the README leaves out error handling
func Example() {
	embedded(func(client rueidis.Client) {
		ctx := context.Background()

		ring, err := secure.ParseKeyring(keys) // 32 bytes in base64, from where secrets are kept
		hasher, err := secure.NewPasswords(secure.Recommended())

		root, err := nest.Open(client, Root, // checks the whole tree; sends nothing
			nest.WithKeyring(ring), nest.WithPasswords(hasher))

		age, err := users.Age.At(root, 42).Get(ctx) // GET root:user:42:age: not there, so the default
		user := users.Cluster.At(root, 42)          // a scope: resolved once, used many times
		err = users.Name.At(user).Set(ctx, "Ali")   // SET root:user:42:name Ali EX 120
		name, err := users.Name.At(user).Get(ctx)   // GET root:user:42:name
		age, err = users.Age.At(user).Update(ctx,   // compare and set, tried again if it lost a race
			func(age int, _ bool) (int, error) { return age + 1, nil })

		fmt.Println(name, age)
		for match, err := range user.Keys(ctx) { // SCAN, streamed, each key with its declaration
			fmt.Println(match.Key(), match.Def(), err)
		}
		deleted, err := user.Clear(ctx) // root:user:42:*, and never root:user:421:*

		fmt.Println(deleted, err)
	})
	// Unordered output:
	// Ali 1
	// root:user:42:age value age <nil>
	// root:user:42:name value name <nil>
	// 2 <nil>
}

//nolint:ineffassign,wastedassign // the README leaves out error handling
func Example_secrets() {
	embedded(func(client rueidis.Client) {
		ctx := context.Background()
		root, err := openRoot(client)

		user := users.Cluster.At(root, 42)
		err = users.APIKey.At(user).Set(ctx, "sk-123")          // Redis sees a ciphertext that opens only in this place
		apiKey, err := users.APIKey.At(user).Get(ctx)           // "sk-123"
		err = users.Password.At(user).Set(ctx, "simple_pass")   // argon2id, and sealed
		ok, err := users.Password.At(user).Verify(ctx, "wrong") // there is no Get: it does not compile
		report, err := nest.Rotate(ctx, root)                   // reseals values that the primary key did not seal

		fmt.Println(apiKey, ok, report.Current, err)
	})
	// Output:
	// sk-123 false 2 <nil>
}

func Example_describe() {
	embedded(func(client rueidis.Client) {
		root, err := openRoot(client)
		if err != nil {
			panic(err)
		}
		fmt.Print(root.Describe())
	})
	// Output:
	// root
	// ├─ app  [ttl 1m20s]
	// │  ├─ tokens  value []string  [ttl 1m20s, has a default]
	// │  ├─ pending_users  value []int64  [ttl 1m20s]  — users who have not confirmed their address
	// │  └─ banner  value string
	// └─ user:<user_id>  [ttl 2m]
	//    ├─ age  value int  [ttl 2m, has a default]
	//    ├─ name  value string  [ttl 2m, has a default]
	//    ├─ session:<token>  value users.Login  [ttl 24h, renewed on read]
	//    ├─ password  password
	//    └─ api_key  secret string
}

func Example_errors() {
	embedded(func(client rueidis.Client) {
		ctx := context.Background()
		root, err := openRoot(client)
		if err != nil {
			panic(err)
		}
		_, err = users.Age.At(root).Get(ctx)
		fmt.Println(err)
		_, err = users.Age.At(root, "forty-two").Get(ctx)
		fmt.Println(err)
		err = app.Tokens.At(root, 42).Set(ctx, nil)
		fmt.Println(err)
		_, err = app.PendingUsers.At(root).Get(ctx)
		fmt.Println(err)
	})
	// Output:
	// nest: at "root:user:<user_id>:age": missing parameter: <user_id>: open below the scope is <user_id>; got 0 arguments
	// nest: at "root:user:<user_id>:age": wrong parameter type: parameter <user_id> (argument 1 of 1) takes an int64 or another value of integer kind, not a string
	// nest: at "root:app:tokens": unexpected parameter: argument 1 of 1 has no parameter left to fill: open below the scope is no parameter
	// nest: get "root:app:pending_users": not found
}
