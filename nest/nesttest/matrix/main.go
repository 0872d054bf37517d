// Command matrix tries what package nest can do on every kind of server that is available, and
// prints a table: passed, – where the server or its client lacks it, or not run.
//
//	go run ./nest/nesttest/matrix
//
// The servers are the embedded one, redis-server or valkey-server from PATH, and the images
// redisimnest-test/redis:8.0, redisimnest-test/valkey:8.1 and redisimnest-test/valkey:9.1, which
// .ci/image makes. It ends with exit code 1 if something failed.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/redisimnest/redisimnest/nest/nesttest/matrix/internal/matrix"
)

func main() {
	columns := matrix.Run(context.Background(), func(name string) { fmt.Fprintln(os.Stderr, name, "...") })
	if err := matrix.Print(os.Stdout, columns); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := 0
	for _, c := range columns {
		if c.NotRun != "" {
			fmt.Fprintf(os.Stderr, "%s was not run: %s\n", c.Engine, c.NotRun)
		}
		for _, f := range c.Failed {
			status = 1
			fmt.Fprintln(os.Stderr, f)
		}
	}
	os.Exit(status)
}
