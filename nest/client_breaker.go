package nest

import (
	"cmp"
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/behind"
	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
)

// watchman notes how the exchanges with a client's servers end.
type watchman struct {
	client    rueidis.Client
	timeout   time.Duration
	breaker   breaker
	clustered bool
	slices    timeSlices
	behind    *behind.Tally

	// What an exchange looks at before and after it, so that it costs nothing as long as all is
	// well. noted: some server has failed since it last answered. troubled: and there is a breaker.
	// suspects: some exchange has ended without an answer, and no server has answered since.
	noted, troubled, suspects atomic.Bool

	only   server // where there is one, or nobody knows which
	owners atomic.Pointer[[hashslot.Count]*server]

	mu      sync.Mutex
	servers map[string]*server // by address
	learned time.Time
	learns  bool
	asked   bool // whatever came of it
}

// server is what is known of one server.
type server struct {
	addr string // of one of several

	mu     sync.Mutex
	fails  int       // exchanges in a row
	since  time.Time // the first of them ended
	open   time.Time // until when nothing is sent
	trying bool      // an exchange finds out whether it is back
	last   error
}

// watchful reports whether exchanges are to be looked at more closely than usual.
func (w *watchman) watchful() bool { return w.troubled.Load() || w.suspects.Load() }

// of returns the server that has a slot.
func (g *guardedClient) of(slot uint16) *server {
	if g.server != nil {
		return g.server
	}
	if owners := g.owners.Load(); owners != nil && slot < hashslot.Count && owners[slot] != nil {
		return owners[slot]
	}
	return &g.only
}

// admit returns an error if nothing is to be sent to a server. It reports whether the exchange
// finds out whether the server is back; its end is to be told with tried.
func (w *watchman) admit(s *server) (tries bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := w.refusal(s); err != nil || !w.open(s) {
		return false, err
	}
	s.trying = true
	return true, nil
}

// open reports whether a server has failed too often. The caller holds its mutex.
func (w *watchman) open(s *server) bool {
	return w.breaker.failures > 0 && s.fails >= w.breaker.failures
}

// refusal returns the error of an exchange that is not to begin now, or nil. The caller holds the
// server's mutex.
func (w *watchman) refusal(s *server) error {
	if w.open(s) && (s.trying || time.Now().Before(s.open)) {
		return &brokenError{s.fails, time.Since(s.since), s.last}
	}
	return nil
}

// heldBack returns why nothing is to be sent to the server that has a slot, or nil. A slot of -1 is
// any.
func (t *tree) heldBack(slot int) error {
	g := guardOf(t.client)
	if g == nil {
		return nil
	}
	s := &g.only
	if slot >= 0 {
		s = g.of(uint16(slot))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return g.refusal(s)
}

// tried ends the exchange that finds out whether the server is back.
func (s *server) tried() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trying = false
}

// answered notes that a server has answered, whatever it said.
func (w *watchman) answered(s *server) {
	w.suspects.Store(false)
	s.mu.Lock()
	was := s.fails
	s.fails, s.since, s.open, s.last = 0, time.Time{}, time.Time{}, nil
	s.mu.Unlock()
	if was > 0 {
		w.recount()
	}
}

// recount finds out whether any server has failed since it last answered.
func (w *watchman) recount() {
	w.mu.Lock()
	defer w.mu.Unlock()
	noted := w.only.failing()
	for _, s := range w.servers {
		noted = noted || s.failing()
	}
	w.noted.Store(noted)
	w.troubled.Store(noted && w.breaker.failures > 0)
}

func (s *server) failing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fails > 0
}

// explain notes an exchange without an answer, if counts says so, and returns its error.
func (g *guardedClient) explain(s *server, e *exchangeContext, err error, counts bool) error {
	err = e.explain(err)
	if !failure(e, err) {
		if errors.Is(err, context.DeadlineExceeded) {
			g.suspects.Store(true)
		}
		return err
	}
	g.suspects.Store(true)
	return g.failed(s, err, counts)
}

