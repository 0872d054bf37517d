package nest

import (
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/codec"
)

// tree is a declaration tree that Open has laid out and proven. It is not changed afterwards.
type tree struct {
	client  rueidis.Client
	options openOptions
	top     *mounted
	mounts  []*mounted // in the order of declaration, parents before children
	index   *index
	flights flights
	turns   turns
	caches  bool // some key is declared Cached

	// table finds the places of a declaration by its number: open addressing, a power of
	// two of rows, at most half of them taken.
	table []row
}

type row struct {
	def    *Declaration
	only   *mounted // the place of a declaration that has one
	mounts []*mounted
}

// maxMounts bounds a tree: a declaration that is mounted twice at each of thirty levels would
// make a billion places.
const maxMounts = 1 << 20

// Open lays the tree out under a client, checks it whole, and gives the scope that stands at
// its root or, when the root's own prefix has parameters, just above it. Nothing is sent.
//
// The error joins every problem of the tree, each an [*Error] that wraps [ErrDeclaration]:
// keys that can have the same name, parameters that appear twice on a path or that no template
// has, defaults that the codec cannot write. One tree can be opened many times.
func Open(client rueidis.Client, root *ClusterDef, opts ...OpenOption) (Scope, error) {
	t, err := newTree(root, opts)
	if err != nil {
		return Scope{err: asError(err)}, err
	}
	if client == nil && !t.options.namesOnly {
		err := &Error{Op: "open", Template: root.template.text, Err: because(ErrNoClient, "the client is nil (NamesOnly opens a tree without one)")}
		return Scope{err: err}, err
	}
	t.client = client
	slotless := client != nil && t.options.oneConnection && client.Mode() != rueidis.ClientModeCluster
	for _, m := range t.mounts {
		m.direct = client != nil && len(t.options.observers) == 0 && m.settings.cached == 0
		m.slotless = slotless && m.settings.cached == 0
	}
	at := t.top
	if first := t.mounts[0]; len(first.pieces) == 0 {
		at = first
	}
	return Scope{at: at, prefix: at.end}, nil
}

// Check reports everything that [Open] would refuse, without a client.
func Check(root *ClusterDef, opts ...OpenOption) error {
	_, err := newTree(root, opts)
	return err
}

// asError gives the first of the joined errors of a tree, for the scope that goes with them.
func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Op: "open", Err: err}
}

func newTree(root *ClusterDef, opts []OpenOption) (*tree, error) {
	if root == nil || root.id == 0 {
		return nil, &Error{Op: "open", Err: because(ErrDeclaration, "the root is nil or a zero value: make it with Cluster")}
	}
	b := &builder{tree: &tree{}, sets: make(map[escapeKey]*escapes)}
	b.flights.seed = maphash.MakeSeed()
	b.options = defaultOptions()
	for _, o := range opts {
		if o == nil {
			b.problem(root.template.text, errors.New("a nil option"))
			continue
		}
		if err := o.applyOpen(&b.options); err != nil {
			b.problem(root.template.text, err)
		}
	}
	b.mountTop()
	b.top.guarded = b.mount(b.top, &root.Declaration, nil).guarded
	b.top.last = len(b.mounts)
	if len(b.problems) == 0 {
		b.tabulate()
		b.prove()
	}
	if len(b.problems) == 0 {
		b.bind()
	}
	if len(b.problems) > 0 {
		return nil, b.join()
	}
	return b.tree, nil
}

// builder lays out a tree and collects what is wrong with it.
type builder struct {
	*tree
	problems []error
	sets     map[escapeKey]*escapes
	full     bool
}

func (b *builder) problem(template string, err error) {
	if !errors.Is(err, ErrDeclaration) {
		err = &declarationError{err}
	}
	b.problems = append(b.problems, &Error{Op: "open", Template: template, Err: err})
}

// declarationError makes any reason a kind of ErrDeclaration without changing its words.
type declarationError struct{ err error }

func (e *declarationError) Error() string   { return e.err.Error() }
func (e *declarationError) Unwrap() []error { return []error{ErrDeclaration, e.err} }

