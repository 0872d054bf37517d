package nest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/nest/internal/behind"
	"github.com/redisimnest/redisimnest/nest/internal/flight"
)

const opLoading = "load" // the call of the loader

// How long a process waits before it tries again to refresh a key in the background: after the
// loader failed, and while another client is loading.
const (
	pauseFailed = time.Second
	pauseHeld   = 100 * time.Millisecond
)

// Loadable is a reference whose key can be loaded as a whole, as a V. The references of every kind
// that has a GetOrLoad are Loadable.
type Loadable[V any] interface {
	// GetOrLoad is what the compiler names if a type is not Loadable, or is as another type than V.
	GetOrLoad(ctx context.Context, load func(context.Context) (V, error)) (V, error)

	base() address
	// whole reads all that the key holds, without the default.
	whole() command[found[V]]
	// fill says how to write v. Its arguments are empty when v is empty.
	fill(v V) (filling, error)
	// shares reports whether a V can be given to several callers.
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
	if ref.m == nil || !ref.m.tree.observed() {
		v, _, err := readThroughLoader(ctx, r, load)
		return v, err
	}
	ctx, o := ref.begin(ctx, Event{Op: opLoad})
	defer o.end()
	v, how, err := readThroughLoader(ctx, r, load)
	o.ended(how, err)
	return v, err
}

func readThroughLoader[V any, R Loadable[V]](ctx context.Context, r R, load func(context.Context) (V, error)) (v V, how provenance, err error) {
	ref := r.base()
	if err := ref.ready(ctx, opLoad); err != nil {
		return v, fromRedis, err
	}
	if load == nil {
		return v, fromRedis, ref.fail(opLoad, because(ErrArgument, "the loader is nil"))
	}
	if !ref.m.loads.Load() {
		ref.m.loads.Store(true)
	}
	v, how, asked, err := readOrFly(ctx, r, load)
	switch {
	case err == nil:
		return v, how, nil
	case errors.Is(err, errUnkept):
		return v, withoutRedis, nil
	}
	if failed, ok := errors.AsType[*loaderError](err); ok {
		return v, how, failed.err // as it is, and whatever it says
	}
	if ctx.Err() != nil || ref.m.loadsDown() == 0 || !errors.Is(err, ErrAway) {
		return v, how, err
	}
	if f := rememberedFor[V](ctx, r); f.ok {
		return f.value, withoutRedis, nil
	}
	v, err = loadDown(ctx, r, asked, load)
	return v, withoutRedis, err
}

// readOrFly reads a key, or obtains its value together with the others of this process who miss it.
// It returns when it began to ask Redis. An error of the loader is a loaderError.
func readOrFly[V any, R Loadable[V]](ctx context.Context, r R, load func(context.Context) (V, error)) (v V, how provenance, asked time.Time, err error) {
	ref := r.base()
	flights := &ref.m.tree.flights
	for {
		f, due, hit, began, err := look(ctx, r)
		asked = began
		if hit {
			how = fromMemory
		}
		if err != nil {
			return v, how, asked, err
		}
		if due && flights.Rested(ref.key) && !ref.m.tree.behind.Closing() {
			loadAnew(ctx, r, load)
		}
		if f.ok {
			return f.value, how, asked, nil
		}
		how = fromRedis
		theirs, mine := flights.Join(ref.key)
		if mine {
			v, err = fly(ctx, r, theirs, load)
			return v, how, asked, err
		}
		select {
		case <-ctx.Done():
			return v, how, asked, ref.fail(opLoad, ctx.Err())
		case <-theirs.Done():
		}
		switch shared, ok := theirs.Value.(V); {
		case theirs.Err == nil && ok:
			return shared, how, asked, nil
		case theirs.Err == nil || errors.Is(theirs.Err, errAbandoned):
			// To be read again, or another type under the same name, or an abandoned load.
		case errors.Is(theirs.Err, errLoaderPanicked):
			return v, how, asked, ref.fail(opLoad, theirs.Err)
		default:
			return v, how, asked, theirs.Err
		}
	}
}

// loaderError is the error of a loader, on its way to the caller, who gets it as it is.
type loaderError struct{ err error }

func (e *loaderError) Error() string { return e.err.Error() }
func (e *loaderError) Unwrap() error { return e.err }

// errUnkept comes with a loaded value that Redis could not store, because it was away.
var errUnkept = errors.New("the loaded value could not be stored")

