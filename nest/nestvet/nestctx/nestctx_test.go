package nestctx_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/redisimnest/redisimnest/nest/nestvet/internal/vettest"
	"github.com/redisimnest/redisimnest/nest/nestvet/nestctx"
)

func TestContexts(t *testing.T) {
	analysistest.Run(t, vettest.Data(), nestctx.Analyzer, "ctx")
}

func TestFixes(t *testing.T) {
	analysistest.RunWithSuggestedFixes(t, vettest.Data(), nestctx.Analyzer, "fixctx")
}
