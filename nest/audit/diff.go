package audit

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// Difference is what has changed from one report to another. It marshals to JSON and back.
type Difference struct {
	// Before and After are when the audits began.
	Before time.Time `json:"before"`
	After  time.Time `json:"after"`
	// Complete reports whether both audits had reached their end.
	Complete bool `json:"complete"`
	// Total is about all keys.
	Total Change `json:"total"`
	// Keys has the declarations, and the shapes of names that nothing declares, whose numbers
	// differ, the greatest difference in bytes first, then in keys.
	Keys []Change `json:"keys"`
	// Findings has those whose numbers differ, in the order of the report.
	Findings []FindingChange `json:"findings"`
	// Unchecked are the kinds of findings that one of the audits has not looked for, or not in as
	// much, so that nothing is said about them: those in values if the values were not read, or up
	// to another size ([CheckValues]), and [Undeclared] if a filter has left such names out.
	Unchecked []nest.ProblemKind `json:"unchecked,omitempty"`
}

// Change is how the keys of one declaration, or of one shape, have changed.
type Change struct {
	// Template is the full template of the declaration, or the shape of the names.
	Template string `json:"template"`
	// Undeclared reports whether nothing declares these names.
	Undeclared  bool  `json:"undeclared,omitempty"`
	KeysBefore  int64 `json:"keys_before"`
	KeysAfter   int64 `json:"keys_after"`
	BytesBefore int64 `json:"bytes_before"`
	BytesAfter  int64 `json:"bytes_after"`
	// Estimated reports whether one of the numbers of bytes is an estimate.
	Estimated bool `json:"estimated,omitempty"`
	// Unmeasured reports whether one of the audits has not measured the memory, so that the bytes
	// say nothing. They are 0 then.
	Unmeasured bool `json:"unmeasured,omitempty"`
}

// FindingChange is how a finding has changed.
type FindingChange struct {
	Kind     nest.ProblemKind `json:"kind"`
	Template string           `json:"template"`
	Before   int64            `json:"before"` // keys
	After    int64            `json:"after"`
	// Examples are those of the later report.
	Examples []string `json:"examples,omitempty"`
	// Source is the position of the declaration, as "file:line", or "".
	Source string `json:"-"`
}

// Diff returns what has changed from one report to another. A nil report is one without keys, of
// an audit that looked for everything.
func Diff(before, after *Report) *Difference {
	unchecked := uncompared(before, after)
	if before == nil {
		before = &Report{Complete: true}
	}
	if after == nil {
		after = &Report{Complete: true}
	}
	d := &Difference{
		Before: before.Began, After: after.Began, Complete: before.Complete && after.Complete,
		Total:     change(cmp.Or(after.Template, before.Template), &before.Total, &after.Total),
		Unchecked: unchecked,
	}
	was, is := before.stats(), after.stats()
	for of := range union(was, is) {
		c := change(of.template, orNone(was[of]), orNone(is[of]))
		if c.Undeclared = of.undeclared; c.KeysBefore != c.KeysAfter || c.BytesBefore != c.BytesAfter {
			d.Keys = append(d.Keys, c)
		}
	}
	slices.SortFunc(d.Keys, func(a, b Change) int {
		return cmp.Or(
			cmp.Compare(distance(b.BytesBefore, b.BytesAfter), distance(a.BytesBefore, a.BytesAfter)),
			cmp.Compare(distance(b.KeysBefore, b.KeysAfter), distance(a.KeysBefore, a.KeysAfter)),
			cmp.Compare(a.Template, b.Template))
	})
	found, finds := before.found(), after.found()
	for k := range union(found, finds) {
		c := FindingChange{Kind: k.kind, Template: k.template, Before: found[k].Keys, After: finds[k].Keys, Examples: finds[k].Examples}
		if c.Source = cmp.Or(finds[k].Source, found[k].Source); c.Before != c.After && !slices.Contains(unchecked, k.kind) {
			d.Findings = append(d.Findings, c)
		}
	}
	slices.SortFunc(d.Findings, func(a, b FindingChange) int {
		return cmp.Or(cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)), cmp.Compare(a.Template, b.Template))
	})
	return d
}

// uncompared returns the kinds of findings that one of the reports says nothing, or less, about.
func uncompared(before, after *Report) []nest.ProblemKind {
	var list []nest.ProblemKind
	values, all := 0, true
	for _, r := range []*Report{before, after} {
		if r == nil {
			continue
		}
		if r.Values == 0 || values != 0 && values != r.Values {
			all = false
		}
		values = r.Values
	}
	for _, kind := range kinds {
		left := kind == Undeclared && (before != nil && before.Uncounted > 0 || after != nil && after.Uncounted > 0)
		if left || !all && slices.Contains(inValues, kind) {
			list = append(list, kind)
		}
	}
	return list
}

// changed identifies what a [Change] is about.
type changed struct {
	template   string
	undeclared bool
}

func (r *Report) stats() map[changed]*Stats {
	all := make(map[changed]*Stats)
	for i := range r.Keys {
		all[changed{r.Keys[i].Template, false}] = &r.Keys[i].Stats
	}
	for i := range r.Undeclared {
		all[changed{r.Undeclared[i].Shape, true}] = &r.Undeclared[i].Stats
	}
	return all
}

