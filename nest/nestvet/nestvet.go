// Package nestvet checks programs that use package nest before they run: the arguments of At, which
// declarations are mounted or panic, which batches are executed, which contexts are passed on, and
// which keys bypass the declarations.
//
//	go vet -vettool=$(which nestvet) ./...
//	nestvet ./...
//
// Each analyzer is a package of its own, whose documentation says what it reports and what it does
// not check. Analyzers report only what they know for certain.
//
// A line that is wrong on purpose, for example in a test of an error, says so:
//
//	Age.At(root).Get(ctx) //nest:ignore the error is what is tested
//
// Before the package clause, the same comment exempts the whole file.
package nestvet

import (
	"golang.org/x/tools/go/analysis"

	"github.com/redisimnest/redisimnest/nest/nestvet/nestargs"
	"github.com/redisimnest/redisimnest/nest/nestvet/nestbatch"
	"github.com/redisimnest/redisimnest/nest/nestvet/nestctx"
	"github.com/redisimnest/redisimnest/nest/nestvet/nestdecl"
	"github.com/redisimnest/redisimnest/nest/nestvet/nestraw"
	"github.com/redisimnest/redisimnest/nest/nestvet/nesttree"
)

// Analyzers returns all analyzers of this module, in the order of their names.
func Analyzers() []*analysis.Analyzer {
	return []*analysis.Analyzer{
		nestargs.Analyzer,
		nestbatch.Analyzer,
		nestctx.Analyzer,
		nestdecl.Analyzer,
		nestraw.Analyzer,
		nesttree.Analyzer,
	}
}
