package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// series has the labels of each metric that the service exports, by its name in Prometheus.
type series map[string]map[string]bool

// dashboardFits requires that each query of the dashboard finds metrics and labels that are there.
func dashboardFits(t *testing.T, all metricdata.ResourceMetrics) {
	t.Helper()
	exported := prometheus(all)
	for title, query := range queries(t) {
		metrics := selectors.FindAllStringSubmatch(query, -1)
		require.NotEmpty(t, metrics, "%s: %s", title, query)
		for _, m := range metrics {
			labels, ok := exported[m[1]]
			require.True(t, ok, "%s: the service exports no %s, but %v", title, m[1], names(exported))
			used := matchers.FindAllStringSubmatch(m[2], -1)
			for _, by := range groupings.FindAllStringSubmatch(query, -1) {
				for label := range strings.SplitSeq(by[1], ",") {
					used = append(used, []string{"", strings.TrimSpace(label)})
				}
			}
			for _, label := range used {
				require.True(t, labels[label[1]], "%s: %s has no label %s, but %v", title, m[1], label[1], labels)
			}
		}
	}
}

var (
	selectors = regexp.MustCompile(`([a-z_]+)(?:\{([^}]*)\})?\[`)
	matchers  = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)`)
	groupings = regexp.MustCompile(`by \(([^)]*)\)`)
)

// queries returns the queries of the dashboard, by the titles of their panels.
func queries(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("deploy", "grafana", "dashboards", "shop.json"))
	require.NoError(t, err)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal(text, &dashboard))
	queries := make(map[string]string)
	for _, panel := range dashboard.Panels {
		require.Len(t, panel.Targets, 1, panel.Title)
		queries[panel.Title] = panel.Targets[0].Expr
	}
	require.Greater(t, len(queries), 8, "where are the panels?")
	return queries
}

// prometheus names metrics as the collector's exporter for Prometheus does.
func prometheus(all metricdata.ResourceMetrics) series {
	s := make(series)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			name := underscored(m.Name)
			switch m.Unit {
			case "s":
				name += "_seconds"
			case "By":
				name += "_bytes"
			}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					s.add(name+"_total", p.Attributes)
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					s.add(name+"_count", p.Attributes)
					s.add(name+"_sum", p.Attributes)
					s.add(name+"_bucket", p.Attributes)
					s[name+"_bucket"]["le"] = true
				}
			}
		}
	}
	return s
}

func (s series) add(name string, attributes attribute.Set) {
	if s[name] == nil {
		s[name] = map[string]bool{"job": true, "instance": true}
	}
	for _, a := range attributes.ToSlice() {
		s[name][underscored(string(a.Key))] = true
	}
}

func underscored(name string) string { return strings.ReplaceAll(name, ".", "_") }

func names(s series) []string {
	var all []string
	for name := range s {
		all = append(all, name)
	}
	return all
}
