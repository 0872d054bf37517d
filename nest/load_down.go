package nest

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/redisimnest/redisimnest/nest/internal/flight"
)

// While Redis is away, loads do without it: no lock, and nothing is stored. A process then loads a
// key once at a time, and what it has loaded serves all callers of the next second.

// loadsDown returns how many loads of a key's declaration may run at a time without Redis; 0: none.
func (m *mounted) loadsDown() int {
	switch load := &m.settings.load; {
	case load.downSet:
		return load.down
	case m.def.kind == KindSecret:
		return 0
	}
	return DefaultLoadWhenDown
}

// loadDown calls the loader without Redis, or waits for another caller of this process who does.
// asked is when the caller began to ask Redis; zero stands for now.
func loadDown[V any, R Loadable[V]](ctx context.Context, r R, asked time.Time, load func(context.Context) (V, error)) (v V, err error) {
	ref := r.base()
	d := &ref.m.tree.downs
	if asked.IsZero() {
		asked = time.Now()
	}
	for {
		l, mine := d.Join(ref.key, asked)
		if mine {
			return flyDown(ctx, r, l, load)
		}
		select {
		case <-ctx.Done():
			return v, ref.fail(opLoad, ctx.Err())
		case <-l.Done():
		}
		switch shared, ok := l.Value.(V); {
		case l.Err == nil && ok:
			return copyOf(r, shared), nil
		case errors.Is(l.Err, errLoaderPanicked):
			return v, ref.fail(opLoad, l.Err)
		case l.Err != nil && !errors.Is(l.Err, errAbandoned):
			return v, l.Err
		case l.Err == nil:
			// The value cannot be shared, or is of another type under the same name.
			return callDown(ctx, ref, load)
		}
	}
}

// flyDown obtains the value that all callers wait for.
func flyDown[V any, R Loadable[V]](ctx context.Context, r R, l *flight.AloneLoad, load func(context.Context) (V, error)) (v V, err error) {
	ref := r.base()
	l.Err = errLoaderPanicked
	defer ref.m.tree.downs.Land(ref.key, l)
	v, err = callDown(ctx, ref, load)
	switch {
	case err == nil:
		l.Err = nil
		if r.shares() || separable(reflect.TypeFor[V]()) {
			l.Value = copyOf(r, v)
		}
	case ctx.Err() != nil:
		l.Err = errAbandoned
	default:
		l.Err = err
	}
	return v, err
}

// callDown calls the loader once there is a place for it.
func callDown[V any](ctx context.Context, ref address, load func(context.Context) (V, error)) (v V, err error) {
	leave, err := ref.m.tree.downs.Enter(ctx, ref.m, ref.m.loadsDown())
	if err != nil {
		return v, ref.fail(opLoad, err)
	}
	defer leave()
	o := callLoader(ctx, ref, load)
	if !o.returned {
		o.again()
	}
	return o.value, o.err
}

// rememberedFor returns what this process still remembers of a key while Redis is away: for as long
// as [StaleFor] says after the end of [LocalFor].
func rememberedFor[V any, R Loadable[V]](ctx context.Context, r R) (f found[V]) {
	ref := r.base()
	s := &ref.m.settings
	if s.local == 0 || s.load.stale == 0 || !ref.m.tree.remembers() {
		return f
	}
	c := r.whole()
	answer, ok := ref.remembered(formOf(c.cmd.Commands()), together(s.local, s.load.stale))
	if !ok || answer.IsNil() {
		return f
	}
	f, err := settle(ctx, ref, c.op, c.keyed, true, &answer, nil)
	if err != nil {
		return found[V]{}
	}
	return f
}

// copyOf returns a value that its receiver may change.
func copyOf[V any, R Loadable[V]](r R, v V) V {
	if r.shares() {
		return v
	}
	return clone(v)
}

// separable reports whether a clone shares nothing with its original that could be changed.
func separable(t reflect.Type) bool { return isSeparable(t, make(map[reflect.Type]bool)) }

func isSeparable(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] || t == reflect.TypeFor[time.Time]() {
		return true
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Slice, reflect.Array, reflect.Pointer:
		return isSeparable(t.Elem(), seen)
	case reflect.Map:
		return isSeparable(t.Key(), seen) && isSeparable(t.Elem(), seen)
	case reflect.Struct:
		for field := range t.Fields() {
			if !isSeparable(field.Type, seen) || !field.IsExported() && refers(field.Type) {
				return false
			}
		}
		return true
	case reflect.Interface, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return false
	}
	return true
}

// refers reports whether values of a type refer to something that can be changed.
func refers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return true
	case reflect.Array:
		return refers(t.Elem())
	case reflect.Struct:
		for field := range t.Fields() {
			if refers(field.Type) {
				return true
			}
		}
	}
	return false
}