func (b *builder) join() error {
	n := len(b.problems)
	if n == 1 {
		return b.problems[0]
	}
	if n > maxProblems {
		b.problems = append(b.problems[:maxProblems:maxProblems], &Error{Op: "open", Err: because(ErrDeclaration, fmt.Sprintf("%d problems more", n-maxProblems))})
	}
	return errors.Join(b.problems...)
}

// mountTop makes the place above the root, which holds what Open was told to inherit.
func (b *builder) mountTop() {
	b.top = &mounted{tree: b.tree, first: -1, end: b.options.prefix, template: b.options.prefix}
	b.top.settings = b.options.defaults.under(settings{codec: codec.Auto})
}

// declaredParam is a parameter's declaration where it stands: used tells that a template there or
// below has the parameter.
type declaredParam struct {
	*paramSpec
	used bool
}

// mount puts d below parent. specs types the parameters by their names.
func (b *builder) mount(parent *mounted, d *Declaration, specs map[string]*declaredParam) *mounted {
	if len(b.mounts) >= maxMounts {
		if !b.full {
			b.full = true
			b.problem(d.template.text, fmt.Errorf("the tree has more than %d places", maxMounts))
		}
		return nil
	}
	if len(d.config.params) > 0 {
		inherited := specs
		specs = make(map[string]*declaredParam, len(inherited)+len(d.config.params))
		maps.Copy(specs, inherited)
		for _, s := range d.config.params {
			specs[s.name] = &declaredParam{paramSpec: s}
		}
	}
	m := &mounted{tree: b.tree, def: d, parent: parent, first: len(b.mounts), loads: new(atomic.Bool)}
	b.mounts = append(b.mounts, m)
	m.pieces, m.end, m.template = parent.extend(d.template, d.config.hashTag, specs, b.sets)
	m.endBlock = newBlock(m.end)
	m.settings = d.config.settings.under(parent.settings)
	if d.config.fieldTTL > 0 {
		m.settings.cached = 0 // the server tells of a field's end only once it has removed it
	}
	m.guarded = m.settings.protected
	m.hashTag = parent.hashTag || d.config.hashTag
	if parent.hashTag && d.config.hashTag {
		b.problem(m.template, fmt.Errorf("HashTag (%s) stands below another HashTag: there can be one on a path", d.where))
	}
	for i, s := range d.template.slots {
		if p := specs[s.name]; p != nil {
			p.used = true
		}
		if hasParam(parent.pieces, d.template.slots[i].name) {
			b.problem(m.template, fmt.Errorf("parameter <%s> appears twice on the path (%s): rename one", d.template.slots[i].name, d.where))
		}
	}
	for _, sub := range d.config.subs {
		if c := b.mount(m, sub.declared(), specs); c != nil && c.guarded {
			m.guarded = true
		}
	}
	m.last = len(b.mounts) - 1
	for _, s := range d.config.params {
		if !specs[s.name].used {
			b.unused(m, s)
		}
	}
	return m
}

// unused reports a declared parameter that no template at or below m has.
func (b *builder) unused(m *mounted, s *paramSpec) {
	for _, piece := range m.parent.pieces {
		if p := piece.param; p.name == s.name {
			b.problem(m.template, tooLate(p, s))
			return
		}
	}
	var names []string
	for _, o := range b.mounts[m.first : m.last+1] {
		for _, slot := range o.def.template.slots {
			names = append(names, slot.name)
		}
	}
	hint := ""
	if near := nearest(s.name, names); near != "" {
		hint = ": did you mean <" + near + ">?"
	}
	b.problem(m.template, fmt.Errorf("Params declares <%s> (%s), which no template here or below has%s", s.name, s.where, hint))
}

// tooLate tells of a declaration of a parameter whose name a template above has, where p is what
// holds.
func tooLate(p *param, s *paramSpec) error {
	if p.typ == nil {
		return fmt.Errorf("Params declares <%s> (%s) as %s below the template that has it, where nothing types it: put that Params there", s.name, s.where, s.typ)
	}
	if p.id == s.id {
		return fmt.Errorf("Params declares <%s> (%s) once more, below the template that has it: take it away here", s.name, s.where)
	}
	return fmt.Errorf("Params declares <%s> (%s) as %s, but the template above that has it takes it as %s (%s): keep one of the two declarations, where the template is",
		s.name, s.where, s.typ, p.typ, p.where)
}

