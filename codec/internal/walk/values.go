package walk

import (
	"encoding/json"
	"reflect"
	"sync"
)

// Values describes a walk through values, for what their types do not show.
type Values struct {
	// Own and Tags are as in [Types]. The parts of a type that defines its own form are not
	// inspected.
	Own  func(reflect.Type) bool
	Tags []string
	// Leaf returns the Look for values of type t, or nil, as for most types.
	Leaf func(t reflect.Type) Look

	known sync.Map // reflect.Type → *Plan
}

// A Look returns the reason why a value cannot be stored, or "". Optional reports whether a pointer
// or an interface leads to the value, so that it could as well be nil.
type Look func(v reflect.Value, optional bool) (reason string)

// Plan says where in the values of one type there is something to inspect.
type Plan struct {
	walk      *Values
	look      Look
	dynamic   bool // an interface type, whose values have any type
	key, elem *Plan
	fields    []fieldPlan
}

type fieldPlan struct {
	index int
	plan  *Plan
}

// Of returns the plan for values of type t, or nil if there is nothing to inspect in them.
func (w *Values) Of(t reflect.Type) *Plan {
	if known, ok := w.known.Load(t); ok {
		return known.(*Plan)
	}
	made := map[reflect.Type]*Plan{}
	p := w.plan(t, made)
	p = p.useful()
	w.known.Store(t, p)
	return p
}

func (w *Values) plan(t reflect.Type, made map[reflect.Type]*Plan) *Plan {
	if p, ok := made[t]; ok {
		return p
	}
	p := &Plan{walk: w, look: w.Leaf(t)}
	made[t] = p
	if p.look != nil || w.Own(t) {
		return p
	}
	switch t.Kind() {
	case reflect.Interface:
		p.dynamic = true
	case reflect.Pointer, reflect.Slice, reflect.Array:
		p.elem = w.plan(t.Elem(), made)
	case reflect.Map:
		p.key, p.elem = w.plan(t.Key(), made), w.plan(t.Elem(), made)
	case reflect.Struct:
		for f := range t.Fields() {
			if Tag(f, w.Tags) != "-" && (f.IsExported() || f.Anonymous) {
				p.fields = append(p.fields, fieldPlan{f.Index[0], w.plan(f.Type, made)})
			}
		}
	}
	return p
}

// useful returns p without the paths that lead to nothing to inspect, or nil if all do.
func (p *Plan) useful() *Plan {
	seen := map[*Plan]bool{}
	p.collect(seen)
	useful := map[*Plan]bool{}
	for changed := true; changed; { // plans may be cyclic
		changed = false
		for q := range seen {
			if !useful[q] && q.leads(useful) {
				useful[q], changed = true, true
			}
		}
	}
	for q := range seen {
		q.prune(useful)
	}
	if !useful[p] {
		return nil
	}
	return p
}

func (p *Plan) collect(seen map[*Plan]bool) {
	if p == nil || seen[p] {
		return
	}
	seen[p] = true
	p.key.collect(seen)
	p.elem.collect(seen)
	for _, f := range p.fields {
		f.plan.collect(seen)
	}
}

func (p *Plan) leads(useful map[*Plan]bool) bool {
	if p.look != nil || p.dynamic || useful[p.key] || useful[p.elem] {
		return true
	}
	for _, f := range p.fields {
		if useful[f.plan] {
			return true
		}
	}
	return false
}

func (p *Plan) prune(useful map[*Plan]bool) {
	if !useful[p.key] {
		p.key = nil
	}
	if !useful[p.elem] {
		p.elem = nil
	}
	fields := p.fields[:0]
	for _, f := range p.fields {
		if useful[f.plan] {
			fields = append(fields, f)
		}
	}
	p.fields = fields
}

// maxDepth is where the walk through cyclic values ends. The codec that writes them fails there.
const maxDepth = 1000

// Look returns the reason why v, a value of the plan's type, cannot be stored, or "". A nil plan
// never objects.
func (p *Plan) Look(v reflect.Value) (reason string) { return p.see(v, false, 0) }

func (p *Plan) see(v reflect.Value, optional bool, depth int) string {
	switch {
	case p == nil || depth > maxDepth:
		return ""
	case p.look != nil:
		return p.look(v, optional)
	case p.dynamic:
		if v.Kind() != reflect.Interface {
			return p.walk.seeAny(v, depth+1) // the content of an any, passed without the any
		}
		if v.IsNil() {
			return ""
		}
		return p.walk.seeAny(v.Elem(), depth+1)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return ""
		}
		return p.elem.see(v.Elem(), true, depth+1)
	case reflect.Slice, reflect.Array:
		return p.elements(v, depth)
	case reflect.Map:
		return p.entries(v, depth)
	}
	for _, f := range p.fields {
		if reason := f.plan.see(v.Field(f.index), false, depth+1); reason != "" {
			return reason
		}
	}
	return ""
}

func (p *Plan) elements(v reflect.Value, depth int) string {
	for i := range v.Len() {
		if reason := p.elem.see(v.Index(i), false, depth+1); reason != "" {
			return reason
		}
	}
	return ""
}

func (p *Plan) entries(v reflect.Value, depth int) string {
	if m, ok := reflect.TypeAssert[map[string]any](v); ok && p.key == nil {
		for _, held := range m {
			if reason := p.walk.held(held, depth+1); reason != "" {
				return reason
			}
		}
		return ""
	}
	for entry := v.MapRange(); entry.Next(); {
		if p.key != nil {
			if reason := p.key.see(entry.Key(), false, depth+1); reason != "" {
				return reason
			}
		}
		if p.elem != nil {
			if reason := p.elem.see(entry.Value(), false, depth+1); reason != "" {
				return reason
			}
		}
	}
	return ""
}

// held inspects what an any holds. Mostly there is nothing to inspect.
func (w *Values) held(v any, depth int) string {
	switch v.(type) {
	case nil, bool, int, int64, float64, json.Number:
		return ""
	}
	return w.seeAny(reflect.ValueOf(v), depth)
}

func (w *Values) seeAny(v reflect.Value, depth int) string {
	return w.Of(v.Type()).see(v, true, depth)
}
