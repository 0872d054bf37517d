package nesttest

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/rueidis"
)

// embedded is an engine: miniredis in this process.
type embedded struct {
	mini *miniredis.Miniredis
	keep bool // the data, over a restart
}

func startEmbedded(o startOptions) (*Server, error) {
	e := &embedded{mini: miniredis.NewMiniRedis(), keep: o.persistent}
	if err := e.start(); err != nil {
		return nil, err
	}
	return newServer(KindEmbedded, e, rueidis.ClientOption{
		// miniredis knows no tracking, answers CLUSTER SLOTS although it is no Redis Cluster,
		// and does not let a RESP3 connection go on after a SUBSCRIBE.
		DisableCache:      true,
		ForceSingleClient: true,
		AlwaysRESP2:       true,
	}, e.mini.Addr()), nil
}

func (e *embedded) start() error {
	if err := e.mini.Start(); err != nil {
		return err
	}
	e.mini.Server().SetPreHook(tamePatterns)
	return nil
}

func (e *embedded) kill() error {
	e.mini.Close()
	return nil
}

func (e *embedded) restart() error {
	// miniredis ends its context when it is closed, and then blocks no command ever again.
	e.mini.Ctx, e.mini.CtxCancel = context.WithCancel(context.Background()) //nolint:gosec // miniredis cancels it
	if !e.keep {
		e.mini.FlushAll()
	}
	return e.start()
}

func (e *embedded) close() error { return e.kill() }

// tamePatterns is called before each command, and changes the pattern of a scan in place where
// miniredis would panic: it makes a regular expression of it, in which neither bytes that are
// not UTF-8 nor a backslash before an E can stand. They are replaced by the sign for any
// character, so that the scan gives what it should and possibly more.
func tamePatterns(_ *server.Peer, _ string, args ...string) (done bool) {
	for i := range len(args) - 1 {
		if strings.EqualFold(args[i], "MATCH") {
			args[i+1] = tame(args[i+1])
		}
	}
	return false
}

func tame(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); {
		r, n := utf8.DecodeRuneInString(pattern[i:])
		switch {
		case strings.HasPrefix(pattern[i:], `\\`):
			b.WriteByte('?')
			n = 2
		case r == utf8.RuneError && n == 1:
			b.WriteByte('?')
		default:
			b.WriteString(pattern[i : i+n])
		}
		i += n
	}
	return b.String()
}