// look reads a key, and reports whether it is due to be refreshed. If the loader may be called
// without Redis, it leaves time for that.
func look[V any, R Loadable[V]](ctx context.Context, r R) (f found[V], due, hit bool, began time.Time, err error) {
	ref := r.base()
	if ref.m.loadsDown() == 0 {
		f, due, hit, err = lookNow(ctx, r)
		return f, due, hit, began, err
	}
	e := ref.bounded(ctx)
	f, due, hit, err = lookNow(e, r)
	if err != nil {
		err = ref.within(e, err)
		e.start()
		began = e.begun
	}
	e.release()
	return f, due, hit, began, err
}

// lookNow reads a key. A value of another shape of the type is taken for none.
func lookNow[V any, R Loadable[V]](ctx context.Context, r R) (f found[V], due, hit bool, err error) {
	f, due, hit, err = lookAt(ctx, r)
	if errors.Is(err, codec.ErrShape) {
		return found[V]{}, false, hit, nil
	}
	return f, due, hit, err
}

func lookAt[V any, R Loadable[V]](ctx context.Context, r R) (f found[V], due, hit bool, err error) {
	ref, c := r.base(), r.whole()
	window := ref.m.settings.load.window()
	if window == 0 {
		f, from, err := deliver(ctx, ref, &c)
		return f, false, from == fromMemory, err
	}
	client := ref.m.tree.client
	pttl := ref.b().Pttl().Key(ref.key).Build()
	var left int64
	if ref.m.settings.cached > 0 {
		c.reading = c.reads()
		answer, answerErr := exchange(ctx, ref, c.shipment())
		hit = answer.IsCacheHit()
		f, err = finish(ctx, ref, &c, &answer, answerErr)
		if !f.ok || answer.CachePTTL() > window.Milliseconds() || hit && ref.m.tree.untracked.Load() {
			return f, false, hit, err // the key outlives its entry in the cache, or has just been looked at
		}
		left, err = client.Do(ctx, pttl).AsInt64()
	} else {
		if ref.m.formers != nil {
			if err := reseatAll(ctx, []address{ref}); err != nil {
				return f, false, false, err
			}
		}
		answers, _ := ref.m.tree.doMulti(ctx, []rueidis.Completed{ref.m.tree.inFull(ref.moved(c.cmd)), pttl}, nil)
		answer, answerErr := answers[0].ToMessage()
		if f, err = finish(ctx, ref, &c, &answer, answerErr); !f.ok {
			return f, false, false, err
		}
		left, err = answers[1].AsInt64()
	}
	// The value is valid even when its remaining time is not known.
	return f, err == nil && left >= 0 && left <= window.Milliseconds(), hit, nil
}

// reread reads a key from the server, not from the client's cache.
func reread[V any, R Loadable[V]](ctx context.Context, r R) (found[V], error) {
	c := r.whole()
	c.cacheable = false
	if r.base().m.loadsDown() == 0 {
		f, err := send(ctx, r.base(), c)
		return shaped(f, err)
	}
	e := r.base().bounded(ctx)
	defer e.release()
	f, err := send(e, r.base(), c)
	return shaped(f, r.base().within(e, err))
}

// shaped takes a value of another shape of the type for none.
func shaped[V any](f found[V], err error) (found[V], error) {
	if errors.Is(err, codec.ErrShape) {
		return found[V]{}, nil
	}
	return f, err
}

// errAbandoned marks a flight that ended without a result, because its caller's context ended or
// because it was no load of a missing key. Those who waited for it try themselves.
var errAbandoned = errors.New("the load was abandoned")

// fly obtains the value that all callers who missed the key wait for.
func fly[V any, R Loadable[V]](ctx context.Context, r R, f *flight.Flight, load func(context.Context) (V, error)) (v V, err error) {
	ref := r.base()
	f.Err = errLoaderPanicked
	defer ref.m.tree.flights.Land(ref.key, f)
	v, shared, err := obtain(ctx, r, f, load)
	switch {
	case err == nil || errors.Is(err, errUnkept):
		f.Err = nil
		if shared && r.shares() {
			f.Value = v
		}
	case ctx.Err() != nil:
		f.Err = fmt.Errorf("%w: %w", errAbandoned, err)
	default:
		f.Err = err
	}
	return v, err
}

