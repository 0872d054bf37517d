package audit

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	pageStyle string
	page      = template.Must(template.New("page").Parse(pageText))
	// policy lets the page load nothing and run nothing. Its own style is known by its hash.
	policy = func() string {
		sum := sha256.Sum256([]byte(pageStyle))
		return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
	}()
)

// HTML writes the report as a page of its own: it needs no other file, loads nothing, and runs no
// script. All that comes from Redis is escaped.
func (r *Report) HTML(w io.Writer) error {
	var b bytes.Buffer
	if err := page.Execute(&b, r.view()); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// view is what the page shows.
type view struct {
	Policy   string
	Style    template.CSS
	Title    string
	Headline string
	Complete bool
	Tiles    []tile
	Findings []findingView
	Map      mapView
	Rows     []rowView
	Measured bool
	TTLs     []barView
	Types    []barView
	Coded    []barView
	Largest  []sizedView
	Groups   []groupView
	Notes    []string
}

type tile struct{ Label, Value, Note string }

type findingView struct {
	Kind, Meaning string
	Template      string
	Keys          string
	Text          string
	Examples      []string
	Source        string
	Grave         bool
}

type mapView struct {
	Of      string // what the areas show
	W, H    float64
	Boxes   []box
	Legends []legend
}

type legend struct {
	Name  string
	Plain bool // the name is a description, and not that of a cluster
	Tone  int
	Note  string

	weight int64
}

type rowView struct {
	Depth            int
	Title, What, Doc string
	Plain            bool // the title is a description, and not a name
	TTL              string
	Keys             string
	Memory           string
	Estimated        bool
	Share            float64 // of 100
	Cluster          bool
	Marks            []string
}

type barView struct {
	Label, Value, Share string
	Length              float64 // of 100
}

type sizedView struct{ Key, Bytes, Len string }

type groupView struct {
	Shape, Keys, Memory string
	Estimated           bool
	TTLs, Types         string
	Examples            []string
}

// tones is how many colors there are for clusters. The first is that of what nothing declares.
const tones = 8

func (r *Report) view() *view {
	v := &view{
		Policy: policy, Style: template.CSS(pageStyle), //nolint:gosec // the file beside this one
		Title: r.title(), Headline: r.headline(), Complete: r.Complete, Measured: r.Total.Measured(),
		Map: r.treeMap(), Notes: r.notes(),
	}
	undeclared := r.undeclared()
	memory := r.Total.memory()
	memory, estimated := strings.CutSuffix(memory, " estimated")
	v.Tiles = []tile{
		{"keys", number(r.Total.Keys), amount(int64(len(r.Keys)), "declaration")},
		{"memory", memory, map[bool]string{true: "estimated from " + number(r.Total.Sampled) + " keys", false: "measured"}[estimated]},
		{"without expiry", percent(r.Total.TTLs.forever(), r.Total.Keys), amount(r.Total.TTLs.forever(), "key")},
		{"undeclared", number(undeclared.Keys + r.Uncounted), amount(int64(len(r.Undeclared)), "shape")},
		{"findings", number(int64(len(r.Findings))), amount(r.findingKeys(), "key")},
	}
	if !v.Measured {
		v.Tiles[1].Note = "not measured"
	}
	for _, f := range r.Findings {
		shown := findingView{
			Kind: string(f.Kind), Meaning: meaning[f.Kind], Template: names.Printable(f.Template), Keys: amount(f.Keys, "key"),
			Text: names.Printable(f.Text), Source: names.Printable(f.Source), Grave: slices.Index(kinds, f.Kind) < slices.Index(kinds, Undeclared),
		}
		for _, key := range f.Examples {
			shown.Examples = append(shown.Examples, names.Printable(key))
		}
		v.Findings = append(v.Findings, shown)
	}
	whole := max(1, r.weight(&r.Total))
	row := func(l line, plain bool) {
		memory, estimated := strings.CutSuffix(l.stats.memory(), " estimated")
		shown := rowView{
			Depth: min(l.depth, 9), Title: l.title, Plain: plain, What: names.Printable(l.what), Doc: names.Printable(l.doc), Keys: number(l.stats.Keys),
			Memory: memory, Estimated: estimated, Share: 100 * float64(r.weight(l.stats)) / float64(whole), Cluster: l.what == "", Marks: l.marks,
		}
		if l.ttl > 0 {
			shown.TTL = duration(l.ttl)
		}
		v.Rows = append(v.Rows, shown)
	}
	for _, l := range r.lines() {
		row(l, false)
	}
	if undeclared.Keys > 0 {
		row(line{title: titleUndeclared, what: " ", stats: &undeclared}, true)
	}
	if r.Companions.Keys > 0 {
		row(line{title: titleCompanions, what: " ", stats: &r.Companions}, true)
	}
	for _, b := range r.Total.TTLs {
		v.TTLs = append(v.TTLs, bars(b.label(), b.Keys, r.Total.Keys))
	}
	for _, c := range mostFirst(r.Total.Types) {
		v.Types = append(v.Types, bars(names.Printable(c.What), c.Keys, r.Total.Keys))
	}
	for _, c := range mostFirst(r.Total.Encodings) {
		v.Coded = append(v.Coded, bars(names.Printable(c.What), c.Keys, r.Total.Keys))
	}
	for _, big := range r.Total.Largest {
		v.Largest = append(v.Largest, sizedView{names.Printable(big.Key), size(big.Bytes), number(big.Len)})
	}
	for i := range r.Undeclared {
		g := &r.Undeclared[i]
		memory, estimated := strings.CutSuffix(g.memory(), " estimated")
		shown := groupView{Shape: names.Printable(g.Shape), Keys: number(g.Keys), Memory: memory, Estimated: estimated, Types: list(g.Types)}
		shown.TTLs = percent(g.TTLs.forever(), g.Keys)
		for _, key := range g.Examples {
			shown.Examples = append(shown.Examples, names.Printable(key))
		}
		v.Groups = append(v.Groups, shown)
	}
	return v
}

// findingKeys returns how many keys the findings are about. A key with several counts more than
// once.
func (r *Report) findingKeys() (n int64) {
	for _, f := range r.Findings {
		n += f.Keys
	}
	return n
}

func bars(label string, keys, all int64) barView {
	return barView{label, number(keys), percent(keys, all), 100 * float64(keys) / float64(max(1, all))}
}

// The titles of what is in no cluster.
const (
	titleUndeclared = "what nothing declares"
	titleCompanions = "companions"
)

// treeMap lays out the keys by their clusters.
func (r *Report) treeMap() mapView {
	m := mapView{Of: "memory", W: 960, H: 420}
	if !r.Total.Measured() || r.Total.Keys == 0 {
		m.Of = "keys"
	}
	share := func(s *Stats) string {
		text := amount(s.Keys, "key")
		if s.Measured() && m.Of == "memory" {
			text += ", " + s.memory()
		}
		return text + ", " + percent(r.weight(s), r.weight(&r.Total))
	}
	// The outermost clusters that say something, and the keys beside them.
	top := r.outermost()
	var areas []box
	tone := 0
	add := func(l legend, s *Stats, parts []box) {
		if l.weight = r.weight(s); l.weight <= 0 {
			return
		}
		areas = append(areas, box{parts: parts, weight: l.weight})
		l.Note = share(s)
		m.Legends = append(m.Legends, l)
	}
	for i := range r.Clusters {
		c := &r.Clusters[i]
		if c.In != top {
			continue
		}
		tone = tone%(tones-1) + 1
		var parts []box
		for n := range r.Keys {
			if k := &r.Keys[n]; r.inside(k.In, i) {
				parts = append(parts, r.box(k.Name, c.Name, &k.Stats, tone, share))
			}
		}
		add(legend{Name: below(c.Name, r.nameOf(top)), Tone: tone}, &c.Stats, parts)
	}
	beside := newTally()
	var parts []box
	tone = tone%(tones-1) + 1
	for n := range r.Keys {
		if k := &r.Keys[n]; !r.inAnyOf(k.In, top) {
			beside.load(&k.Stats, 0)
			parts = append(parts, r.box(k.Name, r.nameOf(top), &k.Stats, tone, share))
		}
	}
	besides := beside.stats()
	add(legend{Name: cmp.Or(names.Printable(r.nameOf(top)), "(no prefix)"), Tone: tone}, &besides, parts)
	undeclared := r.undeclared()
	parts = nil
	for i := range r.Undeclared {
		parts = append(parts, r.box(r.Undeclared[i].Shape, r.Scope, &r.Undeclared[i].Stats, 0, share))
	}
	add(legend{Name: titleUndeclared, Plain: true}, &undeclared, parts)
	add(legend{Name: titleCompanions, Plain: true}, &r.Companions, []box{r.box(titleCompanions, "", &r.Companions, 0, share)})
	for _, area := range squarify(areas, 0, 0, m.W, m.H) {
		for _, b := range squarify(area.parts, area.X, area.Y, area.W, area.H) {
			// A gap beside each box, and a label where there is room.
			b.W, b.H = max(0.5, b.W-2), max(0.5, b.H-2)
			fits := func(s string) bool { return float64(utf8.RuneCountInString(s))*7.4+12 <= b.W }
			if b.H < 20 || !fits(b.Label) {
				b.Label = ""
			}
			if b.H < 38 || b.Label == "" || !fits(b.Note) {
				b.Note = ""
			}
			m.Boxes = append(m.Boxes, b)
		}
	}
	slices.SortStableFunc(m.Legends, func(a, b legend) int { return cmp.Compare(b.weight, a.weight) })
	return m
}

// box returns the box of some keys.
func (r *Report) box(name, above string, s *Stats, tone int, share func(*Stats) string) box {
	note := number(s.Keys)
	if r.weight(s) == s.Bytes && s.Measured() {
		note = s.memory()
	}
	return box{
		Name: name, Label: below(name, above), Note: note, Title: names.Printable(name) + ": " + share(s), Tone: tone, weight: r.weight(s),
	}
}

// outermost returns the index of the innermost cluster that everything is in: one root alone would
// be a map of one color.
func (r *Report) outermost() int {
	top := -1
	for {
		next, n := -1, 0
		for i := range r.Clusters {
			if r.Clusters[i].In == top {
				next, n = i, n+1
			}
		}
		for i := range r.Keys {
			if r.Keys[i].In == top && top >= 0 {
				n++
			}
		}
		if n != 1 || next < 0 {
			return top
		}
		top = next
	}
}

func (r *Report) nameOf(cluster int) string {
	if cluster < 0 {
		return ""
	}
	return r.Clusters[cluster].Name
}

// inside reports whether a cluster is, or is in, another one.
func (r *Report) inside(in, cluster int) bool {
	for in >= 0 && in != cluster {
		in = r.Clusters[in].In
	}
	return in == cluster
}

// inAnyOf reports whether a cluster is, or is in, one that stands in top.
func (r *Report) inAnyOf(in, top int) bool {
	for in >= 0 && in != top {
		if r.Clusters[in].In == top {
			return true
		}
		in = r.Clusters[in].In
	}
	return false
}

// Percent is a length in the units of the drawing of a bar.
func (b barView) Percent() string { return fmt.Sprintf("%.2f", b.Length) }

// Percent is the row's share.
func (v rowView) Percent() string { return fmt.Sprintf("%.2f", v.Share) }

// Rect returns the numbers of the drawing.
func (b box) Rect() [4]string {
	return [4]string{fmt.Sprintf("%.1f", b.X), fmt.Sprintf("%.1f", b.Y), fmt.Sprintf("%.1f", b.W), fmt.Sprintf("%.1f", b.H)}
}

// TextX, TextY and NoteY are where the labels stand.
func (b box) TextX() string { return fmt.Sprintf("%.1f", b.X+6) }

// TextY is the baseline of the label.
func (b box) TextY() string { return fmt.Sprintf("%.1f", b.Y+15) }

// NoteY is the baseline of the note.
func (b box) NoteY() string { return fmt.Sprintf("%.1f", b.Y+31) }
