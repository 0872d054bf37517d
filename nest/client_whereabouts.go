package nest

import (
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
)

// whereaboutsAge is how old the addresses of servers may become before they are looked up again.
const whereaboutsAge = 10 * time.Second

// whereabouts says which server has a key, as last learned. It is kept for observers only.
type whereabouts struct {
	*watchman

	sole atomic.Pointer[string] // of a client that is not that of a Redis Cluster
	next atomic.Int64           // when to learn again, Unix nanoseconds
}

// watch begins to follow the servers of a tree's client if anyone is told of them.
func (w *whereabouts) watch(client rueidis.Client, t *tree) {
	if t.observed() {
		w.watchman = &watchman{client: client, clustered: client.Mode() == rueidis.ClientModeCluster, behind: t.behind}
	}
}

// of returns the address of the server that has a key, or "" if it is not known.
func (w *whereabouts) of(key string) string {
	if w.watchman == nil {
		return ""
	}
	now := time.Now().UnixNano()
	if next := w.next.Load(); now >= next && w.next.CompareAndSwap(next, now+int64(whereaboutsAge)) {
		w.refresh()
	}
	if !w.several() {
		if sole := w.sole.Load(); sole != nil {
			return *sole
		}
		return ""
	}
	if owners := w.owners.Load(); owners != nil && key != "" {
		if s := owners[hashslot.Of(key)]; s != nil {
			return s.addr
		}
	}
	return ""
}

// several reports whether there are several servers with keys.
func (w *whereabouts) several() bool { return w.watchman != nil && w.clustered }

// refresh learns the addresses. Those of a Redis Cluster arrive later.
func (w *whereabouts) refresh() {
	if w.several() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.learn()
		return
	}
	sole := ""
	if nodes := w.client.Nodes(); len(nodes) == 1 {
		for addr := range nodes {
			sole = addr
		}
	}
	w.sole.Store(&sole)
}
