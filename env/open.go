package env

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/secure"
)

// Open opens root on the server that the environment names: [Load], then [Config.Open].
func Open(ctx context.Context, root *nest.ClusterDef, opts ...nest.OpenOption) (nest.Scope, func(), error) {
	c, err := Load()
	if err != nil {
		return nest.Scope{}, doNothing, err
	}
	return c.Open(ctx, root, opts...)
}

// Open checks the tree, connects and opens the tree. Secrets are sealed with the Config's keyring,
// passwords are hashed as [secure.Recommended] says. Where opts say the same as the Config, opts
// are taken. The function closes the client, once the commands that are under way have ended; it
// may be called more than once and is never nil.
//
// The errors are [*Error], which is [ErrConfig]; what [nest.Check] finds; and [ErrConnect], which
// also wraps the context's error when ctx is over before the server has answered. A ctx without
// a deadline is given 15 seconds. The scope does not depend on ctx.
func (c Config) Open(ctx context.Context, root *nest.ClusterDef, opts ...nest.OpenOption) (nest.Scope, func(), error) {
	option, err := c.ClientOption()
	if err != nil {
		return nest.Scope{}, doNothing, err
	}
	own, err := c.openOptions()
	if err != nil {
		return nest.Scope{}, doNothing, err
	}
	opts = append(own, opts...)
	if err := nest.Check(root, opts...); err != nil {
		if errors.Is(err, nest.ErrNoKeyring) {
			err = fmt.Errorf("%w\nenv: NEST_KEYRING holds no key", err)
		}
		return nest.Scope{}, doNothing, err
	}
	if c.CacheBroadcast {
		if option.ClientTrackingOptions, err = nest.TrackingOptions(root, opts...); err != nil {
			return nest.Scope{}, doNothing, err
		}
	}
	client, err := connect(ctx, option)
	if err != nil {
		return nest.Scope{}, doNothing, err
	}
	scope, err := nest.Open(client, root, opts...)
	if err != nil {
		client.Close()
		return nest.Scope{}, doNothing, err
	}
	return scope, sync.OnceFunc(client.Close), nil
}

func doNothing() {}

// openOptions gives what the Config says of a tree, and the hasher of its passwords.
func (c Config) openOptions() ([]nest.OpenOption, error) {
	c.fillDefaults()
	passwords, err := secure.NewPasswords(secure.Recommended())
	if err != nil {
		return nil, err
	}
	opts := []nest.OpenOption{
		nest.ScanCount(c.ScanCount), nest.DeleteChunk(c.DeleteChunk), nest.WithPasswords(passwords),
		nest.WithOneConnection(), // see ClientOption
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
	if c.LogOperations {
		opts = append(opts, nest.WithLogger(slog.New(everyLevel{slog.Default().Handler()})))
	}
	return opts, nil
}

// everyLevel lets every record pass to a handler, whatever level that is set to: operations are
// logged at the debug level, which the default logger does not show, and were asked for.
type everyLevel struct{ slog.Handler }

func (everyLevel) Enabled(context.Context, slog.Level) bool { return true }

func (h everyLevel) WithAttrs(attrs []slog.Attr) slog.Handler {
	return everyLevel{h.Handler.WithAttrs(attrs)}
}

func (h everyLevel) WithGroup(name string) slog.Handler {
	return everyLevel{h.Handler.WithGroup(name)}
}
