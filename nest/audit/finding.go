package audit

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// The kinds of findings, beside those of [nest.Problem].
const (
	// Undeclared: nothing declares names of this shape.
	Undeclared nest.ProblemKind = "undeclared"
	// Orphan: what package nest keeps beside a key is left without it: the key does not exist, and
	// either nothing declares it or the companion never expires. (What is kept beside a key may
	// outlive it for a while, as the last token of a lock does.)
	Orphan nest.ProblemKind = "orphan"
	// OldName: the key stands under a former name, see [nest.Was].
	OldName nest.ProblemKind = "old name"
	// OldGeneration: the key is of a generation that is no longer the current one.
	OldGeneration nest.ProblemKind = "old generation"
)

// kinds are all kinds of findings, in the order of the report.
var kinds = []nest.ProblemKind{
	nest.Unsealed, nest.WrongType, nest.Undecodable, nest.RetiredVersion, nest.MissingTTL, nest.LongTTL,
	Undeclared, Orphan, OldName, OldGeneration,
}

// Kinds returns all kinds of findings, in the order of the report.
func Kinds() []nest.ProblemKind { return slices.Clone(kinds) }

// inValues are the kinds that are found only in values.
var inValues = []nest.ProblemKind{nest.Unsealed, nest.Undecodable, nest.RetiredVersion}

// meaning says what a kind is, in words.
var meaning = map[nest.ProblemKind]string{
	nest.Unsealed:       "stored without being sealed",
	nest.WrongType:      "another Redis type than the declared one",
	nest.Undecodable:    "values that are not of the declared type, or do not open",
	nest.RetiredVersion: "values in a version that the codec no longer reads",
	nest.MissingTTL:     "declared with a TTL, and without an expiry",
	nest.LongTTL:        "living longer than the declared TTL",
	Undeclared:          "names that nothing declares",
	Orphan:              "companions without their keys",
	OldName:             "keys under a former name",
	OldGeneration:       "keys of a former generation",
}

// Finding is what is wrong in the same way with keys of one declaration.
type Finding struct {
	Kind nest.ProblemKind `json:"kind"`
	// Template is the full template of the declaration. For [Undeclared] it is the shape of the
	// names, as [Group] has it, and for an [Orphan] whose key nothing declares too.
	Template string `json:"template"`
	// Keys is how many keys have it.
	Keys int64 `json:"keys"`
	// Text says what is wrong with the first example. It contains no value.
	Text string `json:"text,omitempty"`
	// Examples are some of the keys, redacted.
	Examples []string `json:"examples"`
	// Source is the position of the declaration, as "file:line", or "".
	Source string `json:"-"`
}

// String returns the finding as one line.
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %s", f.Kind, names.Printable(f.Template), amount(f.Keys, "key"))
	if f.Source != "" {
		fmt.Fprintf(&b, ", declared at %s", names.Printable(f.Source))
	}
	if len(f.Examples) > 0 {
		fmt.Fprintf(&b, ": %s", names.Printable(f.Examples[0]))
		if f.Text != "" {
			fmt.Fprintf(&b, " %s", names.Printable(f.Text))
		}
		for _, key := range f.Examples[1:] {
			fmt.Fprintf(&b, ", %s", names.Printable(key))
		}
		if int64(len(f.Examples)) < f.Keys {
			b.WriteString(", …")
		}
	}
	return b.String()
}

// ErrUnchecked means that a report does not say whether there is a finding: the audit is not
// complete, or it has read no values and is asked about them ([CheckValues]).
var ErrUnchecked = errors.New("not everything was checked")

// FindingsError is the error of [Report.Err].
type FindingsError struct {
	Findings []Finding
}

func (e *FindingsError) Error() string {
	var b strings.Builder
	keys := int64(0)
	for _, f := range e.Findings {
		keys += f.Keys
	}
	fmt.Fprintf(&b, "audit: %s, of %s", amount(int64(len(e.Findings)), "finding"), amount(keys, "key"))
	for _, f := range e.Findings {
		b.WriteString("\n\t" + f.String())
	}
	return b.String()
}

// Err returns nil if the audit has found nothing of these kinds, which are all if none is given,
// and otherwise a [*FindingsError]. For an audit that is not complete, or that is asked for kinds
// that only [CheckValues] finds and has read no values, the error wraps [ErrUnchecked]; without
// kinds, those are left out.
func (r *Report) Err(of ...nest.ProblemKind) error {
	for _, kind := range of {
		switch {
		case !slices.Contains(kinds, kind):
			return noKind(kind)
		case r.Values == 0 && slices.Contains(inValues, kind):
			return fmt.Errorf("audit: %w: %q is found in values, and none were read: use CheckValues", ErrUnchecked, string(kind))
		}
	}
	var list []Finding
	for _, f := range r.Findings {
		if len(of) == 0 || slices.Contains(of, f.Kind) {
			list = append(list, f)
		}
	}
	if r.Uncounted > 0 && (len(of) == 0 || slices.Contains(of, Undeclared)) {
		list = append(list, Finding{Kind: Undeclared, Template: r.Template + ":<...>", Keys: r.Uncounted})
	}
	var errs []error
	if len(list) > 0 {
		errs = append(errs, &FindingsError{list})
	}
	if !r.Complete {
		errs = append(errs, fmt.Errorf("audit: %w: the audit has not come to its end", ErrUnchecked))
	}
	return errors.Join(errs...)
}

// noKind refuses a kind that there is not.
func noKind(kind nest.ProblemKind) error {
	list := make([]string, len(kinds))
	for i, kind := range kinds {
		list[i] = string(kind)
	}
	return fmt.Errorf("%w: Err(%q): there is no such kind of finding: there are %s", nest.ErrArgument, string(kind), strings.Join(list, ", "))
}

// findings collects findings.
type findings struct {
	most int // examples of each
	list map[findingKey]*Finding
}

type findingKey struct {
	kind     nest.ProblemKind
	template string
}

func newFindings(most int) *findings {
	return &findings{most, make(map[findingKey]*Finding)}
}

// mostOrphans is how many shapes of names are told apart whose companions are left.
const mostOrphans = 200

// bounded returns the template under which a finding of the kind is kept: the given one, or one for
// all further ones if there are many.
func (f *findings) bounded(kind nest.ProblemKind, template string) string {
	if f.list[findingKey{kind, template}] != nil {
		return template
	}
	n := 0
	for k := range f.list {
		if k.kind == kind {
			n++
		}
	}
	if n >= mostOrphans {
		return "<...>"
	}
	return template
}

// add adds a key to a finding. key is called only if it becomes an example.
func (f *findings) add(kind nest.ProblemKind, template, source, text string, key func() string) {
	k := findingKey{kind, template}
	found := f.list[k]
	if found == nil {
		found = &Finding{Kind: kind, Template: template, Source: source}
		f.list[k] = found
	}
	found.Keys++
	if len(found.Examples) < f.most {
		if len(found.Examples) == 0 {
			found.Text = text
		}
		found.Examples = append(found.Examples, key())
	}
}

// sorted returns the findings in the order of the report.
func (f *findings) sorted() []Finding {
	list := make([]Finding, 0, len(f.list))
	for _, found := range f.list {
		list = append(list, *found)
	}
	slices.SortFunc(list, compareFindings)
	return list
}

func compareFindings(a, b Finding) int {
	return cmp.Or(
		cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)),
		cmp.Compare(b.Keys, a.Keys), cmp.Compare(a.Template, b.Template))
}
