// Embedded runs an embedded server for programs of other modules, so that those modules need not
// require one. It prints its address on a line of its own, and ends when its standard input does.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/alicebob/miniredis/v2"
)

func main() {
	server := miniredis.NewMiniRedis()
	if err := server.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer server.Close()
	fmt.Println(server.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}
