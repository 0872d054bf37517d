package keyadmin

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/audit"
)

// row is one declaration in the tree.
type row struct {
	nest.Description

	Depth int
}

// Cluster reports whether the row is that of a cluster.
func (r row) Cluster() bool { return r.Kind == nest.KindCluster }

// Link is the page of the key.
func (r row) Link() string { return "key?" + url.Values{"of": {r.Name}}.Encode() }

// Lives says how long the keys live.
func (r row) Lives() string {
	if r.TTL == 0 {
		return ""
	}
	return shortly(time.Duration(r.TTL * float64(time.Second)))
}

// Marks are the settings that an operator wants to know of.
func (r row) Marks() []string {
	var marks []string
	add := func(on bool, mark string) {
		if on {
			marks = append(marks, mark)
		}
	}
	add(r.Protected && r.Cluster(), "protected")
	add(r.Sensitive, "sensitive")
	add(len(r.SecretFields) > 0, "secret fields")
	add(r.Cached > 0, "cached")
	add(r.ReadThrough != nil, "read through")
	add(r.AutoRenew && !r.Cluster(), "auto renew")
	add(len(r.Was) > 0, "has a former name")
	return marks
}

// deepest is how far rows are set in.
const deepest = 9

// lay flattens a description into rows.
func (s *site) lay(root nest.Description) {
	s.keys = make(map[string]row)
	var visit func(d nest.Description, depth int)
	visit = func(d nest.Description, depth int) {
		r := row{d, min(depth, deepest)}
		s.rows = append(s.rows, r)
		if !r.Cluster() {
			s.keys[d.Name] = r
		}
		for _, sub := range d.Nodes {
			visit(sub, depth+1)
		}
	}
	visit(root, 0)
}

// treeView is the first page.
type treeView struct {
	frame

	Rows []treeRow
	// Counted says when the numbers were counted, or is "".
	Counted string
}

// treeRow is a row with what the last audit has counted.
type treeRow struct {
	row

	Counted bool
	Stats   audit.Stats
	Shown   string // the name
}

func (s *site) showTree(w http.ResponseWriter, _ *http.Request) {
	v := treeView{frame: s.frame("")}
	report := s.audits.last()
	if report != nil {
		v.Counted = told(report)
	}
	for _, r := range s.rows {
		t := treeRow{row: r, Shown: r.Name}
		if r.Depth > 0 {
			t.Shown = strings.TrimSpace(r.Template)
		}
		if report != nil {
			t.Stats, t.Counted = counted(report, r)
		}
		v.Rows = append(v.Rows, t)
	}
	render(w, "tree.html", v)
}

// counted returns what a report says of a declaration.
func counted(report *audit.Report, r row) (audit.Stats, bool) {
	if r.Cluster() {
		c, ok := report.Cluster(r.Name)
		return c.Stats, ok
	}
	k, ok := report.Key(r.Name)
	return k.Stats, ok
}
