// Package plugin makes the analyzers of nestvet available to golangci-lint as a module plugin named
// nestvet. To use it, import it in a custom build; see docs/vet.md.
package plugin

import (
	"github.com/golangci/plugin-module-register/register"
	"golang.org/x/tools/go/analysis"

	"github.com/redisimnest/redisimnest/nest/nestvet"
)

func init() { register.Plugin("nestvet", New) } //nolint:gochecknoinits // how golangci-lint finds plugins

// New returns the plugin. It takes no settings.
func New(any) (register.LinterPlugin, error) { return plugin{}, nil }

type plugin struct{}

func (plugin) BuildAnalyzers() ([]*analysis.Analyzer, error) { return nestvet.Analyzers(), nil }

// GetLoadMode asks for types, which are needed to find the declaration that a call refers to.
func (plugin) GetLoadMode() string { return register.LoadModeTypesInfo }
