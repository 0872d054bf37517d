package flight

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// AloneKeeps is how long a value that was loaded without a cache serves those who ask for it.
const AloneKeeps = time.Second

const (
	// alonePatience is how long those who asked in time may take to come for it: they try the cache
	// first.
	alonePatience = 30 * time.Second
	// mostAlone is how many keys there may be for that. With more, it is AloneKeeps alone.
	mostAlone = 10_000
)

// Alone lets the goroutines of a process that load without a cache behind them share their loads. A
// value also serves those who come soon after. The zero value is ready to use.
type Alone struct {
	holds atomic.Int64 // how many loads there are in now
	wrote atomic.Int64 // writes of this process that began or ended

	mu     sync.Mutex
	now    map[string]*AloneLoad
	places map[any]chan struct{}
}

// AloneLoad is a load without a cache. Its results are set before it lands.
type AloneLoad struct {
	Value any // nil if those who wait must load themselves
	Err   error

	done  chan struct{}
	wrote int64
	until time.Time // when others must have asked for a load that has landed
}

// Done returns a channel that is closed when the load has landed. Value and Err are set then.
func (l *AloneLoad) Done() <-chan struct{} { return l.done }

// Written notes that a write of this process begins or has ended. What was loaded before does not
// serve a caller that comes after it.
func (a *Alone) Written() {
	if a.holds.Load() > 0 {
		a.wrote.Add(1)
	}
}

// Join returns the load of a key, and reports whether the caller has to do it. If so, the caller
// must call [Alone.Land]. asked is when the caller began to ask for the value.
func (a *Alone) Join(key string, asked time.Time) (l *AloneLoad, mine bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	wrote := a.wrote.Load()
	if l := a.now[key]; l != nil && l.wrote == wrote && (l.until.IsZero() || asked.Before(l.until)) {
		return l, false
	}
	l = &AloneLoad{done: make(chan struct{}), wrote: wrote}
	if a.now == nil {
		a.now = make(map[string]*AloneLoad)
	}
	a.now[key] = l
	a.holds.Store(int64(len(a.now)))
	return l, true
}

// Land hands the results of a load to those who wait. Only a value serves those who come later.
func (a *Alone) Land(key string, mine *AloneLoad) {
	if mine.Err != nil || mine.Value == nil {
		a.forget(key, mine)
		close(mine.done)
		return
	}
	keeps := AloneKeeps
	a.mu.Lock()
	mine.until = time.Now().Add(AloneKeeps)
	if len(a.now) <= mostAlone {
		keeps += alonePatience
	}
	a.mu.Unlock()
	time.AfterFunc(keeps, func() { a.forget(key, mine) })
	close(mine.done)
}

func (a *Alone) forget(key string, l *AloneLoad) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.now[key] == l {
		delete(a.now, key)
	}
	a.holds.Store(int64(len(a.now)))
}

// Enter waits for one of n places among the loads of a group, and returns a function that frees
// it. The error is that of the context.
func (a *Alone) Enter(ctx context.Context, group any, n int) (leave func(), err error) {
	a.mu.Lock()
	if a.places == nil {
		a.places = make(map[any]chan struct{})
	}
	places := a.places[group]
	if places == nil {
		places = make(chan struct{}, n)
		a.places[group] = places
	}
	a.mu.Unlock()
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
