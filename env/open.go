package env

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/secure"
)

// Open opens root on the server that the environment names. It calls [Load], then [Config.Open].
func Open(ctx context.Context, root *nest.ClusterDef, opts ...nest.OpenOption) (nest.Scope, func(), error) {
	c, err := Load()
	if err != nil {
		return nest.Scope{}, doNothing, err
	}
	return c.Open(ctx, root, opts...)
}

// Open checks the tree, connects, and opens the tree. Secrets are sealed with the Config's keyring;
// passwords are hashed under [secure.Recommended]. opts override the Config. The returned function
// closes the client once the commands under way have ended. It is never nil and may be called more
// than once.
//
// No exchange with a server takes longer than the Config's Timeout ([nest.WithTimeout]), and after
// five failures in a row nothing is sent for a second ([nest.WithBreaker]). Both can be overridden
// in opts.
//
// The errors are [*Error], which wraps [ErrConfig]; those of [nest.Check]; and [ErrConnect],
// together with the context's error if ctx ended before the server answered. A ctx without a
// deadline gets one of 15 seconds. The scope does not depend on ctx.
//
// Open waits for the connection. If a connection is lost later, no call is held up for long by
// another call that reconnects. After 60 ms, or one and a half times as long as the last connect
// took if that is more, the call returns an error that says that nothing was sent and for which
// errors.Is(err, syscall.ECONNREFUSED) is true. Connecting continues in the background.
func (c Config) Open(ctx context.Context, root *nest.ClusterDef, opts ...nest.OpenOption) (nest.Scope, func(), error) {
	client, closeClient, err := c.Client(ctx, root, opts...)
	if err != nil {
		return nest.Scope{}, doNothing, err
	}
	own, err := c.OpenOptions()
	var scope nest.Scope
	if err == nil {
		scope, err = nest.Open(client, root, append(own, opts...)...)
	}
	if err != nil {
		closeClient()
		return nest.Scope{}, doNothing, err
	}
	return scope, closeClient, nil
}

// Client checks the tree and connects, as [Config.Open] does, and returns the client that Open
// would use for root. It is for programs that open several trees, or open them in another way:
// [nest.Open] takes the client together with [Config.OpenOptions]. The tree matters for a client
// that is told in broadcasts what has changed ([Config.CacheBroadcast]): it hears of the keys that
// root and opts declare Cached. The returned function and the errors are those of Open.
func (c Config) Client(ctx context.Context, root *nest.ClusterDef, opts ...nest.OpenOption) (rueidis.Client, func(), error) {
	option, err := c.ClientOption()
	if err != nil {
		return nil, doNothing, err
	}
	own, err := c.OpenOptions()
	if err != nil {
		return nil, doNothing, err
	}
	opts = append(own, opts...)
	if err := nest.Check(root, opts...); err != nil {
		if errors.Is(err, nest.ErrNoKeyring) {
			err = fmt.Errorf("%w\nenv: neither NEST_KEYRING nor NEST_KEYRING_FILE is set", err)
		}
		return nil, doNothing, err
	}
	if c.CacheBroadcast {
		if option.ClientTrackingOptions, err = nest.TrackingOptions(root, opts...); err != nil {
			return nil, doNothing, err
		}
	}
	client, closeClient, err := connect(ctx, option)
	if err != nil {
		return nil, doNothing, err
	}
	return client, sync.OnceFunc(closeClient), nil
}

func doNothing() {}

// OpenOptions returns the options that the Config stands for: all but the address and how to
// connect to it. Among them are the keyring and the hasher of passwords, which hashes under
// [secure.Recommended]. They fit a client that [Config.Client] returns, or one that is made from
// [Config.ClientOption]. The error is an [*Error].
func (c Config) OpenOptions() ([]nest.OpenOption, error) {
	c.fillDefaults()
	passwords, err := secure.NewPasswords(secure.Recommended())
	if err != nil {
		return nil, err
	}
	opts := []nest.OpenOption{
		nest.ScanCount(c.ScanCount), nest.DeleteChunk(c.DeleteChunk), nest.WithPasswords(passwords),
		nest.WithOneConnection(), // see ClientOption
		nest.WithBreaker(defaultFailures, defaultPause),
	}
	if c.Timeout > 0 {
		opts = append(opts, nest.WithTimeout(c.Timeout))
	}
	keyring, err := c.keyringOption()
	if err != nil {
		return nil, err
	}
	if keyring != nil {
		opts = append(opts, keyring)
	}
	if c.AutoRenew {
		opts = append(opts, nest.WithDefaults(nest.AutoRenew()))
	}
	if c.CacheBroadcast {
		opts = append(opts, nest.WithBroadcast())
	}
	if !c.caches() || c.target().DisableCache {
		opts = append(opts, nest.WithoutTracking())
	}
	if c.LogOperations {
		opts = append(opts, nest.WithLogger(slog.New(everyLevel{slog.Default().Handler()})))
	}
	return opts, nil
}

// everyLevel passes every record to a handler, whatever level the handler is set to. Operations are
// logged at the debug level, which the default logger does not show, and here they were asked for.
type everyLevel struct{ slog.Handler }

func (everyLevel) Enabled(context.Context, slog.Level) bool { return true }

func (h everyLevel) WithAttrs(attrs []slog.Attr) slog.Handler {
	return everyLevel{h.Handler.WithAttrs(attrs)}
}

func (h everyLevel) WithGroup(name string) slog.Handler {
	return everyLevel{h.Handler.WithGroup(name)}
}
