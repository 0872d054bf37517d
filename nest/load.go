package nest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

const (
	opLoad    = "get or load" // what the caller called
	opLoading = "load"        // what the loader did
)

// How long a process waits before it tries again to load a key anew in the background: when the
// loader failed, and when somebody else is loading.
const (
	pauseFailed = time.Second
	pauseHeld   = 100 * time.Millisecond
)

// Loadable is a reference whose key can be loaded as a whole, as a V: that of every kind that has
// a GetOrLoad.
type Loadable[V any] interface {
	base() address
	// whole reads all that the key holds, without the default.
	whole() command[found[V]]
	// fill tells how v is written. Its arguments are none when v is empty.
	fill(v V) (filling, error)
	// shares tells that a V can be given to several callers.
	shares() bool
}

// filling is the command that writes a value to a key that does not exist.
type filling struct {
	command string
	args    []string
}

// getOrLoad is the GetOrLoad of every kind.
//
//nest:ttl restarts
func getOrLoad[V any, R Loadable[V]](ctx context.Context, r R, load func(context.Context) (V, error)) (V, error) {
	ref := r.base()
	if ref.m == nil || len(ref.m.tree.options.observers) == 0 {
		v, _, err := readThroughLoader(ctx, r, load)
		return v, err
	}
	start := time.Now()
	v, hit, err := readThroughLoader(ctx, r, load)
	ref.tell(ctx, Event{Op: opLoad, Start: start, CacheHit: hit, Err: err})
	return v, err
}

func readThroughLoader[V any, R Loadable[V]](ctx context.Context, r R, load func(context.Context) (V, error)) (v V, hit bool, err error) {
	ref := r.base()
	if err := ref.ready(ctx, opLoad); err != nil {
		return v, false, err
	}
	if load == nil {
		return v, false, ref.fail(opLoad, because(ErrArgument, "the loader is nil"))
	}
	if !ref.m.loads.Load() {
		ref.m.loads.Store(true)
	}
	flights := &ref.m.tree.flights
	for {
		f, due, hit, err := look(ctx, r)
		if err != nil {
			return v, hit, err
		}
		if due && flights.rested(ref.key) {
			loadAnew(ctx, r, load)
		}
		if f.ok {
			return f.value, hit, nil
		}
		flight, mine := flights.join(ref.key)
		if mine {
			v, err = fly(ctx, r, flight, load)
			return v, false, err
		}
		select {
		case <-ctx.Done():
			return v, false, ref.fail(opLoad, ctx.Err())
		case <-flight.done:
		}
		switch shared, ok := flight.value.(V); {
		case flight.err == nil && ok:
			return shared, false, nil
		case flight.err == nil || errors.Is(flight.err, errAbandoned):
			// To be read anew, or another type under the same name, or nobody's load.
		case errors.Is(flight.err, errLoaderPanicked):
			return v, false, ref.fail(opLoad, flight.err)
		default:
			return v, false, flight.err
		}
	}
}

// look reads a key, and tells whether it is due to be loaded anew.
func look[V any, R Loadable[V]](ctx context.Context, r R) (f found[V], due, hit bool, err error) {
	ref, c := r.base(), r.whole()
	window := ref.m.settings.load.window()
	if window == 0 {
		f, hit, err = deliver(ctx, ref, c)
		return f, false, hit, err
	}
	client := ref.m.tree.client
	pttl := ref.b().Pttl().Key(ref.key).Build()
	var left int64
	if ref.m.settings.cached > 0 {
		answer, answerErr := exchange(ctx, ref, &c)
		hit = answer.IsCacheHit()
		if f, err = finish(ctx, ref, &c, &answer, answerErr); !f.ok || answer.CachePTTL() > window.Milliseconds() {
			return f, false, hit, err // the key lives longer than its place in the cache
		}
		left, err = client.Do(ctx, pttl).AsInt64()
	} else {
		answers := client.DoMulti(ctx, ref.m.tree.inFull(c.cmd), pttl)
		answer, answerErr := answers[0].ToMessage()
		if f, err = finish(ctx, ref, &c, &answer, answerErr); !f.ok {
			return f, false, false, err
		}
		left, err = answers[1].AsInt64()
	}
	// A value is there all the same when nobody knows how long.
	return f, err == nil && left >= 0 && left <= window.Milliseconds(), hit, nil
}

// reread asks the server, not the client's cache, for what a key holds.
func reread[V any, R Loadable[V]](ctx context.Context, r R) (found[V], error) {
	c := r.whole()
	c.cacheable = false
	return send(ctx, r.base(), c)
}

// errAbandoned marks a flight that came to nothing because its caller's context ended, or because
// it was none: those who waited for it try themselves.
var errAbandoned = errors.New("the load was abandoned")

// fly makes a value that all who miss the key wait for.
func fly[V any, R Loadable[V]](ctx context.Context, r R, f *flight, load func(context.Context) (V, error)) (v V, err error) {
	ref := r.base()
	f.err = errLoaderPanicked
	defer ref.m.tree.flights.land(ref.key, f)
	v, shared, err := obtain(ctx, r, f, load)
	switch {
	case err == nil:
		f.err = nil
		if shared && r.shares() {
			f.value = v
		}
	case ctx.Err() != nil:
		f.err = fmt.Errorf("%w: %w", errAbandoned, err)
	default:
		f.err = err
	}
	return v, err
}

