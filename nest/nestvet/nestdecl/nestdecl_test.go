package nestdecl_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/redisimnest/redisimnest/nest/nestvet/internal/vettest"
	"github.com/redisimnest/redisimnest/nest/nestvet/nestdecl"
)

func TestDeclarations(t *testing.T) {
	analysistest.Run(t, vettest.Data(), nestdecl.Analyzer, "decls")
}
