package nest

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// flights lets the goroutines of a process that miss the same key share one load.
type flights struct {
	mu  sync.Mutex
	now map[string]*flight

	deaf atomic.Int64 // until when the client is taken not to hear of changes, Unix nanoseconds

	seed  maphash.Seed
	rests [256]atomic.Int64 // by hash of the key: when it may be loaded anew, Unix nanoseconds
}

// flight is a load on its way. Its results are set before done is closed.
type flight struct {
	done  chan struct{}
	value any // nil when those who wait must read anew
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

// close lets nobody join any more. It comes before what was loaded is stored: whoever misses the
// key afterwards may know of a write that the load does not.
func (f *flights) close(key string, mine *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.now[key] == mine {
		delete(f.now, key)
	}
}

// land gives those who wait the flight's results.
func (f *flights) land(key string, mine *flight) {
	f.close(key, mine)
	close(mine.done)
}

// rested tells whether a key may be loaded anew already.
func (f *flights) rested(key string) bool {
	return time.Now().UnixNano() >= f.rest(key).Load()
}

// pause lets the key, and now and then another one with it, rest for d before it is loaded anew.
func (f *flights) pause(key string, d time.Duration) {
	f.rest(key).Store(time.Now().Add(d).UnixNano())
}

func (f *flights) rest(key string) *atomic.Int64 {
	return &f.rests[maphash.String(f.seed, key)%uint64(len(f.rests))]
}
