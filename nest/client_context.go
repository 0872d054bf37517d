package nest

import (
	"context"
	"errors"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/behind"
	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
)

// refusalPatience is how long the client may try to reach a server before the guard asks whether
// the server refuses connections. A client of rueidis sends a read again for as long as the read's
// context lasts.
const refusalPatience = 60 * time.Millisecond

// exchangeContext is the context of an exchange with a server. It ends with its parent, after its
// own limit, and when the server refuses what the client sends again and again.
//
// [context.WithTimeout] costs five allocations and a third of the throughput. This one is taken
// from a pool, and it does nothing before its Done is asked for. The client does not ask on an idle
// connection if the context has a deadline: then the connection's own deadline does the work.
type exchangeContext struct {
	parent context.Context //nolint:containedctx // it is a context
	begun  time.Time       // set by start
	limit  time.Duration   // after begun; 0: none of its own
	by     limitedBy
	// tells says that the context reports its limit as a deadline. It does not if the parent can
	// be cancelled and has no deadline: the client does not heed cancellation on an idle connection
	// if there is a deadline.
	tells  bool
	slices *timeSlices    // bounds what never ends by itself, if it is set
	client rueidis.Client // whose server is asked whether it refuses connections
	behind *behind.Tally  // counts what outlives the exchange
	slot   uint16         // of a key on that server
	key    string         // such a key, in place of the slot

	started atomic.Bool
	asked   atomic.Int32 // how often the client asked for Err: once for each attempt, and between them
	doubts  atomic.Bool  // the server is being asked
	kept    atomic.Bool  // others may know the context, so it is not used again
	touched atomic.Bool  // something below mu has been set

	mu       sync.Mutex
	armed    bool
	done     chan struct{}
	timer    *time.Timer
	stop     func() bool // stops watching the parent
	err      error       // why it has ended
	refused  error       // what the server said that refuses
	after    map[*func()]struct{}
	timeUp   func()
	parentUp func()
}

var exchangeContexts = sync.Pool{New: func() any {
	e := &exchangeContext{}
	e.timeUp = func() { e.end(context.DeadlineExceeded, nil) }
	e.parentUp = func() { e.end(e.parent.Err(), nil) }
	return e
}}

// newExchange returns the context of an exchange. It has to be given back with release. A limit of
// 0 is none. Its time runs from when the client first looks at it, which for an answer from the
// client's memory is never.
func newExchange(parent context.Context, limit time.Duration, by limitedBy, client rueidis.Client, slot uint16) *exchangeContext {
	e := exchangeContexts.Get().(*exchangeContext)
	e.parent, e.limit, e.by = parent, limit, by
	e.client, e.slot, e.key, e.slices = client, slot, "", nil
	return e
}

