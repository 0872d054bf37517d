package nest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/redis/rueidis"
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

// Buffer sets how many messages wait for a subscriber that is slower than they come; those that
// find no room are dropped. The default is [DefaultBuffer].
func Buffer(n int) SubscribeOption {
	return subscribeOption(func(o *subscribeOptions) error {
		o.buffer = n
		if n < 1 {
			return because(ErrArgument, "Buffer is at least 1")
		}
		return nil
	})
}

// OnSubscribed is called each time the server has confirmed the subscription, the first time and
// after each reconnect: what is published from then on arrives. It must return soon and send no
// command.
func OnSubscribed(f func()) SubscribeOption {
	return subscribeOption(func(o *subscribeOptions) error {
		o.onSubscribed = f
		return nil
	})
}

// ErrGap tells that messages of a subscription are missing. [GapError] tells how many and why.
var ErrGap = errors.New("messages are missing")

// GapError stands in a subscription where messages are missing. It wraps [ErrGap].
type GapError struct {
	// Dropped is how many messages found no room in the buffer.
	Dropped int64
	// Reconnected tells that the connection was lost: nobody knows what was published until
	// the subscription stood again.
	Reconnected bool
}

// Error tells what is missing and why.
func (e *GapError) Error() string {
	switch {
	case e.Reconnected && e.Dropped > 0:
		return fmt.Sprintf("%v: the connection was lost and is back, and %d were dropped for want of room in the buffer", ErrGap, e.Dropped)
	case e.Reconnected:
		return ErrGap.Error() + ": the connection was lost and is back"
	}
	return fmt.Sprintf("%v: %d were dropped for want of room in the buffer", ErrGap, e.Dropped)
}

// Unwrap gives [ErrGap].
func (e *GapError) Unwrap() error { return ErrGap }

// Subscribe streams the messages that are published from now on, in order (SUBSCRIBE, or
// SSUBSCRIBE on a Redis Cluster), over a connection of its own, which is closed when the loop
// ends. The subscription begins with the loop; [OnSubscribed] tells when it stands.
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
// Two errors are told in the place of a message and leave the stream going: [ErrGap], where
// messages were dropped because the loop was too slow for its [Buffer], or may have been missed
// while the connection was away, and [ErrDecode] for a message that is no T. A lost connection
// is made anew until the context ends. Any other error ends the stream: that the subscription
// could not be made at the start, that the server refuses it, that the client is closed. The
// stream ends, without an error, when the context does.
//
//nest:ttl keeps
func (r ChannelRef[T]) Subscribe(ctx context.Context, opts ...SubscribeOption) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		if err := r.at.ready(ctx, opSubscribe); err != nil {
			yield(zero, err)
			return
		}
		o := subscribeOptions{buffer: DefaultBuffer}
		for _, opt := range opts {
			if opt == nil {
				continue
			}
			if err := opt.applySubscribe(&o); err != nil {
				yield(zero, r.at.fail(opSubscribe, err))
				return
			}
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		s := &subscription{ref: r.at, sharded: r.sharded(), options: o, box: mailbox{room: o.buffer, news: make(chan struct{}, 1)}}
		go s.run(ctx)
		for {
			l, ok := s.box.take(ctx)
			if !ok {
				return
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

// subscription receives for one loop.
type subscription struct {
	ref     address
	sharded bool
	options subscribeOptions
	box     mailbox
	stood   atomic.Bool // the server has confirmed it once
}

// run keeps the subscription up until the context ends or going on makes no sense.
func (s *subscription) run(ctx context.Context) {
	for failures := 0; ; failures++ {
		stood, err := s.receive(ctx)
		if ctx.Err() != nil {
			return
		}
		if stood {
			failures = 0
		}
		if !s.stood.Load() || !passing(err) {
			if err == nil {
				err = errUnsubscribed
			}
			s.box.put(letter{err: err, last: true})
			return
		}
		if pause(ctx, failures+4) != nil {
			return
		}
	}
}

// errUnsubscribed is how a subscription ends that the server takes back, as it does when a slot
// of a Redis Cluster moves.
var errUnsubscribed = errors.New("the server has ended the subscription")

// receive subscribes on a connection of its own and receives until that fails. It tells whether
// the server had confirmed the subscription.
func (s *subscription) receive(ctx context.Context) (stood bool, err error) {
	client, _ := s.ref.m.tree.client.Dedicate()
	// Given back, the connection could still be subscribed; closed, it cannot.
	defer client.Close()
	var confirmed atomic.Bool
	ctx = rueidis.WithOnSubscriptionHook(ctx, func(e rueidis.PubSubSubscription) {
		if ctx.Err() != nil || e.Kind != "subscribe" && e.Kind != "ssubscribe" {
			return
		}
		if !confirmed.Swap(true) {
			s.confirmed()
		}
	})
	cmd := client.B().Subscribe().Channel(s.ref.key).Build()
	if s.sharded {
		cmd = client.B().Ssubscribe().Channel(s.ref.key).Build()
	}
	err = client.Receive(ctx, cmd, func(m rueidis.PubSubMessage) { s.box.put(letter{text: m.Message}) })
	return confirmed.Load(), serverError(err)
}

func (s *subscription) confirmed() {
	if s.stood.Swap(true) {
		s.box.put(letter{err: &GapError{Reconnected: true}})
	}
	if s.options.onSubscribed != nil {
		s.options.onSubscribed()
	}
}

// letter is a message, or what is told in its place.
type letter struct {
	text string
	err  error
	last bool
}

// mailbox keeps letters for a reader. It never lets the writer wait, which holds up a whole
// connection: for what finds no room it keeps one letter that tells how much was dropped.
type mailbox struct {
	room int
	news chan struct{} // holds one when there may be letters

	mu      sync.Mutex
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
	var gap *GapError
	if n := len(b.letters); n > 0 {
		gap, _ = errors.AsType[*GapError](b.letters[n-1].err)
	}
	more, isGap := errors.AsType[*GapError](l.err)
	switch {
	case isGap && gap != nil: // two gaps side by side are one
		gap.Reconnected = gap.Reconnected || more.Reconnected
	case l.err != nil || len(b.letters) < b.room:
		b.letters = append(b.letters, l)
	case gap != nil:
		gap.Dropped++
	default:
		b.letters = append(b.letters, letter{err: &GapError{Dropped: 1}})
	}
}

// take gives the next letter, and false when the context has ended.
func (b *mailbox) take(ctx context.Context) (letter, bool) {
	for {
		if ctx.Err() != nil {
			return letter{}, false
		}
		b.mu.Lock()
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
