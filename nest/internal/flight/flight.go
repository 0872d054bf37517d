// Package flight lets the goroutines of a process share work on the same key: all that miss a key
// share one load, and those that wait for a key take turns. Keys are plain strings; the package
// knows nothing of Redis.
package flight

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// Group lets the goroutines of a process that miss the same key share one load. The zero value is
// ready to use.
type Group struct {
	mu    sync.Mutex
	now   map[string]*Flight
	rests [256]atomic.Int64 // by hash of the key: when it may be loaded again, in Unix nanoseconds
}

// Flight is a load in progress. Its results are set before it lands.
type Flight struct {
	Value any // nil if the waiters must read again
	Err   error

	done chan struct{}
}

// Done returns a channel that is closed when the flight has landed. Value and Err are set then.
func (f *Flight) Done() <-chan struct{} { return f.done }

// Join returns the flight for a key, and reports whether the caller has to do the load. If so, the
// caller must call [Group.Land].
func (g *Group) Join(key string) (f *Flight, mine bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := g.now[key]; now != nil {
		return now, false
	}
	if g.now == nil {
		g.now = make(map[string]*Flight)
	}
	f = &Flight{done: make(chan struct{})}
	g.now[key] = f
	return f, true
}

// Close keeps others from joining the flight. Call it before the loaded value is stored: a caller
// that misses the key afterwards may know of a write that the load does not.
func (g *Group) Close(key string, mine *Flight) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now[key] == mine {
		delete(g.now, key)
	}
}

// Land passes the flight's results to the waiters.
func (g *Group) Land(key string, mine *Flight) {
	g.Close(key, mine)
	close(mine.done)
}

// Rested reports whether a key may be loaded again.
func (g *Group) Rested(key string) bool {
	return time.Now().UnixNano() >= g.rest(key).Load()
}

// Pause keeps the key from being loaded again for d. It occasionally affects another key, too.
func (g *Group) Pause(key string, d time.Duration) {
	g.rest(key).Store(time.Now().Add(d).UnixNano())
}

var seed = maphash.MakeSeed()

func (g *Group) rest(key string) *atomic.Int64 {
	return &g.rests[maphash.String(seed, key)%uint64(len(g.rests))]
}
