// Command rueidis does what command linked does without package nest. TestLinkedSize compares them.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/redis/rueidis"
)

func main() {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: os.Args[1:]})
	if err != nil {
		panic(err)
	}
	defer client.Close()
	fmt.Println(client.Do(context.Background(), client.B().Get().Key("root:visits").Build()).AsInt64())
}
