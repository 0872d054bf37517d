package nest

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/nest/internal/behind"
	"github.com/redisimnest/redisimnest/nest/internal/flight"
	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
	"github.com/redisimnest/redisimnest/nest/internal/local"
	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// tree is a declaration tree that Open has laid out and proven. It is not changed afterwards.
type tree struct {
	client  rueidis.Client
	bare    bool // it was given as rueidis made it
	options openOptions
	top     *mounted
	mounts  []*mounted // in the order of declaration, parents before children
	// generations are the clusters that have a [Generation].
	generations []*mounted
	// secretive are the places that hide parameters, and the clusters that hide values, once they
	// were looked for.
	concealed sync.Once
	secretive []*mounted

	index   *names.Index
	flights flight.Group
	turns   flight.Turns
	downs   flight.Alone
	limits  local.Limits
	values  *local.Values[rueidis.RedisMessage] // of a client that cannot track; nil: no key has LocalFor
	lines   lines
	hubs    hubs
	strays  strays
	// whereabouts are the addresses of the servers, for the observers.
	whereabouts whereabouts
	behind      *behind.Tally // what goes on behind calls
	deaf        atomic.Int64  // until when the client is taken not to hear of changes, Unix nanoseconds
	caches      bool          // some key is declared Cached
	// untracked says that the client is known not to track what it reads. asked says that the
	// server is being asked, and unsaid how often it has refused to say.
	untracked, asked atomic.Bool
	unsaid           atomic.Int64

	// table finds the places of a declaration by its number: open addressing, a power of
	// two of rows, at most half of them taken.
	table []row
}

type row struct {
	def    *Declaration
	only   *mounted // the place of a declaration that has one
	mounts []*mounted
}

// observed reports whether anyone is told of operations.
func (t *tree) observed() bool { return len(t.options.observers) > 0 }

// maxMounts bounds a tree: a declaration that is mounted twice at each of thirty levels would
// make a billion places.
const maxMounts = 1 << 20

// asError returns the first of the joined errors of a tree, for the scope that goes with them.
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
	b := layOut(root, opts)
	if len(b.problems) == 0 {
		b.prove()
	}
	if len(b.problems) == 0 {
		b.bind()
		b.ageing()
	}
	if len(b.problems) > 0 {
		return nil, b.join()
	}
	return b.tree, nil
}

// layOut gives every declaration its places in a tree, and their names to its index.
func layOut(root *ClusterDef, opts []OpenOption) *builder {
	b := &builder{tree: &tree{behind: new(behind.Tally)}}
	b.options = defaultOptions()
	for _, o := range opts {
		if err := eachOption([]OpenOption{o}, func(o OpenOption) error { return o.applyOpen(&b.options) }); err != nil {
			b.problem(root.template.Text, err)
		}
	}
	b.mountTop()
	b.top.guarded = b.mount(b.top, &root.Declaration, nil).guarded
	b.top.last = len(b.mounts)
	if len(b.problems) == 0 {
		b.tabulate()
		b.enter()
	}
	return b
}

