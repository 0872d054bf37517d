package nest

import (
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// generation is what a tree knows about a cluster with a [Generation].
type generation struct {
	param string
	// number is the place of the number beside which it is kept: the name of the cluster as far as
	// it stands before the generation.
	number *mounted
	// formers are such names under the former names of the cluster.
	formers []names.Name
	// single reports whether the number has no parameters, and fixed is its full name then, once
	// it was asked for.
	single bool
	named  sync.Once
	fixed  string
	// newest is the greatest number beside each name that this client has seen.
	newest newest
}

// generationCached is how long the number may be read from the client's memory.
const generationCached = time.Minute

// generationOf notes the generation of a place.
func (b *builder) generationOf(m *mounted) {
	param := m.def.config.generation
	if param == "" {
		return
	}
	refuse := func(format string, args ...any) {
		b.problem(m.name.Text, fmt.Errorf("Generation(%q) (%s): "+format, append([]any{param, m.def.where}, args...)...))
	}
	for above := m.parent; above != nil; above = above.parent {
		if above.generation != nil {
			refuse("it stands below the generation of %s: there can be one on a path", above.path())
			return
		}
	}
	last := len(m.name.Pieces) - 1
	if p := m.name.Pieces[last].Param; p.Type != nil && p.Type.Kind() != reflect.Int64 || p.Type != nil && p.Class != names.IntClass {
		refuse("Params declares <%s> (%s) as %s: a generation is an int64", param, p.Where, p.Type)
		return
	} else if p.Validate != nil || p.MaxLen < len("9007199254740991") {
		refuse("<%s> (%s) must take every number: take Validate and MaxLen away", param, p.Where)
		return
	}
	g := &generation{param: param}
	number := &mounted{tree: b.tree, def: m.def, parent: m.parent, first: m.first, last: m.first, loads: new(atomic.Bool)}
	number.name = m.name.Before(last)
	number.settings.cached, number.settings.codec = generationCached, m.settings.codec
	g.number, m.generation = number, g
	g.single = last == 0
	if m.formers == nil {
		return
	}
	for _, f := range m.formers.list {
		if len(f.name.Pieces) != len(m.name.Pieces) || f.name.Pieces[last].Param.Name != param {
			refuse("the former name %q has to have <%s> as its last parameter, too", f.name.Text, param)
			return
		}
		g.formers = append(g.formers, f.name.Before(last))
	}
}

// ageing reports the keys below a generation that would stay for ever.
func (b *builder) ageing() {
	for _, m := range b.mounts {
		if m.generation == nil {
			continue
		}
		b.generations = append(b.generations, m)
		for _, o := range b.mounts[m.first+1 : m.last+1] {
			if o.settings.ttl == 0 && !o.def.isCluster() && o.def.kind != KindChannel {
				b.problem(o.name.Text, fmt.Errorf("%s (%s) has no TTL, and is below the generation of %s: "+
					"old generations end only as their keys do, so give it a TTL, or the cluster", o.def, o.def.where, m.path()))
			}
		}
	}
}

// settle returns an error for a number that would have to move to another slot of a Redis Cluster.
func (g *generation) settle(t *tree, m *mounted) error {
	if t.client == nil || t.client.Mode() != rueidis.ClientModeCluster {
		return nil
	}
	for i := range g.formers {
		if tag := hashTagOf(g.number.name.Text); tag == "" || tag != hashTagOf(g.formers[i].Text) {
			return &Error{Op: "open", Template: m.name.Text, Err: because(ErrDeclaration,
				"the number of its generation has a former name in another slot of the Redis Cluster: both names need the same part in braces, before the generation")}
		}
	}
	return nil
}

// generationAt returns the place of the number that is kept beside a name, or nil.
func (t *tree) generationAt(name string) *mounted {
	for _, m := range t.generations {
		if number := m.generation.number; number.name.Takes(name) {
			return number
		}
	}
	return nil
}

// newest remembers the greatest number beside each name that a client has seen: those of the last
// two minutes, in which the client's cache may still hold an older one, and as many more as fit.
type newest struct {
	one atomic.Int64 // of the only name

	mu         sync.RWMutex
	young, old map[string]remembered
	since      time.Time // of the first of the young ones
}

// remembered is the greatest number that was seen beside a name, and the key of that number.
type remembered struct {
	key    string
	number int64
}

const (
	newestKept = 1 << 13
	newestFor  = 2 * generationCached
)

// of returns what is remembered of the number beside a name.
func (n *newest) of(name []byte) remembered {
	n.mu.RLock()
	r, ok := n.young[string(name)]
	if !ok {
		r = n.old[string(name)]
	}
	n.mu.RUnlock()
	return r
}

// note remembers a number that is greater than the one before it. The key is that of the number
// beside the name.
func (n *newest) note(name, key string, single bool, number int64) {
	if single {
		for {
			if before := n.one.Load(); before >= number || n.one.CompareAndSwap(before, number) {
				return
			}
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	switch {
	case n.young == nil:
		n.young, n.since = make(map[string]remembered), now
	case len(n.young) >= newestKept && now.Sub(n.since) > newestFor:
		n.young, n.old, n.since = make(map[string]remembered), n.young, now
	}
	n.young[name] = remembered{key, max(number, n.young[name].number, n.old[name].number)}
}
