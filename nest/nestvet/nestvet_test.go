package nestvet_test

import (
	"slices"
	"testing"

	"github.com/golangci/plugin-module-register/register"
	"golang.org/x/tools/go/analysis"

	"github.com/redisimnest/redisimnest/nest/nestvet"
	_ "github.com/redisimnest/redisimnest/nest/nestvet/plugin"
)

func TestAnalyzersAreValid(t *testing.T) {
	all := nestvet.Analyzers()
	if err := analysis.Validate(all); err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(all, func(a, b *analysis.Analyzer) int { return slices.Compare([]string{a.Name}, []string{b.Name}) }) {
		t.Error("the analyzers are not in the order of their names")
	}
}

func TestPluginOffersAllAnalyzers(t *testing.T) {
	made, err := register.GetPlugin("nestvet")
	if err != nil {
		t.Fatal(err)
	}
	plugin, err := made(nil)
	if err != nil {
		t.Fatal(err)
	}
	offered, err := plugin.BuildAnalyzers()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(offered, nestvet.Analyzers()) {
		t.Errorf("the plugin offers %v", offered)
	}
	if plugin.GetLoadMode() != register.LoadModeTypesInfo {
		t.Errorf("the plugin loads %q: without types nothing is found", plugin.GetLoadMode())
	}
}
