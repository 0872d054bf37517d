package nest

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// flights lets the goroutines of a process that miss the same key share one load.
type flights struct {
	mu  sync.Mutex
	now map[string]*flight
}

type flight struct {
	done  chan struct{}
	value any
	err   error
}

// join gives the flight for a key, and whether the caller is the one who flies it.
func (f *flights) join(key string) (*flight, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.now[key]; now != nil {
		return now, false
	}
	if f.now == nil {
		f.now = make(map[string]*flight)
	}
	mine := &flight{done: make(chan struct{})}
	f.now[key] = mine
	return mine, true
}

func (f *flights) land(key string, mine *flight) {
	f.mu.Lock()
	delete(f.now, key)
	f.mu.Unlock()
	close(mine.done)
}

const opLoad = "get or load"

// errLoaderPanicked is what those get who waited for a loader that panicked.
var errLoaderPanicked = errors.New("the load of another goroutine panicked or ended that goroutine")

// GetOrLoad gives the stored value or, when the key does not exist, what load makes, which it
// stores with the declared TTL (GET, or GETEX with AutoRenew, and SET NX). The default is not used.
//
// Goroutines of this process that miss the key at the same time share one load: the first one's
// load runs with its context, and if that ends before the load does, the others try again. A
// value that somebody else stored during the load is not overwritten: it is what GetOrLoad
// gives. An error of load is returned as it is and nothing is stored; when load panics, the
// panic goes to the caller whose load it was, and the others get an error. A load that calls
// GetOrLoad for the same key waits for itself.
func (r KeyRef[T]) GetOrLoad(ctx context.Context, load func(context.Context) (T, error)) (T, error) {
	return watched(ctx, r.Ref, opLoad, func() (T, error) {
		if err := r.ready(ctx); err != nil {
			var zero T
			return zero, err
		}
		l := loading[T]{r.Ref, r.lookup, func(v T) command[bool] { return r.setIf(&opSetIfAbsent, "NX", v, nil) }, r.value().shareable}
		return l.getOrLoad(ctx, load)
	})
}

// loading is GetOrLoad of a kind that stores one value as a string.
type loading[T any] struct {
	Ref
	lookup    func() command[found[T]]
	store     func(T) command[bool] // unless the key exists
	shareable bool                  // a T cannot be changed by who holds it
}

func (r *loading[T]) getOrLoad(ctx context.Context, load func(context.Context) (T, error)) (v T, err error) {
	if load == nil {
		return v, r.fail(opLoad, because(ErrArgument, "the loader is nil"))
	}
	for {
		v, ok, err := both(send(ctx, r.Ref, r.lookup()))
		if ok || err != nil {
			return v, err
		}
		f, mine := r.m.tree.flights.join(r.key)
		if mine {
			return r.fly(ctx, f, load)
		}
		select {
		case <-ctx.Done():
			return v, r.fail(opLoad, ctx.Err())
		case <-f.done:
		}
		if f.err == nil {
			if v, ok := f.value.(T); ok {
				return v, nil
			}
			continue // another type under the same name, or a value to be read anew
		}
		if errors.Is(f.err, errLoaderPanicked) {
			return v, r.fail(opLoad, f.err)
		}
		if !errors.Is(f.err, errAbandoned) {
			return v, f.err
		}
	}
}

// errAbandoned marks a load that ended because its caller's context did.
var errAbandoned = errors.New("the load was abandoned")

// fly runs the load, stores what it made and tells those who wait.
func (r *loading[T]) fly(ctx context.Context, f *flight, load func(context.Context) (T, error)) (v T, err error) {
	f.err = errLoaderPanicked
	defer func() { r.m.tree.flights.land(r.key, f) }()
	// Between this caller's miss and its turn another load may have landed.
	v, ok, err := both(send(ctx, r.Ref, r.lookup()))
	if !ok && err == nil {
		if v, err = load(ctx); err == nil {
			v, err = r.keepLoaded(ctx, v)
		}
	}
	switch {
	case err == nil:
		f.err = nil
		if r.shareable {
			f.value = v
		}
	case ctx.Err() != nil:
		f.err = fmt.Errorf("%w: %w", errAbandoned, err)
	default:
		f.err = err
	}
	return v, err
}

// keepLoaded stores a loaded value unless somebody was faster, and gives what is stored.
func (r *loading[T]) keepLoaded(ctx context.Context, v T) (T, error) {
	stored, err := send(ctx, r.Ref, r.store(v))
	if stored || err != nil {
		return v, err
	}
	now, ok, err := both(send(ctx, r.Ref, r.lookup()))
	if err == nil && !ok {
		return v, nil // it came and went: what was loaded is as good
	}
	return now, err
}
