package nest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/behind"
)

// line is a connection that nothing else uses at the same time. It is taken from the client when
// the first command is sent.
type line struct {
	tree    *tree
	conn    rueidis.DedicatedClient
	release func()
	server  string // the server that it leads to, see [tree.server]
	// unmade says that the first commands will make the connection: those of a Redis Cluster say
	// which node it leads to.
	unmade bool
}

// server returns the server that Sentinel names at present, or "" without Sentinel. After a
// failover a connection to the old primary may stay open for seconds. Sentinel demotes that server
// late; until then it serves reads and blocking commands.
func (t *tree) server() string {
	if t.client.Mode() != rueidis.ClientModeSentinel {
		return ""
	}
	nodes := slices.Sorted(maps.Keys(t.client.Nodes())) // includes a replica if reads go to one
	return strings.Join(nodes, ",")
}

// leftBehind reports whether the client has switched to another server than the connection's.
func (l *line) leftBehind() bool { return l.server != l.tree.server() }

// lookEvery is how often a waiting connection is checked.
const lookEvery = 200 * time.Millisecond

// whenLeftBehind calls do once, when the client has switched to another server, unless it is
// stopped first.
func (l *line) whenLeftBehind(do func()) (stop func()) {
	if l.server == "" {
		return func() {}
	}
	var stopped atomic.Bool
	var look func()
	look = func() {
		switch {
		case stopped.Load():
		case l.leftBehind():
			do()
		default:
			time.AfterFunc(lookEvery, look)
		}
	}
	time.AfterFunc(lookEvery, look)
	return func() { stopped.Store(true) }
}

// errLeftBehind ends a wait on a connection that was left behind. The wait continues on another
// one.
var errLeftBehind = errors.New("another server is the primary now")

// lostWaiting is the error of a command that was sent but not answered because its connection was
// lost. The command may have been executed.
func lostWaiting(err error) error {
	if !lost(err) {
		return err
	}
	return &declined{ErrOutcomeUnknown, fmt.Errorf("the connection was lost during the wait: %w", err)}
}

// lost reports whether an error means that a connection was lost with a command on it.
func lost(err error) bool {
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, rueidis.ErrClosing, ErrUnsent, errLeftBehind, errAnswer} {
		if errors.Is(err, known) {
			return false
		}
	}
	return unanswered(err) && whyUnexecuted(err) == noObstacle
}

// unanswered reports whether an error did not come from a server's answer.
func unanswered(err error) bool {
	return err != nil && !rueidis.IsRedisNil(err) && !wasAnswered(err)
}

// open takes the connection. The client may have to wait for a free one or to make one, and does so
// without regard to the context. If the context ends, that continues without the caller.
func (l *line) open(ctx context.Context) error {
	timeout := l.tree.options.timeout
	err := l.openWithin(ctx, timeout)
	if errors.Is(err, errNoLine) && ctx.Err() == nil {
		err = &lateError{timeout, byTimeout, err}
	}
	return err
}

// openWithin is like open, but waits for no longer than patience, unless patience is 0.
func (l *line) openWithin(ctx context.Context, patience time.Duration) error {
	if l.conn != nil {
		return nil
	}
	if l.tree.client.Mode() == rueidis.ClientModeCluster || ctx.Done() == nil && patience == 0 {
		l.server = l.tree.server()
		l.conn, l.release = l.tree.client.Dedicate()
		l.unmade = l.tree.client.Mode() == rueidis.ClientModeCluster
		return nil
	}
	var timeout <-chan time.Time
	if patience > 0 {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		timeout = timer.C
	}
	return l.takeFrom(ctx, &l.tree.lines, l.tree.client, timeout)
}

// takeFrom takes a connection of a client from ls, which hands them out.
func (l *line) takeFrom(ctx context.Context, ls *lines, client rueidis.Client, timeout <-chan time.Time) error {
	w := ls.want(l.tree, client)
	select {
	case *l = <-w.got:
		return nil
	case <-timeout:
	case <-ctx.Done():
	}
	if got, ok := ls.leave(w); ok {
		got.giveBack(false)
	}
	return noLine(ctx)
}

// noLine returns the error of a call that got no dedicated connection in time.
func noLine(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return &unserved{err, errNoLine}
	}
	return errNoLine
}

var errNoLine = because(ErrUnsent, "the client had no connection of its own for it in time: each wait and transaction "+
	"holds one of BlockingPoolSize (1,024 by default, a node); wait in fewer goroutines, or set more")

// maxFetchers is how many goroutines take connections from the client at a time. When the client
// has no free connection, only these goroutines wait, however many callers have come and gone.
const maxFetchers = 32

