package nest_test

import (
	"bufio"
	"context"
	"io"
	"os/exec"
	"strings"
	"sync"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/secure"
)

// connect returns a client of an empty embedded server. The server is a program in package
// nesttest's module, because the library needs no server for its examples.
func connect() rueidis.Client {
	client := connection()
	check(client.Do(context.Background(), client.B().Flushall().Build()).Error())
	return client
}

// alive is the server's standard input. It is closed when this process ends, and then the server
// ends.
var alive io.Closer

var connection = sync.OnceValue(func() rueidis.Client {
	server := exec.Command("go", "run", "./cmd/embedded")
	server.Dir = "nesttest"
	in, err := server.StdinPipe()
	check(err)
	alive = in
	out, err := server.StdoutPipe()
	check(err)
	check(server.Start())
	address, err := bufio.NewReader(out).ReadString('\n')
	check(err)
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress:       []string{strings.TrimSpace(address)},
		ForceSingleClient: true, DisableCache: true, AlwaysRESP2: true, // it supports no more
	})
	check(err)
	return client
})

// oldKey is a key as a program reads it from its secret store.
const oldKey = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="

// keyring returns a keyring of one key.
func keyring() *secure.Keyring {
	ring, err := secure.ParseKeyring(oldKey)
	check(err)
	return ring
}

// hasher returns a password hasher that is as cheap as policies allow.
func hasher() nest.Hasher {
	passwords, err := secure.NewPasswords(secure.Minimum())
	check(err)
	return passwords
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
