package nest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// OpenOption is an option of [Open] and [Check].
type OpenOption interface {
	applyOpen(o *openOptions) error
}

type openOptions struct {
	prefix    string
	defaults  settings
	namesOnly bool
	scan      walkOptions
	observers []Observer
	broadcast bool
	untracked bool // [WithoutTracking]
	// oneConnection says that the client does not choose among connections.
	oneConnection bool
	// singleServer says that slots do not matter.
	singleServer bool

	timeout time.Duration // [WithTimeout]
	breaker breaker       // [WithBreaker]

	sealer      Sealer
	hasher      Hasher
	plainHashes bool
	// noRenew says that reads leave TTLs as they are.
	noRenew bool
	// resealOnRead lets reads write back values that were not sealed by the primary key.
	resealOnRead bool
}

// breaker is what [WithBreaker] says. No failures: there is none.
type breaker struct {
	failures int
	pause    time.Duration
}

func defaultOptions() openOptions {
	return openOptions{scan: walkOptions{count: DefaultScanCount, chunk: DefaultDeleteChunk}}
}

type openOption func(o *openOptions) error

func (f openOption) applyOpen(o *openOptions) error { return f(o) }

// WithPrefix opens the tree under a literal prefix, as if the root were in a cluster of that name.
// For example, a test can use a separate root for each run.
func WithPrefix(prefix string) OpenOption {
	return openOption(func(o *openOptions) error {
		t, err := names.Parse(prefix, false)
		if err == nil && len(t.Slots) > 0 {
			err = errors.New("it cannot have parameters")
		}
		if err != nil {
			return fmt.Errorf("WithPrefix(%q): %w", prefix, err)
		}
		o.prefix = prefix
		return nil
	})
}

// WithDefaults sets what the root inherits: TTL, NoTTL, AutoRenew, Jitter, Codec, Protected.
func WithDefaults(opts ...Option) OpenOption {
	return openOption(func(o *openOptions) error {
		var c config
		if err := eachOption(opts, func(o Option) error { return o.applyCluster(&c) }); err != nil {
			return err
		}
		if c.doc != "" || len(c.params) > 0 {
			return errors.New("WithDefaults: Doc and Params are not inherited settings")
		}
		o.defaults = c.settings.under(o.defaults)
		return nil
	})
}

// WithCodec sets the codec that the root inherits. The default is [codec.Auto].
func WithCodec(c codec.Codec) OpenOption { return WithDefaults(Codec(c)) }

// NamesOnly lets Open work without a client, for tools that read key names from elsewhere. Names,
// [Scope.Match] and [Scope.Describe] work; every operation returns [ErrNoClient].
func NamesOnly() OpenOption {
	return openOption(func(o *openOptions) error {
		o.namesOnly = true
		return nil
	})
}

// WithOneConnection says that the client has one connection to its server. A client of package env
// does (rueidis' PipelineMultiplex of -1); a client of rueidis does not by default. GET and SET
// then do not compute the slot of their key, which a client needs only to choose among several
// connections or replicas. That saves a third of the time that it takes to build them. For a client
// of a Redis Cluster the option changes nothing.
func WithOneConnection() OpenOption {
	return openOption(func(o *openOptions) error {
		o.oneConnection = true
		return nil
	})
}

// SingleServer says that the service will never run on a Redis Cluster. There, keys that one step
// uses together must live in one slot: a move or a union of several keys, [Scope.Atomic],
// [Transact], [Lease.Guard]. Without the option, an operation whose keys are in several slots fails
// with [ErrCrossSlot] and sends nothing, on a single server too, so that what works in a test works
// on a Redis Cluster. With it, slots do not matter, and [Open] refuses the client of a Redis
// Cluster with [ErrDeclaration].
func SingleServer() OpenOption {
	return openOption(func(o *openOptions) error {
		o.singleServer = true
		return nil
	})
}

// NoRenew lets reads leave the TTL of AutoRenew keys as it is: where they send GETEX, or a script
// that restarts the TTL, they send the plain command. It is for a process that looks at keys
// without keeping them alive, and for a user who may only read (package acl). Writes restart the
// TTL as declared.
func NoRenew() OpenOption {
	return openOption(func(o *openOptions) error {
		o.noRenew = true
		return nil
	})
}

// WithTimeout bounds each exchange with a server that no nearer deadline bounds: a command, a
// script, the commands of a batch that travel together, and the wait for a connection. What takes
// longer fails with [ErrAway] and [context.DeadlineExceeded]. Of an operation of several steps,
// such as [Transact], GetOrLoad or a walk, it bounds every step by itself, and never the caller's
// function or the wait for another client. A command that waits on the server, such as a blocking
// pop, may take its own wait and d more. Subscriptions are not bounded.
//
// By default nothing is bounded but by the caller's context and by what the client itself gives up
// on. Then a read with a context that has no deadline waits for as long as the server is gone.
// WithTimeout(0) is the default; it takes away what an earlier option set. Package env sets 2
// seconds, or REDIS_TIMEOUT.
//
// A context costs two allocations under WithTimeout if it can be cancelled and has no deadline, or
// one that is later than d, while several calls share the connection. Calls that use the same such
// context within a sixteenth of d share them. Other contexts cost none.
func WithTimeout(d time.Duration) OpenOption {
	return openOption(func(o *openOptions) error {
		if d != 0 && d < time.Millisecond {
			return fmt.Errorf("WithTimeout(%v): at least a millisecond, or 0 for none%s", d, nanoseconds(d))
		}
		o.timeout = d
		return nil
	})
}