// lines hands out connections to callers in the order of their requests.
type lines struct {
	mu       sync.Mutex
	wanted   []*wanting
	fetchers int
}

// wanting is a request for a connection.
type wanting struct{ got chan line }

// want adds a request.
func (ls *lines) want(t *tree, client rueidis.Client) *wanting {
	w := &wanting{make(chan line, 1)}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.wanted = append(ls.wanted, w)
	if ls.fetchers < min(maxFetchers, len(ls.wanted)) {
		ls.fetchers++
		t.behind.Go(behind.Handover, func() { ls.fetch(t, client) })
	}
	return w
}

// leave withdraws a request. It returns the connection that may have arrived just then.
func (ls *lines) leave(w *wanting) (line, bool) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if i := slices.Index(ls.wanted, w); i >= 0 {
		ls.wanted = slices.Delete(ls.wanted, i, i+1)
		return line{}, false
	}
	return <-w.got, true
}

// fetch takes connections from the client as long as there are requests.
func (ls *lines) fetch(t *tree, client rueidis.Client) {
	for {
		server := t.server()
		conn, release := client.Dedicate()
		ls.mu.Lock()
		if len(ls.wanted) == 0 {
			ls.fetchers--
			ls.mu.Unlock()
			release()
			return
		}
		ls.wanted[0].got <- line{tree: t, conn: conn, release: release, server: server}
		ls.wanted = slices.Delete(ls.wanted, 0, 1)
		if len(ls.wanted) < ls.fetchers {
			ls.fetchers--
			ls.mu.Unlock()
			return
		}
		ls.mu.Unlock()
	}
}

// send sends commands, [maxPipeline] at a time, and returns their answers. If the context ends
// while the connection is being made, the line has none afterwards.
func (l *line) send(ctx context.Context, cmds ...rueidis.Completed) []rueidis.RedisResult {
	if l.unmade {
		l.unmade = false
		if ctx.Done() != nil {
			return l.connect(ctx, cmds)
		}
	}
	if len(cmds) <= maxPipeline {
		return l.conn.DoMulti(ctx, cmds...)
	}
	return append(l.conn.DoMulti(ctx, cmds[:maxPipeline]...), l.send(ctx, cmds[maxPipeline:]...)...)
}

// connect sends the first commands. The client makes the connection for them, and waits for a node
// that is silent without heeding that the context has been cancelled. So that continues without the
// caller.
func (l *line) connect(ctx context.Context, cmds []rueidis.Completed) []rueidis.RedisResult {
	if ctx.Err() != nil { // there is no connection yet
		l.release()
		l.conn, l.release = nil, nil
		return failedAll(len(cmds), ctx.Err())
	}
	made := *l
	came := make(chan []rueidis.RedisResult, 1)
	go func() { came <- made.send(ctx, cmds...) }()
	select {
	case answers := <-came:
		return answers
	case <-ctx.Done():
	}
	select {
	case answers := <-came:
		return answers
	default:
	}
	l.conn, l.release = nil, nil
	made.tree.behind.Go(behind.Handover, func() {
		<-came
		made.conn.Close()
	})
	return failedAll(len(cmds), ctx.Err())
}

// unwatchTimeout bounds how long an UNWATCH may keep a connection from others.
const unwatchTimeout = 5 * time.Second

// giveBack returns the connection to the client, without a WATCH. The caller does not wait for it:
// returning a connection that has served cancelable contexts takes a round trip.
func (l *line) giveBack(watching bool) {
	if l.conn == nil {
		return
	}
	conn, release := l.conn, l.release
	l.conn, l.release = nil, nil
	l.tree.behind.Go(behind.Handover, func() {
		if watching {
			ctx, cancel := context.WithTimeout(context.Background(), unwatchTimeout)
			defer cancel()
			if conn.Do(ctx, conn.B().Unwatch().Build()).Error() != nil {
				conn.Close()
				return
			}
		}
		release()
	})
}

// giveBackWithin returns the connection and waits for that until ctx ends, so that the next caller
// finds it.
func (l *line) giveBackWithin(ctx context.Context) {
	if l.conn == nil {
		return
	}
	release, released := l.release, make(chan struct{})
	l.conn, l.release = nil, nil
	l.tree.behind.Go(behind.Handover, func() {
		defer close(released)
		release()
	})
	select {
	case <-released:
	case <-ctx.Done():
	}
}

// drop closes the connection.
func (l *line) drop() {
	if l.conn == nil {
		return
	}
	// Close waits for a server that may be silent.
	l.tree.behind.Go(behind.Handover, l.conn.Close)
	l.conn, l.release = nil, nil
}
