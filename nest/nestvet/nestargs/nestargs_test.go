package nestargs_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/redisimnest/redisimnest/nest/nestvet/internal/vettest"
	"github.com/redisimnest/redisimnest/nest/nestvet/nestargs"
)

func TestArguments(t *testing.T) {
	analysistest.Run(t, vettest.Data(), nestargs.Analyzer, "users", "shop", "right", "named", "generations")
}

func TestFixes(t *testing.T) {
	analysistest.RunWithSuggestedFixes(t, vettest.Data(), nestargs.Analyzer, "fixes", "fixnames")
}
