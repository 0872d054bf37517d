// Command linked is the smallest program that uses package nest. TestLinkedMethods links it.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

var (
	visits = nest.Key[int]("visits")
	root   = nest.Cluster("root", nest.Sub(visits))
)

func main() {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: os.Args[1:]})
	if err != nil {
		panic(err)
	}
	defer client.Close()
	scope, err := nest.Open(client, root)
	if err != nil {
		panic(err)
	}
	fmt.Println(visits.At(scope).Get(context.Background()))
}
