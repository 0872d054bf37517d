package nest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"
)

// SubscribeOption is an option of [ChannelRef.Subscribe].
type SubscribeOption interface {
	applySubscribe(o *subscribeOptions) error
}

type subscribeOptions struct {
	buffer       int
	onSubscribed func()
}

type subscribeOption func(o *subscribeOptions) error

func (f subscribeOption) applySubscribe(o *subscribeOptions) error { return f(o) }

// DefaultBuffer is the default of [Buffer].
const DefaultBuffer = 256

// Buffer sets how many messages are kept for a subscriber that is slower than they arrive. Messages
// that find no room are dropped. The default is [DefaultBuffer].
func Buffer(n int) SubscribeOption {
	return subscribeOption(func(o *subscribeOptions) error {
		o.buffer = n
		if n < 1 {
			return because(ErrArgument, "Buffer is at least 1")
		}
		return nil
	})
}

// OnSubscribed sets a function that is called each time the server has confirmed the subscription,
// the first time and after each reconnect. Messages that are published after that arrive. The
// loop's goroutine calls the function between two messages, before any that are buffered.
func OnSubscribed(f func()) SubscribeOption {
	return subscribeOption(func(o *subscribeOptions) error {
		o.onSubscribed = f
		return nil
	})
}

// ErrGap means that messages of a subscription are missing. [GapError] says how many and why.
var ErrGap = errors.New("messages are missing")

// GapError appears in a subscription where messages are missing. It wraps [ErrGap].
type GapError struct {
	// Dropped is how many messages found no room in the buffer.
	Dropped int64
	// Reconnected means that the connection was lost. It is unknown what was published until the
	// subscription was established again.
	Reconnected bool
}

// Error says what is missing and why.
func (e *GapError) Error() string {
	switch {
	case e.Reconnected && e.Dropped > 0:
		return fmt.Sprintf("%v: the connection was lost and is back, and %d were dropped for want of room in the buffer", ErrGap, e.Dropped)
	case e.Reconnected:
		return ErrGap.Error() + ": the connection was lost and is back"
	}
	return fmt.Sprintf("%v: %d were dropped for want of room in the buffer", ErrGap, e.Dropped)
}

// Unwrap returns [ErrGap].
func (e *GapError) Unwrap() error { return ErrGap }

// Subscribe streams the messages that are published from now on, in order (SUBSCRIBE, or SSUBSCRIBE
// on a Redis Cluster, Redis 7.0). The subscription begins and ends with the loop. [OnSubscribed]
// reports when it is established.
//
//	for m, err := range news.Subscribe(ctx) {
//		if errors.Is(err, nest.ErrGap) {
//			reload() // and go on
//			continue
//		} else if err != nil {
//			return err
//		}
//		handle(m)
//	}
//
// All subscriptions of a tree share one connection, which the operations do not use. On a Redis
// Cluster they share one to each node that has some of their channels. The connection is one of the
// client's BlockingPoolSize. It is closed when the last subscription ends. Subscriptions do not
// wait for each other: each has its own [Buffer].
//
// Two errors take the place of a message, and the stream goes on after them. [ErrGap] means that
// messages were dropped because the loop was too slow for its [Buffer], or may have been missed
// while the connection was lost. [ErrDecode] is for a message that is not a T. A lost connection is
// made again until the context ends: after a failover by Sentinel to the new primary, and on a
// Redis Cluster to the node that has the channel by then. Any other error ends the stream: the
// subscription could not be established within 5 seconds at the start ([ErrUnsent] if the client
// had no connection for it), the server refuses it, or the client is closed. When the context ends,
// the stream ends without an error.
//
//nest:ttl keeps
func (r ChannelRef[T]) Subscribe(ctx context.Context, opts ...SubscribeOption) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		if err := r.at.admit(ctx, opSubscribe); err != nil {
			yield(zero, err)
			return
		}
		o := subscribeOptions{buffer: DefaultBuffer}
		if err := eachOption(opts, func(opt SubscribeOption) error { return opt.applySubscribe(&o) }); err != nil {
			yield(zero, r.at.fail(opSubscribe, err))
			return
		}
		if ctx.Err() != nil {
			return
		}
		t := r.at.m.tree
		s := &subscription{channel: r.at.key, box: mailbox{room: o.buffer, news: make(chan struct{}, 1)}}
		t.hubs.join(t, s)
		defer t.hubs.leave(s)
		defer time.AfterFunc(subscribeTimeout, func() { t.hubs.late(s) }).Stop()
		for {
			l, ok := s.box.take(ctx)
			if !ok {
				return
			}
			if l.stood {
				if o.onSubscribed != nil {
					o.onSubscribed()
				}
				continue
			}
			v, err := zero, l.err
			if err == nil {
				if v, err = r.channel().typed.Decode(l.text); err != nil {
					v, err = zero, decodeError(r.at.m, err)
				}
			}
			if err != nil {
				err = r.at.fail(opSubscribe, err)
			}
			if !yield(v, err) || l.last {
				return
			}
		}
	}
}

