package nesttree_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/redisimnest/redisimnest/nest/nestvet/internal/vettest"
	"github.com/redisimnest/redisimnest/nest/nestvet/nesttree"
)

func TestTree(t *testing.T) {
	analysistest.Run(t, vettest.Data(), nesttree.Analyzer, "tree", "treemain")
}