// start notes when the exchange begins, and whether its parent ends before its limit.
func (e *exchangeContext) start() {
	if e.started.Load() {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.started.Load() {
		return
	}
	e.begun, e.tells = time.Now(), false
	if e.limit > 0 {
		if deadline, ok := e.parent.Deadline(); !ok {
			e.tells = e.parent.Done() == nil
		} else if e.tells = deadline.Sub(e.begun) > e.limit; !e.tells {
			e.limit = 0
		}
	}
	e.started.Store(true)
}

// release makes the context free for another exchange.
func (e *exchangeContext) release() {
	if !e.disarm() || e.kept.Load() {
		return
	}
	e.parent, e.client = nil, nil
	e.asked.Store(0)
	e.started.Store(false)
	exchangeContexts.Put(e)
}

// disarm stops what would end the context, and reports whether nothing has ended it, or is about
// to.
func (e *exchangeContext) disarm() bool {
	if !e.touched.Load() {
		return true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.armed {
		return e.err == nil
	}
	still := e.err == nil
	if e.limit > 0 && !e.timer.Stop() {
		still = false
	}
	if e.stop != nil && !e.stop() {
		still = false
	}
	e.armed, e.stop = false, nil
	if still {
		e.touched.Store(false)
	}
	return still
}

// timeSlices bounds exchanges together that begin within a short time of each other: those whose
// contexts never end, and those that have one and the same context.
type timeSlices struct {
	now atomic.Pointer[timeSlice]
	// By a hash of the channel of a context: what bounds its exchanges, and the channel that was
	// seen last. A context that is used once is not worth a timeSlice of its own.
	of   [sliceSlots]atomic.Pointer[timeSlice]
	seen [sliceSlots]atomic.Uintptr
}

const sliceSlots = 64

// timeSlice bounds the exchanges that begin in a sixteenth of the limit.
type timeSlice struct {
	begun, until time.Time
	done         chan struct{}
	parent       <-chan struct{} // nil: of contexts that never end
	once         sync.Once
}

func (s *timeSlice) end() { s.once.Do(func() { close(s.done) }) }

// serves reports whether the slice can bound an exchange.
func (s *timeSlice) serves(begun time.Time) bool {
	return s != nil && begun.Before(s.until) && !begun.Before(s.begun)
}

// at returns a channel that is closed when an exchange has reached its limit, or a sixteenth of it
// later.
func (ts *timeSlices) at(begun time.Time, limit time.Duration) <-chan struct{} {
	now := ts.now.Load()
	if !now.serves(begun) {
		now = newTimeSlice(begun, limit)
		time.AfterFunc(limit+limit/16, now.end)
		ts.now.Store(now)
	}
	return now.done
}

// bound returns a channel that is closed when an exchange has to end, or nil if the exchange has to
// see to that itself.
func (ts *timeSlices) bound(parent context.Context, begun time.Time, limit time.Duration) <-chan struct{} {
	if parent.Done() == nil {
		return ts.at(begun, limit)
	}
	return ts.under(parent, begun, limit)
}

func newTimeSlice(begun time.Time, limit time.Duration) *timeSlice {
	return &timeSlice{begun: begun, until: begun.Add(limit / 16), done: make(chan struct{})}
}

// under is at for an exchange with a context that can end: the channel is closed then, too. It
// returns nil for a context that has not been seen shortly before.
func (ts *timeSlices) under(parent context.Context, begun time.Time, limit time.Duration) <-chan struct{} {
	ended := parent.Done()
	at := reflect.ValueOf(ended).Pointer()
	slot := at >> 5 % sliceSlots // channels take 96 bytes and more
	now := ts.of[slot].Load()
	if now.serves(begun) && now.parent == ended {
		return now.done
	}
	if ts.seen[slot].Swap(at) != at {
		return nil
	}
	now = newTimeSlice(begun, limit)
	now.parent = ended
	stop := context.AfterFunc(parent, now.end)
	time.AfterFunc(limit+limit/16, func() {
		stop()
		now.end()
	})
	ts.of[slot].Store(now)
	return now.done
}

// Deadline returns the end of the limit, or what the parent returns.
func (e *exchangeContext) Deadline() (time.Time, bool) {
	e.start()
	if e.tells {
		return e.begun.Add(e.limit), true
	}
	return e.parent.Deadline()
}

// Done returns the parent's channel for as long as nothing else can end the context.
func (e *exchangeContext) Done() <-chan struct{} {
	e.start()
	if !e.doubts.Load() {
		if e.limit == 0 {
			return e.parent.Done()
		}
		if e.slices != nil {
			if done := e.slices.bound(e.parent, e.begun, e.limit); done != nil {
				e.asked.Add(1)
				return done
			}
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.arm()
	return e.done
}

// arm makes the context end by itself.
func (e *exchangeContext) arm() {
	if e.armed {
		return
	}
	e.touched.Store(true)
	e.armed = true
	if e.done == nil {
		e.done = make(chan struct{})
	}
	if e.limit > 0 {
		left := e.limit - time.Since(e.begun)
		if e.timer == nil {
			e.timer = time.AfterFunc(left, e.timeUp)
		} else {
			e.timer.Reset(left)
		}
	}
	if e.parent.Done() != nil {
		e.stop = context.AfterFunc(e.parent, e.parentUp)
	}
}

// end ends the context.
func (e *exchangeContext) end(err, refused error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return
	}
	e.touched.Store(true)
	e.err, e.refused = err, refused
	if e.done != nil {
		close(e.done)
	}
	for f := range e.after {
		go (*f)()
	}
	e.after = nil
}

// Err returns why the context has ended. The client asks before each attempt, and after one that
// failed.
func (e *exchangeContext) Err() error {
	e.start()
	times := e.asked.Add(1)
	var err error
	if e.touched.Load() {
		e.mu.Lock()
		err = e.err
		e.mu.Unlock()
	}
	if err == nil {
		err = e.parent.Err()
	}
	if err != nil || times == 1 {
		return err
	}
	since := time.Since(e.begun)
	if e.limit > 0 && since >= e.limit {
		return context.DeadlineExceeded
	}
	if since > refusalPatience && !e.doubts.Load() {
		e.doubt()
	}
	return nil
}

// errRefusing ends the context of an exchange with a server that refuses it.
var errRefusing = errors.New("the server refuses connections")

// doubt asks the server whether it refuses connections, and ends the context if it does. If nobody
// knows yet, it may be asked again a while later.
func (e *exchangeContext) doubt() {
	if !e.doubts.CompareAndSwap(false, true) {
		return
	}
	e.kept.Store(true)
	e.behind.Go(behind.Command, func() {
		if refused := refuses(e.client, e.slot, e.key); refused != nil {
			e.end(errRefusing, refused)
			return
		}
		time.Sleep(refusalPatience)
		e.doubts.Store(false)
	})
}

// askTimeout bounds how long a server is asked whether it refuses connections.
const askTimeout = time.Second

// refuses asks the server that has a slot, or a key, and returns why it refuses. It returns nil if
// the server answers, and if nobody knows yet.
func refuses(client rueidis.Client, slot uint16, key string) error {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	ping := client.B().Arbitrary("PING").Build() // which the client does not send again
	if client.Mode() == rueidis.ClientModeCluster {
		switch {
		case key != "":
			ping = ping.SetSlot(key)
		case slot < hashslot.Count:
			ping = ping.SetSlot(keyInSlot(slot))
		}
	}
	if err := client.Do(ctx, ping).Error(); whyUnexecuted(err) == serverAway {
		return err
	}
	return nil
}

// keyInSlot returns a key of a slot.
func keyInSlot(slot uint16) string {
	for i := 0; ; i++ {
		if key := strconv.Itoa(i); hashslot.Of(key) == slot {
			return key
		}
	}
}

// Value returns the parent's value. Who asks for it may derive another context from this one, and
// keep it.
func (e *exchangeContext) Value(key any) any {
	e.kept.Store(true)
	return e.parent.Value(key)
}

// AfterFunc lets package context derive a context without a goroutine that waits.
func (e *exchangeContext) AfterFunc(f func()) (stop func() bool) {
	e.kept.Store(true)
	e.start()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		go f()
		return func() bool { return false }
	}
	e.arm()
	if e.after == nil {
		e.after = make(map[*func()]struct{})
	}
	e.after[&f] = struct{}{}
	return func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		_, waits := e.after[&f]
		delete(e.after, &f)
		return waits
	}
}

// own reports whether the context has ended by itself, and not with its parent.
func (e *exchangeContext) own() bool {
	e.start()
	if e.parent.Err() != nil {
		return false
	}
	if deadline, ok := e.parent.Deadline(); ok && !time.Now().Before(deadline) {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err != nil || e.limit > 0 && time.Since(e.begun) >= e.limit
}

// refusing reports whether the server was found to refuse connections.
func (e *exchangeContext) refusing() bool {
	if !e.doubts.Load() {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.refused != nil
}

// explain returns the error of an exchange that failed with err.
func (e *exchangeContext) explain(err error) error {
	e.mu.Lock()
	refused := e.refused
	e.mu.Unlock()
	e.start()
	switch {
	case refused != nil && e.parent.Err() == nil:
		return &spentError{err, refused}
	case e.limit > 0 && e.own():
		return &lateError{e.limit, e.by, err}
	}
	return err
}