// obtain loads the value of a missing key, or waits until somebody else has. It tells whether
// the value may be given to those who waited.
func obtain[V any, R Loadable[V]](ctx context.Context, r R, f *flight, load func(context.Context) (V, error)) (v V, shared bool, err error) {
	ref := r.base()
	lock := newLoadLock(ref)
	why := loadMissing
	for began := time.Now(); ; {
		state, err := lock.take(ctx, why)
		if err != nil {
			lock.free(ctx, "") // it may have been taken, and the answer lost
			return v, false, err
		}
		switch state {
		case loadTaken:
			if why == loadBlank {
				// Somebody may have written what can be read before the lock was taken.
				if now, err := reread(ctx, r); err != nil || now.ok {
					lock.free(ctx, "")
					return now.value, false, err
				}
			}
			return loadAndKeep(ctx, r, f, lock, load)
		case noted:
			return v, false, ref.fail(opLoad, ErrNotFound)
		case keyThere, notedEmpty:
			now, err := reread(ctx, r)
			if err != nil || now.ok || state == notedEmpty {
				return now.value, false, err
			}
			why = loadBlank // or gone since
			continue
		case loadHeld:
			if err := lock.await(ctx, began); err != nil {
				return v, false, ref.fail(opLoad, err)
			}
		}
		why = loadMissing
	}
}

// loadAnew loads a value that exists, in the background.
func loadAnew[V any, R Loadable[V]](ctx context.Context, r R, load func(context.Context) (V, error)) {
	ref := r.base()
	flights := &ref.m.tree.flights
	f, mine := flights.join(ref.key)
	if !mine {
		return
	}
	ctx = context.WithoutCancel(ctx)
	go func() {
		f.err = errAbandoned // who misses the key meanwhile has a loader of its own
		defer flights.land(ref.key, f)
		lock := newLoadLock(ref)
		ctx, cancel := context.WithTimeout(ctx, ref.m.settings.load.leased())
		defer cancel()
		state, err := lock.take(ctx, loadAgeing)
		if err != nil {
			lock.free(ctx, "") // it may have been taken, and the answer lost
		}
		if err != nil || state != loadTaken {
			flights.pause(ref.key, pauseHeld)
			return
		}
		defer func() {
			if recover() != nil {
				// The observers have been told; there is no caller whose panic it could be.
				flights.pause(ref.key, pauseFailed)
			}
		}()
		if _, _, err := loadAndKeep(ctx, r, f, lock, load); err != nil {
			flights.pause(ref.key, pauseFailed)
			return
		}
		f.err = nil
	}()
}

// loadAndKeep calls the loader under the lock, which ends with it, and stores what it made.
func loadAndKeep[V any, R Loadable[V]](ctx context.Context, r R, f *flight, lock *loadLock, load func(context.Context) (V, error)) (v V, shared bool, err error) {
	ref := r.base()
	o := callLoader(ctx, ref, load)
	if !o.returned {
		lock.free(ctx, "")
		o.again()
	}
	if o.err != nil {
		note := ""
		if errors.Is(o.err, ErrNotFound) {
			note = noted
		}
		ref.m.tree.flights.close(ref.key, f)
		lock.free(ctx, note)
		return v, false, o.err
	}
	filling, err := r.fill(o.value)
	if err != nil {
		lock.free(ctx, "")
		return v, false, ref.fail(opLoad, err)
	}
	ref.m.tree.flights.close(ref.key, f)
	if len(filling.args) == 0 {
		lock.free(ctx, notedEmpty)
		return o.value, false, nil
	}
	switch kept, err := lock.keep(ctx, filling); {
	case err != nil:
		lock.free(ctx, "")
		return o.value, false, err
	case kept:
		return o.value, true, nil
	}
	// Somebody wrote the key since. What they wrote is newer; if they removed it, what was loaded
	// is as good for this caller, who asked before, and for nobody else.
	now, err := reread(ctx, r)
	if err != nil || now.ok {
		return now.value, false, err
	}
	return o.value, false, nil
}

// outcome is how a call of a loader ended.
type outcome[V any] struct {
	value    V
	err      error
	returned bool
	panicked any
}

// again ends the caller's goroutine as the loader ended its own.
func (o *outcome[V]) again() {
	if o.panicked != nil {
		panic(o.panicked)
	}
	runtime.Goexit()
}

// callLoader calls the loader, and waits no longer for it than its context lasts, which the
// lease bounds: a loader that does not heed it runs on, and what it makes is dropped.
func callLoader[V any](ctx context.Context, r address, load func(context.Context) (V, error)) outcome[V] {
	start := time.Now()
	lease := r.m.settings.load.leased()
	loading, cancel := context.WithTimeoutCause(ctx, lease, leaseError{lease})
	defer cancel()
	ended := make(chan outcome[V], 1)
	go func() {
		var o outcome[V]
		defer func() {
			if !o.returned {
				o.panicked = recover()
			}
			ended <- o
		}()
		o.value, o.err = load(loading)
		o.returned = true
	}()
	var o outcome[V]
	select {
	case o = <-ended:
	case <-loading.Done():
		select {
		case o = <-ended:
		default:
			o = outcome[V]{err: r.fail(opLoad, context.Cause(loading)), returned: true}
		}
	}
	if len(r.m.tree.options.observers) > 0 {
		err := o.err
		if !o.returned {
			err = r.fail(opLoading, errLoaderPanicked)
		}
		r.tell(ctx, Event{Op: opLoading, Start: start, Err: err})
	}
	return o
}