const opSubscribe = "subscribe"

// subscribeTimeout is how long a subscription waits for a connection, and for the server to confirm
// it.
const subscribeTimeout = 5 * time.Second

// subscription receives for one loop.
type subscription struct {
	channel  string
	audience *audience // nil when it has ended
	stood    bool      // the server has confirmed it once
	box      mailbox
}

// stand records that the server has confirmed the subscription.
func (s *subscription) stand() {
	if s.stood {
		s.box.put(letter{err: &GapError{Reconnected: true}})
	}
	s.stood = true
	s.box.put(letter{stood: true})
}

// fail ends the subscription with an error.
func (s *subscription) fail(err error) {
	delete(s.audience.members, s)
	s.audience = nil
	s.box.put(letter{err: err, last: true})
}

// letter is a message, or an error or a confirmation in its place.
type letter struct {
	text  string
	err   error
	last  bool
	stood bool // the subscription is established; needs no room, comes first
}

// mailbox keeps letters for a reader. It never blocks the writer, which would delay a whole
// connection. For letters that find no room it keeps one letter with the number that was dropped.
type mailbox struct {
	room int
	news chan struct{} // has a value when there may be letters

	mu      sync.Mutex
	stood   int // how many confirmations are waiting
	letters []letter
}

func (b *mailbox) put(l letter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer func() {
		select {
		case b.news <- struct{}{}:
		default:
		}
	}()
	if l.stood {
		b.stood++
		return
	}
	var gap *GapError
	if n := len(b.letters); n > 0 {
		gap, _ = errors.AsType[*GapError](b.letters[n-1].err)
	}
	more, isGap := errors.AsType[*GapError](l.err)
	switch {
	case isGap && gap != nil: // two adjacent gaps become one
		gap.Reconnected = gap.Reconnected || more.Reconnected
	case l.err != nil || len(b.letters) < b.room:
		b.letters = append(b.letters, l)
	case gap != nil:
		gap.Dropped++
	default:
		b.letters = append(b.letters, letter{err: &GapError{Dropped: 1}})
	}
}

// take returns the next letter, or false if the context has ended.
func (b *mailbox) take(ctx context.Context) (letter, bool) {
	for {
		if ctx.Err() != nil {
			return letter{}, false
		}
		b.mu.Lock()
		if b.stood > 0 {
			b.stood--
			b.mu.Unlock()
			return letter{stood: true}, true
		}
		if len(b.letters) > 0 {
			l := b.letters[0]
			b.letters[0] = letter{}
			if b.letters = b.letters[1:]; len(b.letters) == 0 {
				b.letters = nil
			}
			b.mu.Unlock()
			return l, true
		}
		b.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-b.news:
		}
	}
}