// obtain loads the value of a missing key, or waits until another client has loaded it. It reports
// whether the value may be given to those who waited.
func obtain[V any, R Loadable[V]](ctx context.Context, r R, f *flight.Flight, load func(context.Context) (V, error)) (v V, shared bool, err error) {
	ref := r.base()
	lock := newLoadLock(ref)
	why := loadMissing
	for began := time.Now(); ; {
		state, err := lock.take(ctx, why)
		if err != nil {
			lock.free(ctx, "") // it may have been taken, and the reply lost
			return v, false, err
		}
		switch state {
		case loadTaken:
			if why == loadBlank {
				// A readable value may have been written before the lock was taken.
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

// loadAnew refreshes a value that exists, in the background.
func loadAnew[V any, R Loadable[V]](ctx context.Context, r R, load func(context.Context) (V, error)) {
	ref := r.base()
	flights := &ref.m.tree.flights
	f, mine := flights.Join(ref.key)
	if !mine {
		return
	}
	ctx = context.WithoutCancel(ctx)
	ref.m.tree.behind.Go(behind.Load, func() {
		f.Err = errAbandoned // a caller who misses the key meanwhile has a loader of its own
		defer flights.Land(ref.key, f)
		lock := newLoadLock(ref)
		ctx, cancel := context.WithTimeout(ctx, ref.m.settings.load.leased())
		defer cancel()
		state, err := lock.take(ctx, loadAgeing)
		if err != nil {
			lock.free(ctx, "") // it may have been taken, and the reply lost
		}
		if err != nil || state != loadTaken {
			flights.Pause(ref.key, pauseHeld)
			return
		}
		defer func() {
			if recover() != nil {
				// The observers have seen it, and there is no caller to pass the panic on to.
				flights.Pause(ref.key, pauseFailed)
			}
		}()
		if _, _, err := loadAndKeep(ctx, r, f, lock, load); err != nil {
			flights.Pause(ref.key, pauseFailed)
			return
		}
		f.Err = nil
	})
}

// loadAndKeep calls the loader under the lock, stores the loaded value, and releases the lock.
func loadAndKeep[V any, R Loadable[V]](ctx context.Context, r R, f *flight.Flight, lock *loadLock, load func(context.Context) (V, error)) (v V, shared bool, err error) {
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
		ref.m.tree.flights.Close(ref.key, f)
		lock.free(ctx, note)
		return v, false, &loaderError{o.err}
	}
	filling, err := r.fill(o.value)
	if err != nil {
		lock.free(ctx, "")
		return v, false, ref.fail(opLoad, err)
	}
	ref.m.tree.flights.Close(ref.key, f)
	if len(filling.args) == 0 {
		lock.free(ctx, notedEmpty)
		return o.value, false, nil
	}
	switch kept, err := lock.keep(ctx, filling); {
	case err != nil:
		lock.free(ctx, "")
		if ref.m.loadsDown() > 0 && errors.Is(err, ErrAway) && ctx.Err() == nil {
			err = errUnkept
		}
		return o.value, false, err
	case kept:
		return o.value, true, nil
	}
	// The key has been written since, and its new value is newer. If it has been removed again, the
	// loaded value is good for this caller, who asked before, but for no others.
	now, err := reread(ctx, r)
	switch {
	case err != nil && ref.m.loadsDown() > 0 && errors.Is(err, ErrAway) && ctx.Err() == nil:
		return o.value, false, errUnkept
	case err != nil || now.ok:
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

// again ends the caller's goroutine in the same way as the loader ended its own.
func (o *outcome[V]) again() {
	if o.panicked != nil {
		panic(o.panicked)
	}
	runtime.Goexit()
}

// callLoader calls the loader, and waits for it only as long as its context lasts, which the lease
// limits. A loader that ignores its context runs on, and its result is dropped.
func callLoader[V any](ctx context.Context, r address, load func(context.Context) (V, error)) outcome[V] {
	if !r.m.tree.observed() {
		return runLoader(ctx, r, load)
	}
	ctx, watch := r.begin(ctx, Event{Op: opLoading})
	defer watch.end()
	o := runLoader(ctx, r, load)
	watch.event.Err = o.err
	if !o.returned {
		watch.event.Err = r.fail(opLoading, errLoaderPanicked)
	}
	return o
}

func runLoader[V any](ctx context.Context, r address, load func(context.Context) (V, error)) outcome[V] {
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
			r.m.tree.behind.Go(behind.Load, func() { <-ended })
			o = outcome[V]{err: r.fail(opLoad, context.Cause(loading)), returned: true}
		}
	}
	return o
}
