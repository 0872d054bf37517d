// Command tablegen writes the documentation's table of all operations from the sources of
// package nest.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/redisimnest/redisimnest/nest/internal/operations"
)

// Output is the file that tablegen writes, as seen from the package's folder.
var Output = filepath.Join("..", "docs", "operations.md")

func main() {
	dir := "."
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	if err := generate(dir); err != nil {
		fmt.Fprintln(os.Stderr, "tablegen:", err)
		os.Exit(1)
	}
}

func generate(dir string) error {
	ops, err := operations.Read(dir)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, Output)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // documentation
		return err
	}
	return os.WriteFile(file, operations.Markdown(ops), 0o644) //nolint:gosec // documentation
}