// failure reports whether an error is the server's: it could not be connected to, the connection
// was lost, or [WithTimeout] ended the wait.
func failure(e *exchangeContext, err error) bool {
	if late, ok := errors.AsType[*lateError](err); ok {
		return late.by == byTimeout
	}
	if _, ok := errors.AsType[*spentError](err); ok {
		return true
	}
	if e.parent.Err() != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	return whyUnexecuted(err) != stillDialing && saysAway(err)
}

// failed notes a failed exchange, and returns its error with how long the server has been away.
func (w *watchman) failed(s *server, err error, counts bool) error {
	counts = counts && w.attributed(s)
	now := time.Now()
	s.mu.Lock()
	if counts {
		if s.fails == 0 {
			s.since = now
		}
		s.fails++
		s.last = err
		if b := w.breaker; b.failures > 0 && s.fails >= b.failures {
			s.open = now.Add(b.pause)
		}
	}
	since := s.since
	s.mu.Unlock()
	if counts {
		w.mu.Lock()
		w.noted.Store(true)
		w.troubled.Store(w.breaker.failures > 0)
		w.learn()
		w.mu.Unlock()
	}
	if since.IsZero() || now.Sub(since) < time.Millisecond {
		return err
	}
	return &sinceError{err, now.Sub(since)}
}

// attributed reports whether a failure can be counted for s. As long as nobody has been asked who
// has which slots of a Redis Cluster, it may be any server's, and counting it for all of them would
// keep the others' keys from being served.
func (w *watchman) attributed(s *server) bool {
	if !w.clustered || s != &w.only {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.learn()
	return w.asked
}

// learnAgain is how old the table of the slots' owners has to be before it is asked for again.
const learnAgain = time.Second

// learn asks in the background which server of a Redis Cluster has which slots. The caller holds
// mu.
func (w *watchman) learn() {
	if !w.clustered || w.learns || time.Since(w.learned) < learnAgain {
		return
	}
	w.learns, w.learned = true, time.Now()
	w.behind.Go(behind.Command, func() {
		owners := w.ask()
		if owners != nil {
			w.owners.Store(owners)
		}
		w.mu.Lock()
		w.learns, w.asked = false, true
		w.mu.Unlock()
	})
}

// ask returns the owners of all slots as the first node that answers knows them.
func (w *watchman) ask() *[hashslot.Count]*server {
	nodes := w.client.Nodes()
	answers := make(chan *[hashslot.Count]*server, len(nodes))
	for _, node := range nodes {
		w.behind.Go(behind.Command, func() { answers <- w.askNode(node) })
	}
	for range nodes {
		if owners := <-answers; owners != nil {
			return owners
		}
	}
	return nil
}

// askNode asks one node. Nothing cancels it when another one has answered: the client may be
// connecting to this one for it, and all who wait for that connection would be canceled with it.
func (w *watchman) askNode(node rueidis.Client) *[hashslot.Count]*server {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	list, err := node.Do(ctx, node.B().Arbitrary("CLUSTER", "SLOTS").Build()).ToArray()
	if err != nil {
		return nil
	}
	owners := new([hashslot.Count]*server)
	for _, entry := range list {
		parts, err := entry.ToArray()
		if err != nil || len(parts) < 3 {
			return nil
		}
		from, err1 := parts[0].AsInt64()
		to, err2 := parts[1].AsInt64()
		primary, err3 := parts[2].ToArray()
		if cmp.Or(err1, err2, err3) != nil || len(primary) < 2 || from < 0 || to >= hashslot.Count {
			return nil
		}
		host, _ := primary[0].ToString()
		port, err := primary[1].AsInt64()
		if err != nil || host == "" {
			return nil
		}
		s := w.named(net.JoinHostPort(host, strconv.FormatInt(port, 10)))
		for slot := from; slot <= to; slot++ {
			owners[slot] = s
		}
	}
	return owners
}

// named returns the server at an address.
func (w *watchman) named(addr string) *server {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.servers == nil {
		w.servers = make(map[string]*server)
	}
	s := w.servers[addr]
	if s == nil {
		s = &server{addr: addr}
		w.servers[addr] = s
	}
	return s
}
