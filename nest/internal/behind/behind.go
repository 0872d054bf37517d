// Package behind counts what goes on behind calls, so that it can be waited for.
package behind

import (
	"context"
	"strconv"
	"strings"
	"sync"
)

// Work is what goes on.
type Work uint8

// The kinds of work, in the order in which they are listed.
const (
	Load    Work = iota // of a value
	Release             // of a lock that was given up
	Ack                 // of an entry that was handled
	Command             // whose caller has gone
	Wait                // on the server, whose caller has gone
	Lease               // that is extended
	Subscription
	Handover // of a connection, to or from the client
	kinds
)

var words = [kinds]string{"load", "release", "acknowledgement", "command", "wait", "lease", "subscribed connection", "connection hand-over"}

// Tally counts work that is under way. The zero Tally is ready for use.
type Tally struct {
	mu      sync.Mutex
	running [kinds]int
	sum     int
	closing bool
	idle    chan struct{} // closed when nothing is under way; nil: nobody waits
}

// Go runs f in a goroutine and counts it until it returns.
func (t *Tally) Go(w Work, f func()) {
	t.Begin(w)
	go func() {
		defer t.End(w)
		f()
	}()
}

// Begin counts work that begins.
func (t *Tally) Begin(w Work) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running[w]++
	t.sum++
}

// End counts work that has ended.
func (t *Tally) End(w Work) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running[w]--
	if t.sum--; t.sum == 0 && t.idle != nil {
		close(t.idle)
		t.idle = nil
	}
}

// Closing reports whether Close has been called.
func (t *Tally) Closing() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closing
}

// Close waits until nothing is under way. If the context ends first, Close says what is: "2 loads
// and 1 release still run", and returns the context's error.
func (t *Tally) Close(ctx context.Context) (left string, _ error) {
	t.mu.Lock()
	t.closing = true
	if t.sum == 0 {
		t.mu.Unlock()
		return "", nil
	}
	if t.idle == nil {
		t.idle = make(chan struct{})
	}
	idle := t.idle
	t.mu.Unlock()
	select {
	case <-idle:
		return "", nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sum == 0 {
		return "", nil
	}
	return t.left(), ctx.Err()
}

func (t *Tally) left() string {
	var parts []string
	for w, n := range t.running {
		switch {
		case n == 1:
			parts = append(parts, "1 "+words[w])
		case n > 1:
			parts = append(parts, strconv.Itoa(n)+" "+words[w]+"s")
		}
	}
	verb := " still run"
	if t.sum == 1 {
		verb = " still runs"
	}
	last := parts[len(parts)-1]
	if len(parts) > 1 {
		last = strings.Join(parts[:len(parts)-1], ", ") + " and " + last
	}
	return last + verb
}
