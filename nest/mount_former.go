package nest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// formers are the former names of a place, the likeliest first.
type formers struct {
	// list holds the place under each former name. Nothing is moved to such a place.
	list []*mounted
	// bare is the place under its present name, from which nothing is moved.
	bare *mounted
	// far reports whether some names are in another slot than the present one.
	far bool
}

// maxFormers is the maximum number of former names of a key. Each Was on a path doubles them.
const maxFormers = 7

// presently returns the place under its present name.
func (m *mounted) presently() *mounted {
	if m.present != nil {
		return m.present
	}
	return m
}

// formerly notes the former names of a place.
func (b *builder) formerly(m *mounted, spec func(string) *names.Spec) {
	d, above := m.def, m.parent.formers
	if d.config.was == nil && above == nil {
		return
	}
	if !slices.Contains(wasKinds, d.kind) {
		b.problem(m.name.Text, fmt.Errorf("the %s (%s) is below a cluster that declares Was, and cannot have two names: declare it outside of that cluster", d.kind, d.where))
		return
	}
	m.formers = &formers{}
	was := d.config.was
	if was != nil {
		if err := sameParams(d.template, was.template); err != nil {
			b.problem(m.name.Text, fmt.Errorf("Was(%q) (%s): %w", was.text, d.where, err))
			return
		}
		b.former(m, m.parent, was.template, false, spec).across = was.across
	}
	if above == nil {
		return
	}
	for _, parent := range above.list {
		b.former(m, parent, d.template, d.config.hashTag, spec).across = parent.across
		if was != nil {
			b.former(m, parent, was.template, false, spec).across = parent.across || was.across
		}
	}
}

// former adds a former name.
func (b *builder) former(m, parent *mounted, t names.Template, tag bool, spec func(string) *names.Spec) *mounted {
	f := &mounted{tree: b.tree, def: m.def, parent: parent, first: m.first, last: m.first}
	f.name = parent.name.Below(t, tag, spec, &b.shared)
	m.formers.list = append(m.formers.list, f)
	switch {
	case len(m.formers.list) > maxFormers:
		b.problem(m.name.Text, fmt.Errorf("there are more than %d former names: each Was on a path doubles them", maxFormers))
	case f.name.Text == m.name.Text && !m.def.isCluster():
		b.problem(m.name.Text, fmt.Errorf("a former name is the present one (%s)", m.def.where))
	case strings.Count(f.name.Text, "{") > 1:
		b.problem(m.name.Text, fmt.Errorf("the former name %q has two hash tags: there can be one on a path", f.name.Text))
	}
	return f
}

// sameParams returns an error unless two templates have the same parameters.
func sameParams(now, was names.Template) error {
	list := func(t names.Template) (params []string) {
		for _, s := range t.Slots {
			name := "<" + s.Name + ">"
			if s.Tail {
				name = "<" + s.Name + "...>"
			}
			params = append(params, name)
		}
		slices.Sort(params)
		return params
	}
	if n, w := list(now), list(was); !slices.Equal(n, w) {
		return fmt.Errorf("a former template has the same parameters: it has %s, and the present one %s", listed(w), listed(n))
	}
	return nil
}

func listed(params []string) string {
	if len(params) == 0 {
		return "none"
	}
	return strings.Join(params, ", ")
}

// settle completes the places of former names, once everything else about m is known.
func (f *formers) settle(m *mounted) {
	bare := *m
	bare.formers = nil
	f.bare = &bare
	for _, former := range f.list {
		name, across := former.name, former.across
		*former = bare
		former.name, former.present, former.across = name, m, across
	}
	m.direct = false
}

// settleFormers completes the places of all former names. On a Redis Cluster it returns an error
// for a key that would have to move to another slot.
func (t *tree) settleFormers() error {
	for _, m := range t.mounts {
		if m.formers == nil {
			continue
		}
		m.formers.settle(m)
		if m.generation != nil {
			if err := m.generation.settle(t, m); err != nil {
				return err
			}
		}
		if t.client == nil || t.client.Mode() != rueidis.ClientModeCluster || m.def.isCluster() {
			continue
		}
		for _, f := range m.formers.list {
			switch {
			case m.sharesSlot(f):
			case f.across:
				m.formers.far = true
			default:
				return &Error{Op: "open", Template: m.name.Text, Err: because(ErrDeclaration,
					fmt.Sprintf("its former name %q is in another slot of the Redis Cluster: both names need the same part in braces, or Was the option AcrossSlots", f.name.Text))}
			}
		}
	}
	return nil
}

// sharesSlot reports whether the key is in one slot under its present name and under a former one.
func (m *mounted) sharesSlot(former *mounted) bool {
	tag := hashTagOf(m.name.Text)
	return tag != "" && tag == hashTagOf(former.name.Text)
}

// hashTagOf returns the part of a template that is in braces.
func hashTagOf(template string) string {
	_, after, _ := strings.Cut(template, "{")
	tag, _, _ := strings.Cut(after, "}")
	return tag
}

// underName returns the place of a name that is known to be a present or a former one of m.
func (m *mounted) underName(name string) *mounted {
	if m.formers == nil || m.name.Takes(name) {
		return m
	}
	for _, f := range m.formers.list {
		if f.name.Takes(name) {
			return f
		}
	}
	return m
}

// olds returns the former names of a key of m.
func (m *mounted) olds(key string) []string {
	names := make([]string, len(m.formers.list))
	for i, f := range m.formers.list {
		names[i] = m.name.Translate(key, &f.name)
	}
	return names
}
