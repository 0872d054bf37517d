package env_test

import (
	"context"
	"fmt"
	"log"

	"github.com/redisimnest/redisimnest/env"
	"github.com/redisimnest/redisimnest/nest"
)

func ExampleLoad() {
	c, err := env.Load(env.WithEnviron([]string{
		"REDIS_HOST=redis.internal",
		"REDIS_PASS=correct horse",
		"REDIS_DB=2",
	}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Host, c.Port, c.DB, c.Password)

	option, err := c.ClientOption() // for rueidis.NewClient
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(option.InitAddress, option.Dialer.Timeout, option.ConnWriteTimeout)
	// Output:
	// redis.internal 6379 2 [redacted]
	// [redis.internal:6379] 5s 1s
}

// Everything that is wrong is reported at once, without quoting a value.
func ExampleLoad_problems() {
	_, err := env.Load(env.WithEnviron([]string{
		"REDIS_URL=redis://:correct#horse@redis.internal",
		"REDIS_HOST=redis.internal",
		"REDIS_SCAN_COUNT=-1",
	}))
	fmt.Println(err)
	// Output:
	// env: 3 problems:
	// 	REDIS_URL: not a URL: write redis://user:password@host:6379/0, with / ? # @ : and % in the password percent-encoded
	// 	REDIS_HOST: contradicts REDIS_URL: remove it, and write it into the URL (host)
	// 	REDIS_SCAN_COUNT: must be a number from 1 to 1000000
}

func ExampleOpen() {
	age := nest.Key[int]("age")
	root := nest.Cluster("root", nest.Sub(nest.Cluster("user:<user_id>", nest.Sub(age))))

	ctx := context.Background()
	scope, closeClient, err := env.Open(ctx, root)
	if err != nil {
		log.Fatal(err)
	}
	defer closeClient()
	if err := age.At(scope, 42).Set(ctx, 30); err != nil {
		log.Print(err)
	}
}
