// Nestvet checks programs that use package nest:
//
//	nestvet ./...
//	go vet -vettool=$(which nestvet) ./...
//
// The second form uses the go command's cache and analyzes only packages that have changed.
package main

import (
	"golang.org/x/tools/go/analysis/multichecker"

	"github.com/redisimnest/redisimnest/nest/nestvet"
)

func main() { multichecker.Main(nestvet.Analyzers()...) }