// builder lays out a tree and collects what is wrong with it.
type builder struct {
	*tree
	problems []error
	shared   names.Shared
	full     bool
	free     []site // for the next places
	binds    map[alike]any
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

// maxProblems bounds how many problems Open lists.
const maxProblems = names.MaxClashes

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

// mountTop makes the place above the root, which has the defaults that were passed to Open.
func (b *builder) mountTop() {
	b.top = &mounted{tree: b.tree, first: -1, name: names.Top(b.options.prefix)}
	b.top.settings = b.options.defaults.under(settings{codec: codec.Auto})
}

// declaredParam is a parameter's declaration at one place of the tree. used says that a template at
// that place or below has the parameter.
type declaredParam struct {
	*names.Spec
	used bool
}

// mount puts d below parent. specs types the parameters by their names.
func (b *builder) mount(parent *mounted, d *Declaration, specs map[string]*declaredParam) *mounted {
	if len(b.mounts) >= maxMounts {
		if !b.full {
			b.full = true
			b.problem(d.template.Text, fmt.Errorf("the tree has more than %d places", maxMounts))
		}
		return nil
	}
	if len(d.config.params) > 0 {
		inherited := specs
		specs = make(map[string]*declaredParam, len(inherited)+len(d.config.params))
		maps.Copy(specs, inherited)
		for _, s := range d.config.params {
			specs[s.Name] = &declaredParam{Spec: s}
		}
	}
	m := b.site()
	m.tree, m.def, m.parent, m.first = b.tree, d, parent, len(b.mounts)
	b.mounts = append(b.mounts, m)
	spec := func(name string) *names.Spec {
		if p := specs[name]; p != nil {
			return p.Spec
		}
		return nil
	}
	m.name = parent.name.Below(d.template, d.config.hashTag, spec, &b.shared)
	b.formerly(m, spec)
	m.settings = d.config.settings.under(parent.settings)
	if d.config.fieldTTL > 0 {
		m.settings.cached, m.settings.local = 0, 0 // the server tells of a field's end only once it has removed it
	}
	m.guarded = m.settings.protected
	m.hashTag = parent.hashTag || d.hashTag()
	if parent.hashTag && d.hashTag() {
		what := "HashTag"
		if d.template.Tag {
			what = "the template with braces"
		}
		b.problem(m.name.Text, fmt.Errorf("%s (%s) stands below another hash tag: there can be one on a path", what, d.where))
	}
	for _, s := range d.template.Slots {
		if p := specs[s.Name]; p != nil {
			p.used = true
		}
		if parent.name.Has(s.Name) {
			b.problem(m.name.Text, fmt.Errorf("parameter <%s> appears twice on the path (%s): rename one", s.Name, d.where))
		}
	}
	b.generationOf(m)
	for _, sub := range d.config.subs {
		if c := b.mount(m, sub.declared(), specs); c != nil && c.guarded {
			m.guarded = true
		}
	}
	m.last = len(b.mounts) - 1
	for _, s := range d.config.params {
		if !specs[s.Name].used {
			b.unused(m, s)
		}
	}
	return m
}

// site is the memory of one place of a tree. Many are allocated together, since a tree keeps them
// all.
type site struct {
	mounted
	loads atomic.Bool
}

func (b *builder) site() *mounted {
	if len(b.free) == 0 {
		b.free = make([]site, min(len(b.mounts)+4, 128))
	}
	r := &b.free[0]
	b.free = b.free[1:]
	r.mounted.loads = &r.loads
	return &r.mounted
}

// unused reports a declared parameter that no template at or below m has.
func (b *builder) unused(m *mounted, s *names.Spec) {
	for _, piece := range m.parent.name.Pieces {
		if p := piece.Param; p.Name == s.Name {
			b.problem(m.name.Text, tooLate(p, s))
			return
		}
	}
	var known []string
	for _, o := range b.mounts[m.first : m.last+1] {
		for _, slot := range o.def.template.Slots {
			known = append(known, slot.Name)
		}
	}
	hint := ""
	if near := names.Nearest(s.Name, known); near != "" {
		hint = ": did you mean <" + near + ">?"
	}
	b.problem(m.name.Text, fmt.Errorf("Params declares <%s> (%s), which no template here or below has%s", s.Name, s.Where, hint))
}

// tooLate reports a declaration of a parameter whose name a template above has, where p is what
// holds.
func tooLate(p *names.Param, s *names.Spec) error {
	if p.Type == nil {
		return fmt.Errorf("Params declares <%s> (%s) as %s below the template that has it, where nothing types it: put that Params there", s.Name, s.Where, s.Type)
	}
	if p.ID == s.ID {
		return fmt.Errorf("Params declares <%s> (%s) once more, below the template that has it: take it away here", s.Name, s.Where)
	}
	return fmt.Errorf("Params declares <%s> (%s) as %s, but the template above that has it takes it as %s (%s): keep one of the two declarations, where the template is",
		s.Name, s.Where, s.Type, p.Type, p.Where)
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
		if r.def == nil {
			r.def, r.only, r.mounts = m.def, m, b.mounts[m.first:m.first+1:m.first+1]
		} else {
			r.only, r.mounts = nil, append(r.mounts, m)
		}
	}
}

// enter puts the keys into the index.
func (b *builder) enter() {
	b.index = names.NewIndex()
	for _, m := range b.mounts {
		if !m.def.isCluster() {
			b.index.Add(m.first, &m.name)
			if m.formers != nil {
				for _, f := range m.formers.list {
					b.index.Add(m.first, &f.name)
				}
			}
		}
	}
	b.index.Seal()
}

// prove reports the keys that can have the same name.
func (b *builder) prove() {
	p := names.NewProof(b.index)
	for _, c := range p.Clashes() {
		b.problem(b.mounts[c.A].name.Text, because(ErrCollision, b.clash(c)))
	}
	for _, m := range b.mounts {
		if m.def.isCluster() {
			m.shares = p.Reaches(&m.name, m.first, m.last)
		}
	}
	b.top.shares = false
}

