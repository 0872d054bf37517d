// Package watch streams what happens to the keys of a declared keyspace: set, expired, deleted. It
// listens to the server's keyspace notifications, on all primaries of a Redis Cluster, and returns
// every key with its declaration and parameters.
//
//	for e, err := range watch.Keys(ctx, root, nest.Only(users.Session)) {
//		if errors.Is(err, nest.ErrGap) {
//			reload() // events are missing; the stream continues
//			continue
//		} else if err != nil {
//			return err
//		}
//		if e.Event == "expired" {
//			id, err := users.ID.From(e.Match)
//			…
//		}
//	}
//
// Redis does not store notifications: what happens while nobody listens is lost. The stream says
// where that may have been the case, with [nest.ErrGap]. Use it to keep something in memory up to
// date, or to react soon; not as a queue, which is what a [nest.Stream] is for.
package watch

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/redisimnest/redisimnest/nest"
)

// Event is what happened to a key.
type Event struct {
	// Match is the key with its declaration and parameters.
	Match nest.Match
	// Event is the server's name for what happened: "set", "hset", "expire", "expired", "evicted",
	// "del" (also for UNLINK), "rename_from", "rename_to" and others, most of them the name of the
	// command in lower case.
	Event string
}

// ErrNotEnabled means that a server is not configured to send the notifications that a watch needs.
// The error names the missing classes and the value that notify-keyspace-events should have.
var ErrNotEnabled = errors.New("keyspace notifications are not enabled")

// Option is an option of [With].
type Option interface{ apply(o *options) error }

type options struct {
	buffer    int
	enable    bool
	unchecked bool
	ready     func()
	events    []string
}

type option func(o *options) error

func (f option) apply(o *options) error { return f(o) }

// DefaultBuffer is the default of [Buffer].
const DefaultBuffer = 4096

// Buffer sets how many events wait for a loop that is slower than they come. Events that find no
// room are dropped, and an error that wraps [nest.ErrGap] says how many. The default is
// [DefaultBuffer].
func Buffer(n int) Option {
	return option(func(o *options) error {
		if n < 1 {
			return fmt.Errorf("%w: Buffer(%d): at least 1", nest.ErrArgument, n)
		}
		o.buffer = n
		return nil
	})
}

// Enable lets the watch configure the servers: it adds the classes of notifications that it needs
// to those that are on (CONFIG SET notify-keyspace-events), and leaves them on when it ends. They
// cost the server some time for each write. The default is to change nothing, and to end with
// [ErrNotEnabled] if a class is missing.
func Enable() Option {
	return option(func(o *options) error {
		o.enable = true
		return nil
	})
}

// Unchecked lets the watch begin without asking which notifications are on (CONFIG GET), which many
// hosted servers do not allow. If they are off, nothing comes.
func Unchecked() Option {
	return option(func(o *options) error {
		o.unchecked = true
		return nil
	})
}

// OnSubscribed sets a function that is called once all primaries have confirmed the subscription:
// what happens from then on arrives. The goroutine of the loop calls it, before the first event.
func OnSubscribed(f func()) Option {
	return option(func(o *options) error {
		o.ready = f
		return nil
	})
}

// Events limits the watch to events of these names, such as "expired" and "del". The servers then
// only need the classes of these. The default is all events of keys of the kinds below the scope,
// except keymiss and new.
func Events(names ...string) Option {
	return option(func(o *options) error {
		if len(names) == 0 || slices.Contains(names, "") {
			return fmt.Errorf("%w: Events needs names, none of them empty", nest.ErrArgument)
		}
		o.events = append(o.events, names...)
		return nil
	})
}

// Watcher watches with options other than the defaults. The zero Watcher has the defaults.
type Watcher struct {
	options options
	err     error
}

// With returns a Watcher with options. If an option is refused, [Watcher.Keys] returns the error.
func With(opts ...Option) Watcher {
	var w Watcher
	for _, o := range opts {
		err := fmt.Errorf("%w: a nil option", nest.ErrArgument)
		if o != nil {
			err = o.apply(&w.options)
		}
		if err != nil && w.err == nil {
			w.err = err
		}
	}
	return w
}

// Keys is [Watcher.Keys] with the default options.
func Keys(ctx context.Context, scope nest.Scope, filters ...nest.WalkOption) iter.Seq2[Event, error] {
	return Watcher{}.Keys(ctx, scope, filters...)
}

