package nest

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/redisimnest/redisimnest/codec"
)

// OpenOption is an option of [Open] and [Check].
type OpenOption interface {
	applyOpen(o *openOptions) error
}

type openOptions struct {
	prefix    string
	defaults  settings
	namesOnly bool
	scan      scanOptions
	observers []Observer
	broadcast bool
	// oneConnection tells that the client does not choose among connections.
	oneConnection bool

	sealer      Sealer
	hasher      Hasher
	plainHashes bool
	// resealOnRead lets reads write back what another than the primary key has sealed.
	resealOnRead bool
}

func defaultOptions() openOptions {
	return openOptions{scan: scanOptions{count: DefaultScanCount, chunk: DefaultDeleteChunk}}
}

type openOption func(o *openOptions) error

func (f openOption) applyOpen(o *openOptions) error { return f(o) }

// WithPrefix opens the tree under a literal prefix, as if the root stood in a cluster of that
// name: a test gives each run a root of its own.
func WithPrefix(prefix string) OpenOption {
	return openOption(func(o *openOptions) error {
		t, err := parseTemplate(prefix, false)
		if err == nil && len(t.slots) > 0 {
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
		for _, opt := range opts {
			if opt == nil {
				return errNilOption
			}
			if err := opt.applyCluster(&c); err != nil {
				return err
			}
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

// NamesOnly lets Open do without a client: names, [Scope.Match] and [Scope.Describe] work, and
// every operation returns [ErrNoClient] — for tools that read key names from elsewhere.
func NamesOnly() OpenOption {
	return openOption(func(o *openOptions) error {
		o.namesOnly = true
		return nil
	})
}

// WithOneConnection says that the client has one connection to its server, as package env makes it
// (rueidis' PipelineMultiplex of -1) and as rueidis does not by default. GET and SET then leave out
// the slot of their key, by which a client chooses among several connections, or among replicas: a
// third of the time that it takes to make them. It changes nothing for a client of a Redis Cluster.
func WithOneConnection() OpenOption {
	return openOption(func(o *openOptions) error {
		o.oneConnection = true
		return nil
	})
}

// WithLogger logs every operation at the debug level: its name, the key, how long it took and
// how it failed; never a value, and sensitive parameters as their template. What
// [StreamRef.Consume] goes on after is logged as a warning, with the error of the handler in the
// handler's own words.
func WithLogger(l *slog.Logger) OpenOption {
	return openOption(func(o *openOptions) error {
		if l == nil {
			return errors.New("WithLogger: a nil logger")
		}
		o.observers = append(o.observers, logObserver{l})
		return nil
	})
}

// WithObserver tells ob of every operation. Observers are called in the order in which they
// are given.
func WithObserver(ob Observer) OpenOption {
	return openOption(func(o *openOptions) error {
		if ob == nil {
			return errors.New("WithObserver: a nil observer")
		}
		o.observers = append(o.observers, ob)
		return nil
	})
}