// tabulate makes the table that finds the places of a declaration.
func (b *builder) tabulate() {
	size := 4
	for size < 2*len(b.mounts) {
		size *= 2
	}
	b.table = make([]row, size)
	for _, m := range b.mounts {
		i := int(m.def.id) & (size - 1)
		for b.table[i].def != nil && b.table[i].def != m.def {
			i = (i + 1) & (size - 1)
		}
		r := &b.table[i]
		r.def, r.mounts = m.def, append(r.mounts, m)
		if r.only = m; len(r.mounts) > 1 {
			r.only = nil
		}
	}
}

// prove indexes the keys and reports those that can have the same name.
func (b *builder) prove() {
	b.index = newIndex()
	for _, m := range b.mounts {
		if !m.def.isCluster() {
			b.index.add(m)
		}
	}
	b.index.seal()
	for _, c := range prove(b.index) {
		c.Err = &declarationError{c.Err}
		b.problems = append(b.problems, c)
	}
	for _, m := range b.mounts {
		if m.def.isCluster() {
			m.shares = b.index.reaches(m)
		}
	}
	b.top.shares = false
}

// bind lets each key choose its codec and check its default.
func (b *builder) bind() {
	for _, m := range b.mounts {
		if m.def.bind == nil {
			continue
		}
		if m.settings.cached > 0 && m.settings.autoRenew && m.settings.ttl > 0 {
			b.problem(m.template, fmt.Errorf("Cached and AutoRenew exclude each other (%s): a read that is served locally renews nothing", m.def.where))
		}
		if err := m.settings.load.check(m); err != nil {
			b.problem(m.template, fmt.Errorf("%w (%s)", err, m.def.where))
		}
		m.loads.Store(m.settings.load.declared)
		b.caches = b.caches || m.settings.cached > 0
		bound, err := m.def.bind(m)
		if err != nil {
			b.problem(m.template, fmt.Errorf("%w (%s)", err, m.def.where))
		}
		m.bound = bound
	}
}

// find gives the only place of d at or below at, or nil.
func (t *tree) find(at *mounted, d *Declaration) *mounted {
	if below := within(t.places(d), at); len(below) == 1 {
		return below[0]
	}
	return nil
}

// within gives the places at or below at.
func within(mounts []*mounted, at *mounted) []*mounted {
	from, _ := slices.BinarySearchFunc(mounts, at.first, func(m *mounted, n int) int { return m.first - n })
	to, _ := slices.BinarySearchFunc(mounts, at.last+1, func(m *mounted, n int) int { return m.first - n })
	return mounts[from:to]
}

// notFound tells why find gave no place.
func (t *tree) notFound(at *mounted, d *Declaration) *Error {
	all := t.places(d)
	where := "the scope " + at.path()
	switch below := within(all, at); {
	case d.node == nil:
		return &Error{Op: "at", Err: because(ErrNotMounted, "the declaration is a zero value: make it with Cluster, Key or another constructor")}
	case len(all) == 0:
		return &Error{Op: "at", Template: d.template.text, Err: because(ErrNotMounted,
			fmt.Sprintf("%s (%s) is not in the tree that was opened: put it in a Sub", d, d.where))}
	case len(below) == 0:
		return &Error{Op: "at", Template: d.template.text, Err: because(ErrNotMounted,
			fmt.Sprintf("%s is not below %s, but at %s", d, where, paths(all)))}
	default:
		return &Error{Op: "at", Template: d.template.text, Err: because(ErrAmbiguous,
			fmt.Sprintf("%s is mounted below %s as %s: go to one of its clusters first", d, where, paths(below)))}
	}
}

// places gives every place of d.
func (t *tree) places(d *Declaration) []*mounted {
	mask := len(t.table) - 1
	for i := int(d.id) & mask; t.table[i].def != nil; i = (i + 1) & mask {
		if t.table[i].def == d {
			return t.table[i].mounts
		}
	}
	return nil
}

// paths lists templates for a person.
func paths(mounts []*mounted) string {
	const most = 8
	var list []string
	for i, m := range mounts {
		if i == most {
			list = append(list, fmt.Sprintf("%d more", len(mounts)-most))
			break
		}
		list = append(list, `"`+m.template+`"`)
	}
	return strings.Join(list, ", ")
}