// Keys streams the events of declared keys below the scope from now on (PSUBSCRIBE; Redis 7.0).
// [nest.Only] and [nest.Where] restrict it, and other options have no effect. Names that nothing
// declares, and what package nest keeps beside keys, are left out. The watch begins with the loop
// and ends with it.
//
// It holds a connection of its own to every primary. On a Redis Cluster it asks once a second which
// nodes are primaries (CLUSTER NODES), and subscribes to new ones. When a slot moves from one node
// to another, its keys are deleted here and restored there: these events are left out, and so is a
// RESTORE within the second in which its slot has arrived. The events of one server come in their
// order.
//
// A lost connection is made again until the context ends, after a failover to the new primary.
// Where events may be missing, an error that wraps [nest.ErrGap] comes in their place and the
// stream continues: after a reconnect, when a primary has joined, and when the loop was too slow
// for its [Buffer]. Around a failover some events may come twice, and so may the deletion of a key
// that has moved at that moment.
//
// Any other error ends the stream: [ErrNotEnabled], a server that refuses a command
// ([nest.ErrUnsupported] if it does not know it), a client that is closed, and a subscription that
// could not be made within 5 seconds at the start. The stream ends without an error when the
// context does.
func (w Watcher) Keys(ctx context.Context, scope nest.Scope, filters ...nest.WalkOption) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		r, err := w.prepare(ctx, scope, filters)
		if err != nil {
			yield(Event{}, fail(scope, err))
			return
		}
		if ctx.Err() != nil {
			return
		}
		defer r.start(ctx)()
		for {
			l, ok := r.out.take(ctx)
			switch {
			case !ok:
				return
			case l.ready:
				if r.options.ready != nil {
					r.options.ready()
				}
			case l.err != nil:
				if !yield(Event{}, fail(scope, l.err)) || l.last {
					return
				}
			default:
				if !yield(Event{l.match, l.event}, nil) {
					return
				}
			}
		}
	}
}

// prepare checks everything that can be checked before anything is sent.
func (w Watcher) prepare(ctx context.Context, scope nest.Scope, filters []nest.WalkOption) (*watch, error) {
	if w.err != nil {
		return nil, w.err
	}
	if err := scope.Err(); err != nil {
		return nil, err
	}
	client := scope.Client()
	switch {
	case ctx == nil:
		return nil, fmt.Errorf("%w: the context is nil", nest.ErrArgument)
	case client == nil:
		return nil, fmt.Errorf("%w: the scope was opened with NamesOnly", nest.ErrNoClient)
	}
	takes, err := scope.Filter(filters...)
	if err != nil {
		return nil, err
	}
	r := &watch{scope: scope, client: client, takes: takes, options: w.options, links: make(map[string]*link), news: make(chan linkNews)}
	if r.options.buffer == 0 {
		r.options.buffer = DefaultBuffer
	}
	r.out, r.raw = newMailbox(r.options.buffer), newMailbox(r.options.buffer)
	r.classes = classesFor(scope.Describe(), r.options.events)
	return r, nil
}

// fail returns an error of the watch as one of the scope.
func fail(scope nest.Scope, err error) error {
	if e, ok := errors.AsType[*nest.Error](err); ok {
		return e
	}
	shown := ""
	if scope.Err() == nil {
		shown = scope.String()
	}
	return &nest.Error{Op: "watch", Key: shown, Err: err}
}

// gap is an error in the place of events that are missing.
type gap struct {
	dropped int64
	why     string // "" if events were only dropped
}

func (g *gap) Error() string {
	text := nest.ErrGap.Error() + ": "
	if g.why != "" {
		text += g.why
		if g.dropped == 0 {
			return text
		}
		text += ", and "
	}
	return text + fmt.Sprintf("%d were dropped for want of room in the buffer", g.dropped)
}

// Unwrap returns the error of package nest with the same meaning.
func (g *gap) Unwrap() error { return &nest.GapError{Dropped: g.dropped, Reconnected: g.why != ""} }

const (
	// startTimeout is how long the subscriptions may take at the start.
	startTimeout = 5 * time.Second
	// lookEvery is how often the servers are asked who is a primary.
	lookEvery = time.Second
	// askTimeout bounds the wait for one answer.
	askTimeout = 3 * time.Second
)