func (r *Report) found() map[findingKey]Finding {
	all := make(map[findingKey]Finding)
	for _, f := range r.Findings {
		all[findingKey{f.Kind, f.Template}] = f
	}
	return all
}

func union[K comparable, V any](a, b map[K]V) map[K]bool {
	all := make(map[K]bool)
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	return all
}

func orNone(s *Stats) *Stats {
	if s == nil {
		return &Stats{}
	}
	return s
}

func change(template string, before, after *Stats) Change {
	c := Change{Template: template, KeysBefore: before.Keys, KeysAfter: after.Keys}
	if c.Unmeasured = !before.Measured() || !after.Measured(); !c.Unmeasured {
		c.BytesBefore, c.BytesAfter, c.Estimated = before.Bytes, after.Bytes, before.Estimated() || after.Estimated()
	}
	return c
}

func distance(a, b int64) int64 { return max(a-b, b-a) }

// Err returns nil if no finding of these kinds, which are all if none is given, is new or has more
// keys than before, and otherwise a [*FindingsError] with the additional keys. If one of the audits
// was not complete, or has not looked for a kind that is given, the error wraps [ErrUnchecked];
// without kinds, those of [Difference.Unchecked] are left out.
func (d *Difference) Err(of ...nest.ProblemKind) error {
	for _, kind := range of {
		switch {
		case !slices.Contains(kinds, kind):
			return noKind(kind)
		case slices.Contains(d.Unchecked, kind):
			return fmt.Errorf("audit: %w: one of the audits has not looked for %q, or not in as much", ErrUnchecked, string(kind))
		}
	}
	var list []Finding
	for _, f := range d.Findings {
		if f.After > f.Before && (len(of) == 0 || slices.Contains(of, f.Kind)) {
			list = append(list, Finding{Kind: f.Kind, Template: f.Template, Keys: f.After - f.Before, Examples: f.Examples, Source: f.Source})
		}
	}
	var errs []error
	if len(list) > 0 {
		errs = append(errs, &FindingsError{list})
	}
	if !d.Complete {
		errs = append(errs, fmt.Errorf("audit: %w: one of the audits has not come to its end", ErrUnchecked))
	}
	return errors.Join(errs...)
}

// rows returns the changes as a table.
func (d *Difference) rows(shown func(string) string) (keys, findings [][]string) {
	for _, c := range append([]Change{d.Total}, d.Keys...) {
		what := shown(c.Template)
		switch {
		case len(keys) == 0:
			what = "all"
		case c.Undeclared:
			what += " (undeclared)"
		}
		was, is, bytes := size(c.BytesBefore), size(c.BytesAfter), signed(c.BytesAfter-c.BytesBefore, size)
		if c.Estimated {
			bytes += " estimated"
		}
		if c.Unmeasured {
			was, is, bytes = "–", "–", "–"
		}
		keys = append(keys, []string{
			what, number(c.KeysBefore), number(c.KeysAfter), signed(c.KeysAfter-c.KeysBefore, number), was, is, bytes,
		})
	}
	for _, f := range d.Findings {
		findings = append(findings, []string{
			string(f.Kind), shown(f.Template), number(f.Before), number(f.After), signed(f.After-f.Before, number),
		})
	}
	return keys, findings
}

func signed(n int64, text func(int64) string) string {
	if n > 0 {
		return "+" + text(n)
	}
	return text(n)
}

// String returns the difference as text.
func (d *Difference) String() string {
	keys, findings := d.rows(names.Printable)
	var b strings.Builder
	fmt.Fprintf(&b, "From %s to %s\n\n", moment(d.Before), moment(d.After))
	table(&b, append([][]string{{"", "keys", "now", "", "memory", "now", ""}}, keys...), "lrrrrrr")
	if len(findings) > 0 {
		b.WriteByte('\n')
		table(&b, append([][]string{{"finding", "", "keys", "now", ""}}, findings...), "llrrr")
	}
	b.WriteString(d.notes())
	return b.String()
}

// notes say what the difference does not say.
func (d *Difference) notes() (text string) {
	if len(d.Unchecked) > 0 {
		list := make([]string, len(d.Unchecked))
		for i, kind := range d.Unchecked {
			list[i] = string(kind)
		}
		text += "\nNot compared, because one of the audits has not looked for it, or not in as much: " + strings.Join(list, ", ") + ".\n"
	}
	if !d.Complete {
		text += "\nOne of the audits was not complete.\n"
	}
	return text
}

// Markdown returns the difference in GitHub's flavour.
func (d *Difference) Markdown() string {
	keys, findings := d.rows(code)
	var b strings.Builder
	fmt.Fprintf(&b, "From %s to %s\n\n", moment(d.Before), moment(d.After))
	b.WriteString("| Keys of | Keys | Now | Change | Memory | Now | Change |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, row := range keys {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
	}
	if len(findings) > 0 {
		b.WriteString("\n| Finding | Declaration or shape | Keys | Now | Change |\n| --- | --- | ---: | ---: | ---: |\n")
	}
	for _, row := range findings {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
	}
	b.WriteString(d.notes())
	return b.String()
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "nothing"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}
