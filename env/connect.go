package env

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// connectTimeout bounds [Open] when its context has no deadline. It covers two rounds of connecting
// and asking: with sentinels, one to find the master and one to reach it.
const connectTimeout = 15 * time.Second

type dialFunc func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error)

// connect returns a client and the function that closes it. If ctx ends first, or on any other
// error, it leaves no connection behind and nothing that would make one.
func connect(ctx context.Context, option rueidis.ClientOption) (rueidis.Client, func(), error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, connectTimeout)
		defer cancel()
	}
	if ctx.Err() != nil {
		return nil, doNothing, connectError(ctx, option, "", nil)
	}
	d := newDialer(option.DialCtxFn)
	option.DialCtxFn = d.dialContext
	stop := context.AfterFunc(ctx, d.shut)
	client, err := rueidis.NewClient(option) // NewClient takes no context
	if err == nil && option.Sentinel.MasterSet == "" && isSentinel(ctx, client) {
		err = errSentinel
	}
	if stop() && err == nil {
		d.open()
		return client, func() {
			client.Close()
			d.shut()
		}, nil
	}
	d.shut()
	if client != nil {
		client.Close()
	}
	return nil, doNothing, connectError(ctx, option, d.dialed(), explain(ctx, option, d.dialed(), err))
}

// connectError returns an error that says why there is no client and what to do. addr is the last
// address dialed; err is nil if ctx ended before anything was tried.
func connectError(ctx context.Context, option rueidis.ClientOption, addr string, err error) error {
	where := strings.Join(option.InitAddress, ", ")
	if ctx.Err() != nil {
		err = ctx.Err()
		if cause := context.Cause(ctx); !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", err, cause)
		}
		return fmt.Errorf("env: %w to %s: %w", ErrConnect, where, err)
	}
	text, answered := hint(option, addr, err)
	if answered && (repeats(err.Error(), option.Password) || repeats(err.Error(), option.Sentinel.Password)) {
		return fmt.Errorf("env: %w to %s: the answer repeats a part of the password and is withheld; %s", ErrConnect, where, text)
	}
	return fmt.Errorf("env: %w to %s: %w; %s", ErrConnect, where, err, text)
}

// repeats reports whether a server's answer quotes a secret or its beginning, since such quotes can
// be cut short.
func repeats(answer, secret string) bool {
	const enough = 4
	return secret != "" && strings.Contains(answer, secret[:min(len(secret), enough)])
}