// clash says which two keys can have the same name.
func (b *builder) clash(c names.Clash) string {
	one, other := b.mounts[c.A], b.mounts[c.B]
	text := fmt.Sprintf("%s %s and %s %s ", one.def.kind, one.pathAs(c.Of), other.def.kind, other.pathAs(c.And))
	if c.Known {
		return text + fmt.Sprintf("can both be named %q", c.Example)
	}
	return text + fmt.Sprintf("are not proven apart: what UnmarshalText, Validate or a limit refuses, the proof takes, and so both would be named %q; "+
		"give one of them a literal of its own", c.Example)
}

// bind lets each key choose its codec and check its default.
func (b *builder) bind() {
	localSize := 0
	for _, m := range b.mounts {
		if m.def.bind == nil {
			continue
		}
		if m.settings.cached > 0 && m.settings.autoRenew && m.settings.ttl > 0 {
			b.problem(m.name.Text, fmt.Errorf("Cached and AutoRenew exclude each other (%s): a read that is served locally renews nothing", m.def.where))
		}
		if err := m.settings.load.check(m); err != nil {
			b.problem(m.name.Text, fmt.Errorf("%w (%s)", err, m.def.where))
		}
		m.loads.Store(m.settings.load.declared)
		b.caches = b.caches || m.settings.cached > 0
		if m.settings.cached > 0 {
			localSize = max(localSize, m.settings.localSize)
		}
		bound, err := b.bound(m)
		if err != nil {
			b.problem(m.name.Text, fmt.Errorf("%w (%s)", err, m.def.where))
		}
		m.bound = bound
	}
	if localSize > 0 {
		b.values = local.NewValues[rueidis.RedisMessage](localSize)
	}
}

// alike identifies what a kind prepares for a key.
type alike struct {
	bound reflect.Type
	codec codec.Codec
}

// bound returns what a key's kind prepares. Keys for which it is the same share one value.
func (b *builder) bound(m *mounted) (any, error) {
	if m.def.alike == nil || !reflect.ValueOf(m.settings.codec).Comparable() {
		return m.def.bind(m)
	}
	key := alike{m.def.alike, m.settings.codec}
	if bound, ok := b.binds[key]; ok {
		return bound, nil
	}
	bound, err := m.def.bind(m)
	if err == nil {
		if b.binds == nil {
			b.binds = make(map[alike]any)
		}
		b.binds[key] = bound
	}
	return bound, err
}

// at returns the place of the key that has this name, or nil.
func (t *tree) at(name string) *mounted {
	if i := t.index.Find(name); i >= 0 {
		return t.mounts[i].underName(name)
	}
	return nil
}

// find returns the only place of d at or below at, or nil.
func (t *tree) find(at *mounted, d *Declaration) *mounted {
	if below := within(t.places(d), at); len(below) == 1 {
		return below[0]
	}
	return nil
}

// within returns the places at or below at.
func within(mounts []*mounted, at *mounted) []*mounted {
	from, _ := slices.BinarySearchFunc(mounts, at.first, func(m *mounted, n int) int { return m.first - n })
	to, _ := slices.BinarySearchFunc(mounts, at.last+1, func(m *mounted, n int) int { return m.first - n })
	return mounts[from:to]
}

// notFound says why find returned no place.
func (t *tree) notFound(at *mounted, d *Declaration) *Error {
	all := t.places(d)
	where := "the scope " + at.path()
	switch below := within(all, at); {
	case d.node == nil:
		return &Error{Op: "at", Err: because(ErrNotMounted, "the declaration is a zero value: make it with Cluster, Key or another constructor")}
	case len(all) == 0:
		return &Error{Op: "at", Template: d.template.Text, Err: because(ErrNotMounted,
			fmt.Sprintf("%s (%s) is not in the tree that was opened: put it in a Sub", d, d.where))}
	case len(below) == 0:
		return &Error{Op: "at", Template: d.template.Text, Err: because(ErrNotMounted,
			fmt.Sprintf("%s is not below %s, but at %s", d, where, paths(all)))}
	default:
		return &Error{Op: "at", Template: d.template.Text, Err: because(ErrAmbiguous,
			fmt.Sprintf("%s is mounted below %s as %s: go to one of its clusters first", d, where, paths(below)))}
	}
}

// places returns every place of d.
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
		list = append(list, `"`+m.name.Text+`"`)
	}
	return strings.Join(list, ", ")
}

// slot returns the slot of a key, or 0 for every key if [SingleServer] says that slots do not
// matter.
func (t *tree) slot(key string) int {
	if t.options.singleServer {
		return 0
	}
	return int(hashslot.Of(key))
}

// inSlot reports whether a key lives in the slot. If the slot is -1, inSlot sets it to the key's
// own.
func (t *tree) inSlot(slot *int, key string) bool {
	s := t.slot(key)
	if *slot < 0 {
		*slot = s
	}
	return *slot == s
}
