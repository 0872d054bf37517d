package watch

import (
	"context"
	"sync"
	"time"

	"github.com/redisimnest/redisimnest/nest"
)

// letter is an event, or what takes its place in the stream.
type letter struct {
	match nest.Match
	event string
	link  *link // where it came from
	at    time.Time

	err   error
	last  bool // the stream ends with err
	ready bool // all subscriptions stand
}

// mailbox keeps letters for one reader. It never blocks the writer, which would hold up a
// connection: of events that find no room it keeps their number.
type mailbox struct {
	room int
	news chan struct{} // holds one when there may be letters

	mu      sync.Mutex
	letters []letter
}

func newMailbox(room int) *mailbox { return &mailbox{room: room, news: make(chan struct{}, 1)} }

func (b *mailbox) put(l letter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var before *gap
	if n := len(b.letters); n > 0 {
		before, _ = b.letters[n-1].err.(*gap) //nolint:errorlint // it is not wrapped here
	}
	more, isGap := l.err.(*gap) //nolint:errorlint // neither here
	switch {
	case isGap && before != nil: // two gaps side by side are one
		joined := &gap{dropped: before.dropped + more.dropped, why: more.why}
		if joined.why == "" {
			joined.why = before.why
		}
		b.letters[len(b.letters)-1].err = joined
	case l.err != nil || l.ready || len(b.letters) < b.room:
		b.letters = append(b.letters, l)
	case before != nil:
		b.letters[len(b.letters)-1].err = &gap{dropped: before.dropped + 1, why: before.why}
	default:
		b.letters = append(b.letters, letter{err: &gap{dropped: 1}})
	}
	select {
	case b.news <- struct{}{}:
	default:
	}
}

// take returns the next letter. It returns false when the context has ended.
func (b *mailbox) take(ctx context.Context) (letter, bool) {
	some, ok := b.takeSome(ctx, 1)
	if !ok {
		return letter{}, false
	}
	return some[0], true
}

// takeSome returns up to n letters, and at least one.
func (b *mailbox) takeSome(ctx context.Context, n int) ([]letter, bool) {
	for ctx.Err() == nil {
		b.mu.Lock()
		if n := min(n, len(b.letters)); n > 0 {
			some := b.letters[:n:n]
			if b.letters = b.letters[n:]; len(b.letters) == 0 {
				b.letters = nil
			}
			b.mu.Unlock()
			return some, true
		}
		b.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-b.news:
		}
	}
	return nil, false
}
