package nestraw_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/redisimnest/redisimnest/nest/nestvet/internal/vettest"
	"github.com/redisimnest/redisimnest/nest/nestvet/nestraw"
)

func TestRawKeys(t *testing.T) {
	analysistest.Run(t, vettest.Data(), nestraw.Analyzer, "raw", "rawmarked", "rawunsaid")
}