// WithBreaker sends nothing to a server for pause after failures exchanges in a row with it have
// failed. What would go there fails at once, with [ErrAway], until one exchange that is let through
// after the pause is answered. An exchange fails if it cannot connect, if its connection is lost,
// or if [WithTimeout] ends it. Any answer ends the count, whatever it says, and the end of a
// caller's own context is not counted. Each server of a Redis Cluster is counted by itself, by the
// slots that it has.
//
// By default there is no breaker, and WithBreaker(0, 0) takes away what an earlier option set.
// Package env sets 5 failures and 1 second.
func WithBreaker(failures int, pause time.Duration) OpenOption {
	return openOption(func(o *openOptions) error {
		if none := failures == 0 && pause == 0; !none && (failures < 1 || pause < time.Millisecond) {
			return fmt.Errorf("WithBreaker(%d, %v): at least one failure and a millisecond, or 0 and 0 for none%s", failures, pause, nanoseconds(pause))
		}
		o.breaker = breaker{failures, pause}
		return nil
	})
}

// WithLogger logs every operation: its name, the template, the key, how long it took and how it
// failed. It never logs a value, and sensitive parameters only as their templates. Errors of
// loaders and of handlers of [StreamRef.Consume] are logged with their text as it is.
//
// Failures are logged as warnings, and as errors if they wrap [ErrAway] or [ErrOutcomeUnknown].
// Everything else is logged at the debug level: what succeeds, [ErrNotFound], [ErrLimited], calls
// whose context was cancelled, and batches, whose operations are logged one by one.
func WithLogger(l *slog.Logger) OpenOption {
	return openOption(func(o *openOptions) error {
		if l == nil {
			return errors.New("WithLogger: a nil logger")
		}
		o.observers = append(o.observers, logObserver{l})
		return nil
	})
}

// WithObserver reports every operation to ob, which may be a [Starter]. Observers are called in the
// order in which they are given. Without any, an operation costs nothing more than without this
// option. Package nestotel's Observe is such an option, for OpenTelemetry.
func WithObserver(ob Observer) OpenOption {
	return openOption(func(o *openOptions) error {
		if ob == nil {
			return errors.New("WithObserver: a nil observer")
		}
		o.observers = append(o.observers, ob)
		return nil
	})
}

// Sealer encrypts what [Secret] and [Password] store, so that it opens only in the place where it
// was stored. Package secure's Keyring is a Sealer, and so is its Holder, whose keys can be
// replaced. A Sealer must be safe for concurrent use, and its errors must contain neither a
// plaintext nor a stored value.
type Sealer interface {
	// Seal appends the sealed form of plaintext to dst. key is the full name in Redis, field the
	// hash field or "", kind the [Kind] of the key. codec is the name of the codec that encoded the
	// plaintext, the first of its [codec.Names].
	Seal(dst, plaintext []byte, key, field, kind, codec string) ([]byte, error)
	// Open appends the plaintext of sealed to dst, if it was sealed for the same place. Open,
	// Current and KeyID neither change sealed nor keep it.
	Open(dst, sealed []byte, key, field, kind, codec string) ([]byte, error)
	// Current reports whether Seal would use the same key for the value again, so that [Rotate]
	// leaves it alone. It does not open the value.
	Current(sealed []byte) bool
	// KeyID returns the id of the key that sealed a value, without opening the value; ok is false
	// if the value is not sealed. The id "fernet" stands for values that the Python library stored:
	// their plaintext is always text, not the output of a codec.
	KeyID(sealed []byte) (id string, ok bool)
}

// Hasher hashes and verifies what [Password] stores. Package secure's Passwords is a Hasher. A
// Hasher must be safe for concurrent use, and its errors must contain neither a password nor a
// stored string.
type Hasher interface {
	// Hash returns the string to store for a password.
	Hash(ctx context.Context, password string) (encoded string, err error)
	// Verify reports whether password matches a stored string, and whether the string should be
	// replaced by a new Hash. A wrong password is not an error.
	Verify(ctx context.Context, encoded, password string) (ok, rehash bool, err error)
	// VerifyMissing takes as long as Verify, for when there is no stored string.
	VerifyMissing(ctx context.Context, password string) error
	// Validate returns why Verify would refuse a stored string, or nil.
	Validate(encoded string) error
}
