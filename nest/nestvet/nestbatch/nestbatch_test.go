package nestbatch_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/redisimnest/redisimnest/nest/nestvet/internal/vettest"
	"github.com/redisimnest/redisimnest/nest/nestvet/nestbatch"
)

func TestBatches(t *testing.T) {
	analysistest.Run(t, vettest.Data(), nestbatch.Analyzer, "batch")
}
